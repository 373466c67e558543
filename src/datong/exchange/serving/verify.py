"""Verification: items in, match | differ | unknown out, by keyed digests alone. No value of the resource is ever read.

`examine` is the whole of a verify call but for rate, record and receipt; the gateway runs it on its loop for small
bodies and in the helper process for large ones, on the same bytes with the same result.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from hmac import compare_digest

import msgspec

from datong.exchange.contracts import (
    AsOfNotOffered,
    ColumnNotGranted,
    GrantEntry,
    KeyInvalid,
    Mode,
    NotServed,
    ResourceEntry,
    ServedColumn,
    ValueInvalid,
)
from datong.exchange.serving.decide import Ask, decide, find_missing
from datong.exchange.serving.keys import MAC_BYTES, MasterKey
from datong.exchange.serving.macs import CANONICAL, ResourceMacs
from datong.exchange.serving.store import VALIDITY, ServingReader, row_prefix
from datong.kernel import clock
from datong.kernel.failures import BadInput, TooLarge
from datong.kernel.limits import CLAIMS_PER_ITEM_MAX, REFERENCE_CHARACTERS_MAX, VERIFY_ITEMS_MAX

Scalar = str | int | float | bool
EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
UNKNOWN = b'{"outcome":"unknown","fields":{}}'
MATCH = b'{"outcome":"match","fields":{'
DIFFER = b'{"outcome":"differ","fields":{'


class VerifyItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One question: the record's key, the claims about it, and for a resource with history the day asked about."""

    key: dict[str, Scalar]
    claims: dict[str, Scalar] = {}
    as_of: date | None = None


class VerifyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    purpose: str
    items: list[VerifyItem]
    reference: str = ""


_decoder = msgspec.json.Decoder(VerifyRequest)


class VerifyResult(msgspec.Struct, frozen=True, kw_only=True):
    """A verify call worked out: the answer's bytes, and what the record needs."""

    purpose: str
    reference: str
    columns: tuple[str, ...]
    items_count: int
    matches_count: int
    differs_count: int
    answer: bytes
    """`{"items":[…]}`, before the receipt."""


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """Under which grant a call was worked out, and what came of it."""

    grant: GrantEntry
    result: VerifyResult


def decode_request(body: bytes) -> VerifyRequest:
    """Read a verify body. Raises BadInput (not JSON, wrong type, unknown member, nothing asked) or TooLarge."""
    try:
        request = _decoder.decode(body)
    except msgspec.DecodeError as problem:
        raise BadInput(
            f"{problem}. Send {{purpose, reference, items: [{{key, claims}}]}}.",
            hint_zh=f"请求体应为 {{purpose, reference, items: [{{key, claims}}]}}。详情：{problem}",
        ) from None
    except (UnicodeDecodeError, RecursionError):
        raise BadInput("Send JSON in UTF-8.", hint_zh="请发送 UTF-8 编码的 JSON。") from None
    if not request.items:
        raise BadInput("Give at least one item.", hint_zh="至少给出一项。", items_count=0)
    if len(request.items) > VERIFY_ITEMS_MAX:
        raise TooLarge(
            f"Send at most {VERIFY_ITEMS_MAX} items in one call.",
            hint_zh=f"每次最多 {VERIFY_ITEMS_MAX} 项。",
            items_count=len(request.items),
            items_count_max=VERIFY_ITEMS_MAX,
        )
    if len(request.reference) > REFERENCE_CHARACTERS_MAX or len(request.purpose) > REFERENCE_CHARACTERS_MAX:
        raise TooLarge(
            f"Keep purpose and reference within {REFERENCE_CHARACTERS_MAX} characters each.",
            hint_zh=f"purpose 与 reference 各不超过 {REFERENCE_CHARACTERS_MAX} 个字符。",
        )
    return request


class Verifier:
    """Answers verify calls from a serving store. Holds the keyed states of each resource it has met."""

    def __init__(self, reader: ServingReader, master: MasterKey) -> None:
        self._reader = reader
        self._master = master
        self._plans: dict[str, tuple[ResourceEntry, ResourcePlan]] = {}

    def examine(self, system_id: str, resource_id: str, request: VerifyRequest, now_ms: int) -> Examined:
        """Decide and compare on one snapshot. Raises a Refusal, or BadInput for an item that cannot be asked."""
        items = request.items
        columns = tuple(items[0].claims) if len(items) == 1 else tuple({name: 0 for i in items for name in i.claims})
        ask = Ask(
            resource_id=resource_id,
            mode=Mode.VERIFY,
            purpose=request.purpose,
            columns=columns,
            now_ms=now_ms,
        )
        grant = decide(self._reader.find_grants(system_id, resource_id), ask)
        plan = self._find_plan(resource_id)
        missing = find_missing(columns, plan.fields)
        if missing:
            granted = tuple([c for c in grant.comparable if c in plan.fields])
            raise ColumnNotGranted(grant.terms, columns=missing, granted=granted)
        answers, matches_count, differs_count = self._verify_items(plan, items)
        result = VerifyResult(
            purpose=request.purpose,
            reference=request.reference,
            columns=columns,
            items_count=len(items),
            matches_count=matches_count,
            differs_count=differs_count,
            answer=b'{"items":[' + b",".join(answers) + b"]}",
        )
        return Examined(grant=grant, result=result)

    def _find_plan(self, resource_id: str) -> ResourcePlan:
        resource = self._reader.find_resource(resource_id)
        if resource is None or not resource.generation:
            raise NotServed(resource=resource_id, mode=Mode.VERIFY)
        known = self._plans.get(resource_id)
        if known and known[0] is resource:
            return known[1]
        plan = ResourcePlan(self._master, resource)
        self._plans[resource_id] = (resource, plan)
        return plan

    def _verify_items(self, plan: ResourcePlan, items: Sequence[VerifyItem]) -> tuple[list[bytes], int, int]:
        """Each item's answer, and how many match and differ. A claim is digested before the record is known to exist:
        a wrong type is told for unknown keys too. Written as one loop, because it is the work of a batch call."""
        get_row, prefix, has_validity, fields = self._reader.get_row, plan.prefix, plan.has_validity, plan.fields
        answers: list[bytes] = []
        matches_count = differs_count = 0
        for number, item in enumerate(items):
            key_mac = plan.key_mac(number, item.key)
            claims = item.claims
            if item.as_of is not None and not has_validity:
                raise AsOfNotOffered(resource=plan.resource_id)
            if len(claims) > CLAIMS_PER_ITEM_MAX:
                raise TooLarge(f"Claim at most {CLAIMS_PER_ITEM_MAX} columns of an item.", item=number)
            claimed = []
            for name, value in claims.items():
                field = fields[name]
                try:
                    data = field.canonical(value)
                except ValueError:
                    raise ValueInvalid(column=name, kind=field.kind, item=number) from None
                state = field.state.copy()
                state.update(key_mac + data)
                claimed.append((field, state.digest()))
            row = get_row(prefix + key_mac)
            start = -1 if row is None else plan.find_record(row, item.as_of) if has_validity else 0
            if row is None or start < 0:
                answers.append(UNKNOWN)
                continue
            texts = []
            outcome = MATCH
            for field, mac in claimed:
                at = start + field.offset
                if compare_digest(row[at : at + MAC_BYTES], mac):
                    texts.append(field.match_text)
                else:
                    texts.append(field.differ_text)
                    outcome = DIFFER
            if outcome is MATCH:
                matches_count += 1
            else:
                differs_count += 1
            answers.append(outcome + b",".join(texts) + b"}}")
        return answers, matches_count, differs_count


class FieldPlan:
    """One claimable field: its canonical form, its keyed state, where its MAC lies in a record, its two answers."""

    __slots__ = ("canonical", "differ_text", "kind", "match_text", "offset", "state")

    def __init__(self, column: ServedColumn, macs: ResourceMacs, offset: int) -> None:
        name = msgspec.json.encode(column.name)
        self.canonical = CANONICAL[column.kind]
        self.kind = column.kind
        self.state = macs.claim_state(column.name)
        self.offset = offset
        self.match_text = name + b':"match"'
        self.differ_text = name + b':"differ"'


class ResourcePlan:
    """One generation of a resource, ready to be asked: canonical forms, keyed states, where each field's MAC lies."""

    def __init__(self, master: MasterKey, resource: ResourceEntry) -> None:
        self.resource_id = resource.resource_id
        self.has_validity = resource.has_validity
        self.prefix = row_prefix(resource.resource_no, resource.generation)
        names = [column.name for column in resource.verify_columns]
        macs = ResourceMacs(master, resource.resource_id, names)
        head = VALIDITY.size if resource.has_validity else 0
        self.fields = {
            column.name: FieldPlan(column, macs, head + MAC_BYTES * n)
            for n, column in enumerate(resource.verify_columns)
        }
        self.record_bytes = head + MAC_BYTES * len(names)
        self._key_state = macs.key_state()
        self._key_columns = resource.key_columns
        self._key_forms = [(c.name, CANONICAL[c.kind]) for c in resource.key_columns]
        self._key_width = len(resource.key_columns)

    def key_mac(self, number: int, key: dict[str, Scalar]) -> bytes:
        """Raises KeyInvalid when the item's key has not exactly the key columns, ValueInvalid for a wrong type."""
        state = self._key_state.copy()
        try:
            for name, canonical in self._key_forms:
                part = canonical(key[name])
                state.update(len(part).to_bytes(2, "big") + part)
        except (KeyError, ValueError):
            raise self._explain_key(number, key) from None
        if len(key) != self._key_width:
            raise self._explain_key(number, key)
        digest: bytes = state.digest()
        return digest

    def _explain_key(self, number: int, key: dict[str, Scalar]) -> KeyInvalid | ValueInvalid:
        expected = tuple(column.name for column in self._key_columns)
        if set(expected) == set(key):
            for column in self._key_columns:
                try:
                    CANONICAL[column.kind](key[column.name])
                except ValueError:
                    return ValueInvalid(column=column.name, kind=column.kind, item=number)
        return KeyInvalid(item=number, expected=expected, got=tuple(key))

    def find_record(self, row: bytes, as_of: date | None) -> int:
        """Where the record that holds on the day begins; -1 when none does. Without `as_of` the day is today."""
        day = (as_of or clock.today()).toordinal() - EPOCH_ORDINAL
        for start in range(0, len(row), self.record_bytes):
            first, last = VALIDITY.unpack_from(row, start)
            if first <= day <= last:
                return start
        return -1

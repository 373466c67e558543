"""The data plane: who asks, may they, the answer, its durable record, its receipt. Nothing of `/x/` leaves otherwise.

`Exchange.handle` is pure of any server: a `Call` in, an `Answer` out. Every answer, each refusal too, has its entry in
the log before `handle` returns; when no entry can be made the answer is 503 and carries no data.
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from urllib.parse import parse_qsl

import msgspec
import orjson

from datong.app.gateway.helper import RelayedFailure, VerifyHelper
from datong.app.gateway.http import (
    JSON,
    NO_STORE,
    Answer,
    Call,
    FilePart,
    MethodNotAllowed,
    choose_language,
    headers_of,
    render_problem,
)
from datong.app.gateway.metrics import Counts
from datong.app.gateway.rates import Rates
from datong.exchange.contracts import GrantEntry, GrantFailure, Mode, SystemEntry, UnknownToken
from datong.exchange.serving import batch
from datong.exchange.serving.decide import Ask, decide
from datong.exchange.serving.store import ServingReader, hash_token
from datong.exchange.serving.verify import Verifier, decode_request
from datong.kernel import clock, ids
from datong.kernel.audit.committer import Committer
from datong.kernel.audit.entries import SALT_BYTES, DataEntry, EntryTemplate, salted_digest
from datong.kernel.audit.receipts import attach_receipt, build_receipt, seal_answer
from datong.kernel.failures import BadInput, Failure, NotFound
from datong.kernel.limits import (
    REFERENCE_CHARACTERS_MAX,
    TOKEN_CHARACTERS_MAX,
    VERIFY_INLINE_BODY_BYTES_MAX,
)

ANSWERED = "answered"
ANSWER_HEADERS = [JSON, NO_STORE]
VERIFY = Mode.VERIFY.value
TEMPLATES_MAX = 10_000
METHODS = {VERIFY: ("POST",), Mode.BATCH.value: ("GET", "HEAD")}
BATCH_PARAMETERS = frozenset({"purpose", "reference", "format"})


class Trace(msgspec.Struct):
    """What is known of a call so far: a refusal's record says as much as was learnt before it."""

    at: str
    now_ms: int
    system: SystemEntry | None = None
    grant_id: str = ""
    grant_digest: str = ""
    purpose: str = ""
    reference: str = ""

    def note_grant(self, grant: GrantEntry) -> None:
        self.grant_id, self.grant_digest = grant.terms.grant_id, grant.digest


class Exchange:
    """The data plane of one gateway process."""

    def __init__(
        self,
        *,
        reader: ServingReader,
        verifier: Verifier,
        committer: Committer,
        rates: Rates,
        helper: VerifyHelper,
        bulk_dir: Path,
        counts: Counts,
        language: str,
    ) -> None:
        self._reader = reader
        self._verifier = verifier
        self._committer = committer
        self._rates = rates
        self._helper = helper
        self._bulk_dir = bulk_dir
        self._counts = counts
        self._language = language
        self._salts = ids.SaltPool(SALT_BYTES)
        self._stamp = (0, "")
        self._templates: dict[tuple[str, str, tuple[str, ...]], EntryTemplate] = {}

    async def handle(self, call: Call) -> Answer:
        """Answer a call. Raises Unavailable alone: when the log cannot take the record, nothing may be answered."""
        trace = self._begin_trace()
        self._reader.refresh()
        try:
            trace.system = system = self._authenticate(call.authorization, trace.now_ms)
            allowed = METHODS.get(call.mode)
            if allowed is None:
                raise NotFound(
                    f"The modes served are {', '.join(METHODS)}.",
                    hint_zh=f"已开通的使用方式：{'、'.join(METHODS)}。",
                    mode=call.mode,
                )
            if call.method not in allowed:
                raise MethodNotAllowed(method=call.method, allowed=allowed)
            if isinstance(call.body, Failure):
                raise call.body
            if call.mode == VERIFY:
                return await self._verify(call, call.body, system, trace)
            return await self._batch(call, system, trace)
        except Failure as failure:
            return await self.refuse(call, failure, trace)

    def _begin_trace(self) -> Trace:
        """Writing an instant costs as much as a look-up, so calls of one millisecond share its text."""
        now = clock.now()
        now_ms = int(now.timestamp() * 1000)
        if now_ms != self._stamp[0]:
            self._stamp = (now_ms, clock.iso(now))
        return Trace(at=self._stamp[1], now_ms=now_ms)

    def _authenticate(self, authorization: str, now_ms: int) -> SystemEntry:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > TOKEN_CHARACTERS_MAX:
            raise UnknownToken
        system = self._reader.find_system(hash_token(token.strip()))
        if system is None or (system.valid_until_ms is not None and now_ms >= system.valid_until_ms):
            raise UnknownToken
        return system

    # Verify --------------------------------------------------------------------------------------------------------
    async def _verify(self, call: Call, body: bytes, system: SystemEntry, trace: Trace) -> Answer:
        if len(body) <= VERIFY_INLINE_BODY_BYTES_MAX:
            request = decode_request(body)
            trace.purpose, trace.reference = request.purpose, request.reference
            examined = self._verifier.examine(system.system_id, call.resource, request, trace.now_ms)
            done, grant = examined.result, examined.grant
        else:
            done = await self._helper.examine(system.system_id, call.resource, body)
            trace.purpose, trace.reference = done.purpose, done.reference
            grant = self._decide_again(system.system_id, call.resource, done.purpose, done.columns)
        trace.note_grant(grant)
        self._rates.take(grant.terms, done.items_count, trace.now_ms)
        facts = b'{"items":%d,"match":%d,"differ":%d}' % (done.items_count, done.matches_count, done.differs_count)
        answer = done.answer
        salt = self._salts.draw()
        entry = self._find_template(call, system, grant, done.columns).fill(
            at=trace.at,
            reference=done.reference,
            facts=facts,
            rq=salted_digest(salt, body),
            rs=salted_digest(salt, answer),
        )
        committed = await self._committer.submit(entry)
        self._counts.add(VERIFY, ANSWERED, items_count=done.items_count)
        sealed = seal_answer(answer, committed, salt=salt, entry=entry)
        return Answer(status=200, headers=ANSWER_HEADERS, body=sealed)

    def _decide_again(self, system_id: str, resource_id: str, purpose: str, columns: tuple[str, ...]) -> GrantEntry:
        """The helper decided on its own snapshot some milliseconds ago: a grant revoked since then ends the call."""
        self._reader.refresh()
        ask = Ask(resource_id=resource_id, mode=Mode.VERIFY, purpose=purpose, columns=columns, now_ms=clock.epoch_ms())
        return decide(self._reader.find_grants(system_id, resource_id), ask)

    # Batch ---------------------------------------------------------------------------------------------------------
    async def _batch(self, call: Call, system: SystemEntry, trace: Trace) -> Answer:
        purpose, reference, file_format = read_batch_query(call.query)
        trace.purpose, trace.reference = purpose, reference
        grant = batch.decide_batch(self._reader, system.system_id, call.resource, purpose)
        trace.note_grant(grant)
        entry, path = batch.find_file(self._reader, grant, file_format, self._bulk_dir)
        part = batch.choose_part(
            entry,
            range_header=call.ranges.get("range"),
            if_range=call.ranges.get("if-range"),
            if_none_match=call.ranges.get("if-none-match"),
            if_match=call.ranges.get("if-match"),
        )
        self._rates.take(grant.terms, 1, trace.now_ms)
        salt = self._salts.draw()
        facts = {
            "items": 1,
            "status": part.status,
            "file_sha256": entry.sha256,
            "file_bytes": entry.file_bytes,
            "format": entry.format,
            "version": entry.version_id,
            "range": [part.start, part.end],
        }
        columns = tuple(c.name for c in grant.terms.columns)
        leaf = self._find_template(call, system, grant, columns).fill(
            at=trace.at,
            reference=reference,
            facts=orjson.dumps(facts),
            rq=salted_digest(salt, call.target.encode()),
            rs=salted_digest(salt, entry.sha256.encode()),
        )
        committed = await self._committer.submit(leaf)
        self._counts.add(call.mode, ANSWERED, items_count=1)
        receipt = build_receipt(committed, salt=salt, entry=leaf)
        headers = [
            ("etag", batch.etag_of(entry)),
            ("accept-ranges", "bytes"),
            ("datong-receipt", b64encode(receipt.encode()).decode()),
            ("cache-control", "private, no-cache"),
        ]
        if part.status == 304:
            return Answer(status=304, headers=headers)
        headers.append(("content-type", entry.media_type))
        headers.append(("content-disposition", f'attachment; filename="{call.resource}.{entry.format}"'))
        headers.append(("content-length", str(part.end - part.start)))
        if part.status == 206:
            headers.append(("content-range", f"bytes {part.start}-{part.end - 1}/{entry.file_bytes}"))
        file = None if call.method == "HEAD" else FilePart(path=path, start=part.start, end=part.end)
        return Answer(status=part.status, headers=headers, file=file)

    # Records -------------------------------------------------------------------------------------------------------
    def _find_template(
        self, call: Call, system: SystemEntry, grant: GrantEntry, columns: tuple[str, ...]
    ) -> EntryTemplate:
        key = (call.mode, grant.digest, columns)
        template = self._templates.get(key)
        if template is None:
            if len(self._templates) >= TEMPLATES_MAX:
                self._templates.clear()
            template = self._templates[key] = EntryTemplate(
                kind=call.mode,
                system=system.system_id,
                agency=system.agency_id,
                resource=call.resource,
                grant=grant.terms.grant_id,
                grant_digest=grant.digest,
                purpose=grant.terms.purpose,
                fields=columns,
                outcome=ANSWERED,
            )
        return template

    async def refuse(self, call: Call, failure: Failure, trace: Trace | None = None) -> Answer:
        """A refusal is recorded like an answer, and proves itself like one."""
        trace = trace or self._begin_trace()
        if isinstance(failure, GrantFailure):
            trace.grant_id, trace.grant_digest = failure.terms.grant_id, failure.terms.digest
        elif isinstance(failure, RelayedFailure) and failure.grant:
            trace.grant_id, trace.grant_digest = failure.grant[:2]
        language = choose_language(call.accept_language, self._language)
        body = render_problem(failure, language)
        salt = self._salts.draw()
        request = call.target.encode() if call.target or isinstance(call.body, Failure) else call.body
        entry = DataEntry(
            kind="refused",
            at=trace.at,
            system=trace.system.system_id if trace.system else "",
            agency=trace.system.agency_id if trace.system else "",
            resource=call.resource[:REFERENCE_CHARACTERS_MAX],
            grant=trace.grant_id,
            grant_digest=trace.grant_digest,
            purpose=trace.purpose[:REFERENCE_CHARACTERS_MAX],
            reference=trace.reference[:REFERENCE_CHARACTERS_MAX],
            fields=(),
            outcome=failure.code,
            rq=salted_digest(salt, request),
            rs=salted_digest(salt, body),
            facts={"mode": call.mode[:32], "status": failure.status},
        ).encode()
        committed = await self._committer.submit(entry)
        self._counts.add(call.mode if call.mode in METHODS else "other", failure.code)
        receipt = build_receipt(committed, salt=salt, entry=entry)
        headers = headers_of(failure, language, token_sent=bool(call.authorization))
        return Answer(status=failure.status, headers=headers, body=attach_receipt(body, receipt))


def read_batch_query(query: str) -> tuple[str, str, str]:
    """(purpose, reference, format). Raises BadInput for a missing purpose, an unknown or repeated parameter."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=16, errors="strict")
    except ValueError:
        raise BadInput("The query cannot be read.", hint_zh="无法解析查询参数。") from None
    given = dict(pairs)
    unknown = sorted(given.keys() - BATCH_PARAMETERS)
    if unknown or len(given) != len(pairs) or not given.get("purpose"):
        raise BadInput(
            "Give purpose once, and reference and format (parquet or csv) if you like; nothing else.",
            hint_zh="须给出 purpose，可给出 reference 与 format（parquet 或 csv），各一次。",
            unknown=unknown,
            expected=sorted(BATCH_PARAMETERS),
        )
    purpose, reference = given["purpose"], given.get("reference", "")
    if max(len(purpose), len(reference)) > REFERENCE_CHARACTERS_MAX:
        raise BadInput(
            f"Keep purpose and reference within {REFERENCE_CHARACTERS_MAX} characters each.",
            hint_zh=f"purpose 与 reference 各不超过 {REFERENCE_CHARACTERS_MAX} 个字符。",
        )
    return purpose, reference, given.get("format", "parquet")

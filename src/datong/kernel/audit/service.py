"""The control plane's side of the audit log: its rows are numbered, sent to the log, and read back as sentences.

The numbering is not part of the action's transaction (that would serialise the platform): rows get a seal number, one
by one without gaps, in a short transaction of their own after they are committed. The canonical bytes of a row are a
JSON object with sorted keys, without spaces, of the members named in `canonical_row`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import orjson
from django.db import connection, transaction

from datong.kernel import clock
from datong.kernel.audit.entries import build_control_entry
from datong.kernel.contracts import ACTION_KINDS, EVERY_AGENCY, Actor, AuditRow, Role
from datong.kernel.failures import NotAllowed
from datong.kernel.limits import PAGE_ROWS_DEFAULT, SEAL_ROWS_PER_ROUND_MAX
from datong.kernel.paging import Page
from datong.kernel.store.models import Agency, Member
from datong.kernel.store.models import AuditRow as Row
from datong.kernel.store.pages import page_of

_SEAL_LOCK = "kernel.audit.seal"
_NUMBER = """
with last as (select coalesce(max(seal_seq), 0) as seal_seq from kernel_audit_row),
waiting as (
    select id, row_number() over (order by id) as place
    from (select id from kernel_audit_row where seal_seq is null order by id limit %s) as oldest
)
update kernel_audit_row
set seal_seq = last.seal_seq + waiting.place
from last, waiting
where kernel_audit_row.id = waiting.id
"""
READERS = frozenset({Role.AUDITOR, Role.SECURITY, Role.BUREAU})
"""Who reads the whole log; every other member reads what concerns their own agency."""


# Sealing ----------------------------------------------------------------------------------------------------------
def assign_seal_numbers(limit: int = SEAL_ROWS_PER_ROUND_MAX) -> int:
    """Give the oldest unnumbered rows their seal numbers; returns how many. One sealer at a time."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [_SEAL_LOCK])
        cursor.execute(_NUMBER, [limit])
        return int(cursor.rowcount)


def find_unsealed_rows(limit: int = SEAL_ROWS_PER_ROUND_MAX) -> list[tuple[int, bytes]]:
    """Numbered rows that have no log index yet, in the order of their numbers, with their canonical bytes."""
    rows = Row.objects.filter(seal_seq__isnull=False, log_index__isnull=True).order_by("seal_seq")[:limit]
    return [(_number_of(row), canonical_row(row)) for row in rows]


def mark_sealed(rows: Sequence[tuple[int, bytes]], indexes: Sequence[int]) -> None:
    """Write down where the log has the rows. Said twice, it changes nothing; the database refuses another place."""
    with transaction.atomic():
        for (seal_seq, row), index in zip(rows, indexes, strict=True):
            Row.objects.filter(seal_seq=seal_seq, log_index__isnull=True).update(
                log_index=index, entry_sha256=sha256(build_control_entry(seal_seq, row)).hexdigest()
            )


def find_sealed_rows() -> Iterator[tuple[int, bytes]]:
    """All rows that the log should have, for `audit.verify.verify_log(control_rows=…)`."""
    for row in Row.objects.filter(log_index__isnull=False).order_by("seal_seq").iterator():
        yield _number_of(row), canonical_row(row)


def count_unsealed() -> int:
    """Rows that are not in the log yet: a metric."""
    unnumbered = Row.objects.filter(seal_seq__isnull=True).count()
    return unnumbered + Row.objects.filter(seal_seq__isnull=False, log_index__isnull=True).count()


def canonical_row(row: Row) -> bytes:
    """The bytes that the log holds of a row: everything but the sealing itself."""
    return orjson.dumps(
        {
            "id": row.id,
            "at": clock.iso(row.at),
            "operation": row.operation_id,
            "verb": row.verb,
            "actor": {"kind": row.actor_kind, "id": row.actor_id, "name": row.actor_name},
            "agency": row.agency_id,
            "subject": {"kind": row.subject_kind, "id": row.subject_id, "name": row.subject_name},
            "facts": row.facts,
        },
        option=orjson.OPT_SORT_KEYS,
    )


# Reading ----------------------------------------------------------------------------------------------------------
def find_audit_rows(
    actor: Actor,
    *,
    verb: str = "",
    subject_kind: str = "",
    subject_id: str = "",
    actor_id: str = "",
    cursor: str | None = None,
    limit: int = PAGE_ROWS_DEFAULT,
) -> Page[AuditRow]:
    """The newest first. Auditor, security officer and bureau read all; other members their own agency's rows."""
    if not actor.is_member:
        raise NotAllowed("The audit log is for members.", hint_zh="审计记录只供工作人员查阅。")
    filters = {"verb": verb, "subject_kind": subject_kind, "subject_id": subject_id, "actor_id": actor_id}
    rows = Row.objects.filter(**{name: value for name, value in filters.items() if value})
    scope = EVERY_AGENCY if actor.roles & READERS else str(actor.agency_id)
    if scope != EVERY_AGENCY:
        rows = rows.filter(agency_id=scope)
    page = page_of(
        rows,
        name="audit.rows",
        order=("-at", "-id"),
        filters={**filters, "scope": scope},
        cursor=cursor,
        limit=limit,
    )
    agencies = {a.pk: a for a in Agency.objects.filter(pk__in={row.agency_id for row in page.items})}
    people = {row.actor_id for row in page.items} | {r.subject_id for r in page.items if r.subject_kind == "member"}
    members = dict(Member.objects.filter(pk__in=people).values_list("pk", "name_en"))
    return page.map(lambda row: _view(row, agencies.get(row.agency_id), members))


def find_log_index(operation_id: str) -> int | None:
    """Where the log holds the last row of an operation; None while it is not sealed. Says nothing of what it was."""
    rows = Row.objects.filter(operation_id=operation_id, log_index__isnull=False)
    return rows.order_by("-log_index").values_list("log_index", flat=True).first()


def sentence_of(row: AuditRow, language: str) -> str:
    """The row as a sentence, by the pattern its verb was declared with; an unknown verb reads as itself."""
    kind = ACTION_KINDS.find(row.verb)
    names = {"actor": row.actor_name, "agency": row.agency_name, "subject": row.subject_name}
    own, suffix = {**row.facts}, "_zh" if language.startswith("zh") else "_en"
    if suffix == "_en":
        found = {"actor": row.actor_name_en, "agency": row.agency_name_en}
        found["subject"] = row.subject_name_en or str(row.facts.get("title_en", ""))
        names |= {name: text for name, text in found.items() if text}
    own |= {name.removesuffix(suffix): text for name, text in row.facts.items() if name.endswith(suffix) and text}
    words = _Words(own | names)
    words["agency"] = words["agency"] or row.agency_id
    words["subject"] = words["subject"] or row.subject_id or "—"
    if kind is None:
        return f"{words['actor']} · {row.verb} · {words['subject']}"
    return (kind.sentence_zh if suffix == "_zh" else kind.sentence_en).format_map(words)


class _Words(dict[str, Any]):
    """A fact that a row of an older version lacks reads as a dash."""

    def __missing__(self, key: str) -> str:
        return "—"


def _number_of(row: Row) -> int:
    assert row.seal_seq is not None
    return row.seal_seq


def _view(row: Row, agency: Agency | None, members: Mapping[str, str]) -> AuditRow:
    facts: Mapping[str, Any] = row.facts
    return AuditRow(
        id=row.id,
        at=clock.iso(row.at),
        verb=row.verb,
        actor_kind=row.actor_kind,
        actor_id=row.actor_id,
        actor_name=row.actor_name,
        agency_id=row.agency_id,
        agency_name=agency.name if agency else "",
        actor_name_en=members.get(row.actor_id, ""),
        subject_name_en=members.get(row.subject_id, ""),
        agency_name_en=agency.name_en if agency else "",
        subject_kind=row.subject_kind,
        subject_id=row.subject_id,
        subject_name=row.subject_name,
        operation_id=row.operation_id,
        facts=facts,
        seal_seq=row.seal_seq,
        log_index=row.log_index,
    )

"""The verbs of standards: import an edition, look at what is there, keep the snapshot true to the database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db import transaction

from datong.kernel.action.service import action, is_allowed
from datong.kernel.contracts import Actor, Subject
from datong.standards import code_lists
from datong.standards.contracts import (
    Edition,
    EditionFixed,
    EditionKind,
    EditionOverlaps,
    KeptReport,
    StandardFinding,
)
from datong.standards.importing import Heading, read_edition
from datong.standards.model import CodeChange, compare_editions, find_overlap
from datong.standards.plugs import STANDARD_IMPORTED
from datong.standards.snapshot import digest_edition, encode_edition, load_shelf, standards_dir, write_shelf
from datong.standards.store import reports
from datong.standards.store.editions import insert_edition, read_editions
from datong.standards.store.locks import hold_name
from datong.standards.store.models import EditionRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did. Not `changed`: the same content was there already under this name and edition."""

    label: str
    kind: EditionKind
    entries_count: int
    digest: str
    changed: bool
    warnings: tuple[StandardFinding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportView:
    """Who brought an edition in, and when."""

    digest: str
    imported_by: str
    imported_at: dt.datetime


def import_files(actor: Actor, files: Sequence[tuple[str, bytes]], heading: Heading | None = None) -> Imported:
    """Read files (see `importing.py`) and keep them as one edition. StandardInvalid, EditionFixed, EditionOverlaps."""
    read = read_edition(files, heading)
    return import_edition(actor, read.edition, warnings=read.warnings)


def import_edition(actor: Actor, edition: Edition, *, warnings: tuple[StandardFinding, ...] = ()) -> Imported:
    """Keep an edition for ever. The same content again changes nothing; other content under its label is refused."""
    digest = digest_edition(edition)
    done = Imported(
        label=edition.label,
        kind=edition.kind,
        entries_count=edition.entries_count,
        digest=digest,
        changed=True,
        warnings=warnings,
    )
    subject = Subject(kind="standard", id=edition.label, name=edition.title_zh)
    with action(STANDARD_IMPORTED.verb, actor, subject) as record:
        hold_name(edition.kind, edition.name)
        present = EditionRow.objects.filter(kind=edition.kind, name=edition.name, edition=edition.edition).first()
        if present is None:
            _refuse_overlap(edition)
            insert_edition(edition, digest=digest, actor_id=record.actor.id, actor_name=record.actor.name)
        elif present.digest != digest:
            raise _fixed(edition)
        record.facts |= {
            "edition": edition.edition,
            "entries": edition.entries_count,
            "digest": digest,
            "changed": present is None,
            "title_en": edition.title_en or edition.name,
        }
        record.event("standard.imported", subject=edition.name, payload={"label": edition.label, "digest": digest})
        transaction.on_commit(write_snapshot)
    return done if present is None else replace(done, changed=False)


def may_import(actor: Actor) -> bool:
    return is_allowed(STANDARD_IMPORTED.verb, actor, None)


def find_imports() -> dict[str, ImportView]:
    """Label → who imported that edition; shipped editions are not among them."""
    return {
        f"{row.name}@{row.edition}": ImportView(
            digest=row.digest, imported_by=row.imported_by_name, imported_at=row.imported_at
        )
        for row in EditionRow.objects.all()
    }


def find_edition(name: str, edition: str = "") -> Edition | None:
    """One edition by name, the latest when no edition is named; elements and divisions as well as codes."""
    found = [e for e in load_shelf().editions if e.name == name and edition in ("", e.edition)]
    if not found:
        return None
    return code_lists.in_force(found)[-1] if not edition else found[-1]


def compare(name: str, old: str, new: str, *, leaves_only: bool = False) -> list[CodeChange] | None:
    """What differs between two editions of one list; None when one of them is not there."""
    before, after = find_edition(name, old), find_edition(name, new)
    if before is None or after is None:
        return None
    return compare_editions(before, after, leaves_only=leaves_only)


def keep_report(report: KeptReport) -> None:
    """Keep a report on conformance for ever, within the action of whoever assessed."""
    reports.insert_report(report)


def find_kept_reports(subject: str, limit: int) -> list[KeptReport]:
    """The reports on a resource, newest first. Checks no permission: `quality` does."""
    return reports.find_reports(subject, limit)


def get_kept_report(subject: str, number: str) -> KeptReport | None:
    return reports.find_report(subject, number)


def write_snapshot() -> int:
    """Write every imported edition to disk as `snapshot.py` reads it; returns how many there are. May be repeated."""
    editions = [encode_edition(edition) for _, edition in read_editions()]
    write_shelf(standards_dir(), editions)
    return len(editions)


def _refuse_overlap(edition: Edition) -> None:
    others = [
        Edition(
            kind=edition.kind,
            name=row.name,
            edition=row.edition,
            title_zh=row.title_zh,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
        )
        for row in EditionRow.objects.filter(kind=edition.kind, name=edition.name)
    ]
    other = find_overlap(edition, others)
    if other is not None:
        span = f"{other.valid_from or '…'} – {other.valid_to or '…'}"
        raise EditionOverlaps(
            f"Edition {other.edition} of {edition.name} is in force {span}. Give this one another valid_from, or "
            "an end before the other begins.",
            hint_zh=f"“{edition.name}”的{other.edition}版有效期为{span}。请改写本版的生效日期，或写明早于其生效日期的失效日期。",
            other=other.label,
        )


def _fixed(edition: Edition) -> EditionFixed:
    return EditionFixed(
        f"{edition.label} was imported with other content. Import the correction under another edition, as "
        f"{edition.edition}.1.",
        hint_zh=f"{edition.label}此前已按另一内容导入。请以新的版本号导入更正，如{edition.edition}.1。",
        label=edition.label,
    )

"""An uploaded file into drafts that the contract editor opens."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import BinaryIO

from datong.catalog import service as catalog
from datong.catalog.authoring import service as authoring
from datong.catalog.authoring.contracts import DraftView
from datong.collect.infer.inferring import infer_file, rename_draft
from datong.collect.infer.model import InferredTable
from datong.collect.infer.naming import unlike
from datong.kernel import clock
from datong.kernel.action.service import is_allowed
from datong.kernel.config import load_settings, make_private_dir
from datong.kernel.contracts import Actor, Subject
from datong.kernel.failures import NotAllowed, NotFound, TooLarge
from datong.kernel.identity.service import get_agency
from datong.kernel.ids import ResourceId
from datong.kernel.limits import INFER_REMAINS_KEPT_S, INFER_UPLOAD_BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class InferredDraft:
    """A draft as it was saved, with the evidence it was made from."""

    draft: DraftView
    table: InferredTable


def infer_drafts(actor: Actor, file: BinaryIO, filename: str, size_bytes: int) -> tuple[InferredDraft, ...]:
    """Read the file and save a draft for each table in it, under ids that are free.

    Raises TooLarge, NotAllowed, and what the readers raise; the file is gone when this returns.
    """
    if size_bytes > INFER_UPLOAD_BYTES_MAX:
        raise TooLarge(
            f"A page reads files of at most {INFER_UPLOAD_BYTES_MAX} bytes. Use `datong contract infer`.",
            hint_zh=f"页面最多读取{INFER_UPLOAD_BYTES_MAX}字节的文件，更大的请用命令datong contract infer。",
            bytes=size_bytes,
        )
    if actor.agency_id is None or not may_infer(actor):
        raise NotAllowed("Only stewards of an agency write contracts.", hint_zh="只有部门的数据管理员可以编写契约。")
    agency = get_agency(actor.agency_id).code
    root = make_private_dir(load_settings().infer_dir)
    _sweep(root)
    name = PurePath(filename).name or "file"
    with TemporaryDirectory(dir=root) as folder:
        work = make_private_dir(root / PurePath(folder).name / "work")
        path = work.parent / f"given{PurePath(name).suffix}"
        with path.open("wb") as out:
            shutil.copyfileobj(file, out)
        tables = infer_file(path, name, work, agency=agency)
    drafts = []
    for table in tables:
        free = rename_draft(table, _free_id(actor, table.resource_id))
        draft = authoring.save_draft(actor, free.resource_id, free.text, base_version=None, revision=0)
        drafts.append(InferredDraft(draft=draft, table=free))
    return tuple(drafts)


def may_infer(actor: Actor) -> bool:
    """Whoever may save a contract's draft for the own agency."""
    own = Subject(kind="resource", id="new", agency_id=actor.agency_id, name="")
    return actor.agency_id is not None and is_allowed(authoring.SAVED, actor, own)


def _sweep(root: Path) -> None:
    """Remove what a killed process left."""
    for folder in root.iterdir():
        if clock.now().timestamp() - folder.stat().st_mtime > INFER_REMAINS_KEPT_S:
            shutil.rmtree(folder, ignore_errors=True)


def _free_id(actor: Actor, wanted: str) -> str:
    """The id, numbered when a resource or an open draft of the agency has it."""
    taken = {draft.resource_id for draft in authoring.find_drafts(actor)}
    found = unlike(wanted, taken)
    while _exists(found):
        taken.add(found)
        found = unlike(wanted, taken)
    return found


def _exists(resource_id: str) -> bool:
    try:
        catalog.get_resource(ResourceId(resource_id))
    except NotFound:
        return False
    return True

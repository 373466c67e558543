from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from datong.kernel.contracts import Actor
from datong.standards import service
from datong.standards.importing import Heading
from datong.standards.service import Imported
from datong.standards.snapshot import standards_dir
from datong.testing.cast import Cast, make_cast

BringIn = Callable[..., Imported]


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def bureau(cast: Cast) -> Actor:
    return cast.actor("data.bureau")


@pytest.fixture
def bring_in(bureau: Actor, django_capture_on_commit_callbacks: Any) -> Iterator[BringIn]:
    """Import as the bureau, with what follows a commit; afterwards the files are as before: none."""

    def run(files: Sequence[tuple[str, bytes]], actor: Actor = bureau, **heading: str) -> Imported:
        with django_capture_on_commit_callbacks(execute=True):
            return service.import_files(actor, files, Heading(**heading))

    yield run
    folder = standards_dir()
    for path in folder.glob("*") if folder.is_dir() else ():
        path.unlink()

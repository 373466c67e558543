"""A fetching process killed between its steps: the fetch goes on, each row is in the table once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from datong.collect.sources import service
from datong.collect.sources.contracts import SourceBusy, SourceView
from datong.collect.sources.tests.conftest import Desk, OtherDatabase
from datong.collect.sources.tests.test_http import Api, options, serve
from datong.collect.sources.tests.test_mqtt import execute_when_free, kill_at
from datong.collect.sources.tests.test_postgres import by_cursor, make_table

pytestmark = pytest.mark.fault
MakeDesk = Callable[[str], Desk]
PAGES = {"paging": "page", "page_param": "page"}


def check_killed_at(point: str, desk: Desk, source: SourceView, folder: Path, rows: int) -> None:
    fetch = service.request_fetch(desk.steward, source.id, in_background=False)
    kill_at(point, folder, fetch.id)
    execute_when_free(fetch.id)
    desk.finish(source, fetch.id)
    while desk.fetch(source) is not None:
        pass
    assert [row["reading_id"] for row in desk.rows()] == list(range(1, rows + 1))
    assert sum(found.rows or 0 for found in service.find_fetches(source.id)) == rows, "each row was sent once"
    assert all(desk.run_of(found).rows_quarantined == 0 for found in service.find_fetches(source.id))


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("source.after-read", marks=pytest.mark.slow),
        "source.before-record",
        pytest.param("source.after-landed", marks=pytest.mark.slow),
    ],
)
def test_killed_while_fetching_from_a_database(
    point: str, desk_of: MakeDesk, other_database: OtherDatabase, tmp_path: Path
) -> None:
    make_table(other_database, "killed", 50)
    desk = desk_of("append")
    settings = by_cursor(other_database, table="killed", batch_rows="20")
    source = desk.connect("postgres", settings, {"password": other_database.password})
    check_killed_at(point, desk, source, tmp_path, 50)


@pytest.fixture
def api() -> Iterator[Api]:
    rows = [
        {"reading_id": n, "where": {"name": f"站{n}"}, "amount": "1.10", "at": f"2026-01-{n:02d}"} for n in range(1, 9)
    ]
    with serve(Api(rows=rows)) as running:
        yield running


def test_killed_between_two_pages(desk_of: MakeDesk, api: Api, tmp_path: Path) -> None:
    desk = desk_of("append")
    source = desk.connect("http", options(api, since_param="since", since_path="at", **PAGES))
    check_killed_at("source.after-page", desk, source, tmp_path, 8)
    assert api.calls[1].endswith("page=2"), "it went on at the second page"


@pytest.mark.slow
def test_a_cursor_moved_too_early_loses_rows_and_is_caught(
    desk_of: MakeDesk, other_database: OtherDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted violation: the cursor moves before the run has ended, and the run then fails."""
    from datong.collect.sources.service import fetching

    make_table(other_database, "early", 50)
    desk = desk_of("append")
    source = desk.connect("postgres", by_cursor(other_database, table="early"), {"password": other_database.password})
    lands = fetching._land

    def land_and_move(fetch: object, row: object, batch: object) -> None:
        row.cursor, row.seen = batch.cursor, batch.seen  # type: ignore[attr-defined]
        row.save()  # type: ignore[attr-defined]
        raise SourceBusy("as if it had been killed here")

    monkeypatch.setattr(fetching, "_land", land_and_move)
    desk.fetch(source)
    monkeypatch.setattr(fetching, "_land", lands)
    with pytest.raises(AssertionError):
        check_killed_at("source.after-read", desk, source, tmp_path, 50)

"""What a source keeps and shows, who may touch it, and when it is due."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from django.db import connection

from datong.catalog.words import UpdateCycle
from datong.collect.sources import service
from datong.collect.sources.contracts import (
    DriverMissing,
    FetchState,
    SourceBusy,
    SourceChanged,
    SourceDisabled,
    SourceDraft,
    SourceNotFound,
    SourceOptionsWrong,
    Trigger,
)
from datong.collect.sources.guard import is_allowed
from datong.collect.sources.options import read_kind
from datong.collect.sources.schedule import CYCLE, next_due, next_time, read_cron
from datong.collect.sources.sealing import open_secrets, seal_secrets
from datong.collect.sources.tests.conftest import Desk
from datong.collect.sources.tests.test_files import drop
from datong.collect.store.source_models import Fetch, Source
from datong.kernel import clock
from datong.kernel.clock import CIVIL_ZONE
from datong.kernel.config import Secret, load_settings
from datong.kernel.failures import Misconfigured, NotAllowed
from datong.kernel.plugs import Event
from datong.kernel.store.models import AuditRow, Job

SECRET = "zZ-unverkennbar-9"


def api(**more: str) -> dict[str, str]:
    return {"url": "https://api.example.org/x", **more}


def every_stored_text() -> str:
    """All rows of all tables, as text."""
    with connection.cursor() as cursor:
        cursor.execute("select tablename from pg_tables where schemaname = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        assert "collect_source" in tables
        texts: list[str] = []
        for table in tables:
            cursor.execute(f'select t::text from "{table}" t')
            texts.extend(text for (text,) in cursor.fetchall())
    return "\n".join(texts)


def test_a_credential_is_found_nowhere(quiet_desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk = quiet_desk
    source = desk.connect("http", api(auth="bearer"), {"token": SECRET})
    draft = SourceDraft(resource_id=desk.resource_id, title="改", kind="http", options=api(auth="bearer"))
    changed = service.change_source(desk.steward, source.id, draft, revision=source.revision)
    assert changed.secret_names == ("token",), "not given: it stays"
    with pytest.raises(Exception):  # noqa: B017, PT011 - unreachable, whatever the network here says
        service.test_source(desk.steward, source.id)
    row = Source.objects.get(pk=source.id)
    assert open_secrets(load_settings(), source.id, bytes(row.sealed))["token"].reveal() == SECRET
    stored = every_stored_text()
    assert source.id in stored
    for form in (SECRET, SECRET.encode().hex()):
        assert form not in stored + repr(changed) + caplog.text
    verbs = set(AuditRow.objects.filter(subject_id=source.id).values_list("verb", flat=True))
    assert verbs == {"source.created", "source.changed", "source.tested"}
    service.remove_source(desk.steward, source.id)
    assert bytes(Source.objects.get(pk=source.id).sealed) == b""
    with pytest.raises(SourceNotFound):
        service.get_source(source.id)


def test_a_seal_opens_only_for_its_source_and_key(
    datong_settings: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATONG_HOME", str(tmp_path / "one"))
    sealed = seal_secrets(load_settings(), "source_a", {"token": Secret(SECRET)})
    with pytest.raises(Misconfigured):
        open_secrets(load_settings(), "source_b", sealed)
    monkeypatch.setenv("DATONG_HOME", str(tmp_path / "two"))
    with pytest.raises(Misconfigured):
        open_secrets(load_settings(), "source_a", sealed)


def test_others_neither_see_nor_touch_it(quiet_desk: Desk) -> None:
    desk = quiet_desk
    source = desk.connect("http", api())
    for member in (f"{desk.agency}.approver", f"{desk.agency}.nobody"):
        with pytest.raises(NotAllowed):
            service.enable_source(desk.cast.actor(member), source.id)
    with pytest.raises(SourceNotFound):
        service.get_source(source.id, desk.cast.actor("operator"))
    assert service.find_sources(desk.cast.actor("operator")) == []
    assert [found.id for found in service.find_sources(desk.steward)] == [source.id]


def test_two_who_change_at_once(quiet_desk: Desk) -> None:
    desk = quiet_desk
    source = desk.connect("http", api())
    draft = SourceDraft(resource_id=desk.resource_id, title="改", kind="http", options=api())
    service.change_source(desk.steward, source.id, draft, revision=1)
    with pytest.raises(SourceChanged):
        service.change_source(desk.steward, source.id, draft, revision=1)


def test_one_fetch_at_a_time(quiet_desk: Desk, tmp_path: Path) -> None:
    desk = quiet_desk
    source = desk.connect("folder", {"folder": str(tmp_path)})
    service.request_fetch(desk.steward, source.id, in_background=False)
    with pytest.raises(SourceBusy):
        service.request_fetch(desk.steward, source.id, in_background=False)
    with pytest.raises(SourceDisabled):
        service.request_fetch(desk.steward, source.id, Trigger.SCHEDULE)


def test_due_sources_are_fetched_and_an_upstream_version_begins_a_fetch(quiet_desk: Desk, tmp_path: Path) -> None:
    from datong.collect.sources.service.fetching import on_version_recorded

    desk = quiet_desk
    polled = desk.connect("folder", {"folder": str(tmp_path)})
    assert polled.schedule == "* * * * *", "a folder tells nobody"
    assert service.poll_due() == 0, "it is not enabled yet"
    service.enable_source(desk.steward, polled.id)
    assert service.poll_due() == 1
    assert service.poll_due() == 0
    fetch = service.find_fetches(polled.id)[0]
    assert fetch.trigger is Trigger.SCHEDULE
    assert Job.objects.get(pk=fetch.job_id).args == {"fetch_id": fetch.id}
    service.execute_fetch(fetch.id)
    assert service.find_fetches(polled.id) == []
    assert service.get_source(polled.id).due_at is not None

    event = Event(id="e", name="version.recorded", subject="s", payload={"resource": "upstream"}, occurred_at="")
    Source.objects.filter(pk=polled.id).update(after_resource="upstream")
    on_version_recorded(event)
    assert [fetch.trigger for fetch in service.find_fetches(polled.id)] == [Trigger.EVENT]
    on_version_recorded(event)
    assert Fetch.objects.filter(source_id=polled.id).count() == 1, "busy: it is due right after instead"


def test_a_folder_that_went_away_pauses_longer_each_time_and_opens_one_case(quiet_desk: Desk, tmp_path: Path) -> None:
    desk, folder = quiet_desk, tmp_path / "gone"
    folder.mkdir()
    source = desk.connect("folder", {"folder": str(folder)})
    service.enable_source(desk.steward, source.id)
    folder.rmdir()
    pauses = []
    for _ in range(4):
        fetch = service.request_fetch(desk.steward, source.id, in_background=False)
        service.execute_fetch(fetch.id)
        found = service.get_source(source.id)
        assert found.due_at is not None
        pauses.append((found.due_at - clock.now()).total_seconds())
    assert all(later > 1.3 * earlier for earlier, later in pairwise(pauses))
    assert [fetch.state for fetch in service.find_fetches(source.id)] == [FetchState.FAILED] * 4
    case_id = service.get_source(source.id).case_id
    assert case_id is not None
    service.note_case(desk.steward, source.id)
    assert service.get_source(source.id).case_id is None
    folder.mkdir()
    drop(folder, "a.csv", 1)
    fetch = service.request_fetch(desk.steward, source.id, in_background=False)
    service.execute_fetch(fetch.id)
    assert service.find_fetches(source.id)[0].state is FetchState.LANDED


@pytest.mark.parametrize("kind", ["dameng", "oracle"])
def test_a_kind_without_a_driver_says_what_to_do(kind: str, quiet_desk: Desk) -> None:
    with pytest.raises(DriverMissing, match="folder"):
        quiet_desk.connect(kind, {})


def test_kingbase_is_read_through_postgresqls_protocol() -> None:
    assert read_kind("Kingbase") == "postgres"


@pytest.mark.parametrize(
    "options",
    [
        {"url": "x"},
        api(pagings="page"),
        api(paging="pages"),
        api(page_size="many"),
        {},
        api(paging="page"),
        api(auth="basic"),
    ],
)
def test_wrong_options_name_their_field(options: dict[str, str], quiet_desk: Desk) -> None:
    with pytest.raises(SourceOptionsWrong) as refused:
        quiet_desk.connect("http", options)
    assert refused.value.facts["field"]


# When ----------------------------------------------------------------------------------------------------------------
def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CIVIL_ZONE)


@pytest.mark.parametrize(
    ("line", "after", "due"),
    [
        ("* * * * *", "2026-11-24 10:00:30", "2026-11-24 10:01"),
        ("*/15 8-18 * * 1-5", "2026-11-24 10:00", "2026-11-24 10:15"),
        ("*/15 8-18 * * 1-5", "2026-11-27 18:50", "2026-11-30 08:00"),
        ("0 2 1,11,21 * *", "2026-11-24 10:00", "2026-12-01 02:00"),
        ("30 4 29 2 *", "2026-11-24 10:00", "2028-02-29 04:30"),
        ("0 0 13 * 5", "2026-11-10 10:00", "2026-11-13 00:00"),
        ("0 0 13 * 5", "2026-11-13 10:00", "2026-11-20 00:00"),
        ("0 0 * * 7", "2026-11-24 10:00", "2026-11-29 00:00"),
        ("59 23 31 12 *", "2026-12-31 23:59", "2027-12-31 23:59"),
    ],
)
def test_cron_lines(line: str, after: str, due: str) -> None:
    assert next_time(read_cron(line), at(after)) == at(due)


def test_a_day_that_never_comes() -> None:
    assert next_time(read_cron("0 0 30 2 *"), at("2026-11-24 10:00")) is None


@pytest.mark.parametrize(
    "line", ["* * * *", "60 * * * *", "*/0 * * * *", "5-1 * * * *", "a * * * *", "1- * * * *", "@daily"]
)
def test_what_is_no_cron_line(line: str) -> None:
    with pytest.raises(SourceOptionsWrong):
        read_cron(line)


@pytest.mark.parametrize("cycle", list(UpdateCycle))
def test_every_update_cycle_has_a_time_or_none(cycle: UpdateCycle) -> None:
    due = next_due(CYCLE, cycle, at("2026-11-24 10:00"))
    if cycle in {UpdateCycle.IRREGULAR, UpdateCycle.OTHER}:
        assert due is None
    else:
        assert due is not None
        assert due - at("2026-11-24 10:00") < timedelta(days=366)


# Where ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("host", "address", "port", "rules", "allowed"),
    [
        ("example.org", "93.184.216.34", 443, [], True),
        ("inside", "10.1.2.3", 5432, [], False),
        ("localhost", "127.0.0.1", 80, [], False),
        ("meta", "169.254.169.254", 80, [], False),
        ("six", "::1", 80, [], False),
        ("mapped", "::ffff:127.0.0.1", 80, [], False),
        ("carrier", "100.64.0.1", 80, [], False),
        ("inside", "10.1.2.3", 5432, ["10.1.0.0/16"], True),
        ("inside", "10.1.2.3", 5432, ["10.1.0.0/16:3306"], False),
        ("inside", "::ffff:10.1.2.3", 5432, ["10.1.0.0/16:5432"], True),
        ("db.health.gov", "10.1.2.3", 5432, ["db.health.gov:5432"], True),
        ("DB.health.gov.", "10.1.2.3", 5432, ["db.health.gov"], True),
        ("xdb.health.gov", "10.1.2.3", 5432, ["db.health.gov"], False),
        ("a.b.gov", "10.1.2.3", 5432, ["*.b.gov"], True),
        ("ab.gov", "10.1.2.3", 5432, ["*.b.gov"], False),
        ("example.org", "93.184.216.34", 443, ["10.0.0.0/8"], False),
        ("six", "2001:db8::5", 443, ["[2001:db8::/32]:443"], True),
    ],
)
def test_which_addresses_may_be_reached(host: str, address: str, port: int, rules: list[str], allowed: bool) -> None:
    assert is_allowed(host, address, port, rules) is allowed

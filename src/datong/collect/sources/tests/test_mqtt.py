"""A real Mosquitto: batches, mapping, bad messages; nothing lost and nothing twice when the fetch is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from datong.collect.sources import mqtt as reading
from datong.collect.sources import service
from datong.collect.sources.contracts import FetchState, SourceView
from datong.collect.sources.tests.conftest import Desk
from datong.collect.sources.tests.servers import run_mosquitto
from datong.kernel.faults import FAULT_DIR_SETTING
from datong.testing.instance import wait_until

MakeDesk = Callable[[str], Desk]
TOPIC = "city/readings"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    with run_mosquitto(tmp_path) as port:
        yield port


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_IDLE_S", 0.5)
    monkeypatch.setattr(reading, "_TEST_S", 0.5)


def publish(port: int, *payloads: Any) -> None:
    """Each as its own message, QoS 1, until the broker has acknowledged it."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for payload in payloads:
        text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
        client.publish(TOPIC, text, qos=1).wait_for_publish(20)
    client.disconnect()
    client.loop_stop()


def readings(*ids: int) -> list[dict[str, Any]]:
    return [{"id": n, "at": {"station": f"站{n}"}, "value": 1.5} for n in ids]


def connect(desk: Desk, port: int, **more: str) -> SourceView:
    fields = "reading_id=id\nstation=at.station\namount=value"
    options = {"host": "127.0.0.1", "port": str(port), "topics": TOPIC, "fields": fields, **more}
    source = desk.connect("mqtt", options)
    assert desk.fetch(source) is None, "the first fetch only makes the session"
    return source


def test_messages_wait_at_the_broker_and_come_once(desk_of: MakeDesk, broker: int) -> None:
    desk = desk_of("append")
    source = connect(desk, broker, batch_rows="20")
    report = service.test_source(desk.steward, source.id)
    assert report.missing == ()
    publish(broker, *readings(*range(1, 31)))
    publish(broker, json.dumps(readings(31, 32)), "no JSON at all")
    fetches = []
    while (fetch := desk.fetch(source)) is not None:
        fetches.append(fetch)
    assert [fetch.state for fetch in fetches] == [FetchState.DONE] * len(fetches)
    assert len(fetches) >= 2, "batches are bounded"
    assert [row["reading_id"] for row in desk.rows()] == list(range(1, 33))
    assert desk.rows()[30]["station"] == "站31"
    assert sum(desk.run_of(fetch).rows_quarantined for fetch in fetches) == 1, "what is no JSON is set aside, not lost"
    assert len(list(segments(source))) <= 2, "landed segments go"


def test_two_equal_messages_in_two_batches_are_two_rows(desk_of: MakeDesk, broker: int) -> None:
    """The batches agree byte for byte; a file handed in twice would be one."""
    desk = desk_of("append")
    source = connect(desk, broker)
    for _ in range(2):
        publish(broker, *readings(7))
        fetch = desk.fetch(source)
        assert fetch is not None
        assert fetch.state is FetchState.DONE
    assert [row["reading_id"] for row in desk.rows()] == [7, 7]


def segments(source: SourceView) -> Iterator[Path]:
    from datong.kernel.config import load_settings

    return (load_settings().landing_dir / ".sources" / source.id).glob("segment-*.jsonl")


@pytest.mark.fault
@pytest.mark.parametrize(
    "point",
    [
        "source.mqtt-spooled",
        pytest.param("source.after-read", marks=pytest.mark.slow),
        pytest.param("source.before-record", marks=pytest.mark.slow),
        pytest.param("source.after-landed", marks=pytest.mark.slow),
    ],
)
def test_killed_and_fetched_again(point: str, desk_of: MakeDesk, broker: int, tmp_path: Path) -> None:
    check_killed_at(point, desk_of("append"), broker, tmp_path)


def check_killed_at(point: str, desk: Desk, broker: int, folder: Path, *plant: str) -> None:
    """Append, and every row counted as it was sent: the checks would set a second one aside."""
    source = connect(desk, broker)
    publish(broker, *readings(*range(1, 16)))
    fetch = service.request_fetch(desk.steward, source.id, in_background=False)
    kill_at(point, folder, fetch.id, *plant)
    publish(broker, *readings(*range(16, 21)))
    execute_when_free(fetch.id)
    desk.finish(source, fetch.id)
    while desk.fetch(source) is not None:
        pass
    assert [row["reading_id"] for row in desk.rows()] == list(range(1, 21))
    assert sum(found.rows or 0 for found in service.find_fetches(source.id)) == 20


@pytest.mark.slow
@pytest.mark.fault
def test_acknowledged_before_it_is_kept_a_message_is_lost_and_that_is_caught(
    desk_of: MakeDesk, broker: int, tmp_path: Path
) -> None:
    """The planted violation: a child that acknowledges first."""
    with pytest.raises(AssertionError):
        check_killed_at("source.mqtt-early", desk_of("append"), broker, tmp_path, "early")


@pytest.mark.slow
@pytest.mark.fault
def test_kept_again_what_was_sent_again_would_be_double_and_that_is_caught(
    desk_of: MakeDesk, broker: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted violation: no memory of what the segments hold."""
    monkeypatch.setattr(
        reading._Spool, "_load", lambda _self, path: sum(1 for _ in path.open()) if path.exists() else 0
    )
    with pytest.raises(AssertionError):
        check_killed_at("source.mqtt-spooled", desk_of("append"), broker, tmp_path)


def kill_at(point: str, folder: Path, fetch_id: str, *plant: str) -> None:
    """Another process fetches, stops at the point, and is killed there."""
    (folder / f"{point}.stop").touch()
    environment = {**os.environ, FAULT_DIR_SETTING: str(folder)}
    command = [sys.executable, "-m", "datong.collect.sources.tests.child", fetch_id, *plant]
    child = subprocess.Popen(command, env=environment)
    try:
        wait_until(lambda: (folder / f"{point}.reached").exists() or child.poll() is not None, f"the child at {point}")
        assert child.poll() is None, f"the child ended without reaching {point}"
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(30)
    (folder / f"{point}.stop").unlink()


def execute_when_free(fetch_id: str) -> None:
    """PostgreSQL notices a killed session's end a moment later; until then the fetch is busy."""
    from datong.collect.sources.contracts import SourceBusy

    def is_executed() -> bool:
        try:
            service.execute_fetch(fetch_id)
        except SourceBusy:
            return False
        return True

    wait_until(is_executed, "the fetch is free")

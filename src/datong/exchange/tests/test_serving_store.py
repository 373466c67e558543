"""The serving store on disk: what readers see while it is written, after a kill, and what a thief would find."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from datong.exchange.contracts import (
    AsOfNotOffered,
    FileEntry,
    GrantColumn,
    GrantTerms,
    Mode,
    ResourceEntry,
    ServedColumn,
    SystemEntry,
    Treatment,
    ValueInvalid,
)
from datong.exchange.serving import compile as compiling
from datong.exchange.serving.compile import ServingWriter
from datong.exchange.serving.keys import load_master_key
from datong.exchange.serving.store import Environment, ServingReader, hash_token, row_prefix
from datong.exchange.serving.verify import Verifier, VerifyItem, VerifyRequest
from datong.kernel import clock
from datong.kernel.failures import Conflict, Misconfigured, NotFound

KEY = (ServedColumn(name="code"),)
FIELDS = (ServedColumn(name="name"),)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[ServingWriter]:
    opened = ServingWriter(tmp_path / "serving", tmp_path / "keys")
    yield opened
    opened.close()


def describe(writer: ServingWriter, resource_id: str = "places", **more: Any) -> ResourceEntry:
    given = {"key_columns": KEY, "verify_columns": FIELDS, **more}
    return writer.put_resource(resource_id=resource_id, agency_id="a", title_zh="地名", **given)


def rows(values: dict[str, str | None]) -> pa.RecordBatch:
    return pa.record_batch({"code": list(values), "name": pa.array(list(values.values()), pa.string())})


def grant(resource_id: str = "places", **changes: Any) -> GrantTerms:
    base = GrantTerms(
        grant_id="g",
        number="G-1",
        system_id="s",
        resource_id=resource_id,
        purpose="p",
        modes=(Mode.VERIFY,),
        columns=(GrantColumn(name="name", treatment=Treatment.COMPARE),),
        valid_from_ms=0,
        valid_until_ms=2**45,
    )
    return replace(base, **changes)


def ask(writer: ServingWriter, tmp_path: Path, code: str, name: str, as_of: date | None = None) -> str:
    """The outcome of one verification on the newest snapshot."""
    with writer.read() as reader:
        verifier = Verifier(reader, load_master_key(tmp_path / "keys"))
        item = VerifyItem(key={"code": code}, claims={"name": name}, as_of=as_of)
        done = verifier.examine("s", "places", VerifyRequest(purpose="p", items=[item]), clock.epoch_ms())
    return done.result.answer.decode().split('"')[5]


def count_rows(writer: ServingWriter) -> int:
    with writer._environment.env.begin() as txn:
        return int(txn.stat(writer._dbs["rows"])["entries"])


def test_a_new_generation_replaces_the_old_and_frees_it(writer: ServingWriter, tmp_path: Path) -> None:
    place = describe(writer)
    writer.put_grant(grant())
    assert writer.write_generation(place, "v1", [rows({"1": "甲", "2": "乙"}), rows({"3": None})]) == 3
    assert [ask(writer, tmp_path, *q) for q in (("1", "甲"), ("1", "乙"), ("3", ""), ("9", "甲"))] == [
        "match",
        "differ",
        "differ",
        "unknown",
    ]
    assert writer.write_generation(place, "v2", [rows({"1": "丙"})]) == 1
    assert [ask(writer, tmp_path, *q) for q in (("1", "丙"), ("2", "乙"))] == ["match", "unknown"]
    assert count_rows(writer) == 1


def test_a_reader_sees_one_generation_until_it_moves_on(writer: ServingWriter) -> None:
    place = describe(writer)
    writer.write_generation(place, "v1", [rows({"1": "甲"})])
    with writer.read() as reader:
        before = reader.find_resource("places")
        writer.write_generation(place, "v2", [rows({"1": "乙"})])
        assert reader.find_resource("places") is before
        reader.refresh()
        after = reader.find_resource("places")
    assert before is not None
    assert after is not None
    assert (before.version_id, after.version_id) == ("v1", "v2")


@pytest.mark.parametrize(
    ("batch", "failure"),
    [
        (rows({"1": "甲"}).slice(0, 1), Conflict),
        (pa.record_batch({"code": [None], "name": ["x"]}), ValueInvalid),
        (pa.record_batch({"code": ["7"], "name": [5]}), ValueInvalid),
    ],
)
def test_bad_rows_leave_the_served_ones(
    writer: ServingWriter, tmp_path: Path, batch: pa.RecordBatch, failure: type[Exception]
) -> None:
    place = describe(writer)
    writer.put_grant(grant())
    writer.write_generation(place, "v1", [rows({"1": "甲"})])
    with pytest.raises(failure):
        writer.write_generation(place, "v2", [rows({"1": "乙", "2": "丙"}), batch])
    assert ask(writer, tmp_path, "1", "甲") == "match"
    writer.write_generation(place, "v3", [rows({"1": "丁"})])
    assert count_rows(writer) == 1


def test_rows_of_an_undescribed_resource_are_refused(writer: ServingWriter) -> None:
    place = describe(writer)
    with pytest.raises(NotFound):
        writer.write_generation(replace(place, resource_id="elsewhere"), "v1", [rows({"1": "甲"})])


def test_other_columns_wait_for_their_generation(writer: ServingWriter, tmp_path: Path) -> None:
    writer.put_grant(grant())
    writer.write_generation(describe(writer), "v1", [rows({"1": "甲"})])
    wider = describe(writer, verify_columns=(ServedColumn(name="level"), *FIELDS))
    assert ask(writer, tmp_path, "1", "甲") == "match"
    batch = pa.record_batch({"code": ["1"], "name": ["甲"], "level": ["县"]})
    writer.write_generation(wider, "v2", [batch])
    assert ask(writer, tmp_path, "1", "甲") == "match"


def test_history_answers_as_of_a_day(writer: ServingWriter, tmp_path: Path) -> None:
    place = describe(writer, has_validity=True)
    writer.put_grant(grant())
    batch = pa.record_batch(
        {
            "code": ["110103", "110103", "110101"],
            "name": ["崇文区", "新崇文", "东城区"],
            "valid_from": pa.array([date(1980, 12, 1), date(2012, 1, 1), None], pa.date32()),
            "valid_to": pa.array([date(2010, 6, 30), None, None], pa.date32()),
        }
    )
    writer.write_generation(place, "v1", [batch])
    on = date(2010, 6, 30), date(2010, 7, 1), date(2012, 1, 1), None
    assert [ask(writer, tmp_path, "110103", "崇文区", day) for day in on] == ["match", "unknown", "differ", "differ"]
    assert ask(writer, tmp_path, "110103", "新崇文") == "match"
    assert ask(writer, tmp_path, "110101", "东城区", date(1900, 1, 1)) == "match"


def test_no_history_no_as_of(writer: ServingWriter, tmp_path: Path) -> None:
    writer.put_grant(grant())
    writer.write_generation(describe(writer), "v1", [rows({"1": "甲"})])
    with pytest.raises(AsOfNotOffered):
        ask(writer, tmp_path, "1", "甲", date(2020, 1, 1))


def test_a_late_event_does_not_revive_a_revoked_grant(writer: ServingWriter) -> None:
    assert writer.put_grant(grant()) is True
    writer.remove_grant(grant(), revoked_at_ms=clock.epoch_ms(), reason="done with")
    assert writer.put_grant(grant()) is False
    writer.remove_grant(grant(grant_id="never-came"), revoked_at_ms=1, reason="first")
    assert writer.put_grant(grant(grant_id="never-came")) is False
    with writer.read() as reader:
        assert {g.revoked_reason for g in reader.find_grants("s", "places")} == {"done with", "first"}


def test_system_keys_come_and_go(writer: ServingWriter) -> None:
    for token, key in (("a", "k1"), ("b", "k2"), ("c", "k3")):
        owner = "other" if token == "c" else "s"
        entry = SystemEntry(system_id=owner, name="n", agency_id="a", agency_name="A", key_id=key)
        writer.put_token(token, entry)

    def known() -> str:
        with writer.read() as reader:
            return "".join(t for t in "abc" if reader.find_system(hash_token(t)))

    assert known() == "abc"
    writer.remove_system("s", key_id="k1")
    assert known() == "bc"
    writer.remove_system("s")
    assert known() == "c"


def test_files_of_a_policy(writer: ServingWriter) -> None:
    csv = FileEntry(
        path="a.csv", format="csv", media_type="text/csv", sha256="0", file_bytes=1, rows_count=1, version_id="v1"
    )
    writer.put_file("policy", csv)
    writer.put_file("policy", replace(csv, path="a.parquet", format="parquet"))
    writer.put_file("policy", replace(csv, path="b.csv", version_id="v2"))
    with writer.read() as reader:
        assert sorted(f.path for f in reader.find_files("policy")) == ["a.parquet", "b.csv"]
    writer.remove_files("policy")
    with writer.read() as reader:
        assert reader.find_files("policy") == []


def test_a_removed_resource_takes_its_rows_along(writer: ServingWriter) -> None:
    kept = describe(writer, "kept")
    writer.write_generation(kept, "v1", [rows({"1": "甲"})])
    writer.write_generation(describe(writer), "v1", [rows({"1": "甲", "2": "乙"})])
    writer.remove_resource("places")
    assert count_rows(writer) == 1


def test_a_revocation_does_not_wait_for_a_load(writer: ServingWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two pieces of a load another writer gets its turn: proved by a load that stands still in the middle."""
    monkeypatch.setattr(compiling, "SERVING_WRITE_ROWS_MAX", 2)
    place = describe(writer)
    writer.put_grant(grant())
    standing, go_on = threading.Event(), threading.Event()

    def batches() -> Iterator[pa.RecordBatch]:
        yield rows({"1": "甲", "2": "乙", "3": "丙"})
        standing.set()
        assert go_on.wait(10)
        yield rows({"4": "丁"})

    load = threading.Thread(target=writer.write_generation, args=(place, "v1", batches()))
    load.start()
    assert standing.wait(10)
    writer.remove_grant(grant(), revoked_at_ms=1, reason="now")
    with writer.read() as reader:
        assert reader.find_grants("s", "places")[0].revoked_reason == "now"
        unfinished = reader.find_resource("places")
    go_on.set()
    load.join(10)
    assert unfinished is not None
    assert unfinished.generation == 0


KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
import pyarrow as pa
from datong.exchange.serving.compile import ServingWriter
home = Path(sys.argv[1])
writer = ServingWriter(home / "serving", home / "keys")
with writer.read() as reader:
    place = reader.find_resource("places")
def batches():
    for n in range(3):
        yield pa.record_batch({"code": [str(n * 1000 + i) for i in range(1000)], "name": ["new"] * 1000})
    if sys.argv[2] == "writing":
        os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "switched":
    writer._delete_rows = lambda prefix: os.kill(os.getpid(), signal.SIGKILL)
writer.write_generation(place, "v2", batches())
"""


@pytest.mark.fault
@pytest.mark.parametrize(("at", "served"), [("writing", "v1"), ("switched", "v2")])
def test_a_killed_writer_leaves_one_whole_generation(tmp_path: Path, at: str, served: str) -> None:
    writer = ServingWriter(tmp_path / "serving", tmp_path / "keys")
    place = describe(writer)
    writer.write_generation(place, "v1", [rows({"1": "old", "2": "old"})])
    writer.put_grant(grant())
    writer.close()
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_WRITER, str(tmp_path), at], capture_output=True, check=False, timeout=30
    )
    assert killed.returncode == -9, killed.stderr.decode()
    writer = ServingWriter(tmp_path / "serving", tmp_path / "keys")
    with writer.read() as reader:
        found = reader.find_resource("places")
    assert found is not None
    assert found.version_id == served
    assert ask(writer, tmp_path, "1", "old" if served == "v1" else "new") == "match"
    assert count_rows(writer) > found.rows_count
    writer.write_generation(place, "v3", [rows({"1": "newest"})])
    assert count_rows(writer) == 1
    assert ask(writer, tmp_path, "1", "newest") == "match"
    writer.close()


def found_in_files(folder: Path, words: list[str]) -> list[str]:
    data = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert len(data) > 4096, "there is nothing to look through"
    return [word for word in words if word.encode() in data]


def test_a_stolen_disk_holds_no_personal_data(writer: ServingWriter, tmp_path: Path) -> None:
    people = {f"11010519491231{n:04d}": f"欧阳若曦{n}" for n in range(500)}
    secrets = ["11010519491231", "欧阳若曦", "dt_token_of_the_clinic"]
    writer.write_generation(describe(writer), "v1", [rows(dict(people))])
    writer.put_token(
        "dt_token_of_the_clinic", SystemEntry(system_id="s", name="诊所", agency_id="a", agency_name="A", key_id="k")
    )
    assert found_in_files(tmp_path / "serving", secrets) == []
    assert found_in_files(tmp_path / "serving", ["地名", "诊所"]) == ["地名", "诊所"]
    with writer._environment.write() as txn:
        txn.put(row_prefix(99, 1) + b"planted", next(iter(people.values())).encode(), db=writer._dbs["rows"])
    assert found_in_files(tmp_path / "serving", secrets) == ["欧阳若曦"]


def test_the_key_lies_elsewhere_and_is_private(writer: ServingWriter, tmp_path: Path) -> None:
    key = tmp_path / "keys" / "serving.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_bytes() not in (tmp_path / "serving" / "data.mdb").read_bytes()
    key.chmod(0o644)
    with pytest.raises(Misconfigured):
        load_master_key(tmp_path / "keys")


def test_a_gateway_may_start_before_any_writer(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "serving", writable=False)
    reader = ServingReader(environment)
    assert reader.find_system(hash_token("x")) is None
    assert reader.find_grants("s", "r" * 600) == ()
    reader.close()
    environment.close()

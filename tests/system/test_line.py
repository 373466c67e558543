"""The line from end to end on a real platform: what the demonstration left, asked again from outside."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from base64 import b64decode
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from datong.testing.instance import Instance, wait_until
from datong.testing.real_files import FILES

pytestmark = [pytest.mark.xdist_group("instance"), pytest.mark.timeout(300)]


def ask(instance: Instance, items: list[dict[str, Any]] | None = None, **changes: Any) -> httpx.Response:
    demo = instance.read("demo.json")["verify"]
    body = {"purpose": demo["purpose"], "reference": "T-1", "items": items or demo["items"], **changes}
    return instance.verify(demo["resource"], body)


def test_true_false_unknown(instance: Instance) -> None:
    items = instance.read("demo.json")["verify"]["items"]
    assert len(items) == 3
    wrong = {"key": items[1]["key"], "claims": {"name": "张冠李戴"}}
    stranger = {"key": {"id_number": "990101190001010000"}, "claims": {"name": "无名"}}
    answer = ask(instance, [items[0], wrong, stranger])
    assert answer.status_code == 200
    assert [item["outcome"] for item in answer.json()["items"]] == ["match", "differ", "unknown"]
    assert answer.json()["items"][1]["fields"] == {"name": "differ"}


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"resource": "amr_enterprise"}, 403, "grant-missing"),
        ({"resource": "no_such_resource"}, 403, "grant-missing"),
        ({"resource": "civil_divisions", "purpose": "division_check"}, 403, "grant-revoked"),
        ({"purpose": "marketing"}, 403, "purpose-not-granted"),
        (
            {"items": [{"key": {"id_number": "990101190001010000"}, "claims": {"address": "x"}}]},
            403,
            "column-not-granted",
        ),
        ({"token": "dt_wrong"}, 401, "token-unknown"),
    ],
    ids=["no-grant", "no-resource", "revoked", "purpose", "column", "token"],
)
def test_each_refusal_says_why_and_is_on_the_log(
    instance: Instance, change: dict[str, Any], status: int, code: str
) -> None:
    demo = instance.read("demo.json")["verify"]
    body = {
        "purpose": change.get("purpose", demo["purpose"]),
        "reference": f"refused {code}",
        "items": change.get("items", demo["items"]),
    }
    before = count_refusals(instance, code)
    answer = instance.verify(change.get("resource", demo["resource"]), body, token=change.get("token"))
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["code"] == code
    assert problem["hint"]
    wait_until(lambda: count_refusals(instance, code) > before, "the refusal is on the log")


def test_ranges_make_the_file_that_the_receipt_names(instance: Instance, tmp_path: Path) -> None:
    demo = instance.read("demo.json")["verify"]
    query = {"purpose": demo["purpose"], "reference": "T-2", "format": "csv"}
    headers = {"Authorization": f"Bearer {instance.token}"}
    whole = instance.get(f"/x/v1/batch/{demo['resource']}", params=query, headers=headers)
    assert whole.status_code == 200
    pieces, size = b"", len(whole.content)
    for first in range(0, size, 1000):
        part = instance.get(
            f"/x/v1/batch/{demo['resource']}",
            params=query,
            headers={**headers, "Range": f"bytes={first}-{first + 999}"},
        )
        assert part.status_code == 206
        pieces += part.content
    receipt = b64decode(whole.headers["datong-receipt"])
    assert hashlib.sha256(pieces).hexdigest() == whole.headers["etag"].strip('"')
    (tmp_path / "receipt").write_bytes(receipt)
    (tmp_path / "file").write_bytes(pieces)
    checked = instance.run("receipt", "verify", str(tmp_path / "receipt"), "--answer", str(tmp_path / "file"), "--json")
    assert "answer" in orjson.loads(checked.stdout)["checked"]
    (tmp_path / "file").write_bytes(pieces[:-1] + b"x")
    forged = instance.run(
        "receipt", "verify", str(tmp_path / "receipt"), "--answer", str(tmp_path / "file"), check=False
    )
    assert forged.returncode == 1


def test_masked_values_are_masked_in_the_bytes(instance: Instance) -> None:
    demo = instance.read("demo.json")["verify"]
    query = {"purpose": demo["purpose"], "reference": "T-3", "format": "csv"}
    answer = instance.get(
        f"/x/v1/batch/{demo['resource']}", params=query, headers={"Authorization": f"Bearer {instance.token}"}
    )
    known = [item["key"]["id_number"] for item in demo["items"]]
    assert answer.content.count(b"\n") > 100
    for number in known:
        assert number.encode() not in answer.content
        assert (number[:6] + "*" * 8 + number[-4:]).encode() in answer.content


@pytest.mark.fault
def test_control_down_leaves_the_exchange_answering(instance: Instance) -> None:
    before = instance.child_pid("control")
    os.killpg(before, signal.SIGSTOP)
    try:
        assert ask(instance).status_code == 200
    finally:
        os.killpg(before, signal.SIGKILL)
    assert ask(instance).status_code == 200
    wait_until(lambda: instance.child_pid("control") != before, "control is started again")
    wait_until(lambda: instance.get("/sign-in/").status_code == 200, "the pages answer again")


@pytest.mark.fault
def test_postgres_killed_leaves_verify_and_batch_answering_and_the_log_complete(instance: Instance) -> None:
    demo = instance.read("demo.json")["verify"]
    killed = instance.postgres_pid()
    os.kill(instance.supervisor_pid(), signal.SIGSTOP)  # so that nobody starts it again while we ask
    try:
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: not Path(f"/proc/{killed}").exists() or _is_zombie(killed), "PostgreSQL is gone")
        answers = [ask(instance, reference=f"no database {n}") for n in range(20)]
        query = {"purpose": demo["purpose"], "reference": "no database", "format": "parquet"}
        batch = instance.get(
            f"/x/v1/batch/{demo['resource']}", params=query, headers={"Authorization": f"Bearer {instance.token}"}
        )
    finally:
        os.kill(instance.supervisor_pid(), signal.SIGCONT)
    assert [answer.status_code for answer in answers] == [200] * 20
    assert batch.status_code == 200
    wait_until(lambda: instance.run("run", "list", "--json", check=False).returncode == 0, "PostgreSQL is back")
    wait_until(lambda: instance.get("/sign-in/").status_code == 200, "the pages answer again")
    asked = [f"no database {n}" for n in range(20)]
    wait_until(lambda: missing_records(asked, recorded_references(instance)) == [], "every answer has its record")
    assert orjson.loads(instance.run("audit", "verify", "--rows", "--json").stdout)["intact"]


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.fault
def test_gateway_killed_under_load_has_a_record_of_every_answer(instance: Instance) -> None:
    demo = instance.read("demo.json")["verify"]
    received: list[str] = []
    stop = threading.Event()

    def load(worker: int) -> None:
        with httpx.Client(
            base_url=instance.url, headers={"Authorization": f"Bearer {instance.token}"}, trust_env=False
        ) as client:
            number = 0
            while not stop.is_set():
                reference = f"load {worker}-{number}"
                body = {"purpose": demo["purpose"], "reference": reference, "items": demo["items"][:1]}
                try:
                    answer = client.post(f"/x/v1/verify/{demo['resource']}", json=body, timeout=5)
                except httpx.HTTPError:
                    continue
                if answer.status_code == 200 and "receipt" in answer.json():
                    received.append(reference)
                number += 1

    threads = [threading.Thread(target=load, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        enough = len(received) + 100
        wait_until(lambda enough=enough: len(received) >= enough, "answers come")  # type: ignore[misc]
        before = instance.child_pid("gateway")
        os.kill(before, signal.SIGKILL)
        wait_until(lambda before=before: instance.child_pid("gateway") != before, "the gateway is started again")  # type: ignore[misc]
    enough = len(received) + 50
    wait_until(lambda: len(received) >= enough, "answers come again")
    stop.set()
    for thread in threads:
        thread.join(30)
    assert len(received) > 300
    wait_until(lambda: missing_records(received, recorded_references(instance)) == [], "every answer has its record")
    recorded = recorded_references(instance)
    assert missing_records([*received, "load never made"], recorded) == ["load never made"]  # the check can fail
    assert orjson.loads(instance.run("audit", "verify", "--rows", "--json").stdout)["intact"]


def exported_entries(instance: Instance) -> list[dict[str, Any]]:
    """All published entries; a checkpoint is published about once a second."""
    lines = instance.run("audit", "export").stdout.splitlines()
    return [orjson.loads(orjson.loads(line)["entry"]) for line in lines]


def count_refusals(instance: Instance, code: str) -> int:
    return sum(entry["kind"] == "refused" and entry["outcome"] == code for entry in exported_entries(instance))


def recorded_references(instance: Instance) -> set[str]:
    return {entry.get("reference", "") for entry in exported_entries(instance)}


def missing_records(received: list[str], recorded: set[str]) -> list[str]:
    return [reference for reference in received if reference not in recorded]


@pytest.mark.fault
@pytest.mark.parametrize("name", ["worker", "control", "gateway"])
def test_a_killed_child_is_started_again(instance: Instance, name: str) -> None:
    before = instance.child_pid(name)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: instance.child_pid(name) != before, f"{name} is started again")
    wait_until(lambda: _answers(instance), "everything answers again")


def _answers(instance: Instance) -> bool:
    try:
        return instance.get("/sign-in/").status_code == 200 and ask(instance).status_code == 200
    except httpx.HTTPError:
        return False


def test_the_same_file_twice_changes_nothing(instance: Instance) -> None:
    file = instance.home / "demo" / "city" / "psb" / "psb_population.csv"
    first = orjson.loads(instance.run("run", "list", "--resource", "psb_population", "--json").stdout)
    again = orjson.loads(instance.run("collect", "psb_population", str(file), "--json").stdout)
    assert again["state"] == "unchanged"
    assert again["version"] == first[-1]["version"]


def test_doctor_names_what_is_unsafe(instance: Instance) -> None:
    found = orjson.loads(instance.run("doctor", "--json").stdout)
    said = {(finding["level"], finding["name"]) for finding in found}
    assert ("ok", "database") in said
    assert ("ok", "keys") in said
    if os.geteuid() == 0:
        assert ("unsafe", "user") in said
    (instance.home / "lake").chmod(0o755)
    try:
        open_now = orjson.loads(instance.run("doctor", "--json").stdout)
    finally:
        (instance.home / "lake").chmod(0o700)
    assert any(f["name"] == "permissions" and f["level"] == "unsafe" for f in open_now)


def test_a_second_supervisor_on_the_same_home_is_refused(instance: Instance) -> None:
    second = instance.run("up", check=False)
    assert second.returncode == 1
    assert "datong up" in second.stderr


REAL = next((p / "shared" / "data" for p in Path(__file__).resolve().parents if (p / "shared" / "data").is_dir()), None)


@pytest.mark.skipif(REAL is None, reason="the folder of real files is not beside the project")
def test_real_files(instance: Instance) -> None:
    """The publishers' own files, one for each contract: every one is read, and the counts are the true ones."""
    told = instance.run("demo", "--real", str(REAL)).stdout
    assert "110103 崇文区 as of 2009-06-30: match" in told
    assert "110103 崇文区 as of 2015-06-30: unknown" in told
    chosen = {file.contract: file for file in reversed(FILES)}
    rows, refused = (sum(counts) for counts in zip(*((f.rows, len(f.refused)) for f in chosen.values()), strict=True))
    assert f"{len(chosen)} real files: {rows:,} rows read = {rows - refused:,} accepted + {refused:,}" in told
    listed = orjson.loads(instance.run("run", "list", "--limit", "100", "--json").stdout)
    runs = {run["resource_id"]: run for run in reversed(listed)}  # the latest of each
    for file in chosen.values():
        run = runs[file.contract]
        assert (run["filename"], run["rows_read"]) == (file.filename, file.rows)
        assert run["rows_read"] == run["rows_accepted"] + run["rows_quarantined"]
        assert run["version"]

"""Batch files: granted columns and rows and nothing else as bytes, named by content, gone when the policy goes."""

from __future__ import annotations

import csv
import hashlib
import io
import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.db import connection

from datong.catalog.service import get_contract
from datong.exchange import bulk, service
from datong.exchange.contracts import FileEntry, GrantColumn, Mode, RowCondition
from datong.exchange.requests import FileNotMade, GrantView
from datong.exchange.service import serve
from datong.exchange.service.serve import is_served
from datong.exchange.serving.compile import ServingWriter
from datong.exchange.serving.keys import load_master_key
from datong.exchange.serving.verify import Verifier, VerifyItem, VerifyRequest
from datong.exchange.tests.conftest import COMPARE, MASKED, PEOPLE, PLAIN, Market, columns
from datong.kernel import clock
from datong.kernel.config import load_settings
from datong.kernel.events.service import deliver_pending
from datong.kernel.jobs.service import run_job
from datong.kernel.store.models import Job

HIDDEN = tuple(value for row in PEOPLE for value in (row[0], row[1], row[6]))
"""Identity numbers, names and diagnoses: what no file of the batch draft may hold."""


def work() -> None:
    """What the worker does until nothing is left: events, then the jobs that they asked for."""
    while deliver_pending() or Job.objects.filter(state="waiting").exists():
        for job_id in list(Job.objects.filter(state="waiting").values_list("pk", flat=True)):
            run_job(job_id)
    assert not Job.objects.filter(state="failed").exists()


def find_entries(writer: ServingWriter, grant: GrantView) -> dict[str, FileEntry]:
    with writer.read() as reader:
        return {entry.format: entry for entry in reader.find_files(service.get_terms(grant.id).policy_digest)}


def read_file(entry: FileEntry) -> list[dict[str, Any]]:
    path = load_settings().bulk_dir / entry.path
    if entry.format == "csv":
        return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    return pq.read_table(path).to_pylist()


def find_files() -> list[Path]:
    return sorted(path for path in load_settings().bulk_dir.rglob("*") if path.is_file())


def find_leaks(hidden: Iterable[str]) -> list[str]:
    """Which hidden values any file below the bulk folder holds: raw, compressed, or in Parquet's statistics."""
    files = find_files()
    assert files, "there is nothing to look into"
    found = set()
    for path in files:
        text = path.read_bytes()
        if text[:4] == b"PAR1":
            parquet = pq.ParquetFile(path)
            text += repr(parquet.read().to_pydict()).encode() + repr(parquet.metadata.to_dict()).encode()
        found |= {value for value in hidden if value.encode() in text}
    return sorted(found)


def verify(writer: ServingWriter, market: Market, id_number: str, name: str) -> str:
    with writer.read() as reader:
        verifier = Verifier(reader, load_master_key(load_settings().keys_dir))
        request = VerifyRequest(
            purpose="pension", items=[VerifyItem(key={"id_number": id_number}, claims={"name": name})]
        )
        done = verifier.examine(market.cast.system.id, market.resource_id, request, clock.epoch_ms())
    return done.result.answer.decode().split('"')[5]


def test_a_file_has_the_granted_columns_masked_and_nothing_else(
    committing_market: Market, writer: ServingWriter
) -> None:
    market = committing_market
    version = market.publish()
    grant = market.grant(market.batch_draft())
    assert not is_served(grant.id)
    work()
    assert is_served(grant.id)
    entries = find_entries(writer, grant)
    assert set(entries) == {"parquet", "csv"}
    wanted = [
        {"id_number": "110105********002X", "name": "欧阳**", "income": 9},
        {"id_number": "110101********0134", "name": "王**", "income": 10},
        {"id_number": "440524********0014", "name": "李**", "income": 100},
    ]
    assert read_file(entries["parquet"]) == wanted
    assert read_file(entries["csv"]) == [{k: str(v) for k, v in row.items()} for row in wanted]
    for entry in entries.values():
        path = load_settings().bulk_dir / entry.path
        assert path.stem == entry.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (entry.file_bytes, entry.rows_count, entry.version_id) == (path.stat().st_size, 3, version.id)
        assert path.stat().st_mode & 0o777 == 0o600
    assert find_leaks(HIDDEN) == []
    # Planted violations: a policy that forgot its masks, and one that carries a withheld column.
    terms = service.get_terms(grant.id)
    contract = get_contract(market.resource_id)
    plain = tuple(GrantColumn(name=c.name, treatment=PLAIN) for c in terms.columns)
    list(bulk.materialise(load_settings(), replace(terms, columns=plain), contract, version))
    assert find_leaks(HIDDEN) == sorted(value for row in PEOPLE for value in row[:2])
    withheld = (GrantColumn(name="diagnosis", treatment=PLAIN),)
    list(bulk.materialise(load_settings(), replace(terms, columns=withheld), contract, version))
    assert find_leaks(HIDDEN) == sorted(HIDDEN)


CONDITIONS = [
    ((("income", ">=", "10"),), [10, 100]),  # as numbers: as text "9" would be in and "100" out
    ((("income", "in", "9", "100"),), [9, 100]),
    ((("rate", "<=", "1.25"),), [9, 10]),
    ((("rate", "=", "1.1"),), [9]),
    ((("born_on", ">=", "1949-12-31"), ("born_on", "<=", "1985-01-01")), [9, 100]),
    ((("id_number", "starts", "1101"),), [9, 10]),
    ((("remark", "=", "' or 1=1 --"),), [10]),  # a value is data, whatever it looks like
    ((("remark", "=", "'; drop table x; --"),), []),
    ((("remark", "in", "甲", '") or (1=1'),), [9]),
    ((("remark", "starts", "%"),), []),
]


def test_row_conditions_are_bound_values(committing_market: Market, writer: ServingWriter) -> None:
    market = committing_market
    version = market.publish()
    contract = get_contract(market.resource_id)
    market.grant(market.batch_draft())
    work()
    terms = service.get_terms(service.find_grants(market.cast.actor("auditor"))[0].id)
    for conditions, incomes in CONDITIONS:
        rows = tuple(RowCondition(column=c, operator=o, values=tuple(v)) for c, o, *v in conditions)
        market.ask(market.batch_draft(rows=rows))  # each can be asked for
        changed = replace(terms, rows=rows)
        assert changed.policy_digest != terms.policy_digest
        for entry in bulk.materialise(load_settings(), changed, contract, version):
            assert [int(row["income"]) for row in read_file(entry)] == incomes, (rows, entry.format)
            assert entry.rows_count == len(incomes)
            query, values = bulk.build_query(changed, contract, version)
            assert query.count("?") == len(values) == sum(len(row.values) for row in rows)
            assert "1=1" not in query
            assert "drop" not in query
    hostile = RowCondition(column='income" >= 0 or "income', operator="=", values=("1",))
    with pytest.raises(FileNotMade):
        list(bulk.materialise(load_settings(), replace(terms, rows=(hostile,)), contract, version))
    quoted = replace(contract.columns[5], name='re"mark')
    asked = RowCondition(column='re"mark', operator="=", values=("甲",))
    altered = replace(contract, columns=(*contract.columns, quoted))
    query, _ = bulk.build_query(replace(terms, rows=(asked,)), altered, version)
    assert '"re""mark"' in query


def test_a_new_version_replaces_rows_and_files(committing_market: Market, writer: ServingWriter) -> None:
    market = committing_market
    market.grant()
    grant = market.grant(market.batch_draft())
    work()
    assert (find_entries(writer, grant), find_files()) == ({}, []), "nothing is there before the first version"
    market.publish()
    work()
    first = find_entries(writer, grant)
    assert [
        verify(writer, market, *q) for q in ((PEOPLE[0][0], "欧阳明珠"), (PEOPLE[0][0], "某人"), ("1", "某人"))
    ] == [
        "match",
        "differ",
        "unknown",
    ]
    again = market.publish([*PEOPLE[1:], ("320102200001010013", "赵新", 7, "1", "2000-01-01", "", "隐疾四号")])
    work()
    second = find_entries(writer, grant)
    assert {entry.version_id for entry in second.values()} == {again.id}
    assert [row["income"] for row in read_file(second["parquet"])] == [10, 100, 7]
    assert {path.name for path in find_files()} == {Path(entry.path).name for entry in second.values()}
    assert not {entry.sha256 for entry in first.values()} & {entry.sha256 for entry in second.values()}
    assert [verify(writer, market, *q) for q in ((PEOPLE[0][0], "欧阳明珠"), ("320102200001010013", "赵新"))] == [
        "unknown",
        "match",
    ]


def test_what_is_there_is_not_made_again(committing_market: Market, writer: ServingWriter) -> None:
    market = committing_market
    market.publish()
    market.grant()
    grant = market.grant(market.batch_draft())
    work()
    before = {path: path.stat().st_ino for path in find_files()}
    with writer.read() as reader:
        served = reader.find_resource(market.resource_id)
    assert served is not None
    assert service.serve_resource(market.resource_id) == 3
    with writer.read() as reader:
        assert reader.find_resource(market.resource_id) == served, "the same generation"
    assert {path: path.stat().st_ino for path in find_files()} == before
    # What is damaged or left over is mended by the same call.
    damaged = load_settings().bulk_dir / find_entries(writer, grant)["csv"].path
    damaged.write_bytes(b"short")
    (damaged.parent / ".part_left_by_a_crash").touch()
    service.serve_resource(market.resource_id)
    assert {path.name: path.stat().st_size for path in find_files()} == {
        Path(entry.path).name: entry.file_bytes for entry in find_entries(writer, grant).values()
    }


def test_a_revoked_policy_s_files_go_and_a_shared_one_s_stay(committing_market: Market, writer: ServingWriter) -> None:
    market = committing_market
    market.publish()
    one, other = market.grant(market.batch_draft()), market.grant(market.batch_draft(purpose="audit"))
    alone = market.grant(market.batch_draft(columns=columns(income=PLAIN)))
    by_key = market.grant()
    work()
    assert service.get_terms(one.id).policy_digest == service.get_terms(other.id).policy_digest
    assert len(find_files()) == 4
    approver = market.cast.actor(f"{market.owner}.approver")
    for grant, files_left in ((alone, 2), (one, 2), (other, 0)):
        service.revoke_grant(approver, grant.id, "用途已经办结")
        work()
        assert (len(find_files()), len(find_entries(writer, other))) == (files_left, files_left)
    with writer.read() as reader:
        assert reader.find_resource(market.resource_id) is not None
    service.revoke_grant(approver, by_key.id, "用途已经办结")
    work()
    with writer.read() as reader:
        assert reader.find_resource(market.resource_id) is None, "nobody verifies: no digest of anybody stays"


def test_an_expired_grant_leaves_no_rows_and_no_files(committing_market: Market, writer: ServingWriter) -> None:
    market = committing_market
    market.publish()
    both = market.draft(modes=(Mode.VERIFY, Mode.BATCH), columns=columns(id_number=COMPARE, name=MASKED, income=PLAIN))
    grant = market.grant(both)
    work()
    assert len(find_files()) == 2
    assert service.reconcile_serving()["resources_cleared"] == 0
    with clock.use_clock(grant.valid_until + timedelta(seconds=1)):
        assert service.reconcile_serving()["resources_cleared"] == 1
        assert service.reconcile_serving()["resources_cleared"] == 0
    assert find_files() == []
    with writer.read() as reader:
        assert reader.find_resource(market.resource_id) is None


def test_one_policy_that_cannot_be_made_keeps_no_other_back(committing_market: Market, writer: ServingWriter) -> None:
    """The contract has dropped a column under a grant: that grant's file cannot be made; the next grant's can."""
    market = committing_market
    market.publish()
    broken = market.grant(market.batch_draft(columns=columns(remark=PLAIN)))
    whole = market.grant(market.batch_draft())
    deliver_pending()

    def drop_remark(text: str) -> str:
        start = text.index("      - name: remark")
        return text[:start] + text[text.index("      - name: diagnosis") :]

    market.apply(version="2.0.0", base="1.0.0", change=drop_remark)
    with pytest.raises(FileNotMade, match="still has the granted columns") as failure:
        service.serve_resource(market.resource_id)
    assert failure.value.facts["grant"] == broken.number
    assert set(find_entries(writer, whole)) == {"parquet", "csv"}
    assert find_entries(writer, broken) == {}


def test_of_two_that_serve_the_later_one_has_the_newer_version(
    committing_market: Market, writer: ServingWriter
) -> None:
    """Who waits for another that serves the resource reads the version after the wait, never before it."""
    market = committing_market
    market.publish()
    grant = market.grant(market.batch_draft())
    deliver_pending()

    def serve_here() -> None:
        service.serve_resource(market.resource_id)
        connection.close()

    with serve._only_server_of(load_settings(), market.resource_id):
        waiting = threading.Thread(target=serve_here)
        waiting.start()
        newest = market.publish(PEOPLE[:1])
        assert waiting.is_alive()
        assert find_entries(writer, grant) == {}
    waiting.join(30)
    assert {entry.version_id for entry in find_entries(writer, grant).values()} == {newest.id}

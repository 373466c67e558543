"""Edges out of SQL, the walk up and down, what a change touches, and OpenLineage events as others read them."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.test import Client

from datong.catalog import service as catalog
from datong.catalog.lineage.contracts import (
    ColumnEdge,
    ColumnUnknown,
    Dataset,
    DerivedDataset,
    EdgeKind,
    LineageJob,
    SqlUnreadable,
)
from datong.catalog.lineage.model import draw, find_edges, openlineage_event
from datong.catalog.lineage.service import (
    find_downstream,
    find_events,
    find_impacts,
    find_upstream,
    record_lineage,
    send_events,
)
from datong.catalog.store.models import LineageEvent
from datong.catalog.tests.samples import changed, column, demo_text
from datong.testing.cast import Cast

SCHEMA = {
    "psb": {"id_number": "varchar", "name": "varchar", "division": "varchar", "sex": "varchar"},
    "amr": {"legal_id": "varchar"},
}
PEOPLE, COUNTS = Dataset(name="psb_population"), Dataset(name="amr_enterprise", title_zh="分区人数")


def told(statement: str) -> set[tuple[str, str, str, str]]:
    return {
        (edge.source.name, edge.source_column, edge.target_column, edge.kind.value)
        for edge in find_edges(statement, SCHEMA)
    }


def test_values_and_conditions_are_followed_through_steps_to_the_tables() -> None:
    found = told(
        "with men as (select id_number, upper(name) as n, division from psb where sex = '1') "
        "select division, max(n) as top from men join amr on amr.legal_id = men.id_number group by division"
    )
    assert {
        ("psb", "division", "division", "IDENTITY"),
        ("psb", "name", "top", "AGGREGATION"),
        ("psb", "sex", "top", "FILTER"),
        ("psb", "id_number", "top", "JOIN"),
        ("amr", "legal_id", "division", "JOIN"),
        ("psb", "division", "top", "GROUP_BY"),
    } <= found
    assert not [edge for edge in found if edge[1] == "id_number" and edge[3] == "IDENTITY"]


def test_stars_functions_windows_and_unions() -> None:
    assert told("select trim(name) as t, * from psb") >= {
        ("psb", "name", "t", "TRANSFORMATION"),
        ("psb", "sex", "sex", "IDENTITY"),
    }
    window = told("select row_number() over (partition by division order by name) as n, sex from psb")
    assert ("psb", "division", "n", "TRANSFORMATION") in window
    assert {edge for edge in window if edge[2] == "sex"} == {("psb", "sex", "sex", "IDENTITY")}
    assert told("select name from psb union all select legal_id from amr") == {
        ("psb", "name", "name", "IDENTITY"),
        ("amr", "legal_id", "name", "IDENTITY"),
    }


@pytest.mark.parametrize("statement", ["select nope from psb", "select 1; select 2", "delete from psb", "selec"])
def test_what_cannot_be_followed_is_refused(statement: str) -> None:
    with pytest.raises(SqlUnreadable):
        find_edges(statement, SCHEMA)


# On the database --------------------------------------------------------------------------------------------------
@pytest.fixture
def recorded(cast: Cast) -> Cast:
    """A delivered file → the register → a count by division."""
    for agency, name in (("psb", "psb_population"), ("amr", "amr_enterprise")):
        catalog.apply_contract(cast.actor(f"{agency}.steward"), demo_text(name), base_version=None)
    file = Dataset(namespace="file", name="people.csv")
    edges = [
        ColumnEdge(source=file, source_column="XM", target_column="name", kind=EdgeKind.TRANSFORMATION),
        ColumnEdge(source=file, source_column="SFZ", target_column="id_number"),
    ]
    types = {"name": "string", "id_number": "string"}
    made = DerivedDataset(target=PEOPLE, columns=types, edges=edges, rows_count=10, payload_bytes=99, version="v1")
    record_lineage(LineageJob(kind="collect", name="psb_population"), "run_1", [made])
    count = [ColumnEdge(source=PEOPLE, source_column="name", target_column="people", kind=EdgeKind.AGGREGATION)]
    made = DerivedDataset(target=COUNTS, columns={"people": "integer"}, edges=count)
    record_lineage(LineageJob(kind="indicator", name="counts"), "run_2", [made])
    return cast


def test_the_walk_goes_up_and_down_by_column(recorded: Cast) -> None:
    up = find_upstream(COUNTS, ["people"])
    assert [(edge.source.name, edge.source_column, edge.depth) for edge in up] == [
        ("psb_population", "name", 1),
        ("people.csv", "XM", 2),
    ]
    down = find_downstream(Dataset(namespace="file", name="people.csv"), ["XM"])
    assert [edge.target.name for edge in down] == ["psb_population", "amr_enterprise"]
    assert find_downstream(PEOPLE, ["id_number"]) == []
    drawing = draw(PEOPLE, [*find_upstream(PEOPLE), *find_downstream(PEOPLE)], marked=["name"])
    places = {box.dataset.name: box.x for box in drawing.boxes}
    assert places["people.csv"] < places["psb_population"] < places["amr_enterprise"]


def test_a_later_run_takes_the_place_of_the_jobs_edges_and_the_same_run_changes_nothing(recorded: Cast) -> None:
    job = LineageJob(kind="indicator", name="counts")
    edge = ColumnEdge(source=PEOPLE, source_column="id_number", target_column="people", kind=EdgeKind.AGGREGATION)
    made = DerivedDataset(target=COUNTS, columns={"people": "integer"}, edges=[edge])
    record_lineage(job, "run_2", [made])
    assert [e.source_column for e in find_upstream(COUNTS) if e.depth == 1] == ["name"]
    record_lineage(job, "run_3", [made])
    assert [e.source_column for e in find_upstream(COUNTS) if e.depth == 1] == ["id_number"]


def test_a_circle_ends(recorded: Cast) -> None:
    back = [ColumnEdge(source=COUNTS, source_column="people", target_column="name")]
    made = DerivedDataset(target=PEOPLE, columns={}, edges=back)
    record_lineage(LineageJob(kind="indicator", name="back"), "run_9", [made])
    assert {edge.target.name for edge in find_downstream(PEOPLE, ["name"])} == {"amr_enterprise", "psb_population"}
    assert draw(PEOPLE, find_downstream(PEOPLE, ["name"])).boxes


def test_a_change_touches_rules_references_and_what_is_derived(recorded: Cast) -> None:
    def refer(raw: dict[str, Any]) -> None:
        raw["version"] = "2.0.0"
        column(raw, "legal_person_id")["relationships"] = [{"type": "foreignKey", "to": "psb_population.id_number"}]

    text = changed(demo_text("amr_enterprise"), refer).text
    catalog.apply_contract(recorded.actor("amr.steward"), text, base_version="1.0.0")
    actor = recorded.actor("psb.steward")
    kinds = {impact.kind_en for impact in find_impacts(actor, "psb_population", ["id_number"])}
    assert {"Primary key", "Reference from another resource"} <= kinds
    derived = [i for i in find_impacts(actor, "psb_population", ["name"]) if i.kind_en == "Derived data"]
    assert [(impact.title_zh, impact.columns, impact.blocks) for impact in derived] == [
        ("分区人数", ("people",), False)
    ]
    with pytest.raises(ColumnUnknown):
        find_impacts(actor, "psb_population", ["nope"])


def test_the_page_and_its_json_say_the_same(recorded: Cast, client: Client) -> None:
    client.force_login(recorded.user("psb.steward"))
    page = client.get("/resources/psb_population/lineage?column=name").content.decode()
    assert "people.csv" in page
    assert "<svg" in page
    assert "SFZ" not in page
    found = client.get("/resources/psb_population/lineage.json?column=name").json()
    assert {(edge["source"]["name"], edge["target_column"]) for edge in found["edges"]} == {
        ("people.csv", "name"),
        ("psb_population", "people"),
    }


def test_a_resource_that_may_not_be_seen_is_not_named(recorded: Cast, client: Client) -> None:
    hidden = Dataset(name="psb_secret_list", title_zh="秘密清单")
    edge = ColumnEdge(source=PEOPLE, source_column="name", target_column="who")
    made = DerivedDataset(target=hidden, columns={}, edges=[edge])
    record_lineage(LineageJob(kind="derive", name="secret"), "run_4", [made])
    client.force_login(recorded.user("amr.steward"))
    for address in ("/resources/psb_population/lineage", "/resources/psb_population/lineage.json"):
        text = client.get(address).content.decode()
        assert "secret" not in text
        assert "秘密" not in text
    titles = [impact.title_zh for impact in find_impacts(recorded.actor("amr.steward"), "psb_population", ["name"])]
    assert "无权查看的资源" in titles


# OpenLineage ------------------------------------------------------------------------------------------------------
def faults_of(event: dict[str, Any]) -> list[str]:
    """OpenLineage 2-0-2, RunEvent: what a reader relies on. Stated here, since no package ships the schema."""
    faults = [name for name in ("eventTime", "producer", "schemaURL", "run", "job") if name not in event]
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", event.get("eventTime", "")):
        faults.append("eventTime")
    if event.get("eventType") not in {"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"}:
        faults.append("eventType")
    try:
        uuid.UUID(event["run"]["runId"])
    except (KeyError, ValueError):
        faults.append("runId")
    holders = [event["job"], *event.get("inputs", []), *event.get("outputs", [])]
    for holder in holders:
        faults += [f"{holder}" for name in ("namespace", "name") if not holder.get(name)]
        for name, facet in {**holder.get("facets", {}), **holder.get("outputFacets", {})}.items():
            if not {"_producer", "_schemaURL"} <= set(facet):
                faults.append(f"facet {name}")
    inputs = {(one["namespace"], one["name"]) for one in event.get("inputs", [])}
    for output in event.get("outputs", []):
        for told_of, fields in output["facets"]["columnLineage"]["fields"].items():
            for field in fields["inputFields"]:
                if (field["namespace"], field["name"]) not in inputs or not field["field"]:
                    faults.append(f"input of {told_of}")
                faults += [
                    f"kind of {told_of}"
                    for step in field["transformations"]
                    if step["type"] not in {"DIRECT", "INDIRECT"} or not step["subtype"]
                ]
    return faults


def test_events_are_what_openlineage_says(recorded: Cast) -> None:
    events = [event for _position, event in find_events()]
    assert len(events) == 2
    for event in events:
        assert faults_of(event) == []
    field = events[0]["outputs"][0]["facets"]["columnLineage"]["fields"]["name"]["inputFields"][0]
    assert (field["field"], field["transformations"][0]["subtype"]) == ("XM", "TRANSFORMATION")
    assert events[0]["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 10
    for spoil in ("run", "eventTime"):
        assert faults_of({**events[0], spoil: {}} if spoil == "run" else {**events[0], spoil: "yesterday"})
    job = LineageJob(kind="a", name="b")
    assert openlineage_event(job, "r", "x", [])["run"] == openlineage_event(job, "r", "y", [])["run"]


class Catcher(BaseHTTPRequestHandler):
    """An endpoint that refuses the first call."""

    taken: list[dict[str, Any]]
    refusals: int
    token: str

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if Catcher.refusals:
            Catcher.refusals -= 1
            self.send_response(503)
        else:
            Catcher.taken.append(body)
            Catcher.token = self.headers.get("Authorization", "")
            self.send_response(201)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        return


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    Catcher.taken, Catcher.refusals, Catcher.token = [], 1, ""
    server = HTTPServer(("127.0.0.1", 0), Catcher)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("DATONG_LINEAGE_URL", f"http://127.0.0.1:{server.server_port}/api/v1/lineage")
    monkeypatch.setenv("DATONG_LINEAGE_TOKEN", "secret")
    yield "endpoint"
    server.shutdown()
    server.server_close()


def test_events_go_out_in_order_and_wait_for_a_refusal(recorded: Cast, endpoint: str) -> None:
    assert send_events() == 0
    assert Catcher.taken == []
    assert send_events() == 0, "it waits before it tries again"
    LineageEvent.objects.update(next_attempt_at="2000-01-01T00:00:00Z")
    assert send_events() == 2
    assert [event["job"]["name"] for event in Catcher.taken] == ["collect:psb_population", "indicator:counts"]
    assert Catcher.token == "Bearer secret"
    assert send_events() == 0

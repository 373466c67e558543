"""Rows that hold for a time: a verification asks as of a day, and a month belongs to its row until its last day."""

from __future__ import annotations

from datetime import date
from importlib import resources
from typing import Any

from datong.catalog.service import apply_contract
from datong.exchange import service
from datong.exchange.serving.compile import ServingWriter
from datong.exchange.serving.keys import load_master_key
from datong.exchange.serving.verify import Verifier, VerifyItem, VerifyRequest
from datong.exchange.tests.conftest import COMPARE, Market, columns
from datong.kernel import clock, ids
from datong.kernel.config import load_settings
from datong.kernel.events.service import deliver_pending
from datong.kernel.ids import ResourceId, RunId
from datong.lake.service import commit_version
from datong.lake.tables import write_replace

DIVISIONS = ResourceId("civil_divisions")
ROWS = """
    select code, name, cast(first_seen as date) as first_seen, cast(last_seen as date) as last_seen, null as status
    from (values ('110103', '崇文区', '1980-12-01', '2010-06-01'), ('110101', '东城区', '1980-12-01', null),
                 ('999999', '旧名', '1980-12-01', '1990-01-01'), ('999999', '新名', '1990-02-01', null))
        as given(code, name, first_seen, last_seen)
"""


def make_divisions(market: Market) -> None:
    text = resources.files("datong.testing").joinpath("contracts/civil_divisions.odcs.yaml").read_text(encoding="utf-8")
    text = text.replace("{property: agency, value: civil}", f"{{property: agency, value: {market.owner}}}")
    apply_contract(market.cast.actor(f"{market.owner}.steward"), text, base_version=None)

    def write(connection: Any, table: str) -> Any:
        return write_replace(connection, table, ROWS)

    commit_version(RunId(ids.new_id("run")), DIVISIONS, write)


def test_a_name_is_verified_as_of_a_day(committing_market: Market, writer: ServingWriter) -> None:
    market = committing_market
    make_divisions(market)
    market.grant(market.draft(resource_id=DIVISIONS, columns=columns(code=COMPARE, name=COMPARE)))
    deliver_pending()
    assert service.serve_resource(DIVISIONS) == 4
    with writer.read() as reader:
        verifier = Verifier(reader, load_master_key(load_settings().keys_dir))

        def ask(code: str, name: str, as_of: date | None) -> str:
            request = VerifyRequest(
                purpose="pension", items=[VerifyItem(key={"code": code}, claims={"name": name}, as_of=as_of)]
            )
            done = verifier.examine(market.cast.system.id, DIVISIONS, request, clock.epoch_ms())
            return done.result.answer.decode().split('"')[5]

        assert ask("110103", "崇文区", date(2010, 6, 30)) == "match", "to the last day of its last month"
        assert ask("110103", "崇文区", date(2010, 7, 1)) == "unknown"
        assert ask("110103", "崇文区", date(1980, 11, 30)) == "unknown"
        assert ask("110103", "崇文区", None) == "unknown", "today"
        assert ask("110101", "东城区", None) == "match", "an empty end still holds"
        assert ask("999999", "旧名", date(1990, 1, 31)) == "match"
        assert ask("999999", "旧名", date(1990, 2, 1)) == "differ"
        assert ask("999999", "新名", date(1990, 2, 1)) == "match"

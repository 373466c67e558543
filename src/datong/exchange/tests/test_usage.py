"""What was done under a grant, folded from the log that a real gateway wrote; a revocation that it obeys at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import pytest

from datong.app.gateway.tests.support import GatewayProcess, settings_of
from datong.exchange import service
from datong.exchange.contracts import Mode
from datong.exchange.requests import GrantState, UsageDay
from datong.exchange.service import usage
from datong.exchange.serving.compile import ServingWriter
from datong.exchange.store.models import FoldPosition, Usage
from datong.exchange.tests.conftest import PEOPLE, PLAIN, Market, columns
from datong.exchange.tests.test_bulk import find_entries, work
from datong.kernel import clock
from datong.kernel.audit.reader import LogReader
from datong.kernel.audit.sequencer import seal_pending
from datong.kernel.audit.socket import AuditSocketClient

ID, NAME = PEOPLE[0][:2]


def item(id_number: str, **claims: str) -> dict[str, Any]:
    return {"key": {"id_number": id_number}, "claims": claims}


def rows_of() -> list[dict[str, Any]]:
    return [dict(row) for row in Usage.objects.order_by("log_index").values()]


def fold_all() -> int:
    """Fold until nothing is left, as the worker does."""
    read = 0
    while folded := service.fold_usage():
        read += folded
    return read


def call_in_every_way(gateway: GatewayProcess, market: Market, csv_etag: str) -> None:
    """Nine calls; the answers' statuses are checked, so that each is what its name says."""
    token = market.cast.key.token
    verify_path, batch_path = f"/x/v1/verify/{market.resource_id}", f"/x/v1/batch/{market.resource_id}?purpose=pension"

    def verify(*items: dict[str, Any], reference: str = "", purpose: str = "pension", token: str = token) -> int:
        body = {"purpose": purpose, "reference": reference, "items": items}
        return gateway.call("POST", verify_path, token=token, content=orjson.dumps(body)).status_code

    def batch(**headers: str) -> int:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return gateway.call("GET", f"{batch_path}&format=csv&reference=r-2", token=token, headers=sent).status_code

    statuses = [
        verify(item(ID, name=NAME), item(ID, name="某人"), item("1", name=NAME), item("2"), reference="r-1"),
        verify(item(ID, name=NAME), reference="a\0b"),
        batch(),
        batch(range="bytes=0-9"),
        batch(if_none_match=csv_etag),
        verify(item(ID, name=NAME), purpose="something_else"),
        verify(item(ID, income="9")),
        verify(item(ID, name=NAME), token="a stranger's"),
        verify(item(ID)),
    ]
    assert statuses == [200, 200, 200, 206, 304, 403, 403, 401, 200]


def test_every_kind_of_entry_is_folded_once(
    committing_market: Market, writer: ServingWriter, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = committing_market
    market.publish()
    grant = market.grant(market.draft(modes=(Mode.VERIFY, Mode.BATCH), columns=columns(id_number=PLAIN, name=PLAIN)))
    work()
    assert service.fold_usage() == 0, "there is no log before the gateway's first start"
    csv = find_entries(writer, grant)["csv"]
    settings = settings_of(home)
    gateway = GatewayProcess(settings).start()
    try:
        call_in_every_way(gateway, market, f'"{csv.sha256}"')
        assert seal_pending(AuditSocketClient(settings.socket("audit"))) > 0, "rows of the control plane lie between"
        revoked = service.revoke_grant(market.cast.actor(f"{market.owner}.approver"), grant.id, "用途已经办结")
        assert revoked.state is GrantState.REVOKED, "the gateway has confirmed it"
        answer = gateway.call(
            "POST",
            f"/x/v1/verify/{market.resource_id}",
            token=market.cast.key.token,
            content=b'{"purpose":"pension","items":[{"key":{"id_number":"1"}}]}',
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "grant-revoked")
    finally:
        gateway.stop()
    monkeypatch.setattr(usage, "USAGE_FOLD_ENTRIES_MAX", 4)
    with LogReader(settings.audit_dir) as log:
        assert fold_all() == log.size
    folded = rows_of()
    keys = (
        "mode",
        "outcome",
        "items_count",
        "match_count",
        "differ_count",
        "unknown_count",
        "payload_bytes",
        "reference",
        "wanted_mode",
    )
    assert [tuple(row[key] for key in keys) for row in folded] == [
        ("verify", "answered", 4, 1, 1, 2, 0, "r-1", ""),
        ("verify", "answered", 1, 1, 0, 0, 0, "a\ufffdb", ""),
        ("batch", "answered", 1, 0, 0, 0, csv.file_bytes, "r-2", ""),
        ("batch", "answered", 1, 0, 0, 0, 10, "r-2", ""),
        ("batch", "answered", 1, 0, 0, 0, 0, "r-2", ""),
        ("refused", "purpose-not-granted", 0, 0, 0, 0, 0, "", "verify"),
        ("refused", "column-not-granted", 0, 0, 0, 0, 0, "", "verify"),
        ("verify", "answered", 1, 1, 0, 0, 0, "", ""),
        ("refused", "grant-revoked", 0, 0, 0, 0, 0, "", "verify"),
    ], "the stranger's call is in the log alone"
    assert {(row["grant_id"], row["resource_id"], row["system_id"]) for row in folded} == {
        (grant.id, market.resource_id, market.cast.system.id)
    }
    assert {row["code"] for row in folded} == {"", "purpose-not-granted", "column-not-granted", "grant-revoked"}
    # Folding again, from the beginning too, changes nothing; what is lost comes back from the log.
    assert fold_all() == 0
    for lost in (Usage.objects.none(), Usage.objects.filter(mode="batch"), Usage.objects.all()):
        lost.delete()
        FoldPosition.objects.update(next_index=0)
        fold_all()
        assert rows_of() == folded
    today = service.summarise_usage(grant.id, days=3)[-1]
    assert asdict(today) == asdict(UsageDay(day=clock.today(), verify_items=6, batch_downloads=3, refusals=3))
    check_pages(grant.id, [row["log_index"] for row in folded])


def check_pages(grant_id: Any, indexes: Iterable[int]) -> None:
    newest_first = sorted(indexes, reverse=True)
    assert service.count_usage(grant_id) == len(newest_first)
    pages, before = [], None
    while page := service.find_usage(grant_id, rows_max=4, before=before):
        pages += [row.log_index for row in page]
        before = page[-1].log_index
    assert pages == newest_first


def test_a_page_folds_what_is_new_when_it_is_read(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker folds once a minute: whoever reads a grant's use in between sees what the log has."""
    folded: list[int] = []

    def fold() -> int:
        folded.append(1)
        return 0

    monkeypatch.setattr(usage, "fold_usage", fold)
    grant = market.grant()
    assert (service.find_usage(grant.id), service.count_usage(grant.id)) == ([], 0)
    assert service.summarise_usage(grant.id)[0].verify_items == 0
    assert len(folded) == 3

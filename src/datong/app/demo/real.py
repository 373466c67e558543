"""`datong demo --real DIR`: the same line with real files, as their publishers wrote them."""

from __future__ import annotations

from pathlib import Path

from datong.app.demo import acts
from datong.app.demo.cast import Cast, issue_token, recall
from datong.app.demo.client import SystemClient
from datong.app.demo.telling import Teller
from datong.catalog import service as catalog
from datong.exchange import service as exchange
from datong.exchange.contracts import Mode, Treatment
from datong.exchange.requests import GrantState
from datong.kernel.audit.notes import load_verifier
from datong.kernel.config import Settings
from datong.kernel.failures import Failure, NotFound
from datong.kernel.ids import ResourceId

DIVISIONS = "divisions/gb2260_history_mca_198012_201904.csv"
GDP = "macro/nbs_quarterly_gdp_current_prices.csv"
AIR = "air/beijing_pm25_2010_2014_uci.csv"
PURPOSE = "history_check"
AS_OF = {"2009-06-30": "match", "2015-06-30": "unknown"}
"""崇文区 110103 on two days: it was merged into 东城区 in 2010."""


def tell_real(settings: Settings, folder: Path) -> None:
    """Collect the three files and verify a division as of two dates. Raises NotFound for a file that is not there."""
    missing = [name for name in (DIVISIONS, GDP, AIR) if not (folder / name).is_file()]
    if missing:
        raise NotFound(f"{folder} lacks {', '.join(missing)}.", folder=str(folder), missing=missing)
    tell = Teller()
    tell.title("真实文件走同一条路", "The same line, with real files")
    cast = recall(settings.demo_dir / "logins.json")
    token = issue_token(cast, settings.demo_dir / "token")
    for steward, resource_id in (("steward_stats", "stats_quarterly_gdp"), ("steward_eco", "eco_beijing_pm25")):
        _describe_once(cast, steward, resource_id, tell)
    acts.deliver(cast, "steward_civil", "civil_divisions", folder / DIVISIONS, tell)
    acts.deliver(cast, "steward_eco", "eco_beijing_pm25", folder / AIR, tell)
    _try_gdp(cast, folder / GDP, tell)
    _grant_once(cast, tell)
    _verify_divisions(settings, token, tell)


def _describe_once(cast: Cast, steward: str, resource_id: str, tell: Teller) -> None:
    try:
        catalog.get_resource(ResourceId(resource_id))
    except NotFound:
        acts.describe(cast, steward, resource_id, tell)


def _try_gdp(cast: Cast, file: Path, tell: Teller) -> None:
    """The statistics bureau's export has a preamble, notes and a header of quarters: not readable yet, and said so."""
    try:
        acts.deliver(cast, "steward_stats", "stats_quarterly_gdp", file, tell)
    except Failure as failure:
        tell.step(
            f"统计局导出的 {file.name} 目前读不了，系统说明了原因，没有留下半张表：",
            f"{file.name} as exported cannot be read yet; the run says why and leaves nothing half-written:",
        )
        tell.detail(failure.hint_zh or failure.hint, failure.hint)


def _grant_once(cast: Cast, tell: Teller) -> None:
    asking = cast.actor("steward")
    for grant in exchange.find_grants(asking, resource_id=ResourceId("civil_divisions")):
        if grant.purpose == PURPOSE and grant.state is GrantState.ACTIVE and not grant.is_expired:
            return
    request = acts.ask(
        cast,
        resource_id="civil_divisions",
        columns=[("code", Treatment.COMPARE), ("name", Treatment.COMPARE)],
        modes=[Mode.VERIFY],
        purpose=PURPOSE,
        purpose_title="核对历史行政区划名称",
        legal_basis="《行政区划管理条例》；《政务数据共享条例》第十九条",
        tell=tell,
    )
    acts.approve(cast, request, "approver_civil", tell)


def _verify_divisions(settings: Settings, token: str, tell: Teller) -> None:
    key = load_verifier(settings.keys_dir)
    client = SystemClient(f"http://{settings.host}:{settings.port}", token, key)
    item = {"key": {"code": "110103"}, "claims": {"name": "崇文区"}}
    acts.wait_until(
        lambda: client.verify("civil_divisions", PURPOSE, [{**item, "as_of": "2009-06-30"}]).status == 200,
        "the grant answers",
    )
    for day, expected in AS_OF.items():
        answer = client.verify("civil_divisions", PURPOSE, [{**item, "as_of": day}])
        outcome = answer.body["items"][0]["outcome"]
        if outcome != expected:
            raise RuntimeError(f"110103 崇文区 as of {day}: expected {expected}, the gateway said {outcome}")
        tell.step(f"110103 崇文区，截至 {day}：{outcome}", f"110103 崇文区 as of {day}: {outcome}")
    client.close()

"""`datong demo --real DIR`: the same line with real files, as their publishers wrote them."""

from __future__ import annotations

from pathlib import Path

from datong.app.demo import acts
from datong.app.demo.cast import Cast, issue_token, recall
from datong.app.demo.client import SystemClient
from datong.app.demo.telling import Teller
from datong.catalog import service as catalog
from datong.collect.contracts import RunView
from datong.exchange import service as exchange
from datong.exchange.contracts import Mode, Treatment
from datong.exchange.requests import GrantState
from datong.kernel.audit.notes import load_verifier
from datong.kernel.config import Settings
from datong.kernel.failures import NotFound
from datong.kernel.ids import ResourceId
from datong.testing.real_files import FILES, RealFile

DIVISIONS = "civil_divisions"
PURPOSE = "history_check"
AS_OF = {"2009-06-30": "match", "2015-06-30": "unknown"}
"""崇文区 110103 on two days: it was merged into 东城区 in 2010."""


def tell_real(settings: Settings, folder: Path) -> None:
    """Collect the files that are there, one for each contract, and verify a division as of two dates.

    Raises NotFound for a folder with none of them, RunFailed for a file that could not be collected.
    """
    chosen = {file.contract: file for file in reversed(FILES)}
    ordered = [file for file in FILES if file is chosen[file.contract]]
    found = [file for file in ordered if (folder / file.name).is_file()]
    if not found:
        raise NotFound(f"{folder} has none of the real files.", folder=str(folder), missing=[f.name for f in ordered])
    tell = Teller()
    tell.title("真实文件走同一条路", "The same line, with real files")
    cast = recall(settings.demo_dir / "logins.json")
    token = issue_token(cast, settings.demo_dir / "token")
    runs = [_collect(cast, file, folder, tell) for file in found]
    read, accepted, aside = (
        sum(counts) for counts in zip(*((r.rows_read, r.rows_accepted, r.rows_quarantined) for r in runs), strict=True)
    )
    tell.step(
        f"{len(runs)}份真实文件：接收 {read:,} ＝ 入湖 {accepted:,} ＋ 隔离 {aside:,}，一行不丢。",
        f"{len(runs)} real files: {read:,} rows read = {accepted:,} accepted + {aside:,} in quarantine; none is lost.",
    )
    _tell_missing([file for file in ordered if file not in found], tell)
    if any(file.contract == DIVISIONS for file in found):
        _grant_once(cast, tell)
        _verify_divisions(settings, token, tell)


def _collect(cast: Cast, file: RealFile, folder: Path, tell: Teller) -> RunView:
    """Describe it where it is not described yet, collect it, and tell what its report says of the file."""
    steward = f"steward_{file.agency}"
    try:
        catalog.get_resource(ResourceId(file.contract))
    except NotFound:
        acts.describe(cast, steward, file.contract, tell)
    run = acts.deliver(cast, steward, file.contract, folder / file.name, tell)
    for note in run.notes:
        tell.detail(note.zh, note.en)
    return run


def _tell_missing(files: list[RealFile], tell: Teller) -> None:
    for file in files:
        tell.detail(f"这里没有 {file.name}，没有归集“{file.contract}”", f"{file.name} is not here; not collected")


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

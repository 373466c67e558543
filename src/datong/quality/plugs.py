"""What quality plugs in: its verbs, its kind of case, its pages, and what it hears of collection."""

from __future__ import annotations

from importlib.util import find_spec

from datong.kernel.contracts import NAV_ITEMS, ActionKind, NavItem, Role, Scope, declare_action
from datong.kernel.plugs import handlers

_OWN = frozenset({Role.STEWARD, Role.APPROVER})
ACTIONS = (
    ActionKind(
        verb="quality.reported",
        platform=True,
        sentence_zh="平台评定“{subject}”的数据质量（{number}）：{score}分，{grade}",
        sentence_en="The platform judged the quality of “{subject}” ({number}): {score}, {grade_en}",
    ),
    ActionKind(
        verb="quality.order-opened",
        platform=True,
        sentence_zh="平台就“{subject}”开出质量工单 {number}：规则 {rule}，{rows} 行，{due} 前整改",
        sentence_en="The platform opened quality order {number} on “{subject}”: rule {rule}, {rows} rows, due {due}",
    ),
    ActionKind(
        verb="quality.order-closed",
        platform=True,
        sentence_zh="“{subject}”的质量工单办结（规则 {rule}）：{evidence}",
        sentence_en="A quality order on “{subject}” was closed (rule {rule}): {evidence}",
    ),
    ActionKind(
        verb="quality.order-withdrawn",
        roles=frozenset({Role.BUREAU}),
        scope=Scope.ANY_AGENCY,
        platform=True,
        sentence_zh="{actor} 撤回了“{subject}”的质量工单（规则 {rule}）：{evidence}",
        sentence_en="{actor} withdrew a quality order on “{subject}” (rule {rule}): {evidence}",
    ),
    ActionKind(
        verb="quality.order-overdue",
        platform=True,
        sentence_zh="“{subject}”的质量工单（规则 {rule}）{due} 到期未整改，已报主管部门",
        sentence_en="A quality order on “{subject}” (rule {rule}) was due on {due}; the bureau was told",
    ),
    ActionKind(
        verb="quality.waived",
        roles=frozenset({Role.APPROVER}),
        sentence_zh="{actor} 豁免“{subject}”的规则 {rule}，至 {until}：{reason}",
        sentence_en="{actor} waived rule {rule} of “{subject}” until {until}: {reason}",
    ),
    ActionKind(
        verb="quality.waiver-ended",
        roles=frozenset({Role.APPROVER}),
        sentence_zh="{actor} 终止了“{subject}”规则 {rule} 的豁免",
        sentence_en="{actor} ended the waiver of rule {rule} of “{subject}”",
    ),
    ActionKind(
        verb="quality.rows-read",
        roles=_OWN,
        platform=True,
        sentence_zh="{actor} 查看了“{subject}”中不符合规则 {rule} 的行",
        sentence_en="{actor} read the rows of “{subject}” that break rule {rule}",
    ),
    ActionKind(
        verb="quality.engine-run",
        roles=frozenset({Role.STEWARD}),
        platform=True,
        sentence_zh="{actor} 在 {engine} 上执行了“{subject}”（{version}）的全部规则，{rows} 行",
        sentence_en="{actor} ran all rules of “{subject}” ({version}) on {engine}: {rows} rows",
    ),
)
ORDERS = NavItem(
    key="quality.orders",
    section="data",
    order=30,
    title_zh="数据质量",
    title_en="Quality",
    icon="circle-check",
    url_name="quality:orders",
)


def plug() -> None:
    for kind in ACTIONS:
        declare_action(kind)
    from datong.cases.contracts import CASE_KINDS, CASE_PAGES
    from datong.catalog.contracts import CONTRACT_CHECKS
    from datong.quality import jobs
    from datong.quality.model import find_objections
    from datong.quality.service.orders import QualityOrder

    CONTRACT_CHECKS.fill("quality", find_objections)
    CASE_KINDS.fill(QualityOrder.key, QualityOrder())
    CASE_PAGES.fill(QualityOrder.key, "quality:order")
    for event in ("run.finished", "run.blocked", "run.failed"):
        handlers.on(event, "quality.report", jobs.on_run_judged)
    if find_spec("datong.quality.web.urls") is not None:
        from datong.quality.web import panels

        NAV_ITEMS.fill(ORDERS.key, ORDERS)
        panels.plug()

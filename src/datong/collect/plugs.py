"""What collection plugs into the rooms below it: verbs, jobs, its place in the side bar and on a resource's page."""

from __future__ import annotations

from datong.kernel.contracts import NAV_ITEMS, ActionKind, NavItem, Role, declare_action

ACTIONS = (
    ActionKind(
        verb="run.started",
        roles=frozenset({Role.STEWARD}),
        platform=True,
        sentence_zh="{actor} 提交文件“{file}”归集“{subject}”（{number}）",
        sentence_en="{actor} handed in “{file}” for “{subject}” ({number})",
    ),
    ActionKind(
        verb="run.finished",
        platform=True,
        sentence_zh="“{subject}”归集完成（{number}）：接收 {rows_read} 行，"
        "入湖 {rows_accepted}，隔离 {rows_quarantined}，得分 {score}",
        sentence_en="“{subject}” collected ({number}): {rows_read} rows read, {rows_accepted} accepted, "
        "{rows_quarantined} quarantined, score {score}",
    ),
    ActionKind(
        verb="run.failed",
        platform=True,
        sentence_zh="“{subject}”归集失败（{number}，{file}）：{code}",
        sentence_en="Collecting “{subject}” failed ({number}, {file}): {code}",
    ),
    ActionKind(
        verb="run.blocked",
        platform=True,
        sentence_zh="“{subject}”归集等待处理（{number}）：{reason_zh}",
        sentence_en="Collecting “{subject}” waits ({number}): {reason_en}",
    ),
    ActionKind(
        verb="run.resumed",
        roles=frozenset({Role.STEWARD, Role.APPROVER}),
        platform=True,
        sentence_zh="{actor} 让归集 {number} 继续：{reason}",
        sentence_en="{actor} let run {number} go on: {reason}",
    ),
    ActionKind(
        verb="run.given-up",
        roles=frozenset({Role.STEWARD, Role.APPROVER}),
        platform=True,
        sentence_zh="{actor} 放弃了归集 {number}：{reason}",
        sentence_en="{actor} gave up run {number}: {reason}",
    ),
    ActionKind(
        verb="run.failure-closed",
        roles=frozenset({Role.STEWARD, Role.APPROVER}),
        platform=True,
        sentence_zh="{actor} 办结了归集失败 {number}：{reason}",
        sentence_en="{actor} closed the failed run {number}: {reason}",
    ),
    ActionKind(
        verb="changes.read",
        roles=frozenset({Role.STEWARD, Role.APPROVER}),
        platform=True,
        sentence_zh="{actor} 查看了“{subject}”清洗前后的对照（{number}）",
        sentence_en="{actor} read what cleaning changed in “{subject}” ({number})",
    ),
    ActionKind(
        verb="landed.expired",
        platform=True,
        sentence_zh="“{subject}”的原文件按期清除（{number}），指纹保留",
        sentence_en="The file of “{subject}” was removed after its time ({number}); its digest stays",
    ),
    ActionKind(
        verb="quarantine.exported",
        roles=frozenset({Role.STEWARD, Role.APPROVER}),
        platform=True,
        sentence_zh="{actor} 下载了“{subject}”的隔离行（{number}，{rows} 行）",
        sentence_en="{actor} downloaded the quarantined rows of “{subject}” ({number}, {rows} rows)",
    ),
)
INFER = NavItem(
    key="infer",
    section="data",
    order=15,
    title_zh="由文件生成契约",
    title_en="Contract from a file",
    icon="file-search",
    url_name="collect:infer",
    roles=frozenset({Role.STEWARD}),
)
RUNS = NavItem(
    key="runs",
    section="data",
    order=20,
    title_zh="数据归集",
    title_en="Collection",
    icon="database-import",
    url_name="collect:runs",
    roles=frozenset({Role.STEWARD, Role.APPROVER, Role.BUREAU}),
)


def plug() -> None:
    for kind in ACTIONS:
        declare_action(kind)
    from datong.cases.contracts import CASE_KINDS, CASE_PAGES
    from datong.collect import jobs  # noqa: F401 - declares its jobs
    from datong.collect.evaluation import find_source_lines, read_evaluated_run
    from datong.collect.service.attention import BlockedRunCase, FailedRunCase
    from datong.collect.sources import plugs as sources
    from datong.collect.web import panels, sources_panels
    from datong.quality.contracts import LINE_READERS, RUN_PAGES, RUN_READERS

    CASE_KINDS.fill(FailedRunCase.key, FailedRunCase())
    CASE_KINDS.fill(BlockedRunCase.key, BlockedRunCase())
    CASE_PAGES.fill(FailedRunCase.key, "collect:attention")
    CASE_PAGES.fill(BlockedRunCase.key, "collect:run")
    RUN_READERS.fill("collect", read_evaluated_run)
    RUN_PAGES.fill("collect", "collect:run")
    LINE_READERS.fill("collect", find_source_lines)
    NAV_ITEMS.fill(RUNS.key, RUNS)
    NAV_ITEMS.fill(INFER.key, INFER)
    sources.plug()
    panels.plug()
    sources_panels.plug()

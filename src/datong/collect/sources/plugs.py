"""What connected sources plug into the rooms below: verbs, readers, their case, the events that move a cursor."""

from __future__ import annotations

from datong.collect.sources.contracts import CONNECTORS, SourceKind
from datong.kernel.contracts import ActionKind, Role, declare_action
from datong.kernel.plugs import handlers

STEWARD = frozenset({Role.STEWARD})

_BY_HAND = (
    (
        "source.created",
        "建立来源“{subject}”（{kind}），用于“{resource_title}”",
        "made source “{subject}” ({kind}) for {resource}",
    ),
    ("source.changed", "修改来源“{subject}”", "changed source “{subject}”"),
    ("source.enabled", "启用来源“{subject}”", "enabled source “{subject}”"),
    ("source.disabled", "停用来源“{subject}”", "disabled source “{subject}”"),
    ("source.removed", "删除来源“{subject}”及其凭据", "removed source “{subject}” and its credentials"),
    ("source.tested", "测试来源“{subject}”的连接：{outcome}", "tested the connection of source “{subject}”: {outcome}"),
    ("source.fetch-asked", "从来源“{subject}”取数", "fetched from source “{subject}”"),
)

ACTIONS = (
    *(
        ActionKind(
            verb=verb, roles=STEWARD, platform=True, sentence_zh=f"{{actor}} {zh}", sentence_en=f"{{actor}} {en}"
        )
        for verb, zh, en in _BY_HAND
    ),
    ActionKind(
        verb="source.case-noted",
        roles=STEWARD,
        sentence_zh="{actor} 已处理来源取数失败（{case}）",
        sentence_en="{actor} dealt with a failing source ({case})",
    ),
    ActionKind(
        verb="source.failed",
        platform=True,
        sentence_zh="来源“{subject}”取数失败：{code}",
        sentence_en="Source “{subject}” failed: {code}",
    ),
    ActionKind(
        verb="source.recovered",
        platform=True,
        sentence_zh="来源“{subject}”已恢复",
        sentence_en="Source “{subject}” works again",
    ),
)


def plug() -> None:
    from datong.cases.contracts import CASE_KINDS, CASE_PAGES
    from datong.collect.sources import jobs  # noqa: F401 - declares its jobs
    from datong.collect.sources.folder import FolderConnector
    from datong.collect.sources.http import HttpConnector
    from datong.collect.sources.mqtt import MqttConnector
    from datong.collect.sources.mysql import MysqlDialect
    from datong.collect.sources.postgres import PostgresDialect
    from datong.collect.sources.service import SourceCase, fetching
    from datong.collect.sources.sftp import SftpConnector
    from datong.collect.sources.sql import DatabaseConnector

    for kind in ACTIONS:
        declare_action(kind)
    CONNECTORS.fill(SourceKind.POSTGRES, DatabaseConnector(PostgresDialect()))
    CONNECTORS.fill(SourceKind.MYSQL, DatabaseConnector(MysqlDialect()))
    CONNECTORS.fill(SourceKind.HTTP, HttpConnector())
    CONNECTORS.fill(SourceKind.MQTT, MqttConnector())
    CONNECTORS.fill(SourceKind.FOLDER, FolderConnector())
    CONNECTORS.fill(SourceKind.SFTP, SftpConnector())
    CASE_KINDS.fill(SourceCase.key, SourceCase())
    CASE_PAGES.fill(SourceCase.key, "collect:source")
    handlers.on("run.finished", "collect.move-cursor", fetching.on_run_finished)
    handlers.on("run.failed", "collect.keep-cursor", fetching.on_run_failed)
    handlers.on("version.recorded", "collect.fetch-after", fetching.on_version_recorded)

"""A contract's text into a `DataContract`, or into every finding about it at once."""

from __future__ import annotations

import re
from collections import Counter

from datong.catalog.canonical import canonical_text
from datong.catalog.collecting_words import TABLE_STEPS, read_cleaning, read_reading, read_retention, read_stages
from datong.catalog.column_reader import read_column, read_rules
from datong.catalog.contracts import ContractFinding
from datong.catalog.directory import is_directory_code
from datong.catalog.directory_reader import read_directory
from datong.catalog.reading import CUSTOM_WORDS_CONTRACT, CustomWords, Part
from datong.catalog.reference_reader import read_table_references
from datong.catalog.schema_check import check_schema
from datong.catalog.values import Column, DataContract, Sharing, Validity
from datong.catalog.words import (
    CollectMode,
    DriftPolicy,
    LogicalType,
    ShareMode,
    SharingType,
    UpdateCycle,
    cycle_of,
)
from datong.catalog.yaml_text import read_yaml
from datong.kernel.limits import CONTRACT_COLUMNS_MAX

RESOURCE_ID = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
RESOURCE_ID_CHARACTERS_MAX = 48
"""Leaves room below PostgreSQL's 63 for what is derived from it (e.g. its quarantine table)."""
AGENCY_CODE = re.compile(r"[a-z][a-z0-9_]{0,31}")
CONTRACT_VERSION = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})", re.ASCII)
API_VERSIONS = frozenset({"v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0"})


def read_contract(text: str) -> DataContract | tuple[ContractFinding, ...]:
    """Read, check against the standard's schema and against our rules. Never raises for bad text."""
    document = read_yaml(text.removeprefix("\ufeff"))
    if document.findings and document.data is None:
        return tuple(document.findings)
    if not isinstance(document.data, dict):
        document.add(
            (),
            "yaml.not-a-mapping",
            ("A contract is a list of `field: value`", "契约应由“字段: 值”组成"),
            ("Begin with `apiVersion`, `kind`, `id` and `version`.", "请先写apiVersion、kind、id和version。"),
        )
        return tuple(document.findings)
    check_schema(document)
    contract = _build(Part(document, document.data, ()))
    spoilt = {finding.path for finding in document.findings if finding.code.startswith("yaml.")}
    return tuple(f for f in document.findings if f.code.startswith("yaml.") or f.path not in spoilt) or contract


def _build(root: Part) -> DataContract:
    custom = CustomWords(root, CUSTOM_WORDS_CONTRACT)
    _check_head(root, custom)
    sharing = _sharing(custom)
    null_tokens = custom.texts("nullTokens")
    table = _table(root)
    columns = tuple(
        read_column(part, position, sharing.type, null_tokens)
        for position, part in enumerate(table.mappings("properties")[:CONTRACT_COLUMNS_MAX])
    )
    _check_columns(table, columns, sharing)
    contract = DataContract(
        id=root.text("id"),
        version=root.text("version"),
        name=table.text("name"),
        agency=custom.text("agency"),
        title_zh=root.text("name").strip(),
        title_en=custom.text("titleEn"),
        description=_description(root),
        status=root.text("status", "active"),
        directory_code=custom.text("directoryCode"),
        columns=columns,
        sharing=sharing,
        update_cycle=_update_cycle(root),
        validity=_validity(custom, columns),
        rules=read_rules(table),
        null_tokens=null_tokens,
        collect_mode=custom.word("collectMode", CollectMode, CollectMode.REPLACE),
        opening=custom.word("openingType", SharingType, SharingType.WITHHELD),
        licence=custom.text("licence"),
        attribution=custom.text("attribution"),
        text=canonical_text(root.data),
        reading=read_reading(custom, root),
        cleaning=read_cleaning(custom, root, TABLE_STEPS),
        drift=custom.word("schemaDrift", DriftPolicy, DriftPolicy.REFUSE),
        event_time_column=custom.text("eventTimeColumn"),
        retention_days=read_retention(custom),
        bill_required=custom.flag("billRequired", default=False),
        stages=read_stages(custom, root),
        directory=read_directory(custom),
        references=read_table_references(table, frozenset(column.name for column in columns)),
    )
    _check_keys(table, custom, contract)
    _check_collecting(custom, contract)
    return contract


def _check_head(root: Part, custom: CustomWords) -> None:
    """apiVersion, id, version, title and provider."""
    identity, version = root.text("id"), root.text("version")
    if identity and not (RESOURCE_ID.fullmatch(identity) and len(identity) <= RESOURCE_ID_CHARACTERS_MAX):
        root.add(
            "contract.id",
            (f"`{identity}` cannot be a resource's id", f"“{identity}”不能作为资源标识"),
            (
                (
                    "Use lower-case words joined by single underscores, "
                    f"at most {RESOURCE_ID_CHARACTERS_MAX} characters, e.g. psb_population."
                ),
                f"请用小写字母和数字，以单个下划线连接，最多{RESOURCE_ID_CHARACTERS_MAX}个字符，如psb_population。",
            ),
            key="id",
        )
    if version and not CONTRACT_VERSION.fullmatch(version):
        root.add(
            "contract.version",
            (f"`{version}` is not a semantic version", f"“{version}”不是语义化版本号"),
            ("Write three numbers, e.g. 1.0.0.", "请写三段数字，如1.0.0。"),
            key="version",
        )
    api = root.text("apiVersion")
    if api.startswith("v2"):
        root.add(
            "contract.api-version",
            (f"ODCS {api} is too old", f"ODCS {api}版本过旧"),
            ("Write the contract as v3.1.0.", "请按v3.1.0编写。"),
            key="apiVersion",
        )
    if not root.text("name").strip() or len(root.text("name")) > 50:
        root.add(
            "contract.title",
            ("The contract needs a title of 1 to 50 characters", "契约须有1至50字的名称"),
            ("Write the resource's Chinese name in `name`.", "请在name中写信息资源名称。"),
            key="name" if "name" in root.data else "",
        )
    agency = custom.text("agency")
    if not AGENCY_CODE.fullmatch(agency):
        custom.add(
            "agency",
            "contract.agency",
            ("The contract does not say which agency provides it", "契约没有写提供部门"),
            (
                "Add the custom property `agency` with the agency's short code, e.g. psb.",
                "请补上agency，填部门简码，如psb。",
            ),
        )
    code = custom.text("directoryCode")
    if code and not is_directory_code(code):
        custom.add(
            "directoryCode",
            "contract.directory-code",
            (f"`{code}` is not a directory code", f"“{code}”不是目录编码"),
            (
                "Write class 1, item 2, entry 3 and detail digits, a slash, and the sequence, e.g. 101001/000001.",
                "请写类1位、项2位、目3位、细目若干位，斜杠，顺序码，如101001/000001。",
            ),
        )


def _sharing(custom: CustomWords) -> Sharing:
    """The terms. A type that is missing or unknown reads as unconditional: its finding keeps the contract out."""
    if not custom.has("sharingType"):
        custom.add(
            "sharingType",
            "contract.sharing-missing",
            ("The contract does not say how it is shared", "契约没有写共享类型"),
            (
                f"Add the custom property `sharingType`, one of: {', '.join(SharingType)}.",
                f"请补上sharingType，可用值：{', '.join(SharingType)}。",
            ),
        )
    sharing = Sharing(
        type=custom.word("sharingType", SharingType, SharingType.UNCONDITIONAL),
        condition=custom.text("sharingCondition"),
        basis=custom.text("sharingBasis"),
        modes=custom.words("shareModes", ShareMode),
    )
    declared = custom.text("sharingType") in set(SharingType)
    if declared and sharing.type is SharingType.WITHHELD and not sharing.basis:
        custom.add(
            "sharingType",
            "contract.basis-missing",
            ("What is withheld must cite the law that withholds it", "不予共享须写明法律法规依据"),
            ("Add the custom property `sharingBasis`.", "请补上sharingBasis。"),
        )
    if sharing.type is SharingType.CONDITIONAL and not sharing.condition:
        custom.add(
            "sharingType",
            "contract.condition-missing",
            ("What is shared on condition must state the condition", "有条件共享须写明共享条件"),
            ("Add the custom property `sharingCondition`.", "请补上sharingCondition。"),
        )
    if declared and sharing.type is not SharingType.WITHHELD and not custom.has("shareModes"):
        custom.add(
            "shareModes",
            "contract.modes-missing",
            ("The contract offers no way to use the resource", "契约没有写共享方式"),
            (
                f"Add the custom property `shareModes`, a list of: {', '.join(ShareMode)}.",
                f"请补上shareModes，可用值：{', '.join(ShareMode)}。",
            ),
        )
    return sharing


def _table(root: Part) -> Part:
    tables = root.mappings("schema")
    if len(tables) != 1:
        root.add(
            "contract.one-table",
            (
                f"A contract describes one table; this one has {len(tables)}",
                f"一份契约只描述一张表，这里有{len(tables)}张",
            ),
            ("Give every table its own contract.", "请为每张表单独写一份契约。"),
            key="schema" if "schema" in root.data else "",
        )
    return tables[0] if tables else Part(root.document, {}, ())


def _description(root: Part) -> str:
    return root.mapping("description").text("purpose").strip()


def _update_cycle(root: Part) -> UpdateCycle:
    for item in root.mappings("slaProperties"):
        if item.text("property") != "frequency":
            continue
        cycle = cycle_of(item.data.get("value"), item.data.get("unit"))
        if cycle:
            return cycle
        item.add(
            "contract.update-cycle",
            ("This frequency is not an update cycle", "此频率不是规定的更新周期"),
            (
                "Write e.g. `value: 1` with `unit: d`, w, mo, q or y, or one of the words realtime, irregular, other.",
                "请写value: 1和unit: d、w、mo、q或y，或写realtime、irregular、other。",
            ),
            key="value",
        )
        return UpdateCycle.OTHER
    root.add(
        "contract.update-cycle",
        ("The contract does not say how often it is updated", "契约没有写更新周期"),
        (
            "Add to `slaProperties`: `property: frequency`, `value: 1`, `unit: d`.",
            "请在slaProperties中补上property: frequency、value: 1、unit: d。",
        ),
    )
    return UpdateCycle.OTHER


def _validity(custom: CustomWords, columns: tuple[Column, ...]) -> Validity | None:
    ends = {name: custom.text(name) for name in ("validFrom", "validTo")}
    if not any(ends.values()):
        return None
    by_name = {column.name: column for column in columns}
    formats = set()
    for word, name in ends.items():
        column = by_name.get(name)
        if column is None or column.logical_type is not LogicalType.DATE:
            custom.add(
                word,
                "contract.validity",
                (f"`{word}` must name a date column", f"{word}须是本表的日期列"),
                (
                    "Name both validFrom and validTo after columns of logicalType date.",
                    "validFrom和validTo都须写日期类型的列名。",
                ),
            )
        else:
            formats.add(column.date_format)
    if len(formats) > 1:
        custom.add(
            "validTo",
            "contract.validity",
            ("validFrom and validTo have different date formats", "validFrom和validTo的日期格式不同"),
            ("Use the same format for both.", "请使用相同的格式。"),
        )
    form = next(iter(formats), "")
    unit = "day" if not form or "d" in form else "month" if "M" in form else "year"
    return Validity(from_column=ends["validFrom"], to_column=ends["validTo"], unit=unit)


def _check_columns(table: Part, columns: tuple[Column, ...], sharing: Sharing) -> None:
    declared = len(table.mappings("properties"))
    if declared == 0 and table.data:
        table.add(
            "contract.no-columns", ("The table has no columns", "表没有列"), ("Add `properties`.", "请补上properties。")
        )
    if declared > CONTRACT_COLUMNS_MAX:
        table.add(
            "contract.too-many-columns",
            (f"The table has {declared} columns", f"表有{declared}列"),
            (f"At most {CONTRACT_COLUMNS_MAX}.", f"最多{CONTRACT_COLUMNS_MAX}列。"),
            key="properties",
        )
    counts = Counter(column.name for column in columns if column.name)
    headers = Counter(header for column in columns for header in column.source_names)
    for index, column in enumerate(columns):
        part = Part(table.document, {}, (*table.path, "properties", index))
        own = column.sharing if column.sharing is not sharing.type else None
        if own is SharingType.CONDITIONAL and not (column.sharing_condition or sharing.condition):
            part.add(
                "column.condition-missing",
                ("A column shared on condition must state the condition", "有条件共享的信息项须写明共享条件"),
                ("Add `sharingCondition` to the column or to the contract.", "请在该列或契约中补上sharingCondition。"),
            )
        if counts[column.name] > 1:
            part.add(
                "column.twice",
                (f"Two columns are named `{column.name}`", f"有两列同名“{column.name}”"),
                ("Rename one.", "请改名。"),
                key="name",
            )
        elif any(headers[header] > 1 for header in (column.physical_name, column.title) if header):
            part.add(
                "column.header-twice",
                (
                    f"`{column.title}` or its physicalName is also another column's name",
                    f"“{column.title}”或其physicalName与其他列重名",
                ),
                (
                    "Make names, titles and physicalNames unique in the table.",
                    "请使列名、标题和physicalName在表内唯一。",
                ),
            )
    if (
        sharing.type is not SharingType.WITHHELD
        and columns
        and not any(c.sharing is not SharingType.WITHHELD for c in columns)
    ):
        table.add(
            "contract.nothing-shared",
            ("The resource is shared, but all its columns are withheld", "资源可共享，但所有信息项都不予共享"),
            ("Share a column, or withhold the resource.", "请至少共享一个信息项，或将资源改为不予共享。"),
        )


def _check_keys(table: Part, custom: CustomWords, contract: DataContract) -> None:
    """What the modes and cross-references need."""
    if ShareMode.VERIFY in contract.sharing.modes:
        if not contract.key_columns:
            table.add(
                "contract.key-missing",
                ("Verification needs a primary key", "核验方式需要主键"),
                ("Set `primaryKey: true` on the key columns.", "请在主键列写primaryKey: true。"),
            )
        if not contract.verify_columns:
            custom.add(
                "shareModes",
                "contract.verify-missing",
                ("Verification is offered, but no column can be verified", "提供核验方式，但没有可核验的列"),
                ("Set the custom property `verify: true` on those columns.", "请在可核验的列写verify: true。"),
            )
    for index, column in enumerate(contract.columns):
        as_of = column.identifier_as_of
        if not as_of:
            continue
        other = contract.by_name.get(as_of)
        if column.identifier != "division_code" or other is None or other.logical_type is not LogicalType.DATE:
            Part(table.document, {}, (*table.path, "properties", index)).add(
                "column.as-of",
                (
                    "identifierAsOf is for division codes and names a date column",
                    "identifierAsOf只用于行政区划代码，且须写日期列",
                ),
                ("Name a date column of this table, or remove it.", "请写本表的日期列名，或删除。"),
            )


def _check_collecting(custom: CustomWords, contract: DataContract) -> None:
    """What the way of collecting needs of the columns."""
    if contract.collect_mode in {CollectMode.UPSERT, CollectMode.DIFF} and not contract.key_columns:
        custom.add(
            "collectMode",
            "contract.key-missing",
            (f"Collecting by {contract.collect_mode.value} needs a primary key", "按主键更新或比对的归集方式需要主键"),
            ("Set `primaryKey: true` on the key columns.", "请在主键列写primaryKey: true。"),
        )
    clock_types = {LogicalType.DATE, LogicalType.TIMESTAMP, LogicalType.INTEGER, LogicalType.NUMBER}
    event_time = contract.by_name.get(contract.event_time_column)
    if contract.event_time_column and (event_time is None or event_time.logical_type not in clock_types):
        custom.add(
            "eventTimeColumn",
            "contract.event-time",
            ("`eventTimeColumn` must name a date, timestamp or number column", "eventTimeColumn须是日期、时间或数值列"),
            ("Name a column of this table.", "请写本表的列名。"),
        )
    for step in contract.cleaning:
        for name in step.arguments.get("by", ()):
            if name not in contract.by_name:
                custom.add(
                    "cleaning",
                    "contract.deduplicate",
                    (f"`deduplicate` names `{name}`, which is no column", f"去重的列“{name}”不存在"),
                    ("Name columns of this table in `by`.", "by中请写本表的列名。"),
                )

"""Reading contracts: what is wrong is found at its line, and what is right survives unchanged."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datong.catalog.contracts import ContractInvalid
from datong.catalog.odcs import (
    Column,
    DataContract,
    IdentifierKind,
    LogicalType,
    Mask,
    ShareMode,
    SharingType,
    UpdateCycle,
    canonical_text,
    lint_contract,
    load_contract,
    parse_contract,
)
from datong.catalog.schema_check import check_schema
from datong.catalog.tests.samples import CASES, changed, column, demo_names, demo_text, set_word
from datong.catalog.yaml_text import read_yaml, write_yaml
from datong.kernel.failures import BadInput, TooLarge
from datong.kernel.limits import CONTRACT_BYTES_MAX, CONTRACT_COLUMNS_MAX

CASE_FILES = sorted(CASES.glob("*.odcs.yaml"))
POPULATION = demo_text("psb_population")


@pytest.mark.parametrize("path", CASE_FILES, ids=lambda path: path.name.removesuffix(".odcs.yaml"))
def test_each_case_has_exactly_its_findings(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    expected = text.splitlines()[0].removeprefix("# expect: ")
    findings = lint_contract(text)
    assert (" | ".join(f"{f.line} {f.path or '-'} {f.code}" for f in findings) or "nothing") == expected
    for finding in findings:
        assert finding.message
        assert finding.remedy
        assert any("一" <= character <= "鿿" for character in finding.message_zh + finding.remedy_zh)
        assert finding.column >= 1


def test_there_are_cases_of_both_kinds() -> None:
    heads = [path.read_text(encoding="utf-8").splitlines()[0] for path in CASE_FILES]
    assert len(heads) > 40
    assert sum(head == "# expect: nothing" for head in heads) == 1


def test_all_findings_come_at_once_ordered_by_line() -> None:
    text = (
        demo_text("amr_enterprise")
        .replace("logicalType: number", "logicalType: numbre")
        .replace("id: amr_enterprise", "id: AMR", 1)
        .replace("classification: 一般3级", "classification: 绝密")
    )
    with pytest.raises(ContractInvalid) as invalid:
        parse_contract(text, source_name="amr.yaml")
    lines = [finding.line for finding in invalid.value.findings]
    assert len(lines) == 3
    assert lines == sorted(lines)
    problem = invalid.value.as_problem()
    assert (problem["status"], problem["facts"]["source_name"]) == (400, "amr.yaml")
    assert len(problem["facts"]["findings"]) == 3


@pytest.mark.parametrize("name", demo_names())
def test_demo_contracts_lint_clean_and_come_back(name: str) -> None:
    contract = parse_contract(demo_text(name))
    assert contract.id == name
    again = parse_contract(contract.text)
    assert (again, again.raw, again.columns, again.digest) == (
        contract,
        contract.raw,
        contract.columns,
        contract.digest,
    )
    document = read_yaml(contract.text)
    check_schema(document)
    assert document.findings == []


def test_the_demo_contracts_are_found() -> None:
    assert {"psb_population", "amr_enterprise", "civil_divisions"} <= set(demo_names())
    assert len(demo_names()) >= 5


def test_the_population_contract_reads_as_values() -> None:
    contract = parse_contract(POPULATION)
    assert (contract.agency, contract.title_zh, contract.version) == ("psb", "人口基础信息", "1.0.0")
    assert [key.name for key in contract.key_columns] == ["id_number"]
    assert contract.sharing.type is SharingType.CONDITIONAL
    assert contract.sharing.modes == {ShareMode.VERIFY, ShareMode.QUERY, ShareMode.BATCH}
    assert contract.update_cycle is UpdateCycle.DAILY
    identity, birth = contract.by_name["id_number"], contract.by_name["birth_date"]
    assert (identity.identifier, identity.mask, identity.grade) == (IdentifierKind.RESIDENT_ID, Mask.ID_6_4, 3)
    assert (birth.logical_type, birth.minimum, birth.date_format) == (LogicalType.DATE, "1900-01-01", "yyyy-MM-dd")
    assert contract.by_name["ethnicity"].sharing is SharingType.WITHHELD
    assert "ethnicity" not in {c.name for c in contract.grantable_columns}
    assert contract.by_name["status"].values == ("正常", "迁出", "死亡", "注销")
    with pytest.raises(dataclasses.FrozenInstanceError):
        contract.columns[0].name = "x"  # type: ignore[misc]


def test_validity_columns_are_not_part_of_the_question() -> None:
    contract = parse_contract(demo_text("civil_divisions"))
    assert contract.validity is not None
    assert (contract.validity.from_column, contract.validity.unit) == ("first_seen", "month")
    assert [c.name for c in contract.key_columns] == ["code", "first_seen"]
    assert [c.name for c in contract.lookup_columns] == ["code"]


def test_a_division_code_is_checked_as_of_a_date_column() -> None:
    def check_codes(raw: dict[str, object]) -> None:
        set_word(column(raw, "code"), "identifierKind", "division_code")
        set_word(column(raw, "code"), "identifierAsOf", "first_seen")

    contract = changed(demo_text("civil_divisions"), check_codes)
    code = contract.by_name["code"]
    assert (code.identifier, code.identifier_as_of) == (IdentifierKind.DIVISION_CODE, "first_seen")
    assert code.identifier_severity == "reject"


def test_a_file_header_may_be_name_physical_name_or_title() -> None:
    contract = parse_contract(demo_text("eco_beijing_pm25"))
    assert contract.by_name["pm25"].source_names == ("pm25", "pm2.5", "细颗粒物浓度", "PM2.5 concentration")
    assert contract.by_name["pm25"].null_tokens == ("NA",)


def test_a_column_without_classification_gets_the_highest_general_grade() -> None:
    contract = changed(POPULATION, lambda raw: column(raw, "name").pop("classification"))
    assert contract.by_name["name"].grade == 4


def test_what_datong_does_not_use_is_kept() -> None:
    def extend(raw: dict[str, object]) -> None:
        raw["team"] = {"name": "户政", "members": [{"username": "w17", "role": "steward"}]}
        raw["price"] = {"priceAmount": 0, "priceCurrency": "CNY", "priceUnit": "次"}
        raw["servers"] = [
            {"server": "x", "type": "postgres", "host": "h", "port": 5432, "database": "d", "schema": "s"}
        ]
        raw["tags"] = ["人口", "基础库"]
        set_word(raw, "theirOwnWord", {"nested": [1, 2.5, None, {"a": True}]})

    contract = changed(POPULATION, extend)
    assert contract.raw["team"]["members"][0]["username"] == "w17"
    assert parse_contract(contract.text).raw == contract.raw
    assert "theirOwnWord" in contract.text


def test_canonical_text_does_not_depend_on_key_order_or_comments() -> None:
    raw = dict(parse_contract(POPULATION).raw)
    turned = write_yaml({key: raw[key] for key in sorted(raw, reverse=True)})
    commented = "# a comment\n" + turned
    assert parse_contract(commented).digest == parse_contract(POPULATION).digest


def test_a_contract_cannot_be_changed_through_its_mapping() -> None:
    contract = parse_contract(POPULATION)
    contract.raw["schema"][0]["properties"].clear()
    assert len(contract.raw["schema"][0]["properties"]) == len(contract.columns) == 9
    assert parse_contract(contract.text).digest == contract.digest


def test_json_is_read_as_the_yaml_it_is() -> None:
    import json

    contract = changed(POPULATION, lambda raw: raw.update(tags=["人口😀"]))
    assert parse_contract(json.dumps(contract.raw)).digest == contract.digest


def test_size_bounds(tmp_path: Path) -> None:
    with pytest.raises(TooLarge):
        parse_contract("x" * (CONTRACT_BYTES_MAX + 1))
    big = tmp_path / "big.yaml"
    big.write_bytes(b"#" * (CONTRACT_BYTES_MAX + 1))
    with pytest.raises(TooLarge):
        load_contract(big)

    def widen(raw: dict[str, list[dict[str, list[dict[str, str]]]]]) -> None:
        columns = raw["schema"][0]["properties"]
        columns += [{"name": f"c{n}", "logicalType": "string"} for n in range(CONTRACT_COLUMNS_MAX)]

    with pytest.raises(ContractInvalid, match="1009 columns"):
        changed(POPULATION, widen)


def test_a_file_in_another_encoding_is_a_clear_failure(tmp_path: Path) -> None:
    path = tmp_path / "gb.yaml"
    path.write_bytes(POPULATION.encode("gb18030"))
    with pytest.raises(BadInput, match="UTF-8"):
        load_contract(path)
    path.write_bytes(b"\xef\xbb\xbf" + POPULATION.encode())
    assert load_contract(path).id == "psb_population"


@pytest.mark.parametrize(
    "text", ["x: " + "[" * 5000, "{" * 5000, "- " * 5000, "x: " + '{"a": ' * 2000, "&a [*a]", '"\\ud800": 1']
)
def test_deep_and_looping_yaml_is_refused_quickly(text: str) -> None:
    assert lint_contract(text)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(10**17), max_value=10**17),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(
        ["yes", "no", "~", "", "1e3", "0x1F", "0o7", "1_000", "12:30:45", "2026-01-01", "<<", "=", ".5", ".inf"]
    ),
    st.sampled_from(
        ["a: b", "# c", "- d", "e #f", "a\nb", "a\n\nb\n", " a\nb", "\n", "\ta", "a\u2028b", "\ufeff", "'", '"', "\\"]
    ),
)
KEYS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=25
)


@given(TREES)
def test_any_plain_value_survives_yaml(value: object) -> None:
    document = read_yaml(write_yaml({"value": value}))
    assert document.findings == []
    assert document.data == {"value": value}
    assert _types(document.data) == _types({"value": value})


@given(TREES)
def test_any_foreign_property_survives_a_contract(value: object) -> None:
    contract = changed(demo_text("stats_quarterly_gdp"), lambda raw: set_word(raw, "foreign", value))
    again = parse_contract(contract.text)
    assert again.raw == contract.raw
    assert again.digest == contract.digest
    assert canonical_text(again.raw) == again.text


@given(st.text(max_size=400))
def test_any_text_is_answered_with_findings(text: str) -> None:
    """Nothing but ContractInvalid comes out of bad text."""
    for finding in lint_contract(text):
        assert finding.line >= 1


LINES = POPULATION.splitlines()


@given(st.integers(0, len(LINES) - 1), st.sampled_from(["drop", "repeat", "indent", "blank", "null", "list"]))
def test_any_damaged_line_is_found_or_harmless(number: int, damage: str) -> None:
    """Damage planted anywhere in a real contract raises nothing else, and what is accepted round-trips."""
    line = LINES[number]
    head = line.split(":")[0]
    replaced = {
        "drop": [],
        "repeat": [line, line],
        "indent": ["  " + line],
        "blank": [head],
        "null": [f"{head}:"],
        "list": [f"{head}: [1, {{a: 2}}]"],
    }[damage]
    text = "\n".join([*LINES[:number], *replaced, *LINES[number + 1 :]]) + "\n"
    if not lint_contract(text):
        contract = parse_contract(text)
        assert parse_contract(contract.text).raw == contract.raw


def _types(value: object) -> object:
    if isinstance(value, dict):
        return {key: _types(item) for key, item in value.items()}
    return [_types(item) for item in value] if isinstance(value, list) else type(value)


def test_values_are_what_other_parts_agreed_on() -> None:
    """Fields that the lake, collection, the exchange and the pages read."""
    names = {field.name for field in dataclasses.fields(Column)}
    assert {"name", "title", "logical_type", "required", "unique", "primary_key", "element", "code_list"} <= names
    assert {"pattern", "minimum", "maximum", "rules", "grade", "sharing", "verify", "mask"} <= names
    contract_names = {field.name for field in dataclasses.fields(DataContract)}
    assert {"id", "version", "name", "agency", "title_zh", "description", "columns", "validity"} <= contract_names
    assert {"sharing", "update_cycle", "text"} <= contract_names


def test_the_words_of_collection_are_read() -> None:
    def extend(raw: dict[str, Any]) -> None:
        set_word(raw, "reading", {"format": "excel", "sheet": "户籍", "header_rows": 2, "fields": {"name": "$.xm"}})
        set_word(raw, "collectMode", "diff")
        set_word(raw, "cleaning", [{"step": "deduplicate", "by": ["id_number"], "keep": "last"}])
        set_word(raw, "schemaDrift", "map")
        set_word(raw, "eventTimeColumn", "updated_on")
        set_word(raw, "landingRetentionDays", 90)
        set_word(raw, "billRequired", True)
        set_word(raw, "stages", {"use": "使用部门", "collect": "市公安局"})
        set_word(column(raw, "name"), "cleaning", ["trim", "width", {"step": "unit", "from": "万元", "to": "元"}])
        set_word(column(raw, "name"), "sourceMaterial", "户口簿")
        column(raw, "sex")["relationships"] = [{"to": "civil_divisions.code"}]
        raw["schema"][0]["relationships"] = [
            {"from": ["psb_population.id_number", "psb_population.sex"], "to": ["amr_enterprise.a", "amr_enterprise.b"]}
        ]
        raw["schema"][0].setdefault("quality", []).append(
            {"metric": "rowCount", "mustBeGreaterThan": 0, "customProperties": [{"property": "blocks", "value": True}]}
        )

    contract = changed(POPULATION, extend)
    assert contract.reading["sheet"] == "户籍"
    assert (contract.collect_mode.value, contract.drift.value, contract.event_time_column) == (
        "diff",
        "map",
        "updated_on",
    )
    assert (contract.retention_days, contract.bill_required) == (90, True)
    assert list(contract.stages) == ["collect", "use"]
    assert contract.cleaning[0].arguments == {"by": ["id_number"], "keep": "last"}
    steps = contract.by_name["name"].cleaning
    assert [(step.step, dict(step.arguments)) for step in steps] == [
        ("trim", {}),
        ("width", {}),
        ("unit", {"from": "万元", "to": "元"}),
    ]
    assert contract.by_name["name"].source_material == "户口簿"
    (key,) = contract.by_name["sex"].references
    assert (key.columns, key.resource_id, key.to_columns) == (("sex",), "civil_divisions", ("code",))
    (pair,) = contract.references
    assert (pair.columns, pair.resource_id, pair.to_columns) == (("id_number", "sex"), "amr_enterprise", ("a", "b"))
    assert contract.rules[-1].custom == {"blocks": True}


WRONG_WORDS: list[tuple[str, Any, str]] = [
    ("reading", {"sheets": "x"}, "custom.unknown-key"),
    ("reading", {"first_row": "two"}, "custom.type"),
    ("reading", {"footer_pattern": "("}, "custom.type"),
    ("reading", "csv", "custom.type"),
    ("cleaning", [{"step": "deduplicate"}], "cleaning.argument-missing"),
    ("cleaning", [{"step": "deduplicate", "by": ["nothing"]}], "contract.deduplicate"),
    ("cleaning", ["trim"], "cleaning.step"),
    ("cleaning", "trim", "cleaning.list"),
    ("schemaDrift", "ignore", "custom.unknown-word"),
    ("eventTimeColumn", "name", "contract.event-time"),
    ("landingRetentionDays", 0, "contract.retention"),
    ("billRequired", "yes", "custom.type"),
    ("stages", {"sell": "x"}, "custom.unknown-key"),
    ("secrecy", "state", "contract.secret"),
    ("providerCode", "91110000123456789X", "contract.provider-code"),
    ("publishedOn", "2026-13-01", "contract.published-on"),
    ("relatedResources", ["what?"], "contract.related"),
    ("resourceFormat", "paper", "custom.unknown-word"),
]


@pytest.mark.parametrize(("word", "value", "code"), WRONG_WORDS, ids=[f"{w}-{c}" for w, _, c in WRONG_WORDS])
def test_a_wrong_word_is_found_where_it_stands(word: str, value: Any, code: str) -> None:
    with pytest.raises(ContractInvalid) as invalid:
        changed(POPULATION, lambda raw: set_word(raw, word, value))
    assert code in {finding.code for finding in invalid.value.findings}


@pytest.mark.parametrize(
    ("relationships", "code"),
    [
        ([{"to": "nowhere"}], "relationship.form"),
        ([{"to": ["a.b", "a.c"]}], "relationship.width"),
    ],
)
def test_a_wrong_relationship_is_found(relationships: Any, code: str) -> None:
    with pytest.raises(ContractInvalid) as invalid:
        changed(POPULATION, lambda raw: column(raw, "sex").update(relationships=relationships))
    assert {finding.code for finding in invalid.value.findings} & {code, "odcs.schema"}

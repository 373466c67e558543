"""What a change means: one line per kind of change, the code it must have, and whether it breaks users."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from datong.catalog.model import ChangeLevel, diff_contracts, next_version
from datong.catalog.odcs import parse_contract
from datong.catalog.tests.samples import changed, column, demo_names, demo_text, set_word
from datong.kernel.failures import BadInput

POPULATION, ENTERPRISE = demo_text("psb_population"), demo_text("amr_enterprise")
Raw = dict[str, Any]
Change = Callable[[Raw], object]


def remove(name: str) -> Change:
    def change(raw: Raw) -> None:
        table = raw["schema"][0]
        table["properties"] = [item for item in table["properties"] if item["name"] != name]

    return change


def add(**fields: Any) -> Change:
    return lambda raw: raw["schema"][0]["properties"].append({"logicalType": "string", **fields})


def put(name: str, /, **fields: Any) -> Change:
    return lambda raw: column(raw, name).update(fields)


def word(name: str, key: str, value: object) -> Change:
    return lambda raw: set_word(column(raw, name), key, value)


def root(key: str, value: object) -> Change:
    return lambda raw: set_word(raw, key, value)


def options(name: str, /, **fields: Any) -> Change:
    return lambda raw: column(raw, name).setdefault("logicalTypeOptions", {}).update(fields)


def drop_option(name: str, key: str) -> Change:
    return lambda raw: column(raw, name)["logicalTypeOptions"].pop(key)


def make_exclusive(raw: Raw) -> None:
    bounds = column(raw, "birth_date")["logicalTypeOptions"]
    bounds["exclusiveMinimum"] = bounds.pop("minimum")


def values(name: str, *allowed: str) -> Change:
    return lambda raw: column(raw, name)["quality"][0]["arguments"].update(validValues=list(allowed))


def frequency(value: object, unit: str) -> Change:
    return lambda raw: raw["slaProperties"][0].update(value=value, unit=unit)


def table_rule(severity: str) -> Change:
    rule = {"type": "custom", "engine": "datong", "implementation": "updated_on >= birth_date", "severity": severity}
    return lambda raw: raw["schema"][0].update(quality=[rule])


def withhold(name: str) -> Change:
    def change(raw: Raw) -> None:
        for key, value in (("sharingType", "withheld"), ("sharingBasis", "某法第一条"), ("verify", None)):
            set_word(column(raw, name), key, value)

    return change


BREAKING: list[tuple[str, Change, str]] = [
    ("column removed", remove("address"), "column.removed"),
    ("foreign key", put("sex", relationships=[{"to": "civil_divisions.code"}]), "reference.added"),
    ("bill demanded", root("billRequired", True), "bill.required"),
    ("column renamed", put("address", name="home_address"), "column.renamed"),
    ("required column added", add(name="phone", required=True), "column.added-required"),
    ("type changed", put("updated_on", logicalType="timestamp"), "type.changed"),
    ("required", put("address", required=True), "required.added"),
    ("unique", put("name", unique=True), "unique.added"),
    ("key changed", put("name", primaryKey=True, primaryKeyPosition=2), "key.changed"),
    ("grade raised", put("name", classification="一般4级"), "grade.raised"),
    ("column withheld", withhold("address"), "sharing.narrowed"),
    ("mode removed", root("shareModes", ["verify"]), "mode.removed"),
    ("condition changed", root("sharingCondition", "另一种条件"), "condition.changed"),
    ("cannot be verified", word("name", "verify", None), "verify.removed"),
    ("masked otherwise", word("name", "mask", "all"), "mask.changed"),
    ("code list added", word("ethnicity", "codeList", "ethnicity"), "code-list.tightened"),
    ("value removed", values("status", "正常", "迁出"), "values.tightened"),
    ("value exchanged", values("status", "正常", "迁出", "死亡", "其他"), "values.tightened"),
    ("identifier added", word("division_code", "identifierKind", "division_code"), "identifier.tightened"),
    ("pattern changed", options("division_code", pattern="[0-9]+"), "pattern.tightened"),
    ("shorter maximum", options("name", maxLength=20), "length.tightened"),
    ("longer minimum", options("name", minLength=2), "length.tightened"),
    ("later minimum", options("birth_date", minimum="1910-01-01"), "range.tightened"),
    ("maximum added", options("birth_date", maximum="2030-01-01"), "range.tightened"),
    ("bound made exclusive", make_exclusive, "range.tightened"),
    ("date format", options("birth_date", format="yyyyMMdd"), "date-format.changed"),
    ("unit", word("name", "unit", "万元"), "unit.changed"),
    ("slower cycle", frequency(1, "w"), "cycle.slower"),
    ("rule added", table_rule("reject"), "rule.added"),
    ("collect mode", root("collectMode", "upsert"), "collect-mode.changed"),
]

COMPATIBLE: list[tuple[str, Change, str]] = [
    ("optional column added", add(name="phone"), "column.added"),
    ("cleaned", word("name", "cleaning", ["trim"]), "cleaning.changed"),
    ("columns mapped", root("schemaDrift", "map"), "drift.changed"),
    ("not required", put("sex", required=False), "required.dropped"),
    ("grade lowered", put("name", classification="一般2级"), "grade.lowered"),
    ("column shared", word("ethnicity", "sharingType", None), "sharing.widened"),
    ("mode added", root("shareModes", ["verify", "query", "batch", "subscribe"]), "mode.added"),
    ("can be verified", word("updated_on", "verify", True), "verify.added"),
    ("mask dropped", word("name", "mask", None), "mask.dropped"),
    ("code list dropped", word("sex", "codeList", None), "code-list.relaxed"),
    ("value added", values("status", "正常", "迁出", "死亡", "注销", "失踪"), "values.relaxed"),
    ("identifier only warns", word("id_number", "identifierSeverity", "warn"), "identifier.relaxed"),
    ("pattern dropped", drop_option("division_code", "pattern"), "pattern.relaxed"),
    ("longer maximum", options("name", maxLength=80), "length.relaxed"),
    ("minimum dropped", drop_option("birth_date", "minimum"), "range.relaxed"),
    ("faster cycle", frequency(1, "h"), "cycle.faster"),
    ("null token added", root("nullTokens", ["NA"]), "null-tokens.relaxed"),
    ("warning rule added", table_rule("warn"), "rule.added"),
    ("opened", root("openingType", "conditional"), "opening.widened"),
]


@pytest.mark.parametrize(("name", "change", "code"), BREAKING, ids=[row[0] for row in BREAKING])
def test_breaking(name: str, change: Change, code: str) -> None:
    found = diff_contracts(parse_contract(POPULATION), changed(POPULATION, change))
    assert code in {item.code for item in found.breaking}, found
    assert found.level is ChangeLevel.BREAKING
    assert found.required_version == "2.0.0"
    assert not found.allows("1.9.9")
    assert found.allows("2.0.0")
    _check_sentences(found.breaking)


@pytest.mark.parametrize(("name", "change", "code"), COMPATIBLE, ids=[row[0] for row in COMPATIBLE])
def test_compatible(name: str, change: Change, code: str) -> None:
    found = diff_contracts(parse_contract(POPULATION), changed(POPULATION, change))
    assert code in {item.code for item in found.compatible}, found
    assert found.breaking == ()
    assert (found.level, found.required_version) == (ChangeLevel.COMPATIBLE, "1.1.0")
    _check_sentences(found.compatible)


@pytest.mark.parametrize(
    ("name", "change", "code"), [BREAKING[0], BREAKING[3], COMPATIBLE[0]], ids=["removed", "renamed", "added"]
)
def test_looking_back_is_never_harmless(name: str, change: Change, code: str) -> None:
    """Undoing a change of columns is a change too."""
    found = diff_contracts(changed(POPULATION, change), parse_contract(POPULATION))
    assert found.level is not ChangeLevel.NONE
    assert found.level is not ChangeLevel.CORRECTION


def test_a_number_may_widen_an_integer_but_not_the_reverse() -> None:
    air = demo_text("eco_beijing_pm25")
    wider = changed(air, put("hour", logicalType="number"))
    assert [item.code for item in diff_contracts(parse_contract(air), wider).compatible] == ["type.widened"]
    assert [item.code for item in diff_contracts(wider, parse_contract(air)).breaking] == ["type.changed"]


def test_resource_sharing_narrowed() -> None:
    def narrow(raw: Raw) -> None:
        set_word(raw, "sharingType", "conditional")
        set_word(raw, "sharingCondition", "依申请")

    found = diff_contracts(parse_contract(ENTERPRISE), changed(ENTERPRISE, narrow))
    assert "sharing.narrowed" in {item.code for item in found.breaking if not item.column}


def test_a_title_or_a_foreign_field_is_a_correction() -> None:
    for change in (put("name", businessName="姓名（全称）"), root("foreign", 1)):
        found = diff_contracts(parse_contract(POPULATION), changed(POPULATION, change))
        assert (found.level, found.required_version) == (ChangeLevel.CORRECTION, "1.0.1")


@pytest.mark.parametrize("name", demo_names())
def test_nothing_changes_between_equals(name: str) -> None:
    contract = parse_contract(demo_text(name))
    found = diff_contracts(contract, changed(contract.text, lambda raw: raw.update(version="7.0.0")))
    assert (found.level, found.required_version) == (ChangeLevel.NONE, contract.version)


def test_contracts_of_two_resources_are_not_compared() -> None:
    with pytest.raises(BadInput, match="different resources"):
        diff_contracts(parse_contract(POPULATION), parse_contract(ENTERPRISE))


def test_next_versions() -> None:
    assert [next_version("2.4.7", level) for level in ChangeLevel] == ["2.4.7", "2.4.8", "2.5.0", "3.0.0"]


def _check_sentences(changes: tuple[Any, ...]) -> None:
    for change in changes:
        assert change.sentence_zh
        assert change.sentence_en[0].isupper()
        assert "{" not in change.sentence_zh + change.sentence_en

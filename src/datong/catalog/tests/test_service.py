"""Applying contracts through the service, on the real database."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import DatabaseError, connection, transaction

from datong.catalog import service
from datong.catalog.contracts import (
    BreakingChange,
    ContractInvalid,
    ContractVersionNotFound,
    ProviderConflict,
    ResourceNotFound,
    VersionConflict,
    VersionTooLow,
)
from datong.catalog.store.models import ContractVersion, Resource
from datong.catalog.tests.samples import changed, column, demo_text, set_word
from datong.kernel.contracts import ANONYMOUS, platform_actor
from datong.kernel.failures import NotAllowed, NotFound, TooLarge
from datong.kernel.limits import FACET_BYTES_MAX
from datong.kernel.store.models import AuditRow, OutboxEvent
from datong.testing.cast import Cast, make_cast

POPULATION, ENTERPRISE = demo_text("psb_population"), demo_text("amr_enterprise")


def edited(text: str, version: str, change: Callable[[dict[str, object]], object] = lambda raw: None) -> str:
    def both(raw: dict[str, object]) -> None:
        change(raw)
        raw["version"] = version

    return changed(text, both).text


def add_phone(raw: dict[str, object]) -> None:
    raw["schema"][0]["properties"].append({"name": "phone", "logicalType": "string"})  # type: ignore[index]


def drop_address(raw: dict[str, object]) -> None:
    table = raw["schema"][0]  # type: ignore[index]
    table["properties"] = [item for item in table["properties"] if item["name"] != "address"]


def test_the_first_contract_makes_the_resource(cast: Cast) -> None:
    applied = service.apply_contract(cast.actor("psb.steward"), POPULATION, base_version=None)
    assert (applied.created, applied.changed, applied.previous_version) == (True, True, None)
    resource = service.get_resource("psb_population")
    assert (resource.agency, resource.agency_name, resource.grade_max) == ("psb", "市公安局", 3)
    assert (resource.sharing, resource.current_version, resource.columns_count) == ("conditional", "1.0.0", 9)
    contract = service.get_contract("psb_population")
    assert contract.digest == applied.digest
    row = AuditRow.objects.get(verb="contract.applied")
    assert (row.subject_id, row.facts["version"], row.facts["level"]) == ("psb_population", "1.0.0", "new")
    event = OutboxEvent.objects.get(name="contract.applied")
    assert event.subject == "resource:psb_population"


def test_the_same_text_again_changes_nothing(cast: Cast) -> None:
    steward = cast.actor("psb.steward")
    service.apply_contract(steward, POPULATION, base_version=None)
    before = AuditRow.objects.count(), OutboxEvent.objects.count(), Resource.objects.get().updated_at
    for base in (None, "1.0.0", "0.9.0"):
        again = service.apply_contract(steward, "# note\n" + POPULATION, base_version=base)
        assert (again.changed, again.created) == (False, False)
    assert before == (AuditRow.objects.count(), OutboxEvent.objects.count(), Resource.objects.get().updated_at)
    with pytest.raises(NotAllowed):
        service.apply_contract(cast.actor("amr.steward"), POPULATION, base_version=None)


def test_compare_and_set(cast: Cast) -> None:
    steward = cast.actor("psb.steward")
    with pytest.raises(VersionConflict):
        service.apply_contract(steward, POPULATION, base_version="1.0.0")
    service.apply_contract(steward, POPULATION, base_version=None)
    text = edited(POPULATION, "1.1.0", add_phone)
    for stale in (None, "0.9.0"):
        with pytest.raises(VersionConflict) as conflict:
            service.apply_contract(steward, text, base_version=stale)
        assert conflict.value.facts["current_version"] == "1.0.0"
    applied = service.apply_contract(steward, text, base_version="1.0.0")
    assert [change.code for change in applied.compatible] == ["column.added"]
    with pytest.raises(VersionConflict):
        service.apply_contract(steward, edited(POPULATION, "1.2.0"), base_version="1.0.0")
    assert [v.version for v in service.find_contract_versions("psb_population")] == ["1.1.0", "1.0.0"]
    assert "phone" not in service.get_contract("psb_population", "1.0.0").by_name
    assert service.get_resource("psb_population").columns_count == 10


def test_a_breaking_change_needs_a_new_major_version(cast: Cast) -> None:
    steward = cast.actor("psb.steward")
    service.apply_contract(steward, POPULATION, base_version=None)
    with pytest.raises(BreakingChange) as refused:
        service.apply_contract(steward, edited(POPULATION, "1.5.0", drop_address), base_version="1.0.0")
    assert refused.value.facts["required_version"] == "2.0.0"
    assert refused.value.facts["breaking"][0]["code"] == "column.removed"
    assert "删除列“住址”" in refused.value.hint_zh
    assert service.get_resource("psb_population").current_version == "1.0.0"
    applied = service.apply_contract(steward, edited(POPULATION, "2.0.0", drop_address), base_version="1.0.0")
    assert [change.code for change in applied.breaking] == ["column.removed"]


def test_every_change_needs_a_higher_version(cast: Cast) -> None:
    steward = cast.actor("psb.steward")
    service.apply_contract(steward, POPULATION, base_version=None)
    for version in ("1.0.0", "0.9.0", "1.0.5"):
        with pytest.raises(VersionTooLow) as refused:
            service.apply_contract(steward, edited(POPULATION, version, add_phone), base_version="1.0.0")
        assert refused.value.facts["required_version"] == "1.1.0"


def test_only_a_steward_of_the_providing_agency(cast: Cast) -> None:
    for name in ("amr.steward", "psb.approver", "psb.nobody", "data.bureau", "operator", "security", "auditor"):
        with pytest.raises(NotAllowed):
            service.apply_contract(cast.actor(name), POPULATION, base_version=None)
    with pytest.raises(NotAllowed):
        service.apply_contract(platform_actor("somebody"), POPULATION, base_version=None)
    assert not Resource.objects.exists()


def test_an_id_cannot_be_taken_over(cast: Cast) -> None:
    service.apply_contract(cast.actor("psb.steward"), POPULATION, base_version=None)
    stolen = edited(POPULATION, "2.0.0", lambda raw: set_word(raw, "agency", "amr"))
    with pytest.raises(NotAllowed):
        service.apply_contract(cast.actor("amr.steward"), stolen, base_version="1.0.0")
    with pytest.raises(ProviderConflict):
        service.apply_contract(cast.actor("psb.steward"), stolen, base_version="1.0.0")


def test_a_directory_code_belongs_to_one_resource(cast: Cast) -> None:
    service.apply_contract(cast.actor("psb.steward"), POPULATION, base_version=None)
    text = edited(ENTERPRISE, "1.0.0", lambda raw: set_word(raw, "directoryCode", "101001/000001"))
    with pytest.raises(ProviderConflict, match="101001/000001"):
        service.apply_contract(cast.actor("amr.steward"), text, base_version=None)


def test_what_is_missing_or_wrong_is_said(cast: Cast) -> None:
    steward = cast.actor("psb.steward")
    with pytest.raises(ContractInvalid):
        service.apply_contract(steward, POPULATION.replace("string", "strnig"), base_version=None)
    with pytest.raises(NotFound, match="agency"):
        service.apply_contract(
            steward, edited(POPULATION, "1.0.0", lambda raw: set_word(raw, "agency", "nasa")), base_version=None
        )
    with pytest.raises(ResourceNotFound):
        service.get_contract("psb_population")
    with pytest.raises(ResourceNotFound):
        service.get_resource("psb_population")
    service.apply_contract(steward, POPULATION, base_version=None)
    with pytest.raises(ContractVersionNotFound):
        service.get_contract("psb_population", "9.9.9")


def test_versions_and_ownership_resist_raw_sql(cast: Cast) -> None:
    service.apply_contract(cast.actor("psb.steward"), POPULATION, base_version=None)
    for statement in (
        "update catalog_contractversion set text = 'x'",
        "delete from catalog_contractversion",
        "truncate catalog_contractversion",
        "update catalog_resource set agency_id = (select id from kernel_agency where code = 'amr')",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert ContractVersion.objects.count() == 1


def secret(raw: dict[str, object]) -> None:
    for name, value in (("sharingType", "withheld"), ("sharingBasis", "保守国家秘密法"), ("shareModes", None)):
        set_word(raw, name, value)
    for item in raw["schema"][0]["properties"]:  # type: ignore[index]
        for name in ("verify", "sharingType", "sharingCondition", "mask"):
            set_word(item, name, None)
    column(raw, "name")["classification"] = "核心"


def test_who_sees_which_entry(cast: Cast) -> None:
    service.apply_contract(cast.actor("psb.steward"), POPULATION, base_version=None)
    service.apply_contract(cast.actor("amr.steward"), edited(ENTERPRISE, "1.0.0", secret), base_version=None)
    both, one = {"psb_population", "amr_enterprise"}, {"psb_population"}
    expected = {"amr.nobody": both, "data.bureau": both, "psb.steward": one, "hrss.approver": one, "auditor": one}
    for name, ids in expected.items():
        actor = cast.actor(name)
        assert {item.id for item in service.find_resources(actor).items} == ids, name
        for resource in both:
            decision = service.explain_resource(actor, resource)
            assert decision.allowed == (resource in ids)
            assert decision.deciding.zh
    assert service.explain_resource(cast.actor("psb.steward"), "amr_enterprise").deciding.code == "catalog.secret-entry"
    with pytest.raises(ResourceNotFound):
        service.get_resource("amr_enterprise", cast.actor("psb.steward"))
    assert service.get_resource("amr_enterprise", cast.actor("amr.nobody")).grade_max == 6
    assert service.find_resources(ANONYMOUS).items == ()
    assert {item.id for item in service.find_resources(platform_actor("x")).items} == both


def test_find_by_agency_and_page_by_page(cast: Cast) -> None:
    service.apply_contract(cast.actor("psb.steward"), POPULATION, base_version=None)
    service.apply_contract(cast.actor("amr.steward"), ENTERPRISE, base_version=None)
    actor = cast.actor("hrss.steward")

    def found(**filters: str) -> list[str]:
        return [item.id for item in service.find_resources(actor, **filters).items]  # type: ignore[arg-type]

    assert found(agency="psb") == ["psb_population"]
    first = service.find_resources(actor, limit=1)
    assert ([item.id for item in first.items], first.count) == (["amr_enterprise"], 2)
    second = service.find_resources(actor, limit=1, cursor=first.next_cursor)
    assert ([item.id for item in second.items], second.next_cursor) == (["psb_population"], None)


def test_facets_are_written_down_and_replaced(cast: Cast) -> None:
    service.apply_contract(cast.actor("psb.steward"), POPULATION, base_version=None)
    service.put_facet("psb_population", "quality.score", 93)
    service.put_facet("psb_population", "quality.score", 94.5)
    service.put_facet("psb_population", "quality.dimensions", {"规范性": 99})
    resource = service.get_resource("psb_population")
    assert resource.facets == {"quality.score": 94.5, "quality.dimensions": {"规范性": 99}}
    assert service.find_resources(cast.actor("amr.nobody")).items[0].facets == resource.facets
    with pytest.raises(TooLarge):
        service.put_facet("psb_population", "big", "x" * FACET_BYTES_MAX)
    with pytest.raises(ResourceNotFound):
        service.put_facet("nowhere", "a", 1)


@pytest.mark.django_db(transaction=True)
def test_of_many_edits_from_one_base_exactly_one_wins() -> None:
    cast = make_cast()
    steward = cast.actor("psb.steward")
    service.apply_contract(steward, POPULATION, base_version=None)
    outcomes: list[str] = []

    def edit(number: int) -> None:
        text = edited(
            POPULATION, f"1.{number}.0", lambda raw: raw["schema"][0]["properties"].append(  # type: ignore[index]
                {"name": f"extra_{number}", "logicalType": "string"}
            )
        )  # fmt: skip
        try:
            service.apply_contract(steward, text, base_version="1.0.0")
            outcomes.append("applied")
        except VersionConflict:
            outcomes.append("conflict")
        finally:
            connection.close()

    threads = [threading.Thread(target=edit, args=(number,)) for number in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["applied"] + ["conflict"] * 5
    assert ContractVersion.objects.count() == 2

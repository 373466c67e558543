"""One element, one source; whose a field is; who answers at each stage. Through the service and the pages."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from datong.cases import service as cases
from datong.cases.contracts import CaseView, Decision
from datong.catalog import service as catalog
from datong.catalog.responsibility.contracts import (
    AuthorityDisputed,
    AuthorityState,
    ElementNotHeld,
    FieldSourceOpen,
)
from datong.catalog.responsibility.service import (
    claim_element,
    disown_field,
    find_elements_held,
    find_fields,
    find_stages,
    get_element_line,
    release_element,
)
from datong.catalog.tests.samples import changed, column, demo_text, set_word
from datong.kernel.failures import BadInput, NotAllowed
from datong.testing.cast import Cast

ID = "DE-00001"
"""In psb_population (公民身份号码) and amr_enterprise (法定代表人证件号)."""


@pytest.fixture
def city(cast: Cast) -> Cast:
    for agency, name in (("psb", "psb_population"), ("amr", "amr_enterprise")):
        catalog.apply_contract(cast.actor(f"{agency}.steward"), demo_text(name), base_version=None)
    return cast


def authority(city: Cast) -> str | None:
    held = get_element_line(city.actor("psb.nobody"), ID).authority
    return held.resource_id if held else None


def claim(city: Cast) -> CaseView:
    case = claim_element(city.actor("amr.steward"), ID, "amr_enterprise", reason="登记时核对原件")
    assert case is not None
    return case


def test_a_free_element_is_taken_at_once_and_only_by_who_holds_it(city: Cast) -> None:
    assert get_element_line(city.actor("psb.nobody"), ID).state is AuthorityState.OPEN
    with pytest.raises(NotAllowed):
        claim_element(city.actor("amr.steward"), ID, "psb_population")
    with pytest.raises(ElementNotHeld):
        claim_element(city.actor("psb.steward"), "DE-99999", "psb_population")
    assert claim_element(city.actor("psb.steward"), ID, "psb_population") is None
    assert authority(city) == "psb_population"
    with pytest.raises(NotAllowed):
        release_element(city.actor("amr.steward"), ID)
    release_element(city.actor("psb.steward"), ID)
    assert authority(city) is None


def test_a_claim_on_anothers_is_the_bureaus_to_decide(city: Cast) -> None:
    claim_element(city.actor("psb.steward"), ID, "psb_population")
    with pytest.raises(BadInput):
        claim_element(city.actor("amr.steward"), ID, "amr_enterprise")
    case = claim(city)
    assert authority(city) == "psb_population"
    assert find_elements_held(city.actor("psb.nobody"))[0].state is AuthorityState.DISPUTED
    with pytest.raises(AuthorityDisputed):
        claim(city)
    for name in ("psb.approver", "amr.approver", "amr.steward"):
        with pytest.raises(NotAllowed):
            cases.decide_case(city.actor(name), case.id, Decision.APPROVE, "")
    assert [waiting.id for waiting in cases.find_waiting(city.actor("data.bureau"))] == [case.id]
    cases.decide_case(city.actor("data.bureau"), case.id, Decision.REFUSE, "户籍部门负责")
    assert authority(city) == "psb_population"
    cases.decide_case(city.actor("data.bureau"), claim(city).id, Decision.APPROVE, "")
    assert authority(city) == "amr_enterprise"


def test_an_authority_whose_column_is_gone_is_lost_and_can_be_taken(city: Cast) -> None:
    claim_element(city.actor("amr.steward"), ID, "amr_enterprise")

    def drop(raw: dict[str, Any]) -> None:
        raw["version"] = "2.0.0"
        set_word(column(raw, "legal_person_id"), "element", None)

    text = changed(demo_text("amr_enterprise"), drop).text
    catalog.apply_contract(city.actor("amr.steward"), text, base_version="1.0.0")
    assert get_element_line(city.actor("psb.nobody"), ID).state is AuthorityState.LOST
    assert claim_element(city.actor("psb.steward"), ID, "psb_population") is None
    assert authority(city) == "psb_population"


def source_of(city: Cast, name: str) -> tuple[str, bool]:
    (line,) = [line for line in find_fields(city.actor("amr.nobody"), "amr_enterprise") if line.column == name]
    return line.agency, line.is_decided


def test_not_ours_asks_the_named_agency_and_then_the_bureau(city: Cast) -> None:
    name = "legal_person"
    assert source_of(city, name) == ("amr", False)
    steward = city.actor("amr.steward")
    with pytest.raises(NotAllowed):
        disown_field(city.actor("psb.steward"), "amr_enterprise", name, "hrss", "不是我们的")
    for agency, reason in (("psb", " "), ("amr", "自己")):
        with pytest.raises(BadInput):
            disown_field(steward, "amr_enterprise", name, agency, reason)
    case = disown_field(steward, "amr_enterprise", name, "psb", "姓名以户籍为准")
    with pytest.raises(FieldSourceOpen):
        disown_field(steward, "amr_enterprise", name, "hrss", "再问一次")
    with pytest.raises(NotAllowed):
        cases.decide_case(steward, case.id, Decision.APPROVE, "")
    cases.decide_case(city.actor("psb.steward"), case.id, Decision.REFUSE, "企业自报")
    assert source_of(city, name) == ("amr", False)
    (last,) = cases.find_waiting(city.actor("data.bureau"))
    with pytest.raises(NotAllowed):
        cases.decide_case(city.actor("psb.steward"), last.id, Decision.APPROVE, "")
    cases.decide_case(city.actor("data.bureau"), last.id, Decision.APPROVE, "")
    assert source_of(city, name) == ("psb", True)


def test_stages_show_their_gaps(city: Cast) -> None:
    def name_one(raw: dict[str, Any]) -> None:
        set_word(raw, "stages", {"collect": "企业登记科", "store": "信息中心"})

    contract = changed(demo_text("amr_enterprise"), name_one)
    assert [stage.who for stage in find_stages(contract)] == ["企业登记科", "信息中心", "", "", "", ""]


def test_the_pages_take_a_claim_to_its_decision(city: Cast, client: Client) -> None:
    client.force_login(city.user("psb.steward"))
    element = f"/responsibility/elements/{ID}/"
    assert client.post(f"{element}claim", {"resource": "psb_population"}).status_code == 302
    client.force_login(city.user("amr.steward"))
    assert client.post(f"{element}claim", {"resource": "amr_enterprise", "reason": "原件"}).status_code == 302
    client.force_login(city.user("data.bureau"))
    assert "原件" in client.get(element).content.decode()
    assert client.post(f"{element}decision", {"decision": "approve"}).status_code == 302
    assert authority(city) == "amr_enterprise"
    for address in (
        "/responsibility/", "/responsibility/?state=held", element, "/resources/amr_enterprise/responsibility",
        "/responsibility/fields/amr_enterprise.legal_person/",
    ):  # fmt: skip
        assert client.get(address).status_code == 200
    lines = client.get("/responsibility/elements.csv").content.decode("utf-8-sig").splitlines()
    assert any("企业登记基本信息" in line and line.endswith("是") for line in lines)

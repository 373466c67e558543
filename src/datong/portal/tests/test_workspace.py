"""待我处理: one kind of case never pushes the others off the page; each kind has an address; the urgent come first."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.test import Client

from datong.cases import service as cases
from datong.cases.contracts import CASE_KINDS, CASE_PAGES
from datong.kernel.contracts import Subject
from datong.portal.service import CASES_OF_KIND_SHOWN_MAX, gather_workspace
from datong.testing.cast import Cast

ORDER, FIELD, CONTRACT = "quality-order", "field-source", "contract-approval"
ORDERS = 16


def open_case(cast: Cast, kind: str, number: str, *, days: int) -> None:
    cases.open_case(
        kind=kind,
        title_zh=f"事项{number}",
        title_en=f"Case {number}",
        subject=Subject(kind=kind, id=f"subject_{number}"),
        actor=cast.actor("hrss.steward"),
        from_agency_id=cast.agencies["hrss"].id,
        to_agency_id=cast.agencies["psb"].id,
        allowance_days=days,
        number=number,
    )


@pytest.fixture
def flooded(cast: Cast) -> Cast:
    for turn in range(ORDERS):
        open_case(cast, ORDER, f"C-Q-{turn:02}", days=5)
    open_case(cast, FIELD, "C-F-01", days=10)
    open_case(cast, CONTRACT, "C-C-01", days=1)
    return cast


def read_home(cast: Cast, query: str = "", member: str = "psb.approver") -> str:
    client = Client()
    client.force_login(cast.user(member), backend=settings.AUTHENTICATION_BACKENDS[0])
    answer = client.get(f"/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_flood_of_one_kind_leaves_the_others_on_the_page_and_the_most_urgent_first(flooded: Cast) -> None:
    work = gather_workspace(flooded.actor("psb.approver"))
    assert [(kind.key, kind.count, len(kind.cases)) for kind in work.kinds] == [
        (CONTRACT, 1, 1),
        (ORDER, ORDERS, CASES_OF_KIND_SHOWN_MAX),
        (FIELD, 1, 1),
    ]
    assert work.waiting_count == work.due_count == ORDERS + 2
    text = read_home(flooded)
    assert list(dict.fromkeys(re.findall(r"C-[QFC]-\d\d", text))) == ["C-C-01", "C-Q-00", "C-Q-01", "C-Q-02", "C-F-01"]
    assert f"展开另外{ORDERS - CASES_OF_KIND_SHOWN_MAX}件" in text


def test_a_kind_unfolds_at_its_own_address_and_folds_again(flooded: Cast) -> None:
    folded = read_home(flooded)
    assert f'href="/?kind={ORDER}"' in folded
    text = read_home(flooded, f"?kind={ORDER}")
    assert len(set(re.findall(r"C-Q-\d\d", text))) == ORDERS
    assert "C-F-01" not in text
    assert re.search(rf'<a href="/\?kind={ORDER}" aria-current="true">质量工单 {ORDERS}</a>', text)
    assert re.search(rf'<a href="/">全部 {ORDERS + 2}</a>', text), "the way back to all kinds"


def test_a_day_and_a_kind_are_chosen_together(flooded: Cast) -> None:
    text = read_home(flooded, f"?kind={ORDER}&due=late")
    assert "这里没有办件" in text
    assert "C-Q-00" not in text
    day = gather_workspace(flooded.actor("psb.approver"), kind=FIELD).kinds[0].cases[0].case.deadline.due_on
    assert set(re.findall(r"C-[QFC]-\d\d", read_home(flooded, f"?due={day}"))) == {"C-F-01"}


def test_who_may_only_look_is_not_told_to_act(flooded: Cast) -> None:
    acts = {kind.key: kind.cases[0].may_decide for kind in gather_workspace(flooded.actor("psb.approver")).kinds}
    assert acts[CONTRACT]
    assert not acts[ORDER], "an order closes by a better file, not by a decision"
    looks = {kind.key: kind.cases[0].may_decide for kind in gather_workspace(flooded.actor("psb.steward")).kinds}
    assert not looks[CONTRACT]


def test_every_kind_of_case_has_a_page() -> None:
    kinds = {key for key, _ in CASE_KINDS.items()}
    assert len(kinds) >= 6
    assert kinds == {key for key, _ in CASE_PAGES.items()}

"""Every page as it stands: no barrier that axe knows, no sideways scroll on a phone, nothing refused by the policy."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Error, ViewportSize

from tests.browser.pages import PLACES, Place, Reader, go_to

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("instance"), pytest.mark.timeout(300)]
Open = Callable[..., Reader]


PHONE: ViewportSize = {"width": 375, "height": 800}
HTML_BYTES_MAX = 150_000


@pytest.fixture
def pages(request: pytest.FixtureRequest) -> dict[str, str]:
    """The furnished resource's addresses, for the places that need them: the others do not wait for it."""
    place = request.getfixturevalue("place")
    found: dict[str, str] = request.getfixturevalue("furnished").pages if place.furnished else {}
    return found


BY_DAY = [pytest.param(place, marks=[pytest.mark.slow] * place.is_seldom, id=place.name) for place in PLACES]


@pytest.mark.parametrize("place", BY_DAY)
def test_a_page_in_chinese_by_day_on_a_desk_and_on_a_phone(reader: Open, place: Place, pages: dict[str, str]) -> None:
    person = reader(place.account)
    page = go_to(person, place, pages)
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    assert page.locator("html").get_attribute("data-bs-theme") == "light"
    assert page.locator("h1").count() == 1
    assert len(page.content().encode()) <= HTML_BYTES_MAX
    assert page.locator("main .btn-primary:not(.btn-sm)").count() <= (99 if place.name == "design" else 1)
    assert person.find_barriers() == []
    page.set_viewport_size(PHONE)
    assert person.sideways_px() == 0
    assert serious(person, place) == []
    assert person.strangers == []


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_a_page_in_english_by_night_on_a_phone(reader: Open, place: Place, pages: dict[str, str]) -> None:
    person = reader(place.account, width=PHONE["width"], theme="dark", language="en")
    page = go_to(person, place, pages)
    assert page.locator("html").get_attribute("lang") == "en-GB"
    assert page.locator("html").get_attribute("data-bs-theme") == "dark"
    assert person.find_barriers() == []
    assert person.sideways_px() == 0
    assert untranslated(person) == []
    assert serious(person, place) == []


def serious(person: Reader, place: Place) -> list[str]:
    """What the browser complained of, but for the status that the page is meant to have."""
    return [text for text in person.complaints if not (place.status >= 400 and str(place.status) in text)]


def untranslated(person: Reader) -> list[str]:
    """Chinese in headings, buttons, labels and table heads, which are ours; names, titles and what stands in
    quotes are data."""
    ours = "main h2, main thead th, main button:not([lang]), main label.form-label, nav .hd"
    texts = person.page.locator(ours).all_inner_texts()
    return [text for text in texts if re.search(r"[\u4e00-\u9fff]", re.sub(r"“[^”]*”", "", text))]


def test_what_these_tests_can_see(reader: Open) -> None:
    """The planted violations: a barrier, a sideways scroll and a refused style are each noticed."""
    person = reader()
    page = person.open("/sign-in/")
    page.evaluate("document.querySelector('label').remove()")
    assert any("label" in barrier for barrier in person.find_barriers())
    page.evaluate("document.querySelector('h1').textContent = 'x'.repeat(4000)")
    page.evaluate("Object.assign(document.querySelector('h1').style, {whiteSpace: 'pre', overflowWrap: 'normal'})")
    assert person.sideways_px() > 0
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">planted</p>')")
    assert any("Content Security Policy" in complaint for complaint in person.complaints)
    assert person.strangers == []
    with pytest.raises(Error):
        page.goto("http://elsewhere.invalid/")
    assert person.strangers == ["http://elsewhere.invalid/"]


def test_the_places_cover_both_sides() -> None:
    assert len(PLACES) >= 15
    assert {place.account for place in PLACES} >= {None, "approver", "steward", "steward_psb", "auditor"}
    assert len({place.name for place in PLACES}) == len(PLACES)

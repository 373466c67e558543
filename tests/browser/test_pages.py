"""Every page as it stands: no barrier that axe knows, no sideways scroll on a phone, nothing refused by the policy."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import ViewportSize

from tests.browser.pages import PLACES, Place, Reader, go_to

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("instance"), pytest.mark.timeout(300)]
Open = Callable[..., Reader]


PHONE: ViewportSize = {"width": 375, "height": 800}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_a_page_in_chinese_by_day_on_a_desk_and_on_a_phone(reader: Open, place: Place) -> None:
    person = reader(place.account)
    page = go_to(person, place)
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    assert page.locator("html").get_attribute("data-bs-theme") == "light"
    assert page.locator("h1").count() == 1
    assert person.find_barriers() == []
    page.set_viewport_size(PHONE)
    assert person.sideways_px() == 0
    assert serious(person, place) == []


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_a_page_in_english_by_night_on_a_phone(reader: Open, place: Place) -> None:
    person = reader(place.account, width=PHONE["width"], theme="dark", language="en")
    page = go_to(person, place)
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
    """Chinese in headings, buttons, labels and table heads, which are ours; names and titles are data."""
    ours = "main h2, main thead th, main button:not([lang]), main label.form-label, nav .hd"
    texts = person.page.locator(ours).all_inner_texts()
    return [text for text in texts if any("\u4e00" <= character <= "\u9fff" for character in text)]


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


def test_the_places_cover_both_sides() -> None:
    assert len(PLACES) >= 15
    assert {place.account for place in PLACES} >= {None, "approver", "steward", "steward_psb", "auditor"}
    assert len({place.name for place in PLACES}) == len(PLACES)

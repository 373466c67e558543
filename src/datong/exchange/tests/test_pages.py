"""What the pages say: names in the reader's language, limits as people mean them, a revocation under way."""

from __future__ import annotations

import re
import socket
import threading

from django.conf import settings
from django.test import Client
from django.urls import reverse

from datong.exchange import service
from datong.exchange.requests import GrantState
from datong.exchange.store.models import Grant
from datong.exchange.tests.conftest import Market
from datong.exchange.tests.test_grants import answer_with_old_snapshots
from datong.exchange.web.present import cap_words
from datong.kernel.config import load_settings, make_private_dir
from datong.kernel.limits import GRANT_RATE_PER_MINUTE_DEFAULT
from datong.kernel.store.models import Agency, Member


def open_client(market: Market, name: str, language: str = "en") -> Client:
    client = Client()
    client.force_login(market.cast.user(name), backend=settings.AUTHENTICATION_BACKENDS[0])
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    return client


def read(client: Client, name: str, *ids: str, **query: str) -> str:
    """The page's own part, without its markup."""
    answer = client.get(reverse(name, args=ids), query)
    assert answer.status_code == 200
    main = answer.content.decode().partition("<main")[2].partition("</main>")[0]
    return re.sub(r"<[^>]+>", " ", main)


def test_english_pages_name_agencies_people_and_resources_in_english(market: Market) -> None:
    market.apply(
        version="1.1.0",
        base="1.0.0",
        change=lambda text: text.replace(
            "customProperties:\n  - {property: agency",
            "customProperties:\n  - {property: titleEn, value: Insured}\n  - {property: agency",
        ),
    )
    Member.objects.filter(pk=market.cast.members["hrss.steward"]).update(name_en="Zhou Wenlan")
    Member.objects.filter(pk=market.cast.members[f"{market.owner}.approver"]).update(name_en="Wang Hai")
    waiting, grant = market.ask(), market.grant()
    names = {"市公安局", "市人社局", "参保人员"}
    english = {"Public Security", "Human Resources", "Insured", "Zhou Wenlan", "Wang Hai"}
    client = open_client(market, f"{market.owner}.approver")
    seen = {
        "request": read(client, "exchange:request", waiting.id),
        "grant": read(client, "exchange:grant", grant.id),
        "requests": read(client, "exchange:requests"),
        "grants": read(client, "exchange:grants"),
        "approvals": read(client, "portal:audit", verb="request.approved"),
        "home": read(client, "portal:home"),
    }
    for page, text in seen.items():
        assert not [name for name in names if name in text], page
        assert "Human Resources" in text, page
    said = "".join(seen.values())
    assert [name for name in english if name not in said] == []
    chinese = open_client(market, f"{market.owner}.approver", "zh-hans")
    assert [name for name in names if name not in read(chinese, "exchange:grant", grant.id)] == []


def test_a_name_without_english_is_shown_in_chinese(market: Market) -> None:
    Agency.objects.update(name_en="")
    asked = market.ask()
    text = read(open_client(market, "hrss.steward"), "exchange:request", asked.id)
    assert "市人社局 asks for" in text
    assert "参保人员" in text


def test_the_platform_s_own_limit_is_named_and_another_is_counted(market: Market) -> None:
    asked, limited = market.ask(), market.ask(market.draft(rate_per_minute=60, daily_cap=5000))
    client = open_client(market, "hrss.steward")
    assert "No daily cap, rate up to the platform limit" in read(client, "exchange:request", asked.id)
    assert "At most 5,000 a day, at most 60 a minute" in read(client, "exchange:request", limited.id)
    grant = market.approve(asked)
    chinese = read(open_client(market, "hrss.steward", "zh-hans"), "exchange:grant", grant.id)
    assert "不设每日上限，频次按平台上限" in chinese
    assert f"{GRANT_RATE_PER_MINUTE_DEFAULT:,}" not in chinese
    assert f"{GRANT_RATE_PER_MINUTE_DEFAULT - 1:,}" in cap_words(0, GRANT_RATE_PER_MINUTE_DEFAULT - 1)


def test_a_revocation_that_no_gateway_has_confirmed_is_a_note_on_the_grant_s_page(
    market: Market,
) -> None:
    """A gateway is there and has not looked: the page says that it goes on, and offers no second revocation."""
    grant = market.grant()
    client = open_client(market, f"{market.owner}.approver")
    path = load_settings().socket("gateway")
    make_private_dir(path.parent)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        answering = threading.Thread(target=answer_with_old_snapshots, args=(listener, 1))
        answering.start()
        answer = client.post(reverse("exchange:revoke", args=[grant.id]), {"reason": "用途已经办结"}, follow=True)
        answering.join(10)
    path.unlink()
    assert answer.redirect_chain == [(reverse("exchange:grant", args=[grant.id]), 302)]
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "a gateway has not confirmed it yet" in text
    assert "Being revoked" in text
    assert "用途已经办结" in text
    assert 'id="revoke"' not in text
    assert Grant.objects.get().state == GrantState.REVOKING
    assert service.finish_revocations() == 1
    text = read(client, "exchange:grant", grant.id)
    assert "a gateway has not confirmed it yet" not in text
    assert "Revoked by" in text


def test_a_case_due_after_the_strip_is_counted_as_later(market: Market) -> None:
    """Ten working days reach beyond the eleven days that the strip shows."""
    asked = market.ask()
    client = open_client(market, f"{market.owner}.approver")
    days = client.get(reverse("portal:home")).content.decode().partition('<nav class="dt-cal')[2].partition("</nav>")[0]
    assert re.findall(r"<b[^>]*>(\d+)</b>", days)[-1] == "1"
    assert "?due=later" in days
    assert asked.number in read(client, "portal:home", due="later")
    assert asked.number not in read(client, "portal:home", due="late")

"""Chromium against a running platform. The pages are driven as people drive them: through the public port."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.resources import files

import pytest
from playwright.sync_api import Browser, Page, StorageState, sync_playwright

from datong.testing.instance import Instance
from tests.browser.furnished import Furnished, furnish
from tests.browser.pages import AXE, Reader

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    assert program, "Chromium is missing: run `make dev` as root, or `apt-get install chromium`."
    assert AXE.is_file(), "axe-core is missing: run `python tools/build_assets.py`."
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def askable(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A resource of these tests' own to ask for, decide on and revoke: nobody else's grants are touched."""
    resource = "eco_beijing_pm25"
    contract = files("datong.testing") / "contracts" / f"{resource}.odcs.yaml"
    login = instance.read("logins.json")["steward_eco"]
    password = tmp_path_factory.mktemp("password") / "password"
    password.touch(mode=0o600)
    password.write_text(login["password"], encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "datong.app.cli", "contract", "apply", str(contract), "--as", login["username"]],
        env=instance.environment | {"DATONG_PASSWORD_FILE": str(password)},
        check=True,
        timeout=60,
    )
    return resource


@pytest.fixture(scope="session")
def signed_in(instance: Instance, browser: Browser) -> Callable[[str], StorageState]:
    """The cookies of a demonstration account; each signs in once, through the form."""
    states: dict[str, StorageState] = {}

    def sign_in(account: str) -> StorageState:
        if account not in states:
            context = browser.new_context()
            page = context.new_page()
            Reader(page=page, instance=instance).sign_in(account)
            states[account] = context.storage_state()
            context.close()
        return states[account]

    return sign_in


@pytest.fixture(scope="session")
def furnished(instance: Instance, browser: Browser, signed_in: Callable[[str], StorageState]) -> Iterator[Furnished]:
    """A resource with runs, orders, a waiver, a claim, a draft and a source, made once and without JavaScript."""
    contexts = []

    def open_as(account: str) -> Reader:
        context = browser.new_context(java_script_enabled=False, storage_state=signed_in(account), locale="zh-CN")
        contexts.append(context)
        return Reader(page=context.new_page(), instance=instance)

    yield furnish(instance, open_as)
    for context in contexts:
        context.close()


@pytest.fixture
def reader(
    instance: Instance, browser: Browser, signed_in: Callable[[str], StorageState]
) -> Iterator[Callable[..., Reader]]:
    """A person at a browser: `reader("approver", width=375, theme="dark", language="en", javascript=False)`."""
    contexts = []

    def open_browser(
        account: str | None = None,
        *,
        width: int = 1440,
        theme: str = "light",
        language: str = "zh-hans",
        javascript: bool = True,
    ) -> Reader:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            java_script_enabled=javascript,
            storage_state=signed_in(account) if account else None,
        )
        contexts.append(context)
        chosen = {"datong-theme": theme, "datong-language": language}
        context.add_cookies([{"name": name, "value": value, "url": instance.url} for name, value in chosen.items()])
        page: Page = context.new_page()
        return Reader(page=page, instance=instance)

    yield open_browser
    for context in contexts:
        context.close()

"""Documentation as a test: every setting, limit, command and endpoint has its heading in the reference."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from tools.write_reference import PAGES, find_outdated, read_limits, walk_commands

from datong.kernel import limits
from datong.kernel.config import SETTINGS
from datong.kernel.failures import Failure
from tests.laws.tree import ROOT

REFERENCE = ROOT / "docs" / "reference"


def headings(path: Path) -> set[str]:
    """The headings of a page, without their code marks."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {re.sub(r"^#+\s+", "", line).replace("`", "").strip() for line in lines if line.startswith("#")}


def missing(expected: Iterable[str], page: Path) -> list[str]:
    present = headings(page)
    return sorted(name for name in expected if name not in present)


def command_names() -> list[str]:
    return [name for name, _ in walk_commands()]


def endpoint_names() -> list[str]:
    from datong.app.wiring import find_endpoints

    return find_endpoints()


def expected_names() -> dict[str, list[str]]:
    return {
        "settings.md": [setting.name for setting in SETTINGS],
        "limits.md": [name for name in vars(limits) if name.isupper()],
        "command-line.md": command_names(),
        "endpoints.md": endpoint_names(),
    }


@pytest.mark.parametrize("page", ["settings.md", "limits.md", "command-line.md", "endpoints.md"])
def test_everything_has_its_heading(page: str) -> None:
    expected = expected_names()[page]
    assert len(expected) >= 5
    assert missing(expected, REFERENCE / page) == []


def test_a_missing_heading_is_caught(tmp_path: Path) -> None:
    page = tmp_path / "settings.md"
    page.write_text("# Settings\n\n## `DATONG_HOME`\n")
    assert missing(["DATONG_HOME", "DATONG_PORT"], page) == ["DATONG_PORT"]


def test_the_generated_pages_are_up_to_date() -> None:
    assert len(PAGES) >= 5
    assert find_outdated(REFERENCE) == [], "run `make docs`"


def test_an_outdated_page_is_caught(tmp_path: Path) -> None:
    for name in PAGES:
        (tmp_path / name).write_text((REFERENCE / name).read_text(encoding="utf-8"), encoding="utf-8")
    limits_page = tmp_path / "limits.md"
    limits_page.write_text(limits_page.read_text(encoding="utf-8").replace("4 GiB", "5 GiB"), encoding="utf-8")
    (tmp_path / "settings.md").unlink()
    assert sorted(find_outdated(tmp_path)) == ["limits.md", "settings.md"]


def test_a_limit_is_read_with_its_heading_and_words() -> None:
    source = '# Uploads\nA_BYTES_MAX: Final = 1\n"""One\nfile."""\nB_S: Final = 2\n\n# Jobs\nC_MAX: Final = 3\n'
    assert list(read_limits(source)) == [
        ("Uploads", "A_BYTES_MAX", "One file."),
        ("", "B_S", ""),
        ("Jobs", "C_MAX", ""),
    ]


def test_every_refusal_is_on_the_page_of_the_wire() -> None:
    from datong.exchange import contracts

    codes = {value.code for value in vars(contracts).values() if is_refusal_of(value, contracts.__name__)}
    assert len(codes) >= 10
    page = (REFERENCE / "wire.md").read_text(encoding="utf-8")
    assert unlisted(codes, page) == []
    assert unlisted(codes, page.replace("| `grant-revoked` | 403 |", "")) == ["grant-revoked"]


def is_refusal_of(value: object, module: str) -> bool:
    """A failure that the module declares and that is raised as it is: not a base of others."""
    return (
        isinstance(value, type)
        and issubclass(value, Failure)
        and value.__module__ == module
        and not value.__subclasses__()
    )


def unlisted(codes: Iterable[str], page: str) -> list[str]:
    return sorted(code for code in codes if f"| `{code}` |" not in page)


def contract_words() -> dict[str, set[str]]:
    """What of a contract's own words stands on which page, as headings or as code."""
    from datong.catalog.collecting_words import CLEANING_STEPS, READING_KEYS, TABLE_STEPS
    from datong.catalog.reading import CUSTOM_WORDS_COLUMN, CUSTOM_WORDS_CONTRACT
    from datong.collect.sources.options import OPTIONS
    from datong.quality.expressions import FUNCTIONS
    from datong.quality.rule_words import SET_RULES

    return {
        "contract.md": {*CUSTOM_WORDS_CONTRACT, *CUSTOM_WORDS_COLUMN},
        "file-forms.md": set(READING_KEYS),
        "cleaning-steps.md": {*CLEANING_STEPS, *TABLE_STEPS},
        "source-kinds.md": {*OPTIONS, *(spec.name for options in OPTIONS.values() for spec in options)},
        "quality-rules.md": {*FUNCTIONS, *SET_RULES},
        "city.md": city_words(),
    }


def city_words() -> set[str]:
    from datong.testing.city.agencies import TABLES_BY_NAME
    from datong.testing.city.faults import DIRT, FAULTS

    return {*FAULTS, *TABLES_BY_NAME, *DIRT}


def unexplained(words: Iterable[str], text: str) -> list[str]:
    """Words that are neither in a heading nor written as code, alone or as a call."""
    headed = " ".join(line for line in text.splitlines() if line.startswith("#"))
    coded = " ".join(re.findall(r"`([^`\n]+)`", text))
    return sorted(
        word for word in words if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", f"{headed} {coded}")
    )


@pytest.mark.parametrize("page", sorted(contract_words()))
def test_every_word_of_ours_is_explained(page: str) -> None:
    words = contract_words()[page]
    text = (REFERENCE / page).read_text(encoding="utf-8")
    assert len(words) >= 8
    assert unexplained(words, text) == []
    lost = min(words)
    assert unexplained([lost], text.replace(lost, "another")) == [lost]


def test_a_custom_property_has_a_heading_of_its_own() -> None:
    from datong.catalog.reading import CUSTOM_WORDS_COLUMN, CUSTOM_WORDS_CONTRACT

    assert missing({*CUSTOM_WORDS_CONTRACT, *CUSTOM_WORDS_COLUMN}, REFERENCE / "contract.md") == []


def test_every_command_that_a_page_shows_is_one() -> None:
    known = {
        name: {spelling for option in command.params for spelling in (*option.opts, *option.secondary_opts)}
        for name, command in walk_commands()
    }
    pages = [page for page in find_pages(ROOT) if page.name != "command-line.md"]
    assert sum(len(shown_commands(page.read_text(encoding="utf-8"))) for page in pages) > 100
    assert [wrong for page in pages for wrong in wrong_commands(page.read_text(encoding="utf-8"), known)] == []
    planted = "```\ndatong colect a b\ndatong version --loud\n```\nor `datong run list --limit 3`"
    assert wrong_commands(planted, known) == ["datong colect a b", "datong version --loud"]


def shown_commands(text: str) -> list[str]:
    """Calls at the beginning of a line or of a piece of code, lines that go on joined."""
    return re.findall(r"(?:^|`)[ ]*(datong [a-z][^`\n]*)", text.replace("\\\n", " "), re.MULTILINE)


def wrong_commands(text: str, known: Mapping[str, set[str]]) -> list[str]:
    wrong = []
    for line in shown_commands(text):
        words = line.split()
        name = next((name for size in (3, 2) if (name := " ".join(words[:size])) in known), None)
        options = {word.partition("=")[0] for word in words if word.startswith("--")} - {"--help"}
        if name is None or options - known[name]:
            wrong.append(line)
    return wrong


def test_relative_links_lead_somewhere() -> None:
    pages = find_pages(ROOT)
    assert len(pages) > 20
    assert broken_links(pages) == []


def test_a_broken_link_is_caught(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("# A b\n\n[here](#a-b) [there](b.md) [gone](#c) [out](https://example.org/x)\n")
    assert [target for _, target in broken_links([page])] == ["b.md", "#c"]


def find_pages(root: Path) -> list[Path]:
    return sorted([*root.glob("*.md"), *(root / "docs").rglob("*.md")])


def broken_links(pages: Iterable[Path]) -> list[tuple[str, str]]:
    """(page, target) of every relative link whose file or heading is not there."""
    found = []
    for page in pages:
        text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if "://" in target or target.startswith("mailto:"):
                continue
            name, _, anchor = target.partition("#")
            file = (page.parent / name) if name else page
            if not file.exists() or (anchor and anchor not in {anchor_of(h) for h in headings(file)}):
                found.append((page.name, target))
    return found


def anchor_of(heading: str) -> str:
    """As the usual Markdown renderers make it: lower case, spaces to hyphens, punctuation gone."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")

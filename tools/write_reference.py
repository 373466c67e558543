"""Write the generated reference pages (`make docs`): settings, limits, commands, endpoints, audit verbs.

Each page is made from the code that the platform runs, so that it cannot say something else; `tests/laws/test_docs.py`
fails while a page differs from what this tool would write. The same input always gives the same bytes.
"""

from __future__ import annotations

import ast
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from os import environ
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
GENERATED = "<!-- Written by tools/write_reference.py (`make docs`). Change the code, not this page. -->"
UNITS = (
    ("BYTES", "bytes"), ("CHARACTERS", "characters"), ("DAYS", "days"), ("ROWS", "rows"), ("MIB", "MiB"), ("MB", "MB"),
    ("GB", "GB"), ("S", "s"),
)  # fmt: skip
VALUE_WORDS = {str: "TEXT", int: "NUMBER", Path: "PATH"}
HAND_WRITTEN = {
    "/x/v1/verify/{resource}": "Ask whether claims are true, without seeing data. See [the wire](wire.md#verify).",
    "/x/v1/batch/{resource}": "Fetch the granted file, whole or in ranges. See [the wire](wire.md#batch).",
    "/audit/checkpoint": "The newest signed size and root of the audit log (C2SP tlog-checkpoint).",
    "/audit/tile/{level}/{tile}": "A tile of the log's hashes (C2SP tlog-tiles).",
    "/audit/tile/entries/{tile}": "A bundle of the log's entries, for monitors that hold the reader's key.",
    "/.well-known/datong.json": "Where things are on this node, and the key that receipts are checked with.",
    "/.well-known/jwks.json": "The log's Ed25519 key as a JSON Web Key (RFC 7517).",
    "/healthz": "The process lives.",
    "/readyz": "The data plane can answer; control is named, and does not count.",
    "/metrics": "Figures in Prometheus' text form: the gateway's, and control's when it answers.",
    "/sign-in/": "The sign-in form.",
    "/sign-out/": "Sign out.",
    "/account/password/": "Change one's own password.",
    "/account/reauthenticate/": "Give the password again before a sensitive change.",
    "/account/inactive/": "What a deactivated member sees.",
    "/account/sign-up/": "Closed: accounts are made by the operator.",
    "/account/password/reset/": "Closed: no password is reset by e-mail.",
    "/language/": "Choose the pages' language.",
}
GATEWAY_CALLERS: Mapping[str, tuple[str, str]] = {
    "/x/v1/verify/{resource}": ("POST", "a system with a bearer token and a grant in mode verify"),
    "/x/v1/batch/{resource}": ("GET, HEAD", "a system with a bearer token and a grant in mode batch"),
    "/audit/checkpoint": ("GET", "everybody"),
    "/audit/tile/{level}/{tile}": ("GET", "everybody"),
    "/audit/tile/entries/{tile}": ("GET", "a monitor with the reader's key as bearer token"),
    "/.well-known/datong.json": ("GET", "everybody"),
    "/.well-known/jwks.json": ("GET", "everybody"),
    "/healthz": ("GET", "everybody"),
    "/readyz": ("GET", "everybody"),
    "/metrics": ("GET", "everybody who reaches the port; close it in the proxy in front"),
}
PERSONAS = {
    "anonymous": "nobody signed in",
    "nobody": "the owner's member without a role",
    "steward": "the owner's steward",
    "approver": "the owner's approver",
    "asker": "the grantee's steward",
    "stranger": "a third agency's steward",
    "bureau": "the bureau",
    "auditor": "the auditor",
    "security": "the security officer",
    "operator": "the operator",
}


class ReferenceIncomplete(Exception):  # noqa: N818 - it says what is missing
    """Something in the code has no words for its page."""


def make_page(title: str, introduction: str, blocks: Iterable[str]) -> str:
    return "\n\n".join([f"# {title}", GENERATED, introduction, *blocks]) + "\n"


# Settings -------------------------------------------------------------------------------------------------------------


def write_settings() -> str:
    from datong.kernel.config import SETTINGS

    blocks = []
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default else "empty"
        secret = " It is a secret: no log, command or error prints it." if setting.secret else ""
        blocks.append(f"## `{setting.name}`\n\nDefault: {default}. {_sentence(setting.help)}{secret}")
    introduction = (
        "Environment variables, read once when a process starts. A name that begins with `DATONG_` and is not known is "
        "refused, because it is probably misspelt. `datong doctor` says which value came from where."
    )
    return make_page("Settings", introduction, blocks)


# Limits ---------------------------------------------------------------------------------------------------------------


def write_limits() -> str:
    from datong.kernel import limits

    path = Path(limits.__file__)
    blocks = []
    for heading, name, words in read_limits(path.read_text(encoding="utf-8")):
        if heading:
            blocks.append(f"## {heading}")
        value = f"{describe_value(name, getattr(limits, name))}."
        blocks.append(f"### `{name}`\n\n{value}{' ' + words if words else ''}")
    introduction = (
        "Everything has a limit, and every limit has a name (`src/datong/kernel/limits.py`). They are constants of "
        "this version, not settings."
    )
    return make_page("Limits", introduction, blocks)


def read_limits(source: str) -> Iterator[tuple[str, str, str]]:
    """(heading, if a new one begins here; name; the docstring below it) of each limit, in the file's order."""
    lines = source.splitlines()
    body = ast.parse(source).body
    read_up_to, heading = 0, ""
    for node, following in zip(body, [*body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        between = lines[read_up_to : node.lineno - 1]
        new = next((line[2:].strip() for line in between if line.startswith("# ")), "")
        read_up_to = node.end_lineno or node.lineno
        words = ""
        if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            words = _sentence(str(following.value.value))
        yield (new if new != heading else ""), node.target.id, words
        heading = new or heading


def describe_value(name: str, value: float) -> str:
    """`UPLOAD_BYTES_MAX`, 4294967296 → "4,294,967,296 bytes (4 GiB)": the unit is a word of the name."""
    words = name.split("_")
    unit = next((text for word, text in UNITS if word in words), "")
    text = f"{value:,}" if isinstance(value, int) else f"{value:g}"
    if unit == "bytes":
        for size, short in ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB")):
            if value >= size and value % size == 0:
                return f"{text} bytes ({int(value // size)} {short})"
    return f"{text} {unit}".strip()


# Commands -------------------------------------------------------------------------------------------------------------


def write_commands() -> str:
    blocks = [_describe_command(name, command) for name, command in walk_commands()]
    introduction = (
        "Exit code 0 is done, 1 a failure (as `application/problem+json` under `--json`), 2 wrong usage. `--as MEMBER` "
        "names the member who acts. Where the command says that the password is asked for, `DATONG_PASSWORD_FILE` may "
        "name a file that holds it."
    )
    return make_page("The command line", introduction, blocks)


def walk_commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, as `datong contract lint`."""
    from typer.main import get_command

    from datong.app import cli

    cli.register_commands()

    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        children = getattr(command, "commands", None)
        if children is None:
            yield " ".join(path), command
            return
        for name, child in children.items():
            yield from walk(child, (*path, name))

    yield from sorted(walk(get_command(cli.app), ("datong",)))


def _describe_command(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    usage = " ".join([name, *(_usage(a) for a in arguments), *(["[options]"] if options else [])])
    lines = [f"## {name}", f"{_sentence(_require(command.help, name))}", f"```\n{usage}\n```"]
    rows = [(f"`{_metavar(a)}`", _note(a)) for a in arguments]
    rows += [(f"`{_spelling(o)}`", _note(o)) for o in sorted(options, key=lambda o: o.opts[0])]
    if rows:
        lines.append("\n".join(["| | |", "|---|---|", *(f"| {left} | {right} |" for left, right in rows)]))
    return "\n\n".join(lines)


def _metavar(argument: Any) -> str:
    return str(argument.metavar or argument.name).upper()


def _usage(argument: Any) -> str:
    text = _metavar(argument) + ("…" if argument.nargs == -1 else "")
    return text if argument.required else f"[{text}]"


def _spelling(option: Any) -> str:
    text = ", ".join([*option.opts, *option.secondary_opts])
    if option.is_flag:
        return text
    return f"{text} {option.metavar or VALUE_WORDS.get(_value_type(option), option.name.upper())}"


def _value_type(parameter: Any) -> Any:
    """The type of one value: `int` of `list[int]` and of `int | None`."""
    annotation = parameter.type_descriptor.annotation
    inner = [a for a in getattr(annotation, "__args__", ()) if a is not type(None)]
    return inner[0] if inner else annotation


def _note(parameter: Any) -> str:
    parts = [_sentence(parameter.help or "")]
    value_type = _value_type(parameter)
    if isinstance(value_type, type) and issubclass(value_type, Enum):
        parts.append("One of " + ", ".join(f"`{choice.value}`" for choice in value_type) + ".")
    if parameter.required and parameter.param_type_name == "option":
        parts.append("Required.")
    elif isinstance(parameter.default, int | str) and not isinstance(parameter.default, bool) and parameter.default:
        parts.append(f"Default: `{parameter.default}`.")
    return " ".join(part for part in parts if part).replace("|", "\\|")


# Endpoints ------------------------------------------------------------------------------------------------------------


def write_endpoints() -> str:
    from datong.app.control.endpoints import walk_endpoints
    from datong.app.gateway.routes import GATEWAY_ENDPOINTS
    from datong.app.wiring import find_endpoints

    said = {endpoint.pattern: endpoint.sentence for endpoint in walk_endpoints()}
    blocks = []
    for pattern in find_endpoints():
        words = HAND_WRITTEN.get(pattern) or said.get(pattern, "")
        block = f"## `{pattern}`\n\n{_sentence(_require(words, pattern))}"
        if pattern in GATEWAY_ENDPOINTS:
            methods, callers = GATEWAY_CALLERS[pattern]
            block += f"\n\nServed by the gateway. {methods}: {callers}."
        else:
            block += "\n\n" + "\n".join(_describe_answers(pattern))
        blocks.append(block)
    introduction = (
        "Every address that the platform answers. What each person gets is the permission matrix of `tests/laws`, "
        "which a test walks on every route: 302 without sign-in leads to the sign-in page, 404 hides what somebody may "
        "not know of, 401 and 403 are refusals as `application/problem+json`, 286 tells a page to load anew."
    )
    return make_page("Endpoints", introduction, blocks)


def _describe_answers(pattern: str) -> list[str]:
    """For each method, who gets which status, the most usual last."""
    from tests.laws.permission_matrix import MATRIX

    lines = []
    for row in MATRIX:
        if row.route != pattern:
            continue
        by_status: dict[int, list[str]] = {}
        for persona, status in row.expect.items():
            by_status.setdefault(status, []).append(persona)
        usual, *rare = sorted(by_status.items(), key=lambda item: (-len(item[1]), item[0]))
        told = [f"{status} for {', '.join(PERSONAS[p] for p in people)}" for status, people in sorted(rare)]
        told.append(f"{usual[0]} for everybody{' else' if rare else ''}")
        lines.append(f"- {row.method}: {'; '.join(told)}")
    if not lines:
        raise ReferenceIncomplete(f"{pattern} has no row in tests/laws/permission_matrix.py")
    return lines


# Audit verbs ----------------------------------------------------------------------------------------------------------


def write_verbs() -> str:
    from datong.kernel.contracts import ACTION_KINDS, ROLE_TITLES

    blocks = []
    for verb, kind in sorted(ACTION_KINDS.items()):
        who = [f"{ROLE_TITLES[role][1].lower()} {ROLE_TITLES[role][0]}" for role in sorted(kind.roles)]
        where = " of the agency concerned" if kind.scope.value == "own-agency" else ""
        told = [f"{' or '.join(who)}{where}"] if who else []
        told += ["the platform's own jobs"] if kind.platform else []
        blocks.append(
            f"## `{verb}`\n\nWho: {'; '.join(told) or 'nobody by hand'}.\n\n"
            f"> {kind.sentence_zh}\n>\n> {kind.sentence_en}"
        )
    introduction = (
        "Every change is one declared action. What is not on this page cannot happen: an unknown verb is refused. The "
        "sentences are what the audit list shows; the words in braces come from the row's facts."
    )
    return make_page("Audit verbs", introduction, blocks)


# All ------------------------------------------------------------------------------------------------------------------


def _sentence(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip()
    return text if not text or text[-1] in ".。!?:)" else f"{text}."


def _require(text: str | None, of: str) -> str:
    if not text:
        raise ReferenceIncomplete(f"{of} says nothing of itself: give it a docstring or a help text")
    return text


PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": write_settings,
    "limits.md": write_limits,
    "command-line.md": write_commands,
    "endpoints.md": write_endpoints,
    "audit-verbs.md": write_verbs,
}


def find_outdated(folder: Path, pages: Mapping[str, Callable[[], str]] = PAGES) -> list[str]:
    """The pages of `folder` that are missing or differ from what would be written now."""
    return [
        name
        for name, write in pages.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != write()
    ]


def main() -> None:
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as home:
        environ["DATONG_HOME"] = home  # nothing of a real installation is read or made
        from datong.app.control.setup import set_up_django

        set_up_django()
        REFERENCE.mkdir(parents=True, exist_ok=True)
        for name in find_outdated(REFERENCE):
            (REFERENCE / name).write_text(PAGES[name](), encoding="utf-8")
            sys.stdout.write(f"wrote docs/reference/{name}\n")


if __name__ == "__main__":
    main()

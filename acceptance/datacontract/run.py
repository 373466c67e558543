"""Lint contracts with the standard's own command line, in an environment of its own. See README.md.

Runs in Datong's environment, because it also lints the canonical text of each contract; the linter itself runs in
`.venv` beside this file. Prints one line per text and exits with 1 when one of them is not valid, 2 when the
environment cannot be made.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from datong.catalog.odcs import parse_contract

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VENV = HERE / ".venv"
LOCK = HERE / "requirements.txt"
INSTALL_S_MAX, LINT_S_MAX = 600, 120


def make_environment() -> Path:
    """The linter's executable; installs it when absent or when the lock has changed."""
    linter, mark = VENV / "bin" / "datacontract", VENV / ".lock"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not (linter.exists() and mark.exists() and mark.read_text() == digest):
        uv = Path(sys.executable).parent / "uv"
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, VENV], check=True, timeout=60)
        install = [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", VENV / "bin" / "python", LOCK]
        subprocess.run(install, check=True, timeout=INSTALL_S_MAX)
        mark.write_text(digest)
    return linter


def gather_texts(files: list[Path]) -> dict[str, str]:
    """What to lint, by name: the files as they are and in canonical form."""
    texts = {}
    for path in files:
        text = path.read_text(encoding="utf-8")
        texts[path.name] = text
        texts[f"{path.name} (canonical)"] = parse_contract(text, source_name=path.name).text
    return texts


def shipped() -> dict[str, str]:
    """Every contract under src that is meant to be good, and the reference page's example."""
    files = [path for path in (ROOT / "src").rglob("*.odcs.yaml") if "cases" not in path.parts]
    texts = gather_texts(sorted(files))
    page = (ROOT / "docs" / "reference" / "contract.md").read_text(encoding="utf-8")
    for turn, example in enumerate(re.findall(r"```yaml\n(apiVersion.*?)```", page, re.DOTALL)):
        texts[f"docs/reference/contract.md #{turn + 1}"] = example
    return texts


def lint(linter: Path, text: str) -> str:
    """What the linter finds wrong, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "contract.odcs.yaml"
        path.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [linter, "lint", path], capture_output=True, text=True, timeout=LINT_S_MAX, cwd=folder, check=False
        )
    return "" if done.returncode == 0 else (done.stdout + done.stderr).strip()


def main(arguments: list[str]) -> int:
    try:
        linter = make_environment()
    except (OSError, subprocess.SubprocessError) as problem:
        sys.stderr.write(f"the linter's environment cannot be made: {problem}\n")
        return 2
    texts = gather_texts([Path(name) for name in arguments]) if arguments else shipped()
    wrong = 0
    for name, text in texts.items():
        found = lint(linter, text)
        wrong += bool(found)
        sys.stdout.write(f"{name}: {found or 'valid'}\n")
    sys.stdout.write(f"{len(texts)} texts, {wrong} not valid\n")
    return 1 if wrong or not texts else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`datong document verify`: whether a signed report is as it was issued. Needs no server and no database."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from datong.kernel.config import load_settings
from datong.kernel.documents import DocumentFacts, load_public_keys, verify_document
from datong.kernel.failures import BadInput
from datong.kernel.terminal import print_json

A_FILE = {"exists": True, "dir_okay": False, "readable": True}


def register(app: typer.Typer) -> None:
    document = typer.Typer(help="Signed documents, checked offline.", no_args_is_help=True)
    app.add_typer(document, name="document")
    document.command("verify")(verify_one_document)


def verify_one_document(
    file: Annotated[Path, typer.Argument(**A_FILE, help="The document as received, unchanged.")],
    signature: Annotated[Path, typer.Argument(**A_FILE, help="Its signature, a .jws file.")],
    key: Annotated[
        Path | None, typer.Option(**A_FILE, help="A saved /.well-known/jwks.json; without it, this platform's keys.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a signed document against the issuer's published keys; exit 1 names the step that failed."""
    jwks = _read_keys(key) if key else {"keys": load_public_keys(load_settings().keys_dir)}
    facts: DocumentFacts = verify_document(file.read_bytes(), signature.read_text(encoding="utf-8"), jwks)
    if as_json:
        print_json({"valid": True, **asdict(facts)})
        return
    typer.echo(f"The document is as {facts.issuer} signed it at {facts.signed_at}.")
    typer.echo(f"  {facts.kind} about {facts.subject}, sha256 {facts.digest}, key {facts.key_id}")


def _read_keys(path: Path) -> dict[str, Any]:
    try:
        jwks = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError:
        jwks = None
    if not isinstance(jwks, dict) or not isinstance(jwks.get("keys"), list):
        raise BadInput(
            "Save /.well-known/jwks.json of the issuing node as it is.",
            hint_zh="请将签发节点的 /.well-known/jwks.json 原样保存后使用。",
            file=str(path),
        )
    return jwks

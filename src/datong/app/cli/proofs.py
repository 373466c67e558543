"""`datong receipt verify` and `datong audit verify|prove|export`: checks that need no server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import Progress

from datong.kernel.audit.notes import NoteVerifier, load_verifier
from datong.kernel.audit.receipts import verify_receipt_file
from datong.kernel.audit.verify import LogReport, export_entries, prove_entry, verify_log
from datong.kernel.config import Settings, load_settings
from datong.kernel.failures import BadInput
from datong.kernel.terminal import print_json

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key", help="The published key: a saved /.well-known/datong.json, or the key's one line."),
]


def register(app: typer.Typer) -> None:
    receipt = typer.Typer(help="Receipts of exchanges, checked offline.", no_args_is_help=True)
    audit = typer.Typer(help="The audit log, checked offline.", no_args_is_help=True)
    app.add_typer(receipt, name="receipt")
    app.add_typer(audit, name="audit")
    receipt.command("verify")(verify_one_receipt)
    audit.command("verify")(verify_whole_log)
    audit.command("prove")(prove_one_entry)
    audit.command("export")(export_log)


def verify_one_receipt(
    file: Annotated[Path, typer.Argument(help="A receipt, an answer that carries one, or a Datong-Receipt header.")],
    answer: Annotated[Path | None, typer.Option(help="The answer, or for batch the file, as received.")] = None,
    request: Annotated[Path | None, typer.Option(help="The request's body, as sent.")] = None,
    key: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Check a receipt against the published key; exit 1 names the step that failed."""
    for path in (file, answer, request):
        _require_file(path)
    facts = verify_receipt_file(file, find_verifier(load_settings(), key), answer=answer, request=request)
    told: dict[str, Any] = {
        "valid": True,
        "index": facts.index,
        "log_size": facts.checkpoint.size,
        "origin": facts.checkpoint.origin,
        "checked": list(facts.checked),
        "entry": facts.entry,
    }
    if as_json:
        print_json(told)
        return
    entry = facts.entry
    typer.echo(f"The receipt is valid: entry {facts.index} of {facts.checkpoint.size} in {facts.checkpoint.origin}.")
    if "kind" in entry and entry["kind"] != "control":
        typer.echo(
            f"  {entry['at']}  {entry['kind']} of {entry['resource']} by {entry['system']} for {entry['purpose']}"
            f" under {entry['grant'] or 'no grant'}: {entry['outcome']}"
        )
    typer.echo(f"  checked: {', '.join(facts.checked)}")


def verify_whole_log(
    folder: Annotated[Path | None, typer.Option(help="The log's folder; without it, this platform's.")] = None,
    key: KeyFile = None,
    checkpoint: Annotated[list[Path] | None, typer.Option(help="A checkpoint kept elsewhere; may be repeated.")] = None,
    rows: Annotated[bool, typer.Option(help="Compare with the database's audit rows too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check every record: nothing edited, dropped, reordered or cut off; exit 1 when something is."""
    settings = load_settings()
    for path in checkpoint or ():
        _require_file(path)
    control_rows = _read_control_rows() if rows else None
    with Progress(transient=True, console=Console(stderr=True)) as progress:
        task = progress.add_task("records checked", total=None)
        report = verify_log(
            folder or settings.audit_dir,
            find_verifier(settings, key),
            known_checkpoints=[path.read_text(encoding="utf-8") for path in checkpoint or ()],
            control_rows=control_rows,
            on_progress=lambda count: progress.update(task, completed=count),
        )
    _print_report(report, as_json=as_json)
    if not report.is_intact:
        raise typer.Exit(1)


def prove_one_entry(
    index: Annotated[int, typer.Argument(help="The entry's place in the log.")],
    folder: Annotated[Path | None, typer.Option(help="The log's folder.")] = None,
) -> None:
    """Print the proof that an entry is in the published log."""
    sys.stdout.write(prove_entry(folder or load_settings().audit_dir, index))


def export_log(
    start: Annotated[int, typer.Option(help="The first entry.")] = 0,
    stop: Annotated[int | None, typer.Option(help="Before this entry; without it, to the end.")] = None,
    folder: Annotated[Path | None, typer.Option(help="The log's folder.")] = None,
) -> None:
    """Write entries as JSON lines with their leaf hashes."""
    export_entries(folder or load_settings().audit_dir, sys.stdout.buffer, start=start, stop=stop)


def find_verifier(settings: Settings, key: Path | None) -> NoteVerifier:
    """The log's public key: from the file that was named, or from this platform's own key."""
    if key is not None:
        _require_file(key)
        text = key.read_text(encoding="utf-8").strip()
        if text.startswith("{"):
            try:
                text = orjson.loads(text)["audit"]["key"]
            except (orjson.JSONDecodeError, KeyError, TypeError):
                raise BadInput(
                    "Save /.well-known/datong.json as it is, or give the key's line.", file=str(key)
                ) from None
        return NoteVerifier.parse(text)
    return load_verifier(settings.keys_dir)


def _read_control_rows() -> Any:
    from datong.app.control.setup import set_up_django

    set_up_django()
    from datong.kernel.audit.service import find_sealed_rows

    return find_sealed_rows  # a function, so that rows sealed during the check are read again


def _print_report(report: LogReport, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "intact": report.is_intact,
                "origin": report.origin,
                "size": report.size,
                "root": report.root.hex(),
                "segments": report.segments_count,
                "checkpoints": report.checkpoints_count,
                "control_rows": report.control_rows_count,
                "findings": [
                    {"kind": f.kind, "message": f.message, "segment": f.segment, "index": f.index}
                    for f in report.findings
                ],
            }
        )
        return
    if report.is_intact:
        typer.echo(f"Intact: {report.size} records of {report.origin}, in {report.segments_count} segments.")
        typer.echo(f"  {report.control_rows_count} control-plane rows; {report.checkpoints_count} checkpoints agree")
        typer.echo(f"  root {report.root.hex()}")
        return
    typer.echo(f"Not intact: {len(report.findings)} findings; {report.size} records before the first are as they were.")
    for finding in report.findings:
        place = f" (segment {finding.segment}, entry {finding.index})" if finding.segment is not None else ""
        typer.echo(f"  {finding.kind}: {finding.message}{place}")


def _require_file(path: Path | None) -> None:
    if path is not None and not path.is_file():
        raise BadInput(f"There is no file {path}.", file=str(path))

"""The door: from a landed file of any form to a plain table, or to a CSV that can be scanned as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datong.collect.contracts import FileUnreadable
from datong.collect.delimited import ByteFacts, WantedColumn
from datong.collect.readers.contracts import PlainTable, RegularCsv
from datong.collect.readers.reading import Source, read_reading
from datong.collect.readers.text import read_csv


def read_source(  # noqa: PLR0917 - the order is that of the caller's questions
    path: Path,
    facts: ByteFacts,
    filename: str,
    wanted: Sequence[WantedColumn],
    reading: Mapping[str, Any],
    work: Path,
    *,
    delimiter: str | None = None,
    exactly: bool = False,
) -> PlainTable | RegularCsv:
    """Read a landed file as its contract says; `exactly` never answers with a RegularCsv.

    Raises the failures of `collect.contracts` and `readers.contracts`; then nothing is left but files in `work`.
    """
    source = Source(
        path=path,
        facts=facts,
        filename=filename,
        wanted=wanted,
        reading=read_reading(reading),
        work=work,
        delimiter=delimiter or "",
        exactly=exactly,
    )
    try:
        return read_csv(source)
    except OSError as error:
        raise FileUnreadable("The landed file cannot be opened.", private=str(error)) from error

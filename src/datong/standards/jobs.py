"""After an import: the files that everybody reads are written anew. May be repeated."""

from __future__ import annotations

from datong.kernel.plugs import Event


def on_standard_imported(_event: Event) -> None:
    """The import wrote them already, unless it was killed between its commit and that."""
    from datong.standards.service import write_snapshot

    write_snapshot()

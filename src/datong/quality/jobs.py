"""What quality does after collection: reports and work orders of every run that was judged."""

from __future__ import annotations

from datong.kernel.plugs import Event


def on_run_judged(event: Event) -> None:
    """A run made a version, found nothing new, waits or failed. Idempotent: a run is reported once."""
    from datong.quality.service import record_run

    record_run(str(event.payload["run"]))

"""How long a landed file is kept: by its contract, else by the deployment, and never past an open question."""

from __future__ import annotations

from datetime import datetime, timedelta

from datong.collect.contracts import RunState


def kept_days(contract_days: int | None, deployment_days: int) -> int:
    """Days after the run's end. The contract's word wins, because its agency answers for the data."""
    return contract_days if contract_days is not None else deployment_days


def is_over(*, state: RunState, finished_at: datetime | None, kept_days: int, now: datetime) -> bool:
    """Whether this run needs its file no longer; a run that is going on or waits always does."""
    if not state.is_final or finished_at is None:
        return False
    return finished_at + timedelta(days=kept_days) <= now

"""What the exchange does after the fact: event handlers and jobs. All of it may be repeated."""

from __future__ import annotations

from datong.exchange.serving.compile import open_writer
from datong.kernel.config import load_settings
from datong.kernel.ids import GrantId, JobId, ResourceId, SystemId
from datong.kernel.jobs.service import enqueue, job, periodic
from datong.kernel.limits import FOLD_S, RECONCILE_S
from datong.kernel.plugs import Event

SERVE_RESOURCE = "exchange.serve-resource"


def on_grant_approved(event: Event) -> None:
    """The grant comes in at once; rows and files follow as a job."""
    from datong.exchange.service import serve_grant

    if serve_grant(GrantId(event.payload["grant"])):
        enqueue(SERVE_RESOURCE, {"resource_id": event.payload["resource"]}, key=f"serve:{event.id}")


def on_grant_revoked(event: Event) -> None:
    """The grant is out already; what only it needed of rows and files follows as a job."""
    enqueue(SERVE_RESOURCE, {"resource_id": event.payload["resource"]}, key=f"serve:{event.id}")


def on_version_recorded(event: Event) -> None:
    enqueue(SERVE_RESOURCE, {"resource_id": event.payload["resource"]}, key=f"serve:{event.id}")


def on_contract_breaking(event: Event) -> None:
    """Those who hold a grant of the resource are told what changes for them."""
    from datong.exchange.service.notices import tell_grantees

    tell_grantees(event.payload)


def on_key_issued(event: Event) -> None:
    from datong.exchange.service import serve_keys

    serve_keys(SystemId(event.payload["system"]))


def withdraw_key(token_sha256: str) -> None:
    """Slot KEY_REVOCATIONS: the key leaves the serving store before its revocation commits."""
    open_writer(load_settings()).remove_token(bytes.fromhex(token_sha256))


@job(SERVE_RESOURCE)
def serve_resource_now(_job_id: JobId, *, resource_id: str) -> None:
    from datong.exchange.service import serve_resource

    serve_resource(ResourceId(resource_id))


@periodic("exchange.reconcile", every_s=RECONCILE_S)
def reconcile(_job_id: JobId) -> None:
    """Complete half-done revocations, then compare the serving store with what was decided."""
    from datong.exchange.service import finish_revocations, reconcile_serving

    finish_revocations()
    reconcile_serving()


@periodic("exchange.fold-usage", every_s=FOLD_S)
def fold(_job_id: JobId) -> None:
    from datong.exchange.service import fold_usage
    from datong.kernel.limits import USAGE_FOLD_ENTRIES_MAX

    while fold_usage() == USAGE_FOLD_ENTRIES_MAX:
        pass

"""A process whose children do what a test asks and are killed: `python -m datong.exchange.tests.child`.

One line in is one action, done by a fork of this process that has opened nothing yet; its pid and, at its end, its
status come back as lines. (Loading Django once for all of them is what makes a kill test quick.)

revoke MEMBER GRANT        revoke the grant
approve MEMBER CASE        approve the case; the process ends without delivering the event
deliver                    deliver what is pending
serve-first MEMBER CASE    the planted violation: the grant enters the serving store before its commit
revoke-first MEMBER GRANT  the planted violation: `revoked` is committed before the grant leaves the serving store
"""

from __future__ import annotations

import os
import sys
import traceback


def main() -> None:
    from datong.app.control.setup import set_up_django

    set_up_django()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run_and_exit(line.split())
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(status, flush=True)


def run_and_exit(words: list[str]) -> None:
    status = 1
    try:
        run(words)
        status = 0
    finally:
        if status:
            traceback.print_exc()
        os._exit(status)


def run(words: list[str]) -> None:
    from django.db import transaction

    from datong.cases.contracts import Decision
    from datong.cases.service import decide_case
    from datong.exchange import service
    from datong.exchange.serving.compile import open_writer
    from datong.exchange.store.models import Grant
    from datong.kernel import clock
    from datong.kernel.config import load_settings
    from datong.kernel.events.service import deliver_pending
    from datong.kernel.faults import fault_point
    from datong.kernel.identity.service import actor_of_member
    from datong.kernel.ids import CaseId, GrantId, MemberId

    match words:
        case ["revoke", member, grant]:
            service.revoke_grant(actor_of_member(MemberId(member)), GrantId(grant), "用途已经办结")
        case ["approve", member, case]:
            decide_case(actor_of_member(MemberId(member)), CaseId(case), Decision.APPROVE, "")
            fault_point("test.approved")
        case ["deliver"]:
            deliver_pending()
        case ["serve-first", member, case]:
            with transaction.atomic():
                decide_case(actor_of_member(MemberId(member)), CaseId(case), Decision.APPROVE, "")
                open_writer(load_settings()).put_grant(service.get_terms(GrantId(Grant.objects.get().pk)))
                fault_point("test.served-first")
        case ["revoke-first", _, grant]:
            Grant.objects.filter(pk=grant).update(state="revoked", revoked_at=clock.now(), revoked_reason="撤销")
            fault_point("test.revoked-first")
            open_writer(load_settings()).remove_grant(
                service.get_terms(GrantId(grant)), revoked_at_ms=clock.epoch_ms(), reason="撤销"
            )
        case _:
            raise ValueError(words)


if __name__ == "__main__":
    main()

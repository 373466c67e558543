"""The serving store says what PostgreSQL decided: each way in which the two can differ is found and mended."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection, transaction

from datong.cases.tests.conftest import wait_for_a_lock
from datong.exchange import service
from datong.exchange.contracts import SystemEntry
from datong.exchange.serving.compile import ServingWriter
from datong.exchange.serving.store import hash_token
from datong.exchange.store.models import Grant
from datong.exchange.tests.conftest import Market
from datong.exchange.tests.test_grants import can_use, list_served
from datong.kernel import clock
from datong.kernel.events.service import deliver_pending
from datong.kernel.identity import service as identity
from datong.kernel.store.models import SystemKey

NOTHING = {
    "grants_put": 0,
    "grants_removed": 0,
    "grants_tampered": 0,
    "keys_put": 0,
    "keys_removed": 0,
    "resources_cleared": 0,
}


def mended(**counts: int) -> dict[str, int]:
    return {**NOTHING, **counts}


def test_what_is_missing_comes_in_and_what_lingers_goes_out(market: Market, writer: ServingWriter) -> None:
    grant = market.grant()
    terms = service.get_terms(grant.id)
    assert service.reconcile_serving() == mended(grants_put=1, keys_put=1)
    assert service.reconcile_serving() == NOTHING
    assert can_use(writer, terms) == "granted"
    with writer.read() as reader:
        assert reader.find_system(hash_token(market.cast.key.token)) is not None
    # A grant and a key that nobody decided on.
    stranger = replace(terms, grant_id="grant_stranger", system_id="sys_stranger")
    writer.put_grant(stranger)
    entry = SystemEntry(system_id="sys_stranger", name="x", agency_id="a", agency_name="b", key_id="k")
    writer.put_token("a stranger's token", entry)
    assert service.reconcile_serving() == mended(grants_removed=1, keys_removed=1)
    assert can_use(writer, stranger) == "grant-revoked"
    with writer.read() as reader:
        assert reader.find_system(hash_token("a stranger's token")) is None
    # A served grant whose terms are not those that were approved gets its own back.
    writer.put_grant(replace(terms, purpose="anything"))
    assert service.reconcile_serving() == mended(grants_put=1)
    assert can_use(writer, terms) == "granted"
    # A revocation that was decided and never carried out.
    Grant.objects.update(state="revoking", revoked_reason="用途已经办结")
    assert service.reconcile_serving() == mended(grants_removed=1)
    assert can_use(writer, terms) == "grant-revoked"
    assert service.finish_revocations() == 1
    assert service.reconcile_serving() == NOTHING


def test_keys_follow_their_life(market: Market, writer: ServingWriter) -> None:
    deliver_pending()
    digest = hash_token(market.cast.key.token)
    with writer.read() as reader:
        assert reader.all_token_digests() == {digest}
    with clock.use_clock(clock.now() + timedelta(days=800)):
        assert service.reconcile_serving()["keys_removed"] == 1, "an expired key goes"
    assert service.reconcile_serving()["keys_put"] == 1
    identity.revoke_system_key(market.cast.actor("security"), market.cast.key.id, reason="交接")
    with writer.read() as reader:
        assert reader.all_token_digests() == set()
    assert service.serve_keys(market.cast.system.id) == 0
    assert service.reconcile_serving() == NOTHING


def test_a_key_whose_revocation_has_begun_does_not_come_back(committing_market: Market, writer: ServingWriter) -> None:
    """The key has left the serving store and its revocation is not committed: who looks then must wait for it."""
    market = committing_market
    service.serve_keys()
    digest = hash_token(market.cast.key.token)
    done: list[int] = []

    def serve() -> None:
        done.append(service.serve_keys())
        connection.close()

    with transaction.atomic():
        identity.revoke_system_key(market.cast.actor("security"), market.cast.key.id, reason="交接")
        assert not _is_in(writer, digest)
        serving = threading.Thread(target=serve)
        serving.start()
        wait_for_a_lock(serving)
    serving.join(20)
    assert done == [0]
    assert not _is_in(writer, digest)


def _is_in(writer: ServingWriter, digest: bytes) -> bool:
    with writer.read() as reader:
        return digest in reader.all_token_digests()


@pytest.mark.parametrize("delivered", [True, False])
def test_an_expired_grant_stays_known_and_refused(market: Market, writer: ServingWriter, *, delivered: bool) -> None:
    grant = market.grant()
    if delivered:
        deliver_pending()
    with clock.use_clock(grant.valid_until + timedelta(seconds=1)):
        service.reconcile_serving()
        assert list_served(writer) == [grant.id]
        assert service.get_grant(market.cast.actor("auditor"), grant.id).is_expired
        assert SystemKey.objects.count() == 1

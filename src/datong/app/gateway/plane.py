"""Puts one gateway process together from its settings, and takes it apart in order."""

from __future__ import annotations

import asyncio
import contextlib

from datong.app.gateway.admin import AdminSocket
from datong.app.gateway.exchange import Exchange
from datong.app.gateway.forwarding import TrustedProxies
from datong.app.gateway.helper import VerifyHelper
from datong.app.gateway.metrics import Counts
from datong.app.gateway.proxy import ControlProxy
from datong.app.gateway.public import PublicLog
from datong.app.gateway.rates import Rates, day_begins
from datong.app.gateway.server import Gateway
from datong.exchange.serving.keys import load_master_key
from datong.exchange.serving.store import Environment, ServingReader
from datong.exchange.serving.verify import Verifier
from datong.kernel import clock
from datong.kernel.audit.committer import Committer
from datong.kernel.audit.log import AuditLog
from datong.kernel.audit.notes import AUDIT_KEY_NAME, load_or_create_signer
from datong.kernel.audit.socket import AuditSocketServer
from datong.kernel.config import Settings
from datong.kernel.limits import GATEWAY_REFRESH_S, SHUTDOWN_S_MAX


class Plane:
    """All that a gateway process owns. `start` inside the running loop, `close` before it ends."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._environment = Environment(settings.serving_dir, writable=False)
        self._reader = ServingReader(self._environment)
        master = load_master_key(settings.keys_dir)
        signer = load_or_create_signer(settings.keys_dir / AUDIT_KEY_NAME, settings.origin)
        self.log = AuditLog.open(settings.audit_dir, signer)
        self.committer = Committer(self.log)
        self.helper = VerifyHelper(settings)
        self.rates = Rates()
        self.counts = Counts()
        self._proxy = ControlProxy(settings.socket("control"))
        self._audit_socket = AuditSocketServer(settings.socket("audit"), self.committer)
        self._admin_socket = AdminSocket(settings.socket("gateway"), self._reader)
        self._refreshing: asyncio.Task[None] | None = None
        self.exchange = Exchange(
            reader=self._reader,
            verifier=Verifier(self._reader, master),
            committer=self.committer,
            rates=self.rates,
            helper=self.helper,
            bulk_dir=settings.bulk_dir,
            counts=self.counts,
            language=settings.language,
        )
        self._published = PublicLog(settings.audit_dir, settings.keys_dir)
        self.gateway = Gateway(
            exchange=self.exchange,
            committer=self.committer,
            proxy=self._proxy,
            published=self._published,
            counts=self.counts,
            trusted=TrustedProxies(settings.trusted_proxies),
            public_url=settings.public_url,
            language=settings.language,
        )

    async def start(self) -> None:
        if any(grant.terms.daily_cap for grant in self._reader.all_grants()):
            since = self.log.reader.find_first_since(clock.iso(day_begins()), self.log.size)
            self.rates.rebuild(entry for _, entry in self.log.reader.iter_entries(since, self.log.size))
        await self.committer.start()
        await self.helper.start()
        await self._audit_socket.start()
        await self._admin_socket.start()
        self._refreshing = asyncio.create_task(self._refresh_for_ever())
        self.counts.watch("datong_audit_log_entries", "Entries in the audit log.", lambda: self.log.size)
        self.counts.watch(
            "datong_audit_waiting_entries", "Entries waiting for the disk.", lambda: self.committer.waiting_count
        )
        self.counts.watch("datong_serving_snapshot", "LMDB transaction decided on.", lambda: self._reader.txn_id)

    async def _refresh_for_ever(self) -> None:
        while True:
            await asyncio.sleep(GATEWAY_REFRESH_S)
            self._reader.refresh_surely()

    async def drain(self) -> None:
        """Wait until calls in progress have their answers: exchanges for half of the time that a stop may take, pages
        for a tenth, since a stream of events would never end by itself."""
        began_s = clock.monotonic_s()
        gateway = self.gateway
        while (waited_s := clock.monotonic_s() - began_s) < SHUTDOWN_S_MAX / 2:
            if not gateway.exchanging_count and (not gateway.forwarding_count or waited_s > SHUTDOWN_S_MAX / 10):
                return
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        """Sockets first, then what they used; the log last."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._refreshing
        await self._admin_socket.close()
        await self._audit_socket.close()
        await self.helper.close()
        await self._proxy.close()
        self._published.close()
        await self.committer.close()
        self._reader.close()
        self._environment.close()

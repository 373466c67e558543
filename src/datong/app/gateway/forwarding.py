"""Which headers cross the gateway (RFC 9110 §7.6.1), and what control is told about the caller."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from datong.kernel.failures import Misconfigured

RawHeaders = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
FORWARDED = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip"})


class TrustedProxies:
    """The addresses and networks whose forwarded headers are believed."""

    def __init__(self, texts: Sequence[str]) -> None:
        try:
            self._networks = [ipaddress.ip_network(text, strict=False) for text in texts]
        except ValueError as problem:
            raise Misconfigured(
                "Give DATONG_TRUSTED_PROXIES addresses or networks, separated by commas.",
                setting="DATONG_TRUSTED_PROXIES",
                reason=str(problem),
            ) from None

    def __contains__(self, address: str) -> bool:
        if not self._networks:
            return False
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)


def address_of(client: str) -> str:
    """`127.0.0.1` of `127.0.0.1:40000`, `::1` of `[::1]:40000`."""
    host = client.rpartition(":")[0] if client.count(":") == 1 or client.startswith("[") else client
    return host.strip("[]")


def forward_request_headers(
    headers: Iterable[tuple[str, str]], *, peer: str, scheme: str, trusted: TrustedProxies
) -> RawHeaders:
    """The headers for control: hop-by-hop ones dropped, the caller named in X-Forwarded-For, -Proto and -Host.

    What the peer itself says about an earlier hop is kept only when the peer is a trusted proxy.
    """
    given = list(headers)
    dropped = HOP_BY_HOP | FORWARDED | _named_by_connection(given)
    kept = [(n.encode("latin-1"), v.encode("latin-1", "replace")) for n, v in given if n.lower() not in dropped]
    believed = {n.lower(): v for n, v in given if n.lower() in FORWARDED} if peer in trusted else {}
    host = next((v for n, v in given if n.lower() == "host"), "")
    before = believed.get("x-forwarded-for")
    kept.append((b"x-forwarded-for", (f"{before}, {peer}" if before else peer).encode("latin-1", "replace")))
    kept.append((b"x-forwarded-proto", believed.get("x-forwarded-proto", scheme).encode("latin-1", "replace")))
    kept.append((b"x-forwarded-host", believed.get("x-forwarded-host", host).encode("latin-1", "replace")))
    return kept


def return_response_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Control's answer headers without hop-by-hop ones; several of one name stay several."""
    given = [(n.decode("latin-1").lower(), v.decode("latin-1")) for n, v in headers]
    dropped = HOP_BY_HOP | _named_by_connection(given)
    return [(n, v) for n, v in given if n not in dropped]


def _named_by_connection(headers: Iterable[tuple[str, str]]) -> frozenset[str]:
    names = [v for n, v in headers if n.lower() == "connection"]
    return frozenset(name.strip().lower() for value in names for name in value.split(","))

"""Where sources may connect to: a steward names addresses, and what connects sits inside the government network.

`DATONG_SOURCE_HOSTS` lists what may be reached: `db.health.example`, `*.example:443`, `10.2.0.0/16:5432`. When it is
empty, public addresses may be reached and no private, loopback or link-local one. A name is resolved once and that
address is connected to, so that a name cannot point elsewhere between the check and the connection.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from datong.collect.sources.contracts import FolderNotAllowed, HostNotAllowed, SourceUnreachable
from datong.kernel.config import Settings, load_settings
from datong.kernel.limits import SOURCE_CONNECT_S_MAX

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A checked address: the name for TLS, the address that is connected to."""

    host: str
    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.host == self.address else f"{self.host} ({self.address}):{self.port}"


def find_target(host: str, port: int, *, settings: Settings | None = None) -> Target:
    """Resolve and check. Raises HostNotAllowed, SourceUnreachable. Every address of a name must be allowed."""
    rules = split_list((settings or load_settings()).text("DATONG_SOURCE_HOSTS"))
    if not host or "/" in host or "@" in host or not 0 < port < 65536:
        raise _not_allowed(host, port)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as problem:
        raise SourceUnreachable(
            f"The name {host} cannot be resolved.", hint_zh=f"域名{host}无法解析。", host=host, private=str(problem)
        ) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not is_allowed(host, address, port, rules):
            raise _not_allowed(host, port)
    return Target(host=host, address=addresses[0], port=port)


def is_allowed(host: str, address: str, port: int, rules: Iterable[str]) -> bool:
    ip = _plain(ipaddress.ip_address(address.partition("%")[0]))
    listed = list(rules)
    if not listed:
        return ip.is_global and not ip.is_multicast
    return any(_matches(rule, host.lower().rstrip("."), ip, port) for rule in listed)


def open_socket(target: Target, timeout_s: float = SOURCE_CONNECT_S_MAX) -> socket.socket:
    try:
        return socket.create_connection((target.address, target.port), timeout=timeout_s)
    except OSError as problem:
        raise SourceUnreachable(
            f"{target} does not accept a connection: {problem.strerror or problem}.",
            hint_zh=f"{target}不接受连接。",
            host=target.host,
            port=target.port,
        ) from None


def find_folder(text: str, *, settings: Settings | None = None) -> Path:
    """A folder inside one of `DATONG_SOURCE_FOLDERS`, links resolved. Raises FolderNotAllowed."""
    roots = split_list((settings or load_settings()).text("DATONG_SOURCE_FOLDERS"))
    folder = Path(text)
    resolved = folder.resolve()
    allowed = folder.is_absolute() and any(resolved.is_relative_to(Path(root).resolve()) for root in roots)
    if not allowed:
        raise FolderNotAllowed(
            "An operator lists the folders that may be watched in DATONG_SOURCE_FOLDERS.",
            hint_zh="可监视的文件夹由运维员在 DATONG_SOURCE_FOLDERS 中列出。",
            folder=text,
        )
    return resolved


def split_list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _plain(ip: Address) -> Address:
    """An IPv4 address inside an IPv6 one is judged as the IPv4 address."""
    mapped = getattr(ip, "ipv4_mapped", None)
    return mapped if mapped is not None else ip


def _matches(rule: str, host: str, ip: Address, port: int) -> bool:
    place, port_text = _split_port(rule)
    if port_text and port_text != str(port):
        return False
    try:
        return ip in ipaddress.ip_network(place, strict=False)
    except ValueError:
        name = place.lower()
        return host.endswith(name[1:]) if name.startswith("*.") else host == name


def _split_port(rule: str) -> tuple[str, str]:
    """`[2001:db8::1]:443`, `10.0.0.0/8:5432`, `name:443`; a bare IPv6 address has no port."""
    if rule.startswith("["):
        place, _, rest = rule[1:].partition("]")
        return place, rest.removeprefix(":")
    if rule.count(":") == 1:
        place, _, port = rule.partition(":")
        return place, port
    return rule, ""


def _not_allowed(host: str, port: int) -> HostNotAllowed:
    return HostNotAllowed(
        f"{host}:{port} is not among the addresses that this platform may connect to. "
        "An operator lists them in DATONG_SOURCE_HOSTS.",
        hint_zh=f"{host}:{port}不在平台可连接的地址之内，由运维员在 DATONG_SOURCE_HOSTS 中列出。",
        host=host,
        port=port,
    )

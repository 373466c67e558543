"""A folder behind SFTP. The server's host key is pinned; no agent, no key of the machine is ever tried."""

from __future__ import annotations

import base64
import hashlib
import io
import posixpath
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko

from datong.catalog.values import DataContract
from datong.collect.sources.contracts import (
    Batch,
    ConnectionReport,
    FetchContext,
    HostKeyUnknown,
    KnownFile,
    Note,
    SourceRefused,
    SourceUnreachable,
)
from datong.collect.sources.files import Entry, check_file_options, choose_file, companions, is_candidate
from datong.collect.sources.folder import batch_of, files_report
from datong.collect.sources.guard import find_target, open_socket
from datong.collect.sources.options import wrong
from datong.kernel import clock
from datong.kernel.config import Secret
from datong.kernel.failures import Failure
from datong.kernel.limits import SOURCE_CONNECT_S_MAX, SOURCE_FILES_SEEN_MAX, SOURCE_STATEMENT_S_MAX, UPLOAD_BYTES_MAX

_KEY_KINDS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
_NS = 10**9


class SftpConnector:
    def check(self, options: Mapping[str, str], contract: DataContract) -> None:  # noqa: ARG002
        check_file_options(options)
        pinned = options.get("host_key", "")
        if pinned and not pinned.startswith("SHA256:"):
            raise wrong("host_key", "A fingerprint begins with SHA256:.", "指纹以 SHA256: 开头。")
        if not options["folder"].startswith("/"):
            raise wrong("folder", "Give the whole path, from /.", "请填以 / 开头的完整路径。")

    def test(self, context: FetchContext) -> ConnectionReport:
        with _open(context) as (client, reached):
            entries = _entries(client, context.options["folder"])
            waiting = [entry for entry in entries if is_candidate(entry.name, context.options.get("pattern", "*"))]
            return files_report(reached, "SFTP", len(waiting), list[Note]())

    def fetch(self, context: FetchContext) -> Batch | None:
        folder = context.options["folder"]
        with _open(context) as (client, _):
            now_ns = int(clock.now().timestamp() * _NS)
            choice = choose_file(_entries(client, folder), context.options, context.known, now_ns)
            if choice is None:
                return None
            path = context.work / "file"
            _get(client, posixpath.join(folder, choice.entry.name), path, choice.entry.bytes)
            bill = None
            if choice.bill is not None:
                bill = context.work / choice.bill
                _get(client, posixpath.join(folder, choice.bill), bill, None)
            return batch_of(choice, path, bill)

    def settle(self, context: FetchContext, file: KnownFile, *, is_taken: bool) -> None:
        if context.options.get("after") != "move":
            return
        folder = context.options["folder"]
        with _open(context) as (client, _):
            present = {entry.name: entry for entry in _entries(client, folder)}
            found = present.get(file.name)
            if found is None or (found.bytes, found.modified_ns) != (file.bytes, file.modified_ns):
                return
            target = posixpath.join(folder, "done" if is_taken else "failed")
            try:
                if not _is_folder(client, target):
                    client.mkdir(target)
                taken = {entry.name for entry in _entries(client, target)}
                name = file.name if file.name not in taken else f"{file.name}.{file.digest[:12]}"
                client.rename(posixpath.join(folder, file.name), posixpath.join(target, name))
                for mark in companions(file.name):
                    if mark in present and mark not in taken:
                        client.rename(posixpath.join(folder, mark), posixpath.join(target, mark))
            except OSError as problem:
                raise _refused(target, problem) from None


@contextmanager
def _open(context: FetchContext) -> Iterator[tuple[paramiko.SFTPClient, str]]:
    options = context.options
    target = find_target(options["host"], int(options.get("port", "22")))
    transport = paramiko.Transport(open_socket(target))
    transport.banner_timeout = transport.auth_timeout = SOURCE_CONNECT_S_MAX
    try:
        transport.start_client(timeout=SOURCE_CONNECT_S_MAX)
        _check_host_key(transport, options.get("host_key", ""))
        _sign_in(transport, options["user"], context.secrets)
        client = paramiko.SFTPClient.from_transport(transport)
        if client is None:
            raise SourceRefused("There is no SFTP on this server.", hint_zh="服务器没有 SFTP。")
        client.get_channel().settimeout(SOURCE_STATEMENT_S_MAX)  # type: ignore[union-attr]
        yield client, str(target)
    except paramiko.AuthenticationException as problem:
        raise SourceRefused(
            f"{target} refuses the user, password or key.",
            hint_zh=f"{target}不接受该用户、口令或私钥。",
            private=str(problem),
        ) from None
    except (OSError, paramiko.SSHException, EOFError) as problem:
        raise SourceUnreachable(
            f"The connection to {target} broke.", hint_zh=f"与{target}的连接中断。", private=str(problem)
        ) from None
    finally:
        transport.close()


def fingerprint_of(key: paramiko.PKey) -> str:
    """As OpenSSH shows it: SHA256 and base64 without padding."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


def _check_host_key(transport: paramiko.Transport, pinned: str) -> None:
    """Before a password is sent."""
    found = fingerprint_of(transport.get_remote_server_key())
    if found == pinned:
        return
    if not pinned:
        raise HostKeyUnknown(
            f"The server shows {found}. Ask its keeper whether this is right, then enter it as host key fingerprint.",
            hint_zh=f"服务器出示的指纹是 {found}。请向对方管理员核实，再填入“主机密钥指纹”。",
            found=found,
        )
    raise HostKeyUnknown(
        f"The server shows {found}, not {pinned}: it was changed, or this is another machine. Nothing was sent.",
        hint_zh=f"服务器出示的指纹是 {found}，不是 {pinned}：密钥已更换，或这不是原来的机器。没有发送任何凭据。",
        found=found,
        pinned=pinned,
    )


def _sign_in(transport: paramiko.Transport, user: str, secrets: Mapping[str, Secret]) -> None:
    password = secrets["password"].reveal() if "password" in secrets else None
    if "private_key" in secrets:
        transport.auth_publickey(user, _read_key(secrets["private_key"].reveal(), password))
        return
    transport.auth_password(user, password or "")


def _read_key(text: str, passphrase: str | None) -> paramiko.PKey:
    for kind in _KEY_KINDS:
        try:
            return kind.from_private_key(io.StringIO(text), passphrase)
        except (paramiko.SSHException, ValueError):
            continue
    raise SourceRefused(
        "The private key cannot be read: Ed25519, ECDSA or RSA, the password being its passphrase.",
        hint_zh="私钥无法读取：支持 Ed25519、ECDSA、RSA，口令即其密码。",
    )


def _entries(client: paramiko.SFTPClient, folder: str) -> list[Entry]:
    try:
        listed: list[Any] = client.listdir_attr(folder)[: SOURCE_FILES_SEEN_MAX + 1]
    except OSError as problem:
        raise _refused(folder, problem) from None
    return [
        Entry(name=item.filename, bytes=item.st_size or 0, modified_ns=(item.st_mtime or 0) * _NS)
        for item in listed
        if stat.S_ISREG(item.st_mode or 0)
    ]


def _is_folder(client: paramiko.SFTPClient, path: str) -> bool:
    try:
        return stat.S_ISDIR(client.stat(path).st_mode or 0)
    except FileNotFoundError:
        return False


def _get(client: paramiko.SFTPClient, name: str, target: Path, size_bytes: int | None) -> None:
    """The whole file; one that changed its size while it was read is refused and comes again."""
    if (size_bytes or 0) > UPLOAD_BYTES_MAX:
        raise SourceRefused(f"{name} is larger than {UPLOAD_BYTES_MAX} bytes.", hint_zh=f"{name}超过大小上限。")
    try:
        client.get(name, str(target))
    except OSError as problem:
        raise _refused(name, problem) from None
    if size_bytes is not None and target.stat().st_size != size_bytes:
        raise SourceUnreachable(f"{name} changed while it was read.", hint_zh=f"{name}在读取时发生变化。")


def _refused(name: str, problem: OSError) -> Failure:
    if isinstance(problem, socket.timeout):
        return SourceUnreachable("The server has gone silent.", hint_zh="服务器没有回应。", private=str(problem))
    return SourceRefused(f"{name}: {problem}.", hint_zh=f"无法读写{name}。", private=str(problem))

"""MQTT topics in micro-batches, QoS 1, over a session that the broker keeps.

A message is written to a segment on disk and synced before it is acknowledged (MQTT 3.1.1 §4.3.2), in groups; a full
segment lands and becomes a run. What the broker sends again after a crash carries DUP and its old packet identifier
(§4.4): when the last message with that identifier in the segments is the same one, it is acknowledged, not kept again.

The session lasts at the broker while nobody is connected, so a fetch need not be a process that lives for ever: it is
called often, takes what waits, and goes. The broker's queue must be long enough for the time in between
(Mosquitto: `max_queued_messages`, 1000 by default).
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from datong.catalog.values import DataContract
from datong.collect.sources.contracts import (
    Batch,
    ConnectionReport,
    FetchContext,
    KnownFile,
    Note,
    SourceRefused,
    SourceUnreachable,
)
from datong.collect.sources.guard import Target, find_target, open_socket
from datong.collect.sources.options import lines_of, read_mapping, wrong
from datong.collect.sources.tables import TableFile, dig, report_of, text_of
from datong.kernel import clock, ids
from datong.kernel.faults import fault_point
from datong.kernel.limits import SOURCE_BATCH_S_MAX, SOURCE_CONNECT_S_MAX, SOURCE_MESSAGES_MAX, SOURCE_SEGMENT_BYTES_MAX

_STEP_S = 0.05
_IDLE_S = 1.0
_TEST_S = 2.0
_TOPIC = "$topic"


class _Client(paho.Client):
    """Paho's, connecting only to the address that was checked."""

    def __init__(self, target: Target, *, client_id: str, clean: bool, manual_ack: bool) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=clean,
            protocol=paho.MQTTv311,
            manual_ack=manual_ack,
            reconnect_on_failure=False,
        )
        self._target = target

    def _create_socket_connection(self) -> socket.socket:
        return open_socket(self._target)


@dataclass(slots=True)
class _State:
    """What the callbacks learnt."""

    refused: str = ""
    subscribed: bool = False
    granted: tuple[int, ...] = ()


class MqttConnector:
    def check(self, options: Mapping[str, str], contract: DataContract) -> None:  # noqa: ARG002
        topics = lines_of(options["topics"])
        if not topics or any(topic.startswith("$") and not topic.startswith("$share/") for topic in topics):
            raise wrong("topics", "One topic a line.", "每行一个主题。")
        read_mapping(options.get("fields", ""))
        if int(options.get("batch_rows", "1")) not in range(1, SOURCE_MESSAGES_MAX + 1):
            raise wrong("batch_rows", f"1 to {SOURCE_MESSAGES_MAX}.", f"每批1至{SOURCE_MESSAGES_MAX}条。")
        if int(options.get("batch_s", "1")) not in range(1, SOURCE_BATCH_S_MAX + 1):
            raise wrong("batch_s", f"1 to {SOURCE_BATCH_S_MAX}.", f"每批1至{SOURCE_BATCH_S_MAX}秒。")

    def test(self, context: FetchContext) -> ConnectionReport:
        """With a client of its own and no kept session: nothing is taken from the source's."""
        received: list[Any] = []
        with _connected(context, f"datong-test-{ids.random_bytes(6).hex()}", clean=True) as (client, target, state):
            client.on_message = lambda _client, _data, message: received.append(message)
            _run_until(client, lambda: False, _TEST_S)
            granted = state.granted
        records = [record for message in received for record in _records(message.payload)]
        mapping = read_mapping(context.options.get("fields", ""))
        names = list(mapping) or list(dict.fromkeys(name for record in records for name in record))
        notes = [
            Note(zh=f"{_TEST_S:.0f}秒内收到{len(received)}条", en=f"{len(received)} messages within {_TEST_S:.0f} s")
        ]
        if any(quality != 1 for quality in granted):
            notes.append(
                Note(zh="代理没有同意 QoS 1，可能丢失消息", en="The broker does not grant QoS 1: messages may be lost")
            )
        if not names:
            names = [column.name for column in context.contract.columns]
            notes.append(Note(zh="没有消息可核对列", en="No message came to compare columns with"))
        return report_of(
            names, context.contract, reached=str(target), product="MQTT 3.1.1", rows=len(received), notes=notes
        )

    def fetch(self, context: FetchContext) -> Batch | None:
        self.check(context.options, context.contract)
        number = int(context.cursor.get("segment", 0)) + 1
        _forget_segments(context.work, before=number - 1)
        spool = _Spool(context.work, number)
        rows_max = int(context.options.get("batch_rows", "10000"))
        try:
            if not spool.is_full(rows_max):
                _receive(context, spool, rows_max)
        except SourceUnreachable:
            if spool.messages == 0:
                raise
        finally:
            spool.close()
        if spool.messages == 0:
            return None
        path = context.work / "rows.csv"
        rows = _write_rows(spool.path, path, read_mapping(context.options.get("fields", "")), context.contract)
        return Batch(
            path=path,
            filename=f"messages-{number:08d}.csv",
            rows=rows,
            cursor={"segment": number},
            has_more=spool.is_full(rows_max),
        )

    def settle(self, context: FetchContext, file: KnownFile, *, is_taken: bool) -> None:
        """A topic keeps no files."""


# The segments ------------------------------------------------------------------------------------------------------
class _Spool:
    """The segment being filled: a JSON line for each message, synced before the messages are acknowledged.

    The last landed segment is kept too, for what the broker may send again of it.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self.path = _segment(folder, number)
        self._last: dict[int, str] = {}
        self.messages = self.bytes = 0
        for path in (_segment(folder, number - 1), self.path):
            self.messages = self._load(path)
        self._out = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb")

    def _load(self, path: Path) -> int:
        """Remember its messages; a line torn by a crash is cut off: it was not acknowledged."""
        self.bytes = 0
        if not path.is_file():
            return 0
        whole = messages = 0
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                kept = orjson.loads(line)
                self._last[kept["mid"]] = kept["digest"]
                whole += len(line)
                messages += 1
        if whole != path.stat().st_size:
            os.truncate(path, whole)
        self.bytes = whole
        return messages

    def is_full(self, rows_max: int) -> bool:
        return self.messages >= rows_max or self.bytes >= SOURCE_SEGMENT_BYTES_MAX

    def add(self, messages: list[paho.MQTTMessage]) -> None:
        """Write down what is not there yet, and sync."""
        for message in messages:
            digest = hashlib.blake2b(message.topic.encode() + b"\0" + message.payload, digest_size=16).hexdigest()
            if message.dup and self._last.get(message.mid) == digest:
                continue
            self._last[message.mid] = digest
            payload = message.payload.decode("utf-8", "backslashreplace")
            line = {"mid": message.mid, "digest": digest, "topic": message.topic, "payload": payload}
            self.bytes += self._out.write(orjson.dumps(line) + b"\n")
            self.messages += 1
        self._out.flush()
        os.fsync(self._out.fileno())

    def close(self) -> None:
        self._out.close()


def _segment(folder: Path, number: int) -> Path:
    return folder / f"segment-{number:08d}.jsonl"


def _forget_segments(folder: Path, *, before: int) -> None:
    for path in folder.glob("segment-*.jsonl"):
        if int(path.stem.partition("-")[2]) < before:
            path.unlink(missing_ok=True)


# Receiving ---------------------------------------------------------------------------------------------------------
def _receive(context: FetchContext, spool: _Spool, rows_max: int) -> None:
    """Until the batch is full, its time is over, or nothing has come for a while."""
    pending: list[paho.MQTTMessage] = []
    with _connected(context, _client_id(context), clean=False, on_message=pending.append) as (client, _, _state):
        started_s = heard_s = clock.monotonic_s()
        batch_s = int(context.options.get("batch_s", "10"))
        while not spool.is_full(rows_max):
            _step(client)
            now_s = clock.monotonic_s()
            if pending:
                heard_s = now_s
                _keep(client, spool, pending)
            if now_s - started_s > batch_s or now_s - heard_s > _IDLE_S:
                break
        client.disconnect()
        _step(client, after_disconnect=True)


def _keep(client: paho.Client, spool: _Spool, pending: list[paho.MQTTMessage]) -> None:
    taken, pending[:] = list(pending), []
    spool.add(taken)
    fault_point("source.mqtt-spooled")
    for message in taken:
        client.ack(message.mid, message.qos)


@contextmanager
def _connected(
    context: FetchContext, client_id: str, *, clean: bool, on_message: Any = lambda _message: None
) -> Iterator[tuple[paho.Client, Target, _State]]:
    """Connected and subscribed. Messages that the broker sends before the subscription is granted are heard too."""
    options = context.options
    target = find_target(options["host"], int(options.get("port", "1883")))
    client, state = _Client(target, client_id=client_id, clean=clean, manual_ack=not clean), _State()
    if options.get("user"):
        secret = context.secrets.get("password")
        client.username_pw_set(options["user"], secret.reveal() if secret else None)
    if options.get("tls") == "verify":
        client.tls_set()
    topics = [(topic, 1) for topic in lines_of(options["topics"])]

    def on_connect(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            state.refused = str(reason)
        else:
            client.subscribe(topics)

    def on_subscribe(_client: Any, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        state.granted = tuple(reason.value for reason in reasons)
        state.subscribed = True

    client.on_connect, client.on_subscribe = on_connect, on_subscribe
    client.on_message = lambda _client, _data, message: on_message(message)
    try:
        client.connect(target.host, target.port, keepalive=SOURCE_BATCH_S_MAX * 2)
        _run_until(client, lambda: state.subscribed or bool(state.refused), SOURCE_CONNECT_S_MAX)
        _check_subscribed(target, state)
        yield client, target, state
    except OSError as problem:
        raise SourceUnreachable(
            f"The connection to {target} broke.", hint_zh=f"与{target}的连接中断。", private=str(problem)
        ) from None
    finally:
        client.disconnect()
        _step(client, after_disconnect=True)


def _check_subscribed(target: Target, state: _State) -> None:
    if state.refused:
        raise SourceRefused(f"{target} says: {state.refused}.", hint_zh=f"{target}答复：{state.refused}。")
    if not state.subscribed:
        raise SourceUnreachable(f"{target} does not answer as MQTT does.", hint_zh=f"{target}没有按 MQTT 应答。")
    if any(quality >= 0x80 for quality in state.granted):
        raise SourceRefused("The broker refuses a topic.", hint_zh="代理拒绝了某个主题的订阅。")


def _run_until(client: paho.Client, holds: Any, within_s: float) -> None:
    end_s = clock.monotonic_s() + within_s
    while not holds() and clock.monotonic_s() < end_s:
        _step(client)


def _step(client: paho.Client, *, after_disconnect: bool = False) -> None:
    outcome = client.loop(timeout=_STEP_S)
    if outcome not in {MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_CONN_REFUSED} and not after_disconnect:
        raise SourceUnreachable(
            f"The broker ended the connection: {paho.error_string(outcome)}",
            hint_zh="代理中断了连接。",
            private=str(outcome),
        )


def _client_id(context: FetchContext) -> str:
    return context.options.get("client_id") or f"datong-{context.source_id.rpartition('_')[2][:20]}"


# Rows --------------------------------------------------------------------------------------------------------------
def _records(payload: bytes | str) -> list[dict[str, Any]]:
    """The objects of one message; none when it is not JSON."""
    try:
        found = json.loads(payload, parse_float=str, parse_int=str, parse_constant=str)
    except ValueError:
        return []
    found = found if isinstance(found, list) else [found]
    return found if all(isinstance(record, dict) for record in found) else []


def _write_rows(lines: Path, target: Path, mapping: Mapping[str, str], contract: DataContract) -> int:
    """A row for each object. A message that is no JSON object is a row too, whole in its first column: the checks set
    it aside with its reason, and nothing is thrown away.
    """
    columns = dict(mapping) or {column.name: "" for column in contract.columns}
    names = {column.name: column.source_names for column in contract.columns}
    with TableFile(target, list(columns)) as out:
        for line in lines.open("rb"):
            kept = orjson.loads(line)
            records = _records(kept["payload"])
            if not records:
                out.write([kept["payload"], *[None] * (len(columns) - 1)])
            for record in records:
                out.write(
                    [_value(record, kept["topic"], path, names.get(name, (name,))) for name, path in columns.items()]
                )
        return out.rows


def _value(record: Mapping[str, Any], topic: str, path: str, names: tuple[str, ...]) -> str | None:
    if path == _TOPIC:
        return topic
    if path:
        return text_of(dig(record, path))
    return next((text_of(record[name]) for name in names if name in record), None)

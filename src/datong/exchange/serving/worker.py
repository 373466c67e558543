"""The helper process for large verify calls: a loop over one socket, given by number on the command line.

Frames are a 4-byte length and MessagePack: [system, resource, body] in, [true, result] or [false, failure] out. It ends
when the gateway's end closes, so a killed gateway leaves none behind.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

import msgspec

from datong.exchange.contracts import GrantFailure
from datong.exchange.serving.keys import load_master_key
from datong.exchange.serving.store import Environment, ServingReader
from datong.exchange.serving.verify import Verifier, decode_request
from datong.kernel import clock
from datong.kernel.failures import Failure

FRAME = struct.Struct(">I")
NICENESS = 5
"""When the processors do not suffice, single calls go before large ones."""
GC_THRESHOLD = 200_000
"""New containers between two collections: a large call makes some ten thousand, none in a cycle."""


def main() -> None:
    descriptor, serving_dir, keys_dir = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    reader = ServingReader(Environment(serving_dir, writable=False))
    verifier = Verifier(reader, load_master_key(keys_dir))
    with socket.socket(fileno=descriptor) as channel, channel.makefile("rwb") as stream:
        while len(head := stream.read(FRAME.size)) == FRAME.size:
            frame = stream.read(FRAME.unpack(head)[0])
            reader.refresh()
            answer = msgspec.msgpack.encode(answer_frame(verifier, frame))
            stream.write(FRAME.pack(len(answer)) + answer)
            stream.flush()


def answer_frame(verifier: Verifier, frame: bytes) -> list[Any]:
    """Work one call out. A Failure travels as its members; anything else ends the process, and the gateway says 503."""
    system_id, resource_id, body = msgspec.msgpack.decode(frame)
    try:
        done = verifier.examine(system_id, resource_id, decode_request(body), clock.epoch_ms()).result
    except Failure as failure:
        return [False, describe_failure(failure)]
    counts = [done.items_count, done.matches_count, done.differs_count]
    return [True, [done.purpose, done.reference, list(done.columns), counts, done.answer]]


def describe_failure(failure: Failure) -> dict[str, Any]:
    terms = failure.terms if isinstance(failure, GrantFailure) else None
    return {
        "grant": [terms.grant_id, terms.digest, terms.purpose] if terms else None,
        "code": failure.code,
        "title": failure.title,
        "title_zh": failure.title_zh,
        "status": failure.status,
        "retry": failure.retry.value,
        "hint": failure.hint,
        "hint_zh": failure.hint_zh,
        "facts": dict(failure.facts),
    }


if __name__ == "__main__":
    main()

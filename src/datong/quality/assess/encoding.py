"""An assessment as canonical JSON and back: what is signed, kept and handed out."""

from __future__ import annotations

import msgspec
import orjson

from datong.quality.assess.contracts import Assessment


def encode_assessment(assessment: Assessment) -> bytes:
    """Sorted members, UTF-8, no blanks: the same assessment has the same bytes."""
    return orjson.dumps(assessment, option=orjson.OPT_SORT_KEYS)


def decode_assessment(data: bytes | str) -> Assessment:
    return msgspec.json.decode(data, type=Assessment)

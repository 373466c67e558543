"""GeoJSON shapes (RFC 7946 §3.1) as well-known text (OGC 06-103r4); coordinates keep their digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from datong.collect.readers.contracts import FileMalformed


def geometry_text(shape: Any) -> str:
    """`POINT (1 2)`; "" for no shape. Raises FileMalformed for what is none."""
    if shape is None:
        return ""
    try:
        return _shape(shape)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise FileMalformed("The geometry is no GeoJSON shape.", hint_zh="几何不符合GeoJSON规范。") from error


def _shape(shape: Mapping[str, Any]) -> str:
    kind = shape["type"]
    if kind == "GeometryCollection":
        return f"GEOMETRYCOLLECTION ({', '.join(_shape(part) for part in shape['geometries'])})"
    coordinates = shape["coordinates"]
    name = kind.upper()
    if not coordinates:
        return f"{name} EMPTY"
    if kind == "Point":
        return f"{name} ({_position(coordinates)})"
    return f"{name} {_RENDER[kind](coordinates)}"


def _position(values: Any) -> str:
    if isinstance(values, str) or len(values) < 2:
        raise TypeError("a position has two numbers")
    for value in values:
        float(value)
    return " ".join(map(str, values))


def _list_of(render: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda parts: f"({', '.join(render(part) for part in parts)})"


_LINE = _list_of(_position)
_RENDER: Mapping[str, Callable[[Any], str]] = {
    "MultiPoint": _list_of(lambda position: f"({_position(position)})"),
    "LineString": _LINE,
    "MultiLineString": _list_of(_LINE),
    "Polygon": _list_of(_LINE),
    "MultiPolygon": _list_of(_list_of(_LINE)),
}

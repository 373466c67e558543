"""Values and failures of the privacy part."""

from __future__ import annotations

from datong.kernel.failures import BadInput


class UnknownMask(BadInput):
    code = "unknown-mask"
    title, title_zh = "There is no mask of this name", "没有这种脱敏方式"

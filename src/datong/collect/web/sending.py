"""What the upload form says beside the file: delimiter, mode, and the sender's bill as a file or as fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from datong.catalog.values import DataContract
from datong.catalog.words import COLLECT_MODE_TITLES, CollectMode
from datong.collect.contracts import Bill, BillUnreadable
from datong.collect.reconcile import make_bill, read_bill
from datong.kernel.failures import BadInput
from datong.kernel.limits import BILL_BYTES_MAX
from datong.ui.web.words import pick

_KEYED = (CollectMode.UPSERT, CollectMode.DIFF)
_FIELDS = ("rows", "bytes", "sha256", "batch")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeChoice:
    """A mode that the form offers; the contract's own comes first and is chosen."""

    value: str
    title: str
    is_chosen: bool


def mode_choices(contract: DataContract, chosen: str) -> list[ModeChoice]:
    """The contract's mode, then the others that its key allows."""
    own = CollectMode(contract.collect_mode)
    others = [mode for mode in CollectMode if mode is not own and (contract.key_columns or mode not in _KEYED)]
    return [
        ModeChoice(value=mode.value, title=pick(*COLLECT_MODE_TITLES[mode]), is_chosen=mode.value == (chosen or own))
        for mode in (own, *others)
    ]


def read_mode(post: Mapping[str, str]) -> CollectMode | None:
    text = post.get("mode", "")
    try:
        return CollectMode(text) if text else None
    except ValueError as error:
        raise BadInput("Choose one of the modes offered.", hint_zh="请选择列出的归集方式。", field="mode") from error


def read_delimiter(post: Mapping[str, str]) -> str | None:
    """One character; a tab may be written \\t."""
    text = post.get("delimiter", "").replace("\\t", "\t")
    if not text:
        return None
    if len(text) != 1:
        raise BadInput("The delimiter is one character.", hint_zh="分隔符只能是一个字符。", field="delimiter")
    return text


def read_sent_bill(request: HttpRequest) -> Bill | None:
    """The bill that came as a file, or the one typed into the form; None without either."""
    sent = request.FILES.get("bill")
    if sent is not None and sent.size:
        return read_bill(sent.read(BILL_BYTES_MAX + 1), sent.name or "")
    typed: dict[str, Any] = {
        name: request.POST[f"bill_{name}"].strip() for name in _FIELDS if request.POST.get(f"bill_{name}", "").strip()
    }
    sums = _read_sums(request.POST.get("bill_sums", ""))
    if sums:
        typed["sums"] = sums
    return make_bill(typed) if typed else None


def _read_sums(text: str) -> dict[str, str]:
    """Lines `column = sum`, with any of = ＝ : ：."""
    found = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, sign, value = line.translate(str.maketrans("＝：:", "===")).partition("=")
        if not sign:
            raise BillUnreadable(
                f"Write {line!r} as column = sum.", hint_zh=f"“{line}”请写成“列名=合计”。", field="bill_sums"
            )
        found[name.strip()] = value.strip()
    return found

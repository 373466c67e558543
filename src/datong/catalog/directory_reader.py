"""Core metadata of the 2017 guide, and whether the provider declares secrets, out of a contract's custom properties."""

from __future__ import annotations

from datetime import date

from datong.catalog.directory import is_directory_code
from datong.catalog.reading import CustomWords
from datong.catalog.values import DirectoryMetadata
from datong.catalog.words import FORMAT_TITLES, ResourceFormat, Secrecy, ShareChannel
from datong.standards.identifiers import check_uscc


def read_directory(custom: CustomWords) -> DirectoryMetadata:
    """The guide's fields that ODCS has no word for. A resource that is declared to hold secrets is refused."""
    formats = custom.words("resourceFormat", ResourceFormat)
    found = DirectoryMetadata(
        provider_code=custom.text("providerCode"),
        format=next((form for form in FORMAT_TITLES if form in formats), None),
        format_detail=custom.text("formatDetail"),
        channel=custom.word("shareChannel", ShareChannel, ShareChannel.PLATFORM),
        opening_condition=custom.text("openingCondition"),
        published_on=custom.text("publishedOn"),
        related=custom.texts("relatedResources"),
        secrecy=custom.word("secrecy", Secrecy, Secrecy.UNSTATED),
    )
    _check_provider_code(custom, found.provider_code)
    _check_date(custom, found.published_on)
    _check_related(custom, found.related)
    _check_secrecy(custom, found.secrecy)
    return found


def _check_provider_code(custom: CustomWords, code: str) -> None:
    if code and check_uscc(code) is not None:
        custom.add(
            "providerCode",
            "contract.provider-code",
            (f"`{code}` is not a unified social credit code", f"“{code}”不是统一社会信用代码"),
            (
                "Write the provider's 18 characters of GB 32100; the last one is computed from the others.",
                "请写提供方按GB 32100的18位代码；末位是校验码。",
            ),
        )


def _check_date(custom: CustomWords, text: str) -> None:
    try:
        is_date = not text or date.fromisoformat(text).isoformat() == text
    except ValueError:
        is_date = False
    if not is_date:
        custom.add(
            "publishedOn",
            "contract.published-on",
            (f"`{text}` is not a date", f"“{text}”不是日期"),
            ("Write year, month and day, e.g. 2026-01-31.", "请写年月日，如2026-01-31。"),
        )


def _check_related(custom: CustomWords, related: tuple[str, ...]) -> None:
    for name in related:
        if not is_directory_code(name) and not name.replace("_", "").isalnum():
            custom.add(
                "relatedResources",
                "contract.related",
                (f"`{name}` is neither a resource's id nor a directory code", f"“{name}”不是资源标识或目录编码"),
                ("Write e.g. psb_population or 101001/000001.", "请写如psb_population或101001/000001。"),
            )


def _check_secrecy(custom: CustomWords, secrecy: Secrecy) -> None:
    if secrecy in {Secrecy.STATE, Secrecy.WORK}:
        kind, kind_zh = ("state", "国家") if secrecy is Secrecy.STATE else ("work", "工作")
        custom.add(
            "secrecy",
            "contract.secret",
            (f"The resource is declared to hold {kind} secrets", f"声明含{kind_zh}秘密"),
            (
                "This platform handles no secrets. Take the secret columns out, or keep the resource off it.",
                "《政务数据共享条例》不适用于国家秘密和工作秘密，平台不予收录。请去掉涉密信息项，或不在本平台编目。",
            ),
        )

"""Reports on paper: one sober A4 form for all of them, and PDF made from it by WeasyPrint.

The form follows GB/T 9704-2012 in spirit (margins, 宋体 body, 黑体 headings, page numbers in dashes) without its red
head, which is for official documents only.
"""

from __future__ import annotations

import logging
from functools import cache
from html import escape
from importlib import import_module
from typing import Any, Final

from datong.kernel.documents.contracts import PdfUnavailable
from datong.kernel.failures import TooLarge
from datong.kernel.limits import PDF_HTML_BYTES_MAX

PAPER_CSS: Final = """
@page { size: A4; margin: 30mm 24mm 26mm 26mm;
  @top-left { content: string(head); font: 9pt var(--hei); color: #43565f; }
  @top-right { content: string(number); font: 9pt var(--hei); color: #43565f; }
  @bottom-center { content: "— " counter(page) " / " counter(pages) " —"; font: 9pt var(--song); } }
@page :first { @top-left { content: none } @top-right { content: none } }
:root { --song: "Songti SC", "SimSun", "Noto Serif CJK SC", serif;
  --hei: "SimHei", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
html { font-family: var(--song); font-size: 10.5pt; line-height: 1.65; color: #14222a; background: #fff; }
body { margin: 0 auto; max-width: 172mm; } @media screen { body { padding: 12mm 6mm; } }
h1 { font: 600 20pt/1.4 var(--hei); text-align: center; margin: 0 0 3mm; string-set: head content(); }
.number { text-align: center; font: 10pt var(--hei); color: #43565f; margin: 0 0 8mm; }
.number b { font-weight: 400; string-set: number content(); }
h2 { font: 600 13pt/1.5 var(--hei); margin: 8mm 0 2mm; break-after: avoid; }
h3 { font: 600 11pt/1.5 var(--hei); margin: 5mm 0 1mm; break-after: avoid; }
p { margin: 0 0 2mm; }
table { border-collapse: collapse; width: 100%; margin: 2mm 0 4mm; font-size: 9.5pt; line-height: 1.5; }
th, td { border: 0.5pt solid #7a8b94; padding: 1.2mm 2mm; text-align: left; vertical-align: top; }
thead { display: table-header-group; } th { font: 600 9.5pt/1.5 var(--hei); background: #ebf0f2; }
tr { break-inside: avoid; } td.n, th.n { text-align: right; white-space: nowrap; }
.m { font-family: "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace; font-size: 8.5pt; overflow-wrap: anywhere; }
.facts th { width: 24%; } .small { font-size: 9pt; color: #43565f; }
.total { text-align: center; margin: 4mm 0; font: 10pt var(--hei); } .total b { font-size: 30pt; line-height: 1.2; }
.sign { margin-top: 12mm; text-align: right; break-inside: avoid; }
.proof { margin-top: 8mm; border-top: 0.5pt solid #7a8b94; padding-top: 2mm; font-size: 8.5pt; color: #43565f; }
"""
"""Chinese fonts by the names of Windows, macOS and Debian, in this order; nothing is downloaded."""


def lay_out_paper(
    *, title: str, number: str, body_html: str, signer: str, day: str, proof: str, language: str = "zh-CN"
) -> str:
    """A whole HTML document in the house's paper form. `body_html` is trusted markup; all else is escaped here.

    `number` is the report's number, `signer` and `day` stand at the end (落款), `proof` says how it can be checked.
    """
    return (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head><meta charset="utf-8">'
        f"<title>{escape(title)} {escape(number)}</title>\n<style>{PAPER_CSS}</style></head>\n<body>\n"
        f'<h1>{escape(title)}</h1>\n<p class="number"><b>{escape(number)}</b></p>\n{body_html}\n'
        f'<div class="sign"><div>{escape(signer)}</div><div>{escape(day)}</div></div>\n'
        f'<p class="proof">{escape(proof)}</p>\n</body></html>\n'
    )


def render_pdf(html: str) -> bytes:
    """The document as PDF. Nothing is fetched from anywhere: only `data:` addresses are read.

    PdfUnavailable where Pango or its friends are missing; TooLarge beyond PDF_HTML_BYTES_MAX.
    """
    size_bytes = len(html.encode())
    if size_bytes > PDF_HTML_BYTES_MAX:
        raise TooLarge(
            "Take the HTML or JSON form instead.",
            hint_zh="请改用 HTML 或 JSON 形式。",
            limit_bytes=PDF_HTML_BYTES_MAX,
            size_bytes=size_bytes,
        )
    weasyprint, fetcher = _load_weasyprint()
    document: bytes = weasyprint.HTML(string=html, url_fetcher=fetcher).write_pdf()
    return document


@cache
def _load_weasyprint() -> tuple[Any, Any]:
    try:
        weasyprint = import_module("weasyprint")
        urls = import_module("weasyprint.urls")
    except (ImportError, OSError) as problem:
        raise PdfUnavailable(
            "Install Pango (Debian: libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0) and a Chinese font "
            "(fonts-noto-cjk), or take the HTML form.",
            hint_zh="请安装 Pango（Debian：libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0）"
            "与中文字体（fonts-noto-cjk），或改用 HTML 形式。",
            private=str(problem),
        ) from None
    for name in ("weasyprint", "weasyprint.progress", "fontTools"):
        logging.getLogger(name).setLevel(logging.ERROR)  # each step of each page is news to nobody
    return weasyprint, urls.URLFetcher(allowed_protocols={"data"}, allow_redirects=False)

"""A quality report laid out for paper, Chinese or English, from its signed content alone."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from datong.kernel.documents import lay_out_paper
from datong.quality.contracts import DIMENSION_TITLES, ReportView


def lay_out_report(report: ReportView, *, language: str = "zh") -> str:
    """The whole HTML document. What is signed is the JSON; its digest and signature are printed at the end."""
    zh = language.startswith("zh")
    content = report.content
    resource = content["resource"]
    body = "".join(
        (_facts(content, zh), _total(content, zh), _dimensions(content, zh), _rules(content, zh), _waivers(content, zh))
    )
    method = content["method"] if zh else content["method_en"]
    proof = (
        f"本报告的JSON原文SHA-256为{report.digest}，签名（EdDSA，RFC 7515分离式）：{report.jws}。"
        "核验：datong document verify 报告.json 报告.jws --key jwks.json。"
        if zh
        else f"SHA-256 of the report's JSON: {report.digest}; signature (EdDSA, detached, RFC 7515): {report.jws}. "
        "Check it with: datong document verify report.json report.jws --key jwks.json."
    )
    title = resource["title"] if zh else resource["title_en"] or resource["title"]
    return lay_out_paper(
        title=f"{title}数据质量报告" if zh else f"Data quality report: {title}",
        number=report.number,
        body_html=f'{body}<p class="small">{escape(method)}</p>',
        signer="数据质量检测（平台自动出具）" if zh else "Issued by the platform",
        day=str(content["issued_at"])[:10],
        proof=proof,
        language="zh-CN" if zh else "en",
    )


def _facts(content: Mapping[str, Any], zh: bool) -> str:  # noqa: FBT001 - a language, passed on
    resource, version, rows = content["resource"], content["version"], content["rows"]
    delivery = content["delivery"]
    lines = [
        ("提供部门" if zh else "Provider", resource["agency"] if zh else resource["agency_en"] or resource["agency"]),
        ("资源标识" if zh else "Resource", resource["id"]),
        ("目录编码" if zh else "Directory code", resource["directory_code"] or "—"),
        ("数据版本" if zh else "Version", version["label"]),
        ("契约版本" if zh else "Contract", version["contract"]),
        ("归集批次" if zh else "Run", f"{delivery['run']}  {delivery['file']}"),
        ("文件SHA-256" if zh else "SHA-256 of the file", delivery["sha256"]),
        (
            "行数" if zh else "Rows",
            f"接收{rows['read']:,}，入湖{rows['accepted']:,}，隔离{rows['quarantined']:,}"
            if zh
            else f"{rows['read']:,} read, {rows['accepted']:,} accepted, {rows['quarantined']:,} quarantined",
        ),
        ("数据项" if zh else "Columns", str(resource["columns"])),
        (
            "规则" if zh else "Rules",
            f"执行{content['rules_run']}条，通过{content['rules_held']}条"
            if zh
            else f"{content['rules_run']} run, {content['rules_held']} hold",
        ),
    ]
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in lines)
    return f'<table class="facts">{cells}</table>'


def _total(content: Mapping[str, Any], zh: bool) -> str:  # noqa: FBT001
    grade = content["grade"]["title" if zh else "title_en"]
    return f'<p class="total"><b>{content["score"]:.1f}</b> {escape(grade)}</p>'


def _dimensions(content: Mapping[str, Any], zh: bool) -> str:  # noqa: FBT001
    rows = []
    for dimension, (title_zh, title_en) in DIMENSION_TITLES.items():
        score = content["dimensions"].get(dimension.value)
        shown = f"{score:.1f}" if score is not None else ("无规则" if zh else "no rule")
        rows.append(f'<tr><td>{escape(title_zh if zh else title_en)}</td><td class="n">{shown}</td></tr>')
    head = "六维得分（GB/T 36344-2018）" if zh else "Six dimensions (GB/T 36344-2018)"
    names = ("维度", "得分") if zh else ("Dimension", "Score")
    return f"<h2>{head}</h2>{_table(names, rows, right=1)}"


def _rules(content: Mapping[str, Any], zh: bool) -> str:  # noqa: FBT001
    rows = []
    for rule in sorted(content["rules"], key=lambda rule: (-rule["is_broken"], -rule["rows_bad"], rule["check_id"])):
        verdict = _verdict(rule, zh)
        reason = rule["reason_zh" if zh else "reason_en"]
        rows.append(
            f'<tr><td class="m">{escape(rule["check_id"])}</td><td>{escape(reason)}</td>'
            f'<td class="n">{rule["rows_bad"]:,}</td><td class="n">{rule["score"]:.2f}</td>'
            f"<td>{escape(verdict)}</td></tr>"
        )
    head = "规则与发现的问题" if zh else "Rules and what they found"
    names = (
        ("规则", "问题", "不合格行", "得分", "结论")
        if zh
        else ("Rule", "When it is broken", "Rows", "Score", "Verdict")
    )
    return f"<h2>{head}</h2>{_table(names, rows, right=2)}"


def _verdict(rule: Mapping[str, Any], zh: bool) -> str:  # noqa: FBT001
    if not rule["is_evaluated"]:
        return "未判定" if zh else "not evaluated"
    if rule["is_waived"]:
        return "已豁免" if zh else "waived"
    if not rule["is_broken"]:
        return "通过" if zh else "holds"
    return "不通过" if zh else "broken"


def _waivers(content: Mapping[str, Any], zh: bool) -> str:  # noqa: FBT001
    if not content["waivers"]:
        return ""
    rows = [
        f'<tr><td class="m">{escape(w["rule"])}</td><td>{escape(w["until"])}</td><td>{escape(w["by"])}</td>'
        f"<td>{escape(w['reason'])}</td></tr>"
        for w in content["waivers"]
    ]
    names = ("规则", "有效期至", "批准人", "理由") if zh else ("Rule", "Until", "By", "Reason")
    return f"<h2>{'豁免' if zh else 'Waivers'}</h2>{_table(names, rows)}"


def _table(names: tuple[str, ...], rows: list[str], *, right: int = 99) -> str:
    """`right`: the column from which headings stand right, two of them at most."""
    heads = "".join(
        f'<th class="n">{escape(name)}</th>'
        if right <= i < right + 2 and i < len(names)
        else f"<th>{escape(name)}</th>"
        for i, name in enumerate(names)
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"

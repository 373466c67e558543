"""The report of an assessment, laid out for paper in Chinese, from its result alone."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from datong.kernel.documents import lay_out_paper
from datong.quality.assess.contracts import ASPECT_TITLES, Assessment, ColumnAssessment
from datong.quality.scoring import grade_titles

METHOD = (
    "结构符合度＝符合的要求数÷要求总数×100，要求来自各数据项所对应的数据元（类型、长度、代码集及其版本、标识校验、计量单位）"
    "以及命名和数据元的对应；取值符合度＝各数据项符合数据元的取值所占比例的平均×100，空值不计；"
    "总分为二者的平均，没有数据时仅计结构符合度。代码和行政区划按评估日有效的版本取值。"
)


def lay_out_report(assessment: Assessment, *, number: str, agency: str, signer: str, day: str) -> str:
    """The whole HTML document. `agency` provides the data, `signer` is who assessed it, `day` the day of issue."""
    return lay_out_paper(
        title="数据标准符合性评估报告",
        number=number,
        body_html="".join(
            (
                _facts(assessment, agency),
                _verdict(assessment),
                _structure(assessment),
                _values(assessment),
                _missing(assessment),
                _basis(assessment),
            )
        ),
        signer=signer,
        day=day,
        proof=(
            f"评估结果（JSON）的SHA-256见签名文件。本报告由平台以EdDSA签名（RFC 7515分离式），"
            f"核验：datong document verify {number}.html {number}.html.jws --key jwks.json，"
            "公钥见签发节点的 /.well-known/jwks.json。"
        ),
    )


def _facts(assessment: Assessment, agency: str) -> str:
    lines = [
        ("信息资源", assessment.title_zh),
        ("资源标识", assessment.subject),
        ("提供部门", agency),
        ("契约版本", f"{assessment.contract_version}（sha256 {assessment.contract_digest[:16]}…）"),
        ("数据版本", assessment.version_label or "未测取值：没有数据版本"),
        ("行数", "—" if assessment.rows_count is None else f"{assessment.rows_count:,}"),
        ("数据项", str(len(assessment.columns))),
        ("评估日", f"{assessment.day}"),
        (
            "对照的数据元集",
            f"{assessment.against_zh}（{assessment.against}）" if assessment.against else "各数据项所声明的数据元",
        ),
    ]
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in lines)
    return f'<h2>一、评估对象</h2><table class="facts">{cells}</table>'


def _verdict(assessment: Assessment) -> str:
    grade, _ = grade_titles(assessment.score)
    values = "未测" if assessment.values_score is None else f"{assessment.values_score:.2f}"
    met = assessment.requirements_count - assessment.unmet_count
    return (
        f'<h2>二、结论</h2><p class="total"><b>{assessment.score:.1f}</b> 分　{escape(grade)}</p>'
        f"<p>共{assessment.requirements_count}项要求，符合{met}项，不符合{assessment.unmet_count}项；"
        f"结构符合度{assessment.structure_score:.2f}，取值符合度{values}。</p>"
    )


def _structure(assessment: Assessment) -> str:
    rows = [
        f"<tr><td>{_name(column)}</td><td>{_element(column)}</td>"
        f"<td>{escape(ASPECT_TITLES[each.aspect][0])}</td>"
        f"<td>{escape(each.zh)}{_hint(column, each.aspect.value)}</td></tr>"
        for column in assessment.columns
        for each in column.unmet
    ]
    if not rows:
        return "<h2>三、结构不符合项</h2><p>没有。</p>"
    return f"<h2>三、结构不符合项</h2>{_table(('数据项', '数据元', '方面', '发现'), rows)}"


def _values(assessment: Assessment) -> str:
    rows = [
        f"<tr><td>{_name(column)}</td><td>{_element(column)}</td><td>{escape(share.zh)}</td>"
        f'<td class="n">{share.values_count:,}</td><td class="n">{share.bad_count:,}</td>'
        f'<td class="n">{_percent(share.share)}</td></tr>'
        for column in assessment.columns
        for share in column.values
    ]
    if not rows:
        return "<h2>四、取值符合度</h2><p>没有测量：没有数据版本，或没有数据项对应可校验的数据元。</p>"
    heads = ("数据项", "数据元", "不符合的情形", "有值行", "不符合", "符合率")
    return f"<h2>四、取值符合度</h2>{_table(heads, rows, right_from=3)}"


def _missing(assessment: Assessment) -> str:
    if not assessment.against:
        return ""
    if not assessment.missing:
        return f"<h2>五、缺少的数据元</h2><p>“{escape(assessment.against_zh)}”的数据元齐全。</p>"
    rows = [
        f'<tr><td class="m">{escape(each.element_id)}</td><td>{escape(each.title_zh)}</td></tr>'
        for each in assessment.missing
    ]
    return f"<h2>五、缺少的数据元</h2>{_table(('数据元', '名称'), rows)}"


def _basis(assessment: Assessment) -> str:
    number = "六" if assessment.against else "五"
    editions = "、".join(assessment.editions) or "无代码集"
    return (
        f'<h2>{number}、评估方法</h2><p class="small">{escape(METHOD)}</p>'
        f'<p class="small">所用代码集：{escape(editions)}。</p>'
    )


def _name(column: ColumnAssessment) -> str:
    return f'{escape(column.title_zh)}<br><span class="m">{escape(column.name)}</span>'


def _element(column: ColumnAssessment) -> str:
    if not column.element_id:
        return "—"
    return f'{escape(column.element_zh)}<br><span class="m">{escape(column.element_id)}</span>'


def _hint(column: ColumnAssessment, aspect: str) -> str:
    if aspect != "element" or column.hint is None:
        return ""
    return f"；可能是{escape(column.hint.title_zh)}（{escape(column.hint.element_id)}）"


def _percent(share: float) -> str:
    """Enough digits that only a full share reads as 100."""
    text = f"{100 * share:.2f}%"
    return "99.99%" if text == "100.00%" and share < 1 else text


def _table(names: Sequence[str], rows: Sequence[str], *, right_from: int = 99) -> str:
    heads = "".join(
        f"<th{' class=n' if place >= right_from else ''}>{escape(name)}</th>" for place, name in enumerate(names)
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"

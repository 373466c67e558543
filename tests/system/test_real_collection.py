"""The publishers' own files, handed in through the page by their agencies' stewards: counts, notes, true faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from datong.testing.instance import Instance
from datong.testing.real_files import FILES, RealFile, contract_text
from tests.system.real_page import SUFFIX, Steward, describe, renamed, sign_in

REAL = next((p / "shared" / "data" for p in Path(__file__).resolve().parents if (p / "shared" / "data").is_dir()), None)
pytestmark = [
    pytest.mark.xdist_group("instance"),
    pytest.mark.timeout(300),
    pytest.mark.skipif(REAL is None, reason="the folder of real files is not beside the project"),
]
CONTRACTS = {file.contract: file.agency for file in FILES}
TOLD = {
    "preamble": "表头之上第1至2行是标题或说明，未作为数据 Database：Quarterly Time：4Q 2021-1Q 2026",
    "footnotes": "表尾第36至40行是注释或来源，未作为数据",
    "unpivoted": "宽表转为长表：18列各成一行，0个空单元格没有成行",
    "member": "读取的是压缩包中的",
    "short-rows": "13行末尾缺少字段，按空值补齐",
    "column-renamed": "drop_off_time → drop_off_type",
}
"""What the page says of each note of `RealFile.notes`."""
REASONS = {
    "frequency.type": "文档频次不是整数",
    "frequency.required": "文档频次为空",
    "word.unique": "主键重复，保留文件中较后的一行",
}


@pytest.fixture(scope="module")
def stewards(instance: Instance) -> Iterator[dict[str, Steward]]:
    """Each agency's steward, signed in; all contracts of real files are in force."""
    describe(instance, [(agency, renamed(contract_text(name), CONTRACTS)) for name, agency in CONTRACTS.items()])
    with ExitStack() as doors:
        yield {agency: doors.enter_context(sign_in(instance, agency)) for agency in sorted(set(CONTRACTS.values()))}


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.contract}-{file.filename}")
def test_a_real_file_comes_through_the_page(stewards: dict[str, Steward], file: RealFile) -> None:
    assert REAL is not None
    steward = stewards[file.agency]
    report = steward.hand_in(file.contract + SUFFIX, file.filename, (REAL / file.name).read_bytes())
    assert report.counts == (file.rows, file.rows - len(file.refused), len(file.refused))
    for note in file.notes:
        assert TOLD[note] in report.text
    for rule, rows in Counter(file.refused.values()).items():
        assert f"{REASONS[rule]} {rows}" in report.text
    if file.refused:
        refused = report.download_quarantine()
        assert {int(row["line"]): row["rule"] for row in refused} == file.refused
    else:
        assert "没有隔离的行" in report.text
    assert report.score >= 99


def test_the_same_file_again_changes_nothing(stewards: dict[str, Steward]) -> None:
    assert REAL is not None
    file = next(file for file in FILES if file.contract == "transport_routes")
    name, content = f"{file.contract}{SUFFIX}", (REAL / file.name).read_bytes()
    stewards["transport"].hand_in(name, file.filename, content)
    again = stewards["transport"].hand_in(name, file.filename, content)
    assert "与上次归集的文件逐字节相同" in again.text
    assert "没有产生新版本" in again.text


def test_a_true_file_cut_short_is_told_by_its_bill(stewards: dict[str, Steward]) -> None:
    """The planted fault: the last 41 streets are lost on the way; the sender's bill says how many there were."""
    assert REAL is not None
    whole = (REAL / "divisions/china_division_streets.csv").read_bytes()
    cut = b"\n".join(whole.splitlines()[:-41]) + b"\n"
    report = stewards["civil"].hand_in("civil_streets" + SUFFIX, "streets.csv", cut, bill_rows="41352")
    assert "行数应为41352，实为41311" in report.text.replace(",", "")
    assert "尚未入湖" in report.text


def test_a_steward_of_another_agency_cannot_hand_it_in(stewards: dict[str, Steward]) -> None:
    page = stewards["eco"].read(f"/resources/civil_streets{SUFFIX}/collect")
    assert "你不能归集这个资源" in page
    assert 'type="file"' not in page

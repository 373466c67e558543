"""Importing through the real door: kept for ever, never overlapping, in force for checks at once."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from django.db import DatabaseError, connection, transaction

from datong.kernel.contracts import Actor
from datong.kernel.failures import Misconfigured, NotAllowed
from datong.standards import service
from datong.standards.code_lists import find_editions, get_code_list
from datong.standards.contracts import EditionFixed, EditionOverlaps, StandardInvalid
from datong.standards.divisions import national_divisions
from datong.standards.elements import find_placed, get_element
from datong.standards.matching import SampleFacts, match_elements
from datong.standards.snapshot import digest_edition, standards_dir
from datong.standards.store.editions import read_editions
from datong.standards.tests.conftest import BringIn
from datong.testing.cast import Cast
from datong.testing.reference import find_reference_file

pytestmark = pytest.mark.django_db

OLD = b"code,title_zh\n01,\xe7\xba\xa2\n02,\xe7\xbb\xbf\n"
NEW = b"code,title_zh\n01,\xe7\xba\xa2\n03,\xe8\x93\x9d\n"


def reference(name: str) -> tuple[str, bytes]:
    path = find_reference_file(name)
    if path is None:
        pytest.skip(f"no {name} on this machine")
    return Path(name).name, path.read_bytes()


def colours(bring_in: BringIn, data: bytes, edition: str, **heading: str) -> service.Imported:
    return bring_in([("colours.csv", data)], name="colours", edition=edition, title_zh="颜色", **heading)


def test_an_import_is_in_force_at_once_and_the_day_chooses_the_edition(bring_in: BringIn) -> None:
    colours(bring_in, OLD, "2010", valid_from="2010-01-01")
    colours(bring_in, NEW, "2020", valid_from="2020-01-01", source="GB/T 99999-2020")
    unpinned = get_code_list("colours")
    assert unpinned.values(dt.date(2015, 6, 1)) == ("01", "02")
    assert unpinned.values(dt.date(2020, 1, 1)) == ("01", "03")
    assert unpinned.values(dt.date(1990, 1, 1)) == ("01", "02"), "before the first edition the first stands in"
    assert get_code_list("colours@2010").values(dt.date(2025, 1, 1)) == ("01", "02"), "pinned"
    assert get_code_list("GB/T 99999-2020").name == "colours"
    assert [e.valid_to for e in find_editions("colours")] == [dt.date(2020, 1, 1), None]


def test_the_same_again_changes_nothing_and_other_content_is_refused(bring_in: BringIn) -> None:
    first = colours(bring_in, OLD, "2010")
    again = colours(bring_in, OLD, "2010")
    assert (first.changed, again.changed, first.digest) == (True, False, again.digest)
    with pytest.raises(EditionFixed):
        colours(bring_in, NEW, "2010")
    assert get_code_list("colours").values() == ("01", "02")


@pytest.mark.parametrize(
    ("start", "end"),
    [("2010-01-01", ""), ("2005-01-01", "2010-01-02"), ("2012-01-01", "2014-01-01")],
    ids=["same day", "ends after the other began", "within one that says its end"],
)
def test_an_edition_that_overlaps_another_is_refused(bring_in: BringIn, start: str, end: str) -> None:
    colours(bring_in, OLD, "2010", valid_from="2010-01-01", valid_to="2015-01-01")
    with pytest.raises(EditionOverlaps):
        colours(bring_in, NEW, "x", valid_from=start, valid_to=end)


def test_an_older_edition_may_come_later_and_ends_where_the_next_begins(bring_in: BringIn) -> None:
    colours(bring_in, NEW, "2020", valid_from="2020-01-01")
    colours(bring_in, OLD, "2010", valid_from="2010-01-01")
    assert get_code_list("colours").values(dt.date(2012, 1, 1)) == ("01", "02")
    assert get_code_list("colours").values(dt.date(2022, 1, 1)) == ("01", "03")


@pytest.mark.parametrize("who", ["psb.steward", "psb.approver", "operator", "security", "auditor"])
def test_only_the_bureau_imports(bring_in: BringIn, cast: Cast, who: str) -> None:
    with pytest.raises(NotAllowed):
        bring_in([("colours.csv", OLD)], cast.actor(who), name="colours", edition="1", title_zh="颜色")
    assert list(read_editions()) == []


def test_rows_give_back_what_was_imported_and_refuse_to_change(bring_in: BringIn) -> None:
    done = colours(bring_in, OLD, "2010", valid_from="2010-01-01")
    [(row, edition)] = read_editions()
    assert digest_edition(edition) == done.digest == row.digest
    with connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")
    for statement in (
        "update standards_code set title_zh = '黑'",
        "delete from standards_edition",
        "truncate standards_code",
        "update standards_edition set valid_to = '2012-01-01'",
    ):
        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_a_snapshot_that_was_altered_is_refused_and_sync_mends_it(bring_in: BringIn) -> None:
    done = colours(bring_in, OLD, "2010")
    file = standards_dir() / f"{done.digest}.json"
    file.write_bytes(file.read_bytes().replace("红".encode(), "黑".encode()))
    index = standards_dir() / "index.json"
    index.write_bytes(index.read_bytes())
    with pytest.raises(Misconfigured):
        get_code_list("colours")
    file.unlink()
    index.unlink()
    assert service.write_snapshot() == 1
    assert get_code_list("colours").titles()["01"] == "红"


def test_a_worker_writes_the_snapshot_when_the_importer_was_killed_before(bureau: Actor, bring_in: BringIn) -> None:
    from datong.kernel.events.service import deliver_pending
    from datong.standards.importing import Heading, read_edition

    edition = read_edition([("c.csv", OLD)], Heading(name="colours", edition="1", title_zh="颜色")).edition
    service.import_edition(bureau, edition)  # committed, as far as this test's transaction goes; no callback ran
    assert not (standards_dir() / "index.json").exists()
    assert deliver_pending() >= 1
    assert get_code_list("colours").values() == ("01", "02")
    assert bring_in is not None


def test_elements_are_imported_and_take_the_place_of_shipped_ones(bring_in: BringIn) -> None:
    heads = "标识符,英文标识,数据元名称,表示格式,同义名称"
    table = f"{heads}\nDE-00002,person_name,姓名,c..30,名字；称呼\nAL-1,lamp,路灯编号,an12,灯号\n"
    bring_in([("elements.csv", table.encode())], name="anlan", edition="2026", title_zh="安澜", valid_from="2026-01-01")
    assert get_element("DE-00002").form == "c..30"
    assert [placed.edition.label for placed in find_placed("DE-00002")] == ["common@2026", "anlan@2026"]
    assert match_elements("灯号", "", SampleFacts(length_min=12, length_max=12))[0].element.id == "AL-1"


# The real files ----------------------------------------------------------------------------------------------------
def test_gbt4754_editions_and_their_concordance(bring_in: BringIn) -> None:
    bring_in([reference("industry/gbt4754_2011.csv")])
    done = bring_in([reference("industry/gbt4754_2017.csv")])
    assert done.label == "gbt4754@2017"
    codes = get_code_list("gbt4754@2017").values()
    assert [sum(len(code) == n for code in codes) for n in (1, 2, 3, 4)] == [20, 97, 473, 1380]
    changes = service.compare("gbt4754", "2011", "2017", leaves_only=True)
    assert changes is not None
    counts = {
        kind: sum(change.kind == kind for change in changes) for kind in ("retitled", "added", "dropped", "moved")
    }
    assert counts["retitled"] == 213
    assert counts["added"] + counts["moved"] == 445
    assert counts["dropped"] + counts["moved"] == 159
    titles = [get_code_list(f"gbt4754@{edition}").titles()["3963"] for edition in ("2011", "2017")]
    assert titles[0] != titles[1], "the same code means another thing"
    assert get_code_list("GB/T 4754-2011").titles()["3963"] == titles[0]


def test_division_history_is_imported_and_used_by_checks(bring_in: BringIn) -> None:
    assert national_divisions().name_at("310106", dt.date(1981, 6, 1)) is not None
    before = national_divisions().last
    done = bring_in(
        [
            reference("divisions/gb2260_history_mca_198012_201904.csv"),
            reference("divisions/jionlp_china_location_change.txt"),
        ]
    )
    assert done.label == "gbt2260@198012-201904"
    assert done.warnings, "changes after the table's last snapshot are told, not guessed"
    table = national_divisions()
    assert (before, table.last) == (dt.date(2014, 12, 31), dt.date(2019, 4, 30))
    assert table.name_at("310108", dt.date(2016, 6, 1)) is None
    assert table.codes_after("372621", dt.date(1981, 1, 1), dt.date(2019, 4, 30)) == ("371200",)
    steps = table.successors("372621", dt.date(1981, 1, 1), dt.date(2019, 4, 30))
    assert [step.to_code for step in steps] == ["372602", "370901", "379004", "371200"]
    assert "310108" in get_code_list("gbt2260").values(dt.date(2014, 6, 1))
    assert "310108" not in get_code_list("gbt2260").values(dt.date(2017, 6, 1)), "planted: it ended before the date"


@pytest.mark.parametrize(
    ("name", "data", "part"),
    [
        ("a.csv", b"code,title_zh\n1,x\n1,y\n", "two entries"),
        ("a.csv", b"code,title_zh,valid_from,valid_to\n1,x,2020-01-01,2019-01-01\n", "ends before it begins"),
        ("a.csv", b"code,title_zh,parent\n1,x,9\n", "parent"),
        ("a.csv", b"code,title_zh\n,x\n", "empty"),
        ("a.csv", b"code,title_zh,valid_from\n1,x,yesterday\n", "cannot be read"),
        ("a.csv", b"what,ever\n1,2\n", "not known"),
        ("a.csv", b"code,title_zh\n", "no entries"),
        ("a.yaml", b"codes: [{code: 0111, title_zh: x}]\n", "in quotes"),
        ("a.yaml", b"a: &x {code: '1', title_zh: x}\ncodes: [*x]\n", "aliases"),
        ("a.json", b'{"a": ["b"]}', "no codes"),
        ("a.csv", b"id,name,zh,form\nX,x,x,eighteen\n", "form"),
        ("a.csv", b"\xff\xff\xff", "neither UTF-8"),
        ("a.csv", b"code,title_zh\n1,x\n", "lacks its name"),
    ],
)
def test_files_that_are_no_standard_say_why(bring_in: BringIn, name: str, data: bytes, part: str) -> None:
    given = {} if part == "lacks its name" else {"name": "things", "edition": "1", "title_zh": "物"}
    with pytest.raises(StandardInvalid) as caught:
        bring_in([(name, data)], **given)
    assert part in caught.value.hint
    assert all(finding.message_zh for finding in caught.value.findings)

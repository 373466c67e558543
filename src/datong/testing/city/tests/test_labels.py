"""Every fault is labelled, every label is true, and nothing else differs from the truth."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from datong.standards.identifiers import check_resident_id, check_uscc
from datong.testing.city import AS_OF_DEFAULT, CityReport, build_city
from datong.testing.city.agencies import TABLES, TABLES_BY_NAME
from datong.testing.city.faults import DIRT, FAULTS, ROW_VISIBLE
from datong.testing.city.model import ColumnSpec
from datong.testing.city.score import count_labels
from datong.testing.city.tests.reading import read_table

Difference = tuple[str, int, str]
NAMES = [table.spec.resource for table in TABLES]


def labels_of(report: CityReport) -> list[dict[str, Any]]:
    labels: list[dict[str, Any]] = pq.read_table(report.out / "truth" / "labels.parquet").to_pylist()
    assert labels
    return labels


def true_rows(report: CityReport) -> dict[str, dict[int, int]]:
    """Table → row of the file → row of the same city without dirt."""
    found: dict[str, dict[int, int]] = {name: {} for name in NAMES}
    table = pq.read_table(report.out / "truth" / "rows.parquet")
    columns = [table.column(name).to_pylist() for name in ("resource", "row", "true_row")]
    for resource, row, true_row in zip(*columns, strict=True):
        found[resource][row] = true_row
    return found


def same(written: str, right: str, column: ColumnSpec) -> bool:
    """Equal as texts, or as numbers: 12.50 is 12.5 in a form that has numbers."""
    if written == right or column.type not in ("number", "integer"):
        return written == right
    try:
        return float(written) == float(right)
    except ValueError:
        return False


def differences(clean: CityReport, dirty: CityReport, names: Iterable[str] = NAMES) -> set[Difference]:
    found = set()
    rows_of = true_rows(dirty)
    for name in names:
        spec = TABLES_BY_NAME[name].spec
        right, wrong = read_table(clean, name), read_table(dirty, name)
        assert len(wrong) == len(rows_of[name]) == dirty.copies[name].rows
        for row, true_row in rows_of[name].items():
            for place, column in enumerate(spec.columns):
                cells, truth = wrong[row - 1], right[true_row - 1][place]
                if place >= len(cells) or not same(cells[place], truth, column):
                    found.add((name, row, column.name))
    return found


def labelled(labels: Iterable[dict[str, Any]]) -> set[Difference]:
    return {
        (label["resource"], label["row"], label["column"])
        for label in labels
        if label["row"] and label["truth"] != label["written"]
    }


def test_what_differs_from_the_truth_is_labelled_and_nothing_else(clean: CityReport, usual: CityReport) -> None:
    found = differences(clean, usual)
    assert len(found) > 1000
    assert found == labelled(labels_of(usual))


def test_a_change_without_a_label_and_a_label_without_a_change_are_found(tmp_path: Path, clean: CityReport) -> None:
    dirty = build_city(tmp_path, people=4000, only=("psb_population",))
    path = dirty.path("psb_population")
    text = path.read_bytes().decode("gb18030")
    path.write_bytes(text.replace(",正常,", ",迁出,", 1).encode("gb18030"))
    labels = labels_of(dirty)
    found = differences(clean, dirty, ["psb_population"])
    assert len(found - labelled(labels)) == 1
    forgotten = next(place for place, label in enumerate(labels) if label["kind"] == "homophone")
    assert found - labelled([*labels[:forgotten], *labels[forgotten + 1 :]]) > found - labelled(labels)


def missing_kinds(counted: Iterable[tuple[str, str]]) -> set[str]:
    return set(FAULTS) - {kind for _, kind in counted}


def test_every_kind_of_fault_is_there_and_labelled(usual: CityReport, heavy: CityReport) -> None:
    counts = count_labels(usual.out)
    assert missing_kinds(counts) == set()
    assert missing_kinds(count_labels(heavy.out)) == set()
    told = {(name, kind): count for name, copy in usual.copies.items() for kind, count in copy.faults.items()}
    assert told == dict(counts)


def test_a_kind_without_labels_is_found(usual: CityReport) -> None:
    assert missing_kinds(key for key in count_labels(usual.out) if key[1] != "twin") == {"twin"}


def test_dirt_rises_by_level_and_none_is_none(clean: CityReport, usual: CityReport, heavy: CityReport) -> None:
    assert list(DIRT) == ["none", "light", "usual", "heavy"]
    assert all(not copy.faults and copy.rows == copy.entities for copy in clean.copies.values())
    assert pq.read_table(clean.out / "truth" / "labels.parquet").num_rows == 0
    shares = [
        report.copies["psb_population"].faulty_rows / report.copies["psb_population"].rows for report in (usual, heavy)
    ]
    assert 0.05 < shares[0] < 0.12 < shares[1] < 0.4


def test_dirt_leaves_the_truth_alone(clean: CityReport, usual: CityReport) -> None:
    for name in ("people", "firms", "events"):
        one, other = (pq.read_table(report.out / "truth" / f"{name}.parquet") for report in (clean, usual))
        assert one.num_rows
        assert one.equals(other), name


@pytest.mark.parametrize("name", NAMES)
def test_counts_add_up(heavy: CityReport, name: str) -> None:
    count = heavy.copies[name]
    assert count.rows == len(read_table(heavy, name)) == count.entities - count.absent + count.duplicates


def test_identifier_faults_are_seen_by_the_checks(heavy: CityReport) -> None:
    """Not by construction: the faults know nothing of the checks."""
    seen = 0
    for label in labels_of(heavy):
        column = next(c for c in TABLES_BY_NAME[label["resource"]].spec.columns if c.name == label["column"])
        if label["kind"] not in ROW_VISIBLE or label["written"] in (None, "") or column.role != "identifier":
            continue
        if column.identifier == "resident_id":
            assert check_resident_id(label["written"], suggest=False, today=AS_OF_DEFAULT) is not None, label
        else:
            assert check_uscc(label["written"], suggest=False) is not None, label
        seen += 1
    assert seen > 100


def test_duplicates_name_the_line_they_repeat(heavy: CityReport) -> None:
    duplicates = [label for label in labels_of(heavy) if label["kind"] in ("duplicate", "changed-duplicate")]
    assert duplicates
    for label in duplicates:
        assert 1 <= label["of_line"] < label["line"]


def test_people_who_are_mixed_up_are_those_one_mixes_up(heavy: CityReport) -> None:
    people = {each["number"]: each for each in pq.read_table(heavy.out / "truth" / "people.parquet").to_pylist()}
    by_id = {each["id_number"]: each for each in people.values()}
    seen = set()
    for label in labels_of(heavy):
        if label["kind"] not in ("namesake", "father-son", "twin"):
            continue
        mine, other = by_id[label["truth"]], by_id[label["written"]]
        seen.add(label["kind"])
        match label["kind"]:
            case "namesake":
                assert mine["name"] == other["name"]
            case "father-son":
                assert mine["father"] == other["number"]
                assert mine["sex"] == "1"
            case _:
                assert mine["twin"] == other["number"]
                assert mine["birth_date"] == other["birth_date"]
    assert seen == {"namesake", "father-son", "twin"}

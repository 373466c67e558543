"""The city keeps its word: valid truth, every fault labelled, nothing wrong without a label."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from datong.standards.divisions import national_divisions
from datong.standards.identifiers import check_resident_id, check_uscc, read_resident_id
from datong.testing.city import AS_OF_DEFAULT, CityReport, build_city, city_divisions
from datong.testing.city.copies import AMR_ENTERPRISE, HRSS_INSURED, PSB_POPULATION
from datong.testing.city.dirt import DIRT, FAULTS, PERSON_ONLY, ROW_VISIBLE
from datong.testing.city.model import CopySpec

Record = list[str]
Difference = tuple[int, str]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> CityReport:
    return build_city(tmp_path_factory.mktemp("city"))


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> CityReport:
    return build_city(tmp_path_factory.mktemp("heavy"), people=3000, firms=600, seed=11, dirt="heavy")


def truth_rows(report: CityReport, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(report.out / "truth" / f"{name}.parquet").to_pylist()
    assert rows
    return rows


def records(path: Path, encoding: str) -> dict[int, Record]:
    """Physical line on which a record begins → its fields."""
    found = {}
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file)
        begins = 1
        for record in reader:
            found[begins] = record
            begins = reader.line_num + 1
    assert len(found) > 1
    return found


def true_record(spec: CopySpec, entity: dict[str, Any]) -> Record:
    if spec is PSB_POPULATION:
        keys = [
            "id_number",
            "name",
            "sex",
            "birth_date",
            "ethnicity",
            "division_code",
            "address",
            "status",
            "updated_on",
        ]
    else:
        keys = list(spec.layout.header)
    return [entity[key] for key in keys]


def labels_of(report: CityReport) -> list[dict[str, Any]]:
    text = (report.out / "faults.jsonl").read_text(encoding="utf-8")
    labels = [json.loads(line) for line in text.splitlines()]
    assert labels
    return labels


def compare(
    report: CityReport, spec: CopySpec, entities: list[dict[str, Any]]
) -> tuple[set[Difference], set[Difference]]:
    """(differences found in the file, differences that are labelled), each as (line, column)."""
    by_number = {entity["number"]: entity for entity in entities}
    copy = records(report.path(spec.name), spec.encoding)
    found = set()
    lines = [row for row in truth_rows(report, "lines") if row["file"] == spec.name]
    assert len(lines) == len(copy) - 1
    for row in lines:
        written = copy[row["line"]]
        for place, right in enumerate(true_record(spec, by_number[row["entity"]])):
            if (written[place] if place < len(written) else None) != right:
                found.add((row["line"], spec.layout.header[place]))
    labelled = {
        (label["line"], label["column"])
        for label in labels_of(report)
        if label["file"] == spec.file_name and label["line"] and label["truth"] != label["written"]
    }
    return found, labelled


def test_every_person_has_a_number_that_says_who_they_are(city: CityReport) -> None:
    people = truth_rows(city, "people")
    assert len(people) == city.people == 5000
    assert len({person["id_number"] for person in people}) == 5000
    for person in people:
        parts = read_resident_id(person["id_number"], today=AS_OF_DEFAULT)
        assert parts is not None, person
        assert parts.born_on.isoformat() == person["birth_date"]
        assert parts.is_male == (person["sex"] == "1")
        assert parts.division_code.startswith("9901")
        assert person["birth_date"] <= person["updated_on"] <= AS_OF_DEFAULT.isoformat()


def test_every_firm_has_a_code_and_a_legal_person_of_the_city(city: CityReport) -> None:
    people = {person["id_number"]: person["name"] for person in truth_rows(city, "people")}
    firms = truth_rows(city, "firms")
    assert len({firm["uscc"] for firm in firms}) == city.firms == 500
    for firm in firms:
        assert check_uscc(firm["uscc"], organisation_part=True) is None, firm
        assert people[firm["legal_person_id"]] == firm["legal_person"]
        assert firm["uscc"][2:8] in (firm["division_code"], "990100")
        assert firm["established_on"] <= firm["approved_on"] <= AS_OF_DEFAULT.isoformat()
    assert len({firm["legal_person_id"] for firm in firms}) < 500, "some people lead several firms"


def test_the_city_looks_like_one(city: CityReport) -> None:
    people = truth_rows(city, "people")
    surnames = [person["name"][0] for person in people]
    assert surnames.count("王") > 200
    assert any(person["name"].startswith(("欧阳", "诸葛", "司马", "上官")) for person in people)
    assert 0 < city.namesakes < city.people
    assert 2 < city.people / city.households < 4
    ages = [AS_OF_DEFAULT.year - int(person["birth_date"][:4]) for person in people]
    assert min(ages) < 3
    assert max(ages) > 85
    assert {person["status"] for person in people} == {"正常", "迁出", "死亡", "注销"}


@pytest.mark.parametrize(("spec", "entities"), [(PSB_POPULATION, "people"), (AMR_ENTERPRISE, "firms")])
@pytest.mark.parametrize("level", ["moderate", "heavy"])
def test_what_differs_from_the_truth_is_labelled_and_nothing_else(
    request: pytest.FixtureRequest, level: str, spec: CopySpec, entities: str
) -> None:
    report: CityReport = request.getfixturevalue("city" if level == "moderate" else "heavy")
    found, labelled = compare(report, spec, truth_rows(report, entities))
    assert found
    assert found == labelled


def test_a_planted_change_without_a_label_is_found(tmp_path: Path) -> None:
    report = build_city(tmp_path, people=300, firms=30)
    path = report.path("psb_population")
    text = path.read_bytes().decode("gb18030")
    path.write_bytes(text.replace(",正常,", ",迁出,", 1).encode("gb18030"))
    found, labelled = compare(report, PSB_POPULATION, truth_rows(report, "people"))
    assert len(found - labelled) == 1


@pytest.mark.parametrize("spec", [PSB_POPULATION, AMR_ENTERPRISE, HRSS_INSURED])
def test_counts_add_up(heavy: CityReport, spec: CopySpec) -> None:
    count = heavy.copies[spec.name]
    copy = records(count.path, spec.encoding)
    assert count.rows == len(copy) - 1 == count.entities - count.absent + count.duplicates
    with count.path.open("rb") as file:
        assert sum(1 for _ in file) == count.lines
    labels = [label for label in labels_of(heavy) if label["file"] == spec.file_name]
    for label in labels:
        if label["line"] and label["written"] is not None:
            place = spec.layout.header.index(label["column"])
            record = copy[label["line"]]
            assert place >= len(record) or record[place] == label["written"], label
    kinds = {label["kind"] for label in labels}
    assert kinds == set(count.faults)
    expected = set(DIRT["heavy"]) - (set() if spec.layout.sex is not None else PERSON_ONLY)
    if spec is PSB_POPULATION:
        assert kinds == expected


def test_identifier_faults_are_seen_by_the_checks(heavy: CityReport) -> None:
    """Not by construction: the faults know nothing of the checks."""
    seen = 0
    for label in labels_of(heavy):
        if label["kind"] not in ROW_VISIBLE or label["written"] is None:
            continue
        if label["column"] in ("公民身份号码", "id_number") and label["file"] != "amr_enterprise.csv":
            assert check_resident_id(label["written"], suggest=False, today=AS_OF_DEFAULT) is not None, label
            seen += 1
        elif label["column"] == "uscc":
            assert check_uscc(label["written"], suggest=False) is not None, label
            seen += 1
    assert seen > 50


def test_duplicates_name_the_line_they_repeat(heavy: CityReport) -> None:
    duplicates = [label for label in labels_of(heavy) if label["kind"] in ("duplicate", "changed-duplicate")]
    assert duplicates
    for label in duplicates:
        assert 1 < label["of_line"] < label["line"]


def digest_of(report: CityReport) -> dict[str, str]:
    files = [path for path in sorted(report.out.rglob("*")) if path.is_file()]
    assert len(files) >= 9
    return {str(path.relative_to(report.out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    one = digest_of(build_city(tmp_path / "one", people=400, firms=40, seed=3))
    two = digest_of(build_city(tmp_path / "two", people=400, firms=40, seed=3))
    other = digest_of(build_city(tmp_path / "other", people=400, firms=40, seed=4))
    assert one == two
    assert one["psb_population.csv"] != other["psb_population.csv"]


def test_dirt_leaves_the_truth_alone(tmp_path: Path) -> None:
    clean = build_city(tmp_path / "clean", people=400, firms=40, dirt="clean")
    dirty = build_city(tmp_path / "dirty", people=400, firms=40, dirt="heavy")
    for name in ("people", "firms"):
        assert truth_rows(clean, name) == truth_rows(dirty, name)
    assert (clean.out / "faults.jsonl").read_text(encoding="utf-8") == ""
    assert all(not copy.faults and copy.rows == copy.entities for copy in clean.copies.values())


def test_nonsense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one person"):
        build_city(tmp_path, people=0)
    with pytest.raises(ValueError, match="dirt is one of"):
        build_city(tmp_path, dirt="filthy")


def test_a_city_without_firms_or_with_one_person_stands(tmp_path: Path) -> None:
    assert build_city(tmp_path / "a", people=50, firms=0).copies["amr_enterprise"].rows == 0
    assert build_city(tmp_path / "b", people=1, firms=3, dirt="clean").copies["amr_enterprise"].rows == 3


def test_every_fault_has_a_rate_and_every_rate_a_fault() -> None:
    assert set(FAULTS) | {"duplicate", "changed-duplicate", "absent"} == set(DIRT["heavy"])
    assert set(FAULTS) >= ROW_VISIBLE


@pytest.mark.parametrize(("spec", "column"), [(PSB_POPULATION, "businessName"), (AMR_ENTERPRISE, "name")])
def test_the_headings_are_those_of_the_demo_contract(city: CityReport, spec: CopySpec, column: str) -> None:
    source = resources.files("datong.testing") / "contracts" / f"{spec.name}.odcs.yaml"
    properties = YAML(typ="safe").load(source.read_text(encoding="utf-8"))["schema"][0]["properties"]
    assert tuple(item[column] for item in properties) == spec.layout.header
    entities = truth_rows(city, "people" if spec is PSB_POPULATION else "firms")
    for place, item in enumerate(properties):
        written = {true_record(spec, entity)[place] for entity in entities}
        for rule in item.get("quality", []):
            valid = rule.get("arguments", {}).get("validValues")
            if valid is not None:
                assert written <= {str(value) for value in valid}, item["name"]
        if item.get("required"):
            assert "" not in written, item["name"]
        longest = item.get("logicalTypeOptions", {}).get("maxLength")
        if longest is not None:
            assert max(len(value) for value in written) <= longest, item["name"]


def test_the_invented_divisions_exist_only_in_the_city() -> None:
    today = dt.date(2026, 6, 30)
    assert city_divisions().full_name_at("990102", today) == "海晏省安澜市东湖区"
    assert all(not code.startswith("99") for code, _ in national_divisions().as_of_table(today))

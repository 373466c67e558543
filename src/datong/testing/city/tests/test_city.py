"""The city keeps its word: everybody's number is valid and nobody's, people belong together, bytes come again."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from datong.catalog.odcs import load_contract
from datong.collect.reconcile import read_bill
from datong.standards.divisions import national_divisions
from datong.standards.identifiers import check_uscc, read_resident_id
from datong.testing.city import AS_OF_DEFAULT, CityReport, build_city, city_divisions
from datong.testing.city.agencies import AGENCIES, TABLES
from datong.testing.city.contracts import GEOMETRY
from datong.testing.city.tests.reading import read_table


def truth_rows(report: CityReport, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(report.out / "truth" / f"{name}.parquet").to_pylist()
    assert rows
    return rows


def test_every_person_has_a_number_that_says_who_they_are(clean: CityReport) -> None:
    people = truth_rows(clean, "people")
    assert len({person["id_number"] for person in people}) == len(people) == clean.people == 4000
    for person in people:
        parts = read_resident_id(person["id_number"], today=AS_OF_DEFAULT)
        assert parts is not None, person
        assert parts.born_on.isoformat() == person["birth_date"]
        assert parts.is_male == (person["sex"] == "1")
        known = max(parts.born_on, dt.date(1949, 10, 1))  # the divisions are of the republic, some people are older
        assert city_divisions().check(parts.division_code, known) is None, person
        assert person["birth_date"] <= person["updated_on"] <= AS_OF_DEFAULT.isoformat()


def test_nobody_is_real(clean: CityReport) -> None:
    """No authority ever gave a number of province 99, nor an operator one of segment 154."""
    assert all(not code.startswith("99") for code, _ in national_divisions().as_of_table(dt.date(2014, 1, 1)))
    for person in truth_rows(clean, "people"):
        assert person["id_number"].startswith("99")
        assert person["phone"].startswith("154")
    assert all(firm["uscc"][2:4] == "99" for firm in truth_rows(clean, "firms"))


def test_families_belong_together(clean: CityReport) -> None:
    people = {person["number"]: person for person in truth_rows(clean, "people")}
    fathers = surnames = shared = twins = 0
    for person in people.values():
        for role in ("father", "mother"):
            if person[role] is not None:
                parent = people[person[role]]
                assert parent["household"] == person["household"]
                assert parent["birth_date"] < person["birth_date"]
                assert parent["sex"] == ("1" if role == "father" else "2")
        if person["father"] is not None:
            father = people[person["father"]]
            fathers += 1
            surnames += father["name"][0] == person["name"][0]
            shared += bool(set(father["name"][1:]) & set(person["name"][1:]))
        if person["spouse"] is not None:
            assert people[person["spouse"]]["spouse"] == person["number"]
            assert people[person["spouse"]]["married_on"] == person["married_on"]
        if person["twin"] is not None:
            twins += 1
            assert people[person["twin"]]["birth_date"] == person["birth_date"]
    assert fathers > 500
    assert surnames / fathers > 0.85
    assert shared > 20
    assert twins > 0


def test_every_firm_has_a_code_and_a_legal_person_of_the_city(clean: CityReport) -> None:
    people = {person["id_number"]: person["name"] for person in truth_rows(clean, "people")}
    firms = truth_rows(clean, "firms")
    assert len({firm["uscc"] for firm in firms}) == len(firms) == clean.firms == 400
    for firm in firms:
        assert check_uscc(firm["uscc"], organisation_part=True) is None, firm
        assert people[firm["legal_person_id"]] == firm["legal_person"]
        assert firm["uscc"][2:8] in (firm["division_code"], "990100")
        assert firm["established_on"] <= firm["approved_on"] <= AS_OF_DEFAULT.isoformat()
    assert len({firm["legal_person_id"] for firm in firms}) < len(firms), "some people lead several firms"


def test_fourteen_agencies_hand_something_over_in_every_form(usual: CityReport) -> None:
    assert len(AGENCIES) == 14
    assert {copy.agency for copy in usual.copies.values()} == set(AGENCIES)
    assert {table.spec.form for table in TABLES} == {
        "csv", "xlsx", "json", "jsonl", "xml", "parquet", "geojson", "pgsql", "mysql",
    }  # fmt: skip
    assert all(copy.rows for copy in usual.copies.values())


def test_events_are_those_of_two_years_and_more(clean: CityReport) -> None:
    events = truth_rows(clean, "events")
    kinds = {event["event"] for event in events}
    assert kinds >= {"move", "marriage", "death", "registration", "licence", "penalty", "visit", "enrolment", "aid"}
    assert all(event["day"] <= AS_OF_DEFAULT.isoformat() for event in events)


def bill_faults(report: CityReport) -> list[str]:
    """Tables whose bill does not say what their file is."""
    wrong = []
    for name, copy in report.copies.items():
        bill = read_bill(copy.path.with_name(f"{name}.bill.json").read_bytes())
        content = copy.path.read_bytes()
        if (bill.bytes, bill.sha256) != (len(content), hashlib.sha256(content).hexdigest()):
            wrong.append(name)
    return wrong


def test_bills_tell_what_arrives(tmp_path: Path, usual: CityReport) -> None:
    assert bill_faults(usual) == []
    for table in TABLES:
        spec, rows = table.spec, read_table(usual, table.spec.resource)
        bill = read_bill(usual.path(spec.resource).with_name(f"{spec.resource}.bill.json").read_bytes())
        assert bill.rows == len(rows)
        for name, total in bill.sums.items():
            place = spec.names.index(name)
            found = sum(_number(row[place]) for row in rows if len(row) == len(spec.names))
            assert abs(found - float(total)) < 0.01, (spec.resource, name)
    city = build_city(tmp_path, people=100, only=("eco_air", "tax_taxpayer"))
    with city.path("tax_taxpayer").open("ab") as file:
        file.write(b"\n")
    assert bill_faults(city) == ["tax_taxpayer"]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def test_contracts_are_contracts_and_fit_their_files(clean: CityReport) -> None:
    for table in TABLES:
        spec = table.spec
        contract = load_contract(clean.out / "contracts" / f"{spec.resource}.odcs.yaml")
        assert (contract.id, contract.agency) == (spec.resource, spec.agency)
        assert tuple(column.name for column in contract.columns if column.name != GEOMETRY) == spec.names
        rows = read_table(clean, spec.resource)
        for place, column in enumerate(contract.columns[: len(spec.names)]):
            values = {row[place] for row in rows}
            if column.required:
                assert "" not in values, (spec.resource, column.name)
            if column.values:
                assert values <= {*column.values, ""}, (spec.resource, column.name)
            if column.length_max is not None:
                assert max(map(len, values)) <= column.length_max, (spec.resource, column.name)
        keys = [tuple(row[spec.names.index(name)] for name in spec.key_columns) for row in rows]
        assert len(set(keys)) == len(keys), spec.resource


def digest_of(report: CityReport) -> dict[str, str]:
    files = [path for path in sorted(report.out.rglob("*")) if path.is_file()]
    assert len(files) > 70
    return {str(path.relative_to(report.out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    one = digest_of(build_city(tmp_path / "one", people=400, seed=3))
    two = digest_of(build_city(tmp_path / "two", people=400, seed=3))
    other = digest_of(build_city(tmp_path / "other", people=400, seed=4))
    assert one == two
    assert one["psb/psb_population.csv"] != other["psb/psb_population.csv"]


def test_a_part_of_the_city_is_the_same_as_in_the_whole(tmp_path: Path, usual: CityReport) -> None:
    part = build_city(tmp_path, people=4000, only=("civil_death",))
    assert part.path("civil_death").read_bytes() == usual.path("civil_death").read_bytes()
    assert list(part.copies) == ["civil_death"]


def test_nonsense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one person"):
        build_city(tmp_path, people=0)
    with pytest.raises(ValueError, match="dirt is one of"):
        build_city(tmp_path, dirt="filthy")
    with pytest.raises(ValueError, match="no table"):
        build_city(tmp_path, only=("psb_cats",))


def test_a_city_without_firms_or_with_one_person_stands(tmp_path: Path) -> None:
    assert build_city(tmp_path / "a", people=50, firms=0).copies["amr_enterprise"].rows == 0
    one = build_city(tmp_path / "b", people=1, firms=3, dirt="none")
    assert one.copies["amr_enterprise"].rows == 3
    for table in TABLES:
        assert len(read_table(one, table.spec.resource)) == one.copies[table.spec.resource].rows


def test_the_invented_divisions_have_a_history() -> None:
    divisions = city_divisions()
    assert divisions.full_name_at("990102", dt.date(2026, 6, 30)) == "海晏省安澜市东湖区"
    assert divisions.full_name_at("990125", dt.date(2010, 1, 1)) == "海晏省安澜市西埠县"
    assert divisions.as_of("990125", dt.date(2026, 6, 30)) is None
    assert divisions.as_of("990105", dt.date(2010, 1, 1)) is None

"""Unknown files and databases into draft contracts: whole-file types, keys, links, people's data, what is left open."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from typer.testing import CliRunner

from datong.catalog.contract_reader import read_contract
from datong.catalog.odcs import DataContract
from datong.catalog.words import IdentifierKind, LogicalType, Mask, UpdateCycle
from datong.catalog.yaml_text import read_yaml
from datong.collect.infer import service, suggesting
from datong.collect.infer.inferring import infer_database, infer_file, rename_draft
from datong.collect.infer.model import InferredTable
from datong.collect.infer.naming import plain_identifier
from datong.collect.infer.tables import DatabaseAddressInvalid
from datong.collect.sources.contracts import HostNotAllowed, SourceRefused
from datong.collect.sources.tests.conftest import OtherDatabase, other_database
from datong.collect.sources.tests.servers import MariaDb, run_mariadb
from datong.kernel.config import load_settings
from datong.kernel.failures import NotAllowed, TooLarge
from datong.kernel.ids import seeded
from datong.standards.identifiers import resident_id_check_character
from datong.testing.cast import make_cast

__all__ = ["other_database"]
REAL = Path(__file__).resolve().parents[6] / "shared" / "data"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the shared real files are not on this machine")


def infer_text(text: str, folder: Path, name: str = "table.csv", **options: Any) -> InferredTable:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    [table] = infer_file(path, name, folder / "work", **options)
    return table


def words_of(table: InferredTable, name: str) -> dict[str, Any]:
    found = next(column for column in table.columns if column.profile.name == name)
    custom = {item["property"]: item["value"] for item in found.words.get("customProperties", [])}
    return {**found.words, **custom}


def contract_of(table: InferredTable) -> DataContract:
    """The draft once a steward has said the rest."""
    mapping = read_yaml(table.text).data
    custom = {item["property"]: item["value"] for item in mapping.get("customProperties", [])}
    said = {"agency": "psb", "sharingType": "conditional", "sharingCondition": "办事核验", "shareModes": ["batch"]}
    mapping["customProperties"] = [{"property": k, "value": v} for k, v in {**custom, **said}.items()]
    mapping.setdefault("slaProperties", [{"property": "frequency", "value": 1, "unit": "d"}])
    contract = read_contract(json.dumps(mapping, ensure_ascii=False))
    assert isinstance(contract, DataContract), contract
    return contract


def people(rows: int = 400) -> str:
    draw = seeded(11)
    lines = ["公民身份号码,姓名,性别,出生日期,月收入（元）,受理编号,邮编"]
    for number in range(rows):
        born = f"{draw.randint(1950, 2010)}{draw.randint(1, 12):02d}{draw.randint(1, 28):02d}"
        body = f"310104{born}{draw.randint(1, 999):03d}"
        day = f"{draw.randint(1950, 2010)}年{draw.randint(1, 12)}月{draw.randint(1, 28)}日"
        name = draw.choice("王李张刘陈杨赵黄") + draw.choice("伟芳娜敏静丽强磊") + draw.choice("华兰英杰军平")
        income = "NA" if number % 10 == 0 else str(draw.randint(0, 30000))
        row = [body + resident_id_check_character(body), name, draw.choice("12"), day, income]
        lines.append(",".join([*row, f"SL-{20200000 + number}", draw.choice(["010010", "200040", "310000"])]))
    return "\n".join(lines) + "\n"


def test_a_table_of_people(tmp_path: Path) -> None:
    table = infer_text(people(), tmp_path, "登记表.csv")
    assert (table.rows, table.resource_id, table.title) == (400, "deng_ji_biao", "登记表")
    number = words_of(table, "公民身份号码")
    assert (number["identifierKind"], number["mask"], number["classification"]) == ("resident_id", "id_6_4", "一般3级")
    assert words_of(table, "姓名")["mask"] == "surname"
    assert words_of(table, "性别")["codeList"] == "sex"
    born = words_of(table, "出生日期")
    assert (born["logicalType"], born["logicalTypeOptions"]["format"], born["mask"]) == ("date", "yyyy年M月d日", "year")
    income = words_of(table, "月收入（元）")
    assert (income["logicalType"], income["businessName"], income["unit"]) == ("integer", "月收入", "元")
    assert (income["nullTokens"], income["classification"], income["mask"]) == (["NA"], "一般4级", "all")
    assert "required" not in income
    accepted = words_of(table, "受理编号")
    assert accepted["logicalTypeOptions"]["pattern"] == "[A-Z]{2}-[0-9]{8}"
    assert "mask" not in accepted
    post = words_of(table, "邮编")
    assert post["logicalType"] == "string"
    assert ("受理编号",) in {key.columns for key in table.keys}
    assert "******" in table.text
    assert not any(line.split(",")[0] in table.text for line in people().splitlines()[1:50])
    contract = contract_of(table)
    assert contract.by_name["resident_id"].identifier is IdentifierKind.RESIDENT_ID
    assert contract.by_name["resident_id"].mask is Mask.ID_6_4
    assert [column.name for column in contract.key_columns] == ["resident_id"]


def test_numbers_amid_remarks_raise_the_grade(tmp_path: Path) -> None:
    lines = ["编号,备注", *(f"{n},材料齐全，已经受理，等待办理" for n in range(150)), "200,请联系13812345678，谢谢", ""]
    remark = words_of(infer_text("\n".join(lines), tmp_path), "备注")
    assert (remark["classification"], remark["mask"]) == ("一般3级", "all")
    lines[-2] = "200,请联系本人，不要忘记，谢谢"
    assert "mask" not in words_of(infer_text("\n".join(lines), tmp_path), "备注")


def test_types_come_from_the_whole_file(tmp_path: Path) -> None:
    """What only the last row shows decides; what one row in a thousand breaks is told and does not."""
    rows = [f"{n},{n},0{n % 10}{n % 7}0{n % 9},{n / 4},2024-01-{n % 28 + 1:02d},{n % 2}" for n in range(3000)]
    rows[-1] = "x1,3.5,00012,7,2024-13-45,1"
    table = infer_text("\n".join(["late_text,late_number,zeros,part,day,flag", *rows]) + "\n", tmp_path)
    kinds = {column.name: column.logical_type for column in table.columns}
    assert kinds == {
        "late_text": LogicalType.INTEGER,
        "late_number": LogicalType.NUMBER,
        "zeros": LogicalType.STRING,
        "part": LogicalType.NUMBER,
        "day": LogicalType.DATE,
        "flag": LogicalType.INTEGER,
    }
    reasons = {column.name: " ".join(zh for zh, _ in column.reasons) for column in table.columns}
    assert "1个不是（如“x1”）" in reasons["late_text"]
    assert "1个不是（如“2024-13-45”）" in reasons["day"]
    mixed = "\n".join(["a", *("1" for _ in range(90)), *("x" for _ in range(10))]) + "\n"
    assert infer_text(mixed, tmp_path, "mixed.csv").columns[0].logical_type is LogicalType.STRING


def test_the_draft_lacks_only_what_a_steward_says(tmp_path: Path) -> None:
    table = infer_text(people(), tmp_path)
    findings = read_contract(table.text)
    assert not isinstance(findings, DataContract)
    codes = {finding.code for finding in findings}
    assert len(codes) == len(table.todo)
    assert {"contract.agency", "contract.sharing-missing"} <= codes
    assert all("column" not in code for code in codes)
    with_agency = infer_text(people(), tmp_path, agency="psb")
    assert with_agency.resource_id == "psb_table"
    assert len(with_agency.todo) == len(table.todo) - 1
    assert "# TODO" in table.text
    renamed = rename_draft(table, "another_name")
    assert read_yaml(renamed.text).data["id"] == read_yaml(renamed.text).data["schema"][0]["name"] == "another_name"


def test_a_column_that_breaks_the_contract_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a mask that the contract's own check refuses must show as something left to do."""
    monkeypatch.setattr(suggesting, "_physical", lambda *_: "varchar(5)")
    clean = infer_text(people(), tmp_path)
    monkeypatch.setattr(suggesting, "_name", lambda *_: "Not A Name")
    assert len(infer_text(people(), tmp_path).todo) > len(clean.todo)


def test_composite_keys_and_enumerations(tmp_path: Path) -> None:
    rows = [f"S{n % 20:02d},2024-{n // 20 % 12 + 1:02d}-01,{'甲乙丙'[n % 3]},{n % 7}.5" for n in range(240)]
    table = infer_text("\n".join(["站点,月份,类别,数值", *rows]) + "\n", tmp_path, "监测.csv")
    assert [key.columns for key in table.keys] == [("站点", "月份")]
    quality = words_of(table, "类别")["quality"][0]
    assert sorted(quality["arguments"]["validValues"]) == ["丙", "乙", "甲"]
    assert table.cycle is UpdateCycle.MONTHLY
    contract_of(table)


def test_wide_tables_are_read_long(tmp_path: Path) -> None:
    table = infer_text("指标,2020年,2021年,2022年,2023年\nGDP,1,2,3,4\nCPI,5,6,7,8\n", tmp_path)
    assert [column.profile.name for column in table.columns] == ["指标", "period", "value"]
    assert table.rows == 8
    contract_of(table)


@real
def test_a_transit_feed_with_its_links(tmp_path: Path) -> None:
    tables = infer_file(REAL / "transit/gtfs_sample_feed_1.zip", "gtfs.zip", tmp_path)
    by_id = {table.resource_id: table for table in tables}
    assert {"stops", "routes", "trips", "stop_times"} <= set(by_id)
    assert ("route_id", "routes", "route_id") in {(k.column, k.to_table, k.to_column) for k in by_id["trips"].links}
    assert {link.to_table for link in by_id["stop_times"].links} == {"trips", "stops"}
    contract = contract_of(by_id["stop_times"])
    found = {(key.resource_id, key.to_columns) for column in contract.columns for key in column.references}
    assert found == {("trips", ("trip_id",)), ("stops", ("stop_id",))}


@real
def test_real_statistics(tmp_path: Path) -> None:
    [table] = infer_file(REAL / "macro/nbs_quarterly_gdp_indices.csv", "nbs_quarterly_gdp_indices.csv", tmp_path)
    assert (table.rows, table.cycle) == (576, UpdateCycle.QUARTERLY)
    assert [key.columns for key in table.keys] == [("Indicators", "period")]
    [air] = infer_file(REAL / "air/beijing_pm25_2010_2014_uci.csv", "air.csv", tmp_path / "air")
    assert words_of(air, "pm2.5")["nullTokens"] == ["NA"]
    assert next(c.profile.nulls for c in air.columns if c.profile.name == "pm2.5") == 2067
    assert air.keys[0].columns == ("No",)
    for each in (table, air):
        contract_of(each)


def test_names() -> None:
    assert plain_identifier("companyName", "c") == "company_name"
    assert plain_identifier("企业名称（万元）", "c") == "qi_ye_ming_cheng"
    assert plain_identifier("2024", "c") == "c_2024"
    assert plain_identifier("！", "c") == "c"
    assert plain_identifier("地址/省", "c") == "sheng"


def test_the_command(tmp_path: Path) -> None:
    from datong.catalog.cli import contract_app
    from datong.collect.infer import cli

    cli.register()
    cli.register()
    assert [command.name for command in contract_app.registered_commands].count("infer") == 1
    (tmp_path / "people.csv").write_text(people(), encoding="utf-8")
    runner = CliRunner()
    told = runner.invoke(
        contract_app, ["infer", str(tmp_path / "people.csv"), "--out", str(tmp_path / "out"), "--agency", "psb"]
    )
    assert told.exit_code == 0, told.output
    assert "400 rows, 7 columns" in told.output
    assert (tmp_path / "out" / "psb_people.odcs.yaml").is_file()
    printed = runner.invoke(contract_app, ["infer", str(tmp_path / "people.csv"), "--json"])
    report = json.loads(printed.stdout)["tables"][0]
    assert report["columns"][0]["sensitive"][0]["kind"] == "resident_id"
    assert report["columns"][0]["top"] == []


# Databases --------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATONG_SOURCE_HOSTS", "127.0.0.1,localhost")


def check_database(tables: dict[str, InferredTable]) -> None:
    assert set(tables) == {"dept", "staff"}
    staff = tables["staff"]
    assert staff.rows == 60
    assert words_of(staff, "id_no")["businessName"] == "身份证号"
    assert words_of(staff, "id_no")["identifierKind"] == "resident_id"
    assert words_of(staff, "id_no")["description"] == "身份证号，18位"
    assert words_of(staff, "staff_id")["primaryKey"] is True
    assert words_of(staff, "joined")["logicalType"] == "date"
    assert words_of(staff, "pay")["logicalType"] == "number"
    assert [(k.column, k.to_table, k.to_column, k.declared) for k in staff.links] == [
        ("dept_id", "dept", "dept_id", True)
    ]
    assert staff.title == "职工"
    assert words_of(staff, "dept_id")["relationships"] == [{"type": "foreignKey", "to": "dept.dept_id"}]
    for table in tables.values():
        contract_of(table)


def staff_rows() -> list[tuple[Any, ...]]:
    rows = []
    for number in range(60):
        body = f"3101041980{number % 12 + 1:02d}{number % 28 + 1:02d}{number + 1:03d}"
        day = f"2020-01-{number % 28 + 1:02d}"
        rows.append((number, body + resident_id_check_character(body), number % 5, day, f"{3000 + number}.50"))
    return rows


def test_postgresql(other_database: OtherDatabase, tmp_path: Path) -> None:
    with other_database.connect() as connection:
        connection.execute("create table dept (dept_id int primary key, title text)")
        connection.execute(
            "create table staff (staff_id int primary key, id_no varchar(18), dept_id int references dept, "
            "joined date, pay numeric(12,2))"
        )
        connection.execute("comment on table staff is '职工'")
        connection.execute("comment on column staff.id_no is '身份证号，18位'")
        with connection.cursor() as cursor:
            cursor.executemany("insert into dept values (%s, %s)", [(n, f'部门,"{n}"') for n in range(5)])
            cursor.executemany("insert into staff values (%s, %s, %s, %s, %s)", staff_rows())
    place = f"127.0.0.1:{other_database.relay.port}/{other_database.name}"
    user, password = other_database.reader, quote(other_database.password, safe="")
    address = f"postgres://{user}:{password}@{place}?tls=off" if password else f"postgres://{user}@{place}?tls=off"
    seen: list[tuple[str, int, int]] = []
    tables = infer_database(address, tmp_path, progress=lambda *step: seen.append(step))
    check_database({table.resource_id: table for table in tables})
    assert seen == [("dept", 0, 2), ("staff", 1, 2)]
    only = infer_database(f"{address}&table=dept", tmp_path / "one")
    assert [table.resource_id for table in only] == ["dept"]
    with psycopg.connect(other_database.dsn) as connection:
        assert connection.execute("select count(*) from staff").fetchone() == (60,)


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDb]:
    with run_mariadb(tmp_path_factory.mktemp("infer-mariadb")) as server:
        yield server


def test_mariadb(mariadb: MariaDb, tmp_path: Path) -> None:
    with mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("create table dept (dept_id int primary key, title varchar(50))")
        cursor.execute(
            "create table staff (staff_id int primary key, id_no varchar(18) comment '身份证号，18位', dept_id int, "
            "joined date, pay decimal(12,2), foreign key (dept_id) references dept (dept_id)) comment '职工'"
        )
        cursor.executemany("insert into dept values (%s, %s)", [(n, f'部门,"{n}"') for n in range(5)])
        cursor.executemany("insert into staff values (%s, %s, %s, %s, %s)", staff_rows())
    address = f"mysql://{mariadb.reader}:{quote(mariadb.password)}@127.0.0.1:{mariadb.port}/{mariadb.database}?tls=off"
    check_database({table.resource_id: table for table in infer_database(address, tmp_path)})
    with pytest.raises(SourceRefused):
        infer_database(address.replace(quote(mariadb.password), "wrong"), tmp_path)


def test_addresses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for address in ("postgres://host", "postgres://u:p@h:x/db", "mysql://h/db", "postgres:///db"):
        with pytest.raises(DatabaseAddressInvalid):
            infer_database(address, tmp_path)
    monkeypatch.setenv("DATONG_SOURCE_HOSTS", "")
    with pytest.raises(HostNotAllowed) as caught:
        infer_database("postgres://u:geheim@127.0.0.1:5432/db", tmp_path)
    assert "geheim" not in str(caught.value)


@pytest.mark.django_db
def test_the_page_saves_a_draft_and_leaves_no_file() -> None:
    desk = make_cast({"tinfer": ("测试局", "Test Bureau")})
    steward = desk.actor("tinfer.steward")
    content = people().encode()
    first, second = (service.infer_drafts(steward, BytesIO(content), "people.csv", len(content)) for _ in range(2))
    assert [each.draft.resource_id for each in (*first, *second)] == ["tinfer_people", "tinfer_people_2"]
    assert first[0].draft.revision == 1
    assert "identifierKind" in first[0].draft.text
    assert list(load_settings().infer_dir.iterdir()) == []
    with pytest.raises(TooLarge):
        service.infer_drafts(steward, BytesIO(b""), "x.csv", 10**9)
    with pytest.raises(NotAllowed):
        service.infer_drafts(desk.actor("tinfer.approver"), BytesIO(content), "people.csv", len(content))

"""The whole synthetic city, all fourteen agencies, every file with its bill through `datong collect` on a platform."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from datong.testing.city.agencies import AGENCIES, TABLES_BY_NAME
from datong.testing.city.trial import COLLECTED
from datong.testing.instance import Instance, run_instance

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("city")]
PEOPLE, DIRT = 20_000, "usual"
_DESCRIBE = """
import sys
from pathlib import Path
from datong.app.control.setup import set_up_django
set_up_django()
from datong.catalog import service as catalog
from datong.kernel.contracts import Role
from datong.kernel import ids
from datong.kernel.identity import service as identity
from datong.testing.city.agencies import AGENCIES, TABLES_BY_NAME
members = {member.username: member.id for member in identity.find_members()}
operator, security = (identity.actor_of_member(members[name]) for name in ("operator", "security"))
known = {agency.code: agency.id for agency in identity.find_agencies()}
for code, (name, name_en) in AGENCIES.items():
    if code not in known:
        known[code] = identity.create_agency(operator, code=code, name=name, name_en=name_en).id
    name = f"city.{code}"
    if name in members:
        continue
    made = identity.create_member(operator, username=name, display_name=name, agency_id=known[code])
    identity.change_password(made.id, current=made.first_password, new=ids.new_token("test"))
    identity.assign_role(security, made.id, Role.STEWARD)
    members[name] = made.id
for path in sorted(Path(sys.argv[1]).glob("*.odcs.yaml")):
    resource = path.name.removesuffix(".odcs.yaml")
    steward = identity.actor_of_member(members[f"city.{TABLES_BY_NAME[resource].spec.agency}"])
    catalog.apply_contract(steward, path.read_text(encoding="utf-8"), base_version=None)
"""


@dataclass(frozen=True, kw_only=True)
class City:
    """A city built and described on a platform of its own."""

    instance: Instance
    folder: Path

    def collect(self, resource: str) -> dict[str, Any]:
        """The run as the command tells it; what it refuses is a problem with its code."""
        spec = TABLES_BY_NAME[resource].spec
        file = self.folder / spec.agency / spec.file_name
        bill = file.with_name(f"{resource}.bill.json")
        done = self.instance.run("collect", resource, str(file), "--bill", str(bill), "--json", check=False)
        found: dict[str, Any] = orjson.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    with run_instance(people=100, firms=10) as instance:
        folder = tmp_path_factory.mktemp("city") / "anlan"
        instance.run("city", "build", "--people", str(PEOPLE), "--dirt", DIRT, "--out", str(folder))
        command = [sys.executable, "-c", _DESCRIBE, str(folder / "contracts")]
        done = subprocess.run(command, env=instance.environment, capture_output=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr.decode()[-3000:]
        yield City(instance=instance, folder=folder)


def test_every_file_of_every_agency_is_collected(city: City, capsys: pytest.CaptureFixture[str]) -> None:
    told = orjson.loads((city.folder / "city.json").read_bytes())["copies"]
    labels = pq.read_table(city.folder / "truth" / "labels.parquet", columns=["resource", "line"])
    table, wrong = [], []
    for resource in COLLECTED:
        run = city.collect(resource)
        if run.get("state") != "done":
            wrong.append(f"{resource}: {run.get('state') or run.get('code')}: {run.get('blocks') or run.get('hint')}")
            continue
        table.append(
            f"{resource:<20} {run['rows_read']:>7,} {run['rows_accepted']:>7,} {run['rows_quarantined']:>6,} "
            f"{run['score']:>6.1f}  {run['encoding']}"
        )
        assert run["rows_read"] == told[resource]["rows"] == run["rows_accepted"] + run["rows_quarantined"]
        assert run["bill_differences"] == []
        faulty = pc.unique(labels.filter(pc.field("resource") == resource)["line"])
        assert run["rows_quarantined"] <= len(faulty) + told[resource]["duplicates"]
    with capsys.disabled():
        print("", f"{'resource':<20} {'read':>7} {'accept':>7} {'aside':>6} {'score':>6}", *table, *wrong, sep="\n")
    assert wrong == []
    assert {TABLES_BY_NAME[resource].spec.agency for resource in COLLECTED} >= set(AGENCIES) - {"hrss"}


@pytest.mark.parametrize("resource", sorted(set(TABLES_BY_NAME) - set(COLLECTED)))
def test_a_dump_is_refused_and_leaves_nothing(city: City, resource: str) -> None:
    """Two agencies hand over databases: their dumps are restored and read as sources, never guessed at as files."""
    refused = city.collect(resource)
    assert refused["code"] == "format-unknown"
    assert "source" in refused["hint"]


def test_the_planted_violation_a_lost_row_is_told(city: City) -> None:
    spec = TABLES_BY_NAME["stats_series"].spec
    file = city.folder / spec.agency / spec.file_name
    content = file.read_bytes()
    lines = content.splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:30] + lines[31:]))
    try:
        run = city.collect("stats_series")
    finally:
        file.write_bytes(content)
    assert run["state"] == "blocked"
    assert {"rows", "bytes", "sha256"} <= {difference["what"] for difference in run["bill_differences"]}

"""A steward with an applied contract, and a way to hand in bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pytest

from datong.catalog.service import apply_contract
from datong.collect.contracts import RunView
from datong.collect.service import execute_run, start_run
from datong.kernel import ids
from datong.kernel.contracts import Actor
from datong.kernel.ids import ResourceId
from datong.testing.cast import Cast, make_cast

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: {id}
name: 测试人口
version: 1.0.0
status: active
schema:
  - name: {id}
    businessName: 测试人口
    properties:
      - name: id_number
        businessName: 公民身份号码
        logicalType: string
        primaryKey: true
        primaryKeyPosition: 1
        required: true
        classification: 一般3级
        customProperties:
          - {{property: identifierKind, value: resident_id}}
      - name: name
        businessName: 姓名
        logicalType: string
        required: true
        classification: 一般3级
        logicalTypeOptions: {{pattern: "[一-龥·]{{2,20}}"}}
      - name: born_on
        businessName: 出生日期
        logicalType: date
        classification: 一般3级
      - name: income
        businessName: 收入
        logicalType: number
        classification: 一般3级
        logicalTypeOptions: {{minimum: 0, maximum: 1000000}}
slaProperties:
  - {{property: frequency, value: 1, unit: d}}
customProperties:
  - {{property: agency, value: {agency}}}
  - {{property: sharingType, value: conditional}}
  - {{property: sharingCondition, value: 测试}}
  - {{property: shareModes, value: [batch]}}
  - {{property: nullTokens, value: ["NA"]}}
  - {{property: collectMode, value: {mode}}}
"""
HEADER = "id_number,name,born_on,income\n"
PEOPLE = ("11010519491231002X", "110101199003070134", "440524188001010014")


@dataclass(kw_only=True)
class Office:
    """An agency of the test's own, because a lake's files outlive the test's database."""

    cast: Cast
    agency: str
    resource_id: ResourceId

    @property
    def steward(self) -> Actor:
        return self.cast.actor(f"{self.agency}.steward")

    def apply(self, *, mode: str = "replace") -> None:
        apply_contract(
            self.steward,
            CONTRACT.format(id=self.resource_id, agency=self.agency, mode=mode),
            base_version=None,
        )

    def apply_text(self, name: str) -> ResourceId:
        """A demo contract, provided by this agency."""
        text = resources.files("datong.testing").joinpath(f"contracts/{name}.odcs.yaml").read_text(encoding="utf-8")
        lines = [
            f"  - {{property: agency, value: {self.agency}}}" if "property: agency," in line else line
            for line in text.splitlines()
        ]
        apply_contract(self.steward, "\n".join(lines), base_version=None)
        return ResourceId(name)

    def collect(self, content: bytes | Path, *, resource_id: ResourceId | None = None) -> RunView:
        source = content if isinstance(content, Path) else io.BytesIO(content)
        run_id = start_run(self.steward, resource_id or self.resource_id, source, "人口.csv", in_background=False)
        return execute_run(run_id)


@pytest.fixture
def office(db: None) -> Office:
    return make_office()


@pytest.fixture
def committing_office(transactional_db: None) -> Office:
    """As `office`, in a database that commits: the lake's protocol opens transactions of its own."""
    return make_office()


def make_office() -> Office:
    agency = "t" + ids.random_bytes(5).hex()
    office = Office(
        cast=make_cast({agency: ("测试局", "Test Bureau")}),
        agency=agency,
        resource_id=ResourceId(f"people_{agency}"),
    )
    office.apply()
    return office


@pytest.fixture
def make_csv() -> Callable[..., bytes]:
    def make(*rows: str, header: str = HEADER, encoding: str = "utf-8", newline: str = "\n") -> bytes:
        return (
            (header.rstrip("\n") + "\n" + "".join(f"{row}\n" for row in rows)).replace("\n", newline).encode(encoding)
        )

    return make

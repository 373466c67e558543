"""Two agencies of the test's own, a resource with each kind of column, a serving store in a folder of the test's own.

The owner is `owner`, the asker `hrss` with the system of the cast. Tests of the serving store alone use none of it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from datong.cases.contracts import Decision
from datong.cases.service import decide_case
from datong.catalog.service import apply_contract
from datong.exchange import service
from datong.exchange.contracts import GrantColumn, Mode, RowCondition, Treatment
from datong.exchange.requests import GrantView, RequestDraft, RequestView
from datong.exchange.serving import compile as compiling
from datong.exchange.serving.compile import ServingWriter, open_writer
from datong.kernel import clock, ids
from datong.kernel.config import load_settings, make_private_dir
from datong.kernel.ids import ResourceId, RunId
from datong.lake.contracts import VersionView
from datong.lake.service import commit_version
from datong.lake.tables import write_replace
from datong.testing.cast import Cast, make_cast

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: {id}
name: 参保人员
version: 1.0.0
status: active
schema:
  - name: {id}
    businessName: 参保人员
    properties:
      - name: id_number
        businessName: 公民身份号码
        logicalType: string
        primaryKey: true
        primaryKeyPosition: 1
        required: true
        classification: 一般3级
        customProperties:
          - {{property: mask, value: id_6_4}}
      - name: name
        businessName: 姓名
        logicalType: string
        classification: 一般3级
        customProperties:
          - {{property: verify, value: true}}
          - {{property: mask, value: surname}}
      - name: income
        businessName: 月收入
        logicalType: integer
        classification: 一般2级
      - name: rate
        businessName: 费率
        logicalType: number
        physicalType: decimal(6,3)
        classification: 一般1级
      - name: born_on
        businessName: 出生日期
        logicalType: date
        classification: 一般2级
        customProperties:
          - {{property: verify, value: true}}
      - name: remark
        businessName: 备注
        logicalType: string
        classification: 一般1级
      - name: diagnosis
        businessName: 诊断
        logicalType: string
        classification: 一般4级
        customProperties:
          - {{property: sharingType, value: withheld}}
          - {{property: sharingBasis, value: 《中华人民共和国个人信息保护法》第二十八条}}
slaProperties:
  - {{property: frequency, value: 1, unit: d}}
customProperties:
  - {{property: agency, value: {agency}}}
  - {{property: sharingType, value: conditional}}
  - {{property: sharingCondition, value: 测试}}
  - {{property: shareModes, value: [{modes}]}}
"""
PEOPLE = (
    ("11010519491231002X", "欧阳明珠", 9, "1.100", "1949-12-31", "甲", "隐疾一号"),
    ("110101199003070134", "王小川", 10, "1.250", "1990-03-07", "' or 1=1 --", "隐疾二号"),
    ("440524188001010014", "李守田", 100, "2.000", "1980-01-01", None, "隐疾三号"),
)
NAMES = ("id_number", "name", "income", "rate", "born_on", "remark", "diagnosis")
COMPARE, PLAIN, MASKED = Treatment.COMPARE, Treatment.PLAIN, Treatment.MASKED


def columns(**treatments: Treatment) -> tuple[GrantColumn, ...]:
    return tuple(GrantColumn(name=name, treatment=treatment) for name, treatment in treatments.items())


@dataclass(kw_only=True)
class Market:
    """An owner with its resource, an asker with its system, and what happens between them."""

    cast: Cast
    owner: str
    resource_id: ResourceId

    def apply(self, *, version: str = "1.0.0", base: str | None = None, change: Callable[[str], str] = str) -> None:
        text = CONTRACT.format(id=self.resource_id, agency=self.owner, modes="verify, batch")
        text = change(text.replace("version: 1.0.0", f"version: {version}"))
        apply_contract(self.cast.actor(f"{self.owner}.steward"), text, base_version=base)

    def draft(self, **changes: Any) -> RequestDraft:
        """Verify names by identity number; `changes` make it something else."""
        base = RequestDraft(
            resource_id=self.resource_id,
            system_id=self.cast.system.id,
            modes=(Mode.VERIFY,),
            columns=columns(id_number=COMPARE, name=COMPARE),
            purpose="pension",
            purpose_title="养老金资格核验",
            legal_basis="《社会保险法》第七十四条",
            valid_until=clock.today() + timedelta(days=30),
        )
        return replace(base, **changes)

    def batch_draft(self, *, rows: Sequence[RowCondition] = (), **changes: Any) -> RequestDraft:
        given = {"columns": columns(id_number=MASKED, name=MASKED, income=PLAIN), **changes}
        return self.draft(modes=(Mode.BATCH,), rows=tuple(rows), **given)

    def ask(self, draft: RequestDraft | None = None) -> RequestView:
        return service.request_access(self.cast.actor("hrss.steward"), draft or self.draft())

    def approve(self, asked: RequestView) -> GrantView:
        decide_case(self.cast.actor(f"{self.owner}.approver"), asked.case_id, Decision.APPROVE, "")
        grant_id = service.get_request(self.cast.actor("hrss.steward"), asked.id).grant_id
        assert grant_id is not None
        return service.get_grant(self.cast.actor("hrss.steward"), grant_id)

    def grant(self, draft: RequestDraft | None = None) -> GrantView:
        return self.approve(self.ask(draft))

    def publish(self, people: Sequence[Sequence[Any]] = PEOPLE) -> VersionView:
        """The rows as the resource's next version."""
        values = ", ".join(f"({', '.join('?' for _ in NAMES)})" for _ in people)

        def write(connection: Any, table: str) -> Any:
            connection.execute(
                f"create or replace temp table given as select * from (values {values}) as given({', '.join(NAMES)})",
                [value for row in people for value in row],
            )
            return write_replace(
                connection,
                table,
                "select * replace (cast(income as bigint) as income, cast(rate as decimal(6,3)) as rate,"
                " cast(born_on as date) as born_on) from given",
            )

        return commit_version(RunId(ids.new_id("run")), self.resource_id, write)


@pytest.fixture
def home(datong_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A DATONG_HOME of the test's own: its serving store holds nothing that another test left."""
    folder = make_private_dir(datong_home / ids.random_bytes(4).hex())
    monkeypatch.setenv("DATONG_HOME", str(folder))
    make_private_dir(load_settings().keys_dir)
    yield folder
    for opened in [w for path, w in compiling._open_writers.items() if path.is_relative_to(folder)]:
        opened.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def writer(home: Path) -> ServingWriter:
    return open_writer(load_settings())


@pytest.fixture
def market(db: None, home: Path) -> Market:
    return make_market()


@pytest.fixture
def committing_market(transactional_db: None, home: Path) -> Market:
    """As `market`, in a database that commits: versions and processes of their own need it."""
    return make_market()


def make_market() -> Market:
    owner = "t" + ids.random_bytes(5).hex()
    agencies = {owner: ("市公安局", "Public Security"), "hrss": ("市人社局", "Human Resources")}
    made = Market(cast=make_cast(agencies), owner=owner, resource_id=ResourceId(f"people_{owner}"))
    made.apply()
    return made

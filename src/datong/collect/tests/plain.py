"""A small contract without identifiers, whose words a test chooses, and a steward who hands in its rows."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import orjson

from datong.catalog.service import apply_contract
from datong.catalog.words import CollectMode
from datong.collect.contracts import Bill, RunView
from datong.collect.service import execute_run, start_run
from datong.collect.tests.conftest import Office
from datong.kernel.contracts import Actor
from datong.kernel.ids import ResourceId, RunId
from datong.lake import service as lake

THINGS = """
apiVersion: v3.1.0
kind: DataContract
id: {id}
name: {title}
version: {version}
status: active
schema:
  - name: {id}
    businessName: {title}
    properties:
      - name: id
        businessName: 编号
        logicalType: integer
        primaryKey: true
        primaryKeyPosition: 1
        required: true
        classification: 一般1级
      - name: name
        businessName: 名称
        logicalType: string
        required: true
        classification: 一般1级
        customProperties:
          - {{property: cleaning, value: {name_cleaning}}}
      - name: at
        businessName: 日期
        logicalType: date
        classification: 一般1级
        customProperties:
          - {{property: cleaning, value: {at_cleaning}}}
      - name: amount
        businessName: 金额
        logicalType: number
        classification: 一般1级
        customProperties:
          - {{property: cleaning, value: {amount_cleaning}}}
slaProperties:
  - {{property: frequency, value: 1, unit: d}}
customProperties:
  - {{property: agency, value: {agency}}}
  - {{property: sharingType, value: conditional}}
  - {{property: sharingCondition, value: 测试}}
  - {{property: shareModes, value: [batch]}}
  - {{property: collectMode, value: {mode}}}
"""
HEADER = "id,name,at,amount\n"


@dataclass(kw_only=True)
class PlainOffice:
    """An office with a resource `things_…`."""

    office: Office
    resource_id: ResourceId

    @property
    def steward(self) -> Actor:
        return self.office.steward

    def apply(
        self,
        *,
        mode: str,
        version: str = "1.0.0",
        title: str = "测试物件",
        text: str = THINGS,
        columns: dict[str, Any] | None = None,
        blocks: str = "",
        **words: Any,
    ) -> None:
        """Apply the contract; `words` are customProperties of the contract, `columns` cleaning by column."""
        steps = {f"{name}_cleaning": "[]" for name in ("name", "at", "amount")}
        steps |= {f"{name}_cleaning": orjson.dumps(value).decode() for name, value in (columns or {}).items()}
        text = text.format(
            id=self.resource_id,
            agency=self.office.agency,
            mode=mode,
            version=version,
            title=title,
            blocks=blocks,
            **steps,
        )
        for name, value in words.items():
            text += f"  - {{property: {name}, value: {orjson.dumps(value).decode()}}}\n"
        base = None if version == "1.0.0" else "1.0.0"
        apply_contract(self.steward, text, base_version=base)

    def file(self, *rows: str, header: str = HEADER) -> io.BytesIO:
        return io.BytesIO((header + "".join(f"{row}\n" for row in rows)).encode())

    def start(self, *rows: str, header: str = HEADER, bill: Bill | None = None, mode: str | None = None) -> RunId:
        return start_run(
            self.steward,
            self.resource_id,
            self.file(*rows, header=header),
            "things.csv",
            in_background=False,
            bill=bill,
            mode=CollectMode(mode) if mode else None,
        )

    def collect(self, *rows: str, header: str = HEADER, bill: Bill | None = None, mode: str | None = None) -> RunView:
        return execute_run(self.start(*rows, header=header, bill=bill, mode=mode))

    def rows(self) -> list[dict[str, Any]]:
        version = lake.current_version(self.resource_id)
        assert version is not None
        found: list[dict[str, Any]] = lake.read_version(version).read_all().to_pylist()
        return sorted(found, key=lambda row: row["id"])

    def names(self) -> list[str]:
        return sorted(row["name"] for row in self.rows())


def make_plain_office(office: Office) -> PlainOffice:
    return PlainOffice(office=office, resource_id=ResourceId(f"things_{office.agency}"))

"""The contract of every table of the city, as ODCS 3.1 YAML, derived from the table's own description.

Two of them, psb_population and amr_enterprise, are the hand-written ones of the demonstration beside this package.
"""

from __future__ import annotations

from importlib import resources
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from datong.testing.city.model import ColumnSpec, TableSpec

GEOMETRY = "geometry"
_CLEANING = {
    "identifier": ("trim", "width", "upper"),
    "reference": ("trim", "width", "upper"),
    "date": ("trim", "width", "date"),
    "birth_date": ("trim", "width", "date"),
    "phone": ("width", "phone"),
    "name": ("name",),
    "address": ("trim",),
}
"""What is mended before checking, by the column's role."""
_PHYSICAL = {"date": "date", "integer": "bigint", "number": "decimal(18,6)"}
_FORMATS = {"xlsx": "excel", "pgsql": "", "mysql": ""}
"""Forms under the name that `reading` has for them; a dump is restored and read as a database, so it has none."""


def contract_text(spec: TableSpec) -> str:
    """The contract as YAML."""
    written = resources.files("datong.testing").joinpath(f"contracts/{spec.resource}.odcs.yaml")
    if written.is_file():
        return written.read_text(encoding="utf-8")
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 200
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = StringIO()
    yaml.dump(_contract(spec), out)
    return out.getvalue()


def _contract(spec: TableSpec) -> dict[str, Any]:
    table: dict[str, Any] = {
        "name": spec.resource,
        "businessName": spec.title,
        "dataGranularityDescription": spec.granularity,
        "properties": [*[_property(spec, column) for column in spec.columns], *_geometry(spec)],
    }
    rules = (*spec.rules, *_identity_rules(spec))
    if rules:
        table["quality"] = [
            {
                "name": title,
                "type": "custom",
                "engine": "datong",
                "implementation": comparison,
                "dimension": "consistency",
                "severity": severity,
            }
            for title, comparison, severity in rules
        ]
    frequency: dict[str, Any] = {"property": "frequency", "value": spec.frequency[0]}
    if spec.frequency[1]:
        frequency["unit"] = spec.frequency[1]
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": spec.resource,
        "name": spec.title,
        "version": "1.0.0",
        "status": "active",
        "description": {"purpose": spec.purpose, "usage": "各部门依法履职时核验、查询或批量使用。"},
        "schema": [table],
        "slaProperties": [frequency],
        "customProperties": _custom(_contract_words(spec)),
    }


def _identity_rules(spec: TableSpec) -> list[tuple[str, str, str]]:
    """What an identity number says of birth and sex, held against the columns that say it too (GB 11643-1999, 4.2)."""
    role = {column.role: column.name for column in spec.columns}
    if not any(column.role == "identifier" and column.identifier == "resident_id" for column in spec.columns):
        return []
    number, found = role["identifier"], []
    if day := role.get("birth_date"):
        told = f"year({day}) * 10000 + month({day}) * 100 + day({day})"
        found.append(("出生日期与公民身份号码一致", f"to_integer(substr({number}, 7, 8)) = {told}", "reject"))
    if sex := role.get("sex"):
        digit = f"substr({number}, 17, 1)"
        male, female = f"matches({digit}, '[13579]')", f"matches({digit}, '[02468]')"
        condition = f"({sex} = '1' and {male}) or ({sex} = '2' and {female})"
        found.append(("性别与公民身份号码一致", condition, "reject"))
    return found


def _contract_words(spec: TableSpec) -> dict[str, Any]:
    words: dict[str, Any] = {
        "agency": spec.agency,
        "titleEn": spec.title_en,
        "directoryCode": spec.directory_code,
        "sharingType": "conditional" if spec.condition else "unconditional",
    }
    if spec.condition:
        words["sharingCondition"] = spec.condition
    can_verify = any(column.verify for column in spec.columns)
    words["shareModes"] = [*(["verify"] if can_verify else []), "query", "batch"]
    words["openingType"] = "withheld" if spec.condition else "unconditional"
    reading = reading_of(spec)
    if reading:
        words["reading"] = reading
    return words


def reading_of(spec: TableSpec) -> dict[str, Any]:
    """How the delivered file is read; empty for a dump."""
    form = _FORMATS.get(spec.form, spec.form)
    if not form:
        return {}
    found: dict[str, Any] = {"format": form}
    if spec.form == "csv":
        found |= {"encoding": spec.encoding.removesuffix("-sig"), "delimiter": spec.delimiter}
    if spec.member:
        found["member"] = spec.member
    if spec.form == "xlsx":
        found |= {"sheet": spec.sheet, "header_rows": 2 if spec.groups else 1, "first_row": len(spec.preamble) + 1}
    elif spec.preamble:
        found["first_row"] = len(spec.preamble) + 1
    if spec.footer:
        found["footer_pattern"] = f"^{spec.footer[0][:2]}"
    if spec.record:
        found["record_path"] = spec.record
    if any(column.path for column in spec.columns):
        found["fields"] = {column.name: column.path for column in spec.columns if column.path}
    if any(column.header for column in spec.columns if column.unit):
        found["unit_in_header"] = True
    return found


def _property(spec: TableSpec, column: ColumnSpec) -> dict[str, Any]:
    found: dict[str, Any] = {"name": column.name, "businessName": column.title}
    if column.header and not column.unit:
        found["physicalName"] = column.header
    found |= {"logicalType": column.type, "physicalType": _PHYSICAL.get(column.type, f"varchar({column.length})")}
    if column.key:
        found |= {"primaryKey": True, "primaryKeyPosition": spec.key_columns.index(column.name) + 1}
        if len(spec.key_columns) == 1:
            found["unique"] = True
    if column.required or column.key:
        found["required"] = True
    found["classification"] = column.grade
    options = _options(column)
    if options:
        found["logicalTypeOptions"] = options
    if column.values:
        found["quality"] = [
            {
                "name": f"{column.title}有效",
                "metric": "invalidValues",
                "arguments": {"validValues": list(column.values)},
                "mustBe": 0,
                "dimension": "conformity",
            }
        ]
    found["customProperties"] = _custom(
        {
            "titleEn": column.title_en,
            "element": column.element,
            "codeList": column.code_list,
            "identifierKind": column.identifier,
            "unit": column.unit,
            "verify": column.verify,
            "mask": column.mask,
            "cleaning": list(_CLEANING.get(column.role, ())),
        }
    )
    return found


def _geometry(spec: TableSpec) -> list[dict[str, Any]]:
    """The feature's shape, which a GeoJSON file keeps beside its properties."""
    if spec.form != "geojson":
        return []
    custom = _custom({"titleEn": "Geometry"})
    return [
        {
            "name": GEOMETRY,
            "businessName": "图形",
            "logicalType": "string",
            "classification": "一般1级",
            "customProperties": custom,
        }
    ]


def _options(column: ColumnSpec) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if column.type == "string":
        if column.identifier in ("resident_id", "uscc"):
            found |= {"minLength": 18, "maxLength": 18}
        else:
            found["maxLength"] = column.length
        if column.pattern:
            found["pattern"] = column.pattern
    elif column.type == "date":
        found["format"] = "yyyy-MM-dd"
    if column.minimum is not None:
        found["minimum"] = column.minimum
    if column.maximum is not None:
        found["maximum"] = column.maximum
    return found


def _custom(words: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"property": name, "value": value} for name, value in words.items() if value not in ("", False, None, [])]

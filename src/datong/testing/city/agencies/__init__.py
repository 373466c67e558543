"""The fourteen agencies and what each of them hands over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from datong.testing.city.agencies import (
    agriculture,
    civil,
    culture,
    ecology,
    education,
    emergency,
    health,
    insurance,
    land,
    market,
    police,
    statistics,
    tax,
    transport,
)
from datong.testing.city.model import Table

AGENCIES: Final[Mapping[str, tuple[str, str]]] = {
    "psb": ("市公安局", "Public Security Bureau"),
    "amr": ("市市场监管局", "Market Regulation Bureau"),
    "nr": ("市自然资源局", "Natural Resources Bureau"),
    "hrss": ("市人力资源和社会保障局", "Human Resources and Social Security Bureau"),
    "health": ("市卫生健康委员会", "Health Commission"),
    "edu": ("市教育局", "Education Bureau"),
    "transport": ("市交通运输局", "Transport Bureau"),
    "culture": ("市文化和旅游局", "Culture and Tourism Bureau"),
    "agri": ("市农业农村局", "Agriculture and Rural Affairs Bureau"),
    "tax": ("市税务局", "Taxation Bureau"),
    "stats": ("市统计局", "Statistics Bureau"),
    "eco": ("市生态环境局", "Ecology and Environment Bureau"),
    "emergency": ("市应急管理局", "Emergency Management Bureau"),
    "civil": ("市民政局", "Civil Affairs Bureau"),
}
"""Short code → Chinese and English name, as the contracts name their providers."""

TABLES: Final[tuple[Table, ...]] = (
    *police.TABLES,
    *market.TABLES,
    *land.TABLES,
    *insurance.TABLES,
    *health.TABLES,
    *education.TABLES,
    *transport.TABLES,
    *culture.TABLES,
    *agriculture.TABLES,
    *tax.TABLES,
    *statistics.TABLES,
    *ecology.TABLES,
    *emergency.TABLES,
    *civil.TABLES,
)
TABLES_BY_NAME: Final[Mapping[str, Table]] = {table.spec.resource: table for table in TABLES}

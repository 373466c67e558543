"""What is true of the publishers' own files: rows, true faults by line, what a reader must tell. Counted by hand.

The files are public and lie beside the project where a machine has them; none is part of it. Each has a contract in
`contracts/`. The demonstration collects the first file of every contract, the tests collect all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class RealFile:
    """A file below the folder of real data and the contract it is collected under."""

    name: str
    contract: str
    agency: str
    rows: int
    refused: Mapping[int, str] = field(default_factory=dict)
    """Source line → rule, of every row with a true fault."""
    notes: frozenset[str] = frozenset()
    """Codes of what the report must tell of the file."""

    @property
    def filename(self) -> str:
        return self.name.rpartition("/")[2]


_EXPORT: Final = frozenset({"preamble", "footnotes", "unpivoted"})
_GTFS: Final = "transit/gtfs_sample_feed_1.zip"

FILES: Final = (
    RealFile(
        name="divisions/gb2260_history_mca_198012_201904.csv", contract="civil_divisions", agency="civil", rows=6898
    ),
    RealFile(name="divisions/china_division_streets.csv", contract="civil_streets", agency="civil", rows=41_352),
    RealFile(
        # CR line ends, a byte order mark, a blank line at 3063, no header
        name="names/THUOCL_diming.txt",
        contract="civil_place_words",
        agency="civil",
        rows=44_804,
        refused={35_690: "frequency.type", 35_724: "frequency.type"},  # 柴塔村 3?, 高棚子 3?
    ),
    RealFile(
        name="names/THUOCL_food.txt",
        contract="civil_place_words",
        agency="civil",
        rows=8974,
        refused={39: "frequency.type"},  # 丁香 125472s
    ),
    RealFile(
        name="names/THUOCL_law.txt",
        contract="civil_place_words",
        agency="civil",
        rows=9896,
        refused={7339: "frequency.required"},
    ),
    RealFile(
        name="names/THUOCL_IT.txt",
        contract="civil_place_words",
        agency="civil",
        rows=16_000,
        refused={678: "word.unique"},  # 进程间通信, again on line 2804
    ),
    RealFile(name="names/THUOCL_caijing.txt", contract="civil_place_words", agency="civil", rows=3830),
    RealFile(name="names/THUOCL_medical.txt", contract="civil_place_words", agency="civil", rows=18_749),
    RealFile(name="air/beijing_pm25_2010_2014_uci.csv", contract="eco_beijing_pm25", agency="eco", rows=43_824),
    RealFile(
        name="macro/nbs_quarterly_gdp_current_prices.csv",
        contract="stats_quarterly_gdp",
        agency="stats",
        rows=32 * 18,
        notes=_EXPORT,
    ),
    RealFile(
        name="macro/nbs_quarterly_gdp_indices.csv",
        contract="stats_quarterly_gdp_indices",
        agency="stats",
        rows=32 * 18,
        notes=_EXPORT,
    ),
    RealFile(
        name="macro/china_macro_official_series_2016_2026.csv",
        contract="stats_macro_series",
        agency="stats",
        rows=2779,
    ),
    RealFile(name=_GTFS, contract="transport_stops", agency="transport", rows=9, notes=frozenset({"member"})),
    RealFile(name=_GTFS, contract="transport_routes", agency="transport", rows=5, notes=frozenset({"member"})),
    RealFile(
        # 13 of 28 rows end after five of nine fields; the publisher writes drop_off_time for GTFS's drop_off_type
        name=_GTFS,
        contract="transport_stop_times",
        agency="transport",
        rows=28,
        notes=frozenset({"member", "short-rows", "column-renamed"}),
    ),
)


def contract_text(name: str) -> str:
    """A contract that the package ships, as YAML."""
    return resources.files("datong.testing").joinpath(f"contracts/{name}.odcs.yaml").read_text(encoding="utf-8")

"""安澜市: one synthetic city with known faults and true answers, for every test, demo and benchmark.

Nobody in it is real: its resident IDs and USCCs carry division 99xxxx, which GB/T 2260 gives to no place.
"""

from datong.testing.city.build import build_city
from datong.testing.city.model import AS_OF_DEFAULT, CityReport, CopyCount
from datong.testing.city.places import CITY_CODE, CITY_DIVISIONS, CITY_NAME, city_divisions

__all__ = [
    "AS_OF_DEFAULT",
    "CITY_CODE",
    "CITY_DIVISIONS",
    "CITY_NAME",
    "CityReport",
    "CopyCount",
    "build_city",
    "city_divisions",
]

"""The contracts that the package ships stand beside those of the synthetic city on one platform."""

from __future__ import annotations

from importlib import resources

from datong.catalog.odcs import parse_contract
from datong.testing.city.agencies import TABLES_BY_NAME
from datong.testing.city.contracts import contract_text


def find_doubled(codes: dict[str, str]) -> list[str]:
    """Directory codes that two resources claim."""
    claimed = list(codes.values())
    return sorted({code for code in claimed if claimed.count(code) > 1})


def test_no_two_resources_claim_a_directory_code() -> None:
    folder = resources.files("datong.testing").joinpath("contracts")
    texts = [path.read_text(encoding="utf-8") for path in folder.iterdir() if path.name.endswith(".odcs.yaml")]
    texts += [contract_text(table.spec) for table in TABLES_BY_NAME.values()]
    contracts = {contract.id: contract for contract in map(parse_contract, texts)}
    codes = {name: contract.directory_code for name, contract in contracts.items()}
    assert len(codes) > 35
    assert all(codes.values())
    assert find_doubled(codes) == []
    assert find_doubled(codes | {"another": codes["civil_divisions"]}) == [codes["civil_divisions"]]

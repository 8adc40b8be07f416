"""Every contract that can be deployed has its size looked at."""

import re

from tests.unit.contracts.test_bad_input_is_covered import FORGE, ROOT

DEPLOYABLE = re.compile(r"^contract (\w+)", re.MULTILINE)
OF_TESTS = {"FaucetToken", "MockAggregator"}


def test_each_contract_is_in_the_list_that_is_measured() -> None:
    sources = (ROOT / "contracts").rglob("*.sol")
    contracts = {name for path in sources for name in DEPLOYABLE.findall(path.read_text())}
    measured = set(re.findall(r'^ +"(\w+)",?$', (FORGE / "ReleaseSizes.t.sol").read_text(), re.MULTILINE))
    assert measured == contracts - OF_TESTS

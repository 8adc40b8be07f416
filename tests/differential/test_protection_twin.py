"""The Python twin of protection against the contract, on random accounts, prices and terms, to the wei."""

import re
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from bot.domain.engine import UNBOUNDED, balance_of
from bot.domain.protection import (
    ProtectionPair,
    ProtectionRules,
    ProtectionSale,
    ProtectionTerms,
    assess,
)
from bot.domain.wad import WAD
from bot.protocols.sluice.adapter import SluiceProtocol
from bot.protocols.sluice.calls import explain_revert
from bot.strategy.snapshot import Snapshot
from scripts.deployment.config import DeploymentConfig, ProtectionConfig
from tests.support.anvil import RpcError
from tests.support.crowd import PRICES, Crowd
from tests.support.node_rpc import NodeRpc, latest
from tests.support.world import KEEPER, World, world

pytestmark = [pytest.mark.node]

SCENARIOS = ((("WETH", -2_000), ("WBTC", -1_500)), (("WBTC", 300),), (("WETH", -300), ("USDC", -100)))
RULES = (
    ProtectionRules(),
    ProtectionRules(80, 1_000, 6_000, -2_500),
    ProtectionRules(300, 100, 3_000, 3_000),
)
ROUNDS = 12
CROWD = 14


@pytest.fixture(scope="module")
def here() -> Iterator[World]:
    config = DeploymentConfig(protection=ProtectionConfig(SCENARIOS))
    with world(config) as deployed:
        deployed.node.call("anvil_impersonateAccount", KEEPER)
        yield deployed


def terms_at_random(random: Random) -> ProtectionTerms:
    largest = random.choice((2_000, 40_000, 10_000_000))
    return ProtectionTerms(
        collaterals=random.choice((7, 7, 7, 1, 6)),
        min_distance=random.randint(2 * WAD, 10 * WAD),
        horizon=random.randint(3_600, 86_400),
        target_bps=random.randint(10_700, 16_000),
        max_fee_bps=random.randint(0, 300),
        scenarios=random.randrange(8),
        expiry=2**40 - 1,
        min_value=random.choice((10, 500)),
        max_value=largest,
        max_daily_value=largest * 2,
    )


async def seen(here: World) -> Snapshot:
    protocol = SluiceProtocol(NodeRpc(here.node), here.manifest, KEEPER)
    head = latest(here.node)
    await protocol.sync(head)
    return protocol.snapshot(head)


def quoted(here: World, account: str, pair: tuple[int, int], most: int) -> tuple[int, int] | str:
    """Return what the contract would move, or the name of its refusal."""
    try:
        repaid, seized = here.read("protection", "quote", account, *pair, most)
    except RpcError as error:
        (data,) = re.findall(r"'data': '0x([0-9a-f]+)'", str(error))
        return explain_revert(bytes.fromhex(data)).split("(")[0]
    return repaid, seized


def expected(sale: ProtectionSale, terms: ProtectionTerms) -> tuple[int, int] | str:
    if sale.repaid == 0:
        return "TargetReached"
    if sale.dust:
        return "DustLeft"
    return "SaleTooSmall" if sale.value < terms.min_value * WAD else (sale.repaid, sale.seized)


async def test_the_twin_says_what_the_contract_says(here: World) -> None:
    random, outcomes = Random(0x51), Counter[str]()
    crowd = Crowd.of(here, 7)
    accounts = crowd.join(CROWD)
    for round_ in range(ROUNDS):
        rules = RULES[round_ % len(RULES)]
        here.act(here.owner, "protection", "setParameters", tuple(rules))
        for symbol in ("WETH", "WBTC"):
            here.publish(symbol, round(PRICES[symbol] * random.uniform(0.97, 1.08), 2))
        stated = {account: terms_at_random(random) for account in accounts}
        for account, terms in stated.items():
            here.act(account, "protection", "protect", tuple(terms))
        snapshot = await seen(here)
        for account, terms in stated.items():
            outcomes += judged(here, snapshot, random, account, (terms, rules))
    assert outcomes["assessed"] == ROUNDS * CROWD
    assert outcomes["sale"] > 100, outcomes
    assert outcomes["whole"] > 5, outcomes
    assert outcomes["SaleTooSmall"] + outcomes["DustLeft"] > 0, outcomes


def judged(
    here: World,
    snapshot: Snapshot,
    random: Random,
    account: str,
    stated: tuple[ProtectionTerms, ProtectionRules],
) -> Counter[str]:
    """Hold assessment, and a sale of each pair, against the contract's."""
    terms, rules = stated
    row = list(snapshot.positions.accounts).index(bytes.fromhex(account[2:]))
    holdings = snapshot.holdings(row)
    assets = {holding.asset_id: snapshot.terms(holding.asset_id) for holding in holdings}
    volatilities = snapshot.markets.volatilities
    ids = {asset.symbol: asset.asset_id for asset in snapshot.assets}
    scenarios = [{ids[symbol]: shock for symbol, shock in scenario} for scenario in SCENARIOS]
    found = assess(holdings, assets, volatilities, terms, rules, scenarios)
    assert tuple(found) == here.read("protection", "assess", account)[0]
    outcomes = Counter({"assessed": 1})
    if found.health_factor < WAD or found.shortfall == 0:
        return outcomes
    for sold in holdings:
        for owed in holdings:
            pair = (sold.asset_id, owed.asset_id)
            if sold is owed or not sold.collateral or not owed.debt or not terms.allows(pair[0]):
                continue
            sides = (assets[pair[0]], assets[pair[1]], sold.collateral, owed.debt)
            exact = ProtectionPair(
                balance_of(holdings, assets), *sides, terms.target, found.fee, snapshot.engine.dust
            )
            most = random.choice((UNBOUNDED, random.randint(1, owed.debt)))
            sale = exact.sale(terms.max_value * WAD, most)
            wanted = expected(sale, terms)
            assert quoted(here, account, pair, most) == wanted
            outcomes[wanted if isinstance(wanted, str) else "sale"] += 1
            outcomes["whole"] += sale.whole
    return outcomes

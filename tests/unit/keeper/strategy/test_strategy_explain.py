"""Decisions in words."""

import json
import re

import pytest

from bot.domain.binary_float import pack_down, pack_up
from bot.domain.engine import Markets
from bot.domain.release import Bucket, Side
from bot.domain.wad import WAD
from bot.journals import entry_of
from bot.ledger.encoding import from_json, to_json
from bot.strategy.decide import decide
from bot.strategy.decision import Kind, Reason
from bot.strategy.explain import KINDS, REASONS, AssetName, Teller, money, whole
from bot.strategy.settings import StrategySettings
from tests.support.snapshots import NOW, SPEED, WBTC, WETH, Scene, pool_at

NAMES = {0: AssetName("WETH", 18), 1: AssetName("WBTC", 8), 2: AssetName("USDC", 6)}


def told(scene: Scene, **settings: int) -> Teller:
    """Return the teller of the first decision, as it comes back from the ledger."""
    (decision, *_) = decide(scene.shoot(), StrategySettings(**settings)).decisions
    entry = entry_of("sluice", decision)
    plain = [json.loads(to_json(part)) for part in (entry.inputs, entry.chosen, entry.rejected)]
    return Teller(*plain, NAMES)


def auctioned() -> Scene:
    scene = Scene(pools=[pool_at(200, 20e6)])
    row = scene.account({"WETH": 100}, {"USDC": 17_000})
    scene.auction(row, ["WETH"], age=600)
    return scene


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_words(reason: Reason) -> None:
    assert len(REASONS[reason].split()) > 5


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_words(kind: Kind) -> None:
    assert kind in KINDS


def test_a_choice_is_told_with_its_pair_and_its_figures() -> None:
    first, *others = told(auctioned()).options()
    assert first.chosen
    assert first.action.endswith("(WETH for USDC)")
    assert float(first.revenue.replace(",", "")) > float(first.net.replace(",", ""))
    names = {line.name for line in first.details}
    assert {"sells", "is paid", "repays", "reserve", "pool pays on average"} <= names
    assert not any(option.chosen for option in others)


def test_a_rejection_is_told_with_the_numbers_that_prove_it() -> None:
    scene = auctioned()
    scene.pools = [pool_at(150, 20e6)]
    options = told(scene).options()
    assert options
    text = " ".join(option.verdict for option in options)
    assert "pool pays less than the reserve" in text
    figures = {line.name: line.figure for option in options for line in option.details}
    assert figures["pool's first unit"].endswith("of the oracle price")


def test_the_ways_of_a_split_sale_are_told_with_their_shares_and_fees() -> None:
    scene = auctioned()
    scene.take_open = False
    scene.pools = [pool_at(200, 5e5), pool_at(8_000, 2e6, WBTC), pool_at(40, 1e4, WBTC, quote=WETH)]
    first, *others = told(scene).options()
    (way,) = [line.figure for line in first.details if line.name == "by way of"]
    assert re.fullmatch(
        r"[\d.]+ % WETH > USDC \(0\.05 %\); [\d.]+ % WETH > WBTC > USDC \(0\.05 % and 0\.05 %\)", way
    )
    told_ways = [line.figure for option in others for line in option.details if line.name == "by way of"]
    assert told_ways == ["WETH > USDC (0.05 %)", "WETH > WBTC > USDC (0.05 % and 0.05 %)"]


@pytest.mark.parametrize(
    "route", [None, 7, "x", [5], [{}], [{"weight_bps": "x", "assets": 3, "fees": [None]}]]
)
def test_a_damaged_route_is_told_as_far_as_it_goes(route: object) -> None:
    rejection = {"kind": "swap", "reason": "dust", "numbers": {}, "collateral_id": 0, "route": route}
    (option,) = Teller({}, None, [rejection], NAMES).options()
    assert option.action.endswith("(WETH)") or option.action.endswith("(WETH for asset None)")


def test_a_sale_with_its_kick_is_told_as_one() -> None:
    level = 10**12
    sides = {Side.SELL: pack_up(200 * WAD), Side.BUY: pack_down(200 * WAD)}
    buckets = {(WETH, side): Bucket(level, level, NOW, 1, NOW, mean) for side, mean in sides.items()}
    scene = Scene(pools=[pool_at(200, 5e7)], markets=Markets(SPEED, frozenset({WETH}), buckets))
    scene.account({"WETH": 100}, {"USDC": 16_700})
    first, *others = told(scene, priority_fee=0).options()
    assert first.action == "start the auction and let the engine sell (WETH for USDC)"
    figures = {line.name: line.figure for line in first.details}
    assert figures["starts with it"] == "WETH"
    assert figures["of which the kicker's tip"] == "5.00"
    assert figures["reserve"].startswith("0.9965")
    assert [option.action for option in others] == ["start the auction"]


def test_holdings_are_whole_tokens_at_their_prices() -> None:
    weth, usdc = told(auctioned()).assets()
    assert weth[:4] == ("WETH", "100 WETH", "", "200.00")
    assert weth[4].endswith("of the oracle price")
    assert usdc[:3] == ("USDC", "", "17,000 USDC")


def test_without_a_manifest_assets_are_told_by_id_and_units() -> None:
    known = told(auctioned())
    unnamed = Teller(known.inputs, known.chosen, known.rejected)
    assert unnamed.assets()[0][:2] == ("asset 0", f"{100 * 10**18:,} units of asset 0")
    assert unnamed.options()[0].action.endswith("(asset 0 for asset 2)")


def test_the_account_is_told_with_whatever_was_recorded() -> None:
    inputs = {
        "health_factor": str(95 * WAD // 100),
        "outlook": {"insolvency": 0.0123, "distance": None, "surprise_index": 7},
        "mood": ["calm", 1.5],
    }
    lines = {line.name: line.figure for line in Teller(inputs, None, []).account()}
    assert lines["health factor (liquidatable below 1)"] == "0.9500"
    assert lines["probability that debt outgrows collateral"] == "1.2300%"
    assert lines["distance to default, deviations"] == "unbounded"
    assert lines["surprise index"] == "7"
    assert lines["mood"] == "calm, 1.5"


def test_a_reason_of_another_version_is_told_under_its_name() -> None:
    rejection = {"kind": "teleport", "reason": "moon_too_full", "numbers": {"phase": 3}, "collateral_id": 1}
    (option,) = Teller({}, None, [rejection], NAMES).options()
    assert (option.action, option.verdict) == ("teleport (WBTC)", "moon too full")
    assert [tuple(line) for line in option.details] == [("phase", "3")]


def test_the_price_of_an_asset_is_found_by_its_symbol() -> None:
    teller = told(auctioned())
    assert teller.price("WETH") == 200 * WAD
    assert teller.price(NAMES[WBTC].symbol) is None


@pytest.mark.parametrize(
    ("value", "number"), [(5, 5), ("-" + "9" * 30, -(10**30 - 1)), (True, None), ("x", None), (1.5, None)]
)
def test_whole_numbers_come_back_from_json_exactly(value: object, number: int | None) -> None:
    assert whole(value) == number
    assert whole(from_json(to_json(number))) == number


def test_money_is_in_quote_units() -> None:
    assert money(-1234_567 * WAD // 1000) == "-1,234.57"
    assert money(None) == "unknown"


def test_several_sales_are_told_each_with_its_own_figures() -> None:
    scene = Scene(pools=[pool_at(200, 5e7), pool_at(8_000, 5e7, WBTC)], take_open=False)
    row = scene.account({"WETH": 100, "WBTC": 2.5}, {"USDC": 36_900})
    scene.auction(row, ["WETH", "WBTC"], age=300)
    first, *others = told(scene).options()
    assert first.action == "let the engine sell (WETH for USDC), then WBTC for USDC"
    (further,) = [line.figure for line in first.details if line.name == "then"]
    assert re.fullmatch(
        r"WBTC for USDC: by way of WBTC > USDC \(0\.05 %\), sells [\d.]+ WBTC, is paid [\d,.]+ USDC, "
        r"repays [\d,.]+ USDC, reserve 0\.\d+ of the oracle price, pool pays on average 0\.\d+ of the oracle "
        r"price, earns [\d.]+ for gas of [\d.]+",
        further,
    )
    contained = [option for option in others if "first of several sales" in option.verdict]
    assert [option.action for option in contained] == ["let the engine sell (WETH for USDC)"]
    assert float(contained[0].revenue) < float(first.revenue)


def test_a_choice_from_before_there_were_several_sales_is_told_as_it_was() -> None:
    teller = told(auctioned())
    assert teller.chosen is not None
    action = teller.chosen["action"]
    assert isinstance(action, dict)
    del action["further"]
    older = {key: value for key, value in teller.chosen.items() if key != "further"}
    (first, *_) = Teller(teller.inputs, older, teller.rejected, NAMES).options()
    assert first == teller.options()[0]

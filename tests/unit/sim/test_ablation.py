"""The ablation: what a cell measures, and how cells are kept."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmarks import ablation
from benchmarks.ablation_measure import debt_at_risk, price_impact_bps, undisturbed_prices
from benchmarks.ablation_page import BEGIN, END, table, write_table
from bot.sim.book import AssetTerms
from bot.sim.book_view import AccountView, BookView, MarketView
from bot.sim.variants import Variant

WAD = 10**18
TERMS = (
    AssetTerms("WETH", 0, 18, 2_000 * WAD, 8_000, 8_300, 10_800),
    AssetTerms("USDC", 1, 6, WAD, 8_700, 9_000, 10_000),
)
MARKETS = [MarketView(10**24, 10**24, 2_000 * WAD), MarketView(10**14, 10**14, WAD)]
POOL = SimpleNamespace(base_id=0, geometry=SimpleNamespace(fee_pips=500))


def frame(block: int, market: float, pool: float, oracle: float = 2_000.0) -> Any:
    return SimpleNamespace(
        block=block,
        ts=60 * block,
        market=(market, 1.0),
        oracle=(oracle, 1.0),
        pools=(SimpleNamespace(price=pool),),
    )


def sale(block: int, weth: float, usdc: float) -> Any:
    settlement = SimpleNamespace(
        block=block, collateral_id=0, debt_id=1, seized=int(weth * WAD), proceeds=int(usdc * 10**6)
    )
    return SimpleNamespace(settlement=settlement)


def evidence(frames: list[Any], sales: list[Any], *accounts: AccountView) -> Any:
    opening = BookView(TERMS, len(accounts))
    for index, account in enumerate(accounts):
        opening.update(index, account)
    return SimpleNamespace(
        terms=TERMS, pools=[POOL], opening=opening, markets=MARKETS, frames=frames, sales=sales
    )


def test_undisturbed_pools_close_half_of_the_gap_in_the_recovery_time() -> None:
    frames = [frame(0, 100.0, 100.0), frame(1, 81.0, 50.0), frame(2, 81.0, 40.0)]
    prices = undisturbed_prices(frames, cast("Any", [POOL]))
    assert [price[0] for price in prices] == pytest.approx([100.0, 100.0, 90.0])


def test_a_sale_into_a_pool_that_trails_the_market_has_no_impact_of_its_own() -> None:
    frames = [frame(0, 2_000.0, 2_000.0), frame(1, 1_500.0, 2_000.0)]
    assert price_impact_bps(evidence(frames, [sale(1, 2.0, 4_000.0)])) == pytest.approx(0.0)
    assert price_impact_bps(evidence(frames, [sale(1, 2.0, 3_960.0)])) == pytest.approx(100.0)


def test_impact_weighs_sales_by_value_and_is_zero_without_any() -> None:
    frames = [frame(0, 2_000.0, 2_000.0), frame(1, 2_000.0, 2_000.0)]
    sales = [sale(1, 3.0, 6_000.0), sale(1, 1.0, 1_960.0)]
    assert price_impact_bps(evidence(frames, sales)) == pytest.approx(50.0)
    assert price_impact_bps(evidence(frames, [])) == 0.0


def test_debt_at_risk_is_that_of_accounts_which_the_path_alone_makes_unhealthy() -> None:
    safe = AccountView((10 * WAD, 0), (0, 1_000 * 10**6))
    risky = AccountView((WAD, 0), (0, 1_500 * 10**6))
    dip = [frame(0, 2_000.0, 2_000.0), frame(1, 1.0, 1.0, oracle=1_700.0), frame(2, 1.0, 1.0)]
    assert debt_at_risk(evidence(dip, [], safe, risky)) == pytest.approx(1_500.0, rel=1e-6)
    assert debt_at_risk(evidence(dip[:1], [], safe, risky)) == 0.0


def row(plan: ablation.Plan) -> dict[str, Any]:
    figures = dict.fromkeys(
        (
            "borrower_cost_bps",
            "borrower_equity_end_usd",
            "price_impact_bps",
            "bad_debt_usd",
            "residual_unhealthy_debt_usd",
            "debt_at_risk_usd",
            "repaid_usd",
        ),
        1_234.5,
    )
    names = {"scenario": plan.scenario.value, "depth": plan.depth, "variant": plan.variant.value}
    return {**names, **figures}


def test_every_scenario_and_depth_has_every_variant_and_contains_the_crash() -> None:
    planned = list(ablation.plans())
    assert len({plan.name for plan in planned}) == (3 * 3 + len(ablation.GAP_DEPTHS)) * len(Variant)
    for plan in planned:
        eth = plan.settings().scenario.eth
        assert eth.low.min() < 0.78 * eth.open[0]


def test_cells_are_kept_in_the_order_of_the_plan(tmp_path: Any) -> None:
    path = tmp_path / "cells.json"
    assert ablation.load(path) == {}
    planned = list(ablation.plans())[:3]
    ablation.save(path, {plan.name: row(plan) for plan in reversed(planned)})
    assert list(ablation.load(path)) == [plan.name for plan in planned]


def test_the_table_replaces_what_is_between_its_marks_alone(tmp_path: Any) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    rows = [row(next(ablation.plans()))]
    write_table(rows, page)
    assert page.read_text() == f"before\n{BEGIN}\n{table(rows)}\n{END}\nafter\n"
    assert "| 1,234 |" in table(rows)

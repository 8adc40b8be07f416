"""The outlook of a book, held against the scalar formulas, account by account."""

from dataclasses import replace

import numpy as np
import pytest

from bot.domain import risk
from bot.domain.volatility import Estimate, LiveCovariance
from bot.errors import InvalidInputError
from bot.strategy.case import Case
from bot.strategy.decide import NEGLIGIBLE_LOSS, decide, urgency
from bot.strategy.outlook import Outlook, OutlookSettings, outlook_of
from bot.strategy.settings import GasEstimates, StrategySettings
from bot.strategy.snapshot import Snapshot
from tests.support.snapshots import NOW, PRICES, Scene, pool_at

SETTINGS = OutlookSettings()
SLIPPAGE = 0.02
FREE = StrategySettings(priority_fee=0)
YEAR = 365 * 86_400


def heard(scale: float = 1.0) -> LiveCovariance:
    """Return two hours of rounds: WBTC at half the moves of WETH, USDC still."""
    state = LiveCovariance.fresh(3)
    for minute in range(121):
        swing = scale * 0.004 * (minute % 2)
        time = NOW - 7_200 + 60 * minute
        for asset, symbol, share in ((0, "WETH", 1.0), (1, "WBTC", 0.5), (2, "USDC", 0.0)):
            state = state.after(asset, time, PRICES[symbol] * (1.0 + share * swing))
    return state


def seen(scene: Scene, **changes: object) -> tuple[Snapshot, Outlook]:
    snapshot = replace(scene.shoot(), **({"covariance": heard()} | changes))  # type: ignore[arg-type]
    outlook = outlook_of(snapshot, SETTINGS, SLIPPAGE)
    assert outlook is not None
    return snapshot, outlook


def exposure_volatility(weights: list[float], estimate: Estimate) -> float:
    x = np.array(weights)
    return float(np.sqrt(x @ estimate.covariance @ x))


def test_one_collateral_and_a_still_debt_is_the_textbook_case() -> None:
    scene = Scene()
    scene.account({"WETH": 100}, {"USDC": 16_000})
    _, outlook = seen(scene)
    sigma = exposure_volatility([1.0, 0.0, -1.0], outlook.estimate)
    found = outlook.account(0)
    assert found.health == pytest.approx(16_600 / 16_000)
    assert found.solvency == pytest.approx(20_000 / 16_000)
    assert found.volatility == pytest.approx(sigma)
    two = (outlook.estimate.volatilities[0], outlook.estimate.volatilities[2], 0.0, SETTINGS.horizon_s)
    assert found.liquidatable == pytest.approx(risk.first_passage_two_assets(found.health, *two), rel=1e-9)
    assert found.insolvency == pytest.approx(risk.first_passage_two_assets(found.solvency, *two), rel=1e-9)
    loss = risk.expected_bad_debt(20_000, 16_000, 0.0, SLIPPAGE, sigma, SETTINGS.horizon_s)
    assert found.expected_loss == pytest.approx(loss)
    assert found.distance == pytest.approx(np.log(found.health) / (sigma * np.sqrt(14_400 / YEAR)))


def test_a_volatile_debt_drifts_as_the_ratio_of_two_martingales_does() -> None:
    scene = Scene()
    scene.account({"WETH": 100}, {"WBTC": 1.7})
    _, outlook = seen(scene)
    estimate, found = outlook.estimate, outlook.account(0)
    rho = float(estimate.correlation[0, 1])
    assert rho > 0.5
    expected = risk.first_passage_two_assets(
        found.health, *estimate.volatilities[:2].tolist(), rho, SETTINGS.horizon_s
    )
    assert found.liquidatable == pytest.approx(expected, rel=1e-6)


def test_a_basket_moves_with_its_value_weights() -> None:
    scene = Scene()
    scene.account({"WETH": 100, "WBTC": 1}, {"USDC": 20_000, "WBTC": 0.1})
    _, outlook = seen(scene)
    weighted = np.array([20_000 * 0.83, 8_000 * 0.78, 0.0])
    debt = np.array([0.0, 800 * 1.1, 20_000])
    sigma = exposure_volatility(list(weighted / weighted.sum() - debt / debt.sum()), outlook.estimate)
    assert outlook.account(0).volatility == pytest.approx(sigma, rel=1e-9)
    assert outlook.account(0).health == pytest.approx(weighted.sum() / debt.sum(), rel=1e-9)


def test_each_row_is_as_if_it_were_alone() -> None:
    rng = np.random.default_rng(5)
    accounts = [
        (
            {"WETH": float(rng.uniform(1, 50)), "WBTC": float(rng.uniform(0, 1))},
            {"USDC": float(rng.uniform(0, 9_000)), "WBTC": float(rng.uniform(0, 0.2))},
        )
        for _ in range(40)
    ]
    scene = Scene(accounts=list(accounts))
    _, together = seen(scene)
    for row, account in enumerate(accounts):
        _, alone = seen(Scene(accounts=[account]))
        assert together.account(row) == pytest.approx(alone.account(0), rel=1e-12)


def test_an_account_without_debt_is_safe() -> None:
    scene = Scene()
    scene.account({"WETH": 1}, {})
    scene.account({}, {})
    _, outlook = seen(scene)
    for row in (0, 1):
        assert outlook.account(row) == (np.inf, np.inf, 0.0, 0.0, 0.0, 0.0, 0.0, np.inf)


def test_an_account_that_cannot_be_priced_has_no_outlook() -> None:
    scene = Scene()
    scene.account({"WETH": 1, "WBTC": 1}, {"USDC": 100})
    scene.account({"WETH": 1}, {"USDC": 100})
    scene.prices["WBTC"] = None
    _, outlook = seen(scene)
    assert all(np.isnan(value) for value in outlook.account(0))
    assert np.isfinite(outlook.account(1)).all()


def test_debt_without_collateral_is_lost() -> None:
    scene = Scene()
    scene.account({}, {"USDC": 100})
    _, outlook = seen(scene)
    found = outlook.account(0)
    assert (found.health, found.liquidatable, found.insolvency) == (0.0, 1.0, 1.0)
    assert found.expected_loss == pytest.approx(100)
    assert found.loss_of_waiting == 0.0


def test_a_stable_asset_has_a_floor_of_its_own() -> None:
    _, outlook = seen(Scene(), covariance=LiveCovariance.fresh(3))
    assert outlook.estimate.volatilities.tolist() == [0.8, 0.8, 0.01]


def test_nothing_is_estimated_without_covariances() -> None:
    assert outlook_of(Scene().shoot(), SETTINGS, SLIPPAGE) is None
    assert decide(Scene().shoot(), FREE).outlook is None


@pytest.mark.parametrize(
    "wrong", [{"horizon_s": 0}, {"floor": 0.0}, {"cap": 0.1}, {"stale_after_s": -1}, {"prior": float("nan")}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidInputError):
        OutlookSettings(**wrong)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------- priority


def order(scene: Scene, covariance: LiveCovariance | None) -> list[int]:
    decided = decide(replace(scene.shoot(), covariance=covariance), FREE)
    return [int.from_bytes(decision.account) for decision in decided.decisions]


def test_the_loss_that_gas_avoids_comes_before_health() -> None:
    scene = Scene()
    scene.account({"WETH": 10}, {"USDC": 1_900})  # health 0.874, solvency 1.05
    scene.account({"WETH": 10_000}, {"USDC": 1_860_000})  # health 0.892, a thousand times the loss
    assert order(scene, heard()) == [1, 0]
    assert order(scene, None) == [0, 1]


def test_losses_that_are_negligible_leave_the_order_to_health() -> None:
    scene = Scene()
    scene.account({"WETH": 100}, {"USDC": 16_700})
    scene.account({"WETH": 100_000}, {"USDC": 16_650_000})
    snapshot, outlook = seen(scene, covariance=heard(0.1))
    assert 0.0 < outlook.loss_of_waiting[1] < NEGLIGIBLE_LOSS
    assert [int.from_bytes(d.account) for d in decide(snapshot, FREE).decisions] == [0, 1]


def test_an_auction_that_runs_is_nearer_to_its_sale() -> None:
    scene = Scene(pools=[pool_at(200, 5e7)])
    scene.account({"WETH": 100}, {"USDC": 19_000})
    row = scene.account({"WETH": 100}, {"USDC": 19_000})
    scene.auction(row, ["WETH"], age=120)
    lapsed = scene.account({"WETH": 100}, {"USDC": 19_000})
    scene.auction(lapsed, ["WETH"], age=100_000)
    assert order(scene, heard()) == [1, 0, 2]


def test_a_flag_that_only_has_to_fall_comes_last() -> None:
    scene = Scene()
    row = scene.account({"WETH": 10**6}, {"USDC": 166_000_000 * 0.999})
    scene.auction(row, ["WETH"], age=120)
    scene.account({"WETH": 10}, {"USDC": 1_900})
    _, outlook = seen(scene, covariance=heard(10.0))
    assert outlook.loss_of_waiting[row] > 10 * outlook.loss_of_waiting[1]
    assert order(scene, heard(10.0)) == [1, 0]


def test_the_order_is_total() -> None:
    scene = Scene()
    for _ in range(3):
        scene.account({"WETH": 100}, {"USDC": 19_000})
    snapshot, outlook = seen(scene)
    keys = [urgency(Case.of(snapshot, row), outlook, GasEstimates()) for row in range(3)]
    assert len(set(keys)) == 3
    assert order(scene, heard()) == [0, 1, 2]


def test_a_decision_keeps_what_was_expected() -> None:
    scene = Scene()
    scene.account({"WETH": 100}, {"USDC": 19_000})
    snapshot, outlook = seen(scene)
    (decision,) = decide(snapshot, replace(FREE, max_slippage_bps=200)).decisions
    assert decision.outlook == outlook.account(0)

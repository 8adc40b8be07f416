"""Where reserves start, against exact fractions and the laws that a start obeys."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.binary_float import pack_down, pack_up, unpack
from bot.domain.engine import AssetTerms, CurveInputs, EngineParameters, Holding, Markets, Opening, balance_of
from bot.domain.engine.starts import NEAR_START_MAX
from bot.domain.release import MEAN_PRICE_MAX_AGE, MICROS, Bucket, Side, SpeedParameters
from bot.domain.wad import WAD

SPEED = SpeedParameters(120, 200, 30, 5_000, 30_000, 600, 10_000, 5_000_000, 1_800, 1_000)
RULES = EngineParameters(10_500, 50, 10, 6_000, 8_000, 5, 100, 7_200)
INPUTS = CurveInputs(8_000, 50, 500)
LOWEST = INPUTS.lowest_near_start(SPEED.near_slippage_bps)
NOW = 1_700_000_000
WETH, USDC = 0, 1
PRICES = st.integers(1_000 * WAD, 3_000 * WAD)


def opening(
    price: int,
    *,
    sold: int | None,
    bought: int | None,
    age: int = 0,
    capacity: int = 10**6,
    short: bool = False,
) -> Opening:
    """Return a kick of an account just below health, of ETH against dollars or the other way."""
    terms = {
        WETH: AssetTerms(WAD, price, 83 * WAD // 100, 108 * WAD // 100),
        USDC: AssetTerms(10**6, WAD, 90 * WAD // 100, WAD),
    }
    dollars = 10 * price * 10**6 // WAD
    owed, held = (dollars * 84 // 100, dollars * 118 // 100)
    holdings = (
        (Holding(WETH, 0, 10 * WAD), Holding(USDC, held, 0))
        if short
        else (
            Holding(WETH, 10 * WAD, 0),
            Holding(USDC, 0, owed),
        )
    )
    full = capacity * MICROS
    buckets = {
        (WETH, side): Bucket(full, full, NOW, NOW * 1_000, NOW - age, mean)
        for side, mean in (
            (Side.SELL, pack_up(sold or 0)),
            (Side.BUY, pack_down(bought or 0)),
        )
    }
    markets = Markets(SPEED, frozenset({WETH}), buckets)
    return Opening(markets, RULES, holdings, terms, balance_of(holdings, terms), NOW)


@given(number=st.integers(0, 2**151))
def test_a_number_is_packed_within_one_part_in_sixteen_million(number: int) -> None:
    low, high = unpack(pack_down(number)), unpack(pack_up(number))
    assert low <= number <= high
    assert (high - low) << 24 <= number
    assert pack_up(low) == pack_down(low) < 1 << 32


@given(price=PRICES, mean=st.integers(1, 10**27))
def test_a_near_start_is_what_pools_pay_less_fee_and_slippage_within_its_bounds(
    price: int, mean: int
) -> None:
    start, decay = opening(price, sold=mean, bought=None).curve(WETH, INPUTS)
    exact = Fraction(mean, price) * LOWEST
    assert LOWEST <= start <= NEAR_START_MAX
    if LOWEST < exact < NEAR_START_MAX:
        assert exact <= start <= exact * (1 + Fraction(1, 2**23)) + 2
    elif exact <= LOWEST * (1 - Fraction(1, 2**23)):
        assert start == LOWEST
    assert decay == INPUTS.decay


@given(price=PRICES, mean=st.integers(1, 10**27))
def test_a_cheap_debt_raises_a_shorts_start_and_a_dear_one_does_not_lower_it(price: int, mean: int) -> None:
    start = opening(price, sold=None, bought=mean, short=True).curve(USDC, INPUTS).start_multiplier
    exact = LOWEST / max(min(Fraction(mean, price), Fraction(1)), Fraction(97, 100))
    assert min(exact, NEAR_START_MAX) <= start <= NEAR_START_MAX
    assert start <= exact * (1 + Fraction(1, 2**23)) + 2


@given(price=PRICES, mean=st.integers(WAD, 10**27), age=st.integers(0, 10_000))
def test_a_price_counts_for_a_minute_and_then_the_start_is_far(price: int, mean: int, age: int) -> None:
    start = opening(price, sold=mean, bought=None, age=age).curve(WETH, INPUTS).start_multiplier
    if age > MEAN_PRICE_MAX_AGE:
        assert start == INPUTS.far_start
    else:
        assert start == opening(price, sold=mean, bought=None).curve(WETH, INPUTS).start_multiplier


@given(price=PRICES, mean=st.integers(WAD, 10**27))
def test_a_lot_beyond_the_near_depth_starts_far_and_no_lower_than_a_near_one(price: int, mean: int) -> None:
    near = opening(price, sold=mean, bought=None).curve(WETH, INPUTS).start_multiplier
    shallow = opening(price, sold=mean, bought=None, capacity=1_000).curve(WETH, INPUTS).start_multiplier
    assert shallow == max(near, INPUTS.far_start)


@given(volatility=st.integers(50, 50_000))
def test_the_decay_is_the_cube_root_rounded_down(volatility: int) -> None:
    decay = CurveInputs(volatility, 50, 500).decay
    cube = Fraction(volatility * volatility * 10**52, 144 * 31_536_000 * 10**8)
    assert decay**3 <= cube < (decay + 1) ** 3


def test_the_shipped_curves_are_the_contracts() -> None:
    assert INPUTS.far_start == 1_007_093_695_690_360_856
    assert INPUTS.decay == 112_116_696_187_555
    assert LOWEST == 9_965 * WAD // 10_000

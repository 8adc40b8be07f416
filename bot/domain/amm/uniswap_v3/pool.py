"""The concentrated-liquidity pool: exact quotes, and the trades that its prices call for."""

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction

from bot.domain.amm._checks import PIPS, fraction_below_one, rational, token_amount, whole
from bot.domain.amm.uniswap_v3.ladder import MAX_LIQUIDITY, Ladder
from bot.domain.amm.uniswap_v3.tick_math import (
    MAX_SQRT_PRICE,
    MAX_TICK,
    MIN_SQRT_PRICE,
    MIN_TICK,
    sqrt_price_at_tick,
    tick_at_sqrt_price,
)
from bot.domain.amm.uniswap_v3.walk import InputQuote, OutputQuote, PriceMove, Walk
from bot.errors import InvalidInputError, LiquidityExhaustedError


class Pool:
    """A Uniswap V3 pool at one moment; immutable, and wei for wei the contract.

    Parameters
    ----------
    sqrt_price_x96 : int
        ``slot0.sqrtPriceX96``: square root of token1 per token0, token units, Q64.96.
    tick : int
        ``slot0.tick``. It is the price's own tick, or the one below where a falling price stopped on a tick.
    liquidity : int
        Active liquidity at ``tick``.
    fee_pips : int
        Fee in millionths of the input, at least 0 and below 1,000,000.
    tick_spacing : int
        The pool's tick spacing.
    liquidity_net : mapping of int to int
        ``ticks(t).liquidityNet`` of each initialised tick, signed as in the contract. A tick with a net of
        zero that is initialised belongs in it: a swap rounds there.

    Raises
    ------
    InvalidInputError
        If a value is outside the contract's range, ``tick`` and price disagree, or the active liquidity would
        turn negative somewhere (by more than the last digits of a ladder that has been through floats).

    Notes
    -----
    Building costs O(n log n) in initialised ticks. The first quote to reach a range sums it once; from then
    on a quote costs O(log n), also in pools derived by `with_price`. ``zero_for_one`` means token0 in, token1
    out: a falling price. Differs from the contract in one thing: a fill that the liquidity cannot complete
    raises `LiquidityExhaustedError`, which carries the contract's partial amounts.
    """

    __slots__ = ("_down", "_ladder", "_liquidity", "_sqrt_price_x96", "_tick", "_up")

    def __init__(
        self,
        sqrt_price_x96: int,
        tick: int,
        liquidity: int,
        fee_pips: int,
        tick_spacing: int,
        liquidity_net: Mapping[int, int],
    ) -> None:
        self._set_price(sqrt_price_x96, tick)
        self._liquidity = whole("liquidity", liquidity, 0, MAX_LIQUIDITY)
        self._ladder = Ladder(self._tick, self._liquidity, fee_pips, tick_spacing, liquidity_net)

    def _set_price(self, sqrt_price_x96: int, tick: int) -> None:
        price = whole("sqrt_price_x96", sqrt_price_x96, MIN_SQRT_PRICE, MAX_SQRT_PRICE - 1)
        own = tick_at_sqrt_price(price)
        given = whole("tick", tick, MIN_TICK, MAX_TICK)
        if given != own and not (given == own - 1 and price == sqrt_price_at_tick(own)):
            raise InvalidInputError("tick", tick, f"{own}, the tick of sqrt_price_x96 = {price}")
        self._sqrt_price_x96 = price
        self._tick = given
        self._down: Walk | None = None
        self._up: Walk | None = None

    @property
    def sqrt_price_x96(self) -> int:
        """Square root of token1 per token0, token units, Q64.96."""
        return self._sqrt_price_x96

    @property
    def tick(self) -> int:
        """The pool's tick."""
        return self._tick

    @property
    def liquidity(self) -> int:
        """Active liquidity."""
        return self._liquidity

    @property
    def fee_pips(self) -> int:
        """Fee in millionths of the input."""
        return self._ladder.fee_pips

    @property
    def tick_spacing(self) -> int:
        """Tick spacing."""
        return self._ladder.tick_spacing

    @property
    def liquidity_net(self) -> Mapping[int, int]:
        """Net liquidity of each initialised tick, by rising tick; read-only."""
        return self._ladder.liquidity_net

    def __repr__(self) -> str:
        return (
            f"Pool(sqrt_price_x96={self._sqrt_price_x96}, tick={self._tick}, liquidity={self._liquidity}, "
            f"fee_pips={self.fee_pips}, tick_spacing={self.tick_spacing}, "
            f"liquidity_net=<{len(self.liquidity_net)} ticks>)"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pool):
            return NotImplemented
        return self._state() == other._state() and self.liquidity_net == other.liquidity_net

    def __hash__(self) -> int:
        return hash(self._state())

    def __reduce__(self) -> tuple[type["Pool"], tuple[object, ...]]:
        return Pool, (*self._state(), dict(self.liquidity_net))

    def _state(self) -> tuple[int, int, int, int, int]:
        return self._sqrt_price_x96, self._tick, self._liquidity, self.fee_pips, self.tick_spacing

    def liquidity_ahead(self, zero_for_one: bool) -> Iterator[tuple[int, int]]:
        """Yield (liquidity, end tick) of each range that a swap meets, from the pool's own on.

        Ranges lie between initialised ticks; the last one ends at the end of the axis.
        """
        return self._ladder.ranges_from(self._tick, zero_for_one)

    def _walk(self, zero_for_one: bool) -> Walk:
        known = self._down if zero_for_one else self._up
        if known is not None:
            return known
        path = self._ladder.path_from(self._tick, zero_for_one)
        result = Walk(path, self._sqrt_price_x96, self._tick)
        if zero_for_one:
            self._down = result
        else:
            self._up = result
        return result

    def with_price(self, sqrt_price_x96: int, tick: int, liquidity: int | None = None) -> "Pool":
        """Return the pool after a swap, as its ``Swap`` event tells it. Shares the ladder: costs O(log n).

        Parameters
        ----------
        sqrt_price_x96, tick : int
            The new price and tick.
        liquidity : int, optional
            The active liquidity of the event, to be checked against the ladder.

        Raises
        ------
        InvalidInputError
            If tick and price disagree, or the liquidity is not the ladder's at that tick: a position
            has changed that the ladder does not know of (see `with_ticks`).
        """
        pool = object.__new__(Pool)
        pool._set_price(sqrt_price_x96, tick)
        pool._ladder = self._ladder
        pool._liquidity = expected = self._ladder.liquidity_at(pool._tick)
        if liquidity is not None and liquidity != expected:
            raise InvalidInputError(
                "liquidity",
                liquidity,
                f"the ladder's {expected} at tick {tick}: apply the changed ticks first",
            )
        return pool

    def with_ticks(self, changes: Mapping[int, int | None], liquidity: int) -> "Pool":
        """Return the pool after positions changed, at the same price; costs O(n log n).

        Parameters
        ----------
        changes : mapping of int to int or None
            The new net liquidity of each tick that changed; None where the tick is no longer initialised.
        liquidity : int
            The active liquidity after the change.

        Raises
        ------
        InvalidInputError
            As for the constructor.
        """
        nets = {**self.liquidity_net, **changes}
        kept = {tick: net for tick, net in nets.items() if net is not None}
        return Pool(self._sqrt_price_x96, self._tick, liquidity, self.fee_pips, self.tick_spacing, kept)

    def quote_exact_input(self, amount_in: int, zero_for_one: bool) -> InputQuote:
        """Return what exactly ``amount_in`` brings, to the wei, without a price limit.

        Parameters
        ----------
        amount_in : int
            Input, fee included, token units; positive and below 2^255.
        zero_for_one : bool
            True for token0 in, token1 out.

        Raises
        ------
        InvalidInputError
            If the amount is not an integer or outside its range.
        LiquidityExhaustedError
            If the whole ladder cannot take it. The error carries what the contract would take and pay.
        """
        return self._walk(zero_for_one).quote_input(token_amount("amount_in", amount_in))

    def quote_exact_output(self, amount_out: int, zero_for_one: bool) -> OutputQuote:
        """Return what exactly ``amount_out`` costs, to the wei, without a price limit.

        Parameters and errors as for `quote_exact_input`, with the output in place of the input.
        """
        return self._walk(zero_for_one).quote_output(token_amount("amount_out", amount_out))

    def amount_to_price(self, sqrt_price_x96: int, zero_for_one: bool) -> PriceMove:
        """Return the swap that brings the pool exactly to a price, to the wei.

        What the contract takes and pays when it is given more than enough and that price as its limit.

        Parameters
        ----------
        sqrt_price_x96 : int
            Price to reach, Q64.96: at most the pool's own for a falling price, at least that for a rising
            one, and strictly inside ``(MIN_SQRT_PRICE, MAX_SQRT_PRICE)``.
        zero_for_one : bool
            True for token0 in: a falling price.

        Raises
        ------
        InvalidInputError
            If the price lies behind the pool's own, or outside the contract's range.
        """
        own = self._sqrt_price_x96
        low, high = (min(own, MIN_SQRT_PRICE + 1), own) if zero_for_one else (own, MAX_SQRT_PRICE - 1)
        return self._walk(zero_for_one).move_to(whole("sqrt_price_x96", sqrt_price_x96, low, high))

    def profit_maximising_input(self, unit_cost: float | Fraction, zero_for_one: bool) -> int:
        """Return the input that maximises output less ``unit_cost`` times input.

        The pool's marginal price, ``(1 - fee) p`` of output per input, falls to the cost at the square-root
        price ``sqrt(unit_cost / (1 - fee))`` (falling price) or ``sqrt((1 - fee) / unit_cost)`` (rising); the
        input is what moves the pool there. The price is rounded towards the pool's own.

        Parameters
        ----------
        unit_cost : float or int or Fraction
            What one token unit of input costs, in token units of output; at least 0. A float is taken at its
            exact binary value.
        zero_for_one : bool
            True for token0 in, token1 out.

        Returns
        -------
        int
            Input, fee included, token units: zero where even the first unit costs more than it brings;
            with a ``unit_cost`` of zero, all that the ladder can take.

        Raises
        ------
        InvalidInputError
            If the cost is negative or not finite.
        """
        return self.amount_to_price(
            self._price_at_cost(rational("unit_cost", unit_cost), zero_for_one), zero_for_one
        )[0]

    def _price_at_cost(self, cost: Fraction, zero_for_one: bool) -> int:
        """Return the price at which the marginal price is ``cost``, or the nearest that a swap may reach."""
        keep = Fraction(PIPS - self.fee_pips, PIPS)
        own = self._sqrt_price_x96
        if zero_for_one:
            square = (cost / keep) * 2**192
            target = math.isqrt(math.ceil(square) - 1) + 1 if square > 0 else 0
            return min(own, max(target, MIN_SQRT_PRICE + 1))
        target = math.isqrt(math.floor(keep / cost * 2**192)) if cost else MAX_SQRT_PRICE
        return max(own, min(target, MAX_SQRT_PRICE - 1))

    def depth(self, max_slippage: float, zero_for_one: bool) -> int:
        """Return the largest input whose average price, fee included, is within ``max_slippage`` of spot.

        The condition ``amount_out >= (1 - max_slippage) * spot * amount_in`` is judged on exact quotes in
        integers, so the answer is exact but for the rounding of one token unit of output.

        Parameters
        ----------
        max_slippage : float
            The most the average price may fall short of spot, a fraction in [0, 1).
        zero_for_one : bool
            True for token0 in, token1 out.

        Returns
        -------
        int
            Input, fee included, token units: zero where the fee alone is as much as the slippage allowed, or
            the pool has no liquidity ahead.

        Raises
        ------
        InvalidInputError
            If the slippage is not a fraction in [0, 1).
        """
        keep = 1 - Fraction(fraction_below_one("max_slippage", max_slippage))
        square, one = self._sqrt_price_x96**2, 2**192
        spot = Fraction(square, one) if zero_for_one else Fraction(one, square)
        if PIPS - self.fee_pips <= keep * PIPS:
            return 0
        return self._largest_input(keep * spot, zero_for_one)

    def _largest_input(self, average: Fraction, zero_for_one: bool) -> int:
        """Return the largest input that brings at least ``average`` per unit: by bisection, on exact quotes.

        An input whose last unit still brings that much is a lower bound.
        """
        walk = self._walk(zero_for_one)

        def enough(amount: int) -> bool:
            try:
                amount_out = walk.quote_input(amount).amount_out
            except LiquidityExhaustedError:
                return False
            return amount_out * average.denominator >= average.numerator * amount

        low, high = 0, self.profit_maximising_input(average, zero_for_one) + 1
        while enough(high):
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if enough(middle) else (low, middle)
        return low

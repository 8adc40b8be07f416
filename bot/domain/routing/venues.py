"""The venues a trade can be split over."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TypeAlias

from bot.domain.amm._checks import fraction_below_one, moderate, non_negative
from bot.domain.amm.uniswap_v3 import Pool
from bot.domain.routing._curves import Curve, Hyperbola, Ranges, Step, in_turn, pool_stretch
from bot.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class ConstantProduct:
    """A constant product pool.

    Parameters
    ----------
    reserve_in, reserve_out : float
        Reserves, in the unit of the amount split and in that of its output; from 1e-90 to 1e90.
    fee : float
        Fee as a fraction of the input, in [0, 1).
    fixed_cost : float
        Cost of using the venue at all (gas, say), in output units; at least 0.

    Raises
    ------
    InvalidInputError
        If a value is not finite or lies outside its range.
    """

    reserve_in: float
    reserve_out: float
    fee: float
    fixed_cost: float = 0.0

    def __post_init__(self) -> None:
        moderate("reserve_in", self.reserve_in)
        moderate("reserve_out", self.reserve_out)
        fraction_below_one("fee", self.fee)
        non_negative("fixed_cost", self.fixed_cost)

    def curve(self, limit: float) -> Curve:
        """Return the venue's inverse marginal price, for inputs up to ``limit``."""
        return Hyperbola(float(self.reserve_in), float(self.reserve_out), 1.0 - self.fee)


@dataclass(frozen=True, slots=True)
class Concentrated:
    """A concentrated-liquidity pool in one direction; amounts are in token units, as in the pool.

    Parameters
    ----------
    pool : Pool
        The pool at its present price.
    zero_for_one : bool
        True for token0 in, token1 out.
    fixed_cost : float
        Cost of using the venue at all, in token units of the output; at least 0.

    Raises
    ------
    InvalidInputError
        If ``pool`` is not a `Pool`, or the cost is not finite or negative.
    """

    pool: Pool
    zero_for_one: bool
    fixed_cost: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.pool, Pool):
            raise InvalidInputError("pool", self.pool, "a bot.domain.amm.uniswap_v3.Pool")
        non_negative("fixed_cost", self.fixed_cost)

    def curve(self, limit: float) -> Curve:
        """Return the venue's inverse marginal price, for inputs up to ``limit``."""
        return Ranges(pool_stretch(self.pool, self.zero_for_one), limit)


@dataclass(frozen=True, slots=True)
class Chain:
    """Concentrated pools one after the other: what one pays, the next one takes.

    Parameters
    ----------
    hops : sequence of (Pool, bool)
        Each pool at its present price, and whether token0 goes in; at least one, and none of them twice.
    fixed_cost : float
        Cost of using the chain at all, in token units of the last output; at least 0.

    Raises
    ------
    InvalidInputError
        If there is no hop, one of them is no `Pool`, or the cost is not finite or negative.
    """

    hops: Sequence[tuple[Pool, bool]]
    fixed_cost: float = 0.0

    def __post_init__(self) -> None:
        if not self.hops:
            raise InvalidInputError("hops", self.hops, "at least one pool")
        for pool, _ in self.hops:
            if not isinstance(pool, Pool):
                raise InvalidInputError("hops", pool, "a bot.domain.amm.uniswap_v3.Pool each")
        non_negative("fixed_cost", self.fixed_cost)

    def curve(self, limit: float) -> Curve:
        """Return the venue's inverse marginal price, for inputs up to ``limit``."""
        return Ranges(reduce(in_turn, (pool_stretch(*hop) for hop in self.hops)), limit)


@dataclass(frozen=True, slots=True)
class Quote:
    """A firm price up to a capacity.

    Parameters
    ----------
    price : float
        Output per unit of input, from 1e-90 to 1e90.
    capacity : float
        Largest input, from 1e-90 to 1e90.
    fixed_cost : float
        Cost of using the venue at all, in output units; at least 0.

    Raises
    ------
    InvalidInputError
        If a value is not finite or lies outside its range.
    """

    price: float
    capacity: float
    fixed_cost: float = 0.0

    def __post_init__(self) -> None:
        moderate("price", self.price)
        moderate("capacity", self.capacity)
        non_negative("fixed_cost", self.fixed_cost)

    def curve(self, limit: float) -> Curve:
        """Return the venue's inverse marginal price, for inputs up to ``limit``."""
        return Step(float(self.price), min(float(self.capacity), limit))


Venue: TypeAlias = ConstantProduct | Concentrated | Chain | Quote

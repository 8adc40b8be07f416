"""Ways to sell one asset for another: through one pool, through two in turn, or split over several ways.

What the venue sells is quoted here in the order in which it sells, wei for wei; which share goes which way is
chosen by `bot.domain.routing.split` in floats, and only then quoted.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from bot.domain import routing
from bot.domain.amm.uniswap_v3 import Pool
from bot.domain.wad import BPS
from bot.errors import LiquidityExhaustedError
from bot.strategy.board import Board, Market, Quote
from bot.strategy.decision import Way

_SHORT: Final = 1e-9
"""Share by which a sale of all that pools take is left short, so that floats cannot pass their end."""


class Sold(NamedTuple):
    """What a sale brings, and where it leaves the pools.

    Parameters
    ----------
    amount_out : int
        Of all parts, token units.
    parts : tuple of (int, int)
        What each part takes and brings.
    moves : tuple of (Market, Quote)
        Each pool, and where it is left, in the order of the trades.
    """

    amount_out: int
    parts: tuple[tuple[int, int], ...]
    moves: tuple[tuple[Market, Quote], ...]


class Path(NamedTuple):
    """Pools one after the other.

    Parameters
    ----------
    assets : tuple of int
        Asset ids from what is sold to what is bought.
    markets : tuple of Market
        The pool between each two of them, in the direction of the sale.
    """

    assets: tuple[int, ...]
    markets: tuple[Market, ...]

    @property
    def direct(self) -> bool:
        """Whether one pool suffices."""
        return len(self.markets) == 1

    def at_spot(self, amount: int) -> int:
        """Return what ``amount`` would bring at marginal prices after fees, rounded UP as the venue does."""
        for market in self.markets:
            amount = market.at_spot(amount)
        return amount

    def at_best(self, amount: int) -> int:
        """Return the same, or what it would bring where the transaction finds the pools, if that is more."""
        best = self.at_spot(amount)
        if all(market.found is None for market in self.markets):
            return best
        for market in self.markets:
            amount = market.at_found(amount)
        return max(best, amount)

    def at_mean(self, amount: int) -> int | None:
        """Return what ``amount`` is worth at the pools' mean prices, before fees; None if one is unknown."""
        for market in self.markets:
            found = market.at_mean(amount)
            if found is None:
                return None
            amount = found
        return amount

    def sell(self, amount: int, moved: dict[bytes, Pool]) -> tuple[int, list[tuple[Market, Quote]]] | None:
        """Return what selling exactly ``amount`` brings, and each pool's quote; None if one cannot take it.

        Parameters
        ----------
        amount : int
            Token units; of nothing nothing is sold.
        moved : dict of bytes to Pool
            Pools that earlier trades have moved, by address; brought forward by this one.
        """
        moves = []
        for market in self.markets:
            if amount == 0:
                break
            quote = market._replace(pool=moved.get(market.address, market.pool)).quote(amount)
            if quote is None:
                return None
            moved[market.address] = market.pool.with_price(quote.sqrt_price_x96, quote.tick)
            moves.append((market, quote))
            amount = quote.amount_out
        return amount, moves


class Part(NamedTuple):
    """A share of a sale, in basis points, and its path."""

    weight_bps: int
    path: Path


class Route(NamedTuple):
    """One path or several, with shares that add up to 10,000 basis points."""

    parts: tuple[Part, ...]

    @classmethod
    def along(cls, path: Path) -> "Route":
        """Return the route of a single path."""
        return cls((Part(BPS, path),))

    @property
    def pools(self) -> int:
        """How many pools it trades in."""
        return sum(len(part.path.markets) for part in self.parts)

    @property
    def ways(self) -> tuple[Way, ...]:
        """The route as a decision keeps it."""
        return tuple(
            Way(weight, path.assets, tuple(market.pool.fee_pips for market in path.markets))
            for weight, path in self.parts
        )

    def quote(self, amount: int) -> Sold | None:
        """Return what selling exactly ``amount`` brings, wei for wei; None if a pool cannot take its part.

        Each part but the last takes its weight, rounded DOWN, and the last what is left, as in the venue.
        """
        moved: dict[bytes, Pool] = {}
        left, parts, moves = amount, [], []
        for index, (weight, path) in enumerate(self.parts):
            share = left if index + 1 == len(self.parts) else amount * weight // BPS
            found = path.sell(share, moved)
            if found is None:
                return None
            left -= share
            parts.append((share, found[0]))
            moves += found[1]
        return Sold(sum(brought for _, brought in parts), tuple(parts), tuple(moves))

    def at_spot(self, amount: int) -> int:
        """Return what ``amount`` would bring at the best marginal price of its parts, rounded UP."""
        return max(part.path.at_spot(amount) for part in self.parts)

    def at_best(self, amount: int) -> int:
        """Return the same of `Path.at_best`: what slippage is measured from."""
        return max(part.path.at_best(amount) for part in self.parts)


def paths(board: Board, sold: int, bought: int, assets: Iterable[int], amount: int) -> list[Path]:
    """Return the ways from one asset to another that share no pool: each pool of the pair, then two in turn.

    Where several pools trade a leg over an asset in between, those that bring most for ``amount`` are put
    together first.

    Parameters
    ----------
    board : Board
        The pools.
    sold, bought : int
        Asset ids, different.
    assets : iterable of int
        Those that may stand in between.
    amount : int
        By which ways are compared, token units.
    """
    found = [Path((sold, bought), (market,)) for market in board.markets(sold, bought)]
    for between in assets:
        if between not in (sold, bought):
            found += _over(board, (sold, between, bought), amount)
    return found


def _over(board: Board, assets: tuple[int, int, int], amount: int) -> Iterator[Path]:
    """Yield paths over an asset in between, the best first, none with a pool that another has."""
    sold, between, bought = assets
    ways = [
        Path(assets, (first, second))
        for first in board.markets(sold, between)
        for second in board.markets(between, bought)
    ]
    used: set[bytes] = set()
    for path in sorted(ways, key=lambda path: _worth(path, amount), reverse=True):
        pools = {market.address for market in path.markets}
        if not pools & used:
            used |= pools
            yield path


def _worth(path: Path, amount: int) -> int:
    found = path.sell(amount, {})
    return -1 if found is None else found[0]


def split(ways: Sequence[Path], amount: int, pool_cost: float) -> Route | None:
    """Return the route that brings most for an amount, less what each pool on it costs.

    None where the pools take nothing.

    Parameters
    ----------
    ways : sequence of Path
        At least one; none of them shares a pool with another.
    amount : int
        Token units, above zero; where the pools cannot take all of it, what they take.
    pool_cost : float
        Cost of a trade in one pool, token units of what is bought.
    """
    venues = [
        routing.Chain(
            tuple((market.pool, market.zero_for_one) for market in path.markets),
            pool_cost * len(path.markets),
        )
        for path in ways
    ]
    try:
        shares = routing.split(float(amount), venues).amounts
    except LiquidityExhaustedError as error:
        if error.amount_in < 1:
            return None
        shares = routing.split(float(error.amount_in) * (1.0 - _SHORT), venues).amounts
    weights = _weights(shares)
    return Route(tuple(Part(weight, path) for weight, path in zip(weights, ways, strict=True) if weight))


def _weights(shares: Sequence[float]) -> list[int]:
    """Return shares in basis points, rounded down but for the largest, which takes what that leaves."""
    total = sum(shares)
    weights = [int(BPS * share / total) for share in shares]
    weights[max(range(len(shares)), key=shares.__getitem__)] += BPS - sum(weights)
    return weights

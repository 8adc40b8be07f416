"""Sudden moves of prices: as people write them, and put on a snapshot."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import isqrt
from typing import Final

from bot.domain.amm.uniswap_v3 import MAX_SQRT_PRICE, MIN_SQRT_PRICE, tick_at_sqrt_price
from bot.errors import InvalidInputError
from bot.strategy.snapshot import Asset, PoolView, Snapshot

MOST: Final = 10
"""Largest factor of a shock: more is a slip of the pen, such as ``20`` for ``20%``."""

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})")
_CHANGE: Final = f"a change such as -20%, or a factor such as 0.8, above -100% and at most {MOST} times"


def parse_change(text: str, name: str = "change") -> Fraction:
    """Return the factor that a text puts on a price.

    Parameters
    ----------
    text : str
        A percentage with its sign, ``-20%``, or a factor, ``0.8``.
    name : str
        What it is called in an error.

    Raises
    ------
    InvalidInputError
        If it is neither, or the price would not stay positive, or would rise more than `MOST` times.
    """
    number, percent = text.strip().removesuffix("%").strip(), text.strip().endswith("%")
    if not _NUMBER.fullmatch(number):
        raise InvalidInputError(name, text, _CHANGE)
    factor = 1 + Fraction(number) / 100 if percent else Fraction(number)
    if not 0 < factor <= MOST:
        raise InvalidInputError(name, text, _CHANGE)
    return factor


def asset_named(name: str, assets: Sequence[Asset]) -> Asset | None:
    """Return the asset of a symbol, whatever its case; ``ETH`` stands for a ``WETH`` that alone is listed."""
    by_symbol = {asset.symbol.upper(): asset for asset in assets}
    wanted = name.strip().upper()
    return by_symbol.get(wanted) or by_symbol.get(f"W{wanted}")


def priced_asset(name: str, assets: Sequence[Asset], option: str, text: str) -> Asset:
    """Return the asset of a symbol, which must have a price.

    Parameters
    ----------
    name : str
        The symbol.
    assets : sequence of Asset
        All that are listed.
    option, text : str
        What was given, and where, for the error.

    Raises
    ------
    InvalidInputError
        If no such asset is listed, or the oracle refuses its price.
    """
    asset = asset_named(name, assets)
    if asset is None:
        listed = ", ".join(asset.symbol for asset in assets)
        raise InvalidInputError(option, text, f"of a listed asset ({listed})")
    if asset.price is None:
        raise InvalidInputError(
            option, text, f"of an asset with a price; the oracle refuses {asset.symbol} now"
        )
    return asset


def parse_shocks(texts: Iterable[str], assets: Sequence[Asset]) -> dict[int, Fraction]:
    """Return the factor on each shocked price, by asset id.

    Parameters
    ----------
    texts : iterable of str
        Each ``SYMBOL=CHANGE``, as in ``ETH=-20%``; see `parse_change`.
    assets : sequence of Asset
        All that are listed.

    Raises
    ------
    InvalidInputError
        If a text is no shock, or names an asset that is not listed, has no price, or was named before.
    """
    factors: dict[int, Fraction] = {}
    for text in texts:
        symbol, equals, change = text.partition("=")
        if not equals or not symbol.strip():
            raise InvalidInputError("shock", text, "SYMBOL=CHANGE, as in ETH=-20%")
        asset = priced_asset(symbol, assets, "shock", text)
        if asset.asset_id in factors:
            raise InvalidInputError("shock", text, f"the only one for {asset.symbol}")
        try:
            factors[asset.asset_id] = parse_change(change)
        except InvalidInputError as error:
            raise InvalidInputError("shock", text, f"SYMBOL=CHANGE with {error.requirement}") from None
    return factors


def shocked(snapshot: Snapshot, factors: Mapping[int, Fraction]) -> Snapshot:
    """Return a snapshot whose prices are moved, and its pools with them.

    A pool's price moves by the ratio of its tokens' factors, as arbitrage would have it; positions in it
    stay, so liquidity that lay around the old price is left behind.

    Parameters
    ----------
    snapshot : Snapshot
        The protocol at one head.
    factors : mapping of int to Fraction
        On the price of each asset, by asset id, positive; an asset without one keeps its price.

    Notes
    -----
    Rounding: prices and square roots DOWN, the oracle's price to at least 1.
    """
    assets = tuple(_repriced(asset, factors.get(asset.asset_id)) for asset in snapshot.assets)
    pools = tuple(_moved(view, factors) for view in snapshot.pools)
    return replace(snapshot, assets=assets, pools=pools)


def _repriced(asset: Asset, factor: Fraction | None) -> Asset:
    if asset.price is None or factor is None:
        return asset
    return replace(asset, price=max(int(asset.price * factor), 1))


def _moved(view: PoolView, factors: Mapping[int, Fraction]) -> PoolView:
    ratio = factors.get(view.token0, Fraction(1)) / factors.get(view.token1, Fraction(1))
    if ratio == 1:
        return view
    square = view.pool.sqrt_price_x96**2 * ratio
    price = min(max(isqrt(int(square)), MIN_SQRT_PRICE), MAX_SQRT_PRICE - 1)
    return replace(view, pool=view.pool.with_price(price, tick_at_sqrt_price(price)))

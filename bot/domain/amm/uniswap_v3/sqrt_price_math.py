"""Amounts between two square-root prices, and the price after an amount, as the pool rounds them.

With liquidity ``L`` and ``s = sqrt_price / 2^96``: ``token0 = L (1/s_low - 1/s_high)``,
``token1 = L (s_high - s_low)``.
Source: "Uniswap v3 Core" (2021), section 6.2. Every rounding favours the pool: what comes in is rounded up,
what goes out down, and the price moves no further than the input pays for.
"""

Q96 = 2**96
"""One, as a Q64.96 number."""

_UINT256 = 2**256


def amount0_up(low: int, high: int, liquidity: int) -> int:
    """Return the token0 that moves the price between ``low`` and ``high``. Rounding: UP, it is paid in."""
    scaled = -((liquidity << 96) * (low - high) // high)
    return -(-scaled // low)


def amount0_down(low: int, high: int, liquidity: int) -> int:
    """Return the token0 paid out between ``low`` and ``high``. Rounding: DOWN, it leaves the pool."""
    return (liquidity << 96) * (high - low) // high // low


def amount1_up(low: int, high: int, liquidity: int) -> int:
    """Return the token1 that moves the price between ``low`` and ``high``. Rounding: UP, it is paid in."""
    return -(liquidity * (low - high) >> 96)


def amount1_down(low: int, high: int, liquidity: int) -> int:
    """Return the token1 paid out between ``low`` and ``high``. Rounding: DOWN, it leaves the pool."""
    return liquidity * (high - low) >> 96


def price_after_token0_in(price: int, liquidity: int, amount: int) -> int:
    """Return the price after ``amount`` of token0 comes in: ``L s / (L + amount s)``.

    Rounding: UP, so that the price falls no further than is paid for. Where the contract's 256-bit product
    would overflow it divides first, ``L / (L / s + amount)``; so does this.
    """
    scaled, product = liquidity << 96, amount * price
    if scaled + product < _UINT256:
        return -(-scaled * price // (scaled + product))
    return -(-scaled // (scaled // price + amount))


def price_after_token1_in(price: int, liquidity: int, amount: int) -> int:
    """Return the price after ``amount`` of token1 comes in: ``s + amount / L``. Rounding: DOWN, as above."""
    return price + (amount << 96) // liquidity


def price_after_token0_out(price: int, liquidity: int, amount: int) -> int:
    """Return the price after ``amount`` of token0 goes out. Rounding: UP, so that the taker pays enough.

    ``amount`` must be below what the liquidity holds above the price.
    """
    scaled = liquidity << 96
    return -(-scaled * price // (scaled - amount * price))


def price_after_token1_out(price: int, liquidity: int, amount: int) -> int:
    """Return the price after ``amount`` of token1 goes out. Rounding: DOWN, so that the taker pays enough."""
    return price - -(-(amount << 96) // liquidity)

"""A manifest for tests that need no chain."""

from typing import Any

from eth_utils.address import to_checksum_address


def _address(number: int) -> str:
    return str(to_checksum_address(number.to_bytes(20)))


HOUSE, ENGINE, ORACLE, MANAGER, VENUE, TAKER, LENS = (_address(0xC0 + i) for i in range(7))
FEEDS = tuple(_address(0xF0 + i) for i in range(3))
TOKENS = tuple(_address(0xA0 + i) for i in range(3))
POOLS = tuple(_address(0xB0 + i) for i in range(2))


def manifest(**changes: Any) -> dict[str, Any]:
    """Return a manifest of WETH, WBTC and USDC with two pools, changed as told."""
    names = zip(("WETH", "WBTC", "USDC"), (18, 8, 6), strict=True)
    assets = [
        {
            "id": index,
            "symbol": symbol,
            "token": TOKENS[index],
            "decimals": decimals,
            "feed": FEEDS[index],
            "feed_decimals": 8,
            "max_age": 4_200,
        }
        for index, (symbol, decimals) in enumerate(names)
    ]
    pools = [
        {"base": base, "quote": "USDC", "fee_pips": 500, "address": POOLS[index]}
        for index, base in enumerate(("WETH", "WBTC"))
    ]
    uniswap = dict.fromkeys(("factory", "position_manager", "swap_router", "quoter"), _address(1))
    return {
        "version": 1,
        "chain_id": 31_337,
        "block": 1,
        "access_manager": MANAGER,
        "clearing_house": HOUSE,
        "liquidation_engine": ENGINE,
        "price_oracle": ORACLE,
        "uniswap_v3_venue": VENUE,
        "flash_taker": TAKER,
        "position_lens": LENS,
        "uniswap_v3": uniswap,
        "assets": assets,
        "pools": pools,
        "code_hashes": {},
    } | changes

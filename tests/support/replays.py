"""Builders for tests of the laboratory."""

from bot.sim.book import AssetTerms

WAD = 10**18
SMALLEST_BORROW = 500 * WAD
TERMS = {
    "WETH": AssetTerms("WETH", 0, 18, 13_840_000_000 * 10**10, 8_000, 8_300, 10_800),
    "WBTC": AssetTerms("WBTC", 1, 8, 603_628_000_000 * 10**10, 7_300, 7_800, 11_000),
    "USDC": AssetTerms("USDC", 2, 6, WAD, 8_700, 9_000, 10_000),
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Packed batch reads for keepers
/// @dev Nothing is padded and nothing has an offset, so that a reader cuts the answer by width. The caller's gas
/// bounds how much can be asked at once: about 10,000 per account with one collateral and one debt.
interface IPositionLens {
    /// @notice Raw positions of many accounts, tightly packed, in the order given.
    /// @dev Per account: collaterals bitmap (8 bytes), debts bitmap (8), epoch (4), flagged (1), block of the last
    /// borrow or withdrawal (5); then for each bit of `collaterals`, lowest first, the collateral (16 bytes); then for
    /// each bit of `debts` the debt shares (16).
    function positions(address[] calldata accounts) external view returns (bytes memory);

    /// @notice Totals of every listed asset, tightly packed by assetId.
    /// @dev Per asset: totalSupplyAssets, totalSupplyShares, totalBorrowAssets, totalBorrowShares, cash,
    /// collateralAssets, reserveAssets, creditAssets (16 bytes each), then the price (16 bytes, WAD quote units per
    /// whole token; zero where the oracle refuses it).
    function markets() external view returns (bytes memory);

    /// @notice State of a Uniswap V3 pool, with the initialised ticks of some words of its tick bitmap.
    /// @dev sqrtPriceX96 (20 bytes), tick (3), liquidity (16); then for each initialised tick, lowest first: the tick
    /// (3 bytes), liquidityGross (16), liquidityNet (16). A word holds 256 multiples of the tick spacing and costs
    /// about 3,000 gas.
    /// @param pool The pool; anything else reverts.
    /// @param firstWord, lastWord Range of words, both included; all of a pool's ticks lie between those of -887,272
    /// and 887,272.
    function ticks(address pool, int16 firstWord, int16 lastWord) external view returns (bytes memory);
}

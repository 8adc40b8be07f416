// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Packed batch reads for keepers
interface IPositionLens {
    /// @notice Raw positions of many accounts, tightly packed, in the order given.
    /// @dev Per account: collaterals bitmap (8 bytes), debts bitmap (8), epoch (4), flagged (1); then for each bit of
    /// `collaterals`, lowest first, the collateral (16 bytes); then for each bit of `debts` the debt shares (16).
    function positions(address[] calldata accounts) external view returns (bytes memory);

    /// @notice Totals of every listed asset, tightly packed by assetId.
    /// @dev Per asset: totalSupplyAssets, totalSupplyShares, totalBorrowAssets, totalBorrowShares, cash,
    /// collateralAssets, reserveAssets, creditAssets (16 bytes each), then the price (16 bytes, WAD quote units per
    /// whole token; zero where the oracle refuses it).
    function markets() external view returns (bytes memory);
}

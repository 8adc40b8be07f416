// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {WadMath} from "./WadMath.sol";

/// @title Shares of a pool, with virtual offsets
/// @notice A pool's assets belong to its shares pro rata; interest and deficits move the price of a share, O(1) for any
/// number of holders.
/// @dev Price of a share = (totalAssets + 1) / (totalShares + 1e6). The virtual asset and the virtual shares belong to
/// nobody: whoever inflates the price of a share by a donation gives most of it to them, so the first depositor gains
/// nothing by it, and an empty pool needs no special case.
library SharesMath {
    using WadMath for uint256;

    /// @dev Shares that nobody holds. One asset buys this many while the pool is fresh.
    uint256 internal constant VIRTUAL_SHARES = 1e6;
    /// @dev Assets that nobody holds.
    uint256 internal constant VIRTUAL_ASSETS = 1;

    /// @dev assets * (totalShares + 1e6) / (totalAssets + 1), rounded DOWN: what a deposit mints, a repayment burns.
    function toSharesDown(uint256 assets, uint256 totalAssets, uint256 totalShares) internal pure returns (uint256) {
        return assets.mulDivDown(totalShares + VIRTUAL_SHARES, totalAssets + VIRTUAL_ASSETS);
    }

    /// @dev The same, rounded UP: what a withdrawal burns, a borrow mints.
    function toSharesUp(uint256 assets, uint256 totalAssets, uint256 totalShares) internal pure returns (uint256) {
        return assets.mulDivUp(totalShares + VIRTUAL_SHARES, totalAssets + VIRTUAL_ASSETS);
    }

    /// @dev shares * (totalAssets + 1) / (totalShares + 1e6), rounded DOWN: what a supplier's shares are worth.
    function toAssetsDown(uint256 shares, uint256 totalAssets, uint256 totalShares) internal pure returns (uint256) {
        return shares.mulDivDown(totalAssets + VIRTUAL_ASSETS, totalShares + VIRTUAL_SHARES);
    }

    /// @dev The same, rounded UP: what a borrower's shares owe.
    function toAssetsUp(uint256 shares, uint256 totalAssets, uint256 totalShares) internal pure returns (uint256) {
        return shares.mulDivUp(totalAssets + VIRTUAL_ASSETS, totalShares + VIRTUAL_SHARES);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Losses that are foreseen and not yet booked
interface IPendingDeficits {
    /// @notice Running sum, over the accounts in liquidation, of the debt in an asset that their collateral does not
    /// cover at the reserve, token units.
    function pendingDeficit(uint8 assetId) external view returns (uint256);
}

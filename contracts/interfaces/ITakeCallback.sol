// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Implemented by takers that pay with what they buy
interface ITakeCallback {
    /// @notice Called by the clearing house after the collateral was sent and before `payment` is pulled from this
    /// contract, which must have approved the clearing house by the end of the call.
    /// @param account The account whose collateral was bought.
    /// @param collateralToken Token bought. @param seized Amount bought.
    /// @param debtToken Token to pay in. @param payment Amount that will be pulled.
    /// @param data As given to `take`; in a `fill` the hash of the quote.
    /// @return magic Must be `ITakeCallback.onTake.selector`.
    function onTake(
        address account,
        address collateralToken,
        uint256 seized,
        address debtToken,
        uint256 payment,
        bytes calldata data
    ) external returns (bytes4 magic);
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Implemented by executors of `IProtection.deleverage` that fetch the debt asset when they know how much
interface IDeleverageCallback {
    /// @notice Called before `repaid` is pulled from this contract, which must have approved the caller by then.
    /// @dev The collateral comes after the payment: the house lets none go before the debt is repaid.
    /// @param account The account whose debt will be repaid.
    /// @param collateralToken Token that will come. @param seized Amount that will come.
    /// @param debtToken Token to pay in. @param repaid Amount that will be pulled.
    /// @param data As given to `deleverage`.
    /// @return magic Must be `IDeleverageCallback.onDeleverage.selector`.
    function onDeleverage(
        address account,
        address collateralToken,
        uint256 seized,
        address debtToken,
        uint256 repaid,
        bytes calldata data
    ) external returns (bytes4 magic);
}

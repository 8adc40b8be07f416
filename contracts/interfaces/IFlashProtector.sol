// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Deleverages protected accounts without capital: sells the collateral first, in a Uniswap V3 pool
/// @notice A pool pays out the debt asset before it asks for the collateral; in between, the debt is repaid and the
/// collateral received. Open to anyone, since nothing is kept here.
interface IFlashProtector {
    /// @notice A sale was made and its profit sent on.
    event Protected(address indexed account, address indexed recipient, uint256 seized, uint256 repaid, uint256 profit);

    /// @notice Thrown when a callback comes from elsewhere than the pool that was called.
    error CallbackUnauthorised(address caller);
    /// @notice Thrown when no pool exists for the pair and fee.
    error PoolMissing(address tokenIn, address tokenOut, uint24 feePips);
    /// @notice Thrown when the pool pays less than what is repaid and the minimum, token units of the debt asset.
    error ProceedsBelowMinimum(uint256 proceeds, uint256 minimum);

    /// @notice Deleverages `account` and sells what it gives in the pool of `feePips`.
    /// @param maxRepaid Most to repay, token units. @param minProfit Least profit, token units of the debt asset.
    /// @param recipient Who gets the profit, and collateral that a dry pool did not take.
    /// @return repaid Debt repaid. @return seized Collateral received. @return profit Debt tokens sent to `recipient`.
    function deleverageAndSell(
        address account,
        uint8 collateralId,
        uint8 debtId,
        uint256 maxRepaid,
        uint24 feePips,
        uint256 minProfit,
        address recipient
    ) external returns (uint256 repaid, uint256 seized, uint256 profit);
}

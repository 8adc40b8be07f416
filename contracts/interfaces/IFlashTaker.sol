// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Takes without capital: buys at the reserve, sells in a Uniswap V3 pool, pays from the proceeds
interface IFlashTaker {
    /// @notice A take was settled and its profit kept.
    event Taken(address indexed account, uint256 seized, uint256 payment, uint256 profit);
    /// @notice `operator` may, or may no longer, call `takeAndSell`.
    event OperatorSet(address indexed operator, bool approved);

    /// @notice Thrown when the caller is neither owner nor operator.
    error OperatorUnauthorised(address caller);
    /// @notice Thrown when a callback comes from elsewhere than the clearing house or the pool that was called.
    error CallbackUnauthorised(address caller);
    /// @notice Thrown when no pool exists for the pair and fee.
    error PoolMissing(address tokenIn, address tokenOut, uint24 feePips);
    /// @notice Thrown when the profit is below the minimum, token units of the debt asset.
    error ProfitBelowMinimum(uint256 profit, uint256 minProfit);

    /// @notice Takes from `account` and sells the collateral in the pool of `feePips`. Owner or operator.
    /// @param minProfit Least profit, token units of the debt asset.
    /// @return seized Collateral bought and sold. @return profit Debt tokens kept in this contract.
    function takeAndSell(
        address account,
        uint8 collateralId,
        uint8 debtId,
        uint256 maxSeized,
        uint256 maxPrice,
        uint24 feePips,
        uint256 minProfit
    ) external returns (uint256 seized, uint256 profit);

    /// @notice Approves or dismisses an operator. Owner only.
    function setOperator(address operator, bool approved) external;
    /// @notice Pays a token out. Owner only.
    function withdraw(address token, uint256 amount, address receiver) external;
}

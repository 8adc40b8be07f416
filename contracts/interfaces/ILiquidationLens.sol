// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title What it would take to restore an account
interface ILiquidationLens {
    /// @notice One step of the cheapest mix.
    /// @param collateralId Asset sold. @param debtId Asset repaid; where both are the same, collateral is netted.
    /// @param running Whether the leg is for sale now.
    /// @param seized Collateral, token units. @param payment Debt asset paid for it. @param repaid Debt repaid.
    /// @param multiplierWad Multiplier paid over the oracle price.
    /// @param costWad Value given away per weighted value restored; zero for netting.
    struct Step {
        uint8 collateralId;
        uint8 debtId;
        bool running;
        uint256 seized;
        uint256 payment;
        uint256 repaid;
        uint256 multiplierWad;
        int256 costWad;
    }

    /// @notice The cheapest mix of sales at the reserves of this moment that restores an account's target health, after
    /// netting; a collateral that does not run counts at the oracle's price.
    /// @dev Greedy by cost, which is exact while costs are linear. Budgets are left out: they say when, not what.
    /// @return steps In their order; empty for a healthy account.
    /// @return healthFactor Health after all of them, WAD; `type(uint256).max` without debt.
    function preview(address account) external view returns (Step[] memory steps, uint256 healthFactor);
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../interfaces/ILiquidationEngine.sol";
import {WadMath} from "../libraries/WadMath.sol";

/// @title What Sluice is compared with: a fixed bonus and a close factor
/// @notice For the laboratory alone. Set as a clearing house's engine it liquidates as Aave v3.3 publishes it: whoever
/// repays an unhealthy account's debt gets collateral worth 5 % more, up to half of the debt while the health factor is
/// above 0.95 and both sides are worth 2,000 or more, else all of it. Debt that no collateral is left for is written
/// off. The liquidator sells through a venue in the same call and keeps what is above the debt repaid.
/// @dev Left out, each in the liquidator's favour: the protocol's share of the bonus and the rule on small leftovers.
contract FixedBonusEngine {
    using WadMath for uint256;

    uint256 internal constant BONUS_BPS = 500;
    uint256 internal constant CLOSE_FACTOR_BPS = 5_000;
    uint256 internal constant CLOSE_FACTOR_HEALTH = 0.95e18;
    uint256 internal constant SMALL_VALUE = 2_000e18;
    uint256 internal constant BPS = 10_000;
    uint8 internal constant ROUTE_SWAP = 1;

    IClearingHouse public immutable clearingHouse;

    /// @notice A liquidation that is asked for.
    /// @param account Whose debt.
    /// @param collateralId Asset to receive. @param debtId Asset to repay.
    /// @param maxRepaid Most to repay, token units.
    /// @param minProfit Least that the sale must bring above it, token units of the debt asset.
    /// @param venue Where to sell. @param data Passed to the venue.
    struct Order {
        address account;
        uint8 collateralId;
        uint8 debtId;
        uint256 maxRepaid;
        uint256 minProfit;
        address venue;
        bytes data;
    }

    /// @notice Thrown when the account's health factor is 1 or more.
    error AccountHealthy(address account, uint256 healthFactor);
    /// @notice Thrown when the account does not hold the one asset, or does not owe the other, or they are the same.
    error PairMissing(address account, uint8 collateralId, uint8 debtId);
    /// @notice Thrown when a liquidation would move nothing on one side.
    error LiquidationEmpty();

    /// @param clearingHouse_ To be the engine of.
    constructor(IClearingHouse clearingHouse_) {
        clearingHouse = clearingHouse_;
    }

    /// @notice Repays debt of an unhealthy account and sells the collateral given for it.
    /// @return seized Collateral given, token units.
    /// @return repaid Debt repaid, token units.
    /// @return profit What the liquidator is credited in the clearing house, token units of the debt asset.
    function liquidate(Order calldata order) external returns (uint256 seized, uint256 repaid, uint256 profit) {
        IClearingHouse.Settlement memory settlement;
        (settlement.account, settlement.collateralId, settlement.debtId) =
        (order.account, order.collateralId, order.debtId);
        (seized, repaid, settlement.epoch) = _terms(order);
        settlement.seized = seized.toUint128();
        settlement.repaid = settlement.cancelled = repaid.toUint128();
        settlement.payment = _sell(order, settlement.seized, repaid + order.minProfit).toUint128();
        profit = settlement.payment - repaid;
        settlement.chip = profit.toUint128();
        settlement.settler = msg.sender;
        settlement.route = ROUTE_SWAP;
        settlement.multiplierWad = uint64(uint256(1e18).mulDivDown(BPS, BPS + BONUS_BPS));
        clearingHouse.settle(settlement);
        (uint64 collaterals, uint64 debts,,,) = clearingHouse.accountInfo(order.account);
        if (collaterals == 0 && debts != 0) clearingHouse.writeOff(order.account);
    }

    /// @notice No curve: the clearing house has nothing to hold an asset's threshold against.
    function curve(uint8) external pure returns (ILiquidationEngine.Curve memory none) {
        return none;
    }

    /// @dev What is repaid and given: the bonus DOWN in collateral; where that runs out, the debt it pays for UP.
    function _terms(Order calldata order) private view returns (uint256 seized, uint256 repaid, uint32 epoch) {
        IClearingHouse.AccountState memory state = clearingHouse.accountState(order.account);
        if (state.weightedCollateral >= state.weightedDebt) revert AccountHealthy(order.account, _health(state));
        IClearingHouse.Leg memory held = _leg(state, order.collateralId);
        IClearingHouse.Leg memory owed = _leg(state, order.debtId);
        if (order.collateralId == order.debtId || held.collateral == 0 || owed.debt == 0) {
            revert PairMissing(order.account, order.collateralId, order.debtId);
        }
        uint256 unitHeld = 10 ** held.decimals;
        uint256 unitOwed = 10 ** owed.decimals;
        repaid = order.maxRepaid.min(_closable(state, held, owed));
        uint256 given = repaid.valueDown(owed.price, unitOwed).mulDivDown(BPS + BONUS_BPS, BPS);
        seized = given.mulDivDown(unitHeld, held.price);
        if (seized > held.collateral) {
            seized = held.collateral;
            uint256 paid = held.collateralValue.mulDivUp(BPS, BPS + BONUS_BPS);
            repaid = paid.mulDivUp(unitOwed, owed.price).min(owed.debt);
        }
        if (seized == 0 || repaid == 0) revert LiquidationEmpty();
        epoch = state.epoch;
    }

    function _sell(Order calldata order, uint128 seized, uint256 minPayment) private returns (uint256) {
        return clearingHouse.sell(
            order.account, order.collateralId, order.debtId, seized, minPayment, order.venue, order.data
        );
    }

    /// @dev Close factor: half of all the account's debt while it is near health and neither side is small, DOWN.
    function _closable(
        IClearingHouse.AccountState memory state,
        IClearingHouse.Leg memory held,
        IClearingHouse.Leg memory owed
    ) private pure returns (uint256) {
        bool small = held.collateralValue < SMALL_VALUE || owed.debtValue < SMALL_VALUE;
        if (small || _health(state) <= CLOSE_FACTOR_HEALTH) return owed.debt;
        uint256 half = state.debtValue.mulDivDown(CLOSE_FACTOR_BPS, BPS);
        return half.mulDivDown(10 ** owed.decimals, owed.price).min(owed.debt);
    }

    function _health(IClearingHouse.AccountState memory state) private pure returns (uint256) {
        return state.weightedCollateral.divDown(state.weightedDebt);
    }

    function _leg(IClearingHouse.AccountState memory state, uint8 assetId)
        private
        pure
        returns (IClearingHouse.Leg memory leg)
    {
        for (uint256 i = 0; i < state.legs.length; ++i) {
            if (state.legs[i].assetId == assetId) return state.legs[i];
        }
    }
}

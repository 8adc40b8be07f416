// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../interfaces/ILiquidationEngine.sol";
import {ILiquidationLens} from "../interfaces/ILiquidationLens.sol";
import {AssetBitmap} from "../libraries/AssetBitmap.sol";
import {Sizing} from "../libraries/Sizing.sol";
import {WAD, WAD_PER_BPS, WadMath} from "../libraries/WadMath.sol";

/// @title What it would take to restore an account
/// @notice See `ILiquidationLens`. Holds no rights; the arithmetic is the engine's own library.
contract LiquidationLens is ILiquidationLens {
    using AssetBitmap for uint64;
    using WadMath for uint256;

    /// @dev An account on its way to the target.
    struct Plan {
        IClearingHouse.AccountState state;
        Sizing.Rules rules;
        bool[] running;
        uint256[] multipliers;
        uint256 highest;
        Step[] steps;
        uint256 count;
    }

    /// @dev A collateral and a debt, by their places among the legs.
    struct Pair {
        uint256 sold;
        uint256 owed;
        int256 cost;
        bool found;
    }

    ILiquidationEngine public immutable engine;
    IClearingHouse public immutable clearingHouse;

    /// @param engine_ The liquidation engine that is read.
    constructor(address engine_) {
        engine = ILiquidationEngine(engine_);
        clearingHouse = IClearingHouse(ILiquidationEngine(engine_).clearingHouse());
    }

    /// @inheritdoc ILiquidationLens
    function preview(address account) external view returns (Step[] memory steps, uint256 healthFactor) {
        Plan memory plan = _plan(account);
        IClearingHouse.AccountState memory state = plan.state;
        if (state.weightedCollateral < state.weightedDebt) {
            _net(plan);
            while (_isShort(plan) && _sellCheapest(plan)) {}
        }
        steps = plan.steps;
        uint256 count = plan.count;
        assembly ("memory-safe") {
            mstore(steps, count)
        }
        healthFactor =
            state.weightedDebt == 0 ? type(uint256).max : state.weightedCollateral.divDown(state.weightedDebt);
    }

    // ------------------------------------------------------------------ steps

    function _plan(address account) private view returns (Plan memory plan) {
        plan.state = clearingHouse.accountState(account);
        ILiquidationEngine.EngineParameters memory parameters = engine.parameters();
        plan.rules = Sizing.Rules({
            target: parameters.targetHealthFactorBps * WAD_PER_BPS,
            penalty: parameters.penaltyBps * WAD_PER_BPS,
            dust: parameters.dustValue * WAD
        });
        uint256 legs = plan.state.legs.length;
        (plan.running, plan.multipliers) = (new bool[](legs), new uint256[](legs));
        plan.steps = new Step[](3 * legs); // each step but the last empties one side of a leg
        uint64 held;
        for (uint256 i = 0; i < legs; ++i) {
            IClearingHouse.Leg memory leg = plan.state.legs[i];
            if (leg.collateral == 0) continue;
            held = held.with(leg.assetId);
            (plan.running[i], plan.multipliers[i]) = engine.multiplier(account, leg.assetId);
            if (leg.collateralValue >= plan.rules.dust) plan.highest = plan.highest.max(plan.multipliers[i]);
        }
        if (plan.state.flagged) plan.highest = plan.highest.max(_highestSoldOut(account, held));
    }

    /// @dev The highest multiplier among the legs of an auction that were sold out: they count until it ends.
    function _highestSoldOut(address account, uint64 held) private view returns (uint256 highest) {
        uint8 count = clearingHouse.assetCount();
        for (uint8 assetId = 0; assetId < count; ++assetId) {
            if (held.has(assetId)) continue;
            (bool running, uint256 multiplier) = engine.multiplier(account, assetId);
            if (running) highest = highest.max(multiplier);
        }
    }

    /// @dev Collateral in the asset of a debt repays it, until the account is healthy.
    function _net(Plan memory plan) private pure {
        IClearingHouse.AccountState memory state = plan.state;
        for (uint256 i = 0; i < state.legs.length && state.weightedCollateral < state.weightedDebt; ++i) {
            IClearingHouse.Leg memory leg = state.legs[i];
            uint256 amount = uint256(leg.collateral).min(leg.debt);
            if (amount == 0) continue;
            plan.steps[plan.count++] = Step(leg.assetId, leg.assetId, false, amount, amount, amount, WAD, 0);
            _move(state, leg, leg.collateral - amount, leg.debt);
            _move(state, leg, leg.collateral, leg.debt - amount);
        }
    }

    /// @dev Sells the collateral that costs least for the debt against which it does, to the target at most.
    function _sellCheapest(Plan memory plan) private pure returns (bool) {
        Pair memory best;
        IClearingHouse.Leg[] memory legs = plan.state.legs;
        for (uint256 i = 0; i < legs.length; ++i) {
            if (legs[i].collateral == 0) continue;
            for (uint256 j = 0; j < legs.length; ++j) {
                if (i == j || legs[j].debt == 0) continue;
                Sizing.Position memory position = _position(plan, legs[i], legs[j]);
                int256 cost = Sizing.costOf(position, plan.rules, position.threshold, plan.multipliers[i]);
                if (!best.found || cost < best.cost) best = Pair(i, j, cost, true);
            }
        }
        return best.found && _sell(plan, best);
    }

    function _sell(Plan memory plan, Pair memory pair) private pure returns (bool) {
        IClearingHouse.Leg memory sold = plan.state.legs[pair.sold];
        IClearingHouse.Leg memory owed = plan.state.legs[pair.owed];
        Sizing.Position memory position = _position(plan, sold, owed);
        Sizing.Terms memory terms = Sizing.terms(position, plan.rules, plan.multipliers[pair.sold]);
        Sizing.Sale memory sale = Sizing.largest(position, terms, plan.rules);
        if (sale.seized == 0 || sale.cancelled == 0 || plan.count == plan.steps.length) return false;
        plan.steps[plan.count++] = Step({
            collateralId: sold.assetId,
            debtId: owed.assetId,
            running: plan.running[pair.sold],
            seized: sale.seized,
            payment: sale.payment,
            repaid: sale.repaid,
            multiplierWad: terms.multiplier,
            costWad: pair.cost
        });
        _move(plan.state, sold, sold.collateral - sale.seized, sold.debt);
        _move(plan.state, owed, owed.collateral, owed.debt - sale.cancelled);
        return sale.seized == position.collateral || sale.cancelled == position.debt;
    }

    // ------------------------------------------------------------------ accounts

    /// @dev Whether the target is not reached, and something is owed.
    function _isShort(Plan memory plan) private pure returns (bool) {
        uint256 wanted = plan.rules.target.mulUp(plan.state.weightedDebt);
        return plan.state.weightedDebt != 0 && plan.state.weightedCollateral < wanted;
    }

    /// @dev Gives a leg other balances and brings the account's sums along, rounded as the clearing house does.
    function _move(
        IClearingHouse.AccountState memory state,
        IClearingHouse.Leg memory leg,
        uint256 collateral,
        uint256 debt
    ) private pure {
        uint256 unit = 10 ** leg.decimals;
        state.collateralValue -= leg.collateralValue;
        state.weightedCollateral -= leg.collateralValue.mulDown(leg.liquidationThresholdWad);
        state.debtValue -= leg.debtValue;
        state.weightedDebt -= leg.debtValue.mulUp(leg.debtWeightWad);
        (leg.collateral, leg.debt) = (uint128(collateral), uint128(debt)); // at most what they were
        leg.collateralValue = collateral.valueDown(leg.price, unit);
        leg.debtValue = debt.valueUp(leg.price, unit);
        state.collateralValue += leg.collateralValue;
        state.weightedCollateral += leg.collateralValue.mulDown(leg.liquidationThresholdWad);
        state.debtValue += leg.debtValue;
        state.weightedDebt += leg.debtValue.mulUp(leg.debtWeightWad);
    }

    function _position(Plan memory plan, IClearingHouse.Leg memory sold, IClearingHouse.Leg memory owed)
        private
        pure
        returns (Sizing.Position memory)
    {
        return Sizing.Position({
            collateralValue: plan.state.collateralValue,
            debtValue: plan.state.debtValue,
            weightedCollateral: plan.state.weightedCollateral,
            weightedDebt: plan.state.weightedDebt,
            highestMultiplier: plan.highest,
            otherDebtValue: plan.state.debtValue - owed.debtValue,
            collateral: sold.collateral,
            collateralUnit: 10 ** sold.decimals,
            collateralPrice: sold.price,
            threshold: sold.liquidationThresholdWad,
            debt: owed.debt,
            debtUnit: 10 ** owed.decimals,
            debtPrice: owed.price,
            weight: owed.debtWeightWad
        });
    }
}

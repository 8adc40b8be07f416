// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {IPriceOracle} from "../../interfaces/IPriceOracle.sol";
import {AssetBitmap} from "../../libraries/AssetBitmap.sol";
import {WAD, WAD_PER_BPS, WadMath} from "../../libraries/WadMath.sol";
import {Positions} from "./Positions.sol";

/// @title Accounts at oracle prices
/// @dev Collateral rounds down and debt up at every step, so an account never looks better than it is.
abstract contract Health is Positions {
    using AssetBitmap for uint64;
    using WadMath for uint256;

    /// @dev Where an asset id would stand and none is meant.
    uint8 internal constant NO_ASSET = type(uint8).max;

    // ------------------------------------------------------------------ views

    /// @inheritdoc IClearingHouse
    function accountState(address account) external view returns (AccountState memory state) {
        AccountData memory info = _accounts[account];
        state.epoch = info.epoch;
        state.flagged = info.flagged;
        state.marked = info.marked;
        state.lastRiskBlock = info.lastRiskBlock;
        uint64 inUse = info.collaterals | info.debts;
        state.legs = new Leg[](inUse.count());
        for (uint256 i = 0; inUse != 0; inUse = inUse.withoutLowest()) {
            Leg memory leg = _leg(account, inUse.lowest());
            state.collateralValue += leg.collateralValue;
            state.debtValue += leg.debtValue;
            state.weightedCollateral += leg.collateralValue.mulDown(leg.liquidationThresholdWad);
            state.weightedDebt += leg.debtValue.mulUp(leg.debtWeightWad);
            state.legs[i++] = leg;
        }
    }

    /// @inheritdoc IClearingHouse
    /// @dev Asks no price of an account without debt.
    function healthFactor(address account) external view returns (uint256) {
        if (_accounts[account].debts == 0) return type(uint256).max;
        (uint256 weightedCollateral, uint256 weightedDebt) = _weigh(account, false, NO_ASSET);
        return weightedCollateral.divDown(weightedDebt);
    }

    // ------------------------------------------------------------------ checks

    /// @dev Lets the flag, and the marks, of an account fall that is healthy again. Where the oracle refuses a price
    /// they stay and the action goes through, because an owner can always pay; `clear` remains once there is a price.
    function _cure(address account) internal {
        AccountData storage info = _accounts[account];
        if (!info.flagged && !info.marked) return;
        try this.healthFactor(account) returns (uint256 health) {
            if (health >= WAD) _release(account);
        } catch (bytes memory) {
            return;
        }
    }

    /// @dev Refuses an account whose weighted debt passes what its collateral lets it borrow: sum maxLtv_i * V_i >=
    /// D_w, and a debt in `borrowed` too small to be worth a liquidation's gas. Asks no price of an account without
    /// debt.
    function _requireBorrowLimit(address account, uint8 borrowed) internal view {
        if (_accounts[account].debts == 0) return;
        (uint256 borrowLimit, uint256 weightedDebt) = _weigh(account, true, borrowed);
        if (weightedDebt > borrowLimit) revert BorrowLimitExceeded(weightedDebt, borrowLimit);
    }

    // ------------------------------------------------------------------ sums and legs

    /// @dev The two sides that are compared: collateral counted at `maxLtv` where `borrowing`, else at
    /// `liquidationThreshold`, rounded DOWN; and weighted debt, rounded UP. The debt in `borrowed`, if any, is held to
    /// the smallest borrow.
    function _weigh(address account, bool borrowing, uint8 borrowed)
        private
        view
        returns (uint256 counted, uint256 weightedDebt)
    {
        AccountData memory info = _accounts[account];
        for (uint64 inUse = info.collaterals | info.debts; inUse != 0; inUse = inUse.withoutLowest()) {
            uint8 assetId = inUse.lowest();
            AssetData storage data = _assets[assetId];
            Position memory position = _positions[account][assetId];
            uint256 price = _price(data);
            uint256 unit = 10 ** data.decimals;
            if (position.collateral != 0) {
                uint256 fraction = borrowing ? data.maxLtvBps : data.liquidationThresholdBps;
                uint256 value = uint256(position.collateral).valueDown(price, unit);
                counted += value.mulDown(fraction * WAD_PER_BPS);
            }
            if (position.debtShares != 0) {
                uint256 value = _debtAssets(data, position.debtShares).valueUp(price, unit);
                if (assetId == borrowed) _requireWorthwhile(value);
                weightedDebt += value.mulUp(data.debtWeightBps * WAD_PER_BPS);
            }
        }
    }

    function _requireWorthwhile(uint256 value) private view {
        if (value < _smallestBorrow) revert BorrowTooSmall(value, _smallestBorrow);
    }

    /// @dev One asset of one account, priced now, with interest up to now.
    function _leg(address account, uint8 assetId) private view returns (Leg memory leg) {
        AssetData storage data = _assets[assetId];
        Position memory position = _positions[account][assetId];
        leg.assetId = assetId;
        leg.decimals = data.decimals;
        leg.liquidationThresholdWad = uint64(data.liquidationThresholdBps * WAD_PER_BPS);
        leg.debtWeightWad = uint64(data.debtWeightBps * WAD_PER_BPS);
        leg.price = _price(data);
        uint256 unit = 10 ** leg.decimals;
        if (position.collateral != 0) {
            leg.collateral = position.collateral;
            leg.collateralValue = uint256(leg.collateral).valueDown(leg.price, unit);
        }
        if (position.debtShares != 0) {
            leg.debt = _debtAssets(data, position.debtShares).toUint128();
            leg.debtValue = uint256(leg.debt).valueUp(leg.price, unit);
        }
    }

    /// @dev Price of an asset now, WAD quote units per whole token; reverts when the oracle refuses.
    function _price(AssetData storage data) private view returns (uint256) {
        return IPriceOracle(_oracle).price(data.token);
    }
}

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

    // ------------------------------------------------------------------ views

    /// @inheritdoc IClearingHouse
    function accountState(address account) external view returns (AccountState memory state) {
        AccountData memory info = _accounts[account];
        state.epoch = info.epoch;
        state.flagged = info.flagged;
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
        (uint256 weightedCollateral, uint256 weightedDebt) = _weigh(account, false);
        return weightedCollateral.divDown(weightedDebt);
    }

    // ------------------------------------------------------------------ checks

    /// @dev Lets the flag of an account fall that is healthy again. Where the oracle refuses a price the flag stays and
    /// the action goes through, because an owner can always pay; `clear` remains once there is a price.
    function _cure(address account) internal {
        if (!_accounts[account].flagged) return;
        try this.healthFactor(account) returns (uint256 health) {
            if (health >= WAD) _setFlag(account, false);
        } catch (bytes memory) {
            return;
        }
    }

    /// @dev Refuses an account whose weighted debt passes what its collateral lets it borrow: sum maxLtv_i * V_i >=
    /// D_w. Asks no price of an account without debt.
    function _requireBorrowLimit(address account) internal view {
        if (_accounts[account].debts == 0) return;
        (uint256 borrowLimit, uint256 weightedDebt) = _weigh(account, true);
        if (weightedDebt > borrowLimit) revert BorrowLimitExceeded(weightedDebt, borrowLimit);
    }

    // ------------------------------------------------------------------ sums and legs

    /// @dev The two sides that are compared: collateral counted at `maxLtv` where `borrowing`, else at
    /// `liquidationThreshold`, rounded DOWN; and weighted debt, rounded UP.
    function _weigh(address account, bool borrowing) private view returns (uint256 counted, uint256 weightedDebt) {
        uint64 inUse = _accounts[account].collaterals | _accounts[account].debts;
        for (; inUse != 0; inUse = inUse.withoutLowest()) {
            uint8 assetId = inUse.lowest();
            Leg memory leg = _leg(account, assetId);
            uint256 fraction = borrowing ? _assets[assetId].maxLtvBps * WAD_PER_BPS : leg.liquidationThresholdWad;
            counted += leg.collateralValue.mulDown(fraction);
            weightedDebt += leg.debtValue.mulUp(leg.debtWeightWad);
        }
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
    function _price(AssetData storage data) internal view returns (uint256) {
        return IPriceOracle(_oracle).price(data.token);
    }
}

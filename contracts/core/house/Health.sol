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

    /// @dev The figures of `AccountState` that are sums over its legs, in its order.
    struct Totals {
        uint256 collateralValue;
        uint256 debtValue;
        uint256 weightedCollateral;
        uint256 weightedDebt;
    }

    /// @dev Where an asset id would stand and none is meant.
    uint8 internal constant NO_ASSET = type(uint8).max;
    /// @dev Bytes of an encoded `AccountState` before its legs, and of each of these.
    uint256 private constant HEAD_SIZE = 0x160;
    uint256 private constant LEG_SIZE = 0x140;

    // ------------------------------------------------------------------ views

    /// @inheritdoc IClearingHouse
    /// @dev Written word by word as the ABI encodes it, because every liquidation pays for it: the offset of the state,
    /// its eight figures, the offset of the legs, their number, the legs.
    function accountState(address account) external view returns (AccountState memory) {
        AccountData memory info = _accounts[account];
        Totals memory totals;
        uint64 inUse = info.collaterals | info.debts;
        uint256 legs = inUse.count();
        uint256 answer;
        assembly ("memory-safe") {
            answer := mload(0x40)
            mstore(0x40, add(answer, add(HEAD_SIZE, mul(legs, LEG_SIZE))))
        }
        address oracle_ = _oracle;
        for (uint256 place = answer + HEAD_SIZE; inUse != 0; place += LEG_SIZE) {
            _writeLeg(place, account, inUse.lowest(), oracle_, totals);
            inUse = inUse.withoutLowest();
        }
        assembly ("memory-safe") {
            mstore(answer, 0x20)
            mcopy(add(answer, 0x20), totals, 0x80)
            mstore(add(answer, 0xa0), mload(add(info, 0x60))) // epoch
            mstore(add(answer, 0xc0), mload(add(info, 0x80))) // flagged
            mstore(add(answer, 0xe0), mload(add(info, 0xa0))) // marked
            mstore(add(answer, 0x100), mload(add(info, 0x40))) // lastRiskBlock
            mstore(add(answer, 0x120), 0x120)
            mstore(add(answer, 0x140), legs)
            return(answer, add(HEAD_SIZE, mul(legs, LEG_SIZE)))
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
        AccountData storage info = _accounts[account];
        address oracle_ = _oracle;
        for (uint64 inUse = info.collaterals | info.debts; inUse != 0; inUse = inUse.withoutLowest()) {
            uint8 assetId = inUse.lowest();
            AssetData storage data = _assets[assetId];
            Position storage position = _positions[account][assetId];
            (uint256 held, uint256 shares) = (position.collateral, position.debtShares);
            uint256 unit = 10 ** data.decimals;
            uint256 price = _price(oracle_, data.token);
            if (held != 0) {
                uint256 fraction = borrowing ? data.maxLtvBps : data.liquidationThresholdBps;
                counted += held.valueDown(price, unit).mulDown(fraction * WAD_PER_BPS);
            }
            if (shares != 0) {
                uint256 value = _debtAssets(data, shares).valueUp(price, unit);
                if (assetId == borrowed) _requireWorthwhile(value);
                weightedDebt += value.mulUp(data.debtWeightBps * WAD_PER_BPS);
            }
        }
    }

    function _requireWorthwhile(uint256 value) private view {
        if (value < _smallestBorrow) revert BorrowTooSmall(value, _smallestBorrow);
    }

    /// @dev Writes one asset of one account to `at`, priced now, with interest up to now, as a `Leg` is encoded; adds
    /// it to `totals`.
    function _writeLeg(uint256 place, address account, uint8 assetId, address oracle_, Totals memory totals)
        private
        view
    {
        AssetData storage data = _assets[assetId];
        (uint256 decimals, uint256 threshold, uint256 weight) =
            (data.decimals, data.liquidationThresholdBps * WAD_PER_BPS, data.debtWeightBps * WAD_PER_BPS);
        Position storage position = _positions[account][assetId];
        (uint256 held, uint256 debt) = (position.collateral, position.debtShares);
        address token = data.token;
        uint256 price = _price(oracle_, token);
        uint256 collateralValue;
        uint256 debtValue;
        if (held != 0) {
            collateralValue = held.valueDown(price, 10 ** decimals);
            totals.collateralValue += collateralValue;
            totals.weightedCollateral += collateralValue.mulDown(threshold);
        }
        if (debt != 0) {
            debt = _debtAssets(data, debt).toUint128();
            debtValue = debt.valueUp(price, 10 ** decimals);
            totals.debtValue += debtValue;
            totals.weightedDebt += debtValue.mulUp(weight);
        }
        assembly ("memory-safe") {
            mstore(place, assetId)
            mstore(add(place, 0x20), decimals)
            mstore(add(place, 0x40), threshold)
            mstore(add(place, 0x60), weight)
            mstore(add(place, 0x80), held)
            mstore(add(place, 0xa0), debt)
            mstore(add(place, 0xc0), price)
            mstore(add(place, 0xe0), collateralValue)
            mstore(add(place, 0x100), debtValue)
            mstore(add(place, 0x120), token)
        }
    }

    /// @dev Price of a token now, WAD quote units per whole token; reverts when the oracle refuses.
    function _price(address oracle_, address token) internal view returns (uint256) {
        return IPriceOracle(oracle_).price(token);
    }
}

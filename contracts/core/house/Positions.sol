// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AssetBitmap} from "../../libraries/AssetBitmap.sol";
import {SharesMath} from "../../libraries/SharesMath.sol";
import {WadMath} from "../../libraries/WadMath.sol";
import {Lending} from "./Lending.sol";

/// @title The balances of accounts
/// @dev Each function moves an account's balance, the asset's total and the account's bitmap together, so that they
/// cannot part. None checks health and none moves tokens.
abstract contract Positions is Lending {
    using AssetBitmap for uint64;
    using SharesMath for uint256;
    using WadMath for uint256;

    // ------------------------------------------------------------------ collateral

    /// @dev Adds collateral. The cap and the number of assets in use, where they apply, are the caller's to check.
    function _addCollateral(address account, uint8 assetId, uint256 amount) internal {
        uint128 added = amount.toUint128();
        _assets[assetId].collateralAssets += added;
        Position storage position = _positions[account][assetId];
        uint128 held = position.collateral;
        position.collateral = held + added;
        if (held == 0) _accounts[account].collaterals = _accounts[account].collaterals.with(assetId);
    }

    /// @dev Takes collateral off; `BalanceInsufficient` when there is less.
    function _removeCollateral(address account, uint8 assetId, uint256 amount) internal {
        Position storage position = _positions[account][assetId];
        uint256 held = position.collateral;
        _requireBalance(assetId, amount, held);
        _assets[assetId].collateralAssets -= uint128(amount); // at most what is held, which fits
        position.collateral = uint128(held - amount);
        if (amount == held) _accounts[account].collaterals = _accounts[account].collaterals.without(assetId);
    }

    // ------------------------------------------------------------------ debt

    /// @dev Adds a debt of `assets`; the pool has accrued before. Shares are rounded UP, in favour of the pool.
    function _mintDebt(address account, uint8 assetId, AssetData storage data, uint256 assets)
        internal
        returns (uint256 shares)
    {
        uint256 total = data.totalBorrowAssets;
        shares = assets.toSharesUp(total, data.totalBorrowShares);
        data.totalBorrowAssets = (total + assets).toUint112();
        data.totalBorrowShares += shares.toUint128();
        _positions[account][assetId].debtShares += uint128(shares); // fits as the total does
        _accounts[account].debts = _accounts[account].debts.with(assetId);
    }

    /// @dev Cancels `assets` of debt; the pool has accrued before. Shares burnt are rounded DOWN, in favour of the
    /// pool, unless all is cancelled.
    /// @return shares Debt shares burnt.
    /// @return covered Part of `assets` that the recorded total held: each debt is rounded up, so that together they
    /// may pass the total by less than one unit per borrower, and the last to pay brings that excess.
    function _burnDebt(address account, uint8 assetId, AssetData storage data, uint256 assets)
        internal
        returns (uint256 shares, uint256 covered)
    {
        Position storage position = _positions[account][assetId];
        uint256 held = position.debtShares;
        uint256 total = data.totalBorrowAssets;
        uint256 totalShares = data.totalBorrowShares;
        uint256 debt = held.toAssetsUp(total, totalShares);
        if (assets > debt) revert RepaymentExceedsDebt(assets, debt);
        shares = assets == debt ? held : assets.toSharesDown(total, totalShares); // below held, as assets < debt
        covered = assets.min(total);
        data.totalBorrowAssets = uint112(total - covered);
        data.totalBorrowShares = uint128(totalShares - shares);
        position.debtShares = uint128(held - shares);
        if (shares == held) _accounts[account].debts = _accounts[account].debts.without(assetId);
    }

    // ------------------------------------------------------------------ flag

    /// @dev Raises the flag, or lets it fall and moves the epoch on, so that whatever was signed or stored for the
    /// auction that ended is void. Nothing happens where the flag stands so already.
    function _setFlag(address account, bool flagged) internal {
        AccountData storage info = _accounts[account];
        if (info.flagged == flagged) return;
        info.flagged = flagged;
        if (!flagged) ++info.epoch;
        emit FlagSet(account, info.epoch, flagged);
    }
}

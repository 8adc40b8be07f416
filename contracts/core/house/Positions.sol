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
        AssetData storage data = _assets[assetId];
        data.collateralAssets = (uint256(data.collateralAssets) + amount.toUint128()).toUint128();
        Position storage position = _positions[account][assetId];
        uint256 held = position.collateral;
        position.collateral = uint128(held + amount); // fits as the total does
        if (held == 0) _accounts[account].collaterals = _accounts[account].collaterals.with(assetId);
    }

    /// @dev Takes collateral off; `BalanceInsufficient` when there is less.
    function _removeCollateral(address account, uint8 assetId, uint256 amount) internal {
        Position storage position = _positions[account][assetId];
        uint256 held = position.collateral;
        _requireBalance(assetId, amount, held);
        unchecked {
            _assets[assetId].collateralAssets -= uint128(amount); // a part of the account's, a part of the total
            position.collateral = uint128(held - amount); // not negative, by the check
        }
        if (amount == held) _accounts[account].collaterals = _accounts[account].collaterals.without(assetId);
    }

    // ------------------------------------------------------------------ debt

    /// @dev Adds a debt of `assets` to an account and a pool. Shares are rounded UP, in favour of the pool.
    function _mintDebt(address account, uint8 assetId, Pool memory pool, uint256 assets)
        internal
        returns (uint256 shares)
    {
        shares = assets.toSharesUp(pool.borrowed, pool.borrowShares);
        pool.borrowed += assets;
        pool.borrowShares = (pool.borrowShares + shares).toUint128();
        Position storage position = _positions[account][assetId];
        uint256 held = position.debtShares;
        position.debtShares = uint128(held + shares); // fits as the total does
        if (held == 0) _accounts[account].debts = _accounts[account].debts.with(assetId);
    }

    /// @dev Cancels `assets` of debt of an account in a pool. Shares burnt are rounded DOWN, in favour of the pool,
    /// unless all is cancelled.
    /// @return shares Debt shares burnt.
    /// @return cancelled Part of `assets` that the recorded total held: each debt is rounded up, so that together they
    /// may pass the total by less than one unit per borrower, and the last to pay brings that excess.
    function _burnDebt(address account, uint8 assetId, Pool memory pool, uint256 assets)
        internal
        returns (uint256 shares, uint256 cancelled)
    {
        Position storage position = _positions[account][assetId];
        uint256 held = position.debtShares;
        uint256 debt = held.toAssetsUp(pool.borrowed, pool.borrowShares);
        if (assets > debt) revert RepaymentExceedsDebt(assets, debt);
        shares = assets == debt ? held : assets.toSharesDown(pool.borrowed, pool.borrowShares);
        cancelled = assets.min(pool.borrowed);
        unchecked {
            pool.borrowed -= cancelled; // the smaller of the two
            pool.borrowShares -= shares; // a part of the account's, which are a part of the total
            position.debtShares = uint128(held - shares); // below held where assets < debt
        }
        AccountData storage info = _accounts[account];
        if (shares == held) info.debts = info.debts.without(assetId);
        if (info.marked) _setMark(account, assetId, _marks[account][assetId].min(debt - assets));
    }

    // ------------------------------------------------------------------ pending deficits

    /// @dev Marks `amount` of an account's debt as a pending deficit; the bit in the account is the caller's.
    function _setMark(address account, uint8 assetId, uint256 amount) internal {
        uint256 before = _marks[account][assetId];
        if (amount == before) return;
        _marks[account][assetId] = amount;
        AssetData storage data = _assets[assetId];
        data.pendingDeficit = (data.pendingDeficit + amount - before).toUint128();
        emit Marked(account, assetId, amount);
    }

    /// @dev Takes every mark off an account, whatever it still owes: marks stand only where a debt was.
    function _unmark(address account) internal {
        AccountData storage info = _accounts[account];
        if (!info.marked) return;
        info.marked = false;
        for (uint64 owed = info.debts; owed != 0; owed = owed.withoutLowest()) {
            _setMark(account, owed.lowest(), 0);
        }
    }

    // ------------------------------------------------------------------ flag

    /// @dev Raises the flag, or lets it fall and moves the epoch on, so that whatever was signed or stored for the
    /// auction that ended is void. Nothing happens where the flag stands so already.
    function _setFlag(address account, bool flagged) internal {
        AccountData storage info = _accounts[account];
        if (info.flagged == flagged) return;
        uint32 epoch = info.epoch;
        if (!flagged) ++epoch;
        (info.epoch, info.flagged) = (epoch, flagged);
        emit FlagSet(account, epoch, flagged);
    }

    /// @dev Ends the auction of an account that is healthy again: no flag, no pending deficit.
    function _release(address account) internal {
        _unmark(account);
        _setFlag(account, false);
    }
}

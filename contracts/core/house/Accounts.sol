// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {AssetBitmap} from "../../libraries/AssetBitmap.sol";
import {SharesMath} from "../../libraries/SharesMath.sol";
import {WadMath} from "../../libraries/WadMath.sol";
import {Health} from "./Health.sol";

/// @title What owners and their operators do with accounts
/// @dev Every action that may raise health ends in `_cure`; every action that may lower it ends in the borrow limit
/// first.
abstract contract Accounts is Health, EIP712, Nonces {
    using AssetBitmap for uint64;
    using SharesMath for uint256;
    using WadMath for uint256;

    /// @dev EIP-712 type of an operator's approval.
    bytes32 private constant SET_OPERATOR_TYPEHASH =
        keccak256("SetOperator(address account,address operator,bool approved,uint256 nonce,uint256 deadline)");

    // ------------------------------------------------------------------ collateral

    /// @inheritdoc IClearingHouse
    function depositCollateral(uint8 assetId, uint256 amount, address account) external nonReentrant {
        _requireAddress(account);
        if (amount == 0) revert ZeroAmount();
        AssetData storage data = _listed(assetId);
        uint128 added = amount.toUint128();
        uint256 total = data.collateralAssets + amount;
        if (total > data.collateralCap) revert CapExceeded(assetId, total, data.collateralCap);
        data.cash += added;
        _addCollateral(account, assetId, added);
        if (_accounts[account].collaterals.count() > AssetBitmap.MAX_IN_USE) revert TooManyAssets(account);
        _cure(account);
        emit CollateralDeposited(account, assetId, msg.sender, amount);
        _pull(data.token, msg.sender, amount);
    }

    /// @inheritdoc IClearingHouse
    function withdrawCollateral(uint8 assetId, uint256 amount, address account, address receiver)
        external
        nonReentrant
        onlyAuthorised(account)
    {
        _requireAddress(receiver);
        AssetData storage data = _listed(assetId);
        if (amount == type(uint256).max) amount = _positions[account][assetId].collateral;
        if (amount == 0) revert ZeroAmount();
        uint128 removed = amount.toUint128();
        _removeCollateral(account, assetId, removed);
        data.cash -= removed;
        _accounts[account].lastRiskBlock = uint40(block.number);
        _requireBorrowLimit(account);
        _cure(account);
        emit CollateralWithdrawn(account, assetId, receiver, amount);
        _push(data.token, receiver, amount);
    }

    // ------------------------------------------------------------------ debt

    /// @inheritdoc IClearingHouse
    function borrow(uint8 assetId, uint256 assets, address account, address receiver)
        external
        nonReentrant
        onlyAuthorised(account)
        returns (uint256 shares)
    {
        _requireAddress(receiver);
        if (assets == 0) revert ZeroAmount();
        AssetData storage data = _listed(assetId);
        _accrue(assetId, data);
        _requireLiquidity(assetId, data, assets);
        shares = _mintDebt(account, assetId, data, uint128(assets)); // at most the liquidity, which fits
        data.cash -= uint128(assets);
        _accounts[account].lastRiskBlock = uint40(block.number);
        _requireSmallestBorrow(account, assetId, data);
        _requireBorrowLimit(account);
        _cure(account);
        emit Borrowed(account, assetId, receiver, assets, shares);
        _push(data.token, receiver, assets);
    }

    /// @inheritdoc IClearingHouse
    function repay(uint8 assetId, uint256 assets, address account)
        external
        nonReentrant
        returns (uint256 assetsIn, uint256 shares)
    {
        AssetData storage data = _listed(assetId);
        _accrue(assetId, data);
        assetsIn = assets == type(uint256).max ? _debtAssets(data, _positions[account][assetId].debtShares) : assets;
        uint256 covered;
        (shares, covered) = _burnDebt(account, assetId, data, assetsIn);
        if (shares == 0) revert ZeroAmount();
        data.cash += uint128(assetsIn); // at most the debt, which fits
        data.reserveAssets += uint128(assetsIn - covered);
        _cure(account);
        emit Repaid(account, assetId, msg.sender, assetsIn, shares, assetsIn - covered);
        _pull(data.token, msg.sender, assetsIn);
    }

    /// @dev Adds a debt of `assets` to an account. Shares are rounded UP, in favour of the pool.
    function _mintDebt(address account, uint8 assetId, AssetData storage data, uint128 assets)
        private
        returns (uint256 shares)
    {
        uint256 total = data.totalBorrowAssets;
        shares = uint256(assets).toSharesUp(total, data.totalBorrowShares);
        total += assets;
        if (total > data.borrowCap) revert CapExceeded(assetId, total, data.borrowCap);
        data.totalBorrowAssets = total.toUint128();
        data.totalBorrowShares += shares.toUint128();
        _positions[account][assetId].debtShares += uint128(shares);
        AccountData storage info = _accounts[account];
        uint64 debts = info.debts.with(assetId);
        if (debts.count() > AssetBitmap.MAX_IN_USE) revert TooManyAssets(account);
        info.debts = debts;
    }

    /// @dev Cancels `assets` of an account's debt; the pool has accrued before. Shares burnt are rounded DOWN, in
    /// favour of the pool, unless all is cancelled.
    /// @return shares Debt shares burnt.
    /// @return covered Part of `assets` that the recorded total held: each debt is rounded up, so that together they
    /// may pass the total by less than one unit per borrower, and the last to pay brings that excess.
    function _burnDebt(address account, uint8 assetId, AssetData storage data, uint256 assets)
        internal
        returns (uint256 shares, uint256 covered)
    {
        Position storage position = _positions[account][assetId];
        uint128 held = position.debtShares;
        uint256 total = data.totalBorrowAssets;
        uint256 debt = uint256(held).toAssetsUp(total, data.totalBorrowShares);
        if (assets > debt) revert RepaymentExceedsDebt(assets, debt);
        shares = assets == debt ? held : assets.toSharesDown(total, data.totalBorrowShares);
        covered = assets.min(total);
        data.totalBorrowAssets = uint128(total - covered);
        data.totalBorrowShares -= uint128(shares); // at most the account's, because assets <= debt
        position.debtShares = held - uint128(shares);
        if (shares == held) {
            AccountData storage info = _accounts[account];
            info.debts = info.debts.without(assetId);
        }
    }

    /// @dev Refuses a debt too small to be worth a liquidation's gas. Rounding: the debt's value UP.
    function _requireSmallestBorrow(address account, uint8 assetId, AssetData storage data) private view {
        uint256 debt = _debtAssets(data, _positions[account][assetId].debtShares);
        uint256 value = debt.valueUp(_price(data), 10 ** data.decimals);
        if (value < _smallestBorrow) revert BorrowTooSmall(value, _smallestBorrow);
    }

    // ------------------------------------------------------------------ operators

    /// @inheritdoc IClearingHouse
    function setOperator(address operator, bool approved) external nonReentrant {
        _setOperator(msg.sender, operator, approved);
    }

    /// @inheritdoc IClearingHouse
    function setOperatorBySig(
        address account,
        address operator,
        bool approved,
        uint256 deadline,
        bytes calldata signature
    ) external nonReentrant {
        if (block.timestamp > deadline) revert SignatureExpired(deadline);
        bytes32 structHash =
            keccak256(abi.encode(SET_OPERATOR_TYPEHASH, account, operator, approved, _useNonce(account), deadline));
        if (!SignatureChecker.isValidSignatureNowCalldata(account, _hashTypedDataV4(structHash), signature)) {
            revert SignatureInvalid(account);
        }
        _setOperator(account, operator, approved);
    }

    function _setOperator(address account, address operator, bool approved) private {
        _operators[account][operator] = approved;
        emit OperatorSet(account, operator, approved);
    }

    // ------------------------------------------------------------------ credit

    /// @inheritdoc IClearingHouse
    function collectCredit(uint8 assetId, address receiver) external nonReentrant returns (uint256 amount) {
        _requireAddress(receiver);
        AssetData storage data = _listed(assetId);
        amount = _credits[assetId][msg.sender];
        if (amount == 0) revert ZeroAmount();
        _credits[assetId][msg.sender] = 0;
        data.creditAssets -= uint128(amount); // a part of that total
        data.cash -= uint128(amount);
        emit CreditCollected(assetId, msg.sender, receiver, amount);
        _push(data.token, receiver, amount);
    }
}

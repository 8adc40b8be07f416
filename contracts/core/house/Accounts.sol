// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {AssetBitmap} from "../../libraries/AssetBitmap.sol";
import {SharesMath} from "../../libraries/SharesMath.sol";
import {Health} from "./Health.sol";

/// @title What owners and their operators do with accounts
/// @dev Every action that raises health ends in `_cure`, every action that lowers it in `_endRisk`; tokens move last.
abstract contract Accounts is Health, EIP712, Nonces {
    using AssetBitmap for uint64;
    using SharesMath for uint256;

    /// @dev EIP-712 type of an operator's approval.
    bytes32 private constant SET_OPERATOR_TYPEHASH =
        keccak256("SetOperator(address account,address operator,bool approved,uint256 nonce,uint256 deadline)");

    // ------------------------------------------------------------------ collateral

    /// @inheritdoc IClearingHouse
    function depositCollateral(uint8 assetId, uint256 amount, address account) external nonReentrant {
        _requireAddress(account);
        _requireAmount(amount);
        AssetData storage data = _listed(assetId);
        bool isNew = !_accounts[account].collaterals.has(assetId);
        _addCollateral(account, assetId, amount);
        _requireCap(assetId, data.collateralAssets, data.collateralCap);
        if (isNew) _requireFew(account, _accounts[account].collaterals);
        // a unit of what has no price would shield an account from every settlement
        if (isNew && _accounts[account].debts != 0) _price(_oracle, data.token);
        emit CollateralDeposited(account, assetId, msg.sender, amount);
        _cure(account);
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
        _requireAmount(amount);
        _removeCollateral(account, assetId, amount);
        emit CollateralWithdrawn(account, assetId, receiver, amount);
        _endRisk(account, NO_ASSET);
        _pay(data, receiver, amount);
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
        _requireAmount(assets);
        AssetData storage data = _listed(assetId);
        Pool memory pool = _load(assetId, data);
        _requireLiquidity(assetId, pool, assets);
        shares = _mintDebt(account, assetId, pool, assets);
        _requireCap(assetId, pool.borrowed, data.borrowCap);
        _store(data, pool);
        _requireFew(account, _accounts[account].debts);
        emit Borrowed(account, assetId, receiver, assets, shares);
        _endRisk(account, assetId);
        _pay(data, receiver, assets);
    }

    /// @inheritdoc IClearingHouse
    function repay(uint8 assetId, uint256 assets, address account)
        external
        nonReentrant
        returns (uint256 assetsIn, uint256 shares)
    {
        AssetData storage data = _listed(assetId);
        Pool memory pool = _load(assetId, data);
        assetsIn = assets == type(uint256).max
            ? uint256(_positions[account][assetId].debtShares).toAssetsUp(pool.borrowed, pool.borrowShares)
            : assets;
        uint256 cancelled;
        (shares, cancelled) = _burnDebt(account, assetId, pool, assetsIn);
        _requireAmount(shares);
        uint256 excess = assetsIn - cancelled; // at most one unit per borrower
        pool.reserve += excess;
        _store(data, pool);
        emit Repaid(account, assetId, msg.sender, assetsIn, shares, excess);
        _cure(account);
        _pull(data.token, msg.sender, assetsIn);
    }

    // ------------------------------------------------------------------ checks

    /// @dev Ends an action that adds risk: notes the block, in which no auction may start, and holds the account to its
    /// borrow limit. Who meets that is healthy, so an auction that still runs, on a price that recovered, ends.
    function _endRisk(address account, uint8 borrowed) private {
        _accounts[account].lastRiskBlock = uint40(block.number);
        _requireBorrowLimit(account, borrowed);
        _release(account);
    }

    /// @dev Refuses more assets in use, on one side, than a liquidation can go through.
    function _requireFew(address account, uint64 inUse) private pure {
        if (inUse.count() > AssetBitmap.MAX_IN_USE) revert TooManyAssets(account);
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
        _requireAmount(amount);
        _credits[assetId][msg.sender] = 0;
        data.creditAssets -= uint128(amount); // a part of that total
        emit CreditCollected(assetId, msg.sender, receiver, amount);
        _pay(data, receiver, amount);
    }
}

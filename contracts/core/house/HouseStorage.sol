// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {AssetBitmap} from "../../libraries/AssetBitmap.sol";

/// @title What the clearing house remembers, and how tokens cross its border
/// @dev Laid out for the liquidation path: a settlement reads one slot per account, one per account and asset, and one
/// per asset for everything but its totals.
abstract contract HouseStorage is IClearingHouse, AccessManaged, ReentrancyGuardTransient {
    using AssetBitmap for uint64;

    /// @dev One slot.
    /// @param collaterals Assets held as collateral.
    /// @param debts Assets owed.
    /// @param lastRiskBlock Block of the last borrow or withdrawal of collateral.
    /// @param epoch Number of the current or next auction.
    /// @param flagged Whether an auction runs.
    struct AccountData {
        uint64 collaterals;
        uint64 debts;
        uint40 lastRiskBlock;
        uint32 epoch;
        bool flagged;
    }

    /// @dev One slot: an account's part in one asset.
    struct Position {
        uint128 collateral;
        uint128 debtShares;
    }

    /// @dev A listed asset: each line of fields is one slot. Totals are as of `lastAccrual`.
    struct AssetData {
        address token;
        uint8 decimals;
        uint16 maxLtvBps;
        uint16 liquidationThresholdBps;
        uint16 debtWeightBps;
        uint128 totalSupplyAssets;
        uint128 totalSupplyShares;
        uint128 totalBorrowAssets;
        uint128 totalBorrowShares;
        uint128 cash;
        uint128 collateralAssets;
        uint128 reserveAssets;
        uint128 creditAssets;
        uint40 lastAccrual;
        uint32 baseRateBps;
        uint32 kinkRateBps;
        uint32 fullRateBps;
        uint16 kinkBps;
        uint16 reserveFactorBps;
        uint128 supplyCap;
        uint128 borrowCap;
        uint128 collateralCap;
    }

    /// @dev The price source, and the smallest debt after a borrow: read together when someone borrows.
    address internal _oracle;
    uint96 internal _smallestBorrow;
    /// @dev The liquidation engine, and the number of listed assets.
    address internal _engine;
    uint8 internal _assetCount;

    mapping(uint8 assetId => AssetData) internal _assets;
    /// @dev Asset id plus one, so that zero means "not listed".
    mapping(address token => uint256) internal _listing;
    mapping(address account => AccountData) internal _accounts;
    mapping(address account => mapping(uint8 assetId => Position)) internal _positions;
    mapping(uint8 assetId => mapping(address owner => uint256)) internal _supplyShares;
    mapping(uint8 assetId => mapping(address owner => uint256)) internal _credits;
    mapping(address account => mapping(address operator => bool)) internal _operators;

    /// @dev Admits the account's owner and its operators.
    modifier onlyAuthorised(address account) {
        if (msg.sender != account && !_operators[account][msg.sender]) {
            revert OperatorUnauthorised(account, msg.sender);
        }
        _;
    }

    /// @dev Admits the liquidation engine.
    modifier onlyEngine() {
        if (msg.sender != _engine) revert EngineUnauthorised(msg.sender);
        _;
    }

    // ------------------------------------------------------------------ assets and balances

    /// @dev The asset under `assetId`, or `AssetNotListed`.
    function _listed(uint8 assetId) internal view returns (AssetData storage data) {
        data = _assets[assetId];
        if (data.token == address(0)) revert AssetNotListed(assetId);
    }

    /// @dev Adds collateral to an account's balance and to the total. A cap, where one applies, is the caller's to
    /// check.
    function _addCollateral(address account, uint8 assetId, uint128 amount) internal {
        AssetData storage data = _assets[assetId];
        AccountData storage info = _accounts[account];
        data.collateralAssets += amount;
        _positions[account][assetId].collateral += amount;
        if (!info.collaterals.has(assetId)) info.collaterals = info.collaterals.with(assetId);
    }

    /// @dev Takes collateral off an account's balance and off the total; `BalanceInsufficient` when there is less.
    function _removeCollateral(address account, uint8 assetId, uint128 amount) internal {
        AssetData storage data = _assets[assetId];
        Position storage position = _positions[account][assetId];
        uint128 held = position.collateral;
        if (amount > held) revert BalanceInsufficient(assetId, amount, held);
        data.collateralAssets -= amount;
        position.collateral = held - amount;
        if (amount == held) {
            AccountData storage info = _accounts[account];
            info.collaterals = info.collaterals.without(assetId);
        }
    }

    /// @dev Raises the flag, or lets it fall and moves the epoch on, so that everything signed or stored for the
    /// auction that ended is void. Nothing happens where the flag stands so already.
    function _setFlag(address account, bool flagged) internal {
        AccountData storage info = _accounts[account];
        if (info.flagged == flagged) return;
        info.flagged = flagged;
        if (!flagged) ++info.epoch;
        emit FlagSet(account, info.epoch, flagged);
    }

    // ------------------------------------------------------------------ tokens

    /// @dev Pulls exactly `amount` from `from`, as measured here; anything else reverts with `TransferInexact`. State
    /// is written before this call.
    function _pull(address token, address from, uint256 amount) internal {
        uint256 before = SafeTransferLib.balanceOf(token, address(this));
        SafeTransferLib.safeTransferFrom(token, from, address(this), amount);
        uint256 received = SafeTransferLib.balanceOf(token, address(this)) - before;
        if (received != amount) revert TransferInexact(token, received, amount);
    }

    /// @dev Sends `amount` to `to`. State is written before this call.
    function _push(address token, address to, uint256 amount) internal {
        SafeTransferLib.safeTransfer(token, to, amount);
    }

    /// @dev Refuses the zero address, to which tokens and shares would be lost.
    function _requireAddress(address account) internal pure {
        if (account == address(0)) revert ZeroAddress();
    }
}

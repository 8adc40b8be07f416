// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {WadMath} from "../../libraries/WadMath.sol";

/// @title What the clearing house remembers, and how tokens cross its border
/// @notice The one storage layout, shared by the house and by `HouseGovernance`, which runs in it by delegatecall.
/// @dev Laid out for the liquidation path: a settlement reads one slot per account, one per account and asset, and one
/// per asset for everything but its totals. No other contract part may declare storage.
abstract contract HouseStorage is AccessManaged, ReentrancyGuardTransient {
    using WadMath for uint256;

    /// @dev One slot.
    /// @param collaterals Assets held as collateral.
    /// @param debts Assets owed.
    /// @param lastRiskBlock Block of the last borrow or withdrawal of collateral.
    /// @param epoch Number of the current or next auction.
    /// @param flagged Whether an auction runs.
    /// @param marked Whether a part of its debts is marked as a pending deficit.
    struct AccountData {
        uint64 collaterals;
        uint64 debts;
        uint40 lastRiskBlock;
        uint32 epoch;
        bool flagged;
        bool marked;
    }

    /// @dev One slot: an account's part in one asset.
    struct Position {
        uint128 collateral;
        uint128 debtShares;
    }

    /// @dev A listed asset, a slot per group: what it is; what interest moves, as of `lastAccrual`; what every
    /// settlement moves besides; the suppliers' shares and their cap; what is owed to settlers, and what is feared
    /// lost; the collateral and its cap; how interest runs, and the cap of debt; who insures the asset. The tokens held
    /// are
    /// not stored: the identity gives them.
    struct AssetData {
        address token;
        uint8 decimals;
        uint16 maxLtvBps;
        uint16 liquidationThresholdBps;
        uint16 debtWeightBps;
        // slot
        uint112 totalSupplyAssets;
        uint112 totalBorrowAssets;
        uint32 lastAccrual;
        // slot
        uint128 totalBorrowShares;
        uint128 reserveAssets;
        // slot
        uint128 totalSupplyShares;
        uint128 supplyCap;
        // slot
        uint128 creditAssets;
        uint128 pendingDeficit;
        // slot
        uint128 collateralAssets;
        uint128 collateralCap;
        // slot
        uint32 baseRateBps;
        uint32 kinkRateBps;
        uint32 fullRateBps;
        uint16 kinkBps;
        uint16 reserveFactorBps;
        uint128 borrowCap;
        // slot
        address fund;
    }

    /// @dev What interest and settlements move of an asset, in memory: read once, written once.
    struct Pool {
        uint256 supplied;
        uint256 borrowed;
        uint256 borrowShares;
        uint256 reserve;
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
    /// @dev Pending deficits, token units; zero where the account is not marked.
    mapping(address account => mapping(uint8 assetId => uint256)) internal _marks;
    mapping(uint8 assetId => mapping(address owner => uint256)) internal _supplyShares;
    mapping(uint8 assetId => mapping(address owner => uint256)) internal _credits;
    mapping(address account => mapping(address operator => bool)) internal _operators;

    /// @dev The asset under `assetId`, or `AssetNotListed`.
    function _listed(uint8 assetId) internal view returns (AssetData storage data) {
        data = _assets[assetId];
        if (data.token == address(0)) revert IClearingHouse.AssetNotListed(assetId);
    }

    // ------------------------------------------------------------------ tokens

    /// @dev Sends `amount` out: the last step of a function, after all state is written.
    function _pay(AssetData storage data, address to, uint256 amount) internal {
        SafeTransferLib.safeTransfer(data.token, to, amount);
    }

    /// @dev Pulls exactly `amount` from `from`, as measured here; anything else reverts with `TransferInexact`. The
    /// last step of a function, after all state is written.
    function _pull(address token, address from, uint256 amount) internal {
        uint256 before = SafeTransferLib.balanceOf(token, address(this));
        SafeTransferLib.safeTransferFrom(token, from, address(this), amount);
        uint256 received = SafeTransferLib.balanceOf(token, address(this)).zeroFloorSub(before);
        if (received != amount) revert IClearingHouse.TransferInexact(token, received, amount);
    }

    // ------------------------------------------------------------------ checks

    /// @dev Refuses the zero address, to which tokens and shares would be lost.
    function _requireAddress(address account) internal pure {
        if (account == address(0)) revert IClearingHouse.ZeroAddress();
    }

    /// @dev Refuses to move nothing.
    function _requireAmount(uint256 amount) internal pure {
        if (amount == 0) revert IClearingHouse.ZeroAmount();
    }

    /// @dev Refuses a total above its cap.
    function _requireCap(uint8 assetId, uint256 total, uint256 cap) internal pure {
        if (total > cap) revert IClearingHouse.CapExceeded(assetId, total, cap);
    }

    /// @dev Refuses to take more than is held.
    function _requireBalance(uint8 assetId, uint256 requested, uint256 available) internal pure {
        if (requested > available) revert IClearingHouse.BalanceInsufficient(assetId, requested, available);
    }

    /// @dev Refuses to pay more than there is cash for.
    function _requireCash(uint8 assetId, uint256 requested, uint256 available) internal pure {
        if (requested > available) revert IClearingHouse.CashInsufficient(assetId, requested, available);
    }

    // ------------------------------------------------------------------ the part that is paid

    /// @dev Reserve that can be spent: no more than there is, and than the asset has tokens for beside collateral and
    /// credits, since interest that was set aside while the pool is lent out is not paid yet. By the identity those
    /// tokens are what is supplied and set aside less what is lent, which is never negative.
    function _paidReserve(Pool memory pool) internal pure returns (uint256) {
        return pool.reserve.min(pool.supplied + pool.reserve - pool.borrowed);
    }
}

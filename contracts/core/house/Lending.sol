// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {InterestRate} from "../../libraries/InterestRate.sol";
import {SharesMath} from "../../libraries/SharesMath.sol";
import {WadMath} from "../../libraries/WadMath.sol";
import {HouseStorage} from "./HouseStorage.sol";

/// @title The lending pools: interest, and the suppliers' side
/// @dev Suppliers own `totalSupplyAssets`, of which `totalBorrowAssets` is lent out: the difference, and nothing else,
/// can be borrowed or withdrawn, so collateral, credits and reserve are never lent.
abstract contract Lending is HouseStorage {
    using SharesMath for uint256;
    using WadMath for uint256;

    /// @inheritdoc IClearingHouse
    function supply(uint8 assetId, uint256 assets, address owner) external nonReentrant returns (uint256 shares) {
        _requireAddress(owner);
        AssetData storage data = _listed(assetId);
        _accrue(assetId, data);
        uint128 amount = assets.toUint128();
        uint256 total = data.totalSupplyAssets;
        shares = assets.toSharesDown(total, data.totalSupplyShares);
        if (shares == 0) revert ZeroAmount();
        total += assets;
        if (total > data.supplyCap) revert CapExceeded(assetId, total, data.supplyCap);
        data.totalSupplyAssets = total.toUint128();
        data.totalSupplyShares += shares.toUint128();
        data.cash += amount;
        _supplyShares[assetId][owner] += shares;
        emit Supplied(assetId, msg.sender, owner, assets, shares);
        _pull(data.token, msg.sender, assets);
    }

    /// @inheritdoc IClearingHouse
    function withdraw(uint8 assetId, uint256 assets, uint256 shares, address owner, address receiver)
        external
        nonReentrant
        onlyAuthorised(owner)
        returns (uint256 assetsOut, uint256 sharesBurnt)
    {
        _requireAddress(receiver);
        AssetData storage data = _listed(assetId);
        _accrue(assetId, data);
        (assetsOut, sharesBurnt) = assets == 0
            ? (shares.toAssetsDown(data.totalSupplyAssets, data.totalSupplyShares), shares)
            : (assets, assets.toSharesUp(data.totalSupplyAssets, data.totalSupplyShares));
        if (assetsOut == 0) revert ZeroAmount();
        _takeShares(assetId, owner, sharesBurnt);
        _requireLiquidity(assetId, data, assetsOut);
        data.totalSupplyAssets -= uint128(assetsOut); // at most the liquidity, which fits
        data.totalSupplyShares -= uint128(sharesBurnt); // at most the owner's, which fit
        data.cash -= uint128(assetsOut);
        emit Withdrawn(assetId, owner, receiver, assetsOut, sharesBurnt);
        _push(data.token, receiver, assetsOut);
    }

    /// @inheritdoc IClearingHouse
    function transferShares(uint8 assetId, uint256 shares, address from, address to)
        external
        nonReentrant
        onlyAuthorised(from)
    {
        _requireAddress(to);
        _listed(assetId);
        if (shares == 0) revert ZeroAmount();
        _takeShares(assetId, from, shares);
        _supplyShares[assetId][to] += shares;
        emit SharesTransferred(assetId, from, to, shares);
    }

    /// @inheritdoc IClearingHouse
    function accrue(uint8 assetId) external nonReentrant {
        _accrue(assetId, _listed(assetId));
    }

    // ------------------------------------------------------------------ interest

    /// @dev Adds interest since the last accrual. The event comes even with no interest, because the moment from which
    /// the next interest runs must be known from logs.
    function _accrue(uint8 assetId, AssetData storage data) internal {
        if (data.lastAccrual == block.timestamp) return;
        (uint256 interest, uint256 toReserve) = _pendingInterest(data);
        data.lastAccrual = uint40(block.timestamp);
        if (interest != 0) {
            data.totalBorrowAssets += interest.toUint128();
            data.totalSupplyAssets += (interest - toReserve).toUint128();
            data.reserveAssets += toReserve.toUint128();
        }
        emit InterestAccrued(assetId, interest, toReserve, uint40(block.timestamp));
    }

    /// @dev Interest since the last accrual and the reserve's part of it. Rounding: interest UP, in favour of the pool;
    /// the reserve's part DOWN, in favour of the suppliers.
    function _pendingInterest(AssetData storage data) internal view returns (uint256 interest, uint256 toReserve) {
        uint256 borrowed = data.totalBorrowAssets;
        uint256 elapsed = block.timestamp - data.lastAccrual;
        if (borrowed == 0 || elapsed == 0) return (0, 0);
        uint256 rate = InterestRate.borrowRate(_rateModel(data), data.totalSupplyAssets, borrowed);
        interest = borrowed.mulUp(InterestRate.growthUp(rate, elapsed));
        toReserve = interest.bpsDown(data.reserveFactorBps);
    }

    /// @dev The rate model of an asset, out of its slot.
    function _rateModel(AssetData storage data) internal view returns (RateModel memory) {
        return RateModel({
            baseRateBps: data.baseRateBps,
            kinkRateBps: data.kinkRateBps,
            fullRateBps: data.fullRateBps,
            kinkBps: data.kinkBps
        });
    }

    // ------------------------------------------------------------------ the pool's two sides

    /// @dev Refuses to pay out more than suppliers have and did not lend. Debt may pass the suppliers' claims by
    /// interest that went to the reserve: nothing can be paid out then.
    function _requireLiquidity(uint8 assetId, AssetData storage data, uint256 assets) internal view {
        uint256 available = uint256(data.totalSupplyAssets).zeroFloorSub(data.totalBorrowAssets);
        if (assets > available) revert CashInsufficient(assetId, assets, available);
    }

    /// @dev Takes supplier shares off `owner`; `BalanceInsufficient` when there are fewer.
    function _takeShares(uint8 assetId, address owner, uint256 shares) private {
        uint256 held = _supplyShares[assetId][owner];
        if (shares > held) revert BalanceInsufficient(assetId, shares, held);
        _supplyShares[assetId][owner] = held - shares;
    }

    /// @dev What `shares` of debt owe now, interest included, rounded UP. Needs no accrual before it.
    function _debtAssets(AssetData storage data, uint256 shares) internal view returns (uint256) {
        if (shares == 0) return 0;
        (uint256 interest,) = _pendingInterest(data);
        return shares.toAssetsUp(data.totalBorrowAssets + interest, data.totalBorrowShares);
    }
}

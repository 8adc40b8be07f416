// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {SharesMath} from "../../libraries/SharesMath.sol";
import {WadMath} from "../../libraries/WadMath.sol";
import {Interest} from "./Interest.sol";

/// @title The lending pools, from the suppliers' side
/// @dev Suppliers own `totalSupplyAssets`, of which `totalBorrowAssets` is lent out: the difference, and nothing else,
/// can be borrowed or withdrawn, so collateral, credits and reserve are never lent.
abstract contract Lending is IClearingHouse, Interest {
    using SharesMath for uint256;
    using WadMath for uint256;

    /// @dev Admits the account's owner and its operators.
    modifier onlyAuthorised(address account) {
        _requireAuthorised(account);
        _;
    }

    /// @inheritdoc IClearingHouse
    function supply(uint8 assetId, uint256 assets, address owner) external nonReentrant returns (uint256 shares) {
        _requireAddress(owner);
        AssetData storage data = _listed(assetId);
        Pool memory pool = _load(assetId, data);
        uint256 totalShares = data.totalSupplyShares;
        shares = uint256(assets.toUint112()).toSharesDown(pool.supplied, totalShares);
        _requireAmount(shares);
        pool.supplied += assets;
        _requireCap(assetId, pool.supplied, data.supplyCap);
        _store(data, pool);
        data.totalSupplyShares = (totalShares + shares).toUint128();
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
        Pool memory pool = _load(assetId, data);
        uint256 totalShares = data.totalSupplyShares;
        (assetsOut, sharesBurnt) = assets == 0
            ? (uint256(shares.toUint128()).toAssetsDown(pool.supplied, totalShares), shares)
            : (assets, uint256(assets.toUint112()).toSharesUp(pool.supplied, totalShares));
        _requireAmount(assetsOut);
        _takeShares(assetId, owner, sharesBurnt);
        _requireLiquidity(assetId, pool, assetsOut);
        pool.supplied -= assetsOut;
        _store(data, pool);
        data.totalSupplyShares = uint128(totalShares - sharesBurnt); // at least what the owner held
        emit Withdrawn(assetId, owner, receiver, assetsOut, sharesBurnt);
        _pay(data, receiver, assetsOut);
    }

    /// @inheritdoc IClearingHouse
    function transferShares(uint8 assetId, uint256 shares, address from, address to)
        external
        nonReentrant
        onlyAuthorised(from)
    {
        _requireAddress(to);
        _requireAmount(shares);
        _takeShares(assetId, from, shares);
        _supplyShares[assetId][to] += shares;
        emit SharesTransferred(assetId, from, to, shares);
    }

    /// @inheritdoc IClearingHouse
    function accrue(uint8 assetId) external nonReentrant {
        _accrue(assetId, _listed(assetId));
    }

    /// @dev Refuses to pay out more than suppliers own and did not lend. Debt may pass the suppliers' claims by
    /// interest that went to the reserve: nothing can be paid out then.
    function _requireLiquidity(uint8 assetId, Pool memory pool, uint256 assets) internal pure {
        _requireCash(assetId, assets, pool.supplied.zeroFloorSub(pool.borrowed));
    }

    /// @dev Takes supplier shares off `owner`; `BalanceInsufficient` when there are fewer.
    function _takeShares(uint8 assetId, address owner, uint256 shares) private {
        uint256 held = _supplyShares[assetId][owner];
        _requireBalance(assetId, shares, held);
        _supplyShares[assetId][owner] = held - shares;
    }

    function _requireAuthorised(address account) private view {
        if (msg.sender != account && !_operators[account][msg.sender]) {
            revert OperatorUnauthorised(account, msg.sender);
        }
    }
}

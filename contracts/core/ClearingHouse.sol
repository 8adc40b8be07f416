// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {InterestRate} from "../libraries/InterestRate.sol";
import {Parameters} from "../libraries/Parameters.sol";
import {Governance} from "./house/Governance.sol";

/// @title Sole custodian of every token in Sluice
/// @notice See `IClearingHouse` for what each function does. The parts, each with one reason to change, in
/// `core/house`: what is stored (HouseStorage), the pools and their interest (Lending), accounts at oracle prices
/// (Health), what owners do (Accounts), what the liquidation engine does (Settlements), what governance does
/// (Governance). Here: how they are put together, and how they are read.
/// @dev Every function that changes state holds one transient lock, so that nothing can be re-entered from a token, a
/// venue, a taker's callback or a contract that checks a signature. Views stay open during those calls; between `sell`
/// and `settle` an account shows its collateral gone and its debt not yet repaid.
contract ClearingHouse is Governance, Multicall {
    /// @param authority AccessManager that governs.
    constructor(address authority) AccessManaged(authority) EIP712("Sluice ClearingHouse", "1") {
        _setSmallestBorrow(Parameters.SMALLEST_BORROW);
    }

    // ------------------------------------------------------------------ views: accounts

    /// @inheritdoc IClearingHouse
    function balanceOf(address account, uint8 assetId) external view returns (uint128 collateral, uint128 debtShares) {
        Position memory position = _positions[account][assetId];
        return (position.collateral, position.debtShares);
    }

    /// @inheritdoc IClearingHouse
    function accountInfo(address account)
        external
        view
        returns (uint64 collaterals, uint64 debts, uint32 epoch, bool flagged, uint40 lastRiskBlock)
    {
        AccountData memory info = _accounts[account];
        return (info.collaterals, info.debts, info.epoch, info.flagged, info.lastRiskBlock);
    }

    /// @inheritdoc IClearingHouse
    function supplyShares(uint8 assetId, address owner) external view returns (uint256) {
        return _supplyShares[assetId][owner];
    }

    /// @inheritdoc IClearingHouse
    function creditOf(uint8 assetId, address owner) external view returns (uint256) {
        return _credits[assetId][owner];
    }

    /// @inheritdoc IClearingHouse
    function isOperator(address account, address operator) external view returns (bool) {
        return _operators[account][operator];
    }

    // ------------------------------------------------------------------ views: assets

    /// @inheritdoc IClearingHouse
    function market(uint8 assetId) external view returns (Market memory) {
        AssetData storage data = _listed(assetId);
        (uint256 interest, uint256 toReserve) = _pendingInterest(data);
        return Market({
            totalSupplyAssets: data.totalSupplyAssets + uint128(interest - toReserve),
            totalSupplyShares: data.totalSupplyShares,
            totalBorrowAssets: data.totalBorrowAssets + uint128(interest),
            totalBorrowShares: data.totalBorrowShares,
            cash: data.cash,
            collateralAssets: data.collateralAssets,
            reserveAssets: data.reserveAssets + uint128(toReserve),
            creditAssets: data.creditAssets,
            lastAccrual: data.lastAccrual
        });
    }

    /// @inheritdoc IClearingHouse
    function borrowRate(uint8 assetId) external view returns (uint256) {
        AssetData storage data = _listed(assetId);
        (uint256 interest, uint256 toReserve) = _pendingInterest(data);
        uint256 supplied = data.totalSupplyAssets + interest - toReserve;
        return InterestRate.borrowRate(_rateModel(data), supplied, data.totalBorrowAssets + interest);
    }

    /// @inheritdoc IClearingHouse
    function asset(uint8 assetId) external view returns (address token, uint8 decimals) {
        AssetData storage data = _listed(assetId);
        return (data.token, data.decimals);
    }

    /// @inheritdoc IClearingHouse
    function assetParameters(uint8 assetId) external view returns (AssetParameters memory) {
        return _parametersOf(_listed(assetId));
    }

    /// @inheritdoc IClearingHouse
    function rateModel(uint8 assetId) external view returns (RateModel memory) {
        return _rateModel(_listed(assetId));
    }

    /// @inheritdoc IClearingHouse
    function assetCount() external view returns (uint8) {
        return _assetCount;
    }

    /// @inheritdoc IClearingHouse
    function assetIdOf(address token) external view returns (uint8) {
        uint256 listing = _listing[token];
        if (listing == 0) revert ListingRefused(token, "not listed");
        return uint8(listing - 1);
    }

    // ------------------------------------------------------------------ views: the rest of the system

    /// @inheritdoc IClearingHouse
    function oracle() external view returns (address) {
        return _oracle;
    }

    /// @inheritdoc IClearingHouse
    function engine() external view returns (address) {
        return _engine;
    }

    /// @inheritdoc IClearingHouse
    function smallestBorrow() external view returns (uint256) {
        return _smallestBorrow;
    }
}

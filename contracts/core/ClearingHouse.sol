// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {InterestRate} from "../libraries/InterestRate.sol";
import {Parameters} from "../libraries/Parameters.sol";
import {WadMath} from "../libraries/WadMath.sol";
import {HouseGovernance} from "./house/HouseGovernance.sol";
import {Settlements} from "./house/Settlements.sol";

/// @title Sole custodian of every token in Sluice
/// @notice See `IClearingHouse` for what each function does. The parts, each with one reason to change, are in
/// `core/house`: what is stored (HouseStorage), how debt grows (Interest), the pools (Lending), the balances of
/// accounts (Positions), accounts at oracle prices (Health), what owners do (Accounts), what the liquidation engine
/// does (Settlements), who bears a deficit (Waterfall), what governance does (HouseGovernance, forwarded to). Here: how
/// they are put together and read. @dev Every function that changes state holds one transient lock, so that nothing is
/// re-entered from a token, a
/// venue, a taker's callback or a contract that checks a signature. Views stay open during those calls; between `sell`
/// and `settle` an account shows its collateral gone and its debt not yet repaid.
contract ClearingHouse is Settlements, Multicall {
    using WadMath for uint256;

    /// @dev Code that governance's functions run, in this contract's storage.
    address private immutable _governance;

    /// @param authority AccessManager that governs.
    constructor(address authority) AccessManaged(authority) EIP712("Sluice ClearingHouse", "1") {
        _governance = address(new HouseGovernance());
        _smallestBorrow = uint96(Parameters.SMALLEST_BORROW);
        emit SmallestBorrowSet(Parameters.SMALLEST_BORROW);
    }

    // ------------------------------------------------------------------ governance, forwarded

    /// @inheritdoc IClearingHouse
    function listAsset(address, AssetParameters calldata, RateModel calldata) external returns (uint8) {
        _forward();
    }

    /// @inheritdoc IClearingHouse
    function setAssetParameters(uint8, AssetParameters calldata) external {
        _forward();
    }

    /// @inheritdoc IClearingHouse
    function setRateModel(uint8, RateModel calldata) external {
        _forward();
    }

    /// @inheritdoc IClearingHouse
    function setOracle(address) external {
        _forward();
    }

    /// @inheritdoc IClearingHouse
    function setEngine(address) external {
        _forward();
    }

    /// @inheritdoc IClearingHouse
    function setSmallestBorrow(uint256) external {
        _forward();
    }

    /// @inheritdoc IClearingHouse
    function withdrawReserve(uint8, uint256, address) external {
        _forward();
    }

    /// @inheritdoc IClearingHouse
    function setFund(uint8, address) external {
        _forward();
    }

    /// @inheritdoc IClearingHouse
    function distribute(uint8) external returns (uint256) {
        _forward();
    }

    /// @dev Runs the same call in the code of `HouseGovernance`, which takes the lock and asks the authority, and ends
    /// the call with its answer.
    function _forward() private {
        address governance = _governance;
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, 0, calldatasize())
            let success := delegatecall(gas(), governance, data, calldatasize(), 0, 0)
            returndatacopy(data, 0, returndatasize())
            if iszero(success) { revert(data, returndatasize()) }
            return(data, returndatasize())
        }
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
    function markOf(address account, uint8 assetId) external view returns (uint256) {
        return _marks[account][assetId];
    }

    /// @inheritdoc IClearingHouse
    function isOperator(address account, address operator) external view returns (bool) {
        return _operators[account][operator];
    }

    // ------------------------------------------------------------------ views: assets

    /// @inheritdoc IClearingHouse
    function market(uint8 assetId) external view returns (Market memory) {
        AssetData storage data = _listed(assetId);
        (Pool memory pool,,) = _poolNow(data);
        uint256 claims = pool.supplied + pool.reserve + data.creditAssets + data.collateralAssets;
        return Market({
            totalSupplyAssets: pool.supplied.toUint128(),
            totalSupplyShares: data.totalSupplyShares,
            totalBorrowAssets: pool.borrowed.toUint128(),
            totalBorrowShares: data.totalBorrowShares,
            cash: (claims - pool.borrowed).toUint128(),
            collateralAssets: data.collateralAssets,
            reserveAssets: pool.reserve.toUint128(),
            creditAssets: data.creditAssets,
            lastAccrual: data.lastAccrual
        });
    }

    /// @inheritdoc IClearingHouse
    function borrowRate(uint8 assetId) external view returns (uint256) {
        AssetData storage data = _listed(assetId);
        (Pool memory pool,,) = _poolNow(data);
        return InterestRate.borrowRate(_rateModel(data), pool.supplied, pool.borrowed);
    }

    /// @inheritdoc IClearingHouse
    function asset(uint8 assetId) external view returns (address token, uint8 decimals) {
        AssetData storage data = _listed(assetId);
        return (data.token, data.decimals);
    }

    /// @inheritdoc IClearingHouse
    function assetParameters(uint8 assetId) external view returns (AssetParameters memory) {
        AssetData storage data = _listed(assetId);
        return AssetParameters({
            maxLtvBps: data.maxLtvBps,
            liquidationThresholdBps: data.liquidationThresholdBps,
            debtWeightBps: data.debtWeightBps,
            reserveFactorBps: data.reserveFactorBps,
            supplyCap: data.supplyCap,
            borrowCap: data.borrowCap,
            collateralCap: data.collateralCap
        });
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

    /// @inheritdoc IClearingHouse
    function fund(uint8 assetId) external view returns (address) {
        return _listed(assetId).fund;
    }

    /// @inheritdoc IClearingHouse
    function pendingDeficit(uint8 assetId) external view returns (uint256) {
        return _listed(assetId).pendingDeficit;
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

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../interfaces/ILiquidationEngine.sol";
import {Parameters} from "../../libraries/Parameters.sol";
import {WadMath} from "../../libraries/WadMath.sol";
import {Settlements} from "./Settlements.sol";

/// @title What governance may do
/// @dev Who may call what, and after which delay, is the AccessManager's to say. Bounds are in `Parameters`.
abstract contract Governance is Settlements {
    using WadMath for uint256;

    /// @dev Ids are the bits of a 64-bit map.
    uint256 private constant MAX_ASSETS = 64;
    uint256 private constant MIN_DECIMALS = 6;
    uint256 private constant MAX_DECIMALS = 18;

    // ------------------------------------------------------------------ assets

    /// @inheritdoc IClearingHouse
    /// @dev Warning: a fee on transfer or a rebase cannot be seen here. The first refuses every deposit later; the
    /// second is governance's to keep out.
    function listAsset(address token, AssetParameters calldata parameters, RateModel calldata model)
        external
        nonReentrant
        restricted
        returns (uint8 assetId)
    {
        assetId = _assetCount;
        if (assetId == MAX_ASSETS) revert ListingRefused(token, "no free id");
        if (_listing[token] != 0) revert ListingRefused(token, "listed already");
        if (token.code.length == 0) revert ListingRefused(token, "no code");
        uint8 decimals = IERC20Metadata(token).decimals();
        if (decimals < MIN_DECIMALS || decimals > MAX_DECIMALS) revert ListingRefused(token, "decimals");
        AssetData storage data = _assets[assetId];
        (data.token, data.decimals) = (token, decimals);
        _listing[token] = uint256(assetId) + 1;
        _assetCount = assetId + 1;
        emit AssetListed(assetId, token, decimals);
        _accrue(assetId, data); // starts the clock, and says so in the logs
        _setAssetParameters(assetId, data, parameters);
        _setRateModel(assetId, data, model);
    }

    /// @inheritdoc IClearingHouse
    function setAssetParameters(uint8 assetId, AssetParameters calldata parameters) external nonReentrant restricted {
        AssetData storage data = _listed(assetId);
        _accrue(assetId, data);
        _setAssetParameters(assetId, data, parameters);
    }

    /// @inheritdoc IClearingHouse
    function setRateModel(uint8 assetId, RateModel calldata model) external nonReentrant restricted {
        AssetData storage data = _listed(assetId);
        _accrue(assetId, data);
        _setRateModel(assetId, data, model);
    }

    function _setAssetParameters(uint8 assetId, AssetData storage data, AssetParameters memory parameters) private {
        Parameters.validateAsset(parameters);
        if (_engine != address(0)) _requireTogether(ILiquidationEngine(_engine), assetId, parameters);
        data.maxLtvBps = parameters.maxLtvBps;
        data.liquidationThresholdBps = parameters.liquidationThresholdBps;
        data.debtWeightBps = parameters.debtWeightBps;
        data.reserveFactorBps = parameters.reserveFactorBps;
        data.supplyCap = parameters.supplyCap;
        data.borrowCap = parameters.borrowCap;
        data.collateralCap = parameters.collateralCap;
        emit AssetParametersSet(assetId, parameters);
    }

    function _setRateModel(uint8 assetId, AssetData storage data, RateModel memory model) private {
        Parameters.validateRateModel(model);
        data.baseRateBps = model.baseRateBps;
        data.kinkRateBps = model.kinkRateBps;
        data.fullRateBps = model.fullRateBps;
        data.kinkBps = model.kinkBps;
        emit RateModelSet(assetId, model);
    }

    // ------------------------------------------------------------------ the rest of the system

    /// @inheritdoc IClearingHouse
    function setOracle(address oracle_) external nonReentrant restricted {
        _requireAddress(oracle_);
        _oracle = oracle_;
        emit OracleSet(oracle_);
    }

    /// @inheritdoc IClearingHouse
    /// @dev Checks every listed asset against the curves of the new engine. Auctions of the old one end with it: what
    /// it flagged stays flagged until it is cured or cleared.
    function setEngine(address engine_) external nonReentrant restricted {
        _requireAddress(engine_);
        for (uint8 assetId = 0; assetId < _assetCount; ++assetId) {
            _requireTogether(ILiquidationEngine(engine_), assetId, _parametersOf(_assets[assetId]));
        }
        _engine = engine_;
        emit EngineSet(engine_);
    }

    /// @inheritdoc IClearingHouse
    function setSmallestBorrow(uint256 value) external nonReentrant restricted {
        _setSmallestBorrow(value);
    }

    /// @inheritdoc IClearingHouse
    function withdrawReserve(uint8 assetId, uint256 amount, address receiver) external nonReentrant restricted {
        _requireAddress(receiver);
        if (amount == 0) revert ZeroAmount();
        AssetData storage data = _listed(assetId);
        _accrue(assetId, data);
        _requireReserve(assetId, data, amount);
        data.reserveAssets -= uint128(amount); // at most the reserve, which fits
        data.cash -= uint128(amount);
        emit ReserveWithdrawn(assetId, receiver, amount);
        _push(data.token, receiver, amount);
    }

    function _setSmallestBorrow(uint256 value) internal {
        Parameters.validateSmallestBorrow(value);
        _smallestBorrow = uint96(value); // the bound is far below
        emit SmallestBorrowSet(value);
    }

    /// @dev Checks an asset against an engine; an asset without a curve cannot be kicked, so it is free until it has
    /// one, which the engine checks in turn.
    function _requireTogether(ILiquidationEngine engine_, uint8 assetId, AssetParameters memory parameters)
        private
        view
    {
        ILiquidationEngine.Curve memory curve = engine_.curve(assetId);
        if (curve.startMultiplierWad == 0) return;
        Parameters.validateTogether(parameters, engine_.parameters(), curve);
    }

    /// @dev The parameters of an asset, out of its slots.
    function _parametersOf(AssetData storage data) internal view returns (AssetParameters memory) {
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
}

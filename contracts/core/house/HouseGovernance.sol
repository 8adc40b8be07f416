// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {IInsuranceFund} from "../../interfaces/IInsuranceFund.sol";
import {ILiquidationEngine} from "../../interfaces/ILiquidationEngine.sol";
import {Parameters} from "../../libraries/Parameters.sol";
import {WadMath} from "../../libraries/WadMath.sol";
import {Interest} from "./Interest.sol";

/// @title What governance may do with the clearing house
/// @notice Code that the house runs by delegatecall, in its own storage: too rare to weigh on the contract that every
/// settlement calls. The house declares the same functions and forwards them unchanged. See `IClearingHouse`.
/// @dev Who may call what, and after which delay, is the AccessManager's to say; bounds are in `Parameters`. Called
/// directly, this contract has no authority, hence refuses everything.
contract HouseGovernance is Interest {
    using WadMath for uint256;

    /// @dev Ids are the bits of a 64-bit map.
    uint256 private constant MAX_ASSETS = 64;
    uint256 private constant MIN_DECIMALS = 6;
    uint256 private constant MAX_DECIMALS = 18;

    /// @dev The house's authority is in the house's storage.
    constructor() AccessManaged(address(0)) {}

    // ------------------------------------------------------------------ assets

    /// @notice Lists a token.
    /// @dev Warning: a fee on transfer or a rebase cannot be seen here. The first refuses every deposit later; the
    /// second is governance's to keep out.
    function listAsset(
        address token,
        IClearingHouse.AssetParameters calldata parameters,
        IClearingHouse.RateModel calldata model
    ) external nonReentrant restricted returns (uint8 assetId) {
        assetId = _assetCount;
        uint8 decimals = _requireListable(token);
        AssetData storage data = _assets[assetId];
        (data.token, data.decimals) = (token, decimals);
        _listing[token] = uint256(assetId) + 1;
        _assetCount = assetId + 1;
        emit IClearingHouse.AssetListed(assetId, token, decimals);
        _accrue(assetId, data); // starts the clock of interest, and says so in the logs
        _setAssetParameters(assetId, data, parameters);
        _setRateModel(assetId, data, model);
    }

    /// @notice Sets the parameters of an asset; interest accrues at the old reserve factor first.
    function setAssetParameters(uint8 assetId, IClearingHouse.AssetParameters calldata parameters)
        external
        nonReentrant
        restricted
    {
        AssetData storage data = _listed(assetId);
        _accrue(assetId, data);
        _setAssetParameters(assetId, data, parameters);
    }

    /// @notice Sets the rate model of an asset; interest accrues at the old one first.
    function setRateModel(uint8 assetId, IClearingHouse.RateModel calldata model) external nonReentrant restricted {
        AssetData storage data = _listed(assetId);
        _accrue(assetId, data);
        _setRateModel(assetId, data, model);
    }

    function _setAssetParameters(
        uint8 assetId,
        AssetData storage data,
        IClearingHouse.AssetParameters memory parameters
    ) private {
        Parameters.validateAsset(parameters);
        if (_engine != address(0)) {
            _requireTogether(ILiquidationEngine(_engine), assetId, parameters.liquidationThresholdBps);
        }
        data.maxLtvBps = parameters.maxLtvBps;
        data.liquidationThresholdBps = parameters.liquidationThresholdBps;
        data.debtWeightBps = parameters.debtWeightBps;
        data.reserveFactorBps = parameters.reserveFactorBps;
        data.supplyCap = parameters.supplyCap;
        data.borrowCap = parameters.borrowCap;
        data.collateralCap = parameters.collateralCap;
        emit IClearingHouse.AssetParametersSet(assetId, parameters);
    }

    function _setRateModel(uint8 assetId, AssetData storage data, IClearingHouse.RateModel memory model) private {
        Parameters.validateRateModel(model);
        data.baseRateBps = model.baseRateBps;
        data.kinkRateBps = model.kinkRateBps;
        data.fullRateBps = model.fullRateBps;
        data.kinkBps = model.kinkBps;
        emit IClearingHouse.RateModelSet(assetId, model);
    }

    // ------------------------------------------------------------------ the rest of the system

    /// @notice Sets the price source.
    function setOracle(address oracle) external nonReentrant restricted {
        _requireAddress(oracle);
        _oracle = oracle;
        emit IClearingHouse.OracleSet(oracle);
    }

    /// @notice Sets the liquidation engine, once every listed asset agrees with its curves.
    /// @dev Warning: auctions of the old engine end with it; what it flagged stays flagged until cured or cleared.
    function setEngine(address engine) external nonReentrant restricted {
        _requireAddress(engine);
        for (uint8 assetId = 0; assetId < _assetCount; ++assetId) {
            _requireTogether(ILiquidationEngine(engine), assetId, _assets[assetId].liquidationThresholdBps);
        }
        _engine = engine;
        emit IClearingHouse.EngineSet(engine);
    }

    /// @notice Sets the smallest debt per asset after a borrow, WAD quote units.
    function setSmallestBorrow(uint256 value) external nonReentrant restricted {
        Parameters.validateSmallestBorrow(value);
        _smallestBorrow = uint96(value); // the bound is far below
        emit IClearingHouse.SmallestBorrowSet(value);
    }

    /// @notice Pays reserve out, as far as it has been paid in.
    function withdrawReserve(uint8 assetId, uint256 amount, address receiver) external nonReentrant restricted {
        _requireAddress(receiver);
        _requireAmount(amount);
        AssetData storage data = _listed(assetId);
        Pool memory pool = _load(assetId, data);
        _requireCash(assetId, amount, _paidReserve(pool));
        pool.reserve -= amount;
        _store(data, pool);
        emit IClearingHouse.ReserveWithdrawn(assetId, receiver, amount);
        _pay(data, receiver, amount);
    }

    // ------------------------------------------------------------------ insurance

    /// @notice Sets the fund that bears the deficits of an asset first, and is paid its reserve; zero for none.
    function setFund(uint8 assetId, address fund) external nonReentrant restricted {
        AssetData storage data = _listed(assetId);
        if (fund != address(0)) _requireInsures(assetId, data.token, IInsuranceFund(fund));
        data.fund = fund;
        emit IClearingHouse.FundSet(assetId, fund);
    }

    /// @notice Pays the reserve of an asset out to its fund, as far as it has been paid in. Anyone may.
    function distribute(uint8 assetId) external nonReentrant returns (uint256 amount) {
        AssetData storage data = _listed(assetId);
        address fund = data.fund;
        if (fund == address(0)) revert IClearingHouse.FundMissing(assetId);
        Pool memory pool = _load(assetId, data);
        amount = _paidReserve(pool);
        _requireAmount(amount);
        pool.reserve -= amount;
        _store(data, pool);
        emit IClearingHouse.ReserveWithdrawn(assetId, fund, amount);
        _pay(data, fund, amount);
    }

    // ------------------------------------------------------------------ checks

    /// @dev Refuses a token that cannot be held, with the reason; gives its decimals.
    function _requireListable(address token) private view returns (uint8 decimals) {
        if (_assetCount == MAX_ASSETS) revert IClearingHouse.ListingRefused(token, "no free id");
        if (_listing[token] != 0) revert IClearingHouse.ListingRefused(token, "listed already");
        if (token.code.length == 0) revert IClearingHouse.ListingRefused(token, "no code");
        decimals = IERC20Metadata(token).decimals();
        if (decimals < MIN_DECIMALS || decimals > MAX_DECIMALS) {
            revert IClearingHouse.ListingRefused(token, "decimals");
        }
    }

    /// @dev Refuses a fund of another token, or of another house.
    function _requireInsures(uint8 assetId, address token, IInsuranceFund fund) private view {
        if (fund.asset() != token || fund.clearingHouse() != address(this)) {
            revert IClearingHouse.FundRefused(assetId, address(fund));
        }
    }

    /// @dev Checks a threshold against an engine. Ours has a curve for every asset; where another has none for one, the
    /// threshold is free.
    function _requireTogether(ILiquidationEngine engine, uint8 assetId, uint16 liquidationThresholdBps) private view {
        ILiquidationEngine.Curve memory curve = engine.curve(assetId);
        if (curve.startMultiplierWad == 0) return;
        IClearingHouse.AssetParameters memory parameters;
        parameters.liquidationThresholdBps = liquidationThresholdBps;
        Parameters.validateTogether(parameters, engine.parameters(), curve);
    }
}

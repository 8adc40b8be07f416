// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IDeleverageCallback} from "../interfaces/IDeleverageCallback.sol";
import {ILiquidationEngine} from "../interfaces/ILiquidationEngine.sol";
import {IProtection} from "../interfaces/IProtection.sol";
import {AssetBitmap} from "../libraries/AssetBitmap.sol";
import {ProtectionMath} from "../libraries/ProtectionMath.sol";
import {ProtectionParameters} from "../libraries/ProtectionParameters.sol";
import {WAD, WAD_PER_BPS, WadMath} from "../libraries/WadMath.sol";

/// @title Protection: early, gentle deleveraging that an account's owner asks for
/// @notice See `IProtection` for what each function does, `ProtectionMath` for the formulas.
/// @dev Prices, balances and health are the clearing house's, volatilities the engine's: nothing is kept here but what
/// owners and governance say, and what was sold within the day. There is no way to upgrade, and no way to move an
/// account's tokens but a sale within its owner's terms.
contract Protection is IProtection, AccessManaged, ReentrancyGuardTransient, Multicall {
    using AssetBitmap for uint64;
    using WadMath for uint256;

    /// @dev One slot: what was sold in the day that began at `since`, WAD quote units.
    struct Usage {
        uint128 value;
        uint40 since;
    }

    /// @dev All that a sale is decided on, read once.
    struct Case {
        Terms terms;
        IClearingHouse.AccountState state;
        ILiquidationEngine engine;
        Assessment assessment;
        uint256 target;
    }

    /// @dev Shocks of 16 assets fit in a word.
    uint256 private constant SHOCKS_PER_WORD = 16;

    IClearingHouse public immutable clearingHouse;

    Parameters private _parameters;
    /// @inheritdoc IProtection
    bool public paused;
    /// @inheritdoc IProtection
    uint8 public scenarioCount;
    mapping(address account => Terms) private _terms;
    mapping(address account => Usage) private _usage;
    mapping(uint256 scenario => mapping(uint256 word => uint256)) private _shocks;

    /// @param authority AccessManager that governs. @param house The clearing house whose accounts are protected.
    constructor(address authority, address house) AccessManaged(authority) {
        clearingHouse = IClearingHouse(house);
        _setParameters(
            Parameters({
                maxFeeBps: ProtectionParameters.MAX_FEE_BPS,
                rampBps: ProtectionParameters.RAMP_BPS,
                correlationUpBps: ProtectionParameters.CORRELATION_UP_BPS,
                correlationDownBps: ProtectionParameters.CORRELATION_DOWN_BPS
            })
        );
    }

    // ------------------------------------------------------------------ owners

    /// @inheritdoc IProtection
    function protect(Terms calldata terms) external nonReentrant {
        ProtectionParameters.validate(terms, scenarioCount);
        for (uint64 left = terms.collaterals; left != 0; left = left.withoutLowest()) {
            IClearingHouse.AssetParameters memory asset = clearingHouse.assetParameters(left.lowest());
            ProtectionParameters.validateTarget(terms.targetHealthFactorBps, asset);
        }
        _terms[msg.sender] = terms;
        emit Protected(msg.sender, terms);
    }

    /// @inheritdoc IProtection
    function unprotect() external nonReentrant {
        _termsOf(msg.sender);
        delete _terms[msg.sender];
        emit Unprotected(msg.sender);
    }

    /// @inheritdoc IProtection
    function becomeOperator(address account, uint256 deadline, bytes calldata signature) external nonReentrant {
        if (clearingHouse.isOperator(account, address(this))) return;
        clearingHouse.setOperatorBySig(account, address(this), true, deadline, signature);
    }

    // ------------------------------------------------------------------ executors

    /// @inheritdoc IProtection
    function deleverage(
        address account,
        uint8 collateralId,
        uint8 debtId,
        uint256 maxRepaid,
        uint256 minSeized,
        address recipient,
        bytes calldata data
    ) external nonReentrant returns (uint256 repaid, uint256 seized) {
        Case memory it = _case(account);
        ProtectionMath.Sale memory sale = _sale(it, account, collateralId, debtId, maxRepaid);
        (repaid, seized) = (sale.repaid, sale.seized);
        if (seized < minSeized) revert SeizedBelowMinimum(seized, minSeized);
        _use(account, sale.value);
        address debtToken = _fetch(account, collateralId, debtId, sale, data);
        _settle(account, collateralId, debtId, debtToken, sale, recipient);
        uint256 afterwards = _requireHealth(account, it, sale.whole);
        emit Deleveraged(
            account,
            collateralId,
            debtId,
            msg.sender,
            recipient,
            seized,
            repaid,
            sale.value,
            it.assessment.fee,
            it.assessment.healthFactor,
            afterwards
        );
    }

    // ------------------------------------------------------------------ governance

    /// @inheritdoc IProtection
    function setParameters(Parameters calldata parameters_) external restricted {
        _setParameters(parameters_);
    }

    /// @inheritdoc IProtection
    function addScenario(uint8[] calldata assetIds, int16[] calldata shocksBps)
        external
        restricted
        returns (uint8 scenario)
    {
        scenario = scenarioCount;
        bool even = assetIds.length != 0 && assetIds.length == shocksBps.length;
        if (scenario == ProtectionParameters.MAX_SCENARIOS || !even) revert ScenarioInvalid(scenario);
        scenarioCount = scenario + 1;
        for (uint256 i = 0; i < assetIds.length; ++i) {
            _addShock(scenario, assetIds[i], shocksBps[i]);
        }
        emit ScenarioAdded(scenario, assetIds, shocksBps);
    }

    /// @inheritdoc IProtection
    function setPaused(bool paused_) external restricted {
        paused = paused_;
        emit PausedSet(paused_);
    }

    function _setParameters(Parameters memory parameters_) private {
        ProtectionParameters.validate(parameters_);
        _parameters = parameters_;
        emit ParametersSet(parameters_);
    }

    /// @dev Writes one asset's shock, once.
    function _addShock(uint8 scenario, uint8 assetId, int16 shockBps) private {
        ProtectionParameters.validateShock(shockBps);
        if (assetId >= clearingHouse.assetCount() || shockBps == 0 || _shock(scenario, assetId) != 0) {
            revert ScenarioInvalid(scenario);
        }
        uint256 place = (assetId % SHOCKS_PER_WORD) * 16;
        // forge-lint: disable-next-line(unsafe-typecast) -- the same sixteen bits
        _shocks[scenario][assetId / SHOCKS_PER_WORD] |= uint256(uint16(shockBps)) << place;
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IProtection
    function assess(address account) external view returns (Assessment memory) {
        return _case(account).assessment;
    }

    /// @inheritdoc IProtection
    function quote(address account, uint8 collateralId, uint8 debtId, uint256 maxRepaid)
        external
        view
        returns (uint256 repaid, uint256 seized)
    {
        ProtectionMath.Sale memory sale = _sale(_case(account), account, collateralId, debtId, maxRepaid);
        return (sale.repaid, sale.seized);
    }

    /// @inheritdoc IProtection
    function termsOf(address account) external view returns (Terms memory) {
        return _terms[account];
    }

    /// @inheritdoc IProtection
    function usageOf(address account) external view returns (uint256 value, uint40 since) {
        Usage memory usage = _usageNow(account);
        return (usage.value, usage.since);
    }

    /// @inheritdoc IProtection
    function parameters() external view returns (Parameters memory) {
        return _parameters;
    }

    /// @inheritdoc IProtection
    function shockOf(uint8 scenario, uint8 assetId) external view returns (int16) {
        return _shock(scenario, assetId);
    }

    // ------------------------------------------------------------------ how near

    /// @dev Reads an account and judges it by its terms, whether or not they have expired.
    function _case(address account) private view returns (Case memory it) {
        it.terms = _termsOf(account);
        it.state = clearingHouse.accountState(account);
        it.engine = ILiquidationEngine(clearingHouse.engine());
        it.target = it.terms.targetHealthFactorBps * WAD_PER_BPS;
        _assess(it);
    }

    function _assess(Case memory it) private view {
        Parameters memory parameters_ = _parameters;
        IClearingHouse.AccountState memory state = it.state;
        Assessment memory assessment = it.assessment;
        (assessment.healthFactor, assessment.worstHealth) = (type(uint256).max, type(uint256).max);
        assessment.distance = type(uint256).max;
        if (state.weightedDebt == 0) return;
        assessment.healthFactor = state.weightedCollateral.divDown(state.weightedDebt);
        assessment.volatility = ProtectionMath.volatilityDown(state, _volatilities(it), parameters_);
        assessment.worstHealth = _worstHealth(state, it.terms.scenarios);
        assessment.distance = assessment.healthFactor < WAD
            ? 0
            : ProtectionMath.distanceUp(
                state.weightedCollateral, state.weightedDebt, assessment.volatility, it.terms.horizon
            );
        assessment.shortfall =
            ProtectionMath.shortfallDown(assessment.distance, it.terms.minDistanceWad, assessment.worstHealth);
        uint256 maxFeeBps = uint256(it.terms.maxFeeBps).min(parameters_.maxFeeBps);
        assessment.fee = ProtectionMath.feeDown(maxFeeBps, assessment.shortfall, parameters_.rampBps);
    }

    /// @dev The engine's volatility of each leg's asset.
    function _volatilities(Case memory it) private view returns (uint256[] memory volatilitiesBps) {
        IClearingHouse.Leg[] memory legs = it.state.legs;
        volatilitiesBps = new uint256[](legs.length);
        for (uint256 i = 0; i < legs.length; ++i) {
            volatilitiesBps[i] = it.engine.curveInputs(legs[i].assetId).volatilityBps;
        }
    }

    /// @dev Least health over the scenarios chosen.
    function _worstHealth(IClearingHouse.AccountState memory state, uint8 scenarios)
        private
        view
        returns (uint256 worst)
    {
        worst = type(uint256).max;
        int256[] memory shocks = new int256[](state.legs.length);
        for (uint64 left = scenarios; left != 0; left = left.withoutLowest()) {
            for (uint256 i = 0; i < shocks.length; ++i) {
                shocks[i] = _shock(left.lowest(), state.legs[i].assetId);
            }
            worst = worst.min(ProtectionMath.healthAfterUp(state, shocks));
        }
    }

    function _shock(uint256 scenario, uint256 assetId) private view returns (int16) {
        uint256 word = _shocks[scenario][assetId / SHOCKS_PER_WORD];
        // forge-lint: disable-next-line(unsafe-typecast) -- sixteen bits that were written as such
        return int16(uint16(word >> (assetId % SHOCKS_PER_WORD) * 16));
    }

    // ------------------------------------------------------------------ how much

    /// @dev The sale that the terms allow now, or the reason why there is none.
    function _sale(Case memory it, address account, uint8 collateralId, uint8 debtId, uint256 maxRepaid)
        private
        view
        returns (ProtectionMath.Sale memory sale)
    {
        _requireOpen(it, account);
        _requireTriggered(it);
        if (!it.terms.collaterals.has(collateralId) || collateralId == debtId) {
            revert CollateralRefused(account, collateralId);
        }
        ProtectionMath.Bounds memory bounds = ProtectionMath.Bounds({
            target: it.target,
            fee: it.assessment.fee,
            dust: it.engine.parameters().dustValue * WAD,
            mostValue: _mostValue(it.terms, account),
            maxRepaid: maxRepaid
        });
        IClearingHouse.Leg memory sold = _leg(it.state, account, collateralId);
        IClearingHouse.Leg memory owed = _leg(it.state, account, debtId);
        if (sold.collateral == 0) revert LegMissing(account, collateralId);
        if (owed.debt == 0) revert LegMissing(account, debtId);
        sale = ProtectionMath.sale(it.state, sold, owed, bounds);
        if (sale.repaid == 0 && bounds.maxRepaid != 0 && bounds.mostValue != 0) {
            revert TargetReached(it.assessment.healthFactor, it.target);
        }
        uint256 minValue = it.terms.minValue * WAD;
        if (sale.value < minValue) revert SaleTooSmall(sale.value, minValue);
    }

    /// @dev What the owner's bounds leave, per call and within the day, WAD quote units.
    function _mostValue(Terms memory terms, address account) private view returns (uint256) {
        uint256 left = (terms.maxDailyValue * WAD).zeroFloorSub(_usageNow(account).value);
        return left.min(terms.maxValue * WAD);
    }

    function _leg(IClearingHouse.AccountState memory state, address account, uint8 assetId)
        private
        pure
        returns (IClearingHouse.Leg memory)
    {
        for (uint256 i = 0; i < state.legs.length; ++i) {
            if (state.legs[i].assetId == assetId) return state.legs[i];
        }
        revert LegMissing(account, assetId);
    }

    /// @dev What was sold in the day that runs; nothing where it is over.
    function _usageNow(address account) private view returns (Usage memory usage) {
        usage = _usage[account];
        if (block.timestamp >= usage.since + 1 days) (usage.value, usage.since) = (0, uint40(block.timestamp));
    }

    /// @dev Counts a sale. A day begins with its first sale, so that two days' worth may follow each other closely.
    function _use(address account, uint256 value) private {
        Usage memory usage = _usageNow(account);
        _usage[account] = Usage({value: (usage.value + value).toUint128(), since: usage.since});
    }

    // ------------------------------------------------------------------ what moves

    /// @dev Lets the executor come by the debt asset, then pulls exactly what it pays.
    function _fetch(
        address account,
        uint8 collateralId,
        uint8 debtId,
        ProtectionMath.Sale memory sale,
        bytes calldata data
    ) private returns (address debtToken) {
        (debtToken,) = clearingHouse.asset(debtId);
        if (data.length != 0) {
            (address collateralToken,) = clearingHouse.asset(collateralId);
            bytes4 magic = IDeleverageCallback(msg.sender)
                .onDeleverage(account, collateralToken, sale.seized, debtToken, sale.repaid, data);
            if (magic != IDeleverageCallback.onDeleverage.selector) revert CallbackRejected(msg.sender);
        }
        uint256 before = SafeTransferLib.balanceOf(debtToken, address(this));
        SafeTransferLib.safeTransferFrom(debtToken, msg.sender, address(this), sale.repaid);
        uint256 received = SafeTransferLib.balanceOf(debtToken, address(this)).zeroFloorSub(before);
        if (received != sale.repaid) revert TransferInexact(debtToken, received, sale.repaid);
    }

    /// @dev Repays, then hands the collateral out: the house asks for borrowing health after a withdrawal.
    function _settle(
        address account,
        uint8 collateralId,
        uint8 debtId,
        address debtToken,
        ProtectionMath.Sale memory sale,
        address recipient
    ) private {
        SafeTransferLib.safeApproveWithRetry(debtToken, address(clearingHouse), sale.repaid);
        clearingHouse.repay(debtId, sale.repaid, account);
        clearingHouse.withdrawCollateral(collateralId, sale.seized, account, recipient);
    }

    // ------------------------------------------------------------------ checks

    function _termsOf(address account) private view returns (Terms memory terms) {
        terms = _terms[account];
        if (terms.collaterals == 0) revert AccountUnprotected(account);
    }

    /// @dev Refuses what has expired, is halted, or is the liquidation engine's to deal with.
    function _requireOpen(Case memory it, address account) private view {
        if (block.timestamp >= it.terms.expiry) revert TermsExpired(account, it.terms.expiry);
        (uint8 level,,) = it.engine.breaker();
        if (paused || level != 0) revert SalesHalted(paused, level);
        if (it.assessment.healthFactor < WAD || it.state.flagged) {
            revert AccountLiquidatable(account, it.assessment.healthFactor, it.state.flagged);
        }
    }

    function _requireTriggered(Case memory it) private pure {
        if (it.assessment.shortfall != 0) return;
        revert TriggerUnmet(it.assessment.distance, it.terms.minDistanceWad, it.assessment.worstHealth);
    }

    /// @dev Health has risen, and not past the target unless one side is used up.
    function _requireHealth(address account, Case memory it, bool whole) private view returns (uint256 afterwards) {
        afterwards = clearingHouse.healthFactor(account);
        uint256 before = it.assessment.healthFactor;
        if (afterwards <= before || (afterwards > it.target && !whole)) {
            revert HealthOutOfRange(before, afterwards, it.target);
        }
    }
}

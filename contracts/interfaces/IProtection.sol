// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Protection: early, gentle deleveraging that an account's owner asks for
/// @notice An owner states terms and makes this contract its operator at the clearing house. When the account comes too
/// near to liquidation by these terms, anyone may repay a part of its debt and receive collateral worth what was repaid
/// and a small fee, at the oracle's prices, up to the target health that the owner chose. Nothing is auctioned, nothing
/// is penalised. Below a health factor of 1 the liquidation engine governs and this contract refuses.
/// @dev Holds no tokens between calls. Its only uses of an operator's rights are those of `deleverage`.
/// @dev Units as in `IClearingHouse`; values in the terms are whole quote units.
interface IProtection {
    // ------------------------------------------------------------------ types

    /// @notice What an owner consents to. Bounds: `ProtectionParameters`.
    /// @param collaterals Assets that may be sold, bit = assetId.
    /// @param minDistanceWad DD_min: distance to default below which the account may be deleveraged, WAD.
    /// @param horizon tau_p: seconds over which the distance is measured.
    /// @param targetHealthFactorBps h: health that a sale lifts the account to, at most.
    /// @param maxFeeBps Largest fee, of the value repaid.
    /// @param scenarios Scenarios that count beside the distance, bit = scenario; none: the distance alone.
    /// @param expiry Unix seconds from which the terms are void.
    /// @param minValue Least value repaid by a call, whole quote units.
    /// @param maxValue Most value repaid by a call, whole quote units.
    /// @param maxDailyValue Most value repaid within a day, whole quote units.
    struct Terms {
        uint64 collaterals;
        uint64 minDistanceWad;
        uint24 horizon;
        uint16 targetHealthFactorBps;
        uint16 maxFeeBps;
        uint8 scenarios;
        uint40 expiry;
        uint32 minValue;
        uint32 maxValue;
        uint32 maxDailyValue;
    }

    /// @notice What governance sets, for everyone. Bounds: `ProtectionParameters`.
    /// @param maxFeeBps Largest fee whatever an owner allows.
    /// @param rampBps Shortfall at which the whole fee is paid.
    /// @param correlationUpBps Highest correlation of two log prices that is reckoned with.
    /// @param correlationDownBps Lowest; it counts where one is held and the other owed.
    struct Parameters {
        uint16 maxFeeBps;
        uint16 rampBps;
        int16 correlationUpBps;
        int16 correlationDownBps;
    }

    /// @notice How near an account is to liquidation, and what a sale would pay now.
    /// @param healthFactor A / D_w, WAD, down; the largest number without debt.
    /// @param volatility sigma_p: volatility of the logarithm of health, WAD a year, down.
    /// @param distance DD = ln(HF) / (sigma_p sqrt(tau_p)), WAD, up; zero where the account is liquidatable.
    /// @param worstHealth Least health over the scenarios that the owner chose, WAD, up; the largest number without.
    /// @param shortfall How far below its trigger the account is, WAD; zero: not triggered.
    /// @param fee Fee of a sale now, WAD, down.
    struct Assessment {
        uint256 healthFactor;
        uint256 volatility;
        uint256 distance;
        uint256 worstHealth;
        uint256 shortfall;
        uint256 fee;
    }

    // ------------------------------------------------------------------ events

    /// @notice An owner stated terms; they replace earlier ones.
    event Protected(address indexed account, Terms terms);
    /// @notice An owner withdrew its terms.
    event Unprotected(address indexed account);
    /// @notice A sale: `repaid` of debt against `seized` of collateral.
    /// @param value Value repaid, WAD quote units, down: what counts against the owner's bounds.
    /// @param fee Fee, WAD.
    /// @param healthBefore Health factor before. @param healthAfter Health factor after.
    event Deleveraged(
        address indexed account,
        uint8 indexed collateralId,
        uint8 indexed debtId,
        address executor,
        address recipient,
        uint256 seized,
        uint256 repaid,
        uint256 value,
        uint256 fee,
        uint256 healthBefore,
        uint256 healthAfter
    );
    /// @notice Parameters were set.
    event ParametersSet(Parameters parameters);
    /// @notice A scenario was added for good: the price of `assetIds[i]` moves by `shocksBps[i]`, every other stands.
    event ScenarioAdded(uint8 indexed scenario, uint8[] assetIds, int16[] shocksBps);
    /// @notice Sales were paused or resumed.
    event PausedSet(bool paused);

    // ------------------------------------------------------------------ errors

    /// @notice Thrown when the account has stated no terms.
    error AccountUnprotected(address account);
    /// @notice Thrown when the terms have expired.
    error TermsExpired(address account, uint256 expiry);
    /// @notice Thrown when a scenario or an asset was not added, or a list is empty, too long or uneven.
    error ScenarioInvalid(uint256 scenario);
    /// @notice Thrown when the owner does not let this collateral be sold, or collateral and debt are one asset.
    error CollateralRefused(address account, uint8 assetId);
    /// @notice Thrown when the account holds, or owes, nothing of an asset.
    error LegMissing(address account, uint8 assetId);
    /// @notice Thrown when neither distance nor scenarios are below the owner's bounds.
    error TriggerUnmet(uint256 distance, uint256 minDistance, uint256 worstHealth);
    /// @notice Thrown when the account is liquidatable, or its auction runs: the liquidation engine governs.
    error AccountLiquidatable(address account, uint256 healthFactor, bool flagged);
    /// @notice Thrown while sales are paused here, or the engine's breaker is at any level.
    error SalesHalted(bool paused, uint8 breakerLevel);
    /// @notice Thrown when the account is at its target.
    error TargetReached(uint256 healthFactor, uint256 target);
    /// @notice Thrown when selling this collateral cannot restore the target at this fee.
    error TargetUnreachable(uint256 target, uint256 weightedFactor);
    /// @notice Thrown when the sale is worth less than the owner asks for, WAD quote units.
    error SaleTooSmall(uint256 value, uint256 minValue);
    /// @notice Thrown when a sale would leave less than the dust value on either side, WAD quote units.
    error DustLeft(uint256 collateralValue, uint256 debtValue, uint256 dustValue);
    /// @notice Thrown when the executor would receive less collateral than it asks for.
    error SeizedBelowMinimum(uint256 seized, uint256 minSeized);
    /// @notice Thrown when a sale did not raise health, or raised it past the target.
    error HealthOutOfRange(uint256 healthBefore, uint256 healthAfter, uint256 target);
    /// @notice Thrown when a transfer in brought something else than its amount.
    error TransferInexact(address token, uint256 received, uint256 expected);
    /// @notice Thrown when the executor's callback does not return the magic value.
    error CallbackRejected(address executor);

    // ------------------------------------------------------------------ owners

    /// @notice States the caller's terms, in place of earlier ones.
    /// @dev What was sold within the day counts on under new terms. The target must be above threshold / maxLtv of
    /// every collateral named, because the house asks for borrowing health after each withdrawal.
    /// @dev Warning: takes effect once this contract is the caller's operator at the house, by `setOperator` there or
    /// `becomeOperator` here. An operator may do anything with an account there; this one does what is written below.
    /// @param terms What the caller consents to.
    function protect(Terms calldata terms) external;

    /// @notice Withdraws the caller's terms. The operator's rights at the house are the caller's to withdraw there.
    function unprotect() external;

    /// @notice Hands an owner's signature for this contract on to the house, so that one `multicall` opts in.
    /// @dev Does nothing where this contract is its operator already: whoever used the signature first did no harm.
    /// @param account Who signed. @param deadline Of the signature.
    /// @param signature As `IClearingHouse.setOperatorBySig` takes it, for this contract, approved.
    function becomeOperator(address account, uint256 deadline, bytes calldata signature) external;

    // ------------------------------------------------------------------ executors

    /// @notice Repays debt of a protected account and receives collateral worth that and the fee. Anyone may.
    /// @dev Repays r = (h * D_w - A) / (h * w_j - k_i * (1 + fee)) at most, DOWN, so that health ends at the target or
    /// a few token units below. Collateral out is rounded DOWN. Only what would be left as dust is sold past the
    /// target. @dev The caller pays: with `data`, it is first asked by `IDeleverageCallback` to have approved `repaid`.
    /// @dev Reverts with `IClearingHouse.BorrowLimitExceeded` where a smaller sale ends short of borrowing health.
    /// @param account Whose debt. @param collateralId Asset to receive. @param debtId Asset to pay.
    /// @param maxRepaid Most to pay, token units. @param minSeized Least to receive, token units.
    /// @param recipient Who gets the collateral.
    /// @param data Passed to the callback; without any the caller is not called.
    /// @return repaid Paid, token units. @return seized Received, token units.
    function deleverage(
        address account,
        uint8 collateralId,
        uint8 debtId,
        uint256 maxRepaid,
        uint256 minSeized,
        address recipient,
        bytes calldata data
    ) external returns (uint256 repaid, uint256 seized);

    // ------------------------------------------------------------------ governance (AccessManager)

    /// @notice Sets the parameters, within bounds.
    function setParameters(Parameters calldata parameters) external;

    /// @notice Adds a scenario, which is never changed: an owner who counts it knows what it is.
    /// @param assetIds Listed assets. @param shocksBps Moves of their prices, -9,000 to 10,000.
    /// @return scenario Its number, below 8.
    function addScenario(uint8[] calldata assetIds, int16[] calldata shocksBps) external returns (uint8 scenario);

    /// @notice Pauses or resumes sales; owners' actions always work.
    function setPaused(bool paused) external;

    // ------------------------------------------------------------------ views

    /// @notice How near an account is by its own terms. Reverts where it has none or a price is refused.
    function assess(address account) external view returns (Assessment memory);

    /// @notice What `deleverage` would move now; reverts as it would, but for what the house and tokens refuse.
    function quote(address account, uint8 collateralId, uint8 debtId, uint256 maxRepaid)
        external
        view
        returns (uint256 repaid, uint256 seized);

    /// @notice Terms of an account; all zero where it has none.
    function termsOf(address account) external view returns (Terms memory);

    /// @notice Value repaid in the day that began at `since`, WAD quote units.
    function usageOf(address account) external view returns (uint256 value, uint40 since);

    /// @notice Parameters.
    function parameters() external view returns (Parameters memory);

    /// @notice Number of scenarios.
    function scenarioCount() external view returns (uint8);

    /// @notice Move of an asset's price in a scenario, basis points.
    function shockOf(uint8 scenario, uint8 assetId) external view returns (int16);

    /// @notice Whether sales are paused.
    function paused() external view returns (bool);
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IProtection} from "../interfaces/IProtection.sol";
import {BPS} from "./WadMath.sol";

/// @title Every parameter of protection: defaults, bounds, and what must hold between them
/// @dev The validators revert with `IClearingHouse.ParameterOutOfBounds(name, value, lower, upper)`, bounds included; a
/// signed value is named by its distance from -10,000.
library ProtectionParameters {
    // ------------------------------------------------------------------ governance

    uint16 internal constant MAX_FEE_BPS = 100;
    uint16 internal constant RAMP_BPS = 2_500;
    /// @dev What is held may fall together, fully.
    int16 internal constant CORRELATION_UP_BPS = 10_000;
    /// @dev What is owed is no hedge of what is held, and no more than independent of it.
    int16 internal constant CORRELATION_DOWN_BPS = 0;

    uint256 internal constant FEE_LIMIT_BPS = 300;
    uint256 internal constant RAMP_MIN_BPS = 100;
    uint256 internal constant RAMP_MAX_BPS = 10_000;
    uint256 internal constant MAX_SCENARIOS = 8;
    int256 internal constant SHOCK_MIN_BPS = -9_000;
    int256 internal constant SHOCK_MAX_BPS = 10_000;

    // ------------------------------------------------------------------ owners

    uint256 internal constant DISTANCE_MIN_WAD = 0.5e18;
    uint256 internal constant DISTANCE_MAX_WAD = 10e18;
    uint256 internal constant HORIZON_MIN = 1 hours;
    uint256 internal constant HORIZON_MAX = 24 hours;
    uint256 internal constant TARGET_MIN_BPS = 10_300;
    uint256 internal constant TARGET_MAX_BPS = 20_000;
    /// @dev A smaller sale is not worth anybody's gas, and its rounding is no longer small.
    uint256 internal constant VALUE_MIN = 10;

    // ------------------------------------------------------------------ validators

    /// @notice Checks what governance sets: a fee within the limit, correlations in order.
    /// @dev up >= 0 and down <= up, so that some matrix of correlations lies between the two and no variance that
    /// follows from them is negative.
    function validate(IProtection.Parameters memory parameters) internal pure {
        _requireWithin("maxFeeBps", parameters.maxFeeBps, 0, FEE_LIMIT_BPS);
        _requireWithin("rampBps", parameters.rampBps, RAMP_MIN_BPS, RAMP_MAX_BPS);
        int256 up = parameters.correlationUpBps;
        _requireSigned("correlationUpBps", up, 0, int256(BPS));
        _requireSigned("correlationDownBps", parameters.correlationDownBps, -int256(BPS), up);
    }

    /// @notice Checks a move of a price.
    function validateShock(int256 shockBps) internal pure {
        _requireSigned("shockBps", shockBps, SHOCK_MIN_BPS, SHOCK_MAX_BPS);
    }

    /// @notice Checks an owner's terms by themselves: at least one collateral, values in order, not expired.
    function validate(IProtection.Terms memory terms, uint256 scenarios) internal view {
        _requireWithin("collaterals", terms.collaterals, 1, type(uint64).max);
        _requireWithin("minDistanceWad", terms.minDistanceWad, DISTANCE_MIN_WAD, DISTANCE_MAX_WAD);
        _requireWithin("horizon", terms.horizon, HORIZON_MIN, HORIZON_MAX);
        _requireWithin("targetHealthFactorBps", terms.targetHealthFactorBps, TARGET_MIN_BPS, TARGET_MAX_BPS);
        _requireWithin("maxFeeBps", terms.maxFeeBps, 0, FEE_LIMIT_BPS);
        _requireWithin("scenarios", terms.scenarios, 0, (1 << scenarios) - 1);
        _requireWithin("expiry", terms.expiry, block.timestamp + 1, type(uint40).max);
        _requireWithin("minValue", terms.minValue, VALUE_MIN, terms.maxValue);
        _requireWithin("maxValue", terms.maxValue, VALUE_MIN, terms.maxDailyValue);
    }

    /// @notice Checks the target against a collateral: health at the target must be borrowing health, k / maxLtv.
    /// @dev Rounding: UP, so that the target suffices. A collateral that nothing may be borrowed against is refused.
    function validateTarget(uint256 targetBps, IClearingHouse.AssetParameters memory asset) internal pure {
        uint256 lowest = asset.maxLtvBps == 0
            ? type(uint256).max
            : (asset.liquidationThresholdBps * BPS + asset.maxLtvBps - 1) / asset.maxLtvBps;
        _requireWithin("targetHealthFactorBps", targetBps, lowest, TARGET_MAX_BPS);
    }

    /// @dev Reverts unless lower <= value <= upper, all above -10,000.
    function _requireSigned(bytes32 name, int256 value, int256 lower, int256 upper) private pure {
        int256 base = int256(BPS);
        if (value >= lower && value <= upper) return;
        // forge-lint: disable-next-line(unsafe-typecast) -- shown, not used
        revert IClearingHouse.ParameterOutOfBounds(
            name, uint256(value + base), uint256(lower + base), uint256(upper + base)
        );
    }

    /// @dev Reverts unless lower <= value <= upper.
    function _requireWithin(bytes32 name, uint256 value, uint256 lower, uint256 upper) private pure {
        if (value < lower || value > upper) revert IClearingHouse.ParameterOutOfBounds(name, value, lower, upper);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {WAD, WAD_PER_BPS, WadMath} from "./WadMath.sol";

/// @title Kinked interest rate, compounded between accruals
/// @notice The rate follows utilisation, the part of the suppliers' assets that is lent out: gently up to the kink,
/// then steeply, so that a pool that runs dry pulls repayments and deposits in.
library InterestRate {
    using WadMath for uint256;

    /// @dev Seconds of a year of 365 days, over which yearly rates are spread.
    uint256 internal constant YEAR = 365 days;

    /// @dev borrowed / supplied in WAD, rounded DOWN, at most 1. The debt may pass the suppliers' claims by the part of
    /// its interest that is set aside as reserve; the pool is then as used as can be.
    function utilisation(uint256 supplied, uint256 borrowed) internal pure returns (uint256) {
        if (borrowed >= supplied) return borrowed == 0 ? 0 : WAD;
        return borrowed.divDown(supplied);
    }

    /// @dev Yearly rate in WAD at utilisation u, with the kink at u_k: base + (kink - base) * u / u_k below it, and
    /// kink + (full - kink) * (u - u_k) / (1 - u_k) above it. Rounding: UP, in favour of the pool.
    function borrowRate(IClearingHouse.RateModel memory model, uint256 supplied, uint256 borrowed)
        internal
        pure
        returns (uint256)
    {
        uint256 used = utilisation(supplied, borrowed);
        uint256 kink = model.kinkBps * WAD_PER_BPS;
        if (used <= kink) return _interpolateUp(model.baseRateBps, model.kinkRateBps, used, kink);
        return _interpolateUp(model.kinkRateBps, model.fullRateBps, used - kink, WAD - kink);
    }

    /// @dev Growth of a debt over `elapsed` seconds at a yearly rate: x + x^2/2 + x^3/6 with x = rate * elapsed / YEAR,
    /// the first three terms of exp(x) - 1. Rounding: each term UP, in favour of the pool; the series itself stays
    /// below the exponential by about x^4/24, two parts in a million of the debt for a month at 100 % a year.
    function growthUp(uint256 rate, uint256 elapsed) internal pure returns (uint256) {
        uint256 first = rate.mulDivUp(elapsed, YEAR);
        uint256 second = first.mulDivUp(first, 2 * WAD);
        uint256 third = second.mulDivUp(first, 3 * WAD);
        return first + second + third;
    }

    /// @dev from + (to - from) * part / whole, from basis points to WAD, rounded UP; needs from <= to.
    function _interpolateUp(uint256 fromBps, uint256 toBps, uint256 part, uint256 whole)
        private
        pure
        returns (uint256)
    {
        return fromBps * WAD_PER_BPS + ((toBps - fromBps) * WAD_PER_BPS).mulDivUp(part, whole);
    }
}

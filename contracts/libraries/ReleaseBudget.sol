// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ILiquidationEngine} from "../interfaces/ILiquidationEngine.sol";
import {BinaryFloat} from "./BinaryFloat.sol";
import {Parameters} from "./Parameters.sol";
import {BPS, WadMath} from "./WadMath.sol";

/// @title How much may be released into a market, and how fast its reserves may fall
/// @notice A leaky bucket for each side of an asset's market. Its level falls by what is sold and rises with time, so
/// that it stands for what the market can take now; the market's *load* is what is missing to its capacity. The clock
/// of every auction that sells into that market runs at the speed level / capacity: it stands still while the bucket is
/// empty or overdrawn, and keeps wall time while it is full; so it shows Unix time less the time lost to load.
/// @dev Level and capacity in micro quote units (1e-6), the clock in milliseconds. Every step is O(1): between two
/// draws the level is a ramp that ends in a plateau, and the clock its integral. All rounding is against release:
/// levels and clocks DOWN, draws UP; so no order of calls releases more, or sooner, than the formulas say, and rolling
/// a bucket forward in pieces can only lose, less than a micro unit and two milliseconds a piece.
library ReleaseBudget {
    using WadMath for uint256;

    /// @dev Micro units in a quote unit, and WAD in a micro unit.
    uint256 private constant MICROS = 1e6;
    uint256 private constant WAD_PER_MICRO = 1e12;
    uint256 private constant MILLIS = 1_000;
    /// @dev Urgency of 1.
    uint256 internal constant URGENT = type(uint8).max;

    // ------------------------------------------------------------------ time

    /// @dev Makes of a bucket as stored the bucket as it stands at `time`. One that was never drawn or poked is full at
    /// the least capacity, and its clock shows Unix time; one whose last poke is older than `depthMaxAge` has the least
    /// capacity, and the load that it had.
    function advance(
        ILiquidationEngine.Bucket memory bucket,
        ILiquidationEngine.SpeedParameters memory speed,
        uint256 time
    ) internal pure {
        uint56 least = uint56(speed.minCapacity * MICROS);
        if (bucket.levelAt == 0) {
            // forge-lint: disable-next-line(unsafe-typecast) -- 32 bits of quote units
            (bucket.level, bucket.capacity) = (int56(least), least);
            (bucket.levelAt, bucket.clock) = (uint32(time), uint48(time * MILLIS));
            return;
        }
        _roll(bucket, speed.recovery, time);
        if (!isFresh(bucket, speed.depthMaxAge, time)) resize(bucket, least);
    }

    /// @dev Whether a poke at most `maxAge` old stands behind the capacity.
    function isFresh(ILiquidationEngine.Bucket memory bucket, uint256 maxAge, uint256 time)
        internal
        pure
        returns (bool)
    {
        return bucket.pokedAt != 0 && time <= bucket.pokedAt + maxAge;
    }

    /// @dev What pools paid for the asset in the minutes before the last poke, WAD quote units per whole token; zero
    /// where there was nothing to see, or the poke is older than `MEAN_PRICE_MAX_AGE`.
    function meanPrice(ILiquidationEngine.Bucket memory bucket, uint256 time) internal pure returns (uint256) {
        return isFresh(bucket, Parameters.MEAN_PRICE_MAX_AGE, time) ? BinaryFloat.unpack(bucket.meanPrice) : 0;
    }

    /// @dev Runs level and clock on to `time`.
    /// level' = min(capacity, level + capacity * elapsed / recovery), the refill rounded DOWN.
    function _roll(ILiquidationEngine.Bucket memory bucket, uint256 recovery, uint256 time) private pure {
        uint256 elapsed = time - bucket.levelAt;
        if (elapsed == 0) return;
        uint256 capacity = bucket.capacity;
        uint256 missing = load(bucket);
        uint256 refill = (capacity * elapsed / recovery).min(missing);
        bucket.clock += uint48(_active(capacity, missing, missing - refill, elapsed, recovery));
        // forge-lint: disable-next-line(unsafe-typecast) -- at most twice the capacity
        bucket.level += int56(uint56(refill));
        bucket.levelAt = uint32(time);
    }

    /// @dev The integral of max(0, level) / capacity over `elapsed` seconds in which the load falls from `before` to
    /// `afterwards`, in milliseconds: on the ramp (high^2 - low^2) * recovery / (2 * capacity^2), where low and high
    /// are the levels at its ends, at least zero; then all of the time from when it is full.
    /// Rounding: DOWN, the time to full UP. At most the wall time, since the ramp is below 1 all along.
    function _active(uint256 capacity, uint256 before, uint256 afterwards, uint256 elapsed, uint256 recovery)
        private
        pure
        returns (uint256 active)
    {
        uint256 low = capacity.zeroFloorSub(before);
        uint256 high = capacity.zeroFloorSub(afterwards);
        active = (high * high - low * low) * recovery * MILLIS / (2 * capacity * capacity);
        uint256 untilFull = before.mulDivUp(recovery * MILLIS, capacity);
        active += (elapsed * MILLIS).zeroFloorSub(untilFull);
    }

    // ------------------------------------------------------------------ load and capacity

    /// @dev What the market still has to digest: capacity - level.
    function load(ILiquidationEngine.Bucket memory bucket) internal pure returns (uint256) {
        // forge-lint: disable-next-line(unsafe-typecast) -- the level is at most the capacity
        return uint256(int256(uint256(bucket.capacity)) - bucket.level);
    }

    /// @dev Gives a bucket another capacity. The load stays, so that neither a deeper nor a shallower market forgets
    /// what was sold into it; it is at most twice the capacity, as after an overdraft.
    function resize(ILiquidationEngine.Bucket memory bucket, uint56 capacity) internal pure {
        uint256 loaded = load(bucket).min(2 * uint256(capacity));
        bucket.capacity = capacity;
        // forge-lint: disable-next-line(unsafe-typecast) -- between -capacity and capacity
        bucket.level = int56(int256(uint256(capacity)) - int256(loaded));
    }

    /// @dev clamp(shape * depth, B_min, B_max), rounded DOWN to a micro unit; `depth` in WAD quote units.
    function capacityOf(uint256 depth, ILiquidationEngine.SpeedParameters memory speed) internal pure returns (uint56) {
        uint256 shaped = depth.bpsDown(speed.shapeBps) / WAD_PER_MICRO;
        return uint56(shaped.max(speed.minCapacity * MICROS).min(speed.maxCapacity * MICROS));
    }

    /// @dev Depth at the slippage limit behind a bucket: capacity / shape, WAD quote units, rounded DOWN.
    function depthOf(ILiquidationEngine.Bucket memory bucket, uint256 shapeBps) internal pure returns (uint256) {
        return bucket.capacity * WAD_PER_MICRO * BPS / shapeBps;
    }

    // ------------------------------------------------------------------ release

    /// @dev Whether a settlement may draw: level > -u * capacity; always where u = 1.
    function isOpen(ILiquidationEngine.Bucket memory bucket, uint256 urgency) internal pure returns (bool) {
        if (urgency == URGENT) return true;
        // forge-lint: disable-next-line(unsafe-typecast) -- 72 bits
        return int256(bucket.level) * int256(URGENT) + int256(urgency * bucket.capacity) > 0;
    }

    /// @dev Largest value of one settlement, WAD quote units: the capacity.
    function largestDraw(ILiquidationEngine.Bucket memory bucket) internal pure returns (uint256) {
        return bucket.capacity * WAD_PER_MICRO;
    }

    /// @dev Takes `value`, WAD quote units, off the level, rounded UP to a micro unit; an overdraft ends at -capacity.
    function draw(ILiquidationEngine.Bucket memory bucket, uint256 value) internal pure {
        uint256 drawn = value.mulDivUp(1, WAD_PER_MICRO);
        uint256 loaded = (load(bucket) + drawn).min(2 * uint256(bucket.capacity));
        // forge-lint: disable-next-line(unsafe-typecast) -- between -capacity and capacity
        bucket.level = int56(int256(uint256(bucket.capacity)) - int256(loaded));
    }
}

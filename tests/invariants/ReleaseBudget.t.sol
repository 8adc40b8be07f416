// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {BinaryFloat} from "../../contracts/libraries/BinaryFloat.sol";
import {Parameters} from "../../contracts/libraries/Parameters.sol";
import {ReleaseBudget} from "../../contracts/libraries/ReleaseBudget.sol";
import {Test} from "../support/forge/Test.sol";

/// @title What a market releases, and how fast its clock runs
contract ReleaseBudgetTest is Test {
    uint256 private constant NOW = 1_700_000_000;
    uint256 private constant MICRO = 1e6;

    // ------------------------------------------------------------------ the level

    function test_a_bucket_never_touched_is_full_at_the_least_capacity_and_shows_unix_time() external pure {
        ILiquidationEngine.Bucket memory untouched;
        ILiquidationEngine.Bucket memory bucket = _at(untouched, NOW);
        assertEq(int256(bucket.level), int256(10_000 * MICRO));
        assertEq(bucket.capacity, 10_000 * MICRO);
        assertEq(bucket.clock, NOW * 1_000);
        assertEq(bucket.levelAt, NOW);
        assertEq(bucket.pokedAt, 0);
    }

    function test_a_level_refills_in_the_recovery_time() external pure {
        ILiquidationEngine.Bucket memory bucket = _bucket(0, 100_000 * MICRO);
        assertEq(int256(_after(bucket, 30).level), int256(25_000 * MICRO));
        assertEq(int256(_after(bucket, 119).level), int256(99_166_666_666));
        assertEq(int256(_after(bucket, 120).level), int256(100_000 * MICRO));
        assertEq(int256(_after(bucket, 500).level), int256(100_000 * MICRO));
    }

    function test_an_overdraft_refills_at_the_same_speed() external pure {
        ILiquidationEngine.Bucket memory bucket = _bucket(-100_000e6, 100_000 * MICRO);
        assertEq(int256(_after(bucket, 120).level), 0);
        assertEq(int256(_after(bucket, 240).level), int256(100_000 * MICRO));
    }

    // ------------------------------------------------------------------ the clock

    function test_a_full_bucket_keeps_wall_time() external pure {
        assertEq(_ran(_bucket(100_000e6, 100_000 * MICRO), 77), 77_000);
    }

    /// @dev Less than a millisecond to full counts as one: the clock is rounded down.
    function test_a_bucket_short_of_full_by_a_unit_loses_a_millisecond() external pure {
        assertEq(_ran(_bucket(100_000e6 - 1, 100_000 * MICRO), 77), 76_999);
    }

    function test_an_empty_bucket_runs_half_its_recovery() external pure {
        assertEq(_ran(_bucket(0, 100_000 * MICRO), 120), 60_000);
        assertEq(_ran(_bucket(0, 100_000 * MICRO), 180), 120_000);
        assertEq(_ran(_bucket(0, 100_000 * MICRO), 60), 15_000); // 60 s at a quarter on average
    }

    function test_an_overdrawn_bucket_stands_still_until_it_is_level() external pure {
        ILiquidationEngine.Bucket memory bucket = _bucket(-100_000e6, 100_000 * MICRO);
        assertEq(_ran(bucket, 120), 0);
        assertEq(_ran(bucket, 180), 15_000);
        assertEq(_ran(bucket, 240), 60_000);
    }

    function test_the_clock_never_outruns_the_wall_and_never_runs_back(uint256 level, uint256 capacity, uint256 elapsed)
        external
        pure
    {
        ILiquidationEngine.Bucket memory bucket = _drawn(level, capacity);
        elapsed = bound(elapsed, 0, 1 days);
        uint256 ran = _ran(bucket, elapsed);
        assertLe(ran, elapsed * 1_000);
        assertGe(_ran(bucket, elapsed + 1), ran);
        assertGe(int256(_after(bucket, elapsed + 1).level), int256(_after(bucket, elapsed).level));
    }

    /// @dev A poke or a draw of nothing in between may only lose: at most 2 ms and a micro unit for each.
    function test_rolling_in_pieces_loses_next_to_nothing(
        uint256 level,
        uint256 capacity,
        uint256 elapsed,
        uint256 pieces
    ) external pure {
        ILiquidationEngine.Bucket memory bucket = _drawn(level, capacity);
        pieces = bound(pieces, 1, 40);
        elapsed = bound(elapsed, 0, 600);
        uint256 start = bucket.clock;
        ILiquidationEngine.Bucket memory whole = _after(bucket, elapsed * pieces);
        for (uint256 i = 0; i < pieces; ++i) {
            bucket = _after(bucket, elapsed);
        }
        assertLe(int256(bucket.level), int256(whole.level));
        assertLe(int256(whole.level) - int256(bucket.level), int256(pieces));
        // a level that is short by `pieces` slows every millisecond by pieces / capacity
        uint256 slack = 2 * pieces + pieces * pieces * elapsed * 1_000 / bucket.capacity + 1;
        assertLe(bucket.clock, whole.clock);
        assertLe(whole.clock - bucket.clock, slack);
        assertGe(bucket.clock, start);
    }

    /// @dev The closed form against the sum of many short steps at the level in the middle of each.
    function test_the_closed_form_is_the_integral(uint256 level, uint256 elapsed) external pure {
        uint256 capacity = 1_000_000 * MICRO;
        ILiquidationEngine.Bucket memory bucket = _drawn(level, capacity);
        elapsed = bound(elapsed, 1, 400);
        uint256 sum;
        int256 current = bucket.level;
        int256 step = int256(capacity / 120 / 5); // 200 ms
        for (uint256 i = 0; i < elapsed * 5; ++i) {
            int256 middle = current + step / 2;
            if (middle > int256(capacity)) middle = int256(capacity);
            if (middle > 0) sum += uint256(middle) * 200;
            current += step;
            if (current > int256(capacity)) current = int256(capacity);
        }
        assertApproxEqAbs(_ran(bucket, elapsed), sum / capacity, 200);
    }

    // ------------------------------------------------------------------ capacity

    function test_capacity_is_a_fraction_of_depth_between_its_bounds() external pure {
        ILiquidationEngine.SpeedParameters memory speed = _speed();
        assertEq(ReleaseBudget.capacityOf(0, speed), 10_000 * MICRO);
        assertEq(ReleaseBudget.capacityOf(20_000e18, speed), 10_000 * MICRO);
        assertEq(ReleaseBudget.capacityOf(1_000_000e18 + 3e12, speed), 500_000 * MICRO + 1);
        assertEq(ReleaseBudget.capacityOf(10_000_000e18, speed), 5_000_000 * MICRO);
        assertEq(ReleaseBudget.capacityOf(type(uint128).max, speed), 5_000_000 * MICRO);
    }

    function test_a_new_capacity_keeps_the_load() external pure {
        ILiquidationEngine.Bucket memory bucket = _bucket(60_000e6, 100_000 * MICRO); // 40,000 loaded
        ReleaseBudget.resize(bucket, uint56(500_000 * MICRO));
        assertEq(int256(bucket.level), int256(460_000 * MICRO));
        ReleaseBudget.resize(bucket, uint56(30_000 * MICRO));
        assertEq(int256(bucket.level), -int256(10_000 * MICRO));
        ReleaseBudget.resize(bucket, uint56(10_000 * MICRO));
        assertEq(int256(bucket.level), -int256(10_000 * MICRO), "overdrawn at most by its capacity");
    }

    function test_an_old_poke_counts_as_the_least_capacity_and_keeps_the_load() external pure {
        ILiquidationEngine.Bucket memory bucket = _bucket(496_000e6, 500_000 * MICRO);
        bucket.levelAt = uint32(NOW + 1_800);
        ILiquidationEngine.Bucket memory fresh = _at(bucket, NOW + 1_800);
        assertEq(fresh.capacity, 500_000 * MICRO);
        bucket.levelAt = uint32(NOW + 1_801);
        ILiquidationEngine.Bucket memory stale = _at(bucket, NOW + 1_801);
        assertEq(stale.capacity, 10_000 * MICRO);
        assertEq(int256(stale.level), int256(6_000 * MICRO));
    }

    // ------------------------------------------------------------------ draws

    function test_a_draw_lowers_the_level_rounded_up_and_overdraws_by_the_capacity_at_most() external pure {
        ILiquidationEngine.Bucket memory bucket = _bucket(100_000e6, 100_000 * MICRO);
        ReleaseBudget.draw(bucket, 1);
        assertEq(int256(bucket.level), int256(100_000 * MICRO) - 1);
        ReleaseBudget.draw(bucket, 99_999e18);
        assertEq(int256(bucket.level), int256(MICRO) - 1);
        ReleaseBudget.draw(bucket, 100_000e18);
        assertEq(int256(bucket.level), int256(MICRO) - 1 - int256(100_000 * MICRO));
        ReleaseBudget.draw(bucket, 100_000e18);
        assertEq(int256(bucket.level), -int256(100_000 * MICRO));
    }

    function test_a_bucket_opens_above_zero_and_lower_with_urgency() external pure {
        uint256 capacity = 255_000 * MICRO;
        assertTrue(ReleaseBudget.isOpen(_bucket(1, capacity), 0));
        assertFalse(ReleaseBudget.isOpen(_bucket(0, capacity), 0));
        assertTrue(ReleaseBudget.isOpen(_bucket(0, capacity), 1));
        assertTrue(ReleaseBudget.isOpen(_bucket(-100_000e6 + 1, capacity), 100));
        assertFalse(ReleaseBudget.isOpen(_bucket(-100_000e6, capacity), 100));
        assertFalse(ReleaseBudget.isOpen(_bucket(-255_000e6, capacity), 254));
        assertTrue(ReleaseBudget.isOpen(_bucket(-255_000e6, capacity), 255));
    }

    /// @dev However it is asked for, no more is released over a time than two capacities, one for the last overdraft,
    /// and the refill.
    function test_release_is_bounded_by_the_refill(uint256 seed) external pure {
        ILiquidationEngine.Bucket memory bucket = _bucket(100_000e6, 100_000 * MICRO);
        uint256 released;
        uint256 time;
        for (uint256 i = 0; i < 30; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 wait = seed % 60;
            bucket = _after(bucket, wait);
            time += wait;
            if (!ReleaseBudget.isOpen(bucket, 0)) continue;
            uint256 value = bound(seed >> 128, 1, ReleaseBudget.largestDraw(bucket));
            ReleaseBudget.draw(bucket, value);
            released += value;
        }
        assertLe(released, 200_000e18 + 100_000e18 * time / 120);
    }

    function test_depth_is_capacity_over_shape() external pure {
        assertEq(ReleaseBudget.depthOf(_bucket(0, 100_000 * MICRO), 5_000), 200_000e18);
    }

    // ------------------------------------------------------------------ what pools paid

    function test_what_pools_paid_is_known_for_a_minute() external pure {
        ILiquidationEngine.Bucket memory bucket = _bucket(0, 100_000 * MICRO);
        bucket.meanPrice = BinaryFloat.packUp(2_000e18);
        uint256 price = BinaryFloat.unpack(bucket.meanPrice);
        assertEq(ReleaseBudget.meanPrice(bucket, NOW), price);
        assertEq(ReleaseBudget.meanPrice(bucket, NOW + 60), price);
        assertEq(ReleaseBudget.meanPrice(bucket, NOW + 61), 0);
        bucket.pokedAt = 0;
        assertEq(ReleaseBudget.meanPrice(bucket, NOW), 0);
    }

    function test_a_price_is_kept_to_one_part_in_sixteen_million(uint256 price) external pure {
        price = bound(price, 0, 2 ** 152 - 2 ** 128);
        uint256 low = BinaryFloat.unpack(BinaryFloat.packDown(price));
        uint256 high = BinaryFloat.unpack(BinaryFloat.packUp(price));
        assertLe(low, price);
        assertGe(high, price);
        assertLe(high - low, price >> 24);
        if (price < 2 ** 25) assertEq(high, low, "small numbers are exact");
        assertEq(BinaryFloat.unpack(BinaryFloat.packUp(high)), high, "what was packed packs to itself");
    }

    function test_a_mantissa_that_overflows_carries_into_the_exponent() external pure {
        assertEq(BinaryFloat.unpack(BinaryFloat.packUp(2 ** 90 - 1)), 2 ** 90);
        assertEq(BinaryFloat.unpack(BinaryFloat.packDown(2 ** 90 - 1)), 2 ** 90 - 2 ** 65);
        assertEq(BinaryFloat.unpack(BinaryFloat.packUp(2 ** 65 * (2 ** 24 + 3))), 2 ** 65 * (2 ** 24 + 3));
    }

    // ------------------------------------------------------------------ figures

    function _speed() private pure returns (ILiquidationEngine.SpeedParameters memory) {
        return ILiquidationEngine.SpeedParameters({
            recovery: Parameters.RECOVERY,
            slippageLimitBps: Parameters.SLIPPAGE_LIMIT_BPS,
            nearSlippageBps: Parameters.NEAR_SLIPPAGE_BPS,
            shapeBps: Parameters.SHAPE_BPS,
            urgencyZBps: Parameters.URGENCY_Z_BPS,
            tauClear: Parameters.TAU_CLEAR,
            minCapacity: Parameters.CAPACITY_MIN,
            maxCapacity: Parameters.CAPACITY_MAX,
            depthMaxAge: Parameters.DEPTH_MAX_AGE,
            choiceToleranceBps: Parameters.CHOICE_TOLERANCE_BPS
        });
    }

    /// @dev Poked and drawn now.
    function _bucket(int56 level, uint256 capacity) private pure returns (ILiquidationEngine.Bucket memory) {
        return ILiquidationEngine.Bucket(level, uint56(capacity), uint32(NOW), uint48(NOW * 1_000), uint32(NOW), 0);
    }

    /// @dev Any level that its capacity allows.
    function _drawn(uint256 level, uint256 capacity) private pure returns (ILiquidationEngine.Bucket memory) {
        capacity = bound(capacity, 1_000 * MICRO, 1_000_000_000 * MICRO);
        return _bucket(int56(int256(bound(level, 0, 2 * capacity)) - int256(capacity)), capacity);
    }

    /// @dev The bucket later, its poke as fresh as it was.
    function _after(ILiquidationEngine.Bucket memory bucket, uint256 elapsed)
        private
        pure
        returns (ILiquidationEngine.Bucket memory later)
    {
        uint256 time = bucket.levelAt + elapsed;
        bucket.pokedAt = uint32(time);
        later = _at(bucket, time);
    }

    /// @dev What a bucket becomes; it stays as it is itself.
    function _at(ILiquidationEngine.Bucket memory bucket, uint256 time)
        private
        pure
        returns (ILiquidationEngine.Bucket memory later)
    {
        (later.level, later.capacity, later.levelAt) = (bucket.level, bucket.capacity, bucket.levelAt);
        (later.clock, later.pokedAt, later.meanPrice) = (bucket.clock, bucket.pokedAt, bucket.meanPrice);
        ReleaseBudget.advance(later, _speed(), time);
    }

    function _ran(ILiquidationEngine.Bucket memory bucket, uint256 elapsed) private pure returns (uint256) {
        return _after(bucket, elapsed).clock - bucket.clock;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {BinaryFloat} from "../../contracts/libraries/BinaryFloat.sol";
import {ReserveCurve} from "../../contracts/libraries/ReserveCurve.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";
import {DepthDouble} from "./support/DepthDouble.sol";

/// @title What a market releases, and how it slows what is sold into it
contract LiquidationEngineBudgetTest is EngineFixture {
    ILiquidationEngine.Side private constant SELL = ILiquidationEngine.Side.SELL;
    ILiquidationEngine.Side private constant BUY = ILiquidationEngine.Side.BUY;

    DepthDouble private _depth;

    function setUp() public override {
        super.setUp();
        _depth = new DepthDouble();
        engine.setMarketDepth(address(_depth));
        engine.setBudgeted(WETH, true);
        engine.setBudgeted(WBTC, true);
        _fund(taker, USDC, 10_000_000 * ONE_USDC);
        _fund(taker, WETH, 10_000 * ONE_WETH);
    }

    // ------------------------------------------------------------------ poke

    function test_poke_sets_the_capacity_of_both_sides_and_tells_it() external {
        _depth.set(WETH, 0, 400_000e18);
        _depth.set(WETH, 1, 300_000e18);
        _depth.setMeanPrice(WETH, 2_000e18 / uint256(3));
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.Poked(WETH, SELL, 200_000e6, 400_000e18, 2_000e18 / uint256(3));
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.Poked(WETH, BUY, 150_000e6, 300_000e18, 2_000e18 / uint256(3));
        vm.prank(taker);
        engine.poke(WETH);
        ILiquidationEngine.Bucket memory bucket = engine.bucket(WETH, SELL);
        assertEq(bucket.capacity, 200_000e6);
        assertEq(int256(bucket.level), int256(200_000e6));
        assertEq(bucket.pokedAt, vm.getBlockTimestamp());
        assertEq(bucket.clock, vm.getBlockTimestamp() * 1_000);
        assertEq(bucket.meanPrice, BinaryFloat.packUp(2_000e18 / uint256(3)), "up where it is sold");
        assertEq(engine.bucket(WETH, BUY).meanPrice, BinaryFloat.packDown(2_000e18 / uint256(3)), "down where bought");
    }

    function test_a_depth_that_collapses_leaves_the_least_capacity() external {
        _poke(WETH, 400_000e18);
        _poke(WETH, 0);
        assertEq(engine.bucketNow(WETH, SELL).capacity, 10_000e6);
        _poke(WETH, 1e30);
        assertEq(engine.bucketNow(WETH, SELL).capacity, 5_000_000e6);
    }

    function test_a_poke_that_is_too_old_counts_as_the_least_capacity() external {
        _poke(WETH, 400_000e18);
        skip(1_800);
        assertEq(engine.bucketNow(WETH, SELL).capacity, 200_000e6);
        skip(1);
        assertEq(engine.bucketNow(WETH, SELL).capacity, 10_000e6);
    }

    // ------------------------------------------------------------------ draws

    function test_a_take_draws_its_value_and_is_at_most_the_capacity() external {
        _kickWhale();
        skip(60);
        (uint256 seized,) = _take(WETH, USDC, NO_LIMIT);
        assertEq(seized * 1_900, 10_000e18 - 10_000e18 % 1_900, "10,000 of 1,900 each");
        ILiquidationEngine.Bucket memory bucket = engine.bucket(WETH, SELL);
        assertApproxEqAbs(uint256(int256(bucket.level)), 0, 1);
        assertEq(bucket.capacity, 10_000e6);
    }

    function test_an_empty_bucket_refuses_until_it_refills() external {
        _kickWhale();
        skip(60);
        _drain();
        int256 level = int256(engine.bucket(WETH, SELL).level);
        assertEq(level, -int256(9_500e6), "the last lot overdrew");
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.BudgetExhausted.selector, WETH, SELL, level));
        _take(WETH, USDC, NO_LIMIT);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.BudgetExhausted.selector, WETH, SELL, level));
        engine.largestSlice(borrower, WETH, USDC);
        skip(114);
        vm.expectPartialRevert(ILiquidationEngine.BudgetExhausted.selector);
        _take(WETH, USDC, NO_LIMIT);
        skip(1);
        _take(WETH, USDC, NO_LIMIT);
    }

    function test_a_short_draws_on_the_buy_side_of_its_debt() external {
        _deposit(borrower, USDC, 200_000 * ONE_USDC);
        _borrow(borrower, WETH, 80 * ONE_WETH);
        skip(12);
        _publish(WETH, 2_150e8);
        _kick(borrower, _ids(USDC));
        (uint48 clockAt, uint32 epoch) = engine.buyClock(borrower, WETH);
        assertEq(clockAt, vm.getBlockTimestamp() * 1_000);
        assertEq(epoch, 0);
        skip(60);
        (uint256 seized,) = _take(USDC, WETH, NO_LIMIT);
        assertEq(seized, 10_000 * ONE_USDC);
        assertEq(int256(engine.bucket(WETH, BUY).level), 0);
        assertEq(engine.bucket(WETH, SELL).levelAt, 0, "the other side is not touched");
        vm.expectPartialRevert(ILiquidationEngine.BudgetExhausted.selector);
        _take(USDC, WETH, NO_LIMIT);
    }

    function test_a_swap_draws_and_is_cut_too() external {
        _kickWhale();
        _pool(WETH, 1_900e18, 200_000_000);
        skip(200);
        (uint256 seized,) = _swap(WETH, USDC, NO_LIMIT, 0);
        assertLe(seized * 1_900, 10_000e18);
        assertGt(seized * 1_901, 10_000e18);
        vm.expectPartialRevert(ILiquidationEngine.BudgetExhausted.selector);
        _swap(WETH, USDC, NO_LIMIT, 0);
    }

    function test_a_deep_market_releases_a_slice_whole() external {
        _kickWhale();
        _poke(WETH, 10_000_000e18);
        skip(60);
        uint256 seized = engine.largestSlice(borrower, WETH, USDC).seized;
        assertGt(seized * 1_900, 200_000e18);
        _take(WETH, USDC, NO_LIMIT);
        assertFalse(_flagged(borrower));
    }

    function test_what_the_capacity_would_leave_as_dust_goes_whole() external {
        _deposit(borrower, WETH, 5.28e18); // 10,032 at 1,900
        _deposit(borrower, WBTC, ONE_WBTC / 10);
        _borrow(borrower, USDC, 12_500 * ONE_USDC);
        skip(12);
        _publish(WETH, 1_900e8);
        _publish(WBTC, 30_000e8);
        _kick(borrower, _ids(WETH, WBTC));
        skip(60);
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, WETH, USDC);
        assertEq(slice.seized, 5.28e18);
    }

    // ------------------------------------------------------------------ the clock

    function test_the_reserve_waits_while_the_market_is_loaded() external {
        _kickWhale();
        skip(60);
        uint256 empty = engine.bucketNow(WETH, SELL).clock;
        uint256 before = engine.reservePrice(borrower, WETH);
        _drain(); // to -95 %: 114 s until it is level
        skip(114);
        assertEq(engine.bucketNow(WETH, SELL).clock, empty);
        assertEq(engine.reservePrice(borrower, WETH), before, "stood still");
        skip(120);
        assertApproxEqAbs(engine.bucketNow(WETH, SELL).clock - empty, 60_000, 1);
        ILiquidationEngine.AuctionLeg memory leg = engine.auctionLeg(borrower, WETH);
        uint256 expected = ReserveCurve.multiplierUp(
            leg.startMultiplierWad, leg.decayPerSecondWad, engine.bucketNow(WETH, SELL).clock - leg.clockAt, 0.8e18
        );
        assertEq(engine.reservePrice(borrower, WETH), expected * 1_900);
    }

    function test_the_slower_of_two_markets_sets_the_pace() external {
        _deposit(borrower, WBTC, ONE_WBTC);
        _borrow(borrower, WETH, 20 * ONE_WETH);
        skip(12);
        _publish(WBTC, 50_000e8);
        _kick(borrower, _ids(WBTC));
        skip(30);
        _take(WBTC, WETH, NO_LIMIT);
        skip(60);
        uint256 atOnce = engine.reservePrice(borrower, WBTC);
        _poke(WBTC, 1e30); // a full bucket on the sell side alone would keep wall time
        skip(30);
        uint256 sell = engine.bucketNow(WBTC, SELL).clock;
        (uint48 clockAt,) = engine.buyClock(borrower, WETH);
        uint256 buy = engine.bucketNow(WETH, BUY).clock - clockAt;
        assertLt(buy, sell - engine.auctionLeg(borrower, WBTC).clockAt);
        assertEq(engine.reservePrice(borrower, WBTC), _at(WBTC, buy) * 50_000);
        assertLt(engine.reservePrice(borrower, WBTC), atOnce);
    }

    function test_a_market_that_gets_its_budget_later_keeps_wall_time() external {
        engine.setBudgeted(WETH, false);
        _kickWhale();
        skip(60);
        uint256 before = engine.reservePrice(borrower, WETH);
        engine.setBudgeted(WETH, true);
        assertEq(engine.reservePrice(borrower, WETH), before);
    }

    // ------------------------------------------------------------------ the start

    function test_a_lot_within_the_near_depth_starts_near_the_market() external {
        _openLong();
        _publish(WETH, 1_900e8); // a lot of some 4,500
        _pokeNear(WETH, 100_000e18, 1_890e18); // 15,000 within 0.3 %
        _kick(borrower, _ids(WETH));
        assertEq(engine.reservePrice(borrower, WETH), 1_900 * 0.9965e18, "and no lower where pools pay less");
    }

    function test_it_starts_higher_by_what_the_pools_pay_above_the_oracle() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _pokeNear(WETH, 100_000e18, 1_919e18); // 1 % above
        _kick(borrower, _ids(WETH));
        uint256 start = engine.auctionLeg(borrower, WETH).startMultiplierWad;
        assertEq(start, _expected(1_919e18, 1_900e18));
        assertApproxEqRel(start, 0.9965e18 * 1.01, 1e11);
        assertGe(start, 0.9965e18 * 1.01, "in favour of the account");
    }

    function test_what_pools_paid_is_held_against_the_oracle_of_the_kick() external {
        _openLong();
        _pokeNear(WETH, 100_000e18, 1_920e18);
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        assertEq(engine.auctionLeg(borrower, WETH).startMultiplierWad, _expected(1_920e18, 1_900e18));
        assertGt(engine.reservePrice(borrower, WETH), 1_913e18);
    }

    function test_no_mean_lifts_a_near_start_beyond_its_bound(uint256 meanPrice, uint256 price) external {
        price = bound(price, 1_700e8, 1_910e8);
        meanPrice = bound(meanPrice, 1, 1e27);
        _openLong();
        _publish(WETH, int256(price));
        _pokeNear(WETH, 10_000_000e18, meanPrice);
        _kick(borrower, _ids(WETH));
        uint256 start = engine.auctionLeg(borrower, WETH).startMultiplierWad;
        assertGe(start, 0.9965e18);
        assertLe(start, 1.03e18);
        assertEq(start, _expected(meanPrice, price * 1e10));
    }

    function test_a_short_starts_higher_where_its_debt_is_cheap_in_the_pools() external {
        _deposit(borrower, USDC, 20_000 * ONE_USDC);
        _borrow(borrower, WETH, 8 * ONE_WETH);
        skip(12);
        _publish(WETH, 2_150e8);
        _pokeNear(WETH, 1_000_000e18, 2_128.5e18); // 1 % below
        _kick(borrower, _ids(USDC));
        uint256 start = engine.auctionLeg(borrower, USDC).startMultiplierWad;
        assertApproxEqRel(start, 0.9965e20 / uint256(99), 1e12);
        assertGe(start * 99, 0.9965e20);
    }

    function test_of_several_debts_the_one_that_pools_sell_cheapest_counts() external {
        _deposit(borrower, WBTC, ONE_WBTC);
        _borrow(borrower, WETH, 10 * ONE_WETH);
        _borrow(borrower, USDC, 20_000 * ONE_USDC);
        skip(12);
        _publish(WBTC, 52_000e8);
        _pokeNear(WBTC, 10_000_000e18, 52_260e18); // 0.5 % above
        _pokeNear(WETH, 10_000_000e18, 2_020e18); // dearer than USDC, which has no bucket
        _kick(borrower, _ids(WBTC));
        assertApproxEqRel(engine.auctionLeg(borrower, WBTC).startMultiplierWad, 0.9965e18 * 1.005, 1e11);
    }

    function test_a_larger_lot_starts_far() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _pokeNear(WETH, 25_000e18, 1_900e18); // 3,750 within 0.3 %
        uint256 snapshot = vm.snapshotState();
        _kick(borrower, _ids(WETH));
        assertEq(_start(), engine.farCurve(WETH).startMultiplierWad);
        vm.revertToState(snapshot);
        _pokeNear(WETH, 25_000e18, 1_938e18);
        _kick(borrower, _ids(WETH));
        assertEq(_start(), _expected(1_938e18, 1_900e18), "and no lower than the pools pay");
    }

    function test_where_nobody_knows_what_pools_pay_a_lot_starts_far() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _pokeNear(WETH, 100_000e18, 1_890e18);
        skip(60);
        uint256 snapshot = vm.snapshotState();
        _kick(borrower, _ids(WETH));
        assertEq(_start(), 0.9965e18, "a minute old");
        vm.revertToState(snapshot);
        skip(1);
        _kick(borrower, _ids(WETH));
        assertEq(_start(), engine.farCurve(WETH).startMultiplierWad, "older");
        vm.revertToState(snapshot);
        _pokeNear(WETH, 100_000e18, 0);
        _kick(borrower, _ids(WETH));
        assertEq(_start(), engine.farCurve(WETH).startMultiplierWad, "no pool with a record");
    }

    function test_a_debt_of_which_nothing_is_known_starts_far() external {
        _deposit(borrower, WBTC, ONE_WBTC);
        _borrow(borrower, WETH, 20 * ONE_WETH);
        skip(12);
        _publish(WBTC, 50_000e8);
        _pokeNear(WBTC, 10_000_000e18, 50_000e18);
        _kick(borrower, _ids(WBTC));
        assertEq(engine.auctionLeg(borrower, WBTC).startMultiplierWad, engine.farCurve(WBTC).startMultiplierWad);
    }

    function test_a_small_lot_is_kicked_and_swapped_in_one_call() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _pool(WETH, 1_900e18, 200_000_000);
        _pokeNear(WETH, 10_000_000e18, 1_900e18);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(engine.kick, (borrower, _ids(WETH)));
        calls[1] = abi.encodeCall(engine.swap, (borrower, WETH, USDC, NO_LIMIT, 0, address(venue), _route(WETH, USDC)));
        vm.prank(keeper);
        IMulticall(address(engine)).multicall(calls);
        assertFalse(_flagged(borrower));
        assertGt(house.healthFactor(borrower), 1.049e18);
        assertGt(house.creditOf(USDC, keeper), 4 * ONE_USDC, "tip and chip");
        _assertBooksBalance();
    }

    // ------------------------------------------------------------------ urgency

    function test_urgency_lifts_gate_and_cap_near_insolvency() external {
        _kickWhale();
        skip(60);
        _drain();
        vm.expectPartialRevert(ILiquidationEngine.BudgetExhausted.selector);
        _take(WETH, USDC, NO_LIMIT);
        _publish(WETH, 1_600e8); // V * 0.975 below D
        (uint256 seized,) = _take(WETH, USDC, 100 * ONE_WETH);
        assertEq(seized, 100 * ONE_WETH);
        assertEq(engine.auctionLeg(borrower, WETH).urgency, 255);
        assertEq(int256(engine.bucket(WETH, SELL).level), -int256(10_000e6), "at the bottom");
    }

    function test_urgency_pulls_the_clock_to_wall_time_and_stays() external {
        _kickWhale();
        uint256 kickedAt = vm.getBlockTimestamp();
        skip(60);
        _drain();
        skip(90);
        assertEq(engine.reservePrice(borrower, WETH), _at(WETH, 60_000) * 1_900);
        _publish(WETH, 1_600e8);
        uint256 wall = (vm.getBlockTimestamp() - kickedAt) * 1_000;
        assertEq(engine.reservePrice(borrower, WETH), _at(WETH, wall) * 1_600);
        _take(WETH, USDC, ONE_WETH);
        _publish(WETH, 1_900e8);
        assertEq(engine.reservePrice(borrower, WETH), _at(WETH, wall) * 1_900, "a running maximum");
    }

    function test_between_urgency_opens_the_bucket_in_part(uint256 price) external {
        _kickWhale();
        skip(60);
        _drain();
        skip(42); // level = -60 % of the capacity
        _publish(WETH, int256(bound(price, 1_630e8, 1_700e8)));
        vm.prank(taker);
        try engine.take(borrower, WETH, USDC, ONE_WETH, NO_LIMIT, taker, "") {
            assertGe(uint256(engine.auctionLeg(borrower, WETH).urgency), 152, "0.6 of 255");
        } catch (bytes memory reason) {
            assertEq(bytes32(bytes4(reason)), bytes32(ILiquidationEngine.BudgetExhausted.selector));
        }
    }

    // ------------------------------------------------------------------ who would gain

    /// @dev A taker who washes a small account of his own to drain the bucket of a large one pays a penalty for it,
    /// and a slower clock gives nobody a better price.
    function test_draining_a_bucket_with_decoys_costs_their_owner() external {
        address decoy = makeAddr("decoy");
        _deposit(decoy, WETH, 8 * ONE_WETH);
        _borrow(decoy, USDC, 12_750 * ONE_USDC);
        _kickWhale();
        vm.prank(taker);
        engine.kick(decoy, _ids(WETH));
        skip(60);
        uint256 price = engine.reservePrice(borrower, WETH);
        uint256 before = _worth(decoy);
        vm.prank(taker);
        engine.take(decoy, WETH, USDC, NO_LIMIT, NO_LIMIT, taker, "");
        assertLt(_worth(decoy), before, "the decoy's owner pays the penalty");
        vm.warp(vm.getBlockTimestamp() + 1);
        assertGe(engine.reservePrice(borrower, WETH) + 1e15, price * 9_999 / 10_000, "no lower for the drain");
    }

    function test_moving_depth_inside_a_block_changes_speed_alone() external {
        _kickWhale();
        _poke(WETH, 400_000e18);
        skip(60);
        uint256 price = engine.reservePrice(borrower, WETH);
        _poke(WETH, 0);
        assertEq(engine.reservePrice(borrower, WETH), price);
        assertEq(engine.bucketNow(WETH, SELL).capacity, 10_000e6);
        _poke(WETH, 1e30);
        assertEq(engine.reservePrice(borrower, WETH), price);
        assertLe(engine.largestSlice(borrower, WETH, USDC).seized * 1_900, 5_000_000e18);
    }

    // ------------------------------------------------------------------ accounts

    /// @dev 1,000 WETH, unhealthy at 1,900, against a capacity of 10,000 until depth is poked.
    function _kickWhale() private {
        _deposit(borrower, WETH, 1_000 * ONE_WETH);
        _borrow(borrower, USDC, 1_590_000 * ONE_USDC);
        skip(12);
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
    }

    /// @dev 500 of the capacity is left when the last lot takes 10,000.
    function _drain() private {
        _take(WETH, USDC, 5 * ONE_WETH);
        _take(WETH, USDC, NO_LIMIT);
    }

    function _poke(uint8 assetId, uint256 depth) private {
        _depth.set(assetId, 0, depth);
        _depth.set(assetId, 1, depth);
        engine.poke(assetId);
    }

    function _pokeNear(uint8 assetId, uint256 depth, uint256 meanPrice) private {
        _depth.setMeanPrice(assetId, meanPrice);
        _poke(assetId, depth);
    }

    function _start() private view returns (uint256) {
        return engine.auctionLeg(borrower, WETH).startMultiplierWad;
    }

    /// @dev m0 of a near lot against USDC.
    function _expected(uint256 meanPrice, uint256 price) private pure returns (uint256) {
        uint256 kept = BinaryFloat.unpack(BinaryFloat.packUp(meanPrice));
        uint256 premium = (kept * 1e18 + price - 1) / price;
        uint256 start = (premium * 0.9965e18 + 1e18 - 1) / 1e18;
        return start > 1.03e18 ? 1.03e18 : start < 0.9965e18 ? 0.9965e18 : start;
    }

    /// @dev The multiplier of the borrower's leg after its clock has run for so long.
    function _at(uint8 assetId, uint256 elapsedMs) private view returns (uint256) {
        ILiquidationEngine.AuctionLeg memory leg = engine.auctionLeg(borrower, assetId);
        return ReserveCurve.multiplierUp(leg.startMultiplierWad, leg.decayPerSecondWad, elapsedMs, 0.8e18);
    }

    /// @dev What the owner of `account` and the taker own together, WAD.
    function _worth(address account) private view returns (uint256 worth) {
        worth = house.accountState(account).collateralValue + 1e30 - house.accountState(account).debtValue;
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            uint256 held = tokens[assetId].balanceOf(taker) + house.creditOf(assetId, taker);
            worth += held * oracle.price(address(tokens[assetId])) / 10 ** tokens[assetId].decimals();
        }
    }
}

interface IMulticall {
    function multicall(bytes[] calldata data) external returns (bytes[] memory results);
}

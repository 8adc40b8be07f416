// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";

/// @title What a settler may not choose, what stops settlements, and how they end
contract LiquidationEngineGuardsTest is EngineFixture {
    function setUp() public override {
        super.setUp();
        _fund(taker, USDC, 1_000_000 * ONE_USDC);
    }

    // ------------------------------------------------------------------ the choice of collateral

    function test_a_leg_kicked_alone_may_not_be_bought_long_after_a_cheaper_one_began() external {
        _openBasket();
        _kick(borrower, _ids(WETH));
        skip(1_200); // 0.88
        _kick(borrower, _ids(WBTC)); // 1.007
        vm.expectPartialRevert(ILiquidationEngine.ChoiceTooDear.selector);
        _take(WETH, USDC, NO_LIMIT);
        vm.expectPartialRevert(ILiquidationEngine.ChoiceTooDear.selector);
        engine.largestSlice(borrower, WETH, USDC);
        _take(WBTC, USDC, 0.01e8);
    }

    function test_legs_of_one_kick_are_within_the_tolerance_at_its_start() external {
        _openBasket();
        _kick(borrower, _ids(WETH, WBTC));
        skip(60);
        engine.largestSlice(borrower, WETH, USDC);
        engine.largestSlice(borrower, WBTC, USDC);
    }

    function test_a_collateral_that_nobody_wants_at_its_floor_does_not_hold_up_another() external {
        _openBasket();
        _kick(borrower, _ids(WETH));
        skip(1_200);
        _kick(borrower, _ids(WBTC));
        skip(2_100); // both at the floor, WETH costs more
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, WETH, USDC);
        assertGt(slice.seized, 0);
    }

    function test_dust_does_not_count_as_a_cheaper_choice() external {
        _openBasket();
        _kick(borrower, _ids(WETH));
        skip(1_200);
        _fund(taker, USDC, 99 * ONE_USDC);
        vm.prank(taker);
        house.depositCollateral(USDC, 99 * ONE_USDC, borrower);
        engine.largestSlice(borrower, WETH, USDC);
    }

    function test_a_good_price_excuses_a_dear_choice() external {
        _openBasket();
        _pool(WETH, 1_700e18, 200_000_000);
        _kick(borrower, _ids(WETH));
        skip(1_200);
        _kick(borrower, _ids(WBTC));
        vm.expectPartialRevert(ILiquidationEngine.ChoiceTooDear.selector);
        _swap(WETH, USDC, NO_LIMIT, 0); // only the reserve is promised
        _swap(WETH, USDC, NO_LIMIT, 1_695e18);
    }

    // ------------------------------------------------------------------ the pool against the oracle

    function test_a_pool_whose_mean_price_is_off_the_oracles_is_refused() external {
        _openLong();
        _pool(WETH, 2_000e18, 200_000_000);
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        skip(120);
        vm.expectPartialRevert(ILiquidationEngine.VenueOffOracle.selector);
        _swap(WETH, USDC, NO_LIMIT, 0);
        pools.moveTo(tokens[WETH], tokens[USDC], FEE_PIPS, 1_900e18);
        vm.expectPartialRevert(ILiquidationEngine.VenueOffOracle.selector);
        _swap(WETH, USDC, NO_LIMIT, 0); // a price of one block is no mean
        skip(120);
        _swap(WETH, USDC, NO_LIMIT, 0);
    }

    // ------------------------------------------------------------------ the chip of a sale

    function test_the_chip_falls_with_slippage_to_nothing_at_the_limit() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _pool(WETH, 1_881e18, 200_000_000); // 1 % below the oracle, and 0.05 % of fee
        _kick(borrower, _ids(WETH));
        skip(400);
        uint256 debt = _debt(borrower, USDC);
        vm.prank(taker);
        engine.swap(borrower, WETH, USDC, NO_LIMIT, 0, address(venue), _route(WETH, USDC));
        uint256 full = (debt - _debt(borrower, USDC)) / 1_000;
        assertApproxEqRel(house.creditOf(USDC, taker), full * 475 / 1_000, 0.03e18);
    }

    function test_a_sale_beyond_the_slippage_limit_earns_no_chip() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _pool(WETH, 1_860e18, 200_000_000);
        _kick(borrower, _ids(WETH));
        skip(400);
        vm.prank(taker);
        engine.swap(borrower, WETH, USDC, NO_LIMIT, 0, address(venue), _route(WETH, USDC));
        assertEq(house.creditOf(USDC, taker), 0);
        assertEq(house.creditOf(USDC, keeper), 5 * ONE_USDC, "the tip is the kicker's");
    }

    // ------------------------------------------------------------------ the trip

    function test_a_crash_of_one_round_trips_for_half_an_hour_from_that_round() external {
        _openLong();
        _publish(WETH, 1_199e8); // 40.05 %
        uint40 until = uint40(vm.getBlockTimestamp() + 1_800);
        skip(60);
        vm.prank(taker);
        engine.trip(WETH);
        (uint8 level, uint40 stands,) = engine.breaker();
        assertEq(level, 3);
        assertEq(stands, until);
        vm.expectPartialRevert(ILiquidationEngine.BreakerOpen.selector);
        engine.kick(borrower, _ids(WETH));
        vm.expectPartialRevert(ILiquidationEngine.TripRefused.selector);
        engine.trip(WETH); // the same round, once
        vm.warp(until);
        vm.expectPartialRevert(ILiquidationEngine.TripRefused.selector);
        engine.trip(WETH);
        _kick(borrower, _ids(WETH));
    }

    function test_a_smaller_drop_does_not_trip() external {
        _publish(WETH, 1_200e8);
        vm.expectPartialRevert(ILiquidationEngine.TripRefused.selector);
        engine.trip(WETH);
    }

    function test_what_governance_lifted_the_same_round_does_not_trip_again() external {
        _publish(WETH, 1_000e8);
        engine.trip(WETH);
        skip(30);
        engine.setBreaker(0, 0);
        vm.expectPartialRevert(ILiquidationEngine.TripRefused.selector);
        engine.trip(WETH);
        _publish(WETH, 500e8);
        skip(1);
        vm.expectPartialRevert(ILiquidationEngine.TripRefused.selector); // observed in the second of the resumption:
        // still what governance saw
        engine.trip(WETH);
        _publish(WETH, 250e8);
        engine.trip(WETH);
    }

    function test_a_trip_does_not_shorten_what_governance_set() external {
        engine.setBreaker(3, type(uint40).max);
        _publish(WETH, 1_000e8);
        vm.expectPartialRevert(ILiquidationEngine.TripRefused.selector);
        engine.trip(WETH);
    }

    // ------------------------------------------------------------------ the end

    function test_what_nobody_bought_is_written_off_after_the_tail() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        vm.expectPartialRevert(ILiquidationEngine.AuctionRunning.selector);
        engine.end(borrower);
        skip(7_200);
        // covered by 19,000 at the oracle's price, though 0.8 of it is less: perhaps nobody could buy
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.EndRefused.selector, borrower));
        engine.end(borrower);
        _publish(WETH, 1_580e8); // 15,800 is less than 15,900, but was not when the auction began
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.EndRefused.selector, borrower));
        engine.end(borrower);
        engine.redo(borrower, _ids(WETH));
        skip(7_200);
        uint256 supplied = house.market(USDC).totalSupplyAssets;
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.Ended(borrower, 1);
        vm.prank(taker);
        engine.end(borrower);
        assertEq(_debt(borrower, USDC), 0);
        assertEq(_collateral(borrower, WETH), 0);
        assertFalse(_flagged(borrower));
        assertApproxEqAbs(supplied - house.market(USDC).totalSupplyAssets, 15_900 * ONE_USDC, ONE_USDC);
        assertEq(house.market(WETH).reserveAssets, 10 * ONE_WETH);
        _assertBooksBalance();
    }

    function test_an_auction_whose_collateral_covered_the_debt_to_the_last_is_not_ended() external {
        _openLong();
        _publish(WETH, 1_900e8);
        ILiquidationEngine.EngineParameters memory parameters = engine.parameters();
        parameters.floorMultiplierBps = 9_000;
        engine.setParameters(parameters);
        _kick(borrower, _ids(WETH));
        skip(7_200); // 0.9 * 19,000
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.EndRefused.selector, borrower));
        engine.end(borrower);
        engine.redo(borrower, _ids(WETH));
    }

    function test_a_fall_of_the_curve_after_the_lapse_ends_nothing() external {
        _openLong();
        ILiquidationEngine.EngineParameters memory parameters = engine.parameters();
        parameters.tail = 600;
        engine.setParameters(parameters);
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        skip(600); // 0.9415
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.EndRefused.selector, borrower));
        engine.end(borrower);
        skip(3_000); // by its curve it would be at the floor
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.EndRefused.selector, borrower));
        engine.end(borrower);
    }

    function test_an_auction_that_was_interrupted_is_not_ended() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        skip(60);
        engine.setBreaker(3, uint40(vm.getBlockTimestamp() + 10));
        skip(8_000);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.EndRefused.selector, borrower));
        engine.end(borrower);
    }

    function test_a_healthy_account_is_not_ended() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        skip(7_200);
        _publish(WETH, 2_000e8);
        vm.expectPartialRevert(ILiquidationEngine.AccountHealthy.selector);
        engine.end(borrower);
    }

    // ------------------------------------------------------------------ pending deficits

    function test_a_kick_marks_what_the_reserve_does_not_cover_and_a_cure_takes_it_off() external {
        _openLong();
        _publish(WETH, 1_500e8);
        _kick(borrower, _ids(WETH));
        assertApproxEqAbs(
            house.pendingDeficit(USDC), 900e6, ONE_USDC, "a start above the oracle's price promises nothing"
        );
        skip(600);
        uint256 pending = engine.mark(borrower);
        assertApproxEqAbs(house.pendingDeficit(USDC), 15_900e6 - 15_000e6 * 941 / 1_000, 20 * ONE_USDC);
        assertApproxEqAbs(house.pendingDeficit(USDC), pending / 1e12, 2);
        _publish(WETH, 2_000e8);
        engine.clear(borrower);
        assertEq(house.pendingDeficit(USDC), 0);
    }

    function test_a_settlement_brings_the_mark_up_to_date() external {
        _openLong();
        _publish(WETH, 1_500e8);
        _kick(borrower, _ids(WETH));
        skip(300);
        _take(WETH, USDC, 4 * ONE_WETH);
        IClearingHouse.AccountState memory state = house.accountState(borrower);
        (, uint256 multiplier) = engine.multiplier(borrower, WETH);
        uint256 loss = state.debtValue - state.collateralValue * multiplier / 1e18;
        assertApproxEqAbs(house.pendingDeficit(USDC), loss / 1e12, 10);
        _take(WETH, USDC, NO_LIMIT);
        assertEq(house.pendingDeficit(USDC), 0);
    }

    function test_a_solvent_account_has_no_mark() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        assertEq(engine.mark(borrower), 0);
        assertEq(house.pendingDeficit(USDC), 0);
    }

    function test_an_account_that_nobody_kicked_may_be_marked_at_the_oracles_price() external {
        _openLong();
        _publish(WETH, 1_500e8);
        assertApproxEqAbs(engine.mark(borrower), 900e18, 1e18);
        assertApproxEqAbs(house.pendingDeficit(USDC), 900e6, ONE_USDC);
        _publish(WETH, 2_000e8);
        assertEq(engine.mark(borrower), 0);
        assertEq(house.pendingDeficit(USDC), 0);
    }

    // ------------------------------------------------------------------ accounts

    /// @dev 5 WETH and 0.2 WBTC, unhealthy after WETH falls to 1,700.
    function _openBasket() private {
        _deposit(borrower, WETH, 5 * ONE_WETH);
        _deposit(borrower, WBTC, 0.2e8);
        _borrow(borrower, USDC, 16_700 * ONE_USDC);
        skip(12);
        _publish(WETH, 1_700e8);
    }
}

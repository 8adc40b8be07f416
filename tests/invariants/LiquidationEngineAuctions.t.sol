// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {Parameters} from "../../contracts/libraries/Parameters.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";

/// @title How auctions begin, lapse and end
contract LiquidationEngineAuctionsTest is EngineFixture {
    // ------------------------------------------------------------------ kick

    function test_kick_flags_an_unhealthy_account_and_leaves_its_collateral_where_it_is() external {
        _openLong();
        _publish(WETH, 1_900e8);
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.Kicked(borrower, 0, keeper, false);
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.LegStarted(borrower, 0, WETH, engine.farCurve(WETH), 0);
        vm.prank(keeper);
        assertTrue(engine.kick(borrower, _ids(WETH)));
        assertTrue(_flagged(borrower));
        assertEq(_collateral(borrower, WETH), 10 * ONE_WETH);
        ILiquidationEngine.Auction memory auction = engine.auction(borrower);
        assertEq(auction.kicker, keeper);
        assertEq(auction.kickedAt, vm.getBlockTimestamp());
        assertEq(auction.epoch, 0);
        assertFalse(auction.tipPaid);
    }

    function test_kick_takes_a_snapshot_of_the_curve() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        ILiquidationEngine.Curve memory far = engine.farCurve(WETH);
        engine.setCurveInputs(WETH, ILiquidationEngine.CurveInputs(20_000, 100, 3_000));
        ILiquidationEngine.AuctionLeg memory leg = engine.auctionLeg(borrower, WETH);
        assertEq(leg.startMultiplierWad, far.startMultiplierWad);
        assertEq(leg.decayPerSecondWad, far.decayPerSecondWad);
        assertEq(leg.startedAt, vm.getBlockTimestamp());
    }

    function test_kick_of_a_healthy_account_reverts() external {
        _openLong();
        vm.expectRevert(
            abi.encodeWithSelector(ILiquidationEngine.AccountHealthy.selector, borrower, house.healthFactor(borrower))
        );
        engine.kick(borrower, _ids(WETH));
    }

    function test_kick_of_an_account_without_debt_reverts() external {
        _deposit(borrower, WETH, ONE_WETH);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.AccountHealthy.selector, borrower, type(uint256).max));
        engine.kick(borrower, _ids(WETH));
    }

    function test_kick_in_the_block_of_a_borrow_reverts() external {
        _deposit(borrower, WETH, 10 * ONE_WETH);
        _borrow(borrower, USDC, 15_900 * ONE_USDC);
        _publish(WETH, 1_900e8);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.CoolingOff.selector, borrower, vm.getBlockNumber()));
        engine.kick(borrower, _ids(WETH));
        vm.roll(vm.getBlockNumber() + 1);
        assertTrue(engine.kick(borrower, _ids(WETH)));
    }

    function test_kick_in_the_block_of_a_withdrawal_reverts() external {
        _openLong();
        vm.prank(borrower);
        house.withdrawCollateral(WETH, 0.01e18, borrower, borrower);
        _publish(WETH, 1_900e8);
        vm.expectPartialRevert(ILiquidationEngine.CoolingOff.selector);
        engine.kick(borrower, _ids(WETH));
    }

    function test_kick_that_names_nothing_reverts() external {
        _openLong();
        _publish(WETH, 1_900e8);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.NothingToKick.selector, borrower));
        engine.kick(borrower, new uint8[](0));
    }

    function test_kick_that_names_only_what_runs_reverts() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.NothingToKick.selector, borrower));
        engine.kick(borrower, _ids(WETH));
    }

    function test_kick_of_a_collateral_that_is_not_there_reverts() external {
        _openLong();
        _publish(WETH, 1_900e8);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.CollateralInvalid.selector, borrower, WBTC));
        engine.kick(borrower, _ids(WBTC));
    }

    function test_kick_of_an_asset_id_beyond_the_bitmap_reverts() external {
        _openLong();
        _publish(WETH, 1_900e8);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.CollateralInvalid.selector, borrower, 64));
        engine.kick(borrower, _ids(64));
    }

    function test_kick_that_names_a_collateral_twice_reverts() external {
        _openLong();
        _publish(WETH, 1_900e8);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.CollateralInvalid.selector, borrower, WETH));
        engine.kick(borrower, _ids(WETH, WETH));
    }

    function test_a_second_kick_adds_a_leg_without_touching_the_first_or_the_kicker() external {
        _openBasket();
        _kick(borrower, _ids(WETH));
        uint256 first = vm.getBlockTimestamp();
        skip(60);
        vm.prank(taker);
        engine.kick(borrower, _ids(WETH, WBTC));
        assertEq(engine.auctionLeg(borrower, WETH).startedAt, first);
        assertEq(engine.auctionLeg(borrower, WBTC).startedAt, first + 60);
        assertEq(engine.auction(borrower).kicker, keeper);
        assertEq(engine.auction(borrower).kickedAt, first, "the tail runs from the first kick");
    }

    function test_a_second_kick_after_the_lapse_reverts() external {
        _openBasket();
        _kick(borrower, _ids(WETH));
        skip(Parameters.TAIL);
        vm.expectPartialRevert(ILiquidationEngine.AuctionLapsed.selector);
        engine.kick(borrower, _ids(WBTC));
    }

    // ------------------------------------------------------------------ net

    function test_kick_nets_first_and_starts_no_auction_when_that_cures() external {
        _openNettable();
        uint256 debt = _debt(borrower, USDC);
        vm.prank(keeper);
        assertFalse(engine.kick(borrower, _ids(WETH)));
        assertFalse(_flagged(borrower));
        assertEq(_collateral(borrower, USDC), 0);
        assertEq(_debt(borrower, USDC), debt - 3_000 * ONE_USDC, "netted one for one");
        assertGe(house.healthFactor(borrower), 1e18);
        _assertBooksBalance();
    }

    function test_kick_nets_first_and_starts_the_auction_when_that_is_not_enough() external {
        _openNettable();
        _publish(WETH, 1_500e8);
        vm.prank(keeper);
        assertTrue(engine.kick(borrower, _ids(WETH)));
        assertTrue(_flagged(borrower));
        assertEq(_collateral(borrower, USDC), 0);
    }

    function test_net_is_open_to_anyone_and_cures_a_flagged_account() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        _deposit(borrower, USDC, 140 * ONE_USDC);
        assertTrue(_flagged(borrower), "140 of collateral count for 126 of the 130 that are missing");
        vm.prank(taker);
        assertEq(engine.net(borrower, USDC), 140 * ONE_USDC);
        assertFalse(_flagged(borrower));
        assertEq(_epoch(borrower), 1);
    }

    function test_net_of_a_healthy_account_reverts() external {
        _openLong();
        vm.expectPartialRevert(ILiquidationEngine.AccountHealthy.selector);
        engine.net(borrower, USDC);
    }

    // ------------------------------------------------------------------ clear and cure

    function test_clear_ends_the_auction_of_a_healthy_account() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        _publish(WETH, 2_000e8);
        vm.prank(taker);
        engine.clear(borrower);
        assertFalse(_flagged(borrower));
        assertEq(_epoch(borrower), 1);
    }

    function test_clear_of_an_unhealthy_account_reverts() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        vm.expectRevert(
            abi.encodeWithSelector(ILiquidationEngine.AccountUnhealthy.selector, borrower, house.healthFactor(borrower))
        );
        engine.clear(borrower);
    }

    function test_clear_without_an_auction_reverts() external {
        _openLong();
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.AuctionMissing.selector, borrower, 255));
        engine.clear(borrower);
    }

    function test_an_owner_cures_at_any_moment_and_voids_the_legs() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        _deposit(borrower, WETH, ONE_WETH);
        assertFalse(_flagged(borrower));
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.AuctionMissing.selector, borrower, WETH));
        _take(WETH, USDC, NO_LIMIT);
    }

    function test_a_leg_of_an_earlier_auction_does_not_run_in_a_later_one() external {
        _openBasket();
        _kick(borrower, _ids(WETH));
        skip(600);
        _publish(WETH, 2_000e8);
        engine.clear(borrower);
        _publish(WETH, 1_700e8);
        _kick(borrower, _ids(WBTC));
        assertEq(_epoch(borrower), 1);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.AuctionMissing.selector, borrower, WETH));
        engine.reservePrice(borrower, WETH);
        vm.prank(taker);
        engine.kick(borrower, _ids(WETH));
        assertEq(engine.auctionLeg(borrower, WETH).startedAt, vm.getBlockTimestamp(), "a fresh start");
    }

    // ------------------------------------------------------------------ lapse and redo

    function test_a_lapsed_auction_sells_nothing() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        uint256 lapsesAt = vm.getBlockTimestamp() + Parameters.TAIL;
        skip(Parameters.TAIL - 1);
        engine.reservePrice(borrower, WETH);
        skip(1);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.AuctionLapsed.selector, borrower, lapsesAt));
        _take(WETH, USDC, NO_LIMIT);
    }

    function test_redo_before_the_lapse_reverts() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        uint256 lapsesAt = vm.getBlockTimestamp() + Parameters.TAIL;
        skip(Parameters.TAIL - 1);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.AuctionRunning.selector, borrower, lapsesAt));
        engine.redo(borrower, _ids(WETH));
    }

    function test_redo_starts_afresh_under_a_new_epoch_and_kicker() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        skip(Parameters.TAIL);
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.Redone(borrower, 1, taker, false);
        vm.prank(taker);
        engine.redo(borrower, _ids(WETH));
        assertTrue(_flagged(borrower));
        assertEq(_epoch(borrower), 1);
        assertEq(engine.auction(borrower).kicker, taker);
        assertEq(engine.auctionLeg(borrower, WETH).epoch, 1);
        assertEq(engine.reservePrice(borrower, WETH), uint256(1_900) * engine.farCurve(WETH).startMultiplierWad);
    }

    function test_redo_without_an_auction_reverts() external {
        _openLong();
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.AuctionMissing.selector, borrower, 255));
        engine.redo(borrower, _ids(WETH));
    }

    function test_redo_of_a_healthy_account_reverts() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        skip(Parameters.TAIL);
        _publish(WETH, 2_000e8);
        vm.expectPartialRevert(ILiquidationEngine.AccountHealthy.selector);
        engine.redo(borrower, _ids(WETH));
    }

    function test_redo_that_nets_to_health_ends_the_auction() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        _deposit(borrower, USDC, 140 * ONE_USDC);
        skip(Parameters.TAIL);
        engine.redo(borrower, _ids(WETH));
        assertFalse(_flagged(borrower));
        assertEq(_epoch(borrower), 1);
    }

    function test_an_account_flagged_by_an_earlier_engine_can_be_redone() external {
        _openLong();
        _publish(WETH, 1_900e8);
        ILiquidationEngine earlier = _newEngine();
        house.setEngine(address(earlier));
        earlier.kick(borrower, _ids(WETH));
        house.setEngine(address(engine));
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.AuctionLapsed.selector, borrower, 0));
        engine.kick(borrower, _ids(WETH));
        engine.redo(borrower, _ids(WETH));
        assertTrue(engine.reservePrice(borrower, WETH) > 0);
    }

    // ------------------------------------------------------------------ breaker

    function test_level_3_of_the_breaker_stops_everything_but_clear_and_net() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        _deposit(borrower, USDC, 10 * ONE_USDC);
        uint40 until = uint40(vm.getBlockTimestamp() + 60);
        engine.setBreaker(3, until);
        bytes memory halted = abi.encodeWithSelector(ILiquidationEngine.BreakerOpen.selector, 3, until);
        vm.expectRevert(halted);
        engine.kick(borrower, _ids(WETH));
        vm.expectRevert(halted);
        engine.redo(borrower, _ids(WETH));
        vm.expectRevert(halted);
        _take(WETH, USDC, NO_LIMIT);
        vm.expectRevert(halted);
        _swap(WETH, USDC, NO_LIMIT, 0);
        vm.expectRevert(halted);
        engine.largestSlice(borrower, WETH, USDC);
        vm.expectRevert(halted);
        engine.reservePrice(borrower, WETH);
        assertEq(engine.net(borrower, USDC), 10 * ONE_USDC);
        _publish(WETH, 2_000e8);
        engine.clear(borrower);
        assertFalse(_flagged(borrower));
    }

    function test_an_auction_that_level_3_interrupted_has_lapsed() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        skip(60);
        engine.setBreaker(3, type(uint40).max);
        skip(60);
        engine.setBreaker(0, 0);
        uint256 resumedAt = vm.getBlockTimestamp();
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.AuctionLapsed.selector, borrower, resumedAt));
        _take(WETH, USDC, NO_LIMIT);
        engine.redo(borrower, _ids(WETH));
        assertTrue(engine.reservePrice(borrower, WETH) > 0, "kicked at the resumption, it missed nothing");
    }

    function test_lifting_a_breaker_that_does_not_stand_lapses_nothing() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        skip(60);
        engine.setBreaker(0, 0);
        assertTrue(engine.reservePrice(borrower, WETH) > 0);
    }

    function test_an_auction_that_ran_into_a_level_3_that_expired_has_lapsed() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        skip(60);
        uint40 until = uint40(vm.getBlockTimestamp() + 30);
        engine.setBreaker(3, until);
        skip(30);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.AuctionLapsed.selector, borrower, until));
        _take(WETH, USDC, NO_LIMIT);
        engine.setBreaker(1, type(uint40).max); // what was interrupted stays so
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.AuctionLapsed.selector, borrower, until));
        _take(WETH, USDC, NO_LIMIT);
        engine.redo(borrower, _ids(WETH));
        assertTrue(engine.reservePrice(borrower, WETH) > 0);
    }

    function test_level_1_stops_kicks_alone() external {
        _openLong();
        _publish(WETH, 1_900e8);
        engine.setBreaker(1, type(uint40).max);
        vm.expectPartialRevert(ILiquidationEngine.BreakerOpen.selector);
        engine.kick(borrower, _ids(WETH));
        engine.setBreaker(0, 0);
        _kick(borrower, _ids(WETH));
        engine.setBreaker(1, type(uint40).max);
        _fund(taker, USDC, 100_000 * ONE_USDC);
        _take(WETH, USDC, ONE_WETH / 10);
        skip(Parameters.TAIL);
        engine.redo(borrower, _ids(WETH));
    }

    function test_level_2_stops_redos_too() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        engine.setBreaker(2, type(uint40).max);
        _fund(taker, USDC, 100_000 * ONE_USDC);
        _take(WETH, USDC, ONE_WETH / 10);
        skip(Parameters.TAIL);
        vm.expectPartialRevert(ILiquidationEngine.BreakerOpen.selector);
        engine.redo(borrower, _ids(WETH));
    }

    // ------------------------------------------------------------------ what is not worth an auction

    function test_kick_writes_off_an_account_with_less_collateral_than_dust_and_debt() external {
        _deposit(borrower, WETH, 0.35e18);
        _borrow(borrower, USDC, 520 * ONE_USDC);
        skip(12);
        _publish(WETH, 280e8); // 98 against 520
        vm.prank(keeper);
        assertFalse(engine.kick(borrower, _ids(WETH)));
        assertEq(_debt(borrower, USDC), 0);
        assertEq(_collateral(borrower, WETH), 0);
        assertFalse(_flagged(borrower));
        _assertBooksBalance();
    }

    function test_kick_does_not_write_off_dust_that_covers_its_debt() external {
        _deposit(borrower, WETH, 0.35e18);
        _borrow(borrower, USDC, 520 * ONE_USDC);
        _fund(borrower, USDC, 500 * ONE_USDC);
        vm.prank(borrower);
        house.repay(USDC, 440 * ONE_USDC, borrower);
        skip(12);
        _publish(WETH, 270e8); // 94.5 against 80: unhealthy at 0.83
        vm.prank(keeper);
        assertTrue(engine.kick(borrower, _ids(WETH)));
        assertTrue(_flagged(borrower));
    }

    // ------------------------------------------------------------------ accounts

    /// @dev 5 WETH and 0.2 WBTC against 16,000 USDC, unhealthy after WETH falls to 1,700.
    function _openBasket() private {
        _deposit(borrower, WETH, 5 * ONE_WETH);
        _deposit(borrower, WBTC, 0.2e8);
        _borrow(borrower, USDC, 16_700 * ONE_USDC);
        skip(12);
        _publish(WETH, 1_700e8);
    }

    /// @dev 10 WETH and 3,000 USDC against 18,000 USDC; unhealthy at 1,800 until the USDC are netted.
    function _openNettable() private {
        _deposit(borrower, WETH, 10 * ONE_WETH);
        _deposit(borrower, USDC, 3_000 * ONE_USDC);
        _borrow(borrower, USDC, 17_800 * ONE_USDC);
        skip(12);
        _publish(WETH, 1_800e8);
    }
}

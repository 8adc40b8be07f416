// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";

/// @title What was not offered, or was being bought, is not written off
/// @dev Of each 100 WETH against 158,000 USDC: insolvent below 1,580.
contract LiquidationEngineEndsTest is EngineFixture {
    address private immutable stranger = makeAddr("stranger");
    uint256 private constant TAIL = 7_200;

    function _open(uint256 weth, uint256 usdc) private {
        _deposit(borrower, WETH, weth);
        _borrow(borrower, USDC, usdc);
        skip(12);
    }

    function _kickAt(int256 price, uint8[] memory collateralIds) private {
        _publish(WETH, price);
        _kick(borrower, collateralIds);
    }

    function _refusesToEnd() private {
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.EndRefused.selector, borrower));
        engine.end(borrower);
    }

    function _ends() private {
        engine.end(borrower);
        assertFalse(_flagged(borrower));
        assertEq(_debt(borrower, USDC), 0);
        _assertBooksBalance();
    }

    function test_an_account_that_was_insolvent_from_the_kick_is_ended_at_its_tail() external {
        _open(100 * ONE_WETH, 158_000 * ONE_USDC);
        _kickAt(1_560e8, _ids(WETH));
        skip(TAIL - 1);
        vm.expectPartialRevert(ILiquidationEngine.AuctionRunning.selector);
        engine.end(borrower);
        skip(1);
        _ends();
    }

    /// @dev Healthy from the block after the kick, so that nobody could buy, and never cleared.
    function test_a_flag_that_outlived_a_recovery_ends_nothing_after_a_gap() external {
        _open(100 * ONE_WETH, 158_000 * ONE_USDC);
        _kickAt(1_900e8, _ids(WETH));
        skip(12);
        _publish(WETH, 2_100e8);
        skip(3 days);
        _publish(USDC, 1e8);
        _publish(WETH, 1_560e8);
        _refusesToEnd();
        engine.redo(borrower, _ids(WETH));
        skip(180);
        _fund(taker, USDC, 200_000 * ONE_USDC);
        uint256 supplied = house.market(USDC).totalSupplyAssets;
        _take(WETH, USDC, NO_LIMIT);
        assertLt(supplied - house.market(USDC).totalSupplyAssets, 5_000 * ONE_USDC, "a twentieth of what is owed");
    }

    function test_an_account_that_fell_into_insolvency_is_offered_once_more() external {
        _open(100 * ONE_WETH, 158_000 * ONE_USDC);
        _kickAt(1_900e8, _ids(WETH));
        skip(600);
        _publish(WETH, 1_500e8);
        skip(TAIL);
        _refusesToEnd();
        engine.redo(borrower, _ids(WETH));
        skip(TAIL);
        _ends();
    }

    /// @dev 1,700 for each ether covers the debt, though 0.8 of that does not: what fell and rose may be healthy soon.
    function test_an_account_that_the_oracles_prices_cover_by_then_is_not_ended() external {
        _open(100 * ONE_WETH, 158_000 * ONE_USDC);
        _kickAt(1_560e8, _ids(WETH));
        skip(TAIL);
        _publish(WETH, 1_700e8);
        _refusesToEnd();
    }

    function test_a_leg_that_was_started_at_the_last_moment_was_not_offered() external {
        _open(100 * ONE_WETH, 158_000 * ONE_USDC);
        _deposit(borrower, WBTC, 1);
        _kickAt(1_560e8, _ids(WBTC));
        skip(TAIL - 1);
        _kick(borrower, _ids(WETH));
        skip(1);
        _refusesToEnd();
    }

    function test_a_leg_was_offered_from_half_of_the_tail_on(uint256 late) external {
        late = bound(late, 0, TAIL - 1);
        _open(100 * ONE_WETH, 158_000 * ONE_USDC);
        _deposit(borrower, WBTC, 1);
        ILiquidationEngine.EngineParameters memory parameters = engine.parameters();
        parameters.floorMultiplierBps = 5_000; // out of reach in half of the tail
        engine.setParameters(parameters);
        _kickAt(1_560e8, _ids(WBTC));
        skip(late);
        _kick(borrower, _ids(WETH));
        skip(TAIL - late);
        if (late > TAIL / 2) _refusesToEnd();
        else _ends();
    }

    /// @dev The market is loaded all the time, so that its clock stands still and urgency leads to what takers need.
    function test_what_takers_buy_all_the_time_is_not_ended() external {
        engine.setBudgeted(WETH, true);
        _open(3_000 * ONE_WETH, 4_700_000 * ONE_USDC);
        _kickAt(1_560e8, _ids(WETH));
        _fund(taker, USDC, 20_000_000 * ONE_USDC);
        uint256 paid;
        for (uint256 i = 0; i < 240; ++i) {
            skip(30);
            (, uint256 multiplier) = engine.multiplier(borrower, WETH);
            if (i == 239 || multiplier > 0.976e18) continue;
            (, uint256 payment) = _take(WETH, USDC, 6.5e18);
            paid += payment;
        }
        assertGt(paid, 2_000_000 * ONE_USDC);
        assertGt(_collateral(borrower, WETH), 1_400 * ONE_WETH);
        _refusesToEnd();
        engine.redo(borrower, _ids(WETH));
    }

    function test_a_halt_until_the_very_tail_interrupts() external {
        _open(100 * ONE_WETH, 158_000 * ONE_USDC);
        _kickAt(1_560e8, _ids(WETH));
        uint256 kickedAt = vm.getBlockTimestamp();
        skip(10);
        engine.setBreaker(3, uint40(kickedAt + TAIL));
        skip(TAIL - 10);
        _refusesToEnd();
    }

    // ------------------------------------------------------------------ marks

    /// @dev Nobody can buy at the reserves of a lapsed auction, so nobody need fear them.
    function test_a_lapsed_auction_is_marked_at_the_oracles_prices() external {
        _open(500 * ONE_WETH, 795_000 * ONE_USDC);
        _kickAt(1_900e8, _ids(WETH));
        skip(60);
        _publish(WETH, 0);
        engine.lapse(borrower);
        skip(3_600);
        _publish(WETH, 1_900e8);
        assertEq(engine.mark(borrower), 0, "solvent by 155,000");
        _publish(WETH, 1_580e8);
        assertApproxEqAbs(engine.mark(borrower), 5_000e18, 1e18);
    }

    function test_an_auction_that_a_halt_interrupted_is_marked_at_the_oracles_prices() external {
        _open(500 * ONE_WETH, 795_000 * ONE_USDC);
        _kickAt(1_900e8, _ids(WETH));
        engine.setBreaker(3, uint40(vm.getBlockTimestamp() + 3_600));
        skip(3_600);
        assertEq(engine.mark(borrower), 0);
    }

    function test_a_gift_takes_no_more_than_itself_off_a_pending_deficit(uint256 gift, bool kicked) external {
        gift = bound(gift, 1, 0.02e8);
        _open(500 * ONE_WETH, 795_000 * ONE_USDC);
        _kickAt(1_700e8, _ids(WETH));
        skip(1_500);
        uint256 before = engine.mark(borrower);
        assertGt(before, 70_000e18);
        _publish(WBTC, 60_000e8);
        _deposit(borrower, WBTC, gift);
        if (kicked) _kick(borrower, _ids(WBTC));
        assertGe(engine.mark(borrower) + gift * 60_000e10 + 1e6, before);
    }

    function test_collateral_below_the_dust_value_counts_what_it_is_worth() external {
        _deposit(borrower, WETH, ONE_WETH);
        _deposit(borrower, WBTC, 0.00165e8);
        _borrow(borrower, USDC, 520 * ONE_USDC);
        _fund(borrower, USDC, 1_000 * ONE_USDC);
        vm.startPrank(borrower);
        house.repay(USDC, 370 * ONE_USDC, borrower);
        house.withdrawCollateral(WETH, ONE_WETH - 0.0495e18, borrower, borrower);
        vm.stopPrank();
        skip(12);
        _publish(WETH, 1_750e8);
        _publish(WBTC, 58_000e8);
        assertGt(house.accountState(borrower).collateralValue, house.accountState(borrower).debtValue);
        assertEq(engine.mark(borrower), 0);
    }

    // ------------------------------------------------------------------ choice

    /// @dev 150 dollars of WBTC, whose market somebody keeps empty, beside 1,000 WETH. In the blocks in which that
    /// market has filled up again the rival itself can be bought.
    function test_a_rival_that_its_market_cannot_take_binds_no_choice() external {
        engine.setBudgeted(WBTC, true);
        _deposit(borrower, WBTC, 0.0025e8);
        _open(1_000 * ONE_WETH, 1_590_000 * ONE_USDC);
        _deposit(stranger, WBTC, 100 * ONE_WBTC);
        _borrow(stranger, USDC, 4_370_000 * ONE_USDC);
        skip(12);
        _publish(WBTC, 54_000e8);
        _kickAt(1_850e8, _ids(WETH, WBTC));
        _kick(stranger, _ids(WBTC));
        _fund(taker, USDC, 20_000_000 * ONE_USDC);
        uint256 bought;
        for (uint256 i = 0; i < 100; ++i) {
            vm.prank(taker);
            try engine.take(stranger, WBTC, USDC, 0.19e8, NO_LIMIT, taker, "") {} catch {}
            skip(12);
            (, uint256 multiplier) = engine.multiplier(borrower, WETH);
            if (multiplier > 0.98e18) continue;
            uint256 before = vm.snapshotState();
            vm.prank(taker);
            try engine.take(borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, taker, "") {
                ++bought;
            } catch {
                _take(WBTC, USDC, NO_LIMIT);
            }
            vm.revertToState(before);
        }
        assertGt(bought, 50);
        (, uint256 rival) = engine.multiplier(borrower, WBTC);
        assertGt(rival, 1e18, "the rival stayed dear");
    }
}

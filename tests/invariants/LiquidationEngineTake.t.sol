// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {ITakeCallback} from "../../contracts/interfaces/ITakeCallback.sol";
import {Parameters} from "../../contracts/libraries/Parameters.sol";
import {IPriceOracle} from "../../contracts/interfaces/IPriceOracle.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";

/// @title What a take gives and costs
contract LiquidationEngineTakeTest is EngineFixture {
    function setUp() public override {
        super.setUp();
        _fund(taker, USDC, 1_000_000 * ONE_USDC);
        _fund(taker, WETH, 1_000 * ONE_WETH);
    }

    // ------------------------------------------------------------------ the reserve

    function test_the_reserve_starts_above_the_oracle_decays_and_stops_at_the_floor() external {
        _kickLong(1_900e8);
        uint256 start = engine.reservePrice(borrower, WETH);
        assertEq(start, uint256(1_900) * engine.farCurve(WETH).startMultiplierWad);
        assertApproxEqRel(start, 1_913.49e18, 1e13);
        skip(89);
        assertApproxEqRel(engine.reservePrice(borrower, WETH), start * 990_072 / 1_000_000, 1e13); // 1 % per 89.2 s
        skip(6_000);
        assertEq(engine.reservePrice(borrower, WETH), 1_520e18, "0.80");
    }

    function test_the_reserve_follows_the_oracle() external {
        _kickLong(1_900e8);
        _publish(WETH, 1_800e8);
        assertEq(engine.reservePrice(borrower, WETH), uint256(1_800) * engine.farCurve(WETH).startMultiplierWad);
    }

    function test_a_reserve_above_the_limit_reverts() external {
        _kickLong(1_900e8);
        uint256 price = engine.reservePrice(borrower, WETH);
        vm.prank(taker);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.PriceAboveLimit.selector, price, price - 1));
        engine.take(borrower, WETH, USDC, NO_LIMIT, price - 1, taker, "");
        vm.prank(taker);
        engine.take(borrower, WETH, USDC, NO_LIMIT, price, taker, "");
    }

    // ------------------------------------------------------------------ the largest slice

    function test_take_restores_the_target_and_ends_the_auction() external {
        _kickLong(1_900e8);
        skip(60);
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, WETH, USDC);
        uint256 debt = _debt(borrower, USDC);
        (uint256 seized, uint256 payment) = _take(WETH, USDC, NO_LIMIT);
        assertEq(seized, slice.seized);
        assertEq(payment, slice.payment - _chip(slice));
        assertApproxEqAbs(house.healthFactor(borrower), 1.05e18, 1e9);
        assertEq(_collateral(borrower, WETH), 10 * ONE_WETH - seized);
        assertApproxEqAbs(_debt(borrower, USDC), debt - slice.repaid, 1);
        assertEq(tokens[WETH].balanceOf(taker), 1_000 * ONE_WETH + seized);
        assertFalse(_flagged(borrower));
        _assertBooksBalance();
    }

    function test_a_take_that_ends_below_one_leaves_the_auction_running() external {
        _kickLong(1_700e8);
        skip(60);
        _take(WETH, USDC, ONE_WETH / 10);
        assertTrue(_flagged(borrower));
        assertEq(_epoch(borrower), 0);
    }

    function test_a_take_that_ends_at_one_or_more_closes_the_auction() external {
        _kickLong(1_900e8);
        skip(60);
        uint256 seized = engine.largestSlice(borrower, WETH, USDC).seized;
        _take(WETH, USDC, seized / 2);
        assertGe(house.healthFactor(borrower), 1e18);
        assertFalse(_flagged(borrower));
    }

    function test_the_settlement_is_told_in_full() external {
        _kickLong(1_900e8);
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, WETH, USDC);
        vm.recordLogs();
        _take(WETH, USDC, NO_LIMIT);
        SettledLog memory told = _settled();
        assertEq(told.settler, taker);
        assertEq(told.kicker, keeper);
        assertEq(told.epoch, 0);
        assertEq(told.route, uint8(ILiquidationEngine.Route.TAKE));
        assertEq(told.multiplierWad, engine.farCurve(WETH).startMultiplierWad);
        assertEq(told.seized, slice.seized);
        assertEq(told.payment, slice.payment);
        assertEq(told.repaid, slice.repaid);
        assertEq(told.cancelled, slice.cancelled);
    }

    function test_take_delivers_to_the_recipient_named() external {
        _kickLong(1_900e8);
        address recipient = makeAddr("recipient");
        vm.prank(taker);
        (uint256 seized,) = engine.take(borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, recipient, "");
        assertEq(tokens[WETH].balanceOf(recipient), seized);
    }

    function test_a_short_is_covered_with_the_volatile_asset() external {
        _openShort();
        _publish(WETH, 2_150e8);
        _kick(borrower, _ids(USDC));
        skip(30);
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, USDC, WETH);
        _take(USDC, WETH, NO_LIMIT);
        assertEq(_collateral(borrower, USDC), 20_000 * ONE_USDC - slice.seized);
        assertApproxEqAbs(house.healthFactor(borrower), 1.05e18, 1e10);
        _assertBooksBalance();
    }

    function test_a_coarse_collateral_is_sold_to_its_unit() external {
        _deposit(borrower, WBTC, ONE_WBTC);
        _borrow(borrower, USDC, 43_800 * ONE_USDC);
        skip(12);
        _publish(WBTC, 55_000e8);
        _kick(borrower, _ids(WBTC));
        skip(60);
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, WBTC, USDC);
        assertGe(slice.payment * 1e20, slice.seized * 55_000 * slice.multiplierWad, "at least the reserve");
        _take(WBTC, USDC, NO_LIMIT);
        assertApproxEqAbs(house.healthFactor(borrower), 1.05e18, 1e11);
        _assertBooksBalance();
    }

    // ------------------------------------------------------------------ dust

    function test_a_choice_that_leaves_dusty_collateral_reverts() external {
        _openTwoCollaterals();
        uint256 held = _collateral(borrower, WBTC);
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, WBTC, USDC);
        assertEq(slice.seized, held, "the whole collateral");
        vm.expectPartialRevert(ILiquidationEngine.DustLeft.selector);
        _take(WBTC, USDC, held - 1);
        _take(WBTC, USDC, held);
        assertEq(_collateral(borrower, WBTC), 0);
    }

    function test_a_choice_that_leaves_a_dusty_debt_reverts() external {
        _openSmall();
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, WETH, USDC);
        assertEq(slice.cancelled, _debt(borrower, USDC), "closes");
        vm.expectPartialRevert(ILiquidationEngine.DustLeft.selector);
        _take(WETH, USDC, slice.seized - 1e15);
    }

    function test_a_closed_debt_leaves_no_share() external {
        _openSmall();
        _take(WETH, USDC, NO_LIMIT);
        (, uint128 debtShares) = house.balanceOf(borrower, USDC);
        assertEq(debtShares, 0);
        assertFalse(_flagged(borrower));
        (, uint64 debts,,,) = house.accountInfo(borrower);
        assertEq(debts, 0);
        _assertBooksBalance();
    }

    // ------------------------------------------------------------------ penalty, tip and chip

    function test_the_penalty_goes_to_tip_chip_and_reserve_in_that_order() external {
        _kickLong(1_700e8);
        skip(60);
        uint256 reserve = house.market(USDC).reserveAssets;
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, WETH, USDC);
        uint256 penalty = slice.payment - slice.repaid;
        assertGt(penalty, 50 * ONE_USDC);
        (, uint256 payment) = _take(WETH, USDC, NO_LIMIT);
        uint256 chip = slice.payment - payment;
        assertEq(house.creditOf(USDC, keeper), 5 * ONE_USDC, "tip");
        assertEq(chip, slice.repaid / 1_000, "chip");
        assertApproxEqAbs(house.market(USDC).reserveAssets, reserve + penalty - 5 * ONE_USDC - chip, 1);
        assertTrue(engine.auction(borrower).tipPaid);
    }

    function test_tip_and_chip_stay_within_their_share_of_the_penalty() external {
        _openSmall();
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, WETH, USDC);
        uint256 penalty = slice.payment - slice.repaid;
        (, uint256 payment) = _take(WETH, USDC, NO_LIMIT);
        assertEq(house.creditOf(USDC, keeper) + slice.payment - payment, penalty * 6 / 10);
    }

    function test_the_tip_is_paid_once_however_the_sale_is_sliced() external {
        _kickLong(1_700e8);
        skip(60);
        _take(WETH, USDC, 1e15); // 1.7 of value: a fraction of a cent of penalty
        uint256 first = house.creditOf(USDC, keeper);
        assertGt(first, 0);
        assertFalse(engine.auction(borrower).tipPaid, "a token slice does not spend the tip");
        _take(WETH, USDC, NO_LIMIT);
        assertApproxEqAbs(house.creditOf(USDC, keeper), 5 * ONE_USDC, 0.001e6);
        assertLe(house.creditOf(USDC, keeper), 5 * ONE_USDC);
        assertTrue(engine.auction(borrower).tipPaid);
    }

    function test_near_insolvency_the_penalty_shrinks_and_the_incentives_with_it() external {
        _kickLong(1_600e8);
        skip(9); // m = 1.0061
        _publish(WETH, 1_589e8); // V / D = 0.9994, S / D = 1.0055
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, WETH, USDC);
        assertFalse(slice.insolvent);
        assertLt(slice.payment - slice.repaid, slice.repaid * 56 / 10_000);
        _publish(WETH, 1_583e8); // S / D = 1.0016
        slice = engine.largestSlice(borrower, WETH, USDC);
        assertFalse(slice.insolvent);
        assertApproxEqAbs((slice.payment - slice.repaid) * 1e6 / slice.repaid, 1_640, 200);
        _take(WETH, USDC, NO_LIMIT);
        assertEq(_debt(borrower, USDC), 0);
        _assertBooksBalance();
    }

    // ------------------------------------------------------------------ refusals

    function test_take_of_an_account_that_is_not_flagged_reverts() external {
        _openLong();
        _publish(WETH, 1_900e8);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.AuctionMissing.selector, borrower, WETH));
        _take(WETH, USDC, NO_LIMIT);
    }

    function test_take_of_a_leg_that_was_not_kicked_reverts() external {
        _openTwoCollaterals();
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.AuctionMissing.selector, borrower, WETH));
        _take(WETH, USDC, NO_LIMIT);
    }

    function test_take_of_a_flagged_account_that_is_healthy_again_reverts() external {
        _kickLong(1_900e8);
        _publish(WETH, 2_000e8);
        vm.expectPartialRevert(ILiquidationEngine.AccountHealthy.selector);
        _take(WETH, USDC, NO_LIMIT);
    }

    function test_take_for_a_debt_in_the_same_asset_reverts() external {
        _kickLong(1_900e8);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.SameAsset.selector, WETH));
        _take(WETH, WETH, NO_LIMIT);
    }

    function test_take_for_a_debt_that_is_not_owed_reverts() external {
        _kickLong(1_900e8);
        vm.expectRevert(ILiquidationEngine.SliceEmpty.selector);
        _take(WETH, WBTC, NO_LIMIT);
    }

    function test_take_of_nothing_reverts() external {
        _kickLong(1_900e8);
        vm.expectRevert(ILiquidationEngine.SliceEmpty.selector);
        _take(WETH, USDC, 0);
    }

    function test_take_of_a_leg_that_is_sold_out_reverts() external {
        _openTwoCollaterals();
        _take(WBTC, USDC, NO_LIMIT);
        assertTrue(_flagged(borrower));
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.AuctionMissing.selector, borrower, WBTC));
        _take(WBTC, USDC, NO_LIMIT);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.AuctionMissing.selector, borrower, WBTC));
        engine.reservePrice(borrower, WBTC);
    }

    function test_a_stale_price_stops_a_take() external {
        _kickLong(1_900e8);
        vm.warp(vm.getBlockTimestamp() + 2 days);
        vm.expectPartialRevert(IPriceOracle.PriceStale.selector);
        _take(WETH, USDC, NO_LIMIT);
    }

    // ------------------------------------------------------------------ callback

    function test_a_taker_may_pay_with_what_it_buys() external {
        _kickLong(1_900e8);
        Flipper flipper = new Flipper(address(house), address(tokens[USDC]));
        vm.prank(address(flipper));
        (uint256 seized, uint256 payment) =
            engine.take(borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, address(flipper), hex"01");
        assertEq(tokens[WETH].balanceOf(address(flipper)), seized);
        assertEq(flipper.asked(), payment, "told what will be pulled, the chip deducted");
        _assertBooksBalance();
    }

    // ------------------------------------------------------------------ accounts

    function _kickLong(int256 answer) private {
        _openLong();
        _publish(WETH, answer);
        _kick(borrower, _ids(WETH));
    }

    /// @dev 0.35 WETH against 550 USDC: whatever the target asks for, dust would be left.
    function _openSmall() private {
        _deposit(borrower, WETH, 0.35e18);
        _borrow(borrower, USDC, 550 * ONE_USDC);
        skip(12);
        _publish(WETH, 1_620e8);
        _kick(borrower, _ids(WETH));
        skip(60);
    }

    /// @dev 10 WETH and a little WBTC, which is for sale, against USDC.
    function _openTwoCollaterals() private {
        _deposit(borrower, WETH, 10 * ONE_WETH);
        _deposit(borrower, WBTC, 0.01e8);
        _borrow(borrower, USDC, 16_400 * ONE_USDC);
        skip(12);
        _publish(WETH, 1_800e8);
        _kick(borrower, _ids(WBTC));
        skip(60);
    }

    function _chip(ILiquidationEngine.Slice memory slice) private pure returns (uint256) {
        uint256 budget = (slice.payment - slice.repaid) * 6 / 10;
        uint256 left = budget > 5 * ONE_USDC ? budget - 5 * ONE_USDC : 0;
        return left < slice.repaid / 1_000 ? left : slice.repaid / 1_000;
    }
}

/// @title A taker that gets its payment from the faucet in the callback
contract Flipper is ITakeCallback {
    address private immutable _house;
    address private immutable _debtToken;
    uint256 public asked;

    constructor(address house, address debtToken) {
        (_house, _debtToken) = (house, debtToken);
    }

    function onTake(address, address, uint256, address, uint256 payment, bytes calldata) external returns (bytes4) {
        asked = payment;
        IFaucet(_debtToken).mint(address(this), payment);
        IFaucet(_debtToken).approve(_house, payment);
        return ITakeCallback.onTake.selector;
    }
}

interface IFaucet {
    function mint(address to, uint256 amount) external;
    function approve(address spender, uint256 amount) external returns (bool);
}

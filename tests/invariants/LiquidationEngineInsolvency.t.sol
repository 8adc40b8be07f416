// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {IPriceOracle} from "../../contracts/interfaces/IPriceOracle.sol";
import {FaucetToken} from "../../contracts/mocks/FaucetToken.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";

/// @title Who loses what once the reserve no longer covers the debt
contract LiquidationEngineInsolvencyTest is EngineFixture {
    function setUp() public override {
        super.setUp();
        _fund(taker, USDC, 1_000_000 * ONE_USDC);
        _fund(taker, WETH, 1_000 * ONE_WETH);
        _fund(taker, WBTC, 1_000 * ONE_WBTC);
    }

    function test_a_take_cancels_the_debt_pro_rata_and_books_the_deficit() external {
        _kickLong(1_500e8); // 15,000 against 15,900
        skip(60);
        uint256 debt = _debt(borrower, USDC);
        uint256 supplied = house.market(USDC).totalSupplyAssets;
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, WETH, USDC);
        assertTrue(slice.insolvent);
        assertApproxEqRel(slice.cancelled * 1e18 / slice.payment, 15_900e36 / (15_000 * slice.multiplierWad), 1e14);
        vm.prank(taker);
        (uint256 seized, uint256 payment) = engine.take(borrower, WETH, USDC, 4e18, NO_LIMIT, taker, "");
        uint256 cancelled = debt - _debt(borrower, USDC);
        assertEq(seized, 4e18);
        assertApproxEqAbs(supplied - house.market(USDC).totalSupplyAssets, cancelled - payment, 2, "to the suppliers");
        assertTrue(_flagged(borrower));
        _assertBooksBalance();
    }

    function test_a_whole_collateral_closes_the_whole_debt() external {
        _kickLong(1_500e8);
        skip(60);
        _take(WETH, USDC, NO_LIMIT);
        (uint128 collateral, uint128 debtShares) = house.balanceOf(borrower, USDC);
        assertEq(debtShares, 0);
        assertEq(collateral, 0, "no surplus");
        assertLe(_collateral(borrower, WETH), 1e10, "a unit of debt at most");
        assertFalse(_flagged(borrower));
        _assertBooksBalance();
    }

    function test_slicing_in_insolvency_gains_nothing() external {
        _kickLong(1_500e8);
        skip(60);
        uint256 snapshot = vm.snapshotState();
        (, uint256 whole) = _take(WETH, USDC, NO_LIMIT);
        vm.revertToState(snapshot);
        uint256 total;
        for (uint256 i = 0; i < 8; ++i) {
            (, uint256 payment) = _take(WETH, USDC, 1.2e18);
            total += payment;
        }
        (, uint256 last) = _take(WETH, USDC, NO_LIMIT);
        assertGe(total + last, whole);
        assertEq(_debt(borrower, USDC), 0);
        _assertBooksBalance();
    }

    function test_several_debts_bear_the_same_share_of_the_loss() external {
        _deposit(borrower, WETH, 20 * ONE_WETH);
        _borrow(borrower, USDC, 12_000 * ONE_USDC);
        _borrow(borrower, WBTC, 0.28e8);
        skip(12);
        _publish(WETH, 1_300e8); // 26,000 against 28,800
        _kick(borrower, _ids(WETH));
        skip(60);
        ILiquidationEngine.Slice memory inUsdc = engine.largestSlice(borrower, WETH, USDC);
        ILiquidationEngine.Slice memory inWbtc = engine.largestSlice(borrower, WETH, WBTC);
        assertApproxEqRel(inUsdc.cancelled * 1e18 / inUsdc.payment, inWbtc.cancelled * 1e18 / inWbtc.payment, 1e12);
        _take(WETH, USDC, NO_LIMIT);
        assertEq(_debt(borrower, USDC), 0);
        assertTrue(_flagged(borrower));
        _take(WETH, WBTC, NO_LIMIT);
        assertEq(_debt(borrower, WBTC), 0);
        assertFalse(_flagged(borrower));
        _assertBooksBalance();
    }

    function test_a_collateral_that_does_not_run_holds_the_price_at_the_oracles() external {
        _deposit(borrower, WETH, 10 * ONE_WETH);
        _deposit(borrower, WBTC, 0.2e8);
        _borrow(borrower, USDC, 24_000 * ONE_USDC);
        skip(12);
        _publish(WETH, 1_100e8); // 11,000 + 12,000 against 24,000
        _kick(borrower, _ids(WETH));
        skip(120);
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, WETH, USDC);
        assertTrue(slice.insolvent);
        assertEq(slice.multiplierWad, 1e18);
        assertApproxEqRel(slice.cancelled * 1e18 / slice.payment, 24_000e18 * uint256(1e18) / 23_000e18, 1e12);
        assertEq(slice.seized, 10 * ONE_WETH);
        _kick(borrower, _ids(WBTC));
        skip(120);
        slice = engine.largestSlice(borrower, WETH, USDC);
        assertEq(slice.multiplierWad, engine.reservePrice(borrower, WBTC) / 60_000, "the slower clock");
        _take(WETH, USDC, NO_LIMIT);
        assertEq(_collateral(borrower, WBTC), 0.2e8);
        assertTrue(_flagged(borrower), "the rest is still for sale");
        _assertBooksBalance();
    }

    function test_a_leg_kicked_alone_cannot_make_a_solvent_account_insolvent() external {
        _deposit(borrower, USDC, 12_000 * ONE_USDC);
        _deposit(borrower, WBTC, 0.4e8);
        _borrow(borrower, WETH, 12.9e18);
        skip(12);
        _publish(WETH, 2_657e8); // 36,000 against 34,275; what is stable must cost more than the oracle says
        _kick(borrower, _ids(USDC));
        skip(2_400); // its curve is at the floor, and nobody could have bought on the way there
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, USDC, WETH);
        assertFalse(slice.insolvent, "12,000 * 0.8 + 24,000 is less than the debt");
        assertGt(slice.multiplierWad, 1.04e18, "k * D_w / (A * w)");
        _kick(borrower, _ids(WBTC));
        slice = engine.largestSlice(borrower, USDC, WETH);
        assertFalse(slice.insolvent, "the other leg has only begun");
        assertGt(slice.multiplierWad, 1.04e18);
    }

    function test_a_gift_of_dust_does_not_hold_an_auction_up() external {
        _kickLong(1_500e8);
        skip(120);
        uint256 multiplier = engine.largestSlice(borrower, WETH, USDC).multiplierWad;
        assertLt(multiplier, 1e18);
        _fund(taker, WBTC, 0.001e8);
        vm.prank(taker);
        house.depositCollateral(WBTC, 0.001e8, borrower); // 60
        assertEq(engine.largestSlice(borrower, WETH, USDC).multiplierWad, multiplier);
    }

    function test_what_is_left_below_dust_is_written_off_after_the_sale() external {
        _deposit(borrower, WETH, 10 * ONE_WETH);
        _deposit(borrower, WBTC, 0.001e8); // 60
        _borrow(borrower, USDC, 16_000 * ONE_USDC);
        skip(12);
        _publish(WETH, 1_500e8);
        _kick(borrower, _ids(WETH));
        skip(60);
        uint256 reserve = house.market(WBTC).reserveAssets;
        _take(WETH, USDC, NO_LIMIT);
        assertEq(_debt(borrower, USDC), 0);
        assertEq(_collateral(borrower, WBTC), 0);
        assertEq(house.market(WBTC).reserveAssets, reserve + 0.001e8, "forfeited");
        assertFalse(_flagged(borrower));
        assertEq(_epoch(borrower), 1);
        _assertBooksBalance();
    }

    function test_tip_and_chip_come_out_of_the_reserve_as_far_as_it_reaches() external {
        _kickLong(1_500e8);
        skip(60);
        assertLe(house.market(USDC).reserveAssets, 1, "no reserve yet");
        _take(WETH, USDC, 4e18);
        assertEq(house.creditOf(USDC, keeper), 0);
        _fillReserve();
        uint256 reserve = house.market(USDC).reserveAssets;
        assertGt(reserve, 20 * ONE_USDC);
        uint256 before = tokens[USDC].balanceOf(taker);
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, WETH, USDC);
        _take(WETH, USDC, NO_LIMIT);
        uint256 chip = slice.payment - (before - tokens[USDC].balanceOf(taker));
        assertEq(chip, slice.repaid / 1_000);
        assertEq(house.creditOf(USDC, keeper), 5 * ONE_USDC);
        assertApproxEqAbs(reserve - house.market(USDC).reserveAssets, chip + 5 * ONE_USDC, 1);
        _assertBooksBalance();
    }

    function test_incentives_in_insolvency_are_capped_as_if_a_penalty_had_been_paid() external {
        _fillReserve();
        address small = makeAddr("small");
        _deposit(small, WETH, 0.35e18);
        _borrow(small, USDC, 550 * ONE_USDC);
        skip(12);
        _publish(WETH, 1_500e8);
        _kick(small, _ids(WETH));
        skip(60);
        vm.prank(taker);
        (, uint256 pulled) = engine.take(small, WETH, USDC, NO_LIMIT, NO_LIMIT, taker, "");
        uint256 incentives = house.creditOf(USDC, keeper);
        assertLe(incentives, (pulled + 5 * ONE_USDC) * 3 / 1_000, "0.5 % * 60 %");
        assertGt(incentives, ONE_USDC);
    }

    function test_a_sale_above_the_reserve_is_booked_at_its_own_price() external {
        _kickLong(1_600e8); // 16,000 against 15,900
        _pool(WETH, 1_610e18, 200_000_000);
        skip(400); // m = 0.9628: insolvent at the reserve
        assertTrue(engine.largestSlice(borrower, WETH, USDC).insolvent);
        uint256 supplied = house.market(USDC).totalSupplyAssets;
        uint256 debt = _debt(borrower, USDC);
        (, uint256 payment) = _swap(WETH, USDC, NO_LIMIT, 1_600e18);
        uint256 repaid = debt - _debt(borrower, USDC);
        assertLe(repaid, payment);
        assertGe(repaid * 1_005, payment * 1_000, "at most the penalty is kept");
        assertLe(house.healthFactor(borrower), 1.05e18);
        assertGe(house.market(USDC).totalSupplyAssets, supplied, "the pool paid enough: no deficit");
        _assertBooksBalance();
    }

    function test_a_sale_below_the_debt_books_a_deficit_at_its_own_price() external {
        _kickLong(1_500e8);
        _pool(WETH, 1_500e18, 200_000_000);
        skip(600); // m = 0.9414
        uint256 supplied = house.market(USDC).totalSupplyAssets;
        (uint256 seized, uint256 payment) = _swap(WETH, USDC, NO_LIMIT, 1_495e18);
        assertEq(seized, 10 * ONE_WETH);
        assertEq(_debt(borrower, USDC), 0);
        uint256 loss = supplied - house.market(USDC).totalSupplyAssets;
        assertApproxEqAbs(loss, 15_900 * ONE_USDC - payment, 200, "not the reserve's");
        _assertBooksBalance();
    }

    function test_proceeds_beyond_a_small_debt_stay_with_the_account_and_pay_no_incentive() external {
        _fillReserve();
        _depositOther(12_000e18);
        _deposit(borrower, WETH, 10 * ONE_WETH);
        _borrow(borrower, WBTC, 0.36e8);
        _borrow(borrower, USDC, 1_000 * ONE_USDC);
        skip(12);
        _publish(WETH, 1_055e8); // 10,550 for sale and 12,000 beside it, against 22,600
        _pool(WETH, 1_070e18, 200_000_000);
        _kick(borrower, _ids(WETH, 3));
        skip(600); // m = 0.9414
        uint256 debt = _debt(borrower, USDC);
        uint256 reserve = house.market(USDC).reserveAssets;
        (, uint256 payment) = _swap(WETH, USDC, NO_LIMIT, 0);
        assertGt(payment, debt, "sized by the reserve, sold at the pool's price");
        assertEq(_debt(borrower, USDC), 0);
        assertEq(_collateral(borrower, USDC), payment - debt);
        assertEq(house.creditOf(USDC, keeper), 0);
        assertApproxEqAbs(house.market(USDC).reserveAssets, reserve, 1);
        assertTrue(_flagged(borrower));
        _assertBooksBalance();
    }

    function test_a_partial_sale_in_insolvency_leaves_the_rest_as_insolvent_as_before() external {
        _kickLong(1_500e8);
        _pool(WETH, 1_500e18, 200_000_000);
        skip(600);
        IClearingHouse.AccountState memory before = house.accountState(borrower);
        _swap(WETH, USDC, 4e18, 1_495e18);
        IClearingHouse.AccountState memory afterwards = house.accountState(borrower);
        assertApproxEqRel(
            before.debtValue * 1e18 / before.collateralValue,
            afterwards.debtValue * 1e18 / afterwards.collateralValue,
            1e12
        );
        assertTrue(_flagged(borrower));
        _assertBooksBalance();
    }

    // ------------------------------------------------------------------ accounts

    function _kickLong(int256 answer) private {
        _openLong();
        _publish(WETH, answer);
        _kick(borrower, _ids(WETH));
    }

    /// @dev Lists a fourth asset, worth 1, and deposits it.
    function _depositOther(uint256 amount) private {
        FaucetToken token = new FaucetToken("DAI", "DAI", 18);
        oracle.setFeed(address(token), IPriceOracle.Feed(address(feeds[USDC]), 1 days, 1, 1e16));
        IClearingHouse.AssetParameters memory parameters = house.assetParameters(USDC);
        uint8 assetId = house.listAsset(address(token), parameters, house.rateModel(USDC));
        token.mint(borrower, amount);
        vm.startPrank(borrower);
        token.approve(address(house), amount);
        house.depositCollateral(assetId, amount, borrower);
        vm.stopPrank();
    }

    /// @dev Interest of another borrower, paid, fills the reserve of USDC.
    function _fillReserve() private {
        address whale = makeAddr("whale");
        uint256 start = vm.getBlockTimestamp();
        _deposit(whale, WBTC, 1_000 * ONE_WBTC);
        _borrow(whale, USDC, 43_000_000 * ONE_USDC);
        vm.warp(start + 5_400);
        house.accrue(USDC);
        tokens[USDC].mint(whale, 1_000_000 * ONE_USDC);
        vm.prank(whale);
        tokens[USDC].approve(address(house), type(uint256).max);
        vm.prank(whale);
        house.repay(USDC, type(uint256).max, whale);
        vm.roll(vm.getBlockNumber() + 300);
    }
}

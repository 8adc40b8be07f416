// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {IVenue} from "../../contracts/interfaces/IVenue.sol";
import {FaucetToken} from "../../contracts/mocks/FaucetToken.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";
import {Vm} from "../support/forge/Vm.sol";

/// @title Sales through a real Uniswap V3 pool
contract LiquidationEngineSwapTest is EngineFixture {
    uint256 private constant DEEP = 200_000_000;

    // ------------------------------------------------------------------ price

    function test_swap_sells_near_spot_and_repays_with_the_proceeds() external {
        _kickLong(DEEP);
        skip(120); // m = 0.9936, below the pool's 0.9995
        uint256 debt = _debt(borrower, USDC);
        (uint256 seized, uint256 payment) = _swap(WETH, USDC, NO_LIMIT, 0);
        assertApproxEqRel(payment * 1e12, seized * 1_900 * 9_995 / 10_000, 0.0002e18);
        assertApproxEqRel(debt - _debt(borrower, USDC), payment * 1_000 / 1_005, 0.0001e18);
        assertEq(tokens[WETH].balanceOf(address(venue)), 0, "the venue keeps nothing");
        assertEq(tokens[USDC].balanceOf(address(venue)), 0);
        _assertBooksBalance();
    }

    function test_swap_is_sized_at_the_realised_price_and_stays_at_the_target() external {
        _kickLong(DEEP);
        skip(600); // m = 0.9414: a slice sized there would sell a third too much
        uint256 atReserve = engine.largestSlice(borrower, WETH, USDC).seized;
        (uint256 seized,) = _swap(WETH, USDC, NO_LIMIT, 0);
        assertLt(seized * 13, atReserve * 10);
        assertApproxEqAbs(house.healthFactor(borrower), 1.05e18, 0.0001e18);
        assertLe(house.healthFactor(borrower), 1.05e18);
        assertFalse(_flagged(borrower));
    }

    function test_swap_before_the_pool_meets_the_reserve_reverts() external {
        _kickLong(DEEP);
        vm.expectPartialRevert(ILiquidationEngine.VenueBelowReserve.selector);
        _swap(WETH, USDC, NO_LIMIT, 0);
    }

    function test_swap_that_slips_below_the_reserve_reverts() external {
        _kickLong(100_000); // 2.3 WETH move this pool by some 9 %
        skip(120);
        vm.expectPartialRevert(IVenue.ProceedsBelowMinimum.selector);
        _swap(WETH, USDC, NO_LIMIT, 0);
        _swap(WETH, USDC, ONE_WETH / 10, 0);
        assertTrue(_flagged(borrower));
    }

    function test_a_limit_above_spot_reverts_before_the_sale() external {
        _kickLong(DEEP);
        skip(120);
        vm.expectPartialRevert(ILiquidationEngine.PriceBelowLimit.selector);
        _swap(WETH, USDC, NO_LIMIT, 1_900e18);
    }

    function test_a_limit_that_the_sale_misses_reverts() external {
        _kickLong(1_000_000);
        skip(600);
        vm.expectPartialRevert(IVenue.ProceedsBelowMinimum.selector);
        _swap(WETH, USDC, NO_LIMIT, 1_895e18);
        _swap(WETH, USDC, NO_LIMIT, 1_850e18);
    }

    function test_a_pool_above_the_oracle_cancels_more_debt() external {
        _kickLong(DEEP);
        pools.moveTo(tokens[WETH], tokens[USDC], FEE_PIPS, 1_950e18);
        uint256 debt = _debt(borrower, USDC);
        (uint256 seized, uint256 payment) = _swap(WETH, USDC, NO_LIMIT, 0);
        assertApproxEqRel(payment * 1e12, seized * 1_949, 0.0005e18);
        assertApproxEqRel(debt - _debt(borrower, USDC), payment * 1_000 / 1_005, 0.0001e18, "not a surplus");
        assertLe(house.healthFactor(borrower), 1.05e18);
    }

    // ------------------------------------------------------------------ size

    function test_swap_sells_no_more_than_the_caller_allows() external {
        _kickLong(DEEP);
        skip(120);
        (uint256 seized,) = _swap(WETH, USDC, ONE_WETH / 2, 0);
        assertEq(seized, ONE_WETH / 2);
    }

    function test_a_choice_that_leaves_dust_reverts() external {
        _openSmall();
        vm.expectPartialRevert(ILiquidationEngine.DustLeft.selector);
        _swap(WETH, USDC, 0.3e18, 0);
    }

    function test_a_swap_of_nothing_reverts() external {
        _kickLong(DEEP);
        skip(120);
        vm.expectRevert(ILiquidationEngine.SliceEmpty.selector);
        _swap(WETH, USDC, 0, 0);
    }

    function test_a_closing_sale_leaves_no_share_and_credits_the_surplus() external {
        _openSmall();
        uint256 debt = _debt(borrower, USDC);
        (, uint256 payment) = _swap(WETH, USDC, NO_LIMIT, 1_600e18);
        (uint128 surplus, uint128 debtShares) = house.balanceOf(borrower, USDC);
        assertEq(debtShares, 0);
        uint256 penalty = (debt * 5 + 999) / 1_000;
        assertEq(surplus, payment - debt - penalty);
        assertGt(surplus, 5 * ONE_USDC);
        (uint64 collaterals,,,,) = house.accountInfo(borrower);
        assertEq(collaterals, 1 << WETH | 1 << USDC, "an asset that it did not hold before");
        assertFalse(_flagged(borrower));
        _assertBooksBalance();
    }

    function test_a_short_is_sold_into_the_other_direction() external {
        _openShort();
        _publish(WETH, 2_150e8);
        _pool(WETH, 2_150e18, DEEP);
        _kick(borrower, _ids(USDC));
        skip(120);
        (uint256 seized, uint256 payment) = _swap(USDC, WETH, NO_LIMIT, 0);
        assertApproxEqRel(payment * 2_150, seized * 1e12 * 9_995 / 10_000, 0.0003e18);
        assertLe(house.healthFactor(borrower), 1.05e18);
        assertGt(house.healthFactor(borrower), 1.049e18);
        _assertBooksBalance();
    }

    function test_a_coarse_collateral_is_sold_too() external {
        _deposit(borrower, WBTC, ONE_WBTC);
        _borrow(borrower, USDC, 43_800 * ONE_USDC);
        skip(12);
        _publish(WBTC, 55_000e8);
        _pool(WBTC, 55_000e18, DEEP);
        _kick(borrower, _ids(WBTC));
        skip(120);
        _swap(WBTC, USDC, NO_LIMIT, 0);
        assertLe(house.healthFactor(borrower), 1.05e18);
        assertGt(house.healthFactor(borrower), 1.049e18);
        _assertBooksBalance();
    }

    // ------------------------------------------------------------------ incentives

    function test_tip_and_chip_are_credited_and_can_be_collected() external {
        _kickLong(DEEP);
        _publish(WETH, 1_750e8);
        pools.moveTo(tokens[WETH], tokens[USDC], FEE_PIPS, 1_750e18);
        skip(120);
        vm.prank(taker);
        engine.swap(borrower, WETH, USDC, NO_LIMIT, 0, address(venue), _route(WETH, USDC));
        assertEq(house.creditOf(USDC, keeper), 5 * ONE_USDC, "tip to the kicker");
        uint256 chip = house.creditOf(USDC, taker);
        assertGt(chip, ONE_USDC, "chip to the settler");
        vm.prank(taker);
        house.collectCredit(USDC, taker);
        assertEq(tokens[USDC].balanceOf(taker), chip);
        _assertBooksBalance();
    }

    function test_the_settlement_is_told_at_the_realised_price() external {
        _kickLong(DEEP);
        skip(120);
        vm.recordLogs();
        (uint256 seized, uint256 payment) = _swap(WETH, USDC, NO_LIMIT, 0);
        SettledLog memory told = _settled();
        assertEq(told.route, uint8(ILiquidationEngine.Route.SWAP));
        assertEq(told.seized, seized);
        assertEq(told.payment, payment);
        assertApproxEqAbs(told.multiplierWad, payment * 1e30 / seized * 1e18 / oracle.price(address(tokens[WETH])), 1e6);
    }

    // ------------------------------------------------------------------ venues

    function test_a_venue_that_is_not_allowed_is_refused() external {
        _kickLong(DEEP);
        engine.setVenue(address(venue), false);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.VenueNotAllowed.selector, address(venue)));
        _swap(WETH, USDC, NO_LIMIT, 0);
    }

    function test_a_venue_that_pays_above_its_own_spot_cannot_lift_health_past_the_target() external {
        _kickLong(DEEP);
        skip(120);
        GenerousVenue generous = new GenerousVenue();
        engine.setVenue(address(generous), true);
        vm.prank(keeper);
        vm.expectPartialRevert(ILiquidationEngine.HealthOutOfRange.selector);
        engine.swap(borrower, WETH, USDC, NO_LIMIT, 0, address(generous), "");
    }

    function test_a_sale_that_came_back_with_less_than_the_reserve_cannot_lower_health() external {
        _kickLong(DEEP);
        skip(120);
        bytes memory call = abi.encodeWithSelector(house.sell.selector);
        vm.mockCall(address(house), call, abi.encode(3_000 * ONE_USDC)); // for some 2.3 WETH
        vm.expectPartialRevert(ILiquidationEngine.HealthOutOfRange.selector);
        _swap(WETH, USDC, NO_LIMIT, 0);
    }

    // ------------------------------------------------------------------ accounts

    function _kickLong(uint256 depth) private {
        _openLong();
        _publish(WETH, 1_900e8);
        _pool(WETH, 1_900e18, depth);
        _kick(borrower, _ids(WETH));
    }

    /// @dev 0.35 WETH against 550 USDC: whatever the target asks for, dust would be left.
    function _openSmall() private {
        _deposit(borrower, WETH, 0.35e18);
        _borrow(borrower, USDC, 550 * ONE_USDC);
        skip(12);
        _publish(WETH, 1_640e8);
        _pool(WETH, 1_640e18, DEEP);
        _kick(borrower, _ids(WETH));
        skip(600);
    }

    function _lastLog(bytes32 topic) private returns (bytes memory) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = logs.length; i > 0; --i) {
            if (logs[i - 1].topics[0] == topic) return logs[i - 1].data;
        }
        revert("no such log");
    }
}

/// @title A venue that quotes the oracle price and pays a tenth more
contract GenerousVenue is IVenue {
    function amountOutAtSpot(address, address, uint256 amountIn, bytes calldata) external pure returns (uint256) {
        return amountIn * 1_900 / 1e12;
    }

    function priceBounds(address, address, uint256 amountIn, bytes calldata, uint32)
        external
        pure
        returns (uint256 lowest, uint256 highest)
    {
        return (amountIn * 1_900 / 1e12, amountIn * 1_900 / 1e12);
    }

    function swap(address, address tokenOut, uint256 amountIn, uint256, address recipient, bytes calldata)
        external
        returns (uint256 amountOut)
    {
        amountOut = amountIn * 2_090 / 1e12;
        FaucetToken(tokenOut).mint(recipient, amountOut);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {IPriceOracle} from "../../contracts/interfaces/IPriceOracle.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";

/// @title Nobody lowers a reserve by what he does to the account: not by repaying a debt, not by buying a leg;
/// nor does urgency, beyond what takers need
contract LiquidationEngineSteadyReserveTest is EngineFixture {
    /// @dev What takers need: 1 less slippage limit and penalty.
    uint256 private constant NEED = 0.975e18;

    address private immutable _attacker = makeAddr("attacker");

    function setUp() public override {
        super.setUp();
        _fund(_attacker, USDC, 100_000_000 * ONE_USDC);
        _fund(_attacker, WBTC, 1_000 * ONE_WBTC);
        _fund(taker, WBTC, 1_000 * ONE_WBTC);
    }

    // ------------------------------------------------------------------ debts

    /// @dev A long of 1,000 ether that owes dollars, and a little bitcoin, whose market sales for another account load
    /// for half an hour.
    function _loadTheMarketOfASmallDebt() private {
        address decoy = makeAddr("decoy");
        engine.setBudgeted(WBTC, true);
        _deposit(borrower, WETH, 1_000 * ONE_WETH);
        _borrow(borrower, USDC, 1_588_000 * ONE_USDC);
        _borrow(borrower, WBTC, 0.009e8);
        _deposit(decoy, USDC, 10_000_000 * ONE_USDC);
        _borrow(decoy, WBTC, 131 * ONE_WBTC);
        skip(12);
        _publish(WETH, 1_900e8);
        _publish(WBTC, 64_000e8);
        _kick(borrower, _ids(WETH));
        _kick(decoy, _ids(USDC));
        for (uint256 i = 0; i < 60; ++i) {
            vm.prank(taker);
            try engine.take(decoy, USDC, WBTC, 10_100 * ONE_USDC, NO_LIMIT, taker, "") {} catch (bytes memory) {}
            skip(30);
        }
    }

    function test_a_debt_that_was_repaid_holds_the_reserve_as_it_did() external {
        _loadTheMarketOfASmallDebt();
        uint256 before = _multiplier(WETH);
        assertGt(before, 0.99e18, "the market of the small debt is loaded");
        uint256 supplied = house.market(USDC).totalSupplyAssets;
        vm.startPrank(_attacker);
        house.repay(WBTC, type(uint256).max, borrower);
        assertEq(_multiplier(WETH), before);
        (uint256 seized, uint256 payment) = engine.take(borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, _attacker, "");
        vm.stopPrank();
        assertGe(payment * 1e12, seized * 1_900 * 99 / 100);
        assertLt(seized, 300 * ONE_WETH, "to the target, and no further");
        assertEq(house.market(USDC).totalSupplyAssets, supplied);
        _assertBooksBalance();
    }

    function test_a_debt_of_an_earlier_auction_holds_nothing() external {
        _loadTheMarketOfASmallDebt();
        vm.prank(_attacker);
        house.repay(WBTC, type(uint256).max, borrower);
        _publish(WETH, 2_000e8);
        engine.clear(borrower);
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        uint256 start = _multiplier(WETH);
        skip(89);
        assertApproxEqRel(_multiplier(WETH), start * 99 / 100, 1e15);
    }

    // ------------------------------------------------------------------ urgency

    /// @dev Half an hour of load, and then a fall that leaves too little to pay takers with: u is 1.
    function test_I29_urgency_lowers_no_reserve_below_what_takers_need() external {
        _loadTheMarketOfASmallDebt();
        assertGt(_multiplier(WETH), NEED);
        _publish(WETH, 1_600e8);
        assertEq(_multiplier(WETH), NEED, "wall time alone would lead to 0.82");
    }

    function test_I29_below_that_the_market_itself_lowers_it() external {
        _loadTheMarketOfASmallDebt();
        _publish(WETH, 1_600e8);
        skip(300); // as the market recovers its clock goes on
        uint256 before = _multiplier(WETH);
        assertLt(before, NEED);
        skip(89);
        assertApproxEqRel(_multiplier(WETH), before * 99 / 100, 1e15, "at the pace of the wall");
    }

    // ------------------------------------------------------------------ legs

    /// @dev Ether whose reserve ran for 25 minutes, and bitcoin worth 120, of an account that is barely solvent.
    function _runOneLegOfTwo() private {
        _deposit(borrower, WETH, 10 * ONE_WETH);
        _deposit(borrower, WBTC, 0.002e8);
        _borrow(borrower, USDC, 15_900 * ONE_USDC);
        skip(12);
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        skip(1_500);
        _publish(WETH, 1_600e8);
    }

    function test_a_leg_that_was_bought_makes_no_solvent_account_insolvent() external {
        _runOneLegOfTwo();
        uint256 supplied = house.market(USDC).totalSupplyAssets;
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, WETH, USDC);
        assertFalse(slice.insolvent);
        vm.startPrank(_attacker);
        engine.kick(borrower, _ids(WBTC));
        engine.take(borrower, WBTC, USDC, NO_LIMIT, NO_LIMIT, _attacker, "");
        vm.stopPrank();
        assertEq(_collateral(borrower, WBTC), 0);
        ILiquidationEngine.Slice memory left = engine.largestSlice(borrower, WETH, USDC);
        assertFalse(left.insolvent);
        assertApproxEqRel(left.multiplierWad, slice.multiplierWad, 1e15);
        vm.prank(_attacker);
        (uint256 seized, uint256 payment) = engine.take(borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, _attacker, "");
        assertGe(payment * 1e12, seized * 1_600 * 98 / 100);
        assertEq(house.market(USDC).totalSupplyAssets, supplied);
        _assertBooksBalance();
    }

    function test_a_leg_that_was_bought_counts_by_its_own_curve() external {
        _runOneLegOfTwo();
        vm.startPrank(_attacker);
        engine.kick(borrower, _ids(WBTC));
        engine.take(borrower, WBTC, USDC, NO_LIMIT, NO_LIMIT, _attacker, "");
        vm.stopPrank();
        skip(600);
        (bool running, uint256 sold) = engine.multiplier(borrower, WBTC);
        assertTrue(running);
        assertLt(sold, 0.95e18);
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, WETH, USDC);
        assertTrue(slice.insolvent, "by then all that matters was for sale");
        assertEq(slice.multiplierWad, sold);
    }

    // ------------------------------------------------------------------ the end

    function test_an_account_that_was_healthy_while_its_auction_ran_is_not_ended() external {
        _openLong();
        _publish(WETH, 1_910e8);
        _kick(borrower, _ids(WETH));
        skip(1);
        _publish(WETH, 2_000e8); // nobody can buy
        skip(7_200);
        _publish(WETH, 1_910e8);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.EndRefused.selector, borrower));
        engine.end(borrower);
        engine.redo(borrower, _ids(WETH));
        assertEq(_collateral(borrower, WETH), 10 * ONE_WETH);
    }

    function test_what_was_never_for_sale_is_not_forfeited() external {
        _deposit(borrower, WETH, 10 * ONE_WETH);
        _deposit(borrower, WBTC, 0.002e8);
        _borrow(borrower, USDC, 16_000 * ONE_USDC);
        skip(12);
        _publish(WETH, 1_580e8); // 15,800 + 120 < 16,000
        _kick(borrower, _ids(WBTC));
        skip(7_200);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.EndRefused.selector, borrower));
        engine.end(borrower);
    }

    // ------------------------------------------------------------------ a shield

    function test_an_account_that_owes_takes_no_new_collateral_without_a_price() external {
        _openLong();
        _fund(_attacker, WBTC, 2 * ONE_WBTC);
        vm.mockCallRevert(address(feeds[WBTC]), hex"", "no");
        vm.startPrank(_attacker);
        vm.expectPartialRevert(IPriceOracle.FeedUnreadable.selector);
        house.depositCollateral(WBTC, 1, borrower);
        house.depositCollateral(WBTC, 1, _attacker); // owes nothing
        vm.stopPrank();
        vm.clearMockedCalls();
        vm.prank(_attacker);
        house.depositCollateral(WBTC, 1, borrower);
    }

    function _multiplier(uint8 assetId) private view returns (uint256 wad) {
        (, wad) = engine.multiplier(borrower, assetId);
    }
}

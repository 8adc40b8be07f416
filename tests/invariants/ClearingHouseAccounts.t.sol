// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {IPriceOracle} from "../../contracts/interfaces/IPriceOracle.sol";
import {FaucetToken} from "../../contracts/mocks/FaucetToken.sol";
import {MockAggregator} from "../../contracts/mocks/MockAggregator.sol";
import {HouseFixture} from "./support/HouseFixture.sol";

/// @title Accounts: collateral, debt, limits, the cure
contract ClearingHouseAccountsTest is HouseFixture {
    // ------------------------------------------------------------------ deposits

    function test_deposit_by_anyone_is_the_accounts() external {
        fund(stranger, WETH, 3e18);
        vm.expectEmit(address(house));
        emit IClearingHouse.CollateralDeposited(borrower, WETH, stranger, 3e18);
        vm.prank(stranger);
        house.depositCollateral(WETH, 3e18, borrower);
        assertEq(collateralOf(borrower, WETH), 3e18);
        (uint64 collaterals, uint64 debts,,,) = house.accountInfo(borrower);
        assertEq(collaterals, 1 << WETH);
        assertEq(debts, 0);
        assertEq(house.market(WETH).collateralAssets, 3e18);
        assertBooksBalance();
    }

    function test_deposit_reverts_where_it_must() external {
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        house.depositCollateral(WETH, 0, borrower);
        vm.expectRevert(IClearingHouse.ZeroAddress.selector);
        house.depositCollateral(WETH, 1, address(0));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AssetNotListed.selector, 77));
        house.depositCollateral(77, 1, borrower);
        uint256 large = uint256(type(uint128).max) + 1;
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AmountTooLarge.selector, large));
        house.depositCollateral(WETH, large, borrower);
    }

    function test_deposit_to_the_cap_passes_and_beyond_it_reverts() external {
        IClearingHouse.AssetParameters memory parameters = house.assetParameters(WETH);
        parameters.collateralCap = 10e18;
        vm.prank(governor);
        house.setAssetParameters(WETH, parameters);
        deposit(borrower, WETH, 10e18);
        fund(stranger, WETH, 1);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CapExceeded.selector, WETH, 10e18 + 1, 10e18));
        vm.prank(stranger);
        house.depositCollateral(WETH, 1, stranger);
    }

    // ------------------------------------------------------------------ withdrawals

    function test_withdrawal_of_all_clears_the_bitmap() external {
        deposit(borrower, WETH, 3e18);
        deposit(borrower, USDC, 5e6);
        vm.expectEmit(address(house));
        emit IClearingHouse.CollateralWithdrawn(borrower, WETH, stranger, 3e18);
        vm.prank(borrower);
        house.withdrawCollateral(WETH, type(uint256).max, borrower, stranger);
        (uint64 collaterals,,,, uint40 lastRiskBlock) = house.accountInfo(borrower);
        assertEq(collaterals, 1 << USDC);
        assertEq(lastRiskBlock, block.number);
        assertEq(tokens[WETH].balanceOf(stranger), 3e18);
        assertEq(house.market(WETH).collateralAssets, 0);
        assertBooksBalance();
    }

    function test_withdrawal_reverts_where_it_must() external {
        deposit(borrower, WETH, 3e18);
        vm.startPrank(borrower);
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        house.withdrawCollateral(WETH, 0, borrower, borrower);
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        house.withdrawCollateral(USDC, type(uint256).max, borrower, borrower);
        vm.expectRevert(IClearingHouse.ZeroAddress.selector);
        house.withdrawCollateral(WETH, 1, borrower, address(0));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BalanceInsufficient.selector, WETH, 3e18 + 1, 3e18));
        house.withdrawCollateral(WETH, 3e18 + 1, borrower, borrower);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.OperatorUnauthorised.selector, borrower, stranger));
        vm.prank(stranger);
        house.withdrawCollateral(WETH, 1, borrower, stranger);
    }

    /// @dev 16,000 of debt at a maxLtv of 0.80 needs 20,000 of collateral: 10 WETH, and not a wei less.
    function test_withdrawal_to_the_borrow_limit_passes_and_beyond_it_reverts() external {
        deposit(borrower, WETH, 11e18);
        borrow(borrower, USDC, 16_000e6);
        vm.startPrank(borrower);
        vm.expectRevert(
            abi.encodeWithSelector(IClearingHouse.BorrowLimitExceeded.selector, 16_000e18, 16_000e18 - 1600)
        );
        house.withdrawCollateral(WETH, 1e18 + 1, borrower, borrower);
        house.withdrawCollateral(WETH, 1e18, borrower, borrower);
        assertEq(collateralOf(borrower, WETH), 10e18);
    }

    function test_withdrawal_without_debt_asks_no_price() external {
        deposit(borrower, WETH, 3e18);
        skip(1 days);
        vm.expectPartialRevert(IPriceOracle.PriceStale.selector);
        house.accountState(borrower);
        vm.prank(borrower);
        house.withdrawCollateral(WETH, 1e18, borrower, borrower);
        assertEq(house.healthFactor(borrower), type(uint256).max);
    }

    // ------------------------------------------------------------------ borrowing

    function test_borrow_mints_debt_and_pays() external {
        deposit(borrower, WETH, 10e18);
        vm.expectEmit(address(house));
        emit IClearingHouse.Borrowed(borrower, USDC, stranger, 16_000e6, 16_000e12);
        vm.prank(borrower);
        uint256 shares = house.borrow(USDC, 16_000e6, borrower, stranger);
        assertEq(shares, 16_000e12);
        assertEq(tokens[USDC].balanceOf(stranger), 16_000e6);
        (, uint128 debtShares) = house.balanceOf(borrower, USDC);
        assertEq(debtShares, shares);
        (, uint64 debts,,, uint40 lastRiskBlock) = house.accountInfo(borrower);
        assertEq(debts, 1 << USDC);
        assertEq(lastRiskBlock, block.number);
        assertBooksBalance();
    }

    function test_borrow_beyond_the_limit_reverts() external {
        deposit(borrower, WETH, 10e18);
        vm.expectRevert(
            abi.encodeWithSelector(IClearingHouse.BorrowLimitExceeded.selector, 16_000e18 + 1e12, 16_000e18)
        );
        vm.prank(borrower);
        house.borrow(USDC, 16_000e6 + 1, borrower, borrower);
    }

    /// @dev A short: WETH owed against USDC is weighted by 1.08. 8.7 of 10,000 USDC at 0.87 carries 8,700 / 1.08 /
    /// 2,000.
    function test_a_short_is_margined_by_the_debt_weight() external {
        deposit(borrower, USDC, 10_000e6);
        uint256 most = uint256(8_700e18) * 1e4 / 10_800 / 2_000;
        borrow(borrower, WETH, most);
        assertApproxEqAbs(house.healthFactor(borrower), uint256(9_000e18) * 1e18 / 8_700e18, 1_000);
        vm.expectPartialRevert(IClearingHouse.BorrowLimitExceeded.selector);
        vm.prank(borrower);
        house.borrow(WETH, 1, borrower, borrower);
    }

    function test_borrow_reverts_where_it_must() external {
        deposit(borrower, WETH, 10e18);
        vm.startPrank(borrower);
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        house.borrow(USDC, 0, borrower, borrower);
        vm.expectRevert(IClearingHouse.ZeroAddress.selector);
        house.borrow(USDC, 1_000e6, borrower, address(0));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AssetNotListed.selector, 3));
        house.borrow(3, 1_000e6, borrower, borrower);
        vm.expectRevert(
            abi.encodeWithSelector(IClearingHouse.CashInsufficient.selector, USDC, 1_000_000e6 + 1, 1_000_000e6)
        );
        house.borrow(USDC, 1_000_000e6 + 1, borrower, borrower);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.OperatorUnauthorised.selector, borrower, stranger));
        vm.prank(stranger);
        house.borrow(USDC, 1_000e6, borrower, stranger);
    }

    function test_borrow_to_the_cap_passes_and_beyond_it_reverts() external {
        IClearingHouse.AssetParameters memory parameters = house.assetParameters(USDC);
        parameters.borrowCap = 1_000e6;
        vm.prank(governor);
        house.setAssetParameters(USDC, parameters);
        deposit(borrower, WETH, 10e18);
        borrow(borrower, USDC, 1_000e6);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CapExceeded.selector, USDC, 1_000e6 + 1, 1_000e6));
        vm.prank(borrower);
        house.borrow(USDC, 1, borrower, borrower);
    }

    function test_a_debt_below_the_smallest_borrow_reverts() external {
        deposit(borrower, WETH, 10e18);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BorrowTooSmall.selector, 499.999999e18, 500e18));
        vm.prank(borrower);
        house.borrow(USDC, 500e6 - 1, borrower, borrower);
        borrow(borrower, USDC, 500e6);
        borrow(borrower, USDC, 1); // counts what is owed, not what is added
    }

    function test_borrow_at_a_refused_price_reverts() external {
        deposit(borrower, WETH, 10e18);
        skip(1 days);
        vm.expectPartialRevert(IPriceOracle.PriceStale.selector);
        vm.prank(borrower);
        house.borrow(USDC, 1_000e6, borrower, borrower);
    }

    // ------------------------------------------------------------------ repaying

    function test_repay_of_a_part_by_anyone() external {
        deposit(borrower, WETH, 10e18);
        borrow(borrower, USDC, 10_000e6);
        fund(stranger, USDC, 4_000e6);
        vm.expectEmit(address(house));
        emit IClearingHouse.Repaid(borrower, USDC, stranger, 4_000e6, 4_000e12, 0);
        vm.prank(stranger);
        (uint256 assetsIn, uint256 shares) = house.repay(USDC, 4_000e6, borrower);
        assertEq(assetsIn, 4_000e6);
        assertEq(shares, 4_000e12);
        assertEq(debtOf(borrower, USDC), 6_000e6);
        assertEq(tokens[USDC].balanceOf(stranger), 0);
        assertBooksBalance();
    }

    function test_repay_of_all_clears_the_debt(uint256 assets, uint256 elapsed) external {
        deposit(borrower, WETH, 800e18);
        borrow(borrower, USDC, bound(assets, 500e6, 900_000e6));
        pass(bound(elapsed, 0, 300 days));
        uint256 owed = debtOf(borrower, USDC);
        fund(borrower, USDC, owed);
        vm.prank(borrower);
        (uint256 assetsIn,) = house.repay(USDC, type(uint256).max, borrower);
        assertEq(assetsIn, owed);
        (, uint128 debtShares) = house.balanceOf(borrower, USDC);
        (, uint64 debts,,,) = house.accountInfo(borrower);
        assertEq(debtShares, 0);
        assertEq(debts, 0);
        assertLe(house.market(USDC).totalBorrowAssets, 1, "nobody owes it");
        assertBooksBalance();
    }

    function test_repay_reverts_where_it_must() external {
        deposit(borrower, WETH, 10e18);
        borrow(borrower, USDC, 10_000e6);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.RepaymentExceedsDebt.selector, 10_000e6 + 1, 10_000e6));
        house.repay(USDC, 10_000e6 + 1, borrower);
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        house.repay(USDC, 0, borrower);
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        house.repay(WETH, type(uint256).max, borrower);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.RepaymentExceedsDebt.selector, 1, 0));
        house.repay(WETH, 1, borrower);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AssetNotListed.selector, 3));
        house.repay(3, 1, borrower);
    }

    function test_borrowing_and_repaying_never_gains(uint256 first, uint256 second, uint256 elapsed) external {
        deposit(stranger, WETH, 800e18);
        borrow(stranger, USDC, bound(first, 500e6, 400_000e6));
        pass(bound(elapsed, 0, 300 days));
        deposit(borrower, WETH, 800e18);
        second = bound(second, 500e6, 400_000e6);
        borrow(borrower, USDC, second);
        uint256 owed = debtOf(borrower, USDC);
        assertGe(owed, second);
        assertLe(owed, second + 1);
    }

    /// @dev The two debts round up apart from each other, so together they may bring a unit more than was recorded.
    function test_what_the_last_borrower_pays_too_much_is_reserve(uint256 first, uint256 second, uint256 elapsed)
        external
    {
        deposit(borrower, WETH, 800e18);
        deposit(stranger, WETH, 800e18);
        borrow(borrower, USDC, bound(first, 500e6, 400_000e6));
        borrow(stranger, USDC, bound(second, 500e6, 400_000e6));
        pass(bound(elapsed, 0, 300 days));
        repay(borrower, USDC, type(uint256).max);
        uint256 recorded = house.market(USDC).totalBorrowAssets;
        uint256 reserve = house.market(USDC).reserveAssets;
        uint256 owed = debtOf(stranger, USDC);
        repay(stranger, USDC, type(uint256).max);
        uint256 excess = owed > recorded ? owed - recorded : 0;
        assertEq(house.market(USDC).reserveAssets, reserve + excess);
        assertBooksBalance();
    }

    function test_repay_works_while_prices_are_refused() external {
        deposit(borrower, WETH, 10e18);
        borrow(borrower, USDC, 10_000e6);
        asEngine.setFlag(borrower, true);
        skip(1 days);
        repay(borrower, USDC, 5_000e6);
        deposit(borrower, WETH, 1e18);
        (,,, bool flagged,) = house.accountInfo(borrower);
        assertTrue(flagged, "no price, no cure");
    }

    // ------------------------------------------------------------------ the cure

    function _makeUnhealthy() private {
        deposit(borrower, WETH, 10e18);
        borrow(borrower, USDC, 15_000e6);
        setPrice(WETH, 1_800e8); // 18,000 * 0.83 = 14,940
        asEngine.setFlag(borrower, true);
    }

    function _assertCured(uint32 epoch) private view {
        (,, uint32 now_, bool flagged,) = house.accountInfo(borrower);
        assertFalse(flagged, "still flagged");
        assertEq(now_, epoch + 1, "epoch");
    }

    function test_a_repayment_that_heals_lets_the_flag_fall() external {
        _makeUnhealthy();
        repay(borrower, USDC, 59e6);
        (,, uint32 epoch, bool flagged,) = house.accountInfo(borrower);
        assertTrue(flagged, "60 are needed");
        fund(borrower, USDC, 1e6);
        vm.expectEmit(address(house));
        emit IClearingHouse.FlagSet(borrower, epoch + 1, false);
        vm.prank(borrower);
        house.repay(USDC, 1e6, borrower);
        _assertCured(epoch);
        assertEq(house.healthFactor(borrower), 1e18);
    }

    function test_a_deposit_that_heals_lets_the_flag_fall() external {
        _makeUnhealthy();
        deposit(borrower, WETH, 0.04e18);
        (,,, bool flagged,) = house.accountInfo(borrower);
        assertTrue(flagged);
        deposit(borrower, WETH, 0.01e18);
        _assertCured(0);
    }

    function test_a_borrow_within_the_limit_ends_a_forgotten_auction() external {
        _makeUnhealthy();
        setPrice(WETH, 2_000e8);
        borrow(borrower, USDC, 1e6);
        _assertCured(0);
    }

    function test_a_withdrawal_within_the_limit_ends_a_forgotten_auction() external {
        _makeUnhealthy();
        setPrice(WETH, 2_000e8);
        vm.prank(borrower);
        house.withdrawCollateral(WETH, 0.1e18, borrower, borrower);
        _assertCured(0);
    }

    function test_an_unhealthy_account_can_neither_borrow_nor_withdraw() external {
        _makeUnhealthy();
        vm.startPrank(borrower);
        vm.expectPartialRevert(IClearingHouse.BorrowLimitExceeded.selector);
        house.borrow(USDC, 1e6, borrower, borrower);
        vm.expectPartialRevert(IClearingHouse.BorrowLimitExceeded.selector);
        house.withdrawCollateral(WETH, 1, borrower, borrower);
    }

    // ------------------------------------------------------------------ eight of each

    function _listMore(uint256 number) private {
        for (uint256 i = 0; i < number; ++i) {
            FaucetToken token = new FaucetToken("More", "MORE", 6);
            MockAggregator feed = new MockAggregator(8, "MORE", address(this));
            feed.publish(1e8, block.timestamp);
            vm.startPrank(governor);
            oracle.setFeed(address(token), IPriceOracle.Feed(address(feed), 4_200, 1, 1e17));
            house.listAsset(address(token), parametersOf(8_000, 8_300, 10_000), rateModel());
            vm.stopPrank();
        }
    }

    function _fundMore(address owner, uint8 assetId, uint256 amount) private {
        (address token,) = house.asset(assetId);
        FaucetToken(token).mint(owner, amount);
        vm.prank(owner);
        FaucetToken(token).approve(address(house), amount);
    }

    function test_a_ninth_collateral_reverts() external {
        _listMore(7);
        for (uint8 assetId = 2; assetId < 10; ++assetId) {
            _fundMore(borrower, assetId, 100e6);
            vm.prank(borrower);
            house.depositCollateral(assetId, 50e6, borrower);
        }
        fund(borrower, WETH, 1);
        vm.startPrank(borrower);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.TooManyAssets.selector, borrower));
        house.depositCollateral(WETH, 1, borrower);
        house.depositCollateral(9, 50e6, borrower); // one in use already
        vm.stopPrank();
        assertEq(house.accountState(borrower).legs.length, 8);
        assertEq(house.accountState(borrower).collateralValue, 450e18);
    }

    function test_a_ninth_debt_reverts() external {
        _listMore(7);
        deposit(borrower, WETH, 100e18);
        for (uint8 assetId = 2; assetId < 10; ++assetId) {
            _fundMore(lender, assetId, 1_000e6);
            vm.prank(lender);
            house.supply(assetId, 1_000e6, lender);
            borrow(borrower, assetId, 500e6);
        }
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.TooManyAssets.selector, borrower));
        vm.prank(borrower);
        house.borrow(WBTC, 1e8, borrower, borrower);
        borrow(borrower, 9, 1e6); // one in use already
        assertEq(house.accountState(borrower).debtValue, 4_001e18);
    }

    /// @dev A surplus may bring a ninth collateral; what is in use can then still be added to.
    function test_a_ninth_collateral_from_a_surplus_does_not_lock_the_others() external {
        _listMore(7);
        for (uint8 assetId = 1; assetId < 10; ++assetId) {
            if (assetId == USDC) continue;
            _fundMore(borrower, assetId, 10e8);
            vm.prank(borrower);
            house.depositCollateral(assetId, 5e8, borrower);
        }
        borrow(borrower, USDC, 1_000e6);
        fund(settler, USDC, 600e6);
        IClearingHouse.Settlement memory s = settlementOf(WBTC, USDC, 1e6, 500e6);
        (s.surplus, s.payment) = (100e6, 600e6);
        asEngine.settleTake(s, settler, settler, "");
        (uint64 collaterals,,,,) = house.accountInfo(borrower);
        assertEq(collaterals, (1 << 10) - 2);
        vm.prank(borrower);
        house.depositCollateral(9, 1e8, borrower);
    }
}

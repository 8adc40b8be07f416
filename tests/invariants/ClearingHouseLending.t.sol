// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {InterestRate} from "../../contracts/libraries/InterestRate.sol";
import {HouseFixture} from "./support/HouseFixture.sol";

/// @title Pools: supply, withdraw, share transfers, interest
contract ClearingHouseLendingTest is HouseFixture {
    // ------------------------------------------------------------------ supply

    function test_supply_mints_shares_and_takes_the_tokens() external {
        fund(stranger, USDC, 1_000e6);
        vm.expectEmit(address(house));
        emit IClearingHouse.Supplied(USDC, stranger, borrower, 1_000e6, 1_000e12);
        vm.prank(stranger);
        uint256 shares = house.supply(USDC, 1_000e6, borrower);
        assertEq(shares, 1_000e12);
        assertEq(house.supplyShares(USDC, borrower), 1_000e12);
        assertEq(house.supplyShares(USDC, stranger), 0);
        assertEq(tokens[USDC].balanceOf(stranger), 0);
        assertEq(house.market(USDC).cash, 1_001_000e6);
        assertBooksBalance();
    }

    function test_supply_of_nothing_reverts() external {
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        house.supply(USDC, 0, lender);
    }

    function test_supply_for_nobody_reverts() external {
        vm.expectRevert(IClearingHouse.ZeroAddress.selector);
        house.supply(USDC, 1e6, address(0));
    }

    function test_supply_of_an_unlisted_asset_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AssetNotListed.selector, 3));
        house.supply(3, 1e6, lender);
    }

    function test_supply_to_the_cap_passes_and_beyond_it_reverts() external {
        IClearingHouse.AssetParameters memory parameters = house.assetParameters(USDC);
        parameters.supplyCap = 1_000_100e6;
        vm.prank(governor);
        house.setAssetParameters(USDC, parameters);
        lend(USDC, 100e6);
        fund(lender, USDC, 1);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CapExceeded.selector, USDC, 1_000_100e6 + 1, 1_000_100e6));
        vm.prank(lender);
        house.supply(USDC, 1, lender);
    }

    function test_supply_too_large_to_store_reverts() external {
        uint256 amount = uint256(type(uint112).max) + 1;
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AmountTooLarge.selector, amount));
        house.supply(USDC, amount, lender);
    }

    // ------------------------------------------------------------------ withdraw

    function test_withdraw_of_assets_burns_shares_and_pays() external {
        vm.expectEmit(address(house));
        emit IClearingHouse.Withdrawn(USDC, lender, stranger, 400e6, 400e12);
        vm.prank(lender);
        (uint256 assetsOut, uint256 sharesBurnt) = house.withdraw(USDC, 400e6, 0, lender, stranger);
        assertEq(assetsOut, 400e6);
        assertEq(sharesBurnt, 400e12);
        assertEq(tokens[USDC].balanceOf(stranger), 400e6);
        assertBooksBalance();
    }

    function test_withdraw_of_all_shares_empties_the_pool() external {
        uint256 shares = house.supplyShares(USDC, lender);
        vm.prank(lender);
        (uint256 assetsOut,) = house.withdraw(USDC, 0, shares, lender, lender);
        assertEq(assetsOut, 1_000_000e6);
        assertEq(house.market(USDC).totalSupplyAssets, 0);
        assertEq(house.market(USDC).cash, 0);
    }

    function test_withdraw_of_assets_goes_before_shares() external {
        vm.prank(lender);
        (uint256 assetsOut, uint256 sharesBurnt) = house.withdraw(USDC, 1e6, 5, lender, lender);
        assertEq(assetsOut, 1e6);
        assertEq(sharesBurnt, 1e12);
    }

    function test_withdraw_of_nothing_reverts() external {
        vm.startPrank(lender);
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        house.withdraw(USDC, 0, 0, lender, lender);
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        house.withdraw(USDC, 0, 999_999, lender, lender); // shares worth less than a unit
    }

    function test_withdraw_to_nobody_reverts() external {
        vm.expectRevert(IClearingHouse.ZeroAddress.selector);
        vm.prank(lender);
        house.withdraw(USDC, 1e6, 0, lender, address(0));
    }

    function test_withdraw_by_a_stranger_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.OperatorUnauthorised.selector, lender, stranger));
        vm.prank(stranger);
        house.withdraw(USDC, 1e6, 0, lender, stranger);
    }

    function test_withdraw_of_more_than_owned_reverts() external {
        uint256 shares = house.supplyShares(USDC, lender);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BalanceInsufficient.selector, USDC, shares + 1e6, shares));
        vm.prank(lender);
        house.withdraw(USDC, 1_000_000e6 + 1, 0, lender, lender);
    }

    function test_what_is_lent_cannot_be_withdrawn() external {
        deposit(borrower, WETH, 400e18);
        borrow(borrower, USDC, 600_000e6);
        vm.expectRevert(
            abi.encodeWithSelector(IClearingHouse.CashInsufficient.selector, USDC, 400_000e6 + 1, 400_000e6)
        );
        vm.prank(lender);
        house.withdraw(USDC, 400_000e6 + 1, 0, lender, lender);
        vm.prank(lender);
        house.withdraw(USDC, 400_000e6, 0, lender, lender);
        assertBooksBalance();
    }

    /// @dev Another account's collateral lies in the same contract; suppliers have no claim on it.
    function test_collateral_is_no_liquidity() external {
        deposit(stranger, USDC, 500_000e6);
        deposit(borrower, WETH, 700e18);
        borrow(borrower, USDC, 1_000_000e6);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CashInsufficient.selector, USDC, 1, 0));
        vm.prank(lender);
        house.withdraw(USDC, 1, 0, lender, lender);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CashInsufficient.selector, USDC, 1, 0));
        vm.prank(borrower);
        house.borrow(USDC, 1, borrower, borrower);
    }

    function test_debt_beyond_the_supply_leaves_nothing_to_withdraw() external {
        deposit(borrower, WETH, 700e18);
        borrow(borrower, USDC, 1_000_000e6);
        pass(365 days);
        IClearingHouse.Market memory m = house.market(USDC);
        assertGt(m.totalBorrowAssets, m.totalSupplyAssets, "the reserve's interest is lent out");
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CashInsufficient.selector, USDC, 1, 0));
        vm.prank(lender);
        house.withdraw(USDC, 1, 0, lender, lender);
    }

    // ------------------------------------------------------------------ shares

    function test_transfer_of_shares_moves_the_claim() external {
        vm.expectEmit(address(house));
        emit IClearingHouse.SharesTransferred(USDC, lender, stranger, 7e12);
        vm.prank(lender);
        house.transferShares(USDC, 7e12, lender, stranger);
        assertEq(house.supplyShares(USDC, stranger), 7e12);
        assertEq(house.supplyShares(USDC, lender), 1_000_000e12 - 7e12);
        vm.prank(stranger);
        (uint256 assetsOut,) = house.withdraw(USDC, 0, 7e12, stranger, stranger);
        assertEq(assetsOut, 7e6);
    }

    function test_transfer_of_shares_to_oneself_changes_nothing() external {
        vm.prank(lender);
        house.transferShares(USDC, 7e12, lender, lender);
        assertEq(house.supplyShares(USDC, lender), 1_000_000e12);
    }

    function test_transfer_of_shares_reverts_where_it_must() external {
        vm.startPrank(lender);
        vm.expectRevert(IClearingHouse.ZeroAddress.selector);
        house.transferShares(USDC, 1, lender, address(0));
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        house.transferShares(USDC, 0, lender, stranger);
        vm.expectRevert(
            abi.encodeWithSelector(IClearingHouse.BalanceInsufficient.selector, USDC, 1_000_000e12 + 1, 1_000_000e12)
        );
        house.transferShares(USDC, 1_000_000e12 + 1, lender, stranger);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.OperatorUnauthorised.selector, lender, stranger));
        vm.prank(stranger);
        house.transferShares(USDC, 1, lender, stranger);
    }

    // ------------------------------------------------------------------ interest

    function test_interest_is_split_between_suppliers_and_reserve() external {
        deposit(borrower, WETH, 400e18);
        borrow(borrower, USDC, 450_000e6); // half way to the kink: 3.5 % or a little more
        assertApproxEqAbs(house.borrowRate(USDC), 0.035e18, 1);
        skip(365 days);
        uint256 interest = 450_000e6 * uint256(35_619_646) / 1e9; // 0.035 + 0.035^2/2 + 0.035^3/6
        vm.expectEmit(true, true, true, false, address(house));
        emit IClearingHouse.InterestAccrued(USDC, 0, 0, 0);
        house.accrue(USDC);
        IClearingHouse.Market memory m = house.market(USDC);
        assertApproxEqAbs(m.totalBorrowAssets - 450_000e6, interest, 10_000);
        assertApproxEqAbs(m.reserveAssets, interest / 10, 1_000);
        assertEq(m.totalSupplyAssets - 1_000_000e6, m.totalBorrowAssets - 450_000e6 - m.reserveAssets);
        assertEq(m.lastAccrual, block.timestamp);
        assertBooksBalance();
    }

    /// @dev In favour of the pool, and what of it is the reserve's in favour of the suppliers.
    function test_interest_rounds_up_and_the_reserves_part_down(uint256 borrowed, uint256 elapsed) external {
        deposit(borrower, WETH, 800e18);
        borrowed = bound(borrowed, 500e6, 900_000e6);
        borrow(borrower, USDC, borrowed);
        uint256 rate = house.borrowRate(USDC);
        elapsed = bound(elapsed, 1, 365 days);
        skip(elapsed);
        uint256 exact = borrowed * InterestRate.growthUp(rate, elapsed); // over 1e18
        uint256 interest = (exact + 1e18 - 1) / 1e18;
        IClearingHouse.Market memory m = house.market(USDC);
        assertEq(m.totalBorrowAssets, borrowed + interest);
        assertEq(m.reserveAssets, interest / 10);
        assertEq(m.totalSupplyAssets, 1_000_000e6 + interest - interest / 10);
    }

    function test_the_market_shows_interest_before_it_accrues(uint256 elapsed) external {
        deposit(borrower, WETH, 400e18);
        borrow(borrower, USDC, 450_000e6);
        skip(bound(elapsed, 1, 365 days));
        IClearingHouse.Market memory before = house.market(USDC);
        uint256 rate = house.borrowRate(USDC);
        house.accrue(USDC);
        IClearingHouse.Market memory later = house.market(USDC);
        before.lastAccrual = later.lastAccrual;
        assertEq(keccak256(abi.encode(before)), keccak256(abi.encode(later)));
        assertEq(house.borrowRate(USDC), rate);
    }

    function test_accruing_twice_at_once_changes_nothing() external {
        deposit(borrower, WETH, 400e18);
        borrow(borrower, USDC, 450_000e6);
        skip(1 days);
        house.accrue(USDC);
        IClearingHouse.Market memory before = house.market(USDC);
        vm.recordLogs();
        house.accrue(USDC);
        assertEq(vm.getRecordedLogs().length, 0);
        assertEq(keccak256(abi.encode(before)), keccak256(abi.encode(house.market(USDC))));
    }

    function test_accrue_of_an_unlisted_asset_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AssetNotListed.selector, 9));
        house.accrue(9);
    }

    /// @dev Interest rounds up by less than a unit for each of the terms it is made of.
    function test_a_borrower_owes_what_the_pool_says(uint256 assets, uint256 elapsed) external {
        assets = bound(assets, 1_000e6, 900_000e6);
        deposit(borrower, WETH, 800e18);
        borrow(borrower, USDC, assets);
        skip(bound(elapsed, 0, 300 days));
        for (uint8 assetId = 0; assetId < ASSETS; ++assetId) {
            (, int256 answer,,,) = feeds[assetId].latestRoundData();
            setPrice(assetId, answer);
        }
        IClearingHouse.Market memory m = house.market(USDC);
        uint256 owed = debtOf(borrower, USDC);
        assertLe(owed, uint256(m.totalBorrowAssets) + 1);
        assertGe(owed + 2, m.totalBorrowAssets);
    }

    // ------------------------------------------------------------------ nobody gains by rounding

    function test_a_round_trip_of_supply_never_gains(uint256 assets, uint256 lent, uint256 elapsed) external {
        (assets, lent) = (bound(assets, 2, 1e15), bound(lent, 1_000e6, 900_000e6));
        deposit(borrower, WETH, 1_000e18);
        borrow(borrower, USDC, lent);
        skip(bound(elapsed, 0, 300 days));
        house.accrue(USDC);
        fund(stranger, USDC, assets);
        vm.startPrank(stranger);
        uint256 shares = house.supply(USDC, assets, stranger);
        IClearingHouse.Market memory m = house.market(USDC);
        if (uint256(m.totalSupplyAssets) < uint256(m.totalBorrowAssets) + assets) return;
        (uint256 assetsOut,) = house.withdraw(USDC, 0, shares, stranger, stranger);
        assertLe(assetsOut, assets);
        assertGe(assetsOut + 1, assets, "more than a unit was lost");
    }

    function test_splitting_a_withdrawal_never_gains(uint256 first, uint256 second) external {
        deposit(borrower, WETH, 1_000e18);
        borrow(borrower, USDC, 300_000e6);
        skip(100 days);
        house.accrue(USDC);
        (first, second) = (bound(first, 1, 1e11), bound(second, 1, 1e11));
        uint256 snapshot = vm.snapshotState();
        vm.prank(lender);
        (, uint256 together) = house.withdraw(USDC, first + second, 0, lender, lender);
        vm.revertToState(snapshot);
        vm.startPrank(lender);
        (, uint256 a) = house.withdraw(USDC, first, 0, lender, lender);
        (, uint256 b) = house.withdraw(USDC, second, 0, lender, lender);
        assertGe(a + b, together);
    }

    /// @dev A gift to the contract is nobody's: it moves no share's price and cannot be withdrawn.
    function test_a_donation_moves_nothing() external {
        IClearingHouse.Market memory before = house.market(USDC);
        tokens[USDC].mint(address(house), 1_000_000e6);
        assertEq(keccak256(abi.encode(before)), keccak256(abi.encode(house.market(USDC))));
        fund(stranger, USDC, 1e6);
        vm.prank(stranger);
        assertEq(house.supply(USDC, 1e6, stranger), 1e12);
        assertBooksBalance();
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";

import {IInsuranceFund} from "../../contracts/interfaces/IInsuranceFund.sol";
import {FaucetToken} from "../../contracts/mocks/FaucetToken.sol";
import {Test} from "../support/forge/Test.sol";

/// @title What a fund sees of its clearing house
contract InsuredHouse {
    uint8 public constant ASSET = 2;
    address private immutable _token;
    uint256 private _pending;

    constructor(address token) {
        _token = token;
    }

    function setPending(uint256 amount) external {
        _pending = amount;
    }

    function pendingDeficit(uint8 assetId) external view returns (uint256) {
        return assetId == ASSET ? _pending : 0;
    }

    function asset(uint8) external view returns (address, uint8) {
        return (_token, 6);
    }

    function claim(IInsuranceFund fund, uint256 deficit) external returns (uint256) {
        return fund.cover(deficit);
    }
}

abstract contract InsuranceFundFixture is Test {
    uint256 internal constant ONE = 1e6;
    uint256 internal constant COOLDOWN = 7 days;

    FaucetToken internal usdc;
    InsuredHouse internal house;
    IInsuranceFund internal fund;
    address internal alice = makeAddr("alice");
    address internal bob = makeAddr("bob");
    AccessManager internal manager;

    function setUp() public virtual {
        vm.warp(1_700_000_000);
        usdc = new FaucetToken("USD Coin", "USDC", 6);
        house = new InsuredHouse(address(usdc));
        manager = new AccessManager(address(this));
        fund = IInsuranceFund(
            vm.deployCode("InsuranceFund.sol:InsuranceFund", abi.encode(address(manager), address(house), uint8(2)))
        );
    }

    function _deposit(address who, uint256 amount) internal returns (uint256 shares) {
        usdc.mint(who, amount);
        vm.startPrank(who);
        usdc.approve(address(fund), amount);
        shares = fund.deposit(amount, who);
        vm.stopPrank();
    }

    function _request(address who, uint256 shares) internal {
        vm.prank(who);
        fund.requestRedeem(shares);
    }

    function _redeem(address who, uint256 shares) internal returns (uint256) {
        vm.prank(who);
        return fund.redeem(shares, who, who);
    }

    function _cooled(address who, uint256 shares) internal {
        _request(who, shares);
        skip(COOLDOWN);
    }
}

/// @title Coming in and leaving in two steps
contract InsuranceFundDepositTest is InsuranceFundFixture {
    function test_the_fund_is_named_after_its_asset() external view {
        assertEq(fund.name(), "Sluice insurance of USDC");
        assertEq(fund.symbol(), "siUSDC");
        assertEq(uint256(fund.decimals()), 12);
        assertEq(fund.asset(), address(usdc));
        assertEq(fund.clearingHouse(), address(house));
        assertEq(uint256(fund.assetId()), 2);
    }

    function test_what_comes_in_goes_out_after_the_cooldown() external {
        uint256 shares = _deposit(alice, 1_000 * ONE);
        _request(alice, shares);
        assertEq(fund.balanceOf(alice), 0);
        skip(COOLDOWN - 1);
        assertEq(fund.maxRedeem(alice), 0);
        vm.expectRevert(abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxRedeem.selector, alice, shares, 0));
        _redeem(alice, shares);
        skip(1);
        assertEq(fund.maxRedeem(alice), shares);
        assertEq(fund.maxWithdraw(alice), 1_000 * ONE);
        assertEq(_redeem(alice, shares), 1_000 * ONE);
        assertEq(usdc.balanceOf(alice), 1_000 * ONE);
        assertEq(fund.totalSupply(), 0);
    }

    function test_a_request_that_is_not_used_in_its_window_closes() external {
        uint256 shares = _deposit(alice, 1_000 * ONE);
        _cooled(alice, shares);
        skip(2 days - 1);
        assertEq(fund.maxRedeem(alice), shares);
        skip(1);
        assertEq(fund.maxRedeem(alice), 0);
        assertEq(fund.maxWithdraw(alice), 0);
        vm.expectRevert(abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxRedeem.selector, alice, shares, 0));
        _redeem(alice, shares);
        vm.prank(alice);
        fund.cancelRequest(shares);
        _cooled(alice, shares);
        assertEq(_redeem(alice, shares), 1_000 * ONE);
    }

    function test_withdraw_pays_exactly_what_was_asked() external {
        uint256 shares = _deposit(alice, 1_000 * ONE);
        _cooled(alice, shares);
        vm.prank(alice);
        uint256 burnt = fund.withdraw(400 * ONE, bob, alice);
        assertEq(usdc.balanceOf(bob), 400 * ONE);
        (uint256 left,) = fund.requestOf(alice);
        assertEq(left, shares - burnt);
        vm.expectPartialRevert(ERC4626.ERC4626ExceededMaxWithdraw.selector);
        vm.prank(alice);
        fund.withdraw(600 * ONE + 1, alice, alice);
    }

    function test_without_a_request_nothing_leaves() external {
        uint256 shares = _deposit(alice, 1_000 * ONE);
        skip(10 * COOLDOWN);
        vm.expectPartialRevert(ERC4626.ERC4626ExceededMaxRedeem.selector);
        _redeem(alice, shares);
        vm.expectPartialRevert(ERC4626.ERC4626ExceededMaxWithdraw.selector);
        vm.prank(alice);
        fund.withdraw(1, alice, alice);
    }

    function test_a_second_request_makes_all_wait_again() external {
        uint256 shares = _deposit(alice, 1_000 * ONE);
        _cooled(alice, shares / 2);
        _request(alice, shares / 4);
        assertEq(fund.maxRedeem(alice), 0);
        (uint256 cooling, uint40 readyAt) = fund.requestOf(alice);
        assertEq(cooling, shares / 2 + shares / 4);
        assertEq(uint256(readyAt), vm.getBlockTimestamp() + COOLDOWN);
    }

    function test_a_request_can_be_taken_back() external {
        uint256 shares = _deposit(alice, 1_000 * ONE);
        _request(alice, shares);
        vm.prank(alice);
        fund.cancelRequest(shares / 4);
        assertEq(fund.balanceOf(alice), shares / 4);
        vm.expectRevert(abi.encodeWithSelector(IInsuranceFund.RequestTooLarge.selector, shares, shares - shares / 4));
        vm.prank(alice);
        fund.cancelRequest(shares);
    }

    function test_requests_of_nothing_and_of_more_than_held_revert() external {
        uint256 shares = _deposit(alice, 1_000 * ONE);
        vm.expectRevert(abi.encodeWithSelector(IInsuranceFund.ZeroShares.selector));
        _request(alice, 0);
        vm.expectRevert(abi.encodeWithSelector(IInsuranceFund.ZeroShares.selector));
        vm.prank(alice);
        fund.cancelRequest(0);
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientBalance.selector);
        _request(alice, shares + 1);
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientBalance.selector);
        _request(bob, 1);
    }

    function test_others_redeem_only_with_an_allowance() external {
        uint256 shares = _deposit(alice, 1_000 * ONE);
        _cooled(alice, shares);
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientAllowance.selector);
        vm.prank(bob);
        fund.redeem(shares, bob, alice);
        vm.prank(alice);
        fund.approve(bob, shares);
        vm.prank(bob);
        fund.redeem(shares, bob, alice);
        assertEq(usdc.balanceOf(bob), 1_000 * ONE);
    }

    // ------------------------------------------------------------------ income

    function test_income_by_plain_transfer_is_everybodys() external {
        uint256 shares = _deposit(alice, 3_000 * ONE);
        _deposit(bob, 1_000 * ONE);
        usdc.mint(address(fund), 400 * ONE);
        _cooled(alice, shares);
        assertApproxEqAbs(_redeem(alice, shares), 3_300 * ONE, 1);
    }

    function test_an_inflated_share_costs_its_maker_a_million_times_more(uint256 seed, uint256 donation, uint256 amount)
        external
    {
        seed = bound(seed, 1, 1_000 * ONE);
        donation = bound(donation, 1, 1_000_000_000 * ONE);
        amount = bound(amount, ONE, 1_000_000 * ONE);
        uint256 first = _deposit(bob, seed);
        usdc.mint(address(fund), donation);
        uint256 second = _deposit(alice, amount);
        uint256 spent = seed + donation - fund.previewRedeem(first);
        uint256 lost = amount - fund.previewRedeem(second);
        assertLe(lost, spent / 1e6 + 1);
        assertGe(spent, donation / (seed + 1) * 999 / 1_000, "the virtual shares have their part");
    }

    function test_no_round_trip_gains(uint256 amount, uint256 income, uint256 others) external {
        _deposit(bob, bound(others, 1, 1e15));
        usdc.mint(address(fund), bound(income, 0, 1e15));
        amount = bound(amount, 1, 1e15);
        uint256 shares = _deposit(alice, amount);
        if (shares == 0) return;
        _cooled(alice, shares);
        assertLe(_redeem(alice, shares), amount);
    }
}

/// @title Bearing deficits, and leaving while some are pending
contract InsuranceFundCoverTest is InsuranceFundFixture {
    // ------------------------------------------------------------------ cover

    function test_a_deficit_is_paid_to_the_house() external {
        _deposit(alice, 1_000 * ONE);
        vm.expectEmit(address(fund));
        emit IInsuranceFund.DeficitCovered(200 * ONE, 200 * ONE);
        assertEq(house.claim(fund, 200 * ONE), 200 * ONE);
        assertEq(usdc.balanceOf(address(house)), 200 * ONE);
        assertEq(fund.totalAssets(), 800 * ONE);
    }

    function test_an_event_costs_at_most_its_cap() external {
        _deposit(alice, 1_000 * ONE);
        assertEq(fund.coverable(), 300 * ONE);
        assertEq(house.claim(fund, 999 * ONE), 300 * ONE);
        assertEq(house.claim(fund, 1), 0, "the event is spent");
        skip(1 days);
        assertEq(house.claim(fund, 999 * ONE), 210 * ONE, "a new event, of what is left");
    }

    function test_slices_of_a_deficit_cost_no_more_than_the_whole(uint256 seed) external {
        _deposit(alice, 1_000 * ONE);
        uint256 total;
        for (uint256 i = 0; i < 20; ++i) {
            uint256 slice = uint256(keccak256(abi.encode(seed, i))) % (60 * ONE);
            total += house.claim(fund, slice);
            skip(1 hours);
        }
        assertLe(total, 300 * ONE);
        assertEq(usdc.balanceOf(address(house)), total);
    }

    function test_an_event_begins_with_a_covered_deficit() external {
        assertEq(house.claim(fund, 100), 0, "nothing there");
        _deposit(alice, 1_000 * ONE);
        assertEq(house.claim(fund, 0), 0, "nothing asked");
        assertEq(house.claim(fund, 300 * ONE), 300 * ONE);
    }

    function test_deposits_during_an_event_do_not_raise_its_cap() external {
        _deposit(alice, 1_000 * ONE);
        house.claim(fund, 100 * ONE);
        _deposit(bob, 100_000 * ONE);
        assertEq(fund.coverable(), 200 * ONE);
    }

    function test_only_the_house_is_covered() external {
        _deposit(alice, 1_000 * ONE);
        vm.expectRevert(abi.encodeWithSelector(IInsuranceFund.HouseUnauthorised.selector, alice));
        vm.prank(alice);
        fund.cover(1);
    }

    function test_cooling_shares_bear_their_part() external {
        uint256 shares = _deposit(alice, 1_000 * ONE);
        _deposit(bob, 1_000 * ONE);
        _request(alice, shares);
        house.claim(fund, 500 * ONE);
        skip(COOLDOWN);
        assertApproxEqAbs(_redeem(alice, shares), 750 * ONE, 1);
        assertApproxEqAbs(fund.previewRedeem(fund.balanceOf(bob)), 750 * ONE, 1);
    }

    function test_shares_that_have_cooled_down_bear_their_part_until_redeemed() external {
        uint256 shares = _deposit(alice, 1_000 * ONE);
        _cooled(alice, shares);
        house.claim(fund, 300 * ONE);
        assertApproxEqAbs(_redeem(alice, shares), 700 * ONE, 1);
    }

    // ------------------------------------------------------------------ pending deficits

    function test_who_leaves_before_a_foreseen_loss_bears_it() external {
        uint256 shares = _deposit(alice, 1_000 * ONE);
        _deposit(bob, 1_000 * ONE);
        _cooled(alice, shares);
        house.setPending(500 * ONE);
        assertEq(fund.withdrawableAssets(), 1_500 * ONE);
        assertApproxEqAbs(_redeem(alice, shares), 750 * ONE, 1);
        house.claim(fund, 350 * ONE);
        house.setPending(0);
        assertGe(fund.previewRedeem(fund.balanceOf(bob)), 750 * ONE - 1);
    }

    function test_a_pending_deficit_makes_no_share_cheaper() external {
        uint256 first = _deposit(alice, 1_000 * ONE);
        house.setPending(900 * ONE);
        assertEq(fund.previewMint(first), 1_000 * ONE);
        assertEq(_deposit(bob, 1_000 * ONE), first);
        house.setPending(0);
        assertEq(fund.previewRedeem(first), 1_000 * ONE);
    }

    function test_nobody_leaves_with_anything_while_all_is_pending() external {
        uint256 shares = _deposit(alice, 1_000 * ONE);
        _cooled(alice, shares);
        house.setPending(5_000 * ONE);
        assertEq(fund.withdrawableAssets(), 0);
        assertEq(fund.maxWithdraw(alice), 0);
        vm.expectPartialRevert(ERC4626.ERC4626ExceededMaxWithdraw.selector);
        vm.prank(alice);
        fund.withdraw(1, alice, alice);
    }

    function test_all_who_leave_never_take_more_than_is_withdrawable(uint256 pending, uint256 part) external {
        uint256 first = _deposit(alice, 1_000 * ONE);
        uint256 second = _deposit(bob, bound(part, 1, 5_000 * ONE));
        _request(bob, second);
        _cooled(alice, first);
        house.setPending(bound(pending, 0, 7_000 * ONE));
        uint256 withdrawable = fund.withdrawableAssets();
        uint256 paid = _redeem(alice, first);
        if (fund.previewRedeem(second) != 0) paid += _redeem(bob, second);
        assertLe(paid, withdrawable);
    }

    // ------------------------------------------------------------------ governance

    function test_settings_are_bounded_and_announced() external {
        vm.expectEmit(address(fund));
        emit IInsuranceFund.CooldownSet(1 days);
        (bool success,) = address(fund).call(abi.encodeCall(fund.setCooldown, (1 days)));
        assertTrue(success);
        vm.expectEmit(address(fund));
        emit IInsuranceFund.CapSet(10_000, 1 hours);
        fund.setCap(10_000, 1 hours);
        _deposit(alice, 1_000 * ONE);
        assertEq(fund.coverable(), 1_000 * ONE);
        _outOfBounds(abi.encodeCall(fund.setCooldown, (1 days - 1)), "cooldown", 1 days - 1, 1 days, 30 days);
        _outOfBounds(abi.encodeCall(fund.setCooldown, (30 days + 1)), "cooldown", 30 days + 1, 1 days, 30 days);
        _outOfBounds(abi.encodeCall(fund.setCap, (99, 1 days)), "capBps", 99, 100, 10_000);
        _outOfBounds(abi.encodeCall(fund.setCap, (10_001, 1 days)), "capBps", 10_001, 100, 10_000);
        _outOfBounds(abi.encodeCall(fund.setCap, (100, 1)), "eventDuration", 1, 1 hours, 7 days);
        _outOfBounds(abi.encodeCall(fund.setCap, (100, 8 days)), "eventDuration", 8 days, 1 hours, 7 days);
    }

    function _outOfBounds(bytes memory call, bytes32 name, uint256 value, uint256 lower, uint256 upper) private {
        (bool success, bytes memory answer) = address(fund).call(call);
        assertFalse(success);
        bytes memory refusal =
            abi.encodeWithSelector(IInsuranceFund.SettingOutOfBounds.selector, name, value, lower, upper);
        assertEq(answer, refusal);
    }

    function test_only_the_authority_lets_anyone_set_anything() external {
        bytes memory refusal = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, alice);
        vm.startPrank(alice);
        vm.expectRevert(refusal);
        fund.setCooldown(2 days);
        vm.expectRevert(refusal);
        fund.setCap(200, 1 days);
        vm.stopPrank();
    }
}

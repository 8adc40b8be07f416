// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {ISupplyVault} from "../../contracts/interfaces/ISupplyVault.sol";
import {SupplyVault} from "../../contracts/periphery/SupplyVault.sol";
import {HouseFixture} from "./support/HouseFixture.sol";

/// @title A lending pool as an ERC-4626 vault
contract SupplyVaultTest is HouseFixture {
    uint256 private constant ONE = 1e6;

    SupplyVault private _vault;
    address private _alice = makeAddr("alice");
    address private _bob = makeAddr("bob");

    function setUp() public override {
        super.setUp();
        _vault = new SupplyVault(address(house), USDC);
    }

    function _give(address who, uint256 amount) private {
        tokens[USDC].mint(who, amount);
        vm.prank(who);
        tokens[USDC].approve(address(_vault), type(uint256).max);
    }

    function _deposit(address who, uint256 amount) private returns (uint256 shares) {
        _give(who, amount);
        vm.prank(who);
        return _vault.deposit(amount, who);
    }

    /// @dev Borrows against ether, so that interest accrues.
    function _lendOut(uint256 amount) private {
        deposit(borrower, WETH, 2_000e18);
        borrow(borrower, USDC, amount);
    }

    /// @dev One supplier share per vault share, at least.
    function _assertBacked() private view {
        assertGe(house.supplyShares(USDC, address(_vault)), _vault.totalSupply(), "backed");
        assertEq(tokens[USDC].balanceOf(address(_vault)), 0, "holds no assets");
        assertEq(tokens[USDC].allowance(address(_vault), address(house)), 0, "no approval left");
    }

    // ------------------------------------------------------------------ names

    function test_the_vault_is_named_after_its_asset() external view {
        assertEq(_vault.name(), "Sluice supply of USDC");
        assertEq(_vault.symbol(), "ssUSDC");
        assertEq(uint256(_vault.decimals()), 12);
        assertEq(_vault.asset(), address(tokens[USDC]));
        assertEq(_vault.clearingHouse(), address(house));
        assertEq(uint256(_vault.assetId()), USDC);
    }

    // ------------------------------------------------------------------ in and out

    function test_a_vault_share_is_a_supplier_share() external {
        uint256 shares = _deposit(_alice, 1_000 * ONE);
        assertEq(house.supplyShares(USDC, address(_vault)), shares);
        assertEq(_vault.balanceOf(_alice), shares);
        assertEq(_vault.totalAssets(), 1_000 * ONE);
        _assertBacked();
    }

    function test_what_is_foreseen_is_what_happens(uint256 lent, uint256 elapsed, uint256 amount) external {
        _lendOut(bound(lent, 1_000 * ONE, 990_000 * ONE));
        pass(bound(elapsed, 1, 400 days));
        amount = bound(amount, 1, 1e13);
        _give(_alice, 3 * amount + 10);
        vm.startPrank(_alice);
        uint256 foreseen = _vault.previewDeposit(amount);
        assertEq(_vault.deposit(amount, _alice), foreseen);
        foreseen = _vault.previewMint(amount * 1e5);
        assertEq(_vault.mint(amount * 1e5, _alice), foreseen);
        uint256 half = _vault.maxRedeem(_alice) / 2;
        foreseen = _vault.previewRedeem(half);
        if (foreseen != 0) assertEq(_vault.redeem(half, _bob, _alice), foreseen);
        assertEq(tokens[USDC].balanceOf(_bob), foreseen);
        uint256 rest = _vault.maxWithdraw(_alice);
        uint256 burnt = _vault.previewWithdraw(rest);
        if (rest != 0) assertEq(_vault.withdraw(rest, _bob, _alice), burnt);
        vm.stopPrank();
        assertEq(tokens[USDC].balanceOf(_bob), foreseen + rest);
        _assertBacked();
        assertBooksBalance();
    }

    function test_interest_is_the_holders() external {
        uint256 shares = _deposit(_alice, 1_000_000 * ONE);
        _lendOut(1_000_000 * ONE);
        pass(365 days);
        uint256 worth = _vault.convertToAssets(shares);
        assertGt(worth, 1_010_000 * ONE);
        assertApproxEqAbs(worth, house.market(USDC).totalSupplyAssets / 2, ONE);
    }

    function test_no_round_trip_gains(uint256 amount, uint256 elapsed) external {
        _lendOut(500_000 * ONE);
        pass(bound(elapsed, 1, 400 days));
        amount = bound(amount, 1, 1e14);
        uint256 shares = _deposit(_alice, amount);
        assertLe(_vault.previewRedeem(shares), amount);
        assertGe(_vault.previewRedeem(shares) + 2, amount);
    }

    function test_others_take_out_only_with_an_allowance() external {
        uint256 shares = _deposit(_alice, 1_000 * ONE);
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientAllowance.selector);
        vm.prank(_bob);
        _vault.redeem(shares, _bob, _alice);
        vm.prank(_alice);
        _vault.approve(_bob, shares);
        vm.prank(_bob);
        _vault.redeem(shares, _bob, _alice);
        assertEq(tokens[USDC].balanceOf(_bob), 1_000 * ONE);
    }

    // ------------------------------------------------------------------ limits

    function test_no_more_goes_out_than_is_not_lent() external {
        uint256 shares = _deposit(_alice, 1_000_000 * ONE);
        _lendOut(1_400_000 * ONE);
        assertEq(_vault.maxWithdraw(_alice), 600_000 * ONE);
        uint256 most = _vault.maxRedeem(_alice);
        assertLt(most, shares);
        vm.expectPartialRevert(ERC4626.ERC4626ExceededMaxWithdraw.selector);
        vm.prank(_alice);
        _vault.withdraw(600_000 * ONE + 1, _alice, _alice);
        vm.prank(_alice);
        _vault.redeem(most, _alice, _alice);
        assertApproxEqAbs(tokens[USDC].balanceOf(_alice), 600_000 * ONE, 1);
        assertLe(_vault.maxWithdraw(_alice), 1);
        _assertBacked();
    }

    function test_the_supply_cap_limits_deposits() external {
        IClearingHouse.AssetParameters memory parameters = house.assetParameters(USDC);
        parameters.supplyCap = uint128(1_000_500 * ONE);
        vm.prank(governor);
        house.setAssetParameters(USDC, parameters);
        assertEq(_vault.maxDeposit(_alice), 500 * ONE);
        _give(_alice, 1_000 * ONE);
        vm.startPrank(_alice);
        vm.expectPartialRevert(ERC4626.ERC4626ExceededMaxDeposit.selector);
        _vault.deposit(500 * ONE + 1, _alice);
        _vault.mint(_vault.maxMint(_alice), _alice);
        vm.stopPrank();
        assertLe(_vault.maxDeposit(_alice), 1);
        parameters.supplyCap = 1;
        vm.prank(governor);
        house.setAssetParameters(USDC, parameters);
        assertEq(_vault.maxDeposit(_alice), 0);
        assertEq(_vault.maxMint(_alice), 0);
    }

    function test_nothing_comes_in_or_goes_out_as_nothing() external {
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        _vault.deposit(0, _alice);
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        _vault.redeem(0, _alice, _alice);
        vm.expectRevert(abi.encodeWithSelector(ISupplyVault.ZeroShares.selector));
        _vault.wrap(0, _alice);
        vm.expectRevert(abi.encodeWithSelector(ISupplyVault.ZeroShares.selector));
        _vault.unwrap(0, _alice);
    }

    // ------------------------------------------------------------------ gifts

    function test_a_gift_to_the_vault_changes_nobodys_price() external {
        uint256 shares = _deposit(_alice, 1_000 * ONE);
        tokens[USDC].mint(address(_vault), 1_000_000 * ONE);
        vm.prank(lender);
        house.transferShares(USDC, 1e12, lender, address(_vault));
        assertEq(_vault.previewRedeem(shares), 1_000 * ONE);
        assertEq(_deposit(_bob, 1_000 * ONE), shares);
        assertEq(_vault.totalAssets(), 2_000 * ONE);
    }

    // ------------------------------------------------------------------ wrap

    function test_supplier_shares_are_wrapped_and_unwrapped_one_to_one(uint256 part) external {
        uint256 shares = bound(part, 1, house.supplyShares(USDC, lender));
        uint256 before = house.supplyShares(USDC, lender);
        vm.startPrank(lender);
        house.setOperator(address(_vault), true);
        vm.expectEmit(address(_vault));
        emit ISupplyVault.Wrapped(lender, _alice, shares);
        _vault.wrap(shares, _alice);
        vm.stopPrank();
        assertEq(_vault.balanceOf(_alice), shares);
        _assertBacked();
        vm.expectEmit(address(_vault));
        emit ISupplyVault.Unwrapped(_alice, lender, shares);
        vm.prank(_alice);
        _vault.unwrap(shares, lender);
        assertEq(house.supplyShares(USDC, lender), before);
        assertEq(_vault.totalSupply(), 0);
    }

    function test_unwrapping_needs_no_cash() external {
        uint256 shares = _deposit(_alice, 1_000 * ONE);
        _lendOut(house.market(USDC).totalSupplyAssets);
        assertEq(_vault.maxRedeem(_alice), 0);
        vm.prank(_alice);
        _vault.unwrap(shares, _bob);
        assertEq(house.supplyShares(USDC, _bob), shares);
    }

    function test_shares_that_bring_nothing_are_not_named_as_redeemable() external {
        uint256 shares = _deposit(_alice, 1_000 * ONE);
        vm.prank(_alice);
        _vault.unwrap(shares - 1, _bob);
        assertEq(_vault.balanceOf(_alice), 1);
        assertEq(_vault.maxRedeem(_alice), 0);
    }

    function test_nobody_wraps_or_unwraps_what_is_not_theirs() external {
        _deposit(_alice, 1_000 * ONE);
        vm.startPrank(_bob);
        vm.expectPartialRevert(IClearingHouse.OperatorUnauthorised.selector);
        _vault.wrap(1, _bob);
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientBalance.selector);
        _vault.unwrap(1, _bob);
        vm.stopPrank();
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

import {IInsuranceFund} from "../../contracts/interfaces/IInsuranceFund.sol";
import {InsuranceFundFixture} from "./InsuranceFund.t.sol";

/// @title Nothing, one unit, and the largest amounts, into each function of the fund
/// @notice What cannot be done is refused by the error named, with its numbers, and changes nothing; what can be done
/// is exact. The owner holds half of its shares, and has let the other half cool down.
contract InsuranceFundAmountsTest is InsuranceFundFixture {
    uint256 private constant LARGE = type(uint128).max;
    uint256 private constant LARGEST = type(uint256).max;
    uint256 private constant HELD = 500 * 1e12;

    function setUp() public override {
        super.setUp();
        uint256 shares = _deposit(alice, 1_000 * ONE);
        assertEq(shares, 2 * HELD);
        _cooled(alice, HELD);
        usdc.mint(alice, LARGEST - 1_000 * ONE);
        vm.prank(alice);
        usdc.approve(address(fund), LARGEST);
    }

    // ------------------------------------------------------------------ in

    function test_deposits_of_nothing_a_unit_and_the_most() external {
        _changesNothing(abi.encodeCall(fund.deposit, (0, alice)));
        assertEq(_done(abi.encodeCall(fund.deposit, (1, bob))), 1e6);
        assertEq(_done(abi.encodeCall(fund.deposit, (LARGE, bob))), LARGE * 1e6);
        assertEq(fund.totalAssets(), 1_000 * ONE + 1 + LARGE);
        _refused(
            abi.encodeCall(fund.deposit, (LARGEST, alice)),
            abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxDeposit.selector, alice, LARGEST, LARGE)
        );
        _refused(
            abi.encodeCall(fund.deposit, (LARGE + 1, alice)),
            abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxDeposit.selector, alice, LARGE + 1, LARGE)
        );
    }

    function test_mints_of_nothing_a_share_and_the_most() external {
        _changesNothing(abi.encodeCall(fund.mint, (0, alice)));
        assertEq(_done(abi.encodeCall(fund.mint, (1, bob))), 1, "a share is paid for by a unit");
        assertEq(_done(abi.encodeCall(fund.mint, (LARGE, bob))), fund.totalAssets() - 1_000 * ONE - 1);
        assertEq(fund.balanceOf(bob), LARGE + 1);
        _refused(
            abi.encodeCall(fund.mint, (LARGEST, alice)),
            abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxMint.selector, alice, LARGEST, LARGE)
        );
    }

    // ------------------------------------------------------------------ out

    function test_withdrawals_of_nothing_a_unit_and_the_most() external {
        _changesNothing(abi.encodeCall(fund.withdraw, (0, alice, alice)));
        assertEq(_done(abi.encodeCall(fund.withdraw, (1, bob, alice))), 1e6);
        assertEq(usdc.balanceOf(bob), 1);
        uint256 most = fund.maxWithdraw(alice);
        _refused(
            abi.encodeCall(fund.withdraw, (LARGE, alice, alice)),
            abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxWithdraw.selector, alice, LARGE, most)
        );
        _refused(
            abi.encodeCall(fund.withdraw, (LARGEST, alice, alice)),
            abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxWithdraw.selector, alice, LARGEST, most)
        );
        _done(abi.encodeCall(fund.withdraw, (most, bob, alice)));
        assertEq(fund.maxWithdraw(alice), 0);
    }

    function test_redemptions_of_nothing_a_share_and_the_most() external {
        _changesNothing(abi.encodeCall(fund.redeem, (0, alice, alice)));
        assertEq(_done(abi.encodeCall(fund.redeem, (1, bob, alice))), 0, "a share alone is worth less than a unit");
        _refused(
            abi.encodeCall(fund.redeem, (LARGE, alice, alice)),
            abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxRedeem.selector, alice, LARGE, HELD - 1)
        );
        _refused(
            abi.encodeCall(fund.redeem, (LARGEST, alice, alice)),
            abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxRedeem.selector, alice, LARGEST, HELD - 1)
        );
        assertEq(_done(abi.encodeCall(fund.redeem, (HELD - 1, bob, alice))), 500 * ONE - 1, "rounded down");
    }

    // ------------------------------------------------------------------ requests

    function test_requests_of_nothing_a_share_and_the_most() external {
        _refused(abi.encodeCall(fund.requestRedeem, (0)), abi.encodeWithSelector(IInsuranceFund.ZeroShares.selector));
        _refused(
            abi.encodeCall(fund.requestRedeem, (LARGE)),
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, alice, HELD, LARGE)
        );
        _refused(abi.encodeCall(fund.requestRedeem, (LARGEST)), abi.encodeWithSelector(SafeCastLib.Overflow.selector));
        _done(abi.encodeCall(fund.requestRedeem, (1)));
        (uint256 cooling, uint40 readyAt) = fund.requestOf(alice);
        assertEq(cooling, HELD + 1);
        assertEq(readyAt, vm.getBlockTimestamp() + COOLDOWN, "all of it anew");
    }

    function test_cancellations_of_nothing_a_share_and_the_most() external {
        _refused(abi.encodeCall(fund.cancelRequest, (0)), abi.encodeWithSelector(IInsuranceFund.ZeroShares.selector));
        _refused(
            abi.encodeCall(fund.cancelRequest, (LARGE)),
            abi.encodeWithSelector(IInsuranceFund.RequestTooLarge.selector, LARGE, HELD)
        );
        _refused(
            abi.encodeCall(fund.cancelRequest, (LARGEST)),
            abi.encodeWithSelector(IInsuranceFund.RequestTooLarge.selector, LARGEST, HELD)
        );
        _done(abi.encodeCall(fund.cancelRequest, (1)));
        assertEq(fund.balanceOf(alice), HELD + 1);
        (uint256 cooling,) = fund.requestOf(alice);
        assertEq(cooling, HELD - 1);
    }

    function test_transfers_of_nothing_a_share_and_the_most() external {
        _changesNothing(abi.encodeCall(IERC20.transfer, (bob, 0)));
        _refused(
            abi.encodeCall(IERC20.transfer, (bob, LARGE)),
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, alice, HELD, LARGE)
        );
        _refused(
            abi.encodeCall(IERC20.transfer, (bob, LARGEST)),
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, alice, HELD, LARGEST)
        );
        _refused(
            abi.encodeCall(IERC20.transferFrom, (bob, alice, LARGEST)),
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientAllowance.selector, alice, 0, LARGEST)
        );
        _done(abi.encodeCall(IERC20.transfer, (bob, 1)));
        assertEq(fund.balanceOf(bob), 1);
    }

    // ------------------------------------------------------------------ cover

    function test_covers_of_nothing_a_unit_and_the_most() external {
        bytes32 before = _state();
        assertEq(house.claim(fund, 0), 0);
        assertEq(_state(), before);
        assertEq(house.claim(fund, 1), 1);
        assertEq(fund.coverable(), 300 * ONE - 1);
        assertEq(house.claim(fund, LARGE), 300 * ONE - 1, "the rest of the event's cap");
        before = _state();
        assertEq(house.claim(fund, LARGEST), 0, "nothing is left of it");
        assertEq(_state(), before);
        skip(1 days);
        assertEq(house.claim(fund, LARGEST), 210 * ONE, "three tenths of the seven that are left");
        uint256[4] memory amounts = [uint256(0), 1, LARGE, LARGEST];
        for (uint256 i = 0; i < amounts.length; ++i) {
            _refused(
                abi.encodeCall(fund.cover, (amounts[i])),
                abi.encodeWithSelector(IInsuranceFund.HouseUnauthorised.selector, alice)
            );
        }
    }

    // ------------------------------------------------------------------ settings

    function test_settings_of_nothing_one_and_the_most() external {
        uint32[3] memory times = [uint32(0), 1, type(uint32).max];
        uint16[2] memory shares = [uint16(0), type(uint16).max];
        for (uint256 i = 0; i < times.length; ++i) {
            _refusedSetting(abi.encodeCall(fund.setCooldown, (times[i])), "cooldown", times[i], 1 days, 30 days);
            _refusedSetting(abi.encodeCall(fund.setCap, (3_000, times[i])), "eventDuration", times[i], 1 hours, 7 days);
        }
        for (uint256 i = 0; i < shares.length; ++i) {
            _refusedSetting(abi.encodeCall(fund.setCap, (shares[i], 1 days)), "capBps", shares[i], 100, 10_000);
        }
    }

    // ------------------------------------------------------------------ steps

    /// @dev The owner's call passes; the number that it returns, where it returns one.
    function _done(bytes memory call) private returns (uint256) {
        vm.prank(alice);
        (bool success, bytes memory returned) = address(fund).call(call);
        assertTrue(success, "refused");
        return returned.length == 0 ? 0 : abi.decode(returned, (uint256));
    }

    function _changesNothing(bytes memory call) private {
        bytes32 before = _state();
        _done(call);
        assertEq(_state(), before);
    }

    function _refused(bytes memory call, bytes memory reason) private {
        _assertRefused(alice, call, reason);
    }

    /// @dev Governance's call.
    function _refusedSetting(bytes memory call, bytes32 name, uint256 value, uint256 least, uint256 most) private {
        _assertRefused(
            address(this),
            call,
            abi.encodeWithSelector(IInsuranceFund.SettingOutOfBounds.selector, name, value, least, most)
        );
    }

    function _assertRefused(address caller, bytes memory call, bytes memory reason) private {
        bytes32 before = _state();
        vm.prank(caller);
        (bool success, bytes memory returned) = address(fund).call(call);
        assertFalse(success, "not refused");
        assertEq(keccak256(returned), keccak256(reason), "another reason");
        assertEq(_state(), before, "a refusal that changed something");
    }

    /// @dev All that the fund remembers, and the tokens.
    function _state() private view returns (bytes32) {
        (uint256 cooling, uint40 readyAt) = fund.requestOf(alice);
        return keccak256(
            abi.encode(
                [fund.totalAssets(), fund.totalSupply(), fund.coverable(), fund.withdrawableAssets()],
                [fund.balanceOf(alice), fund.balanceOf(bob), fund.balanceOf(address(fund)), cooling],
                [usdc.balanceOf(alice), usdc.balanceOf(bob), usdc.balanceOf(address(house)), readyAt]
            )
        );
    }
}

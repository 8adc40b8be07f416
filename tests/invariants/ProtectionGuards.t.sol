// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {IDeleverageCallback} from "../../contracts/interfaces/IDeleverageCallback.sol";
import {IProtection} from "../../contracts/interfaces/IProtection.sol";
import {FaucetToken} from "../../contracts/mocks/FaucetToken.sol";
import {Caller} from "./support/HouseDoubles.sol";
import {ProtectionFixture} from "./support/ProtectionFixture.sol";

/// @title What an executor can do from inside its callback, and what nobody can do with an operator's rights
contract ProtectionGuardsTest is ProtectionFixture {
    ExecutorDouble private _double;

    function setUp() public override {
        super.setUp();
        _double = new ExecutorDouble(protection);
    }

    // ------------------------------------------------------------------ the callback

    function test_an_executor_is_told_what_it_pays_and_what_it_gets() external {
        (uint256 repaid, uint256 seized) = protection.quote(borrower, WETH, USDC, NO_LIMIT);
        _double.deleverage(borrower, WETH, USDC);
        assertEq(_double.repaid(), repaid);
        assertEq(_double.seized(), seized);
        assertEq(_double.data(), hex"51");
        assertEq(tokens[WETH].balanceOf(address(_double)), seized);
        assertEq(tokens[USDC].allowance(address(_double), address(protection)), 0);
        _assertNothingLeft();
    }

    function test_an_executor_without_the_magic_value_is_refused() external {
        _double.setAnswer(0xdeadbeef);
        vm.expectRevert(abi.encodeWithSelector(IProtection.CallbackRejected.selector, address(_double)));
        _double.deleverage(borrower, WETH, USDC);
    }

    function test_an_executor_that_raises_health_in_its_callback_overshoots_and_is_refused() external {
        _fund(address(_double), USDC, 1_000 * ONE_USDC);
        _double.aim(address(house), abi.encodeCall(house.repay, (USDC, 1_000 * ONE_USDC, borrower)));
        vm.expectPartialRevert(IProtection.HealthOutOfRange.selector);
        _double.deleverage(borrower, WETH, USDC);
    }

    function test_an_executor_that_moves_the_price_in_its_callback_is_refused() external {
        _double.aim(address(this), abi.encodeCall(this.publish, (WETH, 1_700e8)));
        vm.expectPartialRevert(IClearingHouse.BorrowLimitExceeded.selector);
        _double.deleverage(borrower, WETH, USDC);
        _double.aim(address(this), abi.encodeCall(this.publish, (WETH, 2_400e8)));
        vm.expectPartialRevert(IProtection.HealthOutOfRange.selector);
        _double.deleverage(borrower, WETH, USDC);
    }

    /// @dev A price that moves while the executor has the call.
    function publish(uint8 assetId, int256 answer) external {
        _publish(assetId, answer);
    }

    // ------------------------------------------------------------------ re-entrance

    function test_no_entry_point_opens_in_an_executors_callback() external {
        bytes[] memory calls = new bytes[](5);
        calls[0] =
            abi.encodeCall(protection.deleverage, (borrower, WETH, USDC, NO_LIMIT, 0, address(_double), bytes("")));
        calls[1] = abi.encodeCall(protection.protect, (_terms()));
        calls[2] = abi.encodeCall(protection.unprotect, ());
        calls[3] = abi.encodeCall(protection.becomeOperator, (borrower, 0, bytes("")));
        bytes[] memory inner = new bytes[](1);
        inner[0] = calls[1];
        calls[4] = abi.encodeCall(protection.multicall, (inner));
        for (uint256 i = 0; i < calls.length; ++i) {
            _double.aim(address(protection), calls[i]);
            vm.expectRevert(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
            _double.deleverage(borrower, WETH, USDC);
        }
    }

    // ------------------------------------------------------------------ odd tokens, gifts

    function test_a_payment_that_arrives_short_is_refused() external {
        vm.mockCall(
            address(tokens[USDC]),
            abi.encodeWithSelector(tokens[USDC].transferFrom.selector, executor),
            abi.encode(true)
        );
        (uint256 repaid,) = protection.quote(borrower, WETH, USDC, NO_LIMIT);
        _refused(abi.encodeWithSelector(IProtection.TransferInexact.selector, address(tokens[USDC]), 0, repaid));
    }

    function test_a_gift_pays_for_nothing() external {
        tokens[USDC].mint(address(protection), 1_000_000 * ONE_USDC);
        vm.prank(stranger);
        vm.expectRevert(SafeTransferLib.TransferFromFailed.selector);
        protection.deleverage(borrower, WETH, USDC, NO_LIMIT, 0, stranger, "");
        (uint256 repaid,) = _deleverage(NO_LIMIT);
        assertEq(1e30 - tokens[USDC].balanceOf(executor), repaid);
        assertEq(tokens[USDC].balanceOf(address(protection)), 1_000_000 * ONE_USDC);
    }

    // ------------------------------------------------------------------ an operator's rights

    function test_nothing_else_moves_an_account(uint8 assetId, uint256 amount) external {
        bytes[4] memory calls = [
            abi.encodeCall(house.withdrawCollateral, (assetId % 3, amount, borrower, stranger)),
            abi.encodeCall(house.borrow, (assetId % 3, amount, borrower, stranger)),
            abi.encodeCall(house.withdraw, (assetId % 3, amount, 0, borrower, stranger)),
            abi.encodeCall(house.transferShares, (assetId % 3, amount, borrower, stranger))
        ];
        bytes[] memory inner = new bytes[](1);
        for (uint256 i = 0; i < calls.length; ++i) {
            vm.startPrank(stranger);
            (bool success,) = address(protection).call(calls[i]);
            assertFalse(success, "the house's functions are not here");
            inner[0] = calls[i];
            (success,) = address(protection).call(abi.encodeCall(protection.multicall, (inner)));
            assertFalse(success, "nor through a multicall");
            vm.stopPrank();
        }
    }

    function test_terms_are_the_callers_alone() external {
        IProtection.Terms memory terms = _terms();
        terms.maxFeeBps = 300;
        vm.prank(stranger);
        protection.protect(terms);
        assertEq(protection.termsOf(borrower).maxFeeBps, 50);
    }
}

/// @title An executor that mints what it owes when it is asked for it, and does one thing besides
contract ExecutorDouble is IDeleverageCallback, Caller {
    IProtection public immutable protection;
    bytes4 public answer = IDeleverageCallback.onDeleverage.selector;
    uint256 public seized;
    uint256 public repaid;
    bytes public data;

    constructor(IProtection protection_) {
        protection = protection_;
    }

    function setAnswer(bytes4 answer_) external {
        answer = answer_;
    }

    function deleverage(address account, uint8 collateralId, uint8 debtId) external {
        protection.deleverage(account, collateralId, debtId, type(uint256).max, 0, address(this), hex"51");
    }

    function onDeleverage(address, address, uint256 seized_, address debtToken, uint256 repaid_, bytes calldata data_)
        external
        returns (bytes4)
    {
        (seized, repaid, data) = (seized_, repaid_, data_);
        FaucetToken(debtToken).mint(address(this), repaid_);
        FaucetToken(debtToken).approve(address(protection), repaid_);
        _makeCall();
        return answer;
    }
}

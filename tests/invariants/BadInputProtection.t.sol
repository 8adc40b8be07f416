// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IFlashProtector} from "../../contracts/interfaces/IFlashProtector.sol";
import {IProtection} from "../../contracts/interfaces/IProtection.sol";
import {FlashProtector} from "../../contracts/periphery/FlashProtector.sol";
import {ProtectionFixture} from "./support/ProtectionFixture.sol";

/// @title Bad amounts and assets to a sale of protection, with capital and without
/// @notice Refused by exactly the error named, and nothing changes.
contract BadInputProtectionTest is ProtectionFixture {
    uint8 private constant UNLISTED = 3;

    FlashProtector private _flash;

    function setUp() public override {
        super.setUp();
        _flash = new FlashProtector(address(protection), address(house), address(factory));
        _pool(WETH, 2_000e18, 200_000_000);
    }

    function test_a_sale_refuses_nothing_the_most_and_what_is_not_there() external {
        bytes4 missing = IProtection.LegMissing.selector;
        _both(borrower, WETH, USDC, 0, IProtection.SaleTooSmall.selector);
        _both(borrower, WETH, USDC, 1, IProtection.SaleTooSmall.selector);
        _both(borrower, WETH, WETH, NO_LIMIT, IProtection.CollateralRefused.selector);
        _both(borrower, UNLISTED, USDC, NO_LIMIT, IProtection.CollateralRefused.selector);
        _both(borrower, 255, USDC, NO_LIMIT, IProtection.CollateralRefused.selector);
        _both(borrower, WBTC, USDC, NO_LIMIT, missing);
        _both(borrower, WETH, WBTC, NO_LIMIT, missing);
        _both(borrower, WETH, UNLISTED, NO_LIMIT, missing);
        _both(borrower, WETH, 255, NO_LIMIT, missing);
        _both(stranger, WETH, USDC, NO_LIMIT, IProtection.AccountUnprotected.selector);
        _both(address(0), WETH, USDC, NO_LIMIT, IProtection.AccountUnprotected.selector);
    }

    function test_limits_that_no_sale_meets_are_refused() external {
        bytes memory call =
            abi.encodeCall(protection.deleverage, (borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, recipient, bytes("")));
        _refusedBy(address(protection), call, IProtection.SeizedBelowMinimum.selector);
        call = abi.encodeCall(
            _flash.deleverageAndSell, (borrower, WETH, USDC, NO_LIMIT, FEE_PIPS, type(uint128).max, recipient)
        );
        _refusedBy(address(_flash), call, IFlashProtector.ProceedsBelowMinimum.selector);
    }

    function test_a_sale_waits_for_nobody_once_the_account_is_safe_again() external {
        _publish(WETH, 2_400e8);
        _both(borrower, WETH, USDC, NO_LIMIT, IProtection.TriggerUnmet.selector);
    }

    // ------------------------------------------------------------------ steps

    /// @dev With the executor's own capital, and without any.
    function _both(address account, uint8 collateralId, uint8 debtId, uint256 maxRepaid, bytes4 reason) private {
        bytes memory call =
            abi.encodeCall(protection.deleverage, (account, collateralId, debtId, maxRepaid, 0, recipient, bytes("")));
        _refusedBy(address(protection), call, reason);
        call = abi.encodeCall(
            _flash.deleverageAndSell, (account, collateralId, debtId, maxRepaid, FEE_PIPS, 0, recipient)
        );
        _refusedBy(address(_flash), call, reason);
    }

    function _refusedBy(address target, bytes memory call, bytes4 reason) private {
        bytes32 before = _state();
        vm.prank(executor);
        (bool success, bytes memory answer) = target.call(call);
        assertFalse(success, "not refused");
        assertEq(bytes32(bytes4(answer)), bytes32(reason), "another error");
        assertEq(_state(), before, "something changed");
    }

    function _state() private view returns (bytes32 digest) {
        (uint256 used, uint40 since) = protection.usageOf(borrower);
        digest = keccak256(abi.encode(house.accountState(borrower), used, since > vm.getBlockTimestamp()));
        address[4] memory people = [executor, recipient, address(protection), address(_flash)];
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            digest = keccak256(abi.encode(digest, house.market(assetId)));
            for (uint256 i = 0; i < people.length; ++i) {
                digest = keccak256(abi.encode(digest, tokens[assetId].balanceOf(people[i])));
            }
        }
    }
}

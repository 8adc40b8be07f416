// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "../support/forge/Test.sol";

/// @title The test base itself
contract HarnessTest is Test {
    function test_bound_stays_within_its_range(uint256 x, uint256 lower, uint256 upper) external pure {
        if (lower > upper) (lower, upper) = (upper, lower);
        uint256 bounded = bound(x, lower, upper);
        assertGe(bounded, lower);
        assertLe(bounded, upper);
    }

    function test_bound_keeps_the_edges() external pure {
        assertEq(bound(type(uint256).max, 5, 10), 10);
        assertEq(bound(7, 5, 10), 7);
        assertEq(bound(0, 5, 10), 5);
    }

    function test_an_assertion_that_does_not_hold_fails() external {
        vm.expectRevert();
        this.assertOneIsTwo();
    }

    function assertOneIsTwo() external pure {
        assertEq(uint256(1), uint256(2));
    }
}

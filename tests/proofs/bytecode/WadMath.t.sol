// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {WadMath} from "../../../contracts/libraries/WadMath.sol";

/// @title The comparisons of WadMath, in bytecode, for all words
/// @notice Products and quotients of words are beyond solvers of bits: those are proven over integers.
contract WadMathProof {
    using WadMath for uint256;

    function check_min_max_and_floored_difference(uint256 x, uint256 y) external pure {
        assert(x.min(y) == (x < y ? x : y));
        assert(x.max(y) == (x < y ? y : x));
        assert(x.zeroFloorSub(y) == (x > y ? x - y : 0));
    }
}

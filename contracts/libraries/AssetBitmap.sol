// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {LibBit} from "solady/utils/LibBit.sol";

/// @title Set of asset ids in one word
/// @notice Bit `id` is set where the account uses asset `id`; ids are below 64.
/// @dev Loops run over set bits only: take `lowest`, go on with `withoutLowest` until the map is zero.
library AssetBitmap {
    /// @dev Most collaterals, and most debts, that an account's own actions may use: the bound on every loop.
    uint256 internal constant MAX_IN_USE = 8;

    /// @dev Whether `id` is in the set.
    function has(uint64 map, uint8 id) internal pure returns (bool) {
        return map & _bit(id) != 0;
    }

    /// @dev The set with `id`.
    function with(uint64 map, uint8 id) internal pure returns (uint64) {
        return map | _bit(id);
    }

    /// @dev The set without `id`.
    function without(uint64 map, uint8 id) internal pure returns (uint64) {
        return map & ~_bit(id);
    }

    /// @dev Number of ids in the set.
    function count(uint64 map) internal pure returns (uint256) {
        return LibBit.popCount(map);
    }

    /// @dev The lowest id of a set that is not empty.
    function lowest(uint64 map) internal pure returns (uint8) {
        return uint8(LibBit.ffs(map));
    }

    /// @dev The set without its lowest id. The borrow of `map - 1` runs exactly through the lowest set bit, and the
    /// empty set stays empty.
    function withoutLowest(uint64 map) internal pure returns (uint64) {
        unchecked {
            return map & (map - 1);
        }
    }

    /// @dev The word with bit `id` alone; an id of 64 or more gives zero, which is in no set.
    function _bit(uint8 id) private pure returns (uint64) {
        return uint64(1) << id;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AssetBitmap} from "../../../contracts/libraries/AssetBitmap.sol";

/// @title AssetBitmap is a set of ids below 64, for every set and every id
contract AssetBitmapProof {
    using AssetBitmap for uint64;

    /// @dev What goes in is in, what goes out is out.
    function check_ids_go_in_and_out(uint64 map, uint8 id) external pure {
        if (id >= 64) return;
        assert(map.with(id).has(id));
        assert(!map.without(id).has(id));
        assert(map.with(id).without(id) == map.without(id));
        assert(map.without(id).with(id) == map.with(id));
    }

    /// @dev Nothing else changes.
    function check_other_ids_stay(uint64 map, uint8 id, uint8 other) external pure {
        if (other == id) return;
        assert(map.with(id).has(other) == map.has(other));
        assert(map.without(id).has(other) == map.has(other));
    }

    /// @dev An id of 64 or more is in no set, and changes none.
    function check_ids_beyond_the_map_are_in_no_set(uint64 map, uint8 id) external pure {
        if (id < 64) return;
        assert(!map.has(id) && map.with(id) == map && map.without(id) == map);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {AssetBitmap} from "../../contracts/libraries/AssetBitmap.sol";
import {WadMath} from "../../contracts/libraries/WadMath.sol";
import {Test} from "../support/forge/Test.sol";

/// @title Each function rounds as it is named
contract WadMathTest is Test {
    using WadMath for uint256;

    uint256 private constant LARGE = 1e38;

    /// @dev Down is the quotient, up one more wherever there is a remainder.
    function _assertRounds(uint256 down, uint256 up, uint256 product, uint256 divisor) private pure {
        assertEq(down, product / divisor, "down");
        assertEq(up, product / divisor + (product % divisor == 0 ? 0 : 1), "up");
    }

    function test_multiplication_and_division_by_wad(uint256 x, uint256 y) external pure {
        (x, y) = (bound(x, 0, LARGE), bound(y, 1, LARGE));
        _assertRounds(x.mulDown(y), x.mulUp(y), x * y, 1e18);
        _assertRounds(x.divDown(y), x.divUp(y), x * 1e18, y);
    }

    function test_multiplication_and_division_by_any(uint256 x, uint256 y, uint256 d) external pure {
        (x, y, d) = (bound(x, 0, LARGE), bound(y, 0, LARGE), bound(d, 1, LARGE));
        _assertRounds(x.mulDivDown(y, d), x.mulDivUp(y, d), x * y, d);
        _assertRounds(x.valueDown(y, d), x.valueUp(y, d), x * y, d);
    }

    function test_basis_points(uint256 x, uint256 bps) external pure {
        (x, bps) = (bound(x, 0, LARGE), bound(bps, 0, 20_000));
        _assertRounds(x.bpsDown(bps), x.bpsUp(bps), x * bps, 10_000);
    }

    function test_a_product_beyond_256_bits_is_exact() external pure {
        uint256 most = type(uint256).max;
        assertEq(most.mulDivDown(most, most), most);
        assertEq(most.mulDivUp(2, 4), most / 2 + 1);
        assertEq(most.mulDivDown(2, 4), most / 2);
    }

    function test_smaller_larger_and_floored() external pure {
        assertEq(uint256(3).min(5), 3);
        assertEq(uint256(3).max(5), 5);
        assertEq(uint256(5).zeroFloorSub(3), 2);
        assertEq(uint256(3).zeroFloorSub(5), 0);
    }

    function test_what_does_not_fit_reverts() external {
        assertEq(uint256(type(uint112).max).toUint112(), type(uint112).max);
        assertEq(uint256(type(uint128).max).toUint128(), type(uint128).max);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AmountTooLarge.selector, 1 << 112));
        this.narrow112(1 << 112);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AmountTooLarge.selector, 1 << 128));
        this.narrow128(1 << 128);
    }

    function narrow112(uint256 x) external pure returns (uint112) {
        return x.toUint112();
    }

    function narrow128(uint256 x) external pure returns (uint128) {
        return x.toUint128();
    }
}

/// @title A set of ids is what was put in and not taken out
contract AssetBitmapTest is Test {
    using AssetBitmap for uint64;

    function test_ids_go_in_and_out(uint64 map, uint8 id) external pure {
        id = id % 64;
        assertTrue(map.with(id).has(id));
        assertFalse(map.without(id).has(id));
        assertEq(map.with(id).without(id), map.without(id));
        assertEq(map.with(id).count(), map.without(id).count() + 1);
    }

    function test_an_id_beyond_the_map_is_in_no_set() external pure {
        assertFalse(type(uint64).max.has(64));
        assertEq(uint64(5).with(200), 5);
        assertEq(uint64(5).without(64), 5);
    }

    function test_a_walk_visits_each_id_once_by_rising_id(uint64 map) external pure {
        uint64 seen;
        uint256 visits;
        int256 last = -1;
        for (uint64 left = map; left != 0; left = left.withoutLowest()) {
            uint8 id = left.lowest();
            assertGt(int256(uint256(id)), last);
            (seen, last) = (seen.with(id), int256(uint256(id)));
            ++visits;
        }
        assertEq(seen, map);
        assertEq(visits, map.count());
    }
}

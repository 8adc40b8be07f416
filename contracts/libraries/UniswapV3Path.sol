// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IVenue} from "../interfaces/IVenue.sol";
import {BPS} from "./WadMath.sol";

/// @title Routes over Uniswap V3 pools
/// @dev A path is packed as Uniswap's own routers pack it: token (20 bytes), fee in pips (3 bytes), token, and so on.
library UniswapV3Path {
    /// @notice A share of a sale and the way it takes.
    /// @param weightBps Share of the amount, basis points; those of a route add up to 10,000.
    /// @param path Token, fee, token; or token, fee, token between, fee, token.
    struct Part {
        uint16 weightBps;
        bytes path;
    }

    uint256 private constant TOKEN_SIZE = 20;
    /// @dev A token and the fee behind it.
    uint256 private constant HOP_SIZE = 23;
    /// @dev Largest number of pools on a path.
    uint256 private constant MAX_HOPS = 2;

    /// @dev Reads a route and refuses one that does not lead all of `tokenIn` to `tokenOut`.
    function decode(address tokenIn, address tokenOut, bytes calldata data)
        internal
        pure
        returns (Part[] memory parts)
    {
        parts = abi.decode(data, (Part[]));
        uint256 total;
        for (uint256 i = 0; i < parts.length; ++i) {
            if (parts[i].weightBps == 0) revert IVenue.RouteInvalid(tokenIn, tokenOut, "weight");
            total += parts[i].weightBps;
            _check(tokenIn, tokenOut, parts[i].path);
        }
        if (total != BPS) revert IVenue.RouteInvalid(tokenIn, tokenOut, "weight");
    }

    /// @dev Number of pools on a path.
    function hops(bytes memory path) internal pure returns (uint256) {
        return path.length / HOP_SIZE;
    }

    /// @dev The tokens and the fee of a pool on a path; `hop` must be below `hops`.
    function hopAt(bytes memory path, uint256 hop)
        internal
        pure
        returns (address tokenIn, uint24 feePips, address tokenOut)
    {
        uint256 offset = hop * HOP_SIZE;
        assembly ("memory-safe") {
            let start := add(add(path, 0x20), offset)
            tokenIn := shr(96, mload(start))
            feePips := shr(232, mload(add(start, TOKEN_SIZE)))
            tokenOut := shr(96, mload(add(start, HOP_SIZE)))
        }
    }

    /// @dev Ends where it must, one or two pools long; the token between is neither of the ends.
    function _check(address tokenIn, address tokenOut, bytes memory path) private pure {
        uint256 count = hops(path);
        if (count == 0 || count > MAX_HOPS || path.length != count * HOP_SIZE + TOKEN_SIZE) {
            revert IVenue.RouteInvalid(tokenIn, tokenOut, "length");
        }
        (address first,, address second) = hopAt(path, 0);
        (,, address last) = hopAt(path, count - 1);
        if (first != tokenIn || last != tokenOut) revert IVenue.RouteInvalid(tokenIn, tokenOut, "ends");
        if (count != 1 && (second == tokenIn || second == tokenOut)) {
            revert IVenue.RouteInvalid(tokenIn, tokenOut, "token between");
        }
    }
}

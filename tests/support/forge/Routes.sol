// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {UniswapV3Path} from "../../../contracts/libraries/UniswapV3Path.sol";

/// @title Routes as `UniswapV3Venue` reads them
library Routes {
    /// @dev Everything through one pool.
    function direct(address tokenIn, uint24 feePips, address tokenOut) internal pure returns (bytes memory) {
        return whole(abi.encodePacked(tokenIn, feePips, tokenOut));
    }

    /// @dev Everything along one path.
    function whole(bytes memory path) internal pure returns (bytes memory) {
        UniswapV3Path.Part[] memory parts = new UniswapV3Path.Part[](1);
        parts[0] = UniswapV3Path.Part(10_000, path);
        return abi.encode(parts);
    }

    /// @dev `weightBps` along one path and the rest along another.
    function split(uint16 weightBps, bytes memory path, bytes memory other) internal pure returns (bytes memory) {
        UniswapV3Path.Part[] memory parts = new UniswapV3Path.Part[](2);
        parts[0] = UniswapV3Path.Part(weightBps, path);
        parts[1] = UniswapV3Path.Part(10_000 - weightBps, other);
        return abi.encode(parts);
    }
}

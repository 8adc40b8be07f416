// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IUniswapV3Pool} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Pool.sol";
import {IUniswapV3SwapCallback} from "@uniswap/v3-core/contracts/interfaces/callback/IUniswapV3SwapCallback.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IVenue} from "../interfaces/IVenue.sol";
import {UniswapV3Price} from "./UniswapV3Price.sol";

/// @title Sells what this contract holds into a Uniswap V3 pool
/// @dev A pool pays out first and asks for its input in a callback. The callback is answered only to the pool in
/// flight, and only the token that is being sold leaves.
abstract contract UniswapV3Seller is IUniswapV3SwapCallback {
    /// @dev The pool whose callback is due, and what it is paid in.
    address private transient _poolInFlight;
    address private transient _tokenInFlight;

    /// @inheritdoc IUniswapV3SwapCallback
    function uniswapV3SwapCallback(int256 amount0Delta, int256 amount1Delta, bytes calldata) external {
        if (msg.sender != _poolInFlight) revert IVenue.CallbackUnauthorised(msg.sender);
        int256 owed = amount0Delta > 0 ? amount0Delta : amount1Delta;
        // forge-lint: disable-next-line(unsafe-typecast) -- exactly one of the two is positive: the input
        SafeTransferLib.safeTransfer(_tokenInFlight, msg.sender, uint256(owed));
    }

    /// @dev Sells up to `amountIn` of `tokenIn` as far as the pool goes. `pool` must come from a trusted factory.
    /// @return spent What the pool took, less than `amountIn` where it ran dry. @return received What it paid.
    function _sellIn(address pool, address tokenIn, address tokenOut, uint256 amountIn, address recipient)
        internal
        returns (uint256 spent, uint256 received)
    {
        bool zeroForOne = tokenIn < tokenOut;
        uint160 limit = UniswapV3Price.extremeLimit(zeroForOne);
        (_poolInFlight, _tokenInFlight) = (pool, tokenIn);
        // forge-lint: disable-next-line(unsafe-typecast) -- amounts are stored in 128 bits
        (int256 amount0, int256 amount1) = IUniswapV3Pool(pool).swap(recipient, zeroForOne, int256(amountIn), limit, "");
        (_poolInFlight, _tokenInFlight) = (address(0), address(0));
        (int256 paid, int256 negated) = zeroForOne ? (amount0, amount1) : (amount1, amount0);
        // forge-lint: disable-next-line(unsafe-typecast) -- a pool takes a positive and pays a negative amount
        return (uint256(paid), uint256(-negated));
    }
}

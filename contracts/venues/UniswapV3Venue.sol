// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IUniswapV3Factory} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Factory.sol";
import {IUniswapV3Pool} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Pool.sol";

import {IVenue} from "../interfaces/IVenue.sol";
import {UniswapV3Price} from "../libraries/UniswapV3Price.sol";
import {UniswapV3Seller} from "../libraries/UniswapV3Seller.sol";
import {WadMath} from "../libraries/WadMath.sol";

/// @title Sells into a Uniswap V3 pool
/// @notice `data` is `abi.encode(uint24 feePips)` and names the pool of the pair. Anyone may use the venue: it holds
/// nothing between calls and gives nobody any right.
/// @dev The pool comes from the factory, never from a caller.
contract UniswapV3Venue is IVenue, UniswapV3Seller {
    using WadMath for uint256;

    /// @dev Parts of a whole in Uniswap's fees.
    uint256 private constant PIPS = 1_000_000;

    IUniswapV3Factory public immutable factory;

    /// @param factory_ The Uniswap V3 factory whose pools are sold into.
    constructor(address factory_) {
        factory = IUniswapV3Factory(factory_);
    }

    /// @inheritdoc IVenue
    /// @dev amountIn * (1 - fee) * P with P = sqrtPrice^2 of the pool, in token1 per token0. Rounding: UP at every
    /// step.
    function amountOutAtSpot(address tokenIn, address tokenOut, uint256 amountIn, bytes calldata data)
        external
        view
        returns (uint256 amountOut)
    {
        (IUniswapV3Pool pool, uint24 feePips) = _pool(tokenIn, tokenOut, data);
        (uint160 sqrtPriceX96,,,,,,) = pool.slot0();
        if (sqrtPriceX96 == 0) revert PoolMissing(tokenIn, tokenOut, data);
        uint256 net = amountIn.mulDivUp(PIPS - feePips, PIPS);
        return UniswapV3Price.quoteUp(net, sqrtPriceX96, tokenIn < tokenOut);
    }

    /// @inheritdoc IVenue
    /// @dev Without a price limit of its own: the least proceeds are the limit.
    function swap(
        address tokenIn,
        address tokenOut,
        uint256 amountIn,
        uint256 minAmountOut,
        address recipient,
        bytes calldata data
    ) external returns (uint256 amountOut) {
        (IUniswapV3Pool pool,) = _pool(tokenIn, tokenOut, data);
        uint256 spent;
        (spent, amountOut) = _sellIn(address(pool), tokenIn, tokenOut, amountIn, recipient);
        if (spent != amountIn) revert InputUnspent(amountIn, spent);
        if (amountOut < minAmountOut) revert ProceedsBelowMinimum(amountOut, minAmountOut);
    }

    /// @dev The pool that `data` names.
    function _pool(address tokenIn, address tokenOut, bytes calldata data)
        private
        view
        returns (IUniswapV3Pool pool, uint24 feePips)
    {
        feePips = abi.decode(data, (uint24));
        pool = IUniswapV3Pool(factory.getPool(tokenIn, tokenOut, feePips));
        if (address(pool) == address(0)) revert PoolMissing(tokenIn, tokenOut, data);
    }
}

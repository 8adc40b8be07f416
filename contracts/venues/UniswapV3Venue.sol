// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IUniswapV3Factory} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Factory.sol";
import {IUniswapV3Pool} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Pool.sol";

import {IVenue} from "../interfaces/IVenue.sol";
import {UniswapV3History} from "../libraries/UniswapV3History.sol";
import {UniswapV3Path} from "../libraries/UniswapV3Path.sol";
import {UniswapV3Price} from "../libraries/UniswapV3Price.sol";
import {UniswapV3Seller} from "../libraries/UniswapV3Seller.sol";
import {BPS, WadMath} from "../libraries/WadMath.sol";

/// @title Sells into Uniswap V3 pools: several fee tiers side by side, and over one token in between
/// @notice `data` is `abi.encode(UniswapV3Path.Part[])`. Each part takes its weight of the amount along its path; the
/// weights, in basis points, add up to one. Anyone may use the venue: it holds nothing between calls and gives nobody
/// any right.
/// @dev Pools come from the factory, never from a caller. A token in between is neither what is sold nor what is
/// bought, so that no part can trade against the price that another has moved; hence the best marginal price of the
/// parts bounds what all of them bring.
contract UniswapV3Venue is IVenue, UniswapV3Seller {
    using UniswapV3Path for bytes;
    using WadMath for uint256;

    /// @dev Parts of a whole in Uniswap's fees.
    uint256 private constant PIPS = 1_000_000;

    IUniswapV3Factory public immutable factory;

    /// @param factory_ The Uniswap V3 factory whose pools are sold into.
    constructor(address factory_) {
        factory = IUniswapV3Factory(factory_);
    }

    // ------------------------------------------------------------------ prices

    /// @inheritdoc IVenue
    /// @dev amountIn * (1 - fee) * P at each hop, with P = sqrtPrice^2 of the pool in token1 per token0, and of the
    /// parts the best. Rounding: UP at every step.
    function amountOutAtSpot(address tokenIn, address tokenOut, uint256 amountIn, bytes calldata data)
        external
        view
        returns (uint256 amountOut)
    {
        UniswapV3Path.Part[] memory parts = UniswapV3Path.decode(tokenIn, tokenOut, data);
        for (uint256 i = 0; i < parts.length; ++i) {
            amountOut = amountOut.max(_spotAlong(parts[i].path, amountIn));
        }
    }

    /// @inheritdoc IVenue
    function priceBounds(address tokenIn, address tokenOut, uint256 amountIn, bytes calldata data, uint32 window)
        external
        view
        returns (uint256 lowest, uint256 highest)
    {
        UniswapV3Path.Part[] memory parts = UniswapV3Path.decode(tokenIn, tokenOut, data);
        lowest = type(uint256).max;
        for (uint256 i = 0; i < parts.length; ++i) {
            uint256 amount = _meanAlong(parts[i].path, amountIn, window);
            (lowest, highest) = (lowest.min(amount), highest.max(amount));
        }
    }

    // ------------------------------------------------------------------ sale

    /// @inheritdoc IVenue
    /// @dev Without a price limit of its own: the least proceeds of all parts are the limit. The last part takes what
    /// the weights of the others leave by rounding.
    function swap(
        address tokenIn,
        address tokenOut,
        uint256 amountIn,
        uint256 minAmountOut,
        address recipient,
        bytes calldata data
    ) external returns (uint256 amountOut) {
        UniswapV3Path.Part[] memory parts = UniswapV3Path.decode(tokenIn, tokenOut, data);
        uint256 left = amountIn;
        for (uint256 i = 0; i < parts.length; ++i) {
            uint256 amount = i + 1 == parts.length ? left : amountIn.mulDivDown(parts[i].weightBps, BPS);
            left -= amount;
            amountOut += _sellAlong(parts[i].path, amount, recipient);
        }
        if (amountOut < minAmountOut) revert ProceedsBelowMinimum(amountOut, minAmountOut);
    }

    /// @dev Sells through each pool of a path in turn; what a pool pays for the next stays here in between. A pool
    /// refuses to sell nothing, which is what a part or a hop of dust comes to.
    function _sellAlong(bytes memory path, uint256 amount, address recipient) private returns (uint256) {
        uint256 hops = path.hops();
        for (uint256 hop = 0; hop < hops && amount != 0; ++hop) {
            (address tokenIn, uint24 feePips, address tokenOut) = path.hopAt(hop);
            address pool = _pool(path, tokenIn, feePips, tokenOut);
            address receiver = hop + 1 == hops ? recipient : address(this);
            (uint256 spent, uint256 received) = _sellIn(pool, tokenIn, tokenOut, amount, receiver);
            if (spent != amount) revert InputUnspent(amount, spent);
            amount = received;
        }
        return amount;
    }

    // ------------------------------------------------------------------ readings

    function _spotAlong(bytes memory path, uint256 amount) private view returns (uint256) {
        uint256 hops = path.hops();
        for (uint256 hop = 0; hop < hops; ++hop) {
            (address tokenIn, uint24 feePips, address tokenOut) = path.hopAt(hop);
            (uint160 sqrtPriceX96,,,,,,) = IUniswapV3Pool(_pool(path, tokenIn, feePips, tokenOut)).slot0();
            if (sqrtPriceX96 == 0) revert PoolMissing(tokenIn, tokenOut, path);
            uint256 net = amount.mulDivUp(PIPS - feePips, PIPS);
            amount = UniswapV3Price.quoteUp(net, sqrtPriceX96, tokenIn < tokenOut);
        }
        return amount;
    }

    function _meanAlong(bytes memory path, uint256 amount, uint32 window) private view returns (uint256) {
        uint256 hops = path.hops();
        for (uint256 hop = 0; hop < hops; ++hop) {
            (address tokenIn, uint24 feePips, address tokenOut) = path.hopAt(hop);
            address pool = _pool(path, tokenIn, feePips, tokenOut);
            (bool known, int24 tick) = UniswapV3History.meanTick(pool, window);
            if (!known) revert HistoryMissing(pool, window);
            amount = UniswapV3History.quoteDown(amount, tick, tokenIn < tokenOut);
        }
        return amount;
    }

    /// @dev The factory's pool of a pair and fee.
    function _pool(bytes memory path, address tokenIn, uint24 feePips, address tokenOut)
        private
        view
        returns (address pool)
    {
        pool = factory.getPool(tokenIn, tokenOut, feePips);
        if (pool == address(0)) revert PoolMissing(tokenIn, tokenOut, path);
    }
}

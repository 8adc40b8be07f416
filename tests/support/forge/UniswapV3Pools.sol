// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IUniswapV3Factory} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Factory.sol";
import {IUniswapV3Pool} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Pool.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {FaucetToken} from "../../../contracts/mocks/FaucetToken.sol";
import {Test} from "./Test.sol";

/// @title Real Uniswap V3 pools of faucet tokens
/// @notice Deploys the published bytecode of the factory, provides liquidity over the whole range, and trades.
contract UniswapV3Pools is Test {
    string private constant FACTORY =
        "/node_modules/@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json";
    int24 private constant FULL_RANGE = 887_220; // a multiple of every tick spacing up to 60
    uint160 private constant MIN_SQRT_PRICE_X96 = 4295128739;
    uint160 private constant MAX_SQRT_PRICE_X96 = 1461446703485210103287273052203988822378723970342;

    IUniswapV3Factory public factory;

    constructor() {
        string memory artifact = vm.readFile(string.concat(vm.projectRoot(), FACTORY));
        bytes memory code = vm.parseJsonBytes(artifact, ".bytecode");
        address deployed;
        assembly {
            deployed := create(0, add(code, 0x20), mload(code))
        }
        factory = IUniswapV3Factory(deployed);
    }

    /// @notice Creates a pool at `price` whole quote tokens per whole base token (WAD), with `depth` whole quote tokens
    /// and as much base on the two sides.
    function create(FaucetToken base, FaucetToken quote, uint24 feePips, uint256 price, uint256 depth)
        external
        returns (IUniswapV3Pool pool)
    {
        pool = IUniswapV3Pool(factory.createPool(address(base), address(quote), feePips));
        pool.initialize(_sqrtPriceX96(base, quote, price));
        // over the whole range an amount `depth` of quote stands behind a liquidity of depth / sqrt(price)
        uint256 quoteUnits = depth * 10 ** quote.decimals();
        uint256 ratioX96 = _sqrtPriceX96(base, quote, price);
        uint256 liquidity = address(base) < address(quote)
            ? FixedPointMathLib.fullMulDiv(quoteUnits, 2 ** 96, ratioX96)
            : FixedPointMathLib.fullMulDiv(quoteUnits, ratioX96, 2 ** 96);
        int24 edge = FULL_RANGE / pool.tickSpacing() * pool.tickSpacing();
        pool.mint(address(this), -edge, edge, uint128(liquidity), "");
    }

    /// @notice Trades the pool to `price` (WAD, quote per base).
    function moveTo(FaucetToken base, FaucetToken quote, uint24 feePips, uint256 price) external {
        IUniswapV3Pool pool = IUniswapV3Pool(factory.getPool(address(base), address(quote), feePips));
        uint160 goal = _sqrtPriceX96(base, quote, price);
        (uint160 current,,,,,,) = pool.slot0();
        if (goal == current) return;
        pool.swap(address(this), goal < current, type(int256).max, goal, "");
    }

    /// @notice Adds liquidity to a pool over the whole range.
    function provide(IUniswapV3Pool pool, uint128 liquidity) external {
        int24 edge = FULL_RANGE / pool.tickSpacing() * pool.tickSpacing();
        pool.mint(address(this), -edge, edge, liquidity, "");
    }

    /// @notice Takes liquidity out of a pool again.
    function remove(IUniswapV3Pool pool, uint128 liquidity) external {
        int24 edge = FULL_RANGE / pool.tickSpacing() * pool.tickSpacing();
        pool.burn(-edge, edge, liquidity);
    }

    /// @notice Pays the pool what it asks for, out of the faucets.
    function uniswapV3MintCallback(uint256 amount0, uint256 amount1, bytes calldata) external {
        FaucetToken(IUniswapV3Pool(msg.sender).token0()).mint(msg.sender, amount0);
        FaucetToken(IUniswapV3Pool(msg.sender).token1()).mint(msg.sender, amount1);
    }

    /// @notice The same for a trade.
    function uniswapV3SwapCallback(int256 amount0, int256 amount1, bytes calldata) external {
        if (amount0 > 0) FaucetToken(IUniswapV3Pool(msg.sender).token0()).mint(msg.sender, uint256(amount0));
        if (amount1 > 0) FaucetToken(IUniswapV3Pool(msg.sender).token1()).mint(msg.sender, uint256(amount1));
    }

    function _sqrtPriceX96(FaucetToken base, FaucetToken quote, uint256 price) private view returns (uint160) {
        uint256 numerator = price * 10 ** quote.decimals();
        uint256 divisor = 1e18 * 10 ** base.decimals();
        if (address(quote) < address(base)) (numerator, divisor) = (divisor, numerator);
        return uint160(FixedPointMathLib.sqrt(FixedPointMathLib.fullMulDiv(numerator, 2 ** 192, divisor)));
    }
}

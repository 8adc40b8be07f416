// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IUniswapV3Pool} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Pool.sol";

import {IVenue} from "../../contracts/interfaces/IVenue.sol";
import {FaucetToken} from "../../contracts/mocks/FaucetToken.sol";
import {UniswapV3Venue} from "../../contracts/venues/UniswapV3Venue.sol";
import {Test} from "../support/forge/Test.sol";
import {UniswapV3Pools} from "../support/forge/UniswapV3Pools.sol";

/// @title Sales into real Uniswap V3 pools, in both directions
contract UniswapV3VenueTest is Test {
    uint24 private constant FEE_PIPS = 500;

    UniswapV3Pools private _pools;
    UniswapV3Venue private _venue;
    FaucetToken private _weth;
    FaucetToken private _usdc;
    address private _seller = makeAddr("seller");

    function setUp() external {
        _pools = new UniswapV3Pools();
        _venue = new UniswapV3Venue(address(_pools.factory()));
        _weth = new FaucetToken("WETH", "WETH", 18);
        _usdc = new FaucetToken("USDC", "USDC", 6);
        _pools.create(_weth, _usdc, FEE_PIPS, 2_000e18, 10_000_000);
    }

    // ------------------------------------------------------------------ spot

    function test_spot_is_the_price_of_the_pool_after_its_fee() external view {
        assertApproxEqRel(_spot(_weth, _usdc, 1e18), 1_999e6, 1e10);
        assertApproxEqRel(_spot(_usdc, _weth, 2_000e6), 0.9995e18, 1e10);
    }

    function test_no_sale_brings_more_than_spot(uint256 amount, bool base, uint256 price) external {
        _pools.moveTo(_weth, _usdc, FEE_PIPS, bound(price, 100e18, 100_000e18));
        (FaucetToken tokenIn, FaucetToken tokenOut) = base ? (_weth, _usdc) : (_usdc, _weth);
        amount = base ? bound(amount, 1, 1_000e18) : bound(amount, 1, 2_000_000e6);
        uint256 spot = _spot(tokenIn, tokenOut, amount);
        assertLe(_sell(tokenIn, tokenOut, amount, 0), spot);
    }

    function test_a_small_sale_brings_nearly_spot() external {
        uint256 spot = _spot(_weth, _usdc, 0.1e18);
        assertApproxEqRel(_sell(_weth, _usdc, 0.1e18, 0), spot, 0.0001e18);
    }

    // ------------------------------------------------------------------ sale

    function test_a_sale_delivers_to_the_recipient_and_keeps_nothing() external {
        address recipient = makeAddr("recipient");
        _weth.mint(address(_venue), 1e18);
        uint256 out = _venue.swap(address(_weth), address(_usdc), 1e18, 0, recipient, abi.encode(FEE_PIPS));
        assertEq(_usdc.balanceOf(recipient), out);
        assertEq(_weth.balanceOf(address(_venue)), 0);
        assertEq(_usdc.balanceOf(address(_venue)), 0);
    }

    function test_a_sale_below_the_minimum_reverts() external {
        _weth.mint(address(_venue), 1e18);
        uint256 spot = _spot(_weth, _usdc, 1e18);
        vm.expectPartialRevert(IVenue.ProceedsBelowMinimum.selector);
        _venue.swap(address(_weth), address(_usdc), 1e18, spot, _seller, abi.encode(FEE_PIPS));
    }

    function test_a_pool_that_runs_dry_is_refused() external {
        FaucetToken other = new FaucetToken("OTHER", "OTHER", 18);
        address pool = _pools.factory().createPool(address(other), address(_usdc), FEE_PIPS);
        IUniswapV3Pool(pool).initialize(2 ** 96); // a price, and nobody to buy at it
        other.mint(address(_venue), 1e18);
        vm.expectRevert(abi.encodeWithSelector(IVenue.InputUnspent.selector, 1e18, 0));
        _venue.swap(address(other), address(_usdc), 1e18, 0, _seller, abi.encode(FEE_PIPS));
    }

    function test_a_pair_without_pool_is_refused() external {
        bytes memory data = abi.encode(uint24(3_000));
        bytes memory refusal = abi.encodeWithSelector(IVenue.PoolMissing.selector, address(_weth), address(_usdc), data);
        vm.expectRevert(refusal);
        _venue.amountOutAtSpot(address(_weth), address(_usdc), 1e18, data);
        vm.expectRevert(refusal);
        _venue.swap(address(_weth), address(_usdc), 1e18, 0, _seller, data);
    }

    function test_a_pool_without_price_is_refused() external {
        FaucetToken other = new FaucetToken("OTHER", "OTHER", 18);
        _pools.factory().createPool(address(other), address(_usdc), FEE_PIPS);
        vm.expectPartialRevert(IVenue.PoolMissing.selector);
        _venue.amountOutAtSpot(address(other), address(_usdc), 1e18, abi.encode(FEE_PIPS));
    }

    function test_a_sale_without_funds_reverts() external {
        vm.expectRevert();
        _venue.swap(address(_weth), address(_usdc), 1e18, 0, _seller, abi.encode(FEE_PIPS));
    }

    // ------------------------------------------------------------------ callback

    function test_the_callback_of_a_stranger_is_refused() external {
        _weth.mint(address(_venue), 1e18);
        vm.prank(_seller);
        vm.expectRevert(abi.encodeWithSelector(IVenue.CallbackUnauthorised.selector, _seller));
        _venue.uniswapV3SwapCallback(1e18, -1, "");
    }

    function test_the_callback_of_a_pool_that_was_not_called_is_refused() external {
        address pool = _pools.factory().getPool(address(_weth), address(_usdc), FEE_PIPS);
        _sell(_weth, _usdc, 1e18, 0);
        _weth.mint(address(_venue), 1e18);
        vm.prank(pool);
        vm.expectRevert(abi.encodeWithSelector(IVenue.CallbackUnauthorised.selector, pool));
        _venue.uniswapV3SwapCallback(1e18, -1, "");
    }

    // ------------------------------------------------------------------ steps

    function _spot(FaucetToken tokenIn, FaucetToken tokenOut, uint256 amount) private view returns (uint256) {
        return _venue.amountOutAtSpot(address(tokenIn), address(tokenOut), amount, abi.encode(FEE_PIPS));
    }

    function _sell(FaucetToken tokenIn, FaucetToken tokenOut, uint256 amount, uint256 minimum)
        private
        returns (uint256)
    {
        tokenIn.mint(address(_venue), amount);
        return _venue.swap(address(tokenIn), address(tokenOut), amount, minimum, _seller, abi.encode(FEE_PIPS));
    }
}

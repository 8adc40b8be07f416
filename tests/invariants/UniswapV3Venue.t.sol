// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IUniswapV3Pool} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Pool.sol";
import {IUniswapV3SwapCallback} from "@uniswap/v3-core/contracts/interfaces/callback/IUniswapV3SwapCallback.sol";

import {IVenue} from "../../contracts/interfaces/IVenue.sol";
import {UniswapV3History} from "../../contracts/libraries/UniswapV3History.sol";
import {UniswapV3Path} from "../../contracts/libraries/UniswapV3Path.sol";
import {FaucetToken} from "../../contracts/mocks/FaucetToken.sol";
import {Routes} from "../support/forge/Routes.sol";
import {Test} from "../support/forge/Test.sol";
import {UniswapV3Pools} from "../support/forge/UniswapV3Pools.sol";

/// @title Sales into real Uniswap V3 pools, in both directions
contract UniswapV3VenueTest is Test {
    uint24 private constant FEE_PIPS = 500;

    UniswapV3Pools private _pools;
    IVenue private _venue;
    FaucetToken private _weth;
    FaucetToken private _usdc;
    address private _seller = makeAddr("seller");

    function setUp() external {
        _pools = new UniswapV3Pools();
        _venue = IVenue(vm.deployCode("UniswapV3Venue.sol:UniswapV3Venue", abi.encode(address(_pools.factory()))));
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
        uint256 out = _venue.swap(address(_weth), address(_usdc), 1e18, 0, recipient, _direct(_weth, _usdc));
        assertEq(_usdc.balanceOf(recipient), out);
        assertEq(_weth.balanceOf(address(_venue)), 0);
        assertEq(_usdc.balanceOf(address(_venue)), 0);
    }

    function test_a_sale_below_the_minimum_reverts() external {
        _weth.mint(address(_venue), 1e18);
        uint256 spot = _spot(_weth, _usdc, 1e18);
        vm.expectPartialRevert(IVenue.ProceedsBelowMinimum.selector);
        _venue.swap(address(_weth), address(_usdc), 1e18, spot, _seller, _direct(_weth, _usdc));
    }

    function test_a_pool_that_runs_dry_is_refused() external {
        FaucetToken other = new FaucetToken("OTHER", "OTHER", 18);
        address pool = _pools.factory().createPool(address(other), address(_usdc), FEE_PIPS);
        IUniswapV3Pool(pool).initialize(2 ** 96); // a price, and nobody to buy at it
        other.mint(address(_venue), 1e18);
        vm.expectRevert(abi.encodeWithSelector(IVenue.InputUnspent.selector, 1e18, 0));
        _venue.swap(address(other), address(_usdc), 1e18, 0, _seller, _direct(other, _usdc));
    }

    function test_a_pair_without_pool_is_refused() external {
        bytes memory data = Routes.direct(address(_weth), 3_000, address(_usdc));
        bytes memory path = abi.encodePacked(_weth, uint24(3_000), _usdc);
        bytes memory refusal = abi.encodeWithSelector(IVenue.PoolMissing.selector, address(_weth), address(_usdc), path);
        vm.expectRevert(refusal);
        _venue.amountOutAtSpot(address(_weth), address(_usdc), 1e18, data);
        vm.expectRevert(refusal);
        _venue.swap(address(_weth), address(_usdc), 1e18, 0, _seller, data);
    }

    function test_a_pool_without_price_is_refused() external {
        FaucetToken other = new FaucetToken("OTHER", "OTHER", 18);
        _pools.factory().createPool(address(other), address(_usdc), FEE_PIPS);
        vm.expectPartialRevert(IVenue.PoolMissing.selector);
        _venue.amountOutAtSpot(address(other), address(_usdc), 1e18, _direct(other, _usdc));
    }

    function test_a_sale_without_funds_reverts() external {
        vm.expectRevert(SafeTransferLib.TransferFailed.selector);
        _venue.swap(address(_weth), address(_usdc), 1e18, 0, _seller, _direct(_weth, _usdc));
    }

    // ------------------------------------------------------------------ callback

    function test_the_callback_of_a_stranger_is_refused() external {
        _weth.mint(address(_venue), 1e18);
        vm.prank(_seller);
        vm.expectRevert(abi.encodeWithSelector(IVenue.CallbackUnauthorised.selector, _seller));
        IUniswapV3SwapCallback(address(_venue)).uniswapV3SwapCallback(1e18, -1, "");
    }

    function test_the_callback_of_a_pool_that_was_not_called_is_refused() external {
        address pool = _pools.factory().getPool(address(_weth), address(_usdc), FEE_PIPS);
        _sell(_weth, _usdc, 1e18, 0);
        _weth.mint(address(_venue), 1e18);
        vm.prank(pool);
        vm.expectRevert(abi.encodeWithSelector(IVenue.CallbackUnauthorised.selector, pool));
        IUniswapV3SwapCallback(address(_venue)).uniswapV3SwapCallback(1e18, -1, "");
    }

    // ------------------------------------------------------------------ steps

    function _direct(FaucetToken tokenIn, FaucetToken tokenOut) private pure returns (bytes memory) {
        return Routes.direct(address(tokenIn), FEE_PIPS, address(tokenOut));
    }

    function _spot(FaucetToken tokenIn, FaucetToken tokenOut, uint256 amount) private view returns (uint256) {
        return _venue.amountOutAtSpot(address(tokenIn), address(tokenOut), amount, _direct(tokenIn, tokenOut));
    }

    function _sell(FaucetToken tokenIn, FaucetToken tokenOut, uint256 amount, uint256 minimum)
        private
        returns (uint256)
    {
        tokenIn.mint(address(_venue), amount);
        return _venue.swap(address(tokenIn), address(tokenOut), amount, minimum, _seller, _direct(tokenIn, tokenOut));
    }
}

/// @title Sales over several pools at once, side by side and one behind the other
contract UniswapV3VenueRoutesTest is Test {
    uint32 private constant WINDOW = 180;

    UniswapV3Pools private _pools;
    IVenue private _venue;
    FaucetToken private _wbtc;
    FaucetToken private _weth;
    FaucetToken private _usdc;
    address private _seller = makeAddr("seller");

    /// @dev WETH against USDC at 0.05 % and at 0.3 %, WBTC against WETH at 0.3 %.
    function setUp() external {
        vm.warp(1_700_000_000);
        _pools = new UniswapV3Pools();
        _venue = IVenue(vm.deployCode("UniswapV3Venue.sol:UniswapV3Venue", abi.encode(address(_pools.factory()))));
        _wbtc = new FaucetToken("WBTC", "WBTC", 8);
        _weth = new FaucetToken("WETH", "WETH", 18);
        _usdc = new FaucetToken("USDC", "USDC", 6);
        _pools.create(_weth, _usdc, 500, 2_000e18, 10_000_000);
        _pools.create(_weth, _usdc, 3_000, 2_000e18, 5_000_000);
        _pools.create(_wbtc, _weth, 3_000, 30e18, 5_000);
    }

    function _hop(FaucetToken tokenIn, uint24 feePips, FaucetToken tokenOut) private pure returns (bytes memory) {
        return abi.encodePacked(tokenIn, feePips, tokenOut);
    }

    /// @dev Gives a pool of WETH and USDC room for observations.
    function _remember(uint24 feePips) private {
        address pool = _pools.factory().getPool(address(_weth), address(_usdc), feePips);
        IUniswapV3Pool(pool).increaseObservationCardinalityNext(10);
    }

    function _bitcoinPath() private view returns (bytes memory) {
        return abi.encodePacked(_wbtc, uint24(3_000), _weth, uint24(500), _usdc);
    }

    function _sell(FaucetToken tokenIn, FaucetToken tokenOut, uint256 amount, bytes memory data)
        private
        returns (uint256)
    {
        tokenIn.mint(address(_venue), amount);
        return _venue.swap(address(tokenIn), address(tokenOut), amount, 0, _seller, data);
    }

    // ------------------------------------------------------------------ side by side

    function test_two_fee_tiers_share_a_sale_by_weight() external {
        bytes memory cheap = _hop(_weth, 500, _usdc);
        bytes memory dear = _hop(_weth, 3_000, _usdc);
        uint256 snapshot = vm.snapshotState();
        uint256 first = _sell(_weth, _usdc, 650e18, Routes.whole(cheap));
        uint256 second = _sell(_weth, _usdc, 350e18, Routes.whole(dear));
        vm.revertToState(snapshot);
        assertEq(_sell(_weth, _usdc, 1_000e18, Routes.split(6_500, cheap, dear)), first + second);
        assertEq(_usdc.balanceOf(_seller), first + second);
    }

    function test_a_split_brings_more_than_either_pool() external {
        bytes memory cheap = _hop(_weth, 500, _usdc);
        bytes memory dear = _hop(_weth, 3_000, _usdc);
        uint256 snapshot = vm.snapshotState();
        uint256 whole = _sell(_weth, _usdc, 1_000e18, Routes.whole(cheap));
        vm.revertToState(snapshot);
        assertGt(_sell(_weth, _usdc, 1_000e18, Routes.split(6_500, cheap, dear)), whole * 101 / 100);
    }

    function test_a_part_of_nothing_is_left_out() external {
        bytes memory data = Routes.split(1, _hop(_weth, 500, _usdc), _hop(_weth, 3_000, _usdc));
        assertEq(_sell(_weth, _usdc, 9_999, data), 0); // one part in ten thousand of it is less than a unit
    }

    // ------------------------------------------------------------------ one behind the other

    function test_a_sale_crosses_two_pools_and_leaves_nothing_between() external {
        uint256 out = _sell(_wbtc, _usdc, 1e8, Routes.whole(_bitcoinPath()));
        assertApproxEqRel(out, uint256(60_000e6) * 997 / 1_000 * 9_995 / 10_000, 0.02e18);
        assertEq(_usdc.balanceOf(_seller), out);
        assertEq(_weth.balanceOf(address(_venue)), 0);
        assertEq(_usdc.balanceOf(address(_venue)), 0);
    }

    function test_no_route_brings_more_than_spot(uint256 amount, uint16 weight, uint256 price, bool split) external {
        amount = bound(amount, 10, 20e8);
        weight = uint16(bound(weight, 1, 9_999));
        _pools.moveTo(_weth, _usdc, 3_000, bound(price, 1_000e18, 4_000e18));
        bytes memory other = abi.encodePacked(_wbtc, uint24(3_000), _weth, uint24(3_000), _usdc);
        bytes memory data = split ? Routes.split(weight, _bitcoinPath(), other) : Routes.whole(_bitcoinPath());
        uint256 spot = _venue.amountOutAtSpot(address(_wbtc), address(_usdc), amount, data);
        assertLe(_sell(_wbtc, _usdc, amount, data), spot);
    }

    // ------------------------------------------------------------------ bounds

    function test_bounds_are_the_mean_prices_of_worst_and_best_path() external {
        _pools.moveTo(_weth, _usdc, 3_000, 1_940e18);
        skip(WINDOW);
        bytes memory data = Routes.split(5_000, _hop(_weth, 500, _usdc), _hop(_weth, 3_000, _usdc));
        (uint256 lowest, uint256 highest) = _venue.priceBounds(address(_weth), address(_usdc), 1e18, data, WINDOW);
        assertApproxEqRel(lowest, 1_940e6, 0.0002e18);
        assertApproxEqRel(highest, 2_000e6, 0.0002e18);
        data = Routes.direct(address(_usdc), 500, address(_weth));
        (lowest, highest) = _venue.priceBounds(address(_usdc), address(_weth), 2_000e6, data, WINDOW);
        assertApproxEqRel(lowest, 1e18, 0.0002e18);
        assertEq(lowest, highest);
    }

    function test_a_price_of_this_block_does_not_move_the_bounds() external {
        _remember(500);
        skip(WINDOW);
        bytes memory data = Routes.whole(_bitcoinPath());
        (uint256 before,) = _venue.priceBounds(address(_wbtc), address(_usdc), 1e8, data, WINDOW);
        _pools.moveTo(_weth, _usdc, 500, 1_000e18);
        (uint256 lowest, uint256 highest) = _venue.priceBounds(address(_wbtc), address(_usdc), 1e8, data, WINDOW);
        assertEq(lowest, before);
        assertEq(highest, before);
        assertApproxEqRel(before, 60_000e6, 0.0003e18);
    }

    function test_the_mean_weighs_by_time() external {
        _remember(500);
        skip(WINDOW);
        _pools.moveTo(_weth, _usdc, 500, 1_000e18);
        skip(WINDOW / 2);
        (uint256 mean,) = _venue.priceBounds(
            address(_weth), address(_usdc), 1e18, Routes.direct(address(_weth), 500, address(_usdc)), WINDOW
        );
        assertApproxEqRel(mean, 1_414.2e6, 0.001e18, "the geometric mean of 2,000 and 1,000");
    }

    function test_a_record_that_is_too_short_is_refused() external {
        address pool = _pools.factory().getPool(address(_weth), address(_usdc), 500);
        bytes memory data = Routes.direct(address(_weth), 500, address(_usdc));
        skip(WINDOW - 1);
        vm.expectRevert(abi.encodeWithSelector(IVenue.HistoryMissing.selector, pool, WINDOW));
        _venue.priceBounds(address(_weth), address(_usdc), 1e18, data, WINDOW);
        vm.expectRevert(abi.encodeWithSelector(IVenue.HistoryMissing.selector, pool, 0));
        _venue.priceBounds(address(_weth), address(_usdc), 1e18, data, 0);
    }

    function test_a_caller_cannot_blind_the_venue_by_sparing_gas() external {
        skip(WINDOW);
        bytes memory data = Routes.direct(address(_weth), 500, address(_usdc));
        bytes memory call = abi.encodeCall(_venue.priceBounds, (address(_weth), address(_usdc), 1e18, data, WINDOW));
        for (uint256 gas_ = 5_000; gas_ < 60_000; gas_ += 1_000) {
            (bool success, bytes memory answer) = address(_venue).staticcall{gas: gas_}(call);
            if (success || answer.length == 0) continue;
            assertEq(bytes32(bytes4(answer)), bytes32(UniswapV3History.PoolUnreadable.selector), "starved");
        }
    }

    // ------------------------------------------------------------------ routes that are none

    function _refuses(bytes memory data, bytes32 reason) private {
        bytes memory refusal =
            abi.encodeWithSelector(IVenue.RouteInvalid.selector, address(_weth), address(_usdc), reason);
        vm.expectRevert(refusal);
        _venue.amountOutAtSpot(address(_weth), address(_usdc), 1e18, data);
        vm.expectRevert(refusal);
        _venue.swap(address(_weth), address(_usdc), 1e18, 0, _seller, data);
        vm.expectRevert(refusal);
        _venue.priceBounds(address(_weth), address(_usdc), 1e18, data, WINDOW);
    }

    function test_weights_must_add_up_to_one_and_none_be_zero() external {
        bytes memory path = _hop(_weth, 500, _usdc);
        UniswapV3Path.Part[] memory parts = new UniswapV3Path.Part[](0);
        _refuses(abi.encode(parts), "weight");
        parts = new UniswapV3Path.Part[](1);
        parts[0] = UniswapV3Path.Part(9_999, path);
        _refuses(abi.encode(parts), "weight");
        parts[0] = UniswapV3Path.Part(10_001, path);
        _refuses(abi.encode(parts), "weight");
        _refuses(Routes.split(10_000, path, path), "weight");
    }

    function test_a_path_must_have_one_or_two_pools() external {
        _refuses(Routes.whole(""), "length");
        _refuses(Routes.whole(abi.encodePacked(_weth)), "length");
        _refuses(Routes.whole(abi.encodePacked(_weth, uint24(500), _usdc, uint24(500))), "length");
        _refuses(
            Routes.whole(abi.encodePacked(_weth, uint24(500), _wbtc, uint24(500), _seller, uint24(500), _usdc)),
            "length"
        );
    }

    function test_a_path_must_lead_from_what_is_sold_to_what_is_bought() external {
        _refuses(Routes.whole(_hop(_usdc, 500, _weth)), "ends");
        _refuses(Routes.whole(_hop(_weth, 500, _wbtc)), "ends");
        _refuses(Routes.whole(_bitcoinPath()), "ends");
        _refuses(Routes.whole(abi.encodePacked(_weth, uint24(500), _usdc, uint24(500), _usdc)), "token between");
        _refuses(Routes.whole(abi.encodePacked(_weth, uint24(500), _weth, uint24(500), _usdc)), "token between");
    }

    function test_what_does_not_decode_is_refused() external {
        vm.expectRevert();
        _venue.amountOutAtSpot(address(_weth), address(_usdc), 1e18, "");
        vm.expectRevert();
        _venue.amountOutAtSpot(address(_weth), address(_usdc), 1e18, abi.encode(uint24(500)));
        vm.expectRevert();
        _venue.amountOutAtSpot(address(_weth), address(_usdc), 1e18, new bytes(96));
    }

    // ------------------------------------------------------------------ arithmetic

    function test_a_quote_at_a_tick_agrees_with_a_pool_at_its_price(uint256 price) external {
        price = bound(price, 1e15, 1e24); // from a thousandth to a million
        _pools.moveTo(_weth, _usdc, 500, price);
        IUniswapV3Pool pool = IUniswapV3Pool(_pools.factory().getPool(address(_weth), address(_usdc), 500));
        (, int24 tick,,,,,) = pool.slot0();
        uint256 quote = UniswapV3History.quoteDown(1e24, tick, address(_weth) < address(_usdc));
        uint256 real = price * 1e6 / 1e12; // units of USDC for 1e24 units of WETH
        assertApproxEqRel(quote, real, 0.000101e18, "within one tick");
    }
}

/// @title What is read of a pool's record
contract UniswapV3HistoryTest is Test {
    address private immutable _pool = makeAddr("pool");

    function meanTick(uint32 window) external view returns (bool known, int24 tick) {
        return UniswapV3History.meanTick(_pool, window);
    }

    function liquidityAndPrice(uint32 window, uint32 recent)
        external
        view
        returns (bool known, uint256 liquidity, int256 logPrice)
    {
        return UniswapV3History.liquidityAndPrice(_pool, window, recent);
    }

    /// @dev Lets the pool's sums of ticks, and of seconds per liquidity, stand at these.
    function _says(int56[] memory ticks, uint160[] memory seconds_) private {
        vm.etch(_pool, hex"00");
        vm.mockCall(_pool, abi.encodePacked(IUniswapV3Pool(_pool).observe.selector), abi.encode(ticks, seconds_));
    }

    function test_the_mean_tick_is_rounded_towards_minus_infinity() external {
        int24[6] memory expected = [int24(-2), -1, -1, 0, 0, 1];
        int56[6] memory sums = [int56(-181), -180, -1, 0, 179, 180];
        int56[] memory ticks = new int56[](2);
        for (uint256 i = 0; i < sums.length; ++i) {
            ticks[1] = sums[i];
            _says(ticks, new uint160[](2));
            (bool known, int24 tick) = this.meanTick(180);
            assertTrue(known);
            assertEq(int256(tick), int256(expected[i]));
        }
    }

    function test_the_mean_liquidity_is_rounded_down_and_sums_may_wrap_around() external {
        uint160 last = type(uint160).max;
        assertEq(_liquidity(last - 1, uint160(1_800 << 128) / 7 - 1), 6, "a hair below 7"); // window / 7, and a unit
        assertEq(_liquidity(last, uint160(1_800 << 128) / 8 - 1), 8);
    }

    function _liquidity(uint160 from, uint160 to) private returns (uint256 liquidity) {
        uint160[] memory sums = new uint160[](3);
        (sums[0], sums[1], sums[2]) = (from, 7, to);
        _says(new int56[](3), sums);
        (, liquidity,) = this.liquidityAndPrice(1_800, 180);
    }

    function test_the_mean_price_is_of_the_recent_part_alone_and_not_rounded_to_ticks() external {
        int56[] memory ticks = new int56[](3);
        (ticks[0], ticks[1], ticks[2]) = (5_000_000, 1_000_000, 1_000_090);
        uint160[] memory sums = new uint160[](3);
        sums[2] = 1;
        _says(ticks, sums);
        (,, int256 logPrice) = this.liquidityAndPrice(1_800, 180);
        assertEq(logPrice, 49_997_500_166_654, "half a tick");
        vm.expectCall(_pool, abi.encodeCall(IUniswapV3Pool(_pool).observe, (_ago(1_800, 180))));
        this.liquidityAndPrice(1_800, 180);
    }

    function _ago(uint32 window, uint32 recent) private pure returns (uint32[] memory ago) {
        ago = new uint32[](3);
        (ago[0], ago[1]) = (window, recent);
    }

    function test_a_pool_that_says_why_is_unknown_and_one_that_says_nothing_is_unreadable() external {
        vm.etch(_pool, hex"00");
        vm.mockCallRevert(
            _pool, abi.encodePacked(IUniswapV3Pool(_pool).observe.selector), abi.encodeWithSignature("E()")
        );
        (bool known,) = this.meanTick(180);
        assertFalse(known);
        (known,,) = this.liquidityAndPrice(1_800, 180);
        assertFalse(known);
        vm.clearMockedCalls();
        vm.etch(_pool, hex"5f5ffd"); // reverts with nothing, as where gas runs out
        vm.expectRevert(abi.encodeWithSelector(UniswapV3History.PoolUnreadable.selector, _pool));
        this.meanTick(180);
        vm.expectRevert(abi.encodeWithSelector(UniswapV3History.PoolUnreadable.selector, _pool));
        this.liquidityAndPrice(1_800, 180);
    }
}

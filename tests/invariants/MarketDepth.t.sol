// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IUniswapV3Factory} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Factory.sol";
import {IUniswapV3Pool} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Pool.sol";

import {IMarketDepth} from "../../contracts/interfaces/IMarketDepth.sol";
import {DepthMath} from "../../contracts/libraries/DepthMath.sol";
import {FaucetToken} from "../../contracts/mocks/FaucetToken.sol";
import {Test} from "../support/forge/Test.sol";
import {UniswapV3Pools} from "../support/forge/UniswapV3Pools.sol";

/// @title What a clearing house and its oracle say of three assets
contract Listing {
    FaucetToken[3] private _tokens;
    mapping(address token => uint256) public price;

    constructor(FaucetToken[3] memory tokens) {
        _tokens = tokens;
    }

    function setPrice(FaucetToken token, uint256 price_) external {
        price[address(token)] = price_;
    }

    function oracle() external view returns (address) {
        return address(this);
    }

    function asset(uint8 assetId) external view returns (address token, uint8 decimals) {
        return (address(_tokens[assetId]), _tokens[assetId].decimals());
    }
}

/// @title Depth against what really moves real pools
abstract contract MarketDepthFixture is Test {
    uint8 internal constant WETH = 0;
    uint8 internal constant WBTC = 1;
    uint8 internal constant SELL = 0;
    uint8 internal constant BUY = 1;
    uint24 internal constant ALMOST_FREE = 1; // a fee of one millionth
    uint32 internal constant WINDOW = 30 minutes;

    UniswapV3Pools internal pools;
    Listing internal listing;
    IMarketDepth internal market;
    FaucetToken internal weth;
    FaucetToken internal wbtc;
    FaucetToken internal usdc;

    function setUp() public virtual {
        vm.warp(1_700_000_000);
        pools = new UniswapV3Pools();
        IUniswapV3Factory factory = pools.factory();
        vm.prank(factory.owner());
        factory.enableFeeAmount(ALMOST_FREE, 60);
        weth = new FaucetToken("WETH", "WETH", 18);
        wbtc = new FaucetToken("WBTC", "WBTC", 8);
        usdc = new FaucetToken("USDC", "USDC", 6);
        listing = new Listing([weth, wbtc, usdc]);
        _price(2_000e18, 60_000e18);
        address manager = address(new AccessManager(address(this)));
        bytes memory arguments = abi.encode(manager, address(listing), address(pools.factory()));
        market = IMarketDepth(vm.deployCode("MarketDepth.sol:MarketDepth", arguments));
    }

    function _price(uint256 ether_, uint256 bitcoin) internal {
        listing.setPrice(weth, ether_);
        listing.setPrice(wbtc, bitcoin);
        listing.setPrice(usdc, 1e18);
    }

    function _pool(FaucetToken base, FaucetToken quote, uint24 feePips, uint256 price, uint256 depth)
        internal
        returns (address pool)
    {
        IUniswapV3Pool created = pools.create(base, quote, feePips, price, depth);
        created.increaseObservationCardinalityNext(60);
        return address(created);
    }

    function _set(uint8 assetId, address first, address second) internal {
        IMarketDepth.Path[] memory paths = new IMarketDepth.Path[](1);
        paths[0] = IMarketDepth.Path(first, second);
        market.setPaths(assetId, paths);
    }
}

/// @title Depth is what a sale of that size really moves
contract MarketDepthTest is MarketDepthFixture {
    // ------------------------------------------------------------------ against the real pool

    function test_depth_is_what_moves_the_pool_so_far(uint256 price, uint256 whole, uint256 bps, bool sold) external {
        price = bound(price, 10e18, 100_000e18);
        whole = bound(whole, 10_000, 1_000_000_000);
        bps = bound(bps, 10, 2_000);
        _price(price, 60_000e18);
        address pool = _pool(weth, usdc, ALMOST_FREE, price, whole);
        _set(WETH, pool, address(0));
        skip(WINDOW);
        uint256 depth = market.depth(WETH, sold ? SELL : BUY, bps);
        uint256 before = weth.balanceOf(pool);
        pools.moveTo(weth, usdc, ALMOST_FREE, price * (sold ? 10_000 - bps : 10_000 + bps) / 10_000);
        uint256 moved = sold ? weth.balanceOf(pool) - before : before - weth.balanceOf(pool);
        assertApproxEqRel(depth, moved * price / 1e18, 0.000002e18);
    }

    function test_depth_leaves_fees_out() external {
        address pool = _pool(weth, usdc, 10_000, 2_000e18, 10_000_000);
        _set(WETH, pool, address(0));
        skip(WINDOW);
        uint256 depth = market.depth(WETH, SELL, 200);
        uint256 before = weth.balanceOf(pool);
        pools.moveTo(weth, usdc, 10_000, 1_960e18);
        uint256 sold = (weth.balanceOf(pool) - before) * 2_000;
        assertApproxEqRel(depth, sold * 99 / 100, 0.000001e18);
    }

    function test_pools_side_by_side_add_up() external {
        IMarketDepth.Path[] memory paths = new IMarketDepth.Path[](2);
        paths[0] = IMarketDepth.Path(_pool(weth, usdc, 500, 2_000e18, 10_000_000), address(0));
        paths[1] = IMarketDepth.Path(_pool(weth, usdc, 3_000, 2_000e18, 5_000_000), address(0));
        market.setPaths(WETH, paths);
        skip(WINDOW);
        assertApproxEqRel(market.virtualDepth(WETH), 15_000_000e18, 1e10);
        assertApproxEqRel(market.depth(WETH, SELL, 200), 15_000_000e18 * (1.010152544552210749e18 - 1e18) / 1e18, 1e12);
    }

    function test_two_pools_one_behind_the_other_move_together(uint256 bitcoinDepth, uint256 bps, bool sold) external {
        bitcoinDepth = bound(bitcoinDepth, 300, 300_000); // in ether
        bps = bound(bps, 10, 1_000);
        address first = _pool(wbtc, weth, ALMOST_FREE, 30e18, bitcoinDepth);
        address second = _pool(weth, usdc, ALMOST_FREE, 2_000e18, 20_000_000);
        _set(WBTC, first, second);
        skip(WINDOW);
        uint256 amount = market.depth(WBTC, sold ? SELL : BUY, bps) * 1e8 / 60_000e18;
        uint256 before = _product(first, second);
        if (sold) _trade(second, weth, _trade(first, wbtc, int256(amount)));
        else _buyBitcoin(first, second, int256(amount));
        uint256 afterwards = _product(first, second);
        uint256 expected = before * (sold ? 10_000 - bps : 10_000 + bps) / 10_000;
        assertApproxEqRel(afterwards, expected, 0.00003e18);
    }

    /// @dev Trades `amount` in, or out where negative; returns the other side.
    function _trade(address pool, FaucetToken tokenIn, int256 amount) private returns (int256) {
        bool zeroForOne = address(tokenIn) == IUniswapV3Pool(pool).token0();
        uint160 limit = zeroForOne ? 4295128740 : 1461446703485210103287273052203988822378723970341;
        vm.prank(address(pools));
        (int256 amount0, int256 amount1) = IUniswapV3Pool(pool).swap(address(pools), zeroForOne, amount, limit, "");
        return amount > 0 ? -(zeroForOne ? amount1 : amount0) : (zeroForOne ? amount0 : amount1);
    }

    /// @dev Buys first the ether that the bitcoin will cost, then the bitcoin.
    function _buyBitcoin(address first, address second, int256 amount) private {
        uint256 snapshot = vm.snapshotState();
        int256 cost = _trade(first, weth, -amount);
        vm.revertToState(snapshot);
        _trade(second, usdc, -cost);
        _trade(first, weth, -amount);
    }

    /// @dev Dollars per bitcoin by the two pools' prices of the moment.
    function _product(address first, address second) private view returns (uint256) {
        return _spot(first, address(wbtc)) * _spot(second, address(weth)) / 1e18;
    }

    function _spot(address pool, address base) private view returns (uint256) {
        (uint160 root,,,,,,) = IUniswapV3Pool(pool).slot0();
        uint256 square = uint256(root) * root / 2 ** 96;
        bool forward = base == IUniswapV3Pool(pool).token0();
        return forward ? square * 1e28 / 2 ** 96 : 1e28 * 2 ** 96 / square;
    }

    // ------------------------------------------------------------------ time

    function test_liquidity_that_comes_and_goes_in_a_block_leaves_no_trace() external {
        IUniswapV3Pool pool = IUniswapV3Pool(_pool(weth, usdc, 500, 2_000e18, 10_000_000));
        _set(WETH, address(pool), address(0));
        skip(WINDOW);
        uint256 before = market.depth(WETH, SELL, 200);
        uint128 present = pool.liquidity();
        pools.provide(pool, 1_000 * present);
        assertEq(market.depth(WETH, SELL, 200), before, "while it is there");
        pools.remove(pool, 1_000 * present);
        pools.remove(pool, present - 1);
        assertEq(market.depth(WETH, SELL, 200), before, "while all is gone");
        pools.provide(pool, present - 1);
        skip(12);
        assertEq(market.depth(WETH, SELL, 200), before, "and in the next block");
    }

    function test_a_price_moved_in_a_block_changes_nothing() external {
        address pool = _pool(weth, usdc, 500, 2_000e18, 10_000_000);
        _set(WETH, pool, address(0));
        skip(WINDOW);
        uint256 before = market.depth(WETH, SELL, 200);
        pools.moveTo(weth, usdc, 500, 1_000e18);
        assertEq(market.depth(WETH, SELL, 200), before);
    }

    function test_liquidity_of_one_block_adds_less_than_its_share_of_time() external {
        IUniswapV3Pool pool = IUniswapV3Pool(_pool(weth, usdc, 500, 2_000e18, 10_000_000));
        _set(WETH, address(pool), address(0));
        skip(WINDOW);
        uint256 before = market.virtualDepth(WETH);
        uint128 present = pool.liquidity();
        pools.provide(pool, 1_000_000 * present);
        skip(12);
        pools.remove(pool, 1_000_000 * present);
        uint256 afterwards = market.virtualDepth(WETH);
        assertGt(afterwards, before);
        assertLe(afterwards, before * WINDOW / (WINDOW - 12));
    }

    function test_one_block_of_withdrawn_liquidity_collapses_the_mean() external {
        IUniswapV3Pool pool = IUniswapV3Pool(_pool(weth, usdc, 500, 2_000e18, 10_000_000));
        _set(WETH, address(pool), address(0));
        skip(WINDOW);
        uint256 before = market.virtualDepth(WETH);
        uint128 present = pool.liquidity();
        pools.remove(pool, present * 999 / 1_000);
        skip(12);
        pools.provide(pool, present * 999 / 1_000);
        // 12 s at a thousandth weigh as 12,000 s: hence a smallest capacity above zero
        assertApproxEqRel(market.virtualDepth(WETH), before * WINDOW / (WINDOW - 12 + 12_000), 0.001e18);
        skip(WINDOW);
        assertApproxEqRel(market.virtualDepth(WETH), before, 1e12, "forgotten after a window");
    }

    function test_the_mean_is_harmonic_in_time(uint256 factor, uint256 elapsed) external {
        factor = bound(factor, 2, 1_000);
        elapsed = bound(elapsed, 12, WINDOW - 12);
        IUniswapV3Pool pool = IUniswapV3Pool(_pool(weth, usdc, 500, 2_000e18, 10_000_000));
        _set(WETH, address(pool), address(0));
        skip(WINDOW);
        uint256 before = market.virtualDepth(WETH);
        pools.provide(pool, uint128((factor - 1) * pool.liquidity()));
        skip(elapsed);
        uint256 expected = before * WINDOW * factor / (factor * (WINDOW - elapsed) + elapsed);
        assertApproxEqRel(market.virtualDepth(WETH), expected, 1e10);
    }

    // ------------------------------------------------------------------ what pools paid of late

    function _mean(uint8 assetId) private view returns (uint256 meanPrice) {
        (,, meanPrice) = market.survey(assetId, 200);
    }

    function test_a_survey_is_both_depths_and_the_mean_price() external {
        _set(WETH, _pool(weth, usdc, 500, 2_020e18, 10_000_000), address(0));
        skip(WINDOW);
        (uint256 sold, uint256 bought, uint256 meanPrice) = market.survey(WETH, 200);
        assertEq(sold, market.depth(WETH, SELL, 200));
        assertEq(bought, market.depth(WETH, BUY, 200));
        assertApproxEqRel(meanPrice, 2_020e18, 0.0001e18, "to a tick");
        vm.expectRevert(abi.encodeWithSelector(IMarketDepth.MoveOutOfBounds.selector, 0));
        market.survey(WETH, 0);
    }

    function test_the_mean_price_is_the_pools_whatever_the_order_of_tokens(uint256 price, uint256 off) external {
        price = bound(price, 1e18, 100_000e18);
        off = bound(off, 9_800, 10_200);
        listing.setPrice(weth, price);
        listing.setPrice(wbtc, 1e18);
        _set(WETH, _pool(weth, wbtc, 500, price * off / 10_000, 10_000_000), address(0));
        _set(WBTC, _pool(wbtc, weth, 3_000, 1e36 / (price * off / 10_000), 10_000_000), address(0));
        skip(WINDOW);
        assertApproxEqRel(_mean(WETH), price * off / 10_000, 0.0001e18);
        assertApproxEqRel(_mean(WBTC), 1e18 * 10_000 / off, 0.0001e18);
    }

    function test_two_pools_one_behind_the_other_pay_the_product() external {
        address first = _pool(wbtc, weth, 500, 30.3e18, 10_000);
        _set(WBTC, first, _pool(weth, usdc, 500, 2_010e18, 20_000_000));
        skip(WINDOW);
        assertApproxEqRel(_mean(WBTC), 60_000e18 * 1.01 * 1.005, 0.0002e18);
    }

    function test_pools_weigh_by_their_depth() external {
        IMarketDepth.Path[] memory paths = new IMarketDepth.Path[](2);
        paths[0] = IMarketDepth.Path(_pool(weth, usdc, 500, 2_020e18, 30_000_000), address(0));
        paths[1] = IMarketDepth.Path(_pool(weth, usdc, 3_000, 2_000e18, 10_000_000), address(0));
        market.setPaths(WETH, paths);
        skip(WINDOW);
        assertApproxEqRel(_mean(WETH), 2_015e18, 0.0001e18);
    }

    /// @dev Liquidity beside the price is no depth at it: a pool without any in range cannot speak for the market.
    function test_a_pool_without_depth_does_not_count() external {
        IUniswapV3Pool thin = IUniswapV3Pool(_pool(weth, usdc, 3_000, 2_050e18, 10_000_000));
        IMarketDepth.Path[] memory paths = new IMarketDepth.Path[](2);
        paths[0] = IMarketDepth.Path(_pool(weth, usdc, 500, 2_000e18, 10_000_000), address(0));
        paths[1] = IMarketDepth.Path(address(thin), address(0));
        market.setPaths(WETH, paths);
        pools.remove(thin, thin.liquidity());
        skip(WINDOW);
        assertApproxEqRel(_mean(WETH), 2_000e18, 0.0001e18);
    }

    /// @dev A pool that nobody trades in moves the mean by 3 % of its share of the depth, whatever it says.
    function test_a_dead_pool_moves_the_mean_by_a_bounded_part() external {
        IMarketDepth.Path[] memory paths = new IMarketDepth.Path[](2);
        paths[0] = IMarketDepth.Path(_pool(weth, usdc, 500, 2_000e18, 30_000_000), address(0));
        paths[1] = IMarketDepth.Path(_pool(weth, usdc, 3_000, 20e18, 10_000_000), address(0));
        market.setPaths(WETH, paths);
        skip(WINDOW);
        uint256 least = 2_000e18 * 0.97;
        assertGe(_mean(WETH), least);
        assertLe(_mean(WETH), 2_000e18);
    }

    function test_the_mean_is_of_three_minutes() external {
        _set(WETH, _pool(weth, usdc, 500, 2_000e18, 10_000_000), address(0));
        skip(WINDOW);
        pools.moveTo(weth, usdc, 500, 2_020e18);
        skip(90);
        assertApproxEqRel(_mean(WETH), 2_010e18, 0.0001e18);
        skip(90);
        assertApproxEqRel(_mean(WETH), 2_020e18, 0.0001e18);
    }

    function test_a_price_moved_in_a_block_moves_no_mean(uint256 price) external {
        _set(WETH, _pool(weth, usdc, 500, 2_000e18, 10_000_000), address(0));
        skip(WINDOW);
        uint256 before = _mean(WETH);
        pools.moveTo(weth, usdc, 500, bound(price, 500e18, 8_000e18));
        assertEq(_mean(WETH), before, "while it is moved");
        pools.moveTo(weth, usdc, 500, 2_000e18);
        skip(12);
        assertApproxEqRel(_mean(WETH), before, 0.00001e18, "and when it is back");
    }

    /// @dev Who holds a price 30 % up for a block of 12 seconds lifts the mean by less than 1.8 %: a fifteenth, in
    /// logarithms.
    function test_a_price_held_for_a_block_counts_for_its_share_of_time() external {
        _set(WETH, _pool(weth, usdc, 500, 2_000e18, 10_000_000), address(0));
        skip(WINDOW);
        pools.moveTo(weth, usdc, 500, 2_600e18);
        skip(12);
        pools.moveTo(weth, usdc, 500, 2_000e18);
        assertGt(_mean(WETH), 2_000e18 * 1.017);
        assertLt(_mean(WETH), 2_000e18 * 1.018);
    }

    function test_without_a_record_no_price_is_known() external {
        _set(WETH, _pool(weth, usdc, 500, 2_000e18, 10_000_000), address(0));
        skip(WINDOW - 1);
        (uint256 sold, uint256 bought, uint256 meanPrice) = market.survey(WETH, 200);
        assertEq(sold + bought + meanPrice, 0);
    }

    // ------------------------------------------------------------------ records that are short, pools that are mute

    function test_a_pool_without_a_long_record_counts_nothing() external {
        _set(WETH, _pool(weth, usdc, 500, 2_000e18, 10_000_000), address(0));
        skip(WINDOW - 1);
        assertEq(market.depth(WETH, SELL, 200), 0);
        skip(1);
        assertGt(market.depth(WETH, SELL, 200), 0);
    }

    function test_a_path_with_one_short_record_counts_nothing() external {
        address first = _pool(wbtc, weth, 3_000, 30e18, 5_000);
        skip(WINDOW);
        _set(WBTC, first, _pool(weth, usdc, 500, 2_000e18, 10_000_000));
        assertEq(market.virtualDepth(WBTC), 0);
    }

    function test_a_caller_cannot_make_a_pool_count_nothing_by_sparing_gas() external {
        _set(WETH, _pool(weth, usdc, 500, 2_000e18, 10_000_000), address(0));
        skip(WINDOW);
        bytes memory call = abi.encodeCall(market.virtualDepth, (WETH));
        for (uint256 gas_ = 10_000; gas_ < 80_000; gas_ += 500) {
            (bool success, bytes memory answer) = address(market).staticcall{gas: gas_}(call);
            if (success) assertGt(abi.decode(answer, (uint256)), 0);
        }
    }

    function test_a_price_that_is_refused_refuses_depth() external {
        _set(WETH, _pool(weth, usdc, 500, 2_000e18, 10_000_000), address(0));
        skip(WINDOW);
        vm.mockCallRevert(address(listing), abi.encodeCall(listing.price, (address(usdc))), "stale");
        vm.expectRevert("stale");
        market.depth(WETH, SELL, 200);
    }

    // ------------------------------------------------------------------ bounds

    function test_an_asset_without_paths_has_no_depth() external {
        vm.expectRevert(abi.encodeWithSelector(IMarketDepth.PathsMissing.selector, WETH));
        market.depth(WETH, SELL, 200);
    }

    function test_a_move_of_nothing_or_everything_is_refused() external {
        vm.expectRevert(abi.encodeWithSelector(IMarketDepth.MoveOutOfBounds.selector, 0));
        market.depth(WETH, SELL, 0);
        vm.expectRevert(abi.encodeWithSelector(IMarketDepth.MoveOutOfBounds.selector, 10_000));
        market.depth(WETH, SELL, 10_000);
    }
}

/// @title What may be set, and what is refused
contract MarketDepthSettingsTest is MarketDepthFixture {
    address private _direct;
    address private _bitcoin;

    function setUp() public override {
        super.setUp();
        _direct = _pool(weth, usdc, 500, 2_000e18, 10_000_000);
        _bitcoin = _pool(wbtc, weth, 3_000, 30e18, 5_000);
    }

    function _refused(uint8 assetId, uint256 index, IMarketDepth.Path[] memory paths, bytes32 reason) private {
        vm.expectRevert(abi.encodeWithSelector(IMarketDepth.PathRefused.selector, assetId, index, reason));
        market.setPaths(assetId, paths);
    }

    function _one(address first, address second) private pure returns (IMarketDepth.Path[] memory paths) {
        paths = new IMarketDepth.Path[](1);
        paths[0] = IMarketDepth.Path(first, second);
    }

    function _two(address first, address second, address third, address fourth)
        private
        pure
        returns (IMarketDepth.Path[] memory paths)
    {
        paths = new IMarketDepth.Path[](2);
        paths[0] = IMarketDepth.Path(first, second);
        paths[1] = IMarketDepth.Path(third, fourth);
    }

    function test_paths_are_set_announced_and_replaced() external {
        vm.expectEmit(address(market));
        emit IMarketDepth.PathsSet(WBTC, _one(_bitcoin, _direct));
        market.setPaths(WBTC, _one(_bitcoin, _direct));
        assertEq(abi.encode(market.paths(WBTC)), abi.encode(_one(_bitcoin, _direct)));
        market.setPaths(WBTC, new IMarketDepth.Path[](0));
        assertEq(market.paths(WBTC).length, 0);
    }

    function test_a_path_that_is_none_is_refused() external {
        _refused(WETH, 0, _one(makeAddr("nobody"), address(0)), "no pool");
        _refused(WETH, 0, _one(address(0), address(0)), "no pool");
        _refused(WBTC, 0, _one(_direct, address(0)), "other assets");
        _refused(WETH, 0, _one(_direct, _bitcoin), "other assets");
        _refused(WETH, 0, _one(_direct, _direct), "circle");
        _refused(WETH, 0, _one(_bitcoin, _bitcoin), "circle");
    }

    function test_a_pool_of_another_factory_is_refused() external {
        address stranger = address(new UniswapV3Pools().create(weth, usdc, 500, 2_000e18, 10_000_000));
        _refused(WETH, 0, _one(stranger, address(0)), "factory");
    }

    function test_a_pool_counts_once() external {
        address cheap = _pool(wbtc, weth, 500, 30e18, 5_000);
        _refused(WETH, 1, _two(_direct, address(0), _direct, address(0)), "used twice");
        _refused(WBTC, 1, _two(_bitcoin, _direct, cheap, _direct), "used twice");
        _refused(WETH, 1, _two(_direct, address(0), _bitcoin, _direct), "used twice");
        market.setPaths(WBTC, _two(_bitcoin, address(0), cheap, _direct));
    }

    function test_a_fifth_path_is_refused() external {
        _refused(WETH, 4, new IMarketDepth.Path[](5), "too many");
    }

    function test_the_window_has_bounds() external {
        vm.expectEmit(address(market));
        emit IMarketDepth.WindowSet(5 minutes);
        market.setWindow(5 minutes);
        assertEq(uint256(market.window()), 5 minutes);
        vm.expectPartialRevert(IMarketDepth.WindowOutOfBounds.selector);
        market.setWindow(5 minutes - 1);
        vm.expectPartialRevert(IMarketDepth.WindowOutOfBounds.selector);
        market.setWindow(4 hours + 1);
    }

    function test_only_the_authority_lets_anyone_set_anything() external {
        address stranger = makeAddr("stranger");
        bytes memory refusal = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, stranger);
        vm.startPrank(stranger);
        vm.expectRevert(refusal);
        market.setPaths(WETH, _one(_direct, address(0)));
        vm.expectRevert(refusal);
        market.setWindow(10 minutes);
        vm.stopPrank();
    }
}

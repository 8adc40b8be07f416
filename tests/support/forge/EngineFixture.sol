// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IUniswapV3Factory} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Factory.sol";
import {IUniswapV3Pool} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Pool.sol";

import {IClearingHouse} from "../../../contracts/interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../../contracts/interfaces/ILiquidationEngine.sol";
import {IPriceOracle} from "../../../contracts/interfaces/IPriceOracle.sol";
import {IVenue} from "../../../contracts/interfaces/IVenue.sol";
import {Parameters} from "../../../contracts/libraries/Parameters.sol";
import {FaucetToken} from "../../../contracts/mocks/FaucetToken.sol";
import {MockAggregator} from "../../../contracts/mocks/MockAggregator.sol";
import {Routes} from "./Routes.sol";
import {Test} from "./Test.sol";
import {UniswapV3Pools} from "./UniswapV3Pools.sol";
import {Vm} from "./Vm.sol";

/// @title The whole system with three assets, and real Uniswap V3 pools
/// @notice WETH at 2,000, WBTC at 60,000, USDC at 1; pools of WETH and WBTC against USDC at the oracle price.
abstract contract EngineFixture is Test {
    uint8 internal constant WETH = 0;
    uint8 internal constant WBTC = 1;
    uint8 internal constant USDC = 2;
    uint256 internal constant ONE_WETH = 1e18;
    uint256 internal constant ONE_WBTC = 1e8;
    uint256 internal constant ONE_USDC = 1e6;
    uint256 internal constant NO_LIMIT = type(uint256).max;
    uint24 internal constant FEE_PIPS = 500;

    AccessManager internal manager;
    IClearingHouse internal house;
    ILiquidationEngine internal engine;
    IPriceOracle internal oracle;
    IVenue internal venue;
    UniswapV3Pools internal pools;
    IUniswapV3Factory internal factory;
    FaucetToken[3] internal tokens;
    MockAggregator[3] internal feeds;

    address internal lender = makeAddr("lender");
    address internal borrower = makeAddr("borrower");
    address internal taker = makeAddr("taker");
    address internal keeper = makeAddr("keeper");

    function setUp() public virtual {
        vm.warp(1_700_000_000);
        vm.roll(1_000);
        manager = new AccessManager(address(this));
        oracle = IPriceOracle(vm.deployCode("PriceOracle.sol:PriceOracle", abi.encode(address(manager))));
        house = IClearingHouse(vm.deployCode("ClearingHouse.sol:ClearingHouse", abi.encode(address(manager))));
        engine = _newEngine();
        house.setOracle(address(oracle));
        house.setEngine(address(engine));
        _list(WETH, "WETH", 18, 2_000e8, _weth());
        _list(WBTC, "WBTC", 8, 60_000e8, _wbtc());
        _list(USDC, "USDC", 6, 1e8, _stable());
        pools = new UniswapV3Pools();
        factory = pools.factory();
        venue = IVenue(vm.deployCode("UniswapV3Venue.sol:UniswapV3Venue", abi.encode(address(factory))));
        engine.setVenue(address(venue), true);
        _supply(WETH, 10_000 * ONE_WETH);
        _supply(WBTC, 1_000 * ONE_WBTC);
        _supply(USDC, 50_000_000 * ONE_USDC);
        skip(12);
    }

    // ------------------------------------------------------------------ deployment

    /// @dev A liquidation engine of the house, with the modules that it forwards to.
    function _newEngine() internal returns (ILiquidationEngine) {
        bytes memory ofHouse = abi.encode(address(house));
        address auctions = vm.deployCode("EngineAuctions.sol:EngineAuctions", ofHouse);
        address routes = vm.deployCode("EngineRoutes.sol:EngineRoutes", ofHouse);
        address governance = vm.deployCode("EngineGovernance.sol:EngineGovernance", ofHouse);
        bytes memory arguments = abi.encode(address(manager), address(house), auctions, routes, governance);
        return ILiquidationEngine(vm.deployCode("LiquidationEngine.sol:LiquidationEngine", arguments));
    }

    function _list(
        uint8 assetId,
        string memory symbol,
        uint8 decimals,
        int256 answer,
        IClearingHouse.AssetParameters memory parameters
    ) private {
        FaucetToken token = new FaucetToken(symbol, symbol, decimals);
        tokens[assetId] = token;
        feeds[assetId] = new MockAggregator(8, symbol, address(this));
        _publish(assetId, answer);
        oracle.setFeed(address(token), IPriceOracle.Feed(address(feeds[assetId]), 1 days, 1, 1e16));
        house.listAsset(address(token), parameters, IClearingHouse.RateModel(0, 400, 6_000, 9_000));
    }

    function _weth() private pure returns (IClearingHouse.AssetParameters memory) {
        return
            _asset(
                Parameters.WETH_MAX_LTV_BPS, Parameters.WETH_LIQUIDATION_THRESHOLD_BPS, Parameters.WETH_DEBT_WEIGHT_BPS
            );
    }

    function _wbtc() private pure returns (IClearingHouse.AssetParameters memory) {
        return
            _asset(
                Parameters.WBTC_MAX_LTV_BPS, Parameters.WBTC_LIQUIDATION_THRESHOLD_BPS, Parameters.WBTC_DEBT_WEIGHT_BPS
            );
    }

    function _stable() private pure returns (IClearingHouse.AssetParameters memory) {
        return _asset(
            Parameters.STABLE_MAX_LTV_BPS,
            Parameters.STABLE_LIQUIDATION_THRESHOLD_BPS,
            Parameters.STABLE_DEBT_WEIGHT_BPS
        );
    }

    function _asset(uint16 maxLtv, uint16 threshold, uint16 weight)
        private
        pure
        returns (IClearingHouse.AssetParameters memory)
    {
        uint128 cap = type(uint120).max;
        return IClearingHouse.AssetParameters(maxLtv, threshold, weight, Parameters.RESERVE_FACTOR_BPS, cap, cap, cap);
    }

    // ------------------------------------------------------------------ the world

    /// @dev A new oracle price, in feed units of 1e-8, observed now.
    function _publish(uint8 assetId, int256 answer) internal {
        feeds[assetId].publish(answer, vm.getBlockTimestamp());
    }

    function _supply(uint8 assetId, uint256 amount) internal {
        _fund(lender, assetId, amount);
        vm.prank(lender);
        house.supply(assetId, amount, lender);
    }

    /// @dev Mints tokens and lets the house pull them.
    function _fund(address who, uint8 assetId, uint256 amount) internal {
        tokens[assetId].mint(who, amount);
        vm.prank(who);
        tokens[assetId].approve(address(house), type(uint256).max);
    }

    function _deposit(address account, uint8 assetId, uint256 amount) internal {
        _fund(account, assetId, amount);
        vm.prank(account);
        house.depositCollateral(assetId, amount, account);
    }

    function _borrow(address account, uint8 assetId, uint256 amount) internal {
        vm.prank(account);
        house.borrow(assetId, amount, account, account);
    }

    /// @dev 10 WETH against 15,900 USDC: one step of price from liquidation, out of the cool-off.
    function _openLong() internal {
        _deposit(borrower, WETH, 10 * ONE_WETH);
        _borrow(borrower, USDC, 15_900 * ONE_USDC);
        skip(12);
    }

    /// @dev 20,000 USDC against 8 WETH: a short.
    function _openShort() internal {
        _deposit(borrower, USDC, 20_000 * ONE_USDC);
        _borrow(borrower, WETH, 8 * ONE_WETH);
        skip(12);
    }

    /// @dev A pool of the pair at these whole-token prices, deep enough for `depth` whole quote tokens on each side.
    /// It has stood there for an hour, so that it has a mean price.
    function _pool(uint8 base, uint256 basePrice, uint256 depth) internal {
        uint256 time = vm.getBlockTimestamp();
        vm.warp(time - 1 hours);
        IUniswapV3Pool pool = pools.create(tokens[base], tokens[USDC], FEE_PIPS, basePrice, depth);
        pool.increaseObservationCardinalityNext(64);
        vm.warp(time);
    }

    // ------------------------------------------------------------------ actions

    function _ids(uint8 a) internal pure returns (uint8[] memory ids) {
        ids = new uint8[](1);
        ids[0] = a;
    }

    function _ids(uint8 a, uint8 b) internal pure returns (uint8[] memory ids) {
        ids = new uint8[](2);
        (ids[0], ids[1]) = (a, b);
    }

    function _kick(address account, uint8[] memory ids) internal {
        vm.prank(keeper);
        engine.kick(account, ids);
    }

    function _take(uint8 collateralId, uint8 debtId, uint256 maxSeized)
        internal
        returns (uint256 seized, uint256 payment)
    {
        vm.prank(taker);
        return engine.take(borrower, collateralId, debtId, maxSeized, NO_LIMIT, taker, "");
    }

    function _swap(uint8 collateralId, uint8 debtId, uint256 maxSeized, uint256 minPrice)
        internal
        returns (uint256 seized, uint256 payment)
    {
        vm.prank(keeper);
        return
            engine.swap(
                borrower, collateralId, debtId, maxSeized, minPrice, address(venue), _route(collateralId, debtId)
            );
    }

    /// @dev Venue data: all of it through the pool of the two assets.
    function _route(uint8 collateralId, uint8 debtId) internal view returns (bytes memory) {
        return Routes.direct(address(tokens[collateralId]), FEE_PIPS, address(tokens[debtId]));
    }

    // ------------------------------------------------------------------ readings

    /// @dev What `Settled` says beside account and assets, in the order of the event.
    struct SettledLog {
        uint32 epoch;
        uint8 route;
        address settler;
        address kicker;
        uint64 multiplierWad;
        uint256 seized;
        uint256 payment;
        uint256 repaid;
        uint256 cancelled;
        uint256 surplus;
        uint256 tip;
        uint256 chip;
        uint256 shares;
    }

    /// @dev The last settlement among the recorded logs.
    function _settled() internal returns (SettledLog memory told) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == IClearingHouse.Settled.selector) told = abi.decode(logs[i].data, (SettledLog));
        }
    }

    function _debt(address account, uint8 assetId) internal view returns (uint256) {
        IClearingHouse.Leg[] memory legs = house.accountState(account).legs;
        for (uint256 i = 0; i < legs.length; ++i) {
            if (legs[i].assetId == assetId) return legs[i].debt;
        }
        return 0;
    }

    function _collateral(address account, uint8 assetId) internal view returns (uint256 collateral) {
        (collateral,) = house.balanceOf(account, assetId);
    }

    function _flagged(address account) internal view returns (bool flagged) {
        (,,, flagged,) = house.accountInfo(account);
    }

    function _epoch(address account) internal view returns (uint32 epoch) {
        (,, epoch,,) = house.accountInfo(account);
    }

    /// @dev The books of every asset balance, and the house holds the cash it says it holds.
    function _assertBooksBalance() internal view {
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            IClearingHouse.Market memory market = house.market(assetId);
            uint256 assets = uint256(market.cash) + market.totalBorrowAssets;
            uint256 claims = uint256(market.totalSupplyAssets) + market.reserveAssets + market.creditAssets
                + market.collateralAssets;
            assertEq(assets, claims, "books do not balance");
            assertEq(tokens[assetId].balanceOf(address(house)), market.cash, "cash is not there");
        }
    }
}

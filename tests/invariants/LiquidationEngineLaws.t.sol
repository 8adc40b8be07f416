// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IUniswapV3Pool} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Pool.sol";

import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";
import {DepthDouble} from "./support/DepthDouble.sol";

/// @title What nobody gains by, whatever route he takes, and what always comes to an end
/// @notice One person owns the account, the wallet that settles and trades, and the dealer's key. Wealth is counted at
/// oracle prices.
contract LiquidationEngineLawsTest is EngineFixture {
    uint160 private constant LOWEST = 4295128740;
    uint160 private constant HIGHEST = 1461446703485210103287273052203988822378723970341;

    IUniswapV3Pool private _market;
    address private _dealer;
    uint256 private _key;

    function setUp() public override {
        super.setUp();
        (_dealer, _key) = makeAddrAndKey("the owner's other key");
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            _fund(_dealer, assetId, 1e30);
        }
        tokens[WETH].mint(address(this), 1e30);
        tokens[USDC].mint(address(this), 1e30);
    }

    // ------------------------------------------------------------------ no gain

    /// @dev Push the pool, settle one's own account into it, pull it back.
    function test_a_sandwich_of_ones_own_account_gains_nothing(uint256 health, uint256 push, uint256 elapsed) external {
        _openOwn(bound(health, 0.98e18, 0.9999e18));
        skip(bound(elapsed, 60, 900));
        int256 wealth = _wealth();
        _sandwich(bound(push, 1, 400) * ONE_WETH);
        assertLe(_wealth(), wealth + 1e16, "the owner gains");
    }

    /// @dev The same with kick and settlement in one block, between the push and the pull.
    function test_a_kick_and_settlement_in_one_block_gain_nothing(uint256 health, uint256 push) external {
        _openOwn(bound(health, 0.98e18, 0.9999e18));
        int256 wealth = _wealth();
        _sandwich(bound(push, 0, 40) * ONE_WETH + 1);
        assertLe(_wealth(), wealth + 1e16, "the owner gains");
    }

    function test_the_sandwich_really_settles_and_loses() external {
        _openOwn(0.985e18);
        skip(600);
        int256 wealth = _wealth();
        assertTrue(_sandwich(40 * ONE_WETH));
        assertLt(_wealth(), wealth - 100e18, "fees of the pool and the penalty");
    }

    function _sandwich(uint256 push) private returns (bool settled) {
        (uint160 before,,,,,,) = _market.slot0();
        _trade(true, push);
        try engine.swap(borrower, WETH, USDC, NO_LIMIT, 0, address(venue), _route(WETH, USDC)) {
            settled = true;
        } catch (bytes memory reason) {
            _assertExpected(reason);
        }
        _tradeTo(before);
    }

    /// @dev A quote to oneself, through another key, at any price that the reserve allows.
    function test_a_quote_from_ones_other_key_gains_nothing(uint256 health, uint256 above, uint256 elapsed) external {
        _openOwn(bound(health, 0.95e18, 0.9999e18));
        skip(bound(elapsed, 0, 3_000));
        int256 wealth = _wealth();
        try engine.largestSlice(borrower, WETH, USDC) returns (ILiquidationEngine.Slice memory slice) {
            if (slice.insolvent) return; // what the lenders lose then is bounded elsewhere
        } catch (bytes memory reason) {
            _assertExpected(reason);
            return;
        }
        uint256 price = engine.reservePrice(borrower, WETH) / 1e12 * bound(above, 10_000, 10_500) / 10_000 + 1;
        _fillOwn(price);
        assertLe(_wealth(), wealth + 1e16, "the owner gains");
    }

    function test_the_quote_really_settles_and_costs_the_rest_of_the_penalty() external {
        _openOwn(0.985e18);
        skip(300);
        int256 wealth = _wealth();
        assertTrue(_fillOwn(engine.reservePrice(borrower, WETH) / 1e12 + 1));
        assertLt(_wealth(), wealth - 10e18);
    }

    /// @dev Through a real pool, in n pieces or at once: the pieces repay no more debt for the same collateral.
    function test_splitting_a_swap_gains_nothing(uint256 health, uint256 pieces) external {
        _openOwn(bound(health, 0.96e18, 0.9999e18));
        skip(120);
        pieces = bound(pieces, 2, 5);
        uint256 snapshot = vm.snapshotState();
        int256 wealth = _wealth();
        engine.swap(borrower, WETH, USDC, NO_LIMIT, 0, address(venue), _route(WETH, USDC));
        uint256 seized = 100 * ONE_WETH - _collateral(borrower, WETH);
        int256 whole = wealth - _wealth();
        vm.revertToState(snapshot);
        for (uint256 i = 0; i < pieces && _flagged(borrower); ++i) {
            try engine.swap(borrower, WETH, USDC, seized / pieces + 1, 0, address(venue), _route(WETH, USDC)) {}
            catch (bytes memory reason) {
                _assertExpected(reason);
            }
        }
        if (_flagged(borrower) || _collateral(borrower, WETH) > 100 * ONE_WETH - seized) return; // sold less
        assertGe(wealth - _wealth() + 1e16, whole);
    }

    // ------------------------------------------------------------------ an end

    /// @dev Whatever happened before, breaker and prices included: debts paid, nothing holds the collateral back.
    function test_a_cured_account_always_gets_out(uint256 health, uint256 elapsed, uint256 sold) external {
        _openOwn(bound(health, 0.9e18, 0.9999e18));
        skip(bound(elapsed, 0, 3 hours));
        try engine.take(borrower, WETH, USDC, bound(sold, 1, 50) * ONE_WETH, NO_LIMIT, address(this), "") {}
        catch (bytes memory reason) {
            if (bytes4(reason) != ILiquidationEngine.AuctionLapsed.selector) _assertExpected(reason);
        }
        engine.setBreaker(3, type(uint40).max);
        _fund(borrower, USDC, 1e12);
        vm.prank(borrower);
        house.repay(USDC, type(uint256).max, borrower);
        assertFalse(_flagged(borrower), "the flag stands");
        skip(30 days); // no price is good any more
        (uint256 left, uint256 held) = (_collateral(borrower, WETH), tokens[WETH].balanceOf(borrower));
        vm.startPrank(borrower);
        house.withdrawCollateral(WETH, left / 2 + 1, borrower, borrower); // what stays behind needs no price either
        if (left > 1) house.withdrawCollateral(WETH, type(uint256).max, borrower, borrower);
        vm.stopPrank();
        assertEq(tokens[WETH].balanceOf(borrower), held + left);
    }

    /// @dev However long a flag was forgotten: nothing sells until a redo, and then from the start of a fresh curve.
    function test_a_forgotten_flag_never_sells_below_a_fresh_curve(uint256 forgotten, uint256 health) external {
        _openOwn(0.985e18);
        skip(bound(forgotten, 2 hours, 365 days));
        _publish(USDC, 1e8);
        _publish(WETH, 2_000e8);
        _publish(WETH, int256(2_000e8 * bound(health, 0.85e18, 0.98e18) / house.healthFactor(borrower)));
        vm.expectPartialRevert(ILiquidationEngine.AuctionLapsed.selector);
        engine.take(borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, address(this), "");
        engine.redo(borrower, _ids(WETH));
        (bool running, uint256 multiplier) = engine.multiplier(borrower, WETH);
        assertTrue(running);
        assertGe(multiplier, engine.curve(WETH).startMultiplierWad, "an old multiplier");
    }

    /// @dev Nothing is halted and the budget is at least B_min: takers who come in small lots, and for no more than 95
    /// % of the oracle's price, make the account healthy within the tail.
    function test_somebody_can_settle_within_a_bounded_time(uint256 health, uint256 loads) external {
        _openOwn(bound(health, 0.97e18, 0.9999e18));
        uint256 limit = oracle.price(address(tokens[WETH])) * 95 / 100;
        uint256 start = vm.getBlockTimestamp();
        while (_flagged(borrower) && vm.getBlockTimestamp() < start + 7_020) {
            skip(120 + loads % 60);
            loads = uint256(keccak256(abi.encode(loads)));
            try engine.take(borrower, WETH, USDC, ONE_WETH * (loads % 6 + 1), limit, address(this), "") {}
            catch (bytes memory reason) {
                if (bytes4(reason) != ILiquidationEngine.PriceAboveLimit.selector) _assertExpected(reason);
            }
        }
        assertFalse(_flagged(borrower), "nobody could within the tail");
    }

    /// @dev A market that another account's sale keeps loaded, so that it is never full, delays a reserve and does not
    /// stop it: before the tail is over it is at its floor.
    /// forge-config: default.fuzz.runs = 12
    function test_a_loaded_market_delays_a_reserve_and_does_not_stop_it(uint256 lot) external {
        address whale = makeAddr("whale");
        _deposit(whale, WETH, 10_000 * ONE_WETH);
        _borrow(whale, USDC, 15_900_000 * ONE_USDC);
        _openOwn(0.985e18);
        engine.kick(whale, _ids(WETH));
        lot = bound(lot, 15, 25) * ONE_WETH; // of the 50 that the capacity is worth, half of which come back in a
        // minute
        for (uint256 i = 0; i < 110; ++i) {
            if (i % 20 == 0) engine.poke(WETH);
            engine.take(whale, WETH, USDC, lot, NO_LIMIT, address(this), "");
            skip(30);
            ILiquidationEngine.Bucket memory bucket = engine.bucketNow(WETH, ILiquidationEngine.Side.SELL);
            assertLt(int256(bucket.level), int256(uint256(bucket.capacity)), "full");
            skip(30);
        }
        (, uint256 multiplier) = engine.multiplier(borrower, WETH);
        assertEq(multiplier, 0.8e18, "not at its floor");
    }

    // ------------------------------------------------------------------ steps

    /// @dev 100 WETH, its budget on and its depth read, kicked at the health given.
    function _openOwn(uint256 health) private {
        _deposit(borrower, WETH, 100 * ONE_WETH);
        _borrow(borrower, USDC, 159_000 * ONE_USDC);
        skip(12);
        uint256 price = 2_000e8 * health / house.healthFactor(borrower);
        _publish(WETH, int256(price));
        _pool(WETH, price * 1e10, 20_000_000);
        _market = IUniswapV3Pool(factory.getPool(address(tokens[WETH]), address(tokens[USDC]), FEE_PIPS));
        DepthDouble depth = new DepthDouble();
        depth.set(WETH, 0, 200_000e18);
        depth.set(WETH, 1, 200_000e18);
        engine.setMarketDepth(address(depth));
        engine.setBudgeted(WETH, true);
        engine.poke(WETH);
        engine.kick(borrower, _ids(WETH));
        tokens[USDC].approve(address(house), type(uint256).max);
    }

    function _fillOwn(uint256 price) private returns (bool settled) {
        ILiquidationEngine.Quote memory quote;
        (quote.dealer, quote.account, quote.collateralId, quote.debtId) = (_dealer, borrower, WETH, USDC);
        (quote.price, quote.maxFill, quote.deadline) = (price, type(uint128).max, type(uint40).max);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_key, engine.quoteHash(quote));
        try engine.fill(quote, abi.encodePacked(r, s, v), NO_LIMIT) {
            settled = true;
        } catch (bytes memory reason) {
            _assertExpected(reason);
        }
    }

    /// @dev Sells or buys WETH in the pool.
    function _trade(bool sells, uint256 amount) private {
        bool zeroForOne = sells == (address(tokens[WETH]) < address(tokens[USDC]));
        _market.swap(address(this), zeroForOne, int256(amount), zeroForOne ? LOWEST : HIGHEST, "");
    }

    function _tradeTo(uint160 goal) private {
        (uint160 current,,,,,,) = _market.slot0();
        if (current != goal) _market.swap(address(this), goal < current, type(int128).max, goal, "");
    }

    function uniswapV3SwapCallback(int256 amount0, int256 amount1, bytes calldata) external {
        (address token0, address token1) = (_market.token0(), _market.token1());
        if (amount0 > 0) _token(token0).transfer(msg.sender, uint256(amount0));
        if (amount1 > 0) _token(token1).transfer(msg.sender, uint256(amount1));
    }

    function _token(address token) private pure returns (ITransfers) {
        return ITransfers(token);
    }

    /// @dev The account, this wallet, the dealer's and what is credited.
    function _wealth() private view returns (int256 value) {
        value = int256(house.accountState(borrower).collateralValue) - int256(house.accountState(borrower).debtValue);
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            uint256 held = tokens[assetId].balanceOf(address(this)) + house.creditOf(assetId, address(this))
                + tokens[assetId].balanceOf(_dealer);
            value += int256(held * oracle.price(address(tokens[assetId])) / 10 ** tokens[assetId].decimals());
        }
    }

    function _assertExpected(bytes memory reason) private pure {
        bytes4 selector = bytes4(reason);
        bool expected = selector == ILiquidationEngine.VenueBelowReserve.selector
            || selector == ILiquidationEngine.BudgetExhausted.selector
            || selector == ILiquidationEngine.QuoteBelowReserve.selector
            || selector == ILiquidationEngine.AccountHealthy.selector
            || selector == ILiquidationEngine.DustLeft.selector
            || selector == ILiquidationEngine.AuctionMissing.selector
            || selector == bytes4(keccak256("ProceedsBelowMinimum(uint256,uint256)"));
        if (!expected) assertEq(bytes32(selector), "", "an unexpected refusal");
    }
}

interface ITransfers {
    function transfer(address to, uint256 amount) external returns (bool);
}

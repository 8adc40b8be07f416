// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {IPriceOracle} from "../../contracts/interfaces/IPriceOracle.sol";
import {MockAggregator} from "../../contracts/mocks/MockAggregator.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";

/// @dev A feed that uses nearly all the gas that a feed is given, and answers.
contract DearFeed {
    uint256 private constant GAS = 85_000;
    MockAggregator private immutable _inner;
    uint8 public constant decimals = 8;

    constructor(MockAggregator inner) {
        _inner = inner;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        uint256 before = gasleft();
        while (before - gasleft() < GAS) {}
        return _inner.latestRoundData();
    }
}

/// @title I28: what could not be sold for want of a price, or of a sequencer, sells from a fresh curve afterwards
contract LiquidationEngineInterruptionsTest is EngineFixture {
    uint256 private constant OUTAGE = 1_800;
    uint256 private constant GRACE = 3_600;

    function setUp() public override {
        super.setUp();
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        _fund(taker, USDC, 100_000 * ONE_USDC);
    }

    // ------------------------------------------------------------------ refused prices

    function test_I28_after_a_refused_price_only_a_fresh_curve_is_left() external {
        uint256 start = _reserve();
        skip(60);
        _publish(WETH, 0);
        engine.lapse(borrower);
        skip(OUTAGE);
        _publish(WETH, 1_900e8);
        bytes memory lapsed = abi.encodeWithSelector(ILiquidationEngine.AuctionLapsed.selector, borrower, 0);
        vm.expectRevert(lapsed);
        _take(WETH, USDC, NO_LIMIT);
        vm.expectRevert(lapsed);
        engine.kick(borrower, _ids(WETH));
        vm.expectRevert(lapsed);
        engine.reservePrice(borrower, WETH);
        engine.redo(borrower, _ids(WETH));
        assertEq(_reserve(), start, "as high as at the kick");
        _take(WETH, USDC, NO_LIMIT);
        _assertBooksBalance();
    }

    function test_a_price_that_grew_stale_interrupts_too() external {
        oracle.setFeed(address(tokens[WETH]), IPriceOracle.Feed(address(feeds[WETH]), 600, 1, 1e16));
        skip(601);
        engine.lapse(borrower);
        assertEq(engine.auction(borrower).kickedAt, 0);
    }

    function test_a_lapse_is_told_once() external {
        _publish(WETH, 0);
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.Lapsed(borrower, _epoch(borrower));
        engine.lapse(borrower);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.AuctionLapsed.selector, borrower, 0));
        engine.lapse(borrower);
    }

    function test_an_interrupted_auction_cannot_be_ended_in_the_place_of_a_redo() external {
        _publish(WETH, 0);
        engine.lapse(borrower);
        skip(7_200);
        _publish(WETH, 500e8);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.EndRefused.selector, borrower));
        engine.end(borrower);
        engine.redo(borrower, _ids(WETH));
        skip(7_200);
        engine.end(borrower);
        assertFalse(_flagged(borrower));
    }

    /// @dev It had its time, insolvent from the kick; who does not want it written off cannot undo that by an outage.
    function test_an_auction_that_lapsed_at_its_tail_is_ended_whatever_prices_did_since() external {
        _publish(WETH, 500e8);
        skip(7_200);
        engine.redo(borrower, _ids(WETH));
        skip(7_200);
        _publish(WETH, 0);
        vm.expectPartialRevert(ILiquidationEngine.AuctionLapsed.selector);
        engine.lapse(borrower);
        _publish(WETH, 500e8);
        engine.end(borrower);
        assertFalse(_flagged(borrower));
    }

    function test_only_the_accounts_that_use_the_price_are_interrupted() external {
        address other = makeAddr("other");
        _deposit(other, WBTC, ONE_WBTC);
        _borrow(other, USDC, 43_000 * ONE_USDC);
        skip(12);
        _publish(WBTC, 50_000e8);
        _kick(other, _ids(WBTC));
        _publish(WETH, 0);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.PricesGiven.selector, other));
        engine.lapse(other);
        engine.lapse(borrower);
    }

    function test_a_caller_cannot_starve_a_good_feed(uint256 gas_) external {
        gas_ = bound(gas_, 30_000, 2_000_000);
        (bool success,) = address(engine).call{gas: gas_}(abi.encodeCall(engine.lapse, (borrower)));
        assertFalse(success);
        assertGt(engine.auction(borrower).kickedAt, 0);
    }

    /// @dev Where six readings of 90,000 run short at the last, the sixty-fourth part that is kept back would do for
    /// the rest of a lapse.
    function test_nor_feeds_as_dear_as_may_be(uint256 gas_) external {
        _deposit(borrower, WBTC, 1e4);
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            address token = address(tokens[assetId]);
            address first = address(new DearFeed(feeds[assetId]));
            address second = address(new DearFeed(feeds[assetId]));
            oracle.setFeed(token, IPriceOracle.Feed(first, 1 days, 1, 1e16));
            oracle.setSecondary(token, IPriceOracle.Feed(second, 1 days, 1, 1e16), 100);
        }
        assertGt(house.healthFactor(borrower), 0, "dear, but good");
        gas_ = bound(gas_, 400_000, 900_000);
        (bool success,) = address(engine).call{gas: gas_}(abi.encodeCall(engine.lapse, (borrower)));
        assertFalse(success);
    }

    /// @dev Nor those of which each question is passed on to a sequencer's feed that is as dear.
    function test_nor_feeds_behind_a_sequencers_as_dear(uint256 gas_) external {
        MockAggregator uptime = new MockAggregator(0, "sequencer", address(this));
        uptime.publish(0, vm.getBlockTimestamp() - 30 days);
        _sequence(address(new DearFeed(uptime)));
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            address token = address(tokens[assetId]);
            oracle.setFeed(token, IPriceOracle.Feed(address(new DearFeed(feeds[assetId])), 1 days, 1, 1e16));
            address second = address(new DearFeed(feeds[assetId]));
            oracle.setSecondary(token, IPriceOracle.Feed(second, 1 days, 1, 1e16), 100);
        }
        assertGt(house.healthFactor(borrower), 0, "dear, but good");
        gas_ = bound(gas_, 400_000, 1_200_000);
        (bool success,) = address(engine).call{gas: gas_}(abi.encodeCall(engine.lapse, (borrower)));
        assertFalse(success);
    }

    function test_too_little_gas_is_refused_by_name() external {
        _publish(WETH, 0);
        vm.expectPartialRevert(IClearingHouse.GasInsufficient.selector);
        engine.lapse{gas: 700_000}(borrower);
        engine.lapse{gas: 800_000}(borrower);
    }

    // ------------------------------------------------------------------ the sequencer

    /// @dev The house asks an oracle that knows of a sequencer, up since long ago.
    function _withSequencer() private returns (MockAggregator sequencer) {
        sequencer = new MockAggregator(0, "sequencer", address(this));
        sequencer.publish(0, vm.getBlockTimestamp() - 30 days);
        _sequence(address(sequencer));
    }

    function _sequence(address sequencer) private {
        bytes memory arguments = abi.encode(address(manager), sequencer, GRACE);
        oracle = IPriceOracle(vm.deployCode("SequencedPriceOracle.sol:SequencedPriceOracle", arguments));
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            oracle.setFeed(address(tokens[assetId]), IPriceOracle.Feed(address(feeds[assetId]), 1 days, 1, 1e16));
        }
        house.setOracle(address(oracle));
    }

    function test_I28_an_outage_of_the_sequencer_lapses_what_it_interrupted() external {
        uint256 start = _reserve();
        MockAggregator sequencer = _withSequencer();
        skip(60);
        assertLt(_reserve(), start, "up for long: it goes on");
        sequencer.publish(1, vm.getBlockTimestamp());
        skip(OUTAGE);
        uint256 upSince = vm.getBlockTimestamp();
        sequencer.publish(0, upSince);
        vm.expectPartialRevert(IPriceOracle.SequencerDown.selector);
        engine.redo(borrower, _ids(WETH));
        skip(GRACE);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.AuctionLapsed.selector, borrower, upSince));
        _take(WETH, USDC, NO_LIMIT);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.AuctionLapsed.selector, borrower, upSince));
        engine.lapse(borrower);
        engine.redo(borrower, _ids(WETH));
        assertEq(_reserve(), start);
        _take(WETH, USDC, NO_LIMIT);
    }

    function test_an_auction_that_began_after_the_outage_goes_on() external {
        MockAggregator sequencer = _withSequencer();
        sequencer.publish(0, vm.getBlockTimestamp() - GRACE);
        assertTrue(_reserve() > 0);
        _take(WETH, USDC, NO_LIMIT);
    }

    function _reserve() private view returns (uint256) {
        return engine.reservePrice(borrower, WETH);
    }
}

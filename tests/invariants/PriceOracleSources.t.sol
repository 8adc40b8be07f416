// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

import {IPriceOracle} from "../../contracts/interfaces/IPriceOracle.sol";
import {DecimalFloat} from "../../contracts/libraries/DecimalFloat.sol";
import {MockAggregator} from "../../contracts/mocks/MockAggregator.sol";
import {Test} from "../support/forge/Test.sol";

/// @title A second source confirms the first, and a sequencer must be up
contract PriceOracleSourcesTest is Test {
    address private constant TOKEN = address(0x70);
    uint32 private constant MAX_AGE = 4_200;
    uint16 private constant DEVIATION_BPS = 100;
    uint256 private constant GRACE = 1 hours;

    AccessManager private _manager;
    IPriceOracle private _oracle;
    MockAggregator private _first;
    MockAggregator private _second;

    function setUp() external {
        vm.warp(1_600_000_000);
        _manager = new AccessManager(address(this));
        _oracle = IPriceOracle(vm.deployCode("PriceOracle.sol:PriceOracle", abi.encode(address(_manager))));
        _first = new MockAggregator(8, "TOKEN / USD", address(this));
        _second = new MockAggregator(18, "TOKEN / USD", address(this));
        _oracle.setFeed(TOKEN, _firstFeed());
        _oracle.setSecondary(TOKEN, _secondFeed(), DEVIATION_BPS);
        _publish(2_000e8, 2_000e18);
    }

    function _firstFeed() private view returns (IPriceOracle.Feed memory) {
        return IPriceOracle.Feed(address(_first), MAX_AGE, 1e8, 1_000_000e8);
    }

    function _secondFeed() private view returns (IPriceOracle.Feed memory) {
        return IPriceOracle.Feed(address(_second), 2 * MAX_AGE, 1e18, 1_000_000e18);
    }

    function _publish(int256 first, int256 second) private {
        _first.publish(first, vm.getBlockTimestamp());
        _second.publish(second, vm.getBlockTimestamp());
    }

    // ------------------------------------------------------------------ two sources

    function test_the_price_is_the_first_sources() external {
        _publish(2_000e8, 2_015e18);
        assertEq(_oracle.price(TOKEN), 2_000e18);
    }

    function test_sources_may_differ_by_the_deviation_and_no_more() external {
        _publish(2_000e8, 2_020e18);
        assertEq(_oracle.price(TOKEN), 2_000e18);
        _publish(2_000e8, 1_980e18);
        assertEq(_oracle.price(TOKEN), 2_000e18);
        _publish(2_000e8, 2_020e18 + 1);
        _expectDisagreement(2_020e18 + 1);
        _publish(2_000e8, 1_980e18 - 1);
        _expectDisagreement(1_980e18 - 1);
    }

    function _expectDisagreement(uint256 second) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                IPriceOracle.SourcesDisagree.selector, TOKEN, 2_000e18, second, uint256(DEVIATION_BPS)
            )
        );
        _oracle.price(TOKEN);
    }

    function test_a_second_source_that_is_refused_refuses_the_price() external {
        _second.publish(0, vm.getBlockTimestamp());
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceNotPositive.selector, TOKEN, 0));
        _oracle.price(TOKEN);
        _second.publish(1_000_000e18, vm.getBlockTimestamp());
        vm.expectPartialRevert(IPriceOracle.PriceClamped.selector);
        _oracle.price(TOKEN);
        vm.etch(address(_second), "");
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.FeedUnreadable.selector, TOKEN, address(_second)));
        _oracle.price(TOKEN);
    }

    function test_each_source_has_its_own_age() external {
        skip(MAX_AGE + 1);
        _first.publish(2_000e8, vm.getBlockTimestamp());
        assertEq(_oracle.price(TOKEN), 2_000e18);
        skip(MAX_AGE);
        vm.expectPartialRevert(IPriceOracle.PriceStale.selector);
        _oracle.price(TOKEN);
    }

    function test_a_second_source_can_be_taken_away() external {
        _second.publish(1, vm.getBlockTimestamp());
        IPriceOracle.Feed memory none;
        vm.expectEmit(address(_oracle));
        emit IPriceOracle.SecondarySet(TOKEN, none, 0, 0);
        _oracle.setSecondary(TOKEN, none, 0);
        assertEq(_oracle.price(TOKEN), 2_000e18);
        (IPriceOracle.Feed memory feed, uint16 deviation) = _oracle.secondary(TOKEN);
        assertEq(feed.aggregator, address(0));
        assertEq(uint256(deviation), 0);
    }

    function test_a_new_first_source_keeps_the_second() external {
        IPriceOracle.Feed memory other = _firstFeed();
        other.maxAge = 60;
        _oracle.setFeed(TOKEN, other);
        (IPriceOracle.Feed memory feed, uint16 deviation) = _oracle.secondary(TOKEN);
        assertEq(abi.encode(feed), abi.encode(_secondFeed()));
        assertEq(uint256(deviation), DEVIATION_BPS);
        _publish(2_000e8, 2_100e18);
        vm.expectPartialRevert(IPriceOracle.SourcesDisagree.selector);
        _oracle.price(TOKEN);
    }

    function test_the_second_source_cannot_become_the_first_as_well() external {
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.FeedRefused.selector, TOKEN, bytes32("same source")));
        _oracle.setFeed(TOKEN, _secondFeed());
    }

    // ------------------------------------------------------------------ what is refused when set

    function _refused(IPriceOracle.Feed memory feed, uint16 deviation, bytes32 reason) private {
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.FeedRefused.selector, TOKEN, reason));
        _oracle.setSecondary(TOKEN, feed, deviation);
    }

    function test_a_second_source_that_cannot_be_used_is_refused() external {
        IPriceOracle.Feed memory none;
        _refused(none, 1, "deviation");
        _refused(_secondFeed(), 0, "deviation");
        _refused(_secondFeed(), 2_001, "deviation");
        _refused(_firstFeed(), DEVIATION_BPS, "same source");
        IPriceOracle.Feed memory feed = _secondFeed();
        feed.maxAge = 2 ** 24;
        _refused(feed, DEVIATION_BPS, "age");
        feed = _secondFeed();
        feed.minAnswer = -1;
        _refused(feed, DEVIATION_BPS, "lower bound");
        feed = _secondFeed();
        feed.maxAnswer = 1_234_567e18;
        _refused(feed, DEVIATION_BPS, "digits");
        feed = _secondFeed();
        feed.minAnswer = 262_144_1;
        _refused(feed, DEVIATION_BPS, "digits");
    }

    function test_a_token_without_a_first_source_gets_no_second() external {
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.FeedMissing.selector, address(1)));
        _oracle.setSecondary(address(1), _secondFeed(), DEVIATION_BPS);
    }

    function test_only_the_authority_lets_anyone_set_second_sources() external {
        address stranger = makeAddr("stranger");
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, stranger));
        vm.prank(stranger);
        _oracle.setSecondary(TOKEN, _secondFeed(), DEVIATION_BPS);
    }

    // ------------------------------------------------------------------ feeds that do harm

    function test_a_feed_that_burns_all_gas_takes_none_of_the_rest_along() external {
        vm.etch(address(_first), hex"5b600056"); // jumps to itself for ever
        (bool success, bytes memory answer) =
            address(_oracle).staticcall{gas: 400_000}(abi.encodeCall(_oracle.price, (TOKEN)));
        assertFalse(success);
        assertEq(answer, abi.encodeWithSelector(IPriceOracle.FeedUnreadable.selector, TOKEN, address(_first)));
    }

    function test_a_price_of_two_sources_is_cheap() external view {
        _oracle.price(TOKEN);
        assertLt(vm.lastCallGas().gasTotalUsed, 26_000, "two feeds, four slots, everything cold");
    }

    // ------------------------------------------------------------------ falls

    function test_a_fall_is_told_from_one_round_to_the_next() external {
        _publish(1_500e8, 1_500e18);
        (uint256 dropBps, uint256 updatedAt) = _oracle.lastDrop(TOKEN);
        assertEq(dropBps, 2_500);
        assertEq(updatedAt, vm.getBlockTimestamp());
        skip(12);
        _first.publish(1_500e8, vm.getBlockTimestamp());
        (dropBps,) = _oracle.lastDrop(TOKEN);
        assertEq(dropBps, 0, "only the last round counts");
        _first.publish(1_600e8, vm.getBlockTimestamp());
        (dropBps,) = _oracle.lastDrop(TOKEN);
        assertEq(dropBps, 0, "a rise is no fall");
    }

    function test_falls_are_rounded_down() external {
        _first.publish(1_999.9999e8, vm.getBlockTimestamp());
        (uint256 dropBps,) = _oracle.lastDrop(TOKEN);
        assertEq(dropBps, 0);
        _first.publish(10_000, vm.getBlockTimestamp());
        _first.publish(5_999, vm.getBlockTimestamp());
        (dropBps,) = _oracle.lastDrop(TOKEN);
        assertEq(dropBps, 4_001);
    }

    function test_a_fall_to_nothing_is_whole_and_out_of_nothing_none() external {
        _first.publish(-5, vm.getBlockTimestamp());
        (uint256 dropBps,) = _oracle.lastDrop(TOKEN);
        assertEq(dropBps, 10_000);
        _first.publish(-10, vm.getBlockTimestamp());
        (dropBps,) = _oracle.lastDrop(TOKEN);
        assertEq(dropBps, 0);
    }

    function test_the_first_round_of_a_feed_did_not_fall() external {
        MockAggregator fresh = new MockAggregator(8, "fresh", address(this));
        _oracle.setFeed(address(1), IPriceOracle.Feed(address(fresh), MAX_AGE, 1, 1e16));
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.FeedUnreadable.selector, address(1), address(fresh)));
        _oracle.lastDrop(address(1));
        fresh.publish(1, vm.getBlockTimestamp());
        (uint256 dropBps,) = _oracle.lastDrop(address(1));
        assertEq(dropBps, 0);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.FeedMissing.selector, address(2)));
        _oracle.lastDrop(address(2));
    }

    // ------------------------------------------------------------------ sequencer

    /// @dev An oracle whose chain has a sequencer, and its uptime feed.
    function _sequenced() private returns (IPriceOracle oracle, MockAggregator uptime) {
        uptime = new MockAggregator(0, "uptime", address(this));
        bytes memory arguments = abi.encode(address(_manager), address(uptime), GRACE);
        oracle = IPriceOracle(vm.deployCode("SequencedPriceOracle.sol:SequencedPriceOracle", arguments));
        oracle.setFeed(TOKEN, _firstFeed());
    }

    function test_a_chain_without_sequencer_is_always_up() external view {
        assertEq(_oracle.upSince(), 0);
    }

    function test_no_price_while_the_sequencer_is_down() external {
        (IPriceOracle oracle, MockAggregator uptime) = _sequenced();
        uptime.publish(1, vm.getBlockTimestamp() - 10 days);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.SequencerDown.selector, 0, GRACE));
        oracle.price(TOKEN);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.SequencerDown.selector, 0, GRACE));
        oracle.upSince();
    }

    function test_no_price_in_the_grace_after_an_outage() external {
        (IPriceOracle oracle, MockAggregator uptime) = _sequenced();
        uint256 restart = vm.getBlockTimestamp();
        uptime.publish(0, restart);
        skip(GRACE - 1);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.SequencerDown.selector, restart, GRACE));
        oracle.price(TOKEN);
        skip(1);
        assertEq(oracle.price(TOKEN), 2_000e18);
        assertEq(oracle.upSince(), restart);
    }

    function test_an_uptime_feed_that_cannot_be_read_gives_no_price() external {
        (IPriceOracle oracle, MockAggregator uptime) = _sequenced();
        bytes memory refusal = abi.encodeWithSelector(IPriceOracle.FeedUnreadable.selector, address(0), address(uptime));
        vm.expectRevert(refusal);
        oracle.price(TOKEN); // no round yet
        uptime.publish(0, vm.getBlockTimestamp() + 1);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.SequencerDown.selector, 0, GRACE));
        oracle.price(TOKEN); // up, but from tomorrow on
    }

    function test_an_uptime_feed_without_code_is_refused() external {
        address nobody = makeAddr("nobody");
        vm.expectRevert();
        vm.deployCode("SequencedPriceOracle.sol:SequencedPriceOracle", abi.encode(address(_manager), nobody, GRACE));
    }
}

/// @title Round numbers survive their packing, others are refused
contract DecimalFloatTest is Test {
    function test_what_packs_unpacks_to_itself(uint256 mantissa, uint256 exponent) external pure {
        mantissa = bound(mantissa, 0, 2 ** 18 - 1);
        uint256 x = mantissa * 10 ** bound(exponent, 0, 63);
        (bool exact, uint24 packed) = DecimalFloat.pack(x);
        assertTrue(exact);
        assertEq(DecimalFloat.unpack(packed), x);
    }

    function test_too_many_digits_do_not_pack(uint256 x) external pure {
        (bool exact, uint24 packed) = DecimalFloat.pack(x);
        if (exact) assertEq(DecimalFloat.unpack(packed), x);
        (exact,) = DecimalFloat.pack(2 ** 18 - 1);
        assertTrue(exact);
        (exact,) = DecimalFloat.pack(2 ** 18);
        assertFalse(exact);
        (exact,) = DecimalFloat.pack(type(uint256).max);
        assertFalse(exact);
    }
}

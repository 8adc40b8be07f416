// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

import {IAggregatorV3} from "../../contracts/interfaces/IAggregatorV3.sol";
import {IPriceOracle} from "../../contracts/interfaces/IPriceOracle.sol";
import {MockAggregator} from "../../contracts/mocks/MockAggregator.sol";
import {Test} from "../support/forge/Test.sol";

/// @title A price passes, or the call says why not
contract PriceOracleTest is Test {
    address private constant TOKEN = address(0x70);
    uint32 private constant MAX_AGE = 4_200;
    int128 private constant MIN_ANSWER = 1e8;
    int128 private constant MAX_ANSWER = 1_000_000e8;

    IPriceOracle private oracle;
    MockAggregator private feed;

    function setUp() external {
        vm.warp(1_600_000_000);
        oracle = IPriceOracle(
            vm.deployCode("PriceOracle.sol:PriceOracle", abi.encode(address(new AccessManager(address(this)))))
        );
        feed = new MockAggregator(8, "TOKEN / USD", address(this));
        oracle.setFeed(TOKEN, _feed());
    }

    function _feed() private view returns (IPriceOracle.Feed memory) {
        return IPriceOracle.Feed(address(feed), MAX_AGE, MIN_ANSWER, MAX_ANSWER);
    }

    // ------------------------------------------------------------------ prices

    function test_a_price_is_scaled_to_wad() external {
        feed.publish(2_000.5e8, block.timestamp);
        assertEq(oracle.price(TOKEN), 2_000.5e18);
    }

    function test_every_number_of_decimals_is_scaled(uint256 decimals, uint256 answer) external {
        decimals = bound(decimals, 0, 18);
        answer = bound(answer, 1, 1e9 * 10 ** decimals - 1);
        feed = new MockAggregator(uint8(decimals), "any", address(this));
        oracle.setFeed(TOKEN, IPriceOracle.Feed(address(feed), MAX_AGE, 0, int128(uint128(1e9 * 10 ** decimals))));
        feed.publish(int256(answer), block.timestamp);
        assertEq(oracle.price(TOKEN), answer * 1e18 / 10 ** decimals);
    }

    function test_a_token_without_a_feed_has_no_price() external {
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.FeedMissing.selector, address(1)));
        oracle.price(address(1));
    }

    function test_a_price_is_good_until_its_age() external {
        feed.publish(2_000e8, block.timestamp);
        skip(MAX_AGE);
        assertEq(oracle.price(TOKEN), 2_000e18);
        skip(1);
        vm.expectRevert(
            abi.encodeWithSelector(IPriceOracle.PriceStale.selector, TOKEN, block.timestamp - MAX_AGE - 1, MAX_AGE)
        );
        oracle.price(TOKEN);
    }

    function test_a_price_from_the_future_is_refused() external {
        feed.publish(2_000e8, block.timestamp + 1);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceStale.selector, TOKEN, block.timestamp + 1, MAX_AGE));
        oracle.price(TOKEN);
    }

    function test_zero_and_negative_answers_are_refused() external {
        int256[3] memory answers = [int256(0), -1, type(int192).min];
        for (uint256 i = 0; i < 3; ++i) {
            feed.publish(answers[i], block.timestamp);
            vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceNotPositive.selector, TOKEN, answers[i]));
            oracle.price(TOKEN);
        }
    }

    function test_clamped_answers_are_refused() external {
        int256[4] memory answers = [int256(MIN_ANSWER), int256(MIN_ANSWER) - 1, MAX_ANSWER, type(int192).max];
        for (uint256 i = 0; i < 4; ++i) {
            feed.publish(answers[i], block.timestamp);
            vm.expectRevert(
                abi.encodeWithSelector(
                    IPriceOracle.PriceClamped.selector, TOKEN, answers[i], int256(MIN_ANSWER), int256(MAX_ANSWER)
                )
            );
            oracle.price(TOKEN);
        }
        feed.publish(MIN_ANSWER + 1, block.timestamp);
        assertEq(oracle.price(TOKEN), 1.00000001e18);
        feed.publish(MAX_ANSWER - 1, block.timestamp);
        assertEq(oracle.price(TOKEN), 999_999.99999999e18);
    }

    // ------------------------------------------------------------------ feeds that misbehave

    function _answer(bytes memory answer) private {
        vm.mockCall(address(feed), abi.encodeCall(IAggregatorV3.latestRoundData, ()), answer);
    }

    function _expectUnreadable() private {
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.FeedUnreadable.selector, TOKEN, address(feed)));
        oracle.price(TOKEN);
    }

    function test_a_feed_that_reverts_is_unreadable() external {
        _expectUnreadable(); // no round yet
        vm.mockCallRevert(address(feed), abi.encodeCall(IAggregatorV3.latestRoundData, ()), "no");
        _expectUnreadable();
    }

    function test_a_feed_whose_code_is_gone_is_unreadable() external {
        vm.etch(address(feed), "");
        _expectUnreadable();
    }

    function test_a_short_answer_is_unreadable() external {
        _answer(abi.encode(uint256(1), int256(2_000e8), block.timestamp, block.timestamp));
        _expectUnreadable();
    }

    function test_what_is_no_round_is_unreadable() external {
        _answer(abi.encode(uint256(0), int256(2_000e8), block.timestamp, block.timestamp, uint256(0)));
        _expectUnreadable();
        _answer(abi.encode(uint256(1) << 80, int256(2_000e8), block.timestamp, block.timestamp, uint256(1)));
        _expectUnreadable();
        _answer(abi.encode(uint256(1), int256(2_000e8), block.timestamp, uint256(0), uint256(1)));
        _expectUnreadable();
        _answer(abi.encode(uint256(1), int256(2_000e8), block.timestamp, block.timestamp, uint256(1)));
        assertEq(oracle.price(TOKEN), 2_000e18);
    }

    function test_a_huge_answer_is_clamped_and_a_huge_date_stale() external {
        _answer(abi.encode(uint256(1), type(int256).max, block.timestamp, block.timestamp, uint256(1)));
        vm.expectPartialRevert(IPriceOracle.PriceClamped.selector);
        oracle.price(TOKEN);
        _answer(abi.encode(uint256(1), int256(2_000e8), block.timestamp, type(uint256).max, uint256(1)));
        vm.expectPartialRevert(IPriceOracle.PriceStale.selector);
        oracle.price(TOKEN);
    }

    function test_a_long_answer_costs_no_copy() external {
        _answer(abi.encodePacked(abi.encode(1, 2_000e8, block.timestamp, block.timestamp, 1), new bytes(50_000)));
        assertEq(oracle.price(TOKEN), 2_000e18);
    }

    // ------------------------------------------------------------------ setting feeds

    function test_a_feed_is_set_and_announced() external {
        vm.expectEmit(address(oracle));
        emit IPriceOracle.FeedSet(address(0x71), _feed(), 8);
        oracle.setFeed(address(0x71), _feed());
        assertEq(keccak256(abi.encode(oracle.feed(address(0x71)))), keccak256(abi.encode(_feed())));
    }

    function test_only_the_authority_lets_anyone_set_feeds() external {
        address stranger = makeAddr("stranger");
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, stranger));
        vm.prank(stranger);
        oracle.setFeed(TOKEN, _feed());
    }

    function _expectRefusal(address token, IPriceOracle.Feed memory refused, bytes32 reason) private {
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.FeedRefused.selector, token, reason));
        oracle.setFeed(token, refused);
    }

    function test_a_feed_that_cannot_be_used_is_refused() external {
        _expectRefusal(address(0), _feed(), "no token");
        IPriceOracle.Feed memory refused = _feed();
        refused.aggregator = makeAddr("nobody");
        _expectRefusal(TOKEN, refused, "no code");
        refused = _feed();
        refused.maxAge = 0;
        _expectRefusal(TOKEN, refused, "zero age");
        refused = _feed();
        refused.minAnswer = refused.maxAnswer;
        _expectRefusal(TOKEN, refused, "bounds reversed");
        refused = _feed();
        (refused.minAnswer, refused.maxAnswer) = (-5, 0);
        _expectRefusal(TOKEN, refused, "upper bound");
        refused = _feed();
        refused.maxAnswer = 1e17 + 1;
        _expectRefusal(TOKEN, refused, "upper bound");
        refused = _feed();
        refused.aggregator = address(new MockAggregator(19, "fine", address(this)));
        _expectRefusal(TOKEN, refused, "decimals");
    }

    function test_the_upper_bound_may_be_a_billion() external {
        IPriceOracle.Feed memory widest = _feed();
        widest.maxAnswer = 1e17;
        oracle.setFeed(TOKEN, widest);
        feed.publish(1e17 - 1, block.timestamp);
        assertEq(oracle.price(TOKEN), 999_999_999.99999999e18);
    }
}

/// @title The mocked feed reads as Chainlink's do
contract MockAggregatorTest is Test {
    MockAggregator private feed;

    function setUp() external {
        feed = new MockAggregator(8, "ETH / USD", address(this));
    }

    function test_rounds_are_numbered_kept_and_announced() external {
        feed.publish(5, 7);
        vm.expectEmit(address(feed));
        emit MockAggregator.AnswerUpdated(-6, 2, 8);
        feed.publish(-6, 8);
        (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredIn) =
            feed.latestRoundData();
        assertEq(abi.encode(roundId, answer, startedAt, updatedAt, answeredIn), abi.encode(2, -6, 8, 8, 2));
        (roundId, answer, startedAt, updatedAt, answeredIn) = feed.getRoundData(1);
        assertEq(abi.encode(roundId, answer, startedAt, updatedAt, answeredIn), abi.encode(1, 5, 7, 7, 1));
    }

    function test_rounds_that_do_not_exist_revert() external {
        vm.expectRevert(abi.encodeWithSelector(MockAggregator.RoundMissing.selector, 0));
        feed.latestRoundData();
        feed.publish(5, 7);
        vm.expectRevert(abi.encodeWithSelector(MockAggregator.RoundMissing.selector, 2));
        feed.getRoundData(2);
    }

    function test_only_the_publisher_publishes_and_only_what_fits() external {
        address stranger = makeAddr("stranger");
        vm.expectRevert(abi.encodeWithSelector(MockAggregator.PublisherUnauthorised.selector, stranger));
        vm.prank(stranger);
        feed.publish(1, 1);
        vm.expectPartialRevert(MockAggregator.RoundTooLarge.selector);
        feed.publish(type(int256).max, 1);
        vm.expectPartialRevert(MockAggregator.RoundTooLarge.selector);
        feed.publish(1, type(uint256).max);
    }
}

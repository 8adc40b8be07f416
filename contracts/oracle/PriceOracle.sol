// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IAggregatorV3} from "../interfaces/IAggregatorV3.sol";
import {IPriceOracle} from "../interfaces/IPriceOracle.sol";

/// @title Price oracle over Chainlink feeds
/// @notice See `IPriceOracle`. A price passes or the call reverts with the figures that refuse it: a caller never has
/// to ask whether the number it got is good.
contract PriceOracle is IPriceOracle, AccessManaged {
    /// @dev A feed and its scale, in two slots.
    /// @param decimals Of the feed's answers, read once when it was set.
    struct FeedData {
        address aggregator;
        uint32 maxAge;
        uint8 decimals;
        int128 minAnswer;
        int128 maxAnswer;
    }

    /// @dev Decimals of the prices given out.
    uint8 private constant PRICE_DECIMALS = 18;
    /// @dev Largest upper bound of a feed: a billion quote units per token. With it no valuation can overflow.
    uint256 private constant MAX_PRICE = 1e27;
    /// @dev Bytes of `latestRoundData`'s answer.
    uint256 private constant ROUND_SIZE = 160;

    mapping(address token => FeedData) private _feeds;

    /// @param authority AccessManager that governs.
    constructor(address authority) AccessManaged(authority) {}

    /// @inheritdoc IPriceOracle
    function setFeed(address token, Feed calldata feed_) external restricted {
        if (token == address(0)) revert FeedRefused(token, "no token");
        if (feed_.aggregator.code.length == 0) revert FeedRefused(token, "no code");
        if (feed_.maxAge == 0) revert FeedRefused(token, "zero age");
        if (feed_.minAnswer >= feed_.maxAnswer) revert FeedRefused(token, "bounds reversed");
        uint8 decimals = IAggregatorV3(feed_.aggregator).decimals();
        if (decimals > PRICE_DECIMALS) revert FeedRefused(token, "decimals");
        if (feed_.maxAnswer <= 0 || _scaled(uint128(feed_.maxAnswer), decimals) > MAX_PRICE) {
            revert FeedRefused(token, "upper bound");
        }
        _feeds[token] = FeedData(feed_.aggregator, feed_.maxAge, decimals, feed_.minAnswer, feed_.maxAnswer);
        emit FeedSet(token, feed_, decimals);
    }

    /// @inheritdoc IPriceOracle
    /// @dev Exact: a feed has at most 18 decimals, so scaling only multiplies.
    function price(address token) external view returns (uint256) {
        FeedData memory data = _feeds[token];
        if (data.aggregator == address(0)) revert FeedMissing(token);
        (int256 answer, uint256 updatedAt) = _latest(token, data.aggregator);
        if (answer <= 0) revert PriceNotPositive(token, answer);
        if (answer <= data.minAnswer || answer >= data.maxAnswer) {
            revert PriceClamped(token, answer, data.minAnswer, data.maxAnswer);
        }
        if (updatedAt > block.timestamp || block.timestamp - updatedAt > data.maxAge) {
            revert PriceStale(token, updatedAt, data.maxAge);
        }
        return _scaled(uint256(answer), data.decimals);
    }

    /// @inheritdoc IPriceOracle
    function feed(address token) external view returns (Feed memory) {
        FeedData memory data = _feeds[token];
        return Feed(data.aggregator, data.maxAge, data.minAnswer, data.maxAnswer);
    }

    /// @dev The latest round, or `FeedUnreadable`. Read by hand, because a `try` reverts on its own where the answer
    /// does not decode; of a longer answer only the round is copied.
    function _latest(address token, address aggregator) private view returns (int256 answer, uint256 updatedAt) {
        bytes memory request = abi.encodeCall(IAggregatorV3.latestRoundData, ());
        bool success;
        uint256 roundId;
        assembly ("memory-safe") {
            let answerAt := mload(0x40)
            success := staticcall(gas(), aggregator, add(request, 0x20), mload(request), answerAt, ROUND_SIZE)
            success := and(success, iszero(lt(returndatasize(), ROUND_SIZE)))
            roundId := mload(answerAt)
            answer := mload(add(answerAt, 0x20))
            updatedAt := mload(add(answerAt, 0x60))
        }
        bool isRound = success && roundId != 0 && roundId <= type(uint80).max && updatedAt != 0;
        if (!isRound) revert FeedUnreadable(token, aggregator);
    }

    /// @dev A raw answer in WAD.
    function _scaled(uint256 answer, uint8 decimals) private pure returns (uint256) {
        return answer * 10 ** (PRICE_DECIMALS - decimals);
    }
}

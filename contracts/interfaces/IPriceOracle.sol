// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Price oracle over Chainlink's AggregatorV3Interface
/// @dev A price is refused by reverting, so that nothing acts on a bad one.
interface IPriceOracle {
    /// @notice Where a token's price comes from.
    /// @param aggregator Chainlink feed, quoted in US dollars.
    /// @param maxAge Heartbeat plus grace, seconds; an older answer is refused.
    /// @param minAnswer Answers at or below are clamped, hence refused (raw feed units).
    /// @param maxAnswer Answers at or above are clamped, hence refused (raw feed units).
    struct Feed {
        address aggregator;
        uint32 maxAge;
        int128 minAnswer;
        int128 maxAnswer;
    }

    /// @notice The feed of a token was set.
    event FeedSet(address indexed token, Feed feed, uint8 feedDecimals);

    /// @notice Thrown when a token has no feed.
    error FeedMissing(address token);
    /// @notice Thrown when a feed cannot be used: no code, more than 18 decimals, bounds reversed, zero age.
    error FeedRefused(address token, bytes32 reason);
    /// @notice Thrown when the answer is older than `maxAge` or dated in the future.
    error PriceStale(address token, uint256 updatedAt, uint256 maxAge);
    /// @notice Thrown when the answer is zero or negative.
    error PriceNotPositive(address token, int256 answer);
    /// @notice Thrown when the answer sits at or beyond a bound of the feed.
    error PriceClamped(address token, int256 answer, int256 minAnswer, int256 maxAnswer);
    /// @notice Thrown when the feed itself reverts, or answers something that is no round.
    error FeedUnreadable(address token, address aggregator);

    /// @notice Sets the feed of a token (AccessManager).
    function setFeed(address token, Feed calldata feed) external;
    /// @notice Price now, WAD quote units per whole token, rounded down. Reverts when refused.
    function price(address token) external view returns (uint256);
    /// @notice The feed of a token.
    function feed(address token) external view returns (Feed memory);
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Price oracle over Chainlink's AggregatorV3Interface
/// @notice Each token has one source, or two that must agree. A price is refused by reverting, so that nothing acts on
/// a bad one: there is no second choice that somebody could provoke.
interface IPriceOracle {
    /// @notice Where a token's price comes from.
    /// @param aggregator Chainlink feed, quoted in US dollars.
    /// @param maxAge Heartbeat plus grace, seconds, below 2^24; an older answer is refused.
    /// @param minAnswer Answers at or below are clamped, hence refused (raw feed units, not negative).
    /// @param maxAnswer Answers at or above are clamped, hence refused (raw feed units). Bounds have at most five
    /// significant digits, or six below 262,144, so that a source fits in one slot.
    struct Feed {
        address aggregator;
        uint32 maxAge;
        int128 minAnswer;
        int128 maxAnswer;
    }

    /// @notice The feed of a token was set.
    event FeedSet(address indexed token, Feed feed, uint8 feedDecimals);
    /// @notice The second source of a token was set; no aggregator and no deviation: it has none.
    event SecondarySet(address indexed token, Feed feed, uint8 feedDecimals, uint16 maxDeviationBps);

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
    /// @notice Thrown when the feed itself reverts, uses more gas than a feed needs, or answers something that is no
    /// round.
    error FeedUnreadable(address token, address aggregator);
    /// @notice Thrown when the two sources of a token are further apart than allowed (WAD prices).
    error SourcesDisagree(address token, uint256 price, uint256 secondPrice, uint256 maxDeviationBps);
    /// @notice Thrown while the chain's sequencer is down, and for a grace period after it came back.
    error SequencerDown(uint256 upSince, uint256 grace);

    /// @notice Sets the feed of a token (AccessManager). A second source stays.
    function setFeed(address token, Feed calldata feed) external;

    /// @notice Sets the second source of a token and how far from the first it may be, basis points of the first; with
    /// no aggregator and zero basis points takes it away (AccessManager).
    function setSecondary(address token, Feed calldata feed, uint16 maxDeviationBps) external;

    /// @notice Price now, WAD quote units per whole token, rounded down: the first source's, which the second only
    /// confirms. Reverts when either is refused or they disagree.
    function price(address token) external view returns (uint256);

    /// @notice How far the latest round of the first source fell below the round before it, for a circuit breaker.
    /// @dev Judges neither age nor bounds. Where the feed does not know the round before, nothing fell.
    /// @return dropBps Basis points of the earlier answer, rounded down; zero where the price rose.
    /// @return updatedAt When the latest round was observed, unix seconds.
    function lastDrop(address token) external view returns (uint256 dropBps, uint256 updatedAt);

    /// @notice The feed of a token.
    function feed(address token) external view returns (Feed memory);

    /// @notice The second source of a token; without an aggregator where it has none.
    function secondary(address token) external view returns (Feed memory, uint16 maxDeviationBps);

    /// @notice Since when the chain's sequencer has been up, unix seconds; zero on a chain without one.
    /// @dev Reverts with `SequencerDown` while it is down.
    function upSince() external view returns (uint256);
}

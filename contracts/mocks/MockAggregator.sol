// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAggregatorV3} from "../interfaces/IAggregatorV3.sol";

/// @title A Chainlink feed whose rounds one account publishes
/// @notice For local networks and tests. Rounds are numbered from 1, kept, and read as Chainlink's are.
contract MockAggregator is IAggregatorV3 {
    /// @dev One answer, in one slot, as in Chainlink's own aggregators.
    struct Round {
        int192 answer;
        uint64 updatedAt;
    }

    /// @notice A round was published.
    event AnswerUpdated(int256 indexed current, uint256 indexed roundId, uint256 updatedAt);

    /// @notice Thrown when someone else than the publisher publishes.
    error PublisherUnauthorised(address caller);
    /// @notice Thrown when an answer or a time does not fit a round.
    error RoundTooLarge(int256 answer, uint256 updatedAt);
    /// @notice Thrown when a round does not exist.
    error RoundMissing(uint256 roundId);

    /// @inheritdoc IAggregatorV3
    uint8 public immutable decimals;
    /// @notice Who publishes.
    address public immutable publisher;
    /// @notice What the feed prices.
    string public description;
    Round[] private _rounds;

    /// @param decimals_ Decimals of the answers. @param description_ What is priced. @param publisher_ Who publishes.
    constructor(uint8 decimals_, string memory description_, address publisher_) {
        decimals = decimals_;
        description = description_;
        publisher = publisher_;
    }

    /// @notice Publishes a round: an answer, and when it was observed (unix seconds). Nothing about either is checked,
    /// so that a bad feed can be played too.
    function publish(int256 answer, uint256 updatedAt) external {
        if (msg.sender != publisher) revert PublisherUnauthorised(msg.sender);
        if (answer != int192(answer) || updatedAt != uint64(updatedAt)) revert RoundTooLarge(answer, updatedAt);
        _rounds.push(Round(int192(answer), uint64(updatedAt)));
        emit AnswerUpdated(answer, _rounds.length, updatedAt);
    }

    /// @inheritdoc IAggregatorV3
    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return _round(_rounds.length);
    }

    /// @inheritdoc IAggregatorV3
    function getRoundData(uint80 roundId) external view returns (uint80, int256, uint256, uint256, uint80) {
        return _round(roundId);
    }

    /// @notice Version of Chainlink's interface.
    function version() external pure returns (uint256) {
        return 4;
    }

    function _round(uint256 roundId) private view returns (uint80, int256, uint256, uint256, uint80) {
        if (roundId == 0 || roundId > _rounds.length) revert RoundMissing(roundId);
        Round memory round = _rounds[roundId - 1];
        return (uint80(roundId), round.answer, round.updatedAt, round.updatedAt, uint80(roundId));
    }
}

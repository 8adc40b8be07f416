// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {AggregatorRead} from "../libraries/AggregatorRead.sol";
import {FeedOracle} from "./FeedOracle.sol";

/// @title Price oracle of a chain that one sequencer orders
/// @notice See `IPriceOracle`. While the sequencer is down, and for a grace period after it came back, no price is
/// given: those who could not reach the chain get time to act before anyone acts on them.
/// @dev Feed and grace are of the code, so that a price costs no storage read for them; the clearing house can change
/// its oracle.
contract SequencedPriceOracle is FeedOracle {
    /// @notice Chainlink's uptime feed: answer 0 while the sequencer is up, `startedAt` when that last changed.
    address public immutable sequencer;
    /// @notice Seconds after a restart in which no price is given.
    uint256 public immutable grace;

    /// @param authority AccessManager that governs.
    /// @param sequencer_ Uptime feed.
    /// @param grace_ Seconds.
    constructor(address authority, address sequencer_, uint256 grace_) AccessManaged(authority) {
        if (sequencer_.code.length == 0) revert FeedRefused(address(0), "no code");
        (sequencer, grace) = (sequencer_, grace_);
    }

    /// @inheritdoc IPriceOracle
    function upSince() public view override returns (uint256) {
        (bool known, AggregatorRead.Round memory round) = AggregatorRead.latest(sequencer);
        if (!known) revert FeedUnreadable(address(0), sequencer);
        bool up = round.answer == 0 && round.startedAt != 0 && round.startedAt <= block.timestamp;
        if (!up || block.timestamp - round.startedAt < grace) revert SequencerDown(up ? round.startedAt : 0, grace);
        return round.startedAt;
    }
}

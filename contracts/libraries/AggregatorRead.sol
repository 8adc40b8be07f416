// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAggregatorV3} from "../interfaces/IAggregatorV3.sol";

/// @title Reading a Chainlink feed that may answer anything
/// @dev By hand, because a `try` reverts on its own where the answer does not decode. A feed gets the gas that the
/// dearest known one needs several times over, and of a longer answer only the round is copied: a broken feed fails by
/// itself and takes nothing else along.
library AggregatorRead {
    /// @notice One round of a feed.
    struct Round {
        uint80 id;
        int256 answer;
        uint256 startedAt;
        uint256 updatedAt;
    }

    /// @dev Gas for one reading; a Chainlink proxy uses about 15,000 with everything cold.
    uint256 private constant READ_GAS = 100_000;
    /// @dev Bytes of a round, and of the requests without and with a number.
    uint256 private constant ROUND_SIZE = 160;
    uint256 private constant LATEST_SIZE = 4;
    uint256 private constant NUMBERED_SIZE = 36;

    /// @dev What a price needs of the latest round; `known` is false where there is none.
    function latestAnswer(address aggregator) internal view returns (bool known, int256 answer, uint256 updatedAt) {
        (known,, answer,, updatedAt) = _read(aggregator, LATEST_SIZE, IAggregatorV3.latestRoundData.selector, 0);
    }

    /// @dev The latest round; `known` is false where there is none.
    function latest(address aggregator) internal view returns (bool known, Round memory result) {
        (known, result.id, result.answer, result.startedAt, result.updatedAt) =
            _read(aggregator, LATEST_SIZE, IAggregatorV3.latestRoundData.selector, 0);
    }

    /// @dev A round by its id; `known` is false where there is none.
    function round(address aggregator, uint80 id) internal view returns (bool known, Round memory result) {
        (known, result.id, result.answer, result.startedAt, result.updatedAt) =
            _read(aggregator, NUMBERED_SIZE, IAggregatorV3.getRoundData.selector, id);
    }

    /// @dev The request, `size` bytes, is written to scratch space. Where a feed answers less than a round, what is
    /// read as one is not looked at.
    function _read(address aggregator, uint256 size, bytes4 selector, uint256 argument)
        private
        view
        returns (bool known, uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt)
    {
        uint256 roundId;
        assembly ("memory-safe") {
            let answerAt := mload(0x40)
            mstore(0x00, selector)
            mstore(0x04, argument)
            known := staticcall(READ_GAS, aggregator, 0x00, size, answerAt, ROUND_SIZE)
            known := and(known, iszero(lt(returndatasize(), ROUND_SIZE)))
            roundId := mload(answerAt)
            answer := mload(add(answerAt, 0x20))
            startedAt := mload(add(answerAt, 0x40))
            updatedAt := mload(add(answerAt, 0x60))
        }
        known = known && roundId != 0 && roundId <= type(uint80).max && updatedAt != 0;
        id = uint80(roundId);
    }
}

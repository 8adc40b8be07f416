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
    /// @dev Bytes of a round.
    uint256 private constant ROUND_SIZE = 160;

    /// @dev The latest round; `known` is false where there is none.
    function latest(address aggregator) internal view returns (bool known, Round memory) {
        return _read(aggregator, abi.encodeCall(IAggregatorV3.latestRoundData, ()));
    }

    /// @dev A round by its id; `known` is false where there is none.
    function round(address aggregator, uint80 id) internal view returns (bool known, Round memory) {
        return _read(aggregator, abi.encodeCall(IAggregatorV3.getRoundData, (id)));
    }

    function _read(address aggregator, bytes memory request) private view returns (bool known, Round memory result) {
        uint256 id;
        (int256 answer, uint256 startedAt, uint256 updatedAt) = (0, 0, 0);
        assembly ("memory-safe") {
            let answerAt := mload(0x40)
            known := staticcall(READ_GAS, aggregator, add(request, 0x20), mload(request), answerAt, ROUND_SIZE)
            known := and(known, iszero(lt(returndatasize(), ROUND_SIZE)))
            id := mload(answerAt)
            answer := mload(add(answerAt, 0x20))
            startedAt := mload(add(answerAt, 0x40))
            updatedAt := mload(add(answerAt, 0x60))
        }
        known = known && id != 0 && id <= type(uint80).max && updatedAt != 0;
        if (known) result = Round(uint80(id), answer, startedAt, updatedAt);
    }
}

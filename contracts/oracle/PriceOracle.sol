// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {FeedOracle} from "./FeedOracle.sol";

/// @title Price oracle of a chain whose blocks many parties build
/// @notice See `IPriceOracle`. On a chain with one sequencer use `SequencedPriceOracle`.
contract PriceOracle is FeedOracle {
    /// @param authority AccessManager that governs.
    constructor(address authority) AccessManaged(authority) {}

    /// @inheritdoc IPriceOracle
    function upSince() public pure override returns (uint256) {
        return 0;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {EngineReadings} from "./EngineReadings.sol";

/// @title How a walk over the engine moves the oracle's prices
abstract contract PriceMoves is EngineReadings {
    /// @dev All prices back where they began.
    function _recover() internal {
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            _publish(assetId, _center(assetId));
        }
    }

    function _center(uint8 assetId) internal pure returns (int256) {
        return assetId == WETH ? int256(2_000e8) : assetId == WBTC ? int256(60_000e8) : int256(1e8);
    }

    /// @dev What an account holds loses three quarters of its value: it is insolvent at the oracle's prices.
    function _sink(address account) internal {
        uint8[] memory held = _held(account);
        for (uint256 i = 0; i < held.length; ++i) {
            (, int256 answer,,,) = feeds[held[i]].latestRoundData();
            _publish(held[i], answer / 4);
        }
    }

    /// @dev The oracle refuses an asset's price from now on.
    /// @return answer The price before, as the feed gives it.
    function _unprice(uint8 assetId) internal returns (int256 answer) {
        (, answer,,,) = feeds[assetId].latestRoundData();
        _publish(assetId, 0);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../../contracts/interfaces/IClearingHouse.sol";
import {EngineFixture} from "../../support/forge/EngineFixture.sol";

/// @title What a campaign on the engine needs to know of its accounts
abstract contract EngineReadings is EngineFixture {
    /// @dev Collaterals that are not owed as well, which a kick would net.
    function _held(address account) internal view returns (uint8[] memory ids) {
        (uint64 collaterals, uint64 debts,,,) = house.accountInfo(account);
        collaterals &= ~debts;
        uint256 count;
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            if (collaterals >> assetId & 1 == 1) ++count;
        }
        ids = new uint8[](count);
        for (uint8 assetId = 3; assetId > 0; --assetId) {
            if (collaterals >> (assetId - 1) & 1 == 1) ids[--count] = assetId - 1;
        }
    }

    function _price(uint8 assetId) internal view returns (uint256) {
        return oracle.price(address(tokens[assetId]));
    }

    /// @dev Value of a token unit, rounded up.
    function _unitValue(uint8 assetId) internal view returns (uint256) {
        return _price(assetId) / 10 ** tokens[assetId].decimals() + 1;
    }

    /// @dev Token units worth `value` whole quote units.
    function _amountOf(uint256 assetId, uint256 value) internal view returns (uint256) {
        return value * 1e18 * 10 ** tokens[assetId].decimals() / _price(uint8(assetId));
    }

    /// @dev Debt that the borrow limit still allows, token units.
    function _roomToBorrow(address account, uint8 debtId) internal view returns (uint256) {
        IClearingHouse.AccountState memory state = house.accountState(account);
        uint256 limit;
        for (uint256 i = 0; i < state.legs.length; ++i) {
            uint256 maxLtv = house.assetParameters(state.legs[i].assetId).maxLtvBps;
            limit += state.legs[i].collateralValue * maxLtv / 10_000;
        }
        if (limit <= state.weightedDebt) return 0;
        uint256 weight = house.assetParameters(debtId).debtWeightBps;
        uint256 value = (limit - state.weightedDebt) * 10_000 / weight;
        return value * 10 ** tokens[debtId].decimals() / _price(debtId);
    }
}

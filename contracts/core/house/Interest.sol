// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {InterestRate} from "../../libraries/InterestRate.sol";
import {SharesMath} from "../../libraries/SharesMath.sol";
import {WadMath} from "../../libraries/WadMath.sol";
import {HouseStorage} from "./HouseStorage.sol";

/// @title How debt grows
/// @dev Interest is added to the debt of a pool; the reserve's part of it is set aside, the rest is the suppliers'.
abstract contract Interest is HouseStorage {
    using SharesMath for uint256;
    using WadMath for uint256;

    /// @dev Adds interest since the last accrual, and writes it down.
    function _accrue(uint8 assetId, AssetData storage data) internal {
        if (data.lastAccrual != block.timestamp) _store(data, _load(assetId, data));
    }

    /// @dev A pool with interest up to now, to be written by `_store` before anything is called. The event comes even
    /// with no interest, because the moment from which the next interest runs must be known from logs.
    function _load(uint8 assetId, AssetData storage data) internal returns (Pool memory pool) {
        bool accrued = data.lastAccrual == block.timestamp;
        uint256 interest;
        uint256 toReserve;
        (pool, interest, toReserve) = _poolNow(data);
        if (accrued) return pool;
        emit IClearingHouse.InterestAccrued(assetId, interest, toReserve, uint40(block.timestamp));
    }

    /// @dev Writes a pool that `_load` gave in this transaction.
    function _store(AssetData storage data, Pool memory pool) internal {
        data.totalSupplyAssets = pool.supplied.toUint112();
        data.totalBorrowAssets = pool.borrowed.toUint112();
        data.lastAccrual = uint32(block.timestamp);
        data.totalBorrowShares = pool.borrowShares.toUint128();
        data.reserveAssets = pool.reserve.toUint128();
    }

    /// @dev A pool with interest up to now, the interest since the last accrual, and the reserve's part of it.
    /// Rounding: interest UP, in favour of the pool; the reserve's part DOWN, in favour of the suppliers.
    function _poolNow(AssetData storage data)
        internal
        view
        returns (Pool memory pool, uint256 interest, uint256 toReserve)
    {
        (pool.supplied, pool.borrowed) = (data.totalSupplyAssets, data.totalBorrowAssets);
        (pool.borrowShares, pool.reserve) = (data.totalBorrowShares, data.reserveAssets);
        interest = _interest(data, pool.supplied, pool.borrowed);
        if (interest == 0) return (pool, 0, 0);
        toReserve = interest.bpsDown(data.reserveFactorBps);
        unchecked {
            // amounts of 112 bits that grow, by the bounds of rates and of time, less than 2^40 fold
            pool.borrowed += interest;
            pool.supplied += interest - toReserve;
            pool.reserve += toReserve;
        }
    }

    /// @dev Interest on `borrowed` since the last accrual, rounded UP, in favour of the pool.
    function _interest(AssetData storage data, uint256 supplied, uint256 borrowed) private view returns (uint256) {
        uint256 elapsed = block.timestamp - data.lastAccrual;
        if (borrowed == 0 || elapsed == 0) return 0;
        uint256 rate = InterestRate.borrowRate(_rateModel(data), supplied, borrowed);
        return borrowed.mulUp(InterestRate.growthUp(rate, elapsed));
    }

    /// @dev What `shares` of debt owe now, interest included, rounded UP. Needs no accrual before it.
    function _debtAssets(AssetData storage data, uint256 shares) internal view returns (uint256) {
        if (shares == 0) return 0;
        uint256 borrowed = data.totalBorrowAssets;
        borrowed += _interest(data, data.totalSupplyAssets, borrowed);
        return shares.toAssetsUp(borrowed, data.totalBorrowShares);
    }

    /// @dev The rate model of an asset, out of its slot.
    function _rateModel(AssetData storage data) internal view returns (IClearingHouse.RateModel memory model) {
        (model.baseRateBps, model.kinkRateBps) = (data.baseRateBps, data.kinkRateBps);
        (model.fullRateBps, model.kinkBps) = (data.fullRateBps, data.kinkBps);
    }
}

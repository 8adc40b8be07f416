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

    /// @dev Adds interest since the last accrual. The event comes even with no interest, because the moment from which
    /// the next interest runs must be known from logs.
    function _accrue(uint8 assetId, AssetData storage data) internal {
        if (data.lastAccrual == block.timestamp) return;
        (uint256 interest, uint256 toReserve) = _pendingInterest(data);
        data.lastAccrual = uint32(block.timestamp);
        data.totalBorrowAssets += interest.toUint112();
        data.totalSupplyAssets += (interest - toReserve).toUint112();
        if (toReserve != 0) data.reserveAssets += toReserve.toUint128();
        emit IClearingHouse.InterestAccrued(assetId, interest, toReserve, uint40(block.timestamp));
    }

    /// @dev Interest since the last accrual and the reserve's part of it. Rounding: interest UP, in favour of the pool;
    /// the reserve's part DOWN, in favour of the suppliers.
    function _pendingInterest(AssetData storage data) internal view returns (uint256 interest, uint256 toReserve) {
        uint256 borrowed = data.totalBorrowAssets;
        uint256 elapsed = block.timestamp - data.lastAccrual;
        if (borrowed == 0 || elapsed == 0) return (0, 0);
        uint256 rate = InterestRate.borrowRate(_rateModel(data), data.totalSupplyAssets, borrowed);
        interest = borrowed.mulUp(InterestRate.growthUp(rate, elapsed));
        toReserve = interest.bpsDown(data.reserveFactorBps);
    }

    /// @dev What `shares` of debt owe now, interest included, rounded UP. Needs no accrual before it.
    function _debtAssets(AssetData storage data, uint256 shares) internal view returns (uint256) {
        if (shares == 0) return 0;
        (uint256 interest,) = _pendingInterest(data);
        return shares.toAssetsUp(data.totalBorrowAssets + interest, data.totalBorrowShares);
    }

    /// @dev The rate model of an asset, out of its slot.
    function _rateModel(AssetData storage data) internal view returns (IClearingHouse.RateModel memory) {
        return IClearingHouse.RateModel({
            baseRateBps: data.baseRateBps,
            kinkRateBps: data.kinkRateBps,
            fullRateBps: data.fullRateBps,
            kinkBps: data.kinkBps
        });
    }
}

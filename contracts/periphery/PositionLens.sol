// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DynamicBufferLib} from "solady/utils/DynamicBufferLib.sol";

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IPositionLens} from "../interfaces/IPositionLens.sol";
import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {AssetBitmap} from "../libraries/AssetBitmap.sol";

/// @title Packed batch reads for keepers
/// @notice See `IPositionLens` for the layout: no padding and no offsets, so that a reader cuts it by width.
contract PositionLens is IPositionLens {
    using AssetBitmap for uint64;
    using DynamicBufferLib for DynamicBufferLib.DynamicBuffer;

    IClearingHouse public immutable clearingHouse;

    /// @param clearingHouse_ The clearing house that is read.
    constructor(address clearingHouse_) {
        clearingHouse = IClearingHouse(clearingHouse_);
    }

    /// @inheritdoc IPositionLens
    function positions(address[] calldata accounts) external view returns (bytes memory) {
        DynamicBufferLib.DynamicBuffer memory buffer;
        for (uint256 i = 0; i < accounts.length; ++i) {
            _appendAccount(buffer, accounts[i]);
        }
        return buffer.data;
    }

    /// @inheritdoc IPositionLens
    function markets() external view returns (bytes memory) {
        DynamicBufferLib.DynamicBuffer memory buffer;
        uint8 count = clearingHouse.assetCount();
        for (uint8 assetId = 0; assetId < count; ++assetId) {
            IClearingHouse.Market memory market = clearingHouse.market(assetId);
            buffer.p(
                abi.encodePacked(
                    market.totalSupplyAssets,
                    market.totalSupplyShares,
                    market.totalBorrowAssets,
                    market.totalBorrowShares,
                    market.cash,
                    market.collateralAssets,
                    market.reserveAssets,
                    market.creditAssets,
                    _price(assetId)
                )
            );
        }
        return buffer.data;
    }

    function _appendAccount(DynamicBufferLib.DynamicBuffer memory buffer, address account) private view {
        (uint64 collaterals, uint64 debts, uint32 epoch, bool flagged,) = clearingHouse.accountInfo(account);
        buffer.p(abi.encodePacked(collaterals, debts, epoch, flagged));
        for (; collaterals != 0; collaterals = collaterals.withoutLowest()) {
            (uint128 collateral,) = clearingHouse.balanceOf(account, collaterals.lowest());
            buffer.pUint128(collateral);
        }
        for (; debts != 0; debts = debts.withoutLowest()) {
            (, uint128 debtShares) = clearingHouse.balanceOf(account, debts.lowest());
            buffer.pUint128(debtShares);
        }
    }

    /// @dev Price of an asset, zero where the oracle refuses it or the figure does not fit: a reader must not act on
    /// either.
    function _price(uint8 assetId) private view returns (uint128) {
        (address token,) = clearingHouse.asset(assetId);
        address oracle = clearingHouse.oracle();
        if (oracle.code.length == 0) return 0;
        try IPriceOracle(oracle).price(token) returns (uint256 price) {
            return price > type(uint128).max ? 0 : uint128(price);
        } catch (bytes memory) {
            return 0;
        }
    }
}

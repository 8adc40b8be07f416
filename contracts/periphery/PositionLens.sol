// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IUniswapV3Pool} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Pool.sol";
import {DynamicBufferLib} from "solady/utils/DynamicBufferLib.sol";
import {LibBit} from "solady/utils/LibBit.sol";

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IPositionLens} from "../interfaces/IPositionLens.sol";
import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {AssetBitmap} from "../libraries/AssetBitmap.sol";

/// @title Packed batch reads for keepers
/// @notice See `IPositionLens` for the layouts.
/// @dev `positions` is what a keeper's first load waits for, so it writes into one buffer by hand: a high-level call
/// would allocate memory that is never freed, whose price grows with the square of what is asked.
contract PositionLens is IPositionLens {
    using AssetBitmap for uint64;
    using DynamicBufferLib for DynamicBufferLib.DynamicBuffer;

    /// @dev Bytes of what every account has, and of an amount.
    uint256 private constant HEADER = 26;
    uint256 private constant AMOUNT = 16;

    IClearingHouse public immutable clearingHouse;

    /// @param clearingHouse_ The clearing house that is read.
    constructor(address clearingHouse_) {
        clearingHouse = IClearingHouse(clearingHouse_);
    }

    /// @inheritdoc IPositionLens
    function positions(address[] calldata accounts) external view returns (bytes memory packed) {
        uint256 largest = HEADER + 2 * AMOUNT * clearingHouse.assetCount();
        packed = new bytes(accounts.length * largest + 32); // a word beyond, because amounts are written as words
        uint256 start;
        assembly ("memory-safe") {
            start := add(packed, 0x20)
        }
        uint256 end = start;
        for (uint256 i = 0; i < accounts.length; ++i) {
            end = _appendAccount(end, accounts[i]);
        }
        assembly ("memory-safe") {
            mstore(packed, sub(end, start))
        }
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

    /// @inheritdoc IPositionLens
    function ticks(address pool, int16 firstWord, int16 lastWord) external view returns (bytes memory) {
        IUniswapV3Pool source = IUniswapV3Pool(pool);
        (uint160 sqrtPriceX96, int24 tick,,,,,) = source.slot0();
        DynamicBufferLib.DynamicBuffer memory buffer;
        buffer.p(abi.encodePacked(sqrtPriceX96, tick, source.liquidity()));
        int24 spacing = source.tickSpacing();
        for (int256 word = firstWord; word <= lastWord; ++word) {
            uint256 map = source.tickBitmap(int16(word));
            for (; map != 0; map &= map - 1) {
                int24 tickAt = int24(word * 256 + int256(LibBit.ffs(map))) * spacing;
                (uint128 gross, int128 net,,,,,,) = source.ticks(tickAt);
                buffer.p(abi.encodePacked(tickAt, gross, net));
            }
        }
        return buffer.data;
    }

    // ------------------------------------------------------------------ accounts

    /// @dev Writes an account at `end` and returns the new end. The buffer has room for all assets on both sides.
    function _appendAccount(uint256 end, address account) private view returns (uint256) {
        (uint64 collaterals, uint64 debts) = _writeHeader(end, account);
        end += HEADER;
        for (; collaterals != 0; collaterals = collaterals.withoutLowest()) {
            (uint256 collateral,) = _balances(account, collaterals.lowest());
            end = _writeAmount(end, collateral);
        }
        for (; debts != 0; debts = debts.withoutLowest()) {
            (, uint256 debtShares) = _balances(account, debts.lowest());
            end = _writeAmount(end, debtShares);
        }
        return end;
    }

    /// @dev The 26 bytes of bitmaps, epoch, flag and block, at the upper end of one word.
    function _writeHeader(uint256 end, address account) private view returns (uint64 collaterals, uint64 debts) {
        bytes4 selector = IClearingHouse.accountInfo.selector;
        address house = address(clearingHouse);
        assembly ("memory-safe") {
            let scratch := mload(0x40)
            mstore(scratch, selector)
            mstore(add(scratch, 0x04), account)
            if iszero(staticcall(gas(), house, scratch, 0x24, scratch, 0xa0)) {
                returndatacopy(scratch, 0, returndatasize())
                revert(scratch, returndatasize())
            }
            collaterals := mload(scratch)
            debts := mload(add(scratch, 0x20))
            let header := or(shl(192, collaterals), shl(128, debts))
            header := or(header, shl(96, mload(add(scratch, 0x40))))
            header := or(header, shl(88, mload(add(scratch, 0x60))))
            mstore(end, or(header, shl(48, mload(add(scratch, 0x80)))))
        }
    }

    function _balances(address account, uint8 assetId) private view returns (uint256 collateral, uint256 debtShares) {
        bytes4 selector = IClearingHouse.balanceOf.selector;
        address house = address(clearingHouse);
        assembly ("memory-safe") {
            let scratch := mload(0x40)
            mstore(scratch, selector)
            mstore(add(scratch, 0x04), account)
            mstore(add(scratch, 0x24), assetId)
            if iszero(staticcall(gas(), house, scratch, 0x44, scratch, 0x40)) {
                returndatacopy(scratch, 0, returndatasize())
                revert(scratch, returndatasize())
            }
            collateral := mload(scratch)
            debtShares := mload(add(scratch, 0x20))
        }
    }

    function _writeAmount(uint256 end, uint256 amount) private pure returns (uint256) {
        assembly ("memory-safe") {
            mstore(end, shl(128, amount))
        }
        return end + AMOUNT;
    }

    // ------------------------------------------------------------------ prices

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

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IUniswapV3Pool} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Pool.sol";

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {PositionLens} from "../../contracts/periphery/PositionLens.sol";
import {FaucetToken} from "../../contracts/mocks/FaucetToken.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";
import {UniswapV3Pools} from "../support/forge/UniswapV3Pools.sol";

/// @title The packed layout that keepers cut by width
contract PositionLensTest is EngineFixture {
    PositionLens private _lens;

    function setUp() public override {
        super.setUp();
        _lens = new PositionLens(address(house));
    }

    function test_an_unknown_account_takes_26_bytes_of_zeros() external view {
        assertEq(_lens.positions(_accounts(taker)), new bytes(26));
    }

    function test_no_accounts_give_nothing() external view {
        assertEq(_lens.positions(new address[](0)), "");
    }

    function test_an_account_is_packed_as_documented() external {
        _deposit(borrower, WETH, 10 * ONE_WETH);
        _deposit(borrower, WBTC, ONE_WBTC);
        _borrow(borrower, USDC, 50_000 * ONE_USDC);
        (, uint128 debtShares) = house.balanceOf(borrower, USDC);
        bytes memory expected = abi.encodePacked(
            uint64(1 << WETH | 1 << WBTC),
            uint64(1 << USDC),
            uint32(0),
            false,
            uint40(block.number),
            uint128(10 * ONE_WETH),
            uint128(ONE_WBTC),
            debtShares
        );
        assertEq(_lens.positions(_accounts(borrower)), expected);
    }

    function test_flag_and_epoch_are_told() external {
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        _publish(WETH, 2_000e8);
        engine.clear(borrower);
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        (, uint128 debtShares) = house.balanceOf(borrower, USDC);
        (,,,, uint40 riskBlock) = house.accountInfo(borrower);
        bytes memory expected = abi.encodePacked(
            uint64(1 << WETH), uint64(1 << USDC), uint32(1), true, riskBlock, uint128(10 * ONE_WETH), debtShares
        );
        assertEq(_lens.positions(_accounts(borrower)), expected);
    }

    function test_accounts_stand_in_the_order_given() external {
        _openLong();
        address[] memory accounts = new address[](3);
        (accounts[0], accounts[1], accounts[2]) = (taker, borrower, taker);
        bytes memory single = _lens.positions(_accounts(borrower));
        assertEq(_lens.positions(accounts), bytes.concat(new bytes(26), single, new bytes(26)));
    }

    function test_a_thousand_accounts_are_read_in_one_call() external {
        _openLong();
        address[] memory accounts = new address[](1_000);
        for (uint256 i = 0; i < accounts.length; ++i) {
            accounts[i] = borrower;
        }
        uint256 width = _lens.positions(_accounts(borrower)).length;
        assertEq(_lens.positions(accounts).length, 1_000 * width);
        assertLt(vm.lastCallGas().gasTotalUsed, 10_000_000);
    }

    function test_markets_are_packed_as_documented() external {
        _openLong();
        bytes memory expected;
        uint128[3] memory prices = [uint128(2_000e18), 60_000e18, 1e18];
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            IClearingHouse.Market memory market = house.market(assetId);
            expected = bytes.concat(
                expected,
                abi.encodePacked(market.totalSupplyAssets, market.totalSupplyShares, market.totalBorrowAssets),
                abi.encodePacked(market.totalBorrowShares, market.cash, market.collateralAssets),
                abi.encodePacked(market.reserveAssets, market.creditAssets, prices[assetId])
            );
        }
        assertEq(_lens.markets(), expected);
        assertEq(expected.length, 3 * 9 * 16);
    }

    function test_a_refused_price_reads_as_zero_and_stops_nothing() external {
        _publish(WETH, 0);
        bytes memory packed = _lens.markets();
        assertEq(_price(packed, WETH), 0);
        assertEq(_price(packed, USDC), 1e18);
    }

    // ------------------------------------------------------------------ pools

    function test_ticks_of_a_pool_are_packed_lowest_first() external {
        UniswapV3Pools pools = new UniswapV3Pools();
        (FaucetToken base, FaucetToken quote) = (new FaucetToken("A", "A", 18), new FaucetToken("B", "B", 18));
        IUniswapV3Pool pool = pools.create(base, quote, 500, 1e18, 1_000_000);
        bytes memory packed = _lens.ticks(address(pool), -347, 346);
        (uint160 price, int24 tick,,,,,) = pool.slot0();
        uint128 liquidity = pool.liquidity();
        bytes memory expected = abi.encodePacked(price, tick, liquidity);
        expected = bytes.concat(expected, abi.encodePacked(int24(-887_220), liquidity, int128(liquidity)));
        expected = bytes.concat(expected, abi.encodePacked(int24(887_220), liquidity, -int128(liquidity)));
        assertEq(packed, expected);
        assertEq(_lens.ticks(address(pool), 0, 345), abi.encodePacked(price, tick, liquidity));
    }

    function test_what_is_no_pool_reverts() external {
        vm.expectRevert();
        _lens.ticks(address(house), 0, 0);
    }

    function _price(bytes memory packed, uint8 assetId) private pure returns (uint256 price) {
        uint256 end = (uint256(assetId) + 1) * 9 * 16;
        for (uint256 i = end - 16; i < end; ++i) {
            price = price << 8 | uint8(packed[i]);
        }
    }

    function _accounts(address account) private pure returns (address[] memory accounts) {
        accounts = new address[](1);
        accounts[0] = account;
    }
}

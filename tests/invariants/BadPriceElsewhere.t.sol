// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAggregatorV3} from "../../contracts/interfaces/IAggregatorV3.sol";
import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {IPriceOracle} from "../../contracts/interfaces/IPriceOracle.sol";
import {FlashTaker} from "../../contracts/periphery/FlashTaker.sol";
import {LiquidationLens} from "../../contracts/periphery/LiquidationLens.sol";
import {Refusals} from "./support/Refusals.sol";

/// @title A bad price, in every other function that asks for one
/// @notice What `BadOracleTest` does for kick, take, swap, clear, borrow and withdrawal.
contract BadPriceElsewhereTest is Refusals {
    address private _dealer;
    uint256 private _key;

    function setUp() public override {
        super.setUp();
        (_dealer, _key) = makeAddrAndKey("dealer");
        _fund(_dealer, USDC, 1_000_000 * ONE_USDC);
    }

    /// @dev The feed of ether reverts, burns its gas, answers hugely, or nothing, or for something long ago.
    function _break(uint256 fault) private returns (bytes4) {
        address feed = address(feeds[WETH]);
        if (fault % 5 == 0) vm.mockCallRevert(feed, abi.encodeCall(IAggregatorV3.latestRoundData, ()), "no");
        if (fault % 5 == 1) vm.etch(feed, hex"5b600056"); // jumps to itself for ever
        if (fault % 5 < 2) return IPriceOracle.FeedUnreadable.selector;
        uint256 time = vm.getBlockTimestamp();
        int256 answer = fault % 5 == 2 ? type(int256).max : fault % 5 == 3 ? int256(0) : int256(1_890e8);
        if (fault % 5 == 4) time -= 2 days;
        bytes memory told = abi.encode(1, answer, time, time, 1);
        vm.mockCall(feed, abi.encodeCall(IAggregatorV3.latestRoundData, ()), told);
        if (fault % 5 == 2) return IPriceOracle.PriceClamped.selector;
        return fault % 5 == 3 ? IPriceOracle.PriceNotPositive.selector : IPriceOracle.PriceStale.selector;
    }

    function _no(bytes memory call, bytes4 reason) private {
        _refused(stranger, address(engine), call, reason);
    }

    function test_a_fill_needs_a_price(uint8 fault) external {
        ILiquidationEngine.Quote memory quote;
        (quote.dealer, quote.account, quote.collateralId, quote.debtId) = (_dealer, borrower, WETH, USDC);
        (quote.epoch, quote.price, quote.maxFill) = (_epoch(borrower), 2_000e6, type(uint128).max);
        quote.deadline = type(uint40).max;
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_key, engine.quoteHash(quote));
        bytes memory call = abi.encodeCall(engine.fill, (quote, abi.encodePacked(r, s, v), NO_LIMIT));
        _no(call, _break(fault));
    }

    function test_netting_and_marking_need_a_price(uint8 fault) external {
        _deposit(borrower, USDC, 100 * ONE_USDC);
        bytes4 reason = _break(fault);
        _no(abi.encodeCall(engine.net, (borrower, USDC)), reason);
        _no(abi.encodeCall(engine.mark, (borrower)), reason);
    }

    function test_a_new_start_and_an_end_need_a_price(uint8 fault) external {
        skip(7_200);
        bytes4 reason = _break(fault);
        _no(abi.encodeCall(engine.redo, (borrower, _ids(WETH))), reason);
        _no(abi.encodeCall(engine.end, (borrower)), reason);
    }

    function test_readings_and_flash_takes_need_a_price(uint8 fault) external {
        LiquidationLens lens = new LiquidationLens(address(engine));
        FlashTaker flash = new FlashTaker(stranger, address(engine), address(factory));
        bytes4 reason = _break(fault);
        _refused(stranger, address(lens), abi.encodeCall(lens.preview, (borrower)), reason);
        _no(abi.encodeCall(engine.largestSlice, (borrower, WETH, USDC)), reason);
        bytes memory call =
            abi.encodeCall(flash.takeAndSell, (borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, FEE_PIPS, uint256(0)));
        _refused(stranger, address(flash), call, reason);
    }

    /// @dev What is no price is no fall either: it trips nothing.
    function test_a_trip_needs_rounds_that_can_be_read(uint8 fault) external {
        _break(fault);
        bytes32 before = _everything();
        vm.prank(stranger);
        (bool success, bytes memory reason) = address(engine).call(abi.encodeCall(engine.trip, (WETH)));
        assertFalse(success);
        bytes4 told = bytes4(reason);
        if (told != IPriceOracle.FeedUnreadable.selector) {
            assertEq(bytes32(told), bytes32(ILiquidationEngine.TripRefused.selector));
        }
        assertEq(_everything(), before);
    }

    function test_a_lens_knows_nothing_of_nobody() external {
        LiquidationLens lens = new LiquidationLens(address(engine));
        (, uint256 health) = lens.preview(address(0));
        assertEq(health, type(uint256).max);
    }
}

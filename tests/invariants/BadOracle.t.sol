// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAggregatorV3} from "../../contracts/interfaces/IAggregatorV3.sol";
import {IPriceOracle} from "../../contracts/interfaces/IPriceOracle.sol";
import {MockAggregator} from "../../contracts/mocks/MockAggregator.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";

/// @title A bad price stops what needs one, with a reason and without a trace, and nothing else
contract BadOracleTest is EngineFixture {
    /// @dev The ways in which a feed goes wrong here.
    enum Fault {
        REVERTS,
        BURNS_GAS,
        CODE_GONE,
        SHORT,
        NO_ROUND,
        ZERO,
        NEGATIVE,
        HUGE,
        STALE,
        FUTURE,
        DISPUTED
    }

    uint256 private constant GAS = 3_000_000;

    function setUp() public override {
        super.setUp();
        _openLong();
        _publish(WETH, 1_900e8);
        _pool(WETH, 1_900e18, 200_000_000);
        skip(240);
    }

    // ------------------------------------------------------------------ faults

    /// @dev Breaks the feed of ether; returns the error that tells of it.
    function _break(Fault fault) private returns (bytes4) {
        address feed = address(feeds[WETH]);
        uint256 time = vm.getBlockTimestamp();
        if (fault == Fault.REVERTS) {
            vm.mockCallRevert(feed, abi.encodeCall(IAggregatorV3.latestRoundData, ()), "no");
        } else if (fault == Fault.BURNS_GAS) {
            vm.etch(feed, hex"5b600056"); // jumps to itself for ever
        } else if (fault == Fault.CODE_GONE) {
            vm.etch(feed, "");
        } else if (fault == Fault.SHORT) {
            _answer(abi.encode(1, 1_900e8, time, time));
        } else if (fault == Fault.NO_ROUND) {
            _answer(abi.encode(0, 1_900e8, time, time, 0));
        } else {
            return _misprice(fault, time);
        }
        return IPriceOracle.FeedUnreadable.selector;
    }

    function _misprice(Fault fault, uint256 time) private returns (bytes4) {
        if (fault == Fault.ZERO || fault == Fault.NEGATIVE) {
            feeds[WETH].publish(fault == Fault.ZERO ? int256(0) : -1, time);
            return IPriceOracle.PriceNotPositive.selector;
        }
        if (fault == Fault.HUGE) {
            _answer(abi.encode(1, type(int256).max, time, time, 1));
            return IPriceOracle.PriceClamped.selector;
        }
        if (fault == Fault.DISPUTED) {
            MockAggregator second = new MockAggregator(8, "second", address(this));
            second.publish(1_500e8, time);
            oracle.setSecondary(address(tokens[WETH]), IPriceOracle.Feed(address(second), 1 days, 1, 1e16), 200);
            return IPriceOracle.SourcesDisagree.selector;
        }
        if (fault == Fault.STALE) skip(1 days + 1);
        if (fault == Fault.STALE) _publish(USDC, 1e8);
        if (fault == Fault.FUTURE) feeds[WETH].publish(1_900e8, time + 1);
        return IPriceOracle.PriceStale.selector;
    }

    function _answer(bytes memory answer) private {
        vm.mockCall(address(feeds[WETH]), abi.encodeCall(IAggregatorV3.latestRoundData, ()), answer);
    }

    // ------------------------------------------------------------------ what is refused

    /// @dev Everything that a refused call may not change.
    function _state() private view returns (bytes32) {
        (uint64 held, uint64 owed, uint32 epoch, bool flagged, uint40 riskBlock) = house.accountInfo(borrower);
        (uint128 collateral,) = house.balanceOf(borrower, WETH);
        (, uint128 debtShares) = house.balanceOf(borrower, USDC);
        bytes memory account = abi.encode(held, owed, epoch, flagged, riskBlock, collateral, debtShares);
        bytes memory books = abi.encode(house.market(WETH), house.market(USDC));
        return keccak256(abi.encode(account, books, engine.auction(borrower), tokens[WETH].balanceOf(taker)));
    }

    function _refuses(address caller, address target, bytes memory call, bytes4 reason, string memory what) private {
        bytes32 before = _state();
        vm.prank(caller);
        (bool success, bytes memory answer) = target.call{gas: GAS}(call);
        assertFalse(success, what);
        assertEq(bytes32(bytes4(answer)), bytes32(reason), what);
        assertEq(_state(), before, what);
    }

    function test_a_kick_needs_a_price(uint8 fault) external {
        bytes4 reason = _break(Fault(fault % 11));
        _refuses(keeper, address(engine), abi.encodeCall(engine.kick, (borrower, _ids(WETH))), reason, "kick");
    }

    function test_a_settlement_needs_a_price(uint8 fault) external {
        _kick(borrower, _ids(WETH));
        skip(300);
        bytes4 reason = _break(Fault(fault % 11));
        bytes memory take = abi.encodeCall(engine.take, (borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, taker, ""));
        _refuses(taker, address(engine), take, reason, "take");
        bytes memory swap =
            abi.encodeCall(engine.swap, (borrower, WETH, USDC, NO_LIMIT, 0, address(venue), _route(WETH, USDC)));
        _refuses(keeper, address(engine), swap, reason, "swap");
        _refuses(keeper, address(engine), abi.encodeCall(engine.clear, (borrower)), reason, "clear");
    }

    function test_taking_on_risk_needs_a_price(uint8 fault) external {
        _deposit(borrower, WETH, 10 * ONE_WETH);
        bytes4 reason = _break(Fault(fault % 11));
        bytes memory borrow = abi.encodeCall(house.borrow, (USDC, ONE_USDC, borrower, borrower));
        _refuses(borrower, address(house), borrow, reason, "borrow");
        bytes memory withdraw = abi.encodeCall(house.withdrawCollateral, (WETH, 1, borrower, borrower));
        _refuses(borrower, address(house), withdraw, reason, "withdraw");
    }

    // ------------------------------------------------------------------ what is not

    function test_an_owner_can_always_pay(uint8 fault) external {
        _kick(borrower, _ids(WETH));
        _break(Fault(fault % 11));
        tokens[WETH].mint(borrower, ONE_WETH);
        tokens[USDC].mint(borrower, 20_000 * ONE_USDC);
        vm.startPrank(borrower);
        tokens[WETH].approve(address(house), NO_LIMIT);
        tokens[USDC].approve(address(house), NO_LIMIT);
        house.depositCollateral{gas: GAS}(WETH, ONE_WETH, borrower);
        house.repay{gas: GAS}(USDC, NO_LIMIT, borrower);
        house.withdrawCollateral{gas: GAS}(WETH, NO_LIMIT, borrower, borrower);
        vm.stopPrank();
        assertEq(tokens[WETH].balanceOf(borrower), 11 * ONE_WETH, "free without debt, at no price");
        _assertBooksBalance();
    }

    function test_lenders_come_and_go_at_no_price(uint8 fault) external {
        _break(Fault(fault % 11));
        _supply(USDC, 1_000 * ONE_USDC);
        vm.prank(lender);
        house.withdraw(USDC, 1_000 * ONE_USDC, 0, lender, lender);
        _assertBooksBalance();
    }

    /// @dev I28, for every way in which a feed goes wrong; here a price grows stale only after the tail.
    function test_an_auction_lapses_by_whoever_tells_of_a_refused_price(uint8 fault) external {
        vm.assume(Fault(fault % 11) != Fault.STALE);
        _kick(borrower, _ids(WETH));
        skip(300);
        _break(Fault(fault % 11));
        vm.prank(makeAddr("anyone"));
        engine.lapse(borrower);
        assertEq(engine.auction(borrower).kickedAt, 0);
        _assertBooksBalance();
    }

    function test_a_price_that_comes_back_unnoticed_lets_the_auction_go_on() external {
        _kick(borrower, _ids(WETH));
        skip(300);
        _break(Fault.REVERTS);
        bytes memory take = abi.encodeCall(engine.take, (borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, taker, ""));
        _refuses(taker, address(engine), take, IPriceOracle.FeedUnreadable.selector, "take");
        vm.clearMockedCalls();
        _publish(WETH, 1_900e8);
        _fund(taker, USDC, 20_000 * ONE_USDC);
        (uint256 seized,) = _take(WETH, USDC, NO_LIMIT);
        assertGt(seized, 0);
    }
}

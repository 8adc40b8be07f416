// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {IVenue} from "../../contracts/interfaces/IVenue.sol";
import {ReserveCurve} from "../../contracts/libraries/ReserveCurve.sol";
import {Exact} from "../support/forge/Exact.sol";
import {Vm} from "../support/forge/Vm.sol";
import {DepthDouble} from "./support/DepthDouble.sol";
import {OutcomeLog} from "./support/OutcomeLog.sol";
import {PriceMoves} from "./support/PriceMoves.sol";

/// @title What holds after any order of actions on the engine
/// @notice The run is steered toward the rare: an action that needs an unhealthy account moves a price until there is
/// one. Each outcome is counted, and one long walk must see all of them.
contract LiquidationEngineInvariantsTest is PriceMoves, OutcomeLog {
    /// @dev What a settlement is checked against.
    struct Before {
        uint256 health;
        uint256 collateral;
        uint256 multiplier;
        bool insolvent;
    }

    ILiquidationEngine.Side private constant SELL = ILiquidationEngine.Side.SELL;
    ILiquidationEngine.Side private constant BUY = ILiquidationEngine.Side.BUY;

    address[4] private _borrowers;
    address private _dealer;
    uint256 private _dealerKey;
    DepthDouble private _depth;
    mapping(uint8 assetId => mapping(ILiquidationEngine.Side side => ILiquidationEngine.Bucket)) private _seen;
    mapping(bytes32 outcome => uint256) private _counts;

    function setUp() public override {
        super.setUp();
        _pool(WETH, 2_000e18, 30_000_000);
        _pool(WBTC, 60_000e18, 30_000_000);
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            _fund(taker, assetId, 1e30);
        }
        (_dealer, _dealerKey) = makeAddrAndKey("dealer");
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            _fund(_dealer, assetId, 1e30);
        }
        _depth = new DepthDouble();
        engine.setMarketDepth(address(_depth));
        engine.setBudgeted(WETH, true);
        engine.setBudgeted(WBTC, true);
        for (uint256 i = 0; i < _borrowers.length; ++i) {
            _borrowers[i] = makeAddr(string.concat("borrower ", vm.toString(i)));
            this.open(i, i, i / 2, 9_700);
        }
        targetContract(address(this));
        targetSelector(address(this), _actions());
    }

    // ------------------------------------------------------------------ invariants

    /// @dev One campaign for all, because each costs as much as the others: the identity of every asset holds to the
    /// unit and the tokens are there; what an auction remembers never outlives its flag; engine and venue keep nothing.
    function invariant_the_books_balance_and_nothing_is_left_behind() external view {
        _assertBooksBalance();
        for (uint256 i = 0; i < _borrowers.length; ++i) {
            if (!_flagged(_borrowers[i])) _assertNothingForSale(_borrowers[i]);
        }
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            assertEq(tokens[assetId].balanceOf(address(engine)), 0);
            assertEq(tokens[assetId].balanceOf(address(venue)), 0);
        }
        _assertBucketsHold(WETH);
        _assertBucketsHold(WBTC);
    }

    /// @dev A level stays within its capacity on both sides of zero, and no clock outruns the wall.
    function _assertBucketsHold(uint8 assetId) private view {
        for (uint256 side = 0; side < 2; ++side) {
            ILiquidationEngine.Bucket memory bucket = engine.bucketNow(assetId, ILiquidationEngine.Side(side));
            assertLe(int256(bucket.level), int256(uint256(bucket.capacity)));
            assertGe(int256(bucket.level), -int256(uint256(bucket.capacity)));
            assertGe(bucket.capacity, 10_000e6);
            assertLe(bucket.capacity, 5_000_000e6);
            assertLe(bucket.clock, vm.getBlockTimestamp() * 1_000);
        }
    }

    /// @dev A clock never runs back, and since it was seen last it ran no longer than the wall.
    function _checkClocks() private {
        for (uint8 assetId = 0; assetId < 2; ++assetId) {
            for (uint256 i = 0; i < 2; ++i) {
                ILiquidationEngine.Side side = ILiquidationEngine.Side(i);
                ILiquidationEngine.Bucket memory bucket = engine.bucketNow(assetId, side);
                ILiquidationEngine.Bucket memory last = _seen[assetId][side];
                if (last.levelAt != 0) {
                    assertGe(bucket.clock + 2, last.clock, "a clock ran back");
                    assertLe(bucket.clock - last.clock, (bucket.levelAt - last.levelAt) * 1_000, "a clock outran time");
                }
                _seen[assetId][side] = bucket;
            }
        }
    }

    function _assertNothingForSale(address account) private view {
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            try engine.reservePrice(account, assetId) returns (uint256) {
                assertTrue(false, "a reserve without a flag");
            } catch (bytes memory reason) {
                _assertReason(reason, ILiquidationEngine.AuctionMissing.selector);
            }
        }
    }

    /// @dev The same actions in one long fixed walk, to see that the rare outcomes are within their reach.
    function test_the_walk_reaches_every_outcome() external {
        for (uint256 step = 0; step < 600; ++step) {
            _walk(step % 10, uint256(keccak256(abi.encode("walk", step))));
            if (step % 16 == 0) this.invariant_the_books_balance_and_nothing_is_left_behind();
        }
        bytes32[14] memory outcomes = _outcomes();
        for (uint256 i = 0; i < outcomes.length; ++i) {
            assertGt(_counts[outcomes[i]], 0, string(abi.encodePacked("never seen: ", outcomes[i])));
        }
        assertGt(_counts["take"], 20);
        assertGt(_counts["swap"], 5);
    }

    function _outcomes() private pure returns (bytes32[14] memory) {
        return [
            bytes32("kick"),
            "take",
            "swap",
            "fill",
            "redo",
            "clear",
            "cure",
            "insolvent",
            "closed",
            "throttled",
            "poke",
            "end",
            "mark",
            "lapse"
        ];
    }

    /// @dev Called by forge at the end of each run.
    function afterInvariant() external {
        bytes32[14] memory outcomes = _outcomes();
        bytes32[] memory names = new bytes32[](outcomes.length);
        uint256[] memory counts = new uint256[](outcomes.length);
        for (uint256 i = 0; i < outcomes.length; ++i) {
            (names[i], counts[i]) = (outcomes[i], _counts[outcomes[i]]);
        }
        _tellOutcome("engine", names, counts);
    }

    function _walk(uint256 action, uint256 seed) private {
        (uint256 a, uint256 b, uint256 c) = (seed >> 16, seed >> 64, seed >> 128);
        if (action == 0) this.open(seed, a, b, c);
        else if (action == 1) this.repay(seed, a, b);
        else if (action == 2) this.market(seed, a, b);
        else if (action == 3) this.kick(seed, a);
        else if (action < 6) this.take(seed, a, b, c, seed >> 192);
        else if (action < 8) this.swap(seed, a, b, c, seed >> 192);
        else if (action == 8) this.fill(seed, a, b, c, seed >> 192);
        else this.tend(seed, a, b);
    }

    // ------------------------------------------------------------------ actions of owners and the market

    function open(uint256 who, uint256 pair, uint256 other, uint256 bps) external {
        address account = _borrowers[who % _borrowers.length];
        uint8 collateralId = uint8(pair % 3);
        uint8 debtId = uint8((collateralId + 1 + (pair / 3) % 2) % 3);
        _deposit(account, collateralId, _amountOf(collateralId, bound(other, 1_000, 200_000)));
        uint8 beside = (collateralId + 1) % 3;
        if (other % 3 == 0) _deposit(account, beside, _amountOf(beside, 5_000));
        uint256 room = _roomToBorrow(account, debtId) * bound(bps, 8_000, 9_990) / 10_000;
        _try(account, address(house), abi.encodeCall(house.borrow, (debtId, room, account, account)), "borrow");
        skip(12);
    }

    function repay(uint256 who, uint256 assetId, uint256 part) external {
        address account = _borrowers[who % _borrowers.length];
        uint8 debtId = uint8(assetId % 3);
        for (uint256 i = 0; i < 2 && _debt(account, debtId) == 0; ++i) {
            debtId = (debtId + 1) % 3;
        }
        uint256 debt = _debt(account, debtId);
        if (debt == 0) return;
        _fund(account, debtId, debt);
        bool flagged = _flagged(account);
        uint256 amount = debt * bound(part, 1, 100) / 100;
        if (amount == 0) return;
        vm.prank(account);
        house.repay(debtId, amount, account);
        if (flagged && !_flagged(account)) ++_counts["cure"];
    }

    function market(uint256 assetId, uint256 bps, uint256 seconds_) external {
        skip(bound(seconds_, 1, 9_000));
        for (uint8 i = 0; i < 3; ++i) {
            (, int256 answer,,,) = feeds[i].latestRoundData();
            if (i == assetId % 3) answer = answer * int256(bound(bps, 9_000, 11_100)) / 10_000;
            bool astray = answer > _center(i) * 2 || answer < _center(i) / 2;
            _publish(i, astray ? _center(i) : answer);
        }
    }

    // ------------------------------------------------------------------ actions of keepers and takers

    function kick(uint256 who, uint256 health) external {
        address account = _unhealthy(who, health);
        if (account != address(0)) _tryKick(account);
        if (health % 2 == 0) _recover();
        account = _borrowers[who % _borrowers.length];
        _try(taker, address(engine), abi.encodeCall(engine.clear, (account)), "clear");
    }

    function take(uint256 who, uint256 pair, uint256 health, uint256 elapsed, uint256 part) external {
        (address account, uint8 collateralId, uint8 debtId) = _forSale(who, pair, health, elapsed);
        if (account == address(0)) return;
        _takeOnce(account, collateralId, debtId, part);
        if (part % 2 == 0) _takeOnce(account, collateralId, debtId, part); // at once again, as a bucket may refuse
    }

    function _takeOnce(address account, uint8 collateralId, uint8 debtId, uint256 part) private {
        (bool open_, Before memory before) = _before(account, collateralId, debtId);
        if (!open_) return;
        uint256 limit = part % 3 == 0 ? NO_LIMIT : before.collateral * bound(part, 1, 100) / 100;
        bytes memory call =
            abi.encodeCall(engine.take, (account, collateralId, debtId, limit, NO_LIMIT, taker, bytes("")));
        vm.recordLogs();
        if (_try(taker, address(engine), call, "take")) _checkSettlement(account, collateralId, debtId, before);
    }

    function swap(uint256 who, uint256 pair, uint256 health, uint256 elapsed, uint256 part) external {
        (address account, uint8 collateralId, uint8 debtId) = _forSale(who, pair, health, elapsed);
        if (account == address(0) || (collateralId != USDC && debtId != USDC)) return;
        _alignPool(collateralId == USDC ? debtId : collateralId, part);
        (bool open_, Before memory before) = _before(account, collateralId, debtId);
        if (!open_) return;
        uint256 limit = part % 3 == 0 ? NO_LIMIT : before.collateral * bound(part, 1, 100) / 100;
        bytes memory call = abi.encodeCall(
            engine.swap, (account, collateralId, debtId, limit, 0, address(venue), _route(collateralId, debtId))
        );
        vm.recordLogs();
        if (_try(keeper, address(engine), call, "swap")) _checkSettlement(account, collateralId, debtId, before);
    }

    function fill(uint256 who, uint256 pair, uint256 health, uint256 elapsed, uint256 part) external {
        (address account, uint8 collateralId, uint8 debtId) = _forSale(who, pair, health, elapsed);
        if (account == address(0)) return;
        (bool open_, Before memory before) = _before(account, collateralId, debtId);
        if (!open_) return;
        ILiquidationEngine.Quote memory quote = _quote(account, collateralId, debtId, before, part);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_dealerKey, engine.quoteHash(quote));
        bytes memory call = abi.encodeCall(engine.fill, (quote, abi.encodePacked(r, s, v), NO_LIMIT));
        vm.recordLogs();
        if (_try(keeper, address(engine), call, "fill")) _checkSettlement(account, collateralId, debtId, before);
    }

    /// @dev A price from a tenth below the reserve to a tenth above it.
    function _quote(address account, uint8 collateralId, uint8 debtId, Before memory before, uint256 part)
        private
        view
        returns (ILiquidationEngine.Quote memory)
    {
        uint256 value = before.multiplier * _price(collateralId) / 1e18 * bound(part / 3, 9_900, 11_000) / 10_000;
        uint256 unit = 10 ** tokens[collateralId].decimals();
        return ILiquidationEngine.Quote({
            dealer: _dealer,
            account: account,
            epoch: _epoch(account),
            collateralId: collateralId,
            debtId: debtId,
            price: value * 10 ** tokens[debtId].decimals() / _price(debtId) * 1e18 / unit,
            minFill: 0,
            maxFill: uint128(before.collateral * bound(part, 1, 100) / 100 + 1),
            nonce: part,
            deadline: type(uint40).max,
            filler: address(0),
            callback: false
        });
    }

    /// @dev What keeps the system going: depth is read, what is feared is marked, what nobody bought is ended.
    function tend(uint256 who, uint256 value, uint256 health) external {
        uint8 assetId = uint8(who % 2);
        _depth.set(assetId, 0, bound(value, 0, 3_000_000e18));
        _depth.set(assetId, 1, bound(value / 3, 0, 3_000_000e18));
        _depth.setMeanPrice(assetId, _price(assetId) * bound(value / 7, 0, 200) / 100);
        _try(taker, address(engine), abi.encodeCall(engine.poke, (assetId)), "poke");
        address account = _unhealthy(who, health);
        if (account == address(0)) return;
        _try(taker, address(engine), abi.encodeCall(engine.mark, (account)), "mark");
        if (health % 3 == 1) return;
        _tryKick(account);
        if (health % 3 == 2) return _interrupt(account);
        skip(7_200);
        if (health % 2 == 0) _sink(account);
        if (_tryEnd(account)) return;
        _try(keeper, address(engine), abi.encodeCall(engine.redo, (account, _held(account))), "redo");
        skip(7_200);
        _tryEnd(account);
    }

    function _tryEnd(address account) private returns (bool) {
        return _try(taker, address(engine), abi.encodeCall(engine.end, (account)), "end");
    }

    /// @dev A price is refused while an auction runs; what lapsed by it is for a redo alone.
    function _interrupt(address account) private {
        uint8[] memory held = _held(account);
        if (!_flagged(account) || held.length == 0) return;
        int256 answer = _unprice(held[0]);
        bool lapsed = _try(taker, address(engine), abi.encodeCall(engine.lapse, (account)), "lapse");
        _publish(held[0], answer);
        if (!lapsed) return;
        (bool open_,) = _before(account, held[0], held[0] == USDC ? WETH : USDC);
        assertFalse(open_, "a settlement after the lapse");
    }

    // ------------------------------------------------------------------ checks

    function _checkSettlement(address account, uint8 collateralId, uint8 debtId, Before memory before) private {
        if (before.insolvent) ++_counts["insolvent"];
        _checkClocks();
        _checkReserve(collateralId, debtId, before.multiplier);
        (, uint128 debtShares) = house.balanceOf(account, debtId);
        bool closed = _collateral(account, collateralId) == 0 || debtShares == 0;
        if (closed) ++_counts["closed"];
        // three units of each side and the wei of values
        _checkHealth(account, before, closed, 6 * (_unitValue(debtId) + _unitValue(collateralId)) + 1e4);
    }

    /// @dev Nobody settles below the reserve, to the unit.
    function _checkReserve(uint8 collateralId, uint8 debtId, uint256 multiplier) private {
        SettledLog memory told = _settled();
        (uint256 seized, uint256 payment) = (told.seized, told.payment);
        assertTrue(
            Exact.productLe(
                seized * _price(collateralId),
                multiplier * 10 ** tokens[debtId].decimals(),
                payment * _price(debtId),
                1e18 * 10 ** tokens[collateralId].decimals()
            ),
            "below the reserve"
        );
    }

    /// @dev Health of a solvent account stays between where it was and the target, unless a side was closed.
    function _checkHealth(address account, Before memory before, bool closed, uint256 units) private view {
        IClearingHouse.AccountState memory state = house.accountState(account);
        if (state.weightedDebt == 0) return;
        uint256 slack = (before.health + 1e18) * units / state.weightedDebt + 100;
        uint256 health = house.healthFactor(account);
        if (!before.insolvent) assertGe(health + slack, before.health, "health was lowered");
        if (!closed) assertLe(health, 1.05e18 + slack, "past the target");
    }

    function _before(address account, uint8 collateralId, uint8 debtId)
        private
        returns (bool open_, Before memory before)
    {
        try engine.largestSlice(account, collateralId, debtId) returns (ILiquidationEngine.Slice memory slice) {
            ILiquidationEngine.AuctionLeg memory leg = engine.auctionLeg(account, collateralId);
            before.health = house.healthFactor(account);
            before.collateral = _collateral(account, collateralId);
            before.insolvent = slice.insolvent;
            before.multiplier = ReserveCurve.multiplierUp(
                leg.startMultiplierWad,
                leg.decayPerSecondWad,
                (vm.getBlockTimestamp() - leg.startedAt) * 1_000,
                uint256(engine.parameters().floorMultiplierBps) * 1e14
            );
            open_ = true;
        } catch (bytes memory reason) {
            _assertExpected(reason);
        }
    }

    // ------------------------------------------------------------------ steering

    /// @dev A flagged account whose leg runs, after some time; kicks one where there is none.
    function _forSale(uint256 who, uint256 pair, uint256 health, uint256 elapsed)
        private
        returns (address account, uint8 collateralId, uint8 debtId)
    {
        account = _unhealthy(who, health);
        if (account == address(0)) return (account, 0, 0);
        _tryKick(account);
        _try(keeper, address(engine), abi.encodeCall(engine.redo, (account, _held(account))), "redo");
        skip(bound(elapsed, 0, 1_200));
        uint8[] memory held = _held(account);
        if (held.length == 0) return (address(0), 0, 0);
        collateralId = held[pair % held.length];
        (, uint64 debts,,,) = house.accountInfo(account);
        for (uint256 i = 0; i < 3; ++i) {
            debtId = uint8((pair / 3 + i) % 3);
            if (debts >> debtId & 1 == 1 && debtId != collateralId) return (account, collateralId, debtId);
        }
        return (address(0), 0, 0);
    }

    /// @dev An account below a health factor of 1: it borrows what it may, then what it holds loses value.
    function _unhealthy(uint256 who, uint256 health) private returns (address account) {
        account = _borrowers[who % _borrowers.length];
        uint256 current = house.healthFactor(account);
        if (current < 1e18) return account;
        if (current > 1.3e18) {
            this.open(who, health, health / 5, 9_900);
            current = house.healthFactor(account);
            if (current > 2e18) return address(0);
        }
        health = health % 5 == 0 ? bound(health, 0.5e18, 0.8e18) : bound(health, 0.8e18, 0.9999e18);
        uint8[] memory held = _held(account);
        for (uint256 i = 0; i < held.length; ++i) {
            (, int256 answer,,,) = feeds[held[i]].latestRoundData();
            _publish(held[i], answer * int256(health) / int256(current));
        }
        if (house.healthFactor(account) >= 1e18) return address(0);
    }

    function _alignPool(uint8 base, uint256 seed) private {
        uint256 price = _price(base) * 1e18 / _price(USDC);
        pools.moveTo(tokens[base], tokens[USDC], FEE_PIPS, price);
        if (seed % 8 != 0) skip(200); // else the mean price is still the old one
        pools.moveTo(tokens[base], tokens[USDC], FEE_PIPS, price * bound(seed / 7, 9_700, 10_200) / 10_000);
    }

    function _tryKick(address account) private {
        bytes memory call = abi.encodeCall(engine.kick, (account, _held(account)));
        _try(keeper, address(engine), call, "kick");
    }

    // ------------------------------------------------------------------ calls

    /// @dev Calls, counts the outcome, and lets only refusals pass that the interface names.
    function _try(address caller, address target, bytes memory call, bytes32 outcome) private returns (bool success) {
        bytes memory answer;
        vm.prank(caller);
        (success, answer) = target.call(call);
        if (success) ++_counts[outcome];
        else _assertExpected(answer);
    }

    function _assertExpected(bytes memory reason) private {
        if (bytes4(reason) == ILiquidationEngine.BudgetExhausted.selector) ++_counts["throttled"];
        bytes4[23] memory expected = [
            ILiquidationEngine.EndRefused.selector,
            ILiquidationEngine.QuoteBelowReserve.selector,
            ILiquidationEngine.QuoteSpent.selector,
            ILiquidationEngine.BreakerOpen.selector,
            ILiquidationEngine.BudgetExhausted.selector,
            ILiquidationEngine.ChoiceTooDear.selector,
            ILiquidationEngine.VenueOffOracle.selector,
            ILiquidationEngine.AccountHealthy.selector,
            ILiquidationEngine.AccountUnhealthy.selector,
            ILiquidationEngine.AuctionLapsed.selector,
            ILiquidationEngine.AuctionMissing.selector,
            ILiquidationEngine.AuctionRunning.selector,
            ILiquidationEngine.CollateralInvalid.selector,
            ILiquidationEngine.CoolingOff.selector,
            ILiquidationEngine.DustLeft.selector,
            ILiquidationEngine.NothingToKick.selector,
            ILiquidationEngine.SliceEmpty.selector,
            ILiquidationEngine.VenueBelowReserve.selector,
            IVenue.ProceedsBelowMinimum.selector,
            IClearingHouse.BorrowLimitExceeded.selector,
            IClearingHouse.BorrowTooSmall.selector,
            IClearingHouse.CashInsufficient.selector,
            IClearingHouse.ZeroAmount.selector
        ];
        for (uint256 i = 0; i < expected.length; ++i) {
            if (bytes4(reason) == expected[i]) return;
        }
        _assertReason(reason, bytes4(0));
    }

    function _assertReason(bytes memory reason, bytes4 expected) private pure {
        assertEq(bytes32(bytes4(reason)), bytes32(expected), "an unexpected refusal");
    }

    function _actions() private pure returns (bytes4[] memory actions) {
        actions = new bytes4[](8);
        actions[0] = this.open.selector;
        actions[1] = this.repay.selector;
        actions[2] = this.market.selector;
        actions[3] = this.kick.selector;
        actions[4] = this.take.selector;
        actions[5] = this.swap.selector;
        actions[6] = this.fill.selector;
        actions[7] = this.tend.selector;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {IProtection} from "../../contracts/interfaces/IProtection.sol";
import {OutcomeLog} from "./support/OutcomeLog.sol";
import {ProtectionFixture} from "./support/ProtectionFixture.sol";

/// @title What holds for every sale, whatever the account, the terms, the prices and the executor
/// @notice Baskets of three assets on both sides, terms at random within their bounds, prices that wander. Each sale is
/// held against everything its owner was promised.
contract ProtectionPropertiesTest is ProtectionFixture, OutcomeLog {
    /// @dev What a sale is judged by, read before it.
    struct Before {
        IProtection.Terms terms;
        IProtection.Assessment assessment;
        int256 equity;
        uint256 used;
        uint256 debt;
        uint256 collateral;
        uint256 held;
        uint256 paid;
    }

    uint256 private constant OWNERS = 4;

    address[OWNERS] private _owners;
    mapping(bytes32 outcome => uint256) private _counts;

    function setUp() public override {
        super.setUp();
        _addScenario(WETH, -1_000);
        _addScenario(WBTC, 500);
        for (uint256 i = 0; i < OWNERS; ++i) {
            _owners[i] = makeAddr(string.concat("owner ", vm.toString(i)));
            this.open(i, i * 7 + 1, 99);
            this.state(i, i * 1e18 + 5);
        }
        targetContract(address(this));
        bytes4[] memory actions = new bytes4[](5);
        (actions[0], actions[1]) = (this.open.selector, this.state.selector);
        (actions[2], actions[3]) = (this.market.selector, this.sell.selector);
        actions[4] = this.sell.selector; // what it is about, twice as often
        targetSelector(address(this), actions);
    }

    // ------------------------------------------------------------------ invariants

    function invariant_nothing_is_left_behind_and_the_books_balance() external view {
        _assertNothingLeft();
        _assertBooksBalance();
    }

    /// @dev Called by forge at the end of each run.
    function afterInvariant() external {
        bytes32[8] memory outcomes = [bytes32("borrow"), "sale", "whole", "part", "distant", "engine", "bound", "short"];
        bytes32[] memory names = new bytes32[](outcomes.length);
        uint256[] memory counts = new uint256[](outcomes.length);
        for (uint256 i = 0; i < outcomes.length; ++i) {
            (names[i], counts[i]) = (outcomes[i], _counts[outcomes[i]]);
        }
        _tellOutcome("protection", names, counts);
    }

    function test_a_walk_sells_often_and_meets_every_refusal() external {
        for (uint256 step = 0; step < 600; ++step) {
            uint256 seed = uint256(keccak256(abi.encode("protection", step)));
            uint256 action = step % 8;
            if (action == 0) this.open(seed, seed >> 32, seed >> 64);
            else if (action == 1) this.state(seed, seed >> 32);
            else if (action < 4) this.market(seed, seed >> 32, seed >> 64);
            else this.sell(seed, seed >> 32, seed >> 64);
        }
        assertGt(_counts["sale"], 40, "sales");
        assertGt(_counts["whole"], 0, "sides used up");
        assertGt(_counts["part"], 5, "parts");
        assertGt(_counts["distant"], 10);
        assertGt(_counts["engine"], 2);
        assertGt(_counts["bound"], 5);
    }

    // ------------------------------------------------------------------ actions

    /// @dev Deposits up to three assets and borrows another, near what is allowed.
    function open(uint256 who, uint256 mix, uint256 bps) external {
        address account = _owners[who % OWNERS];
        uint8 debtId = uint8(mix % 3);
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            if (assetId == debtId && mix % 7 != 0) continue;
            if ((mix >> assetId) % 2 == 0 && assetId != (debtId + 1) % 3) continue;
            _deposit(account, assetId, _unitsOf(assetId, bound(mix >> 8, 700, 300_000)));
        }
        IClearingHouse.AccountState memory standing = house.accountState(account);
        if (standing.weightedCollateral * 96 / 100 <= standing.weightedDebt) return;
        uint256 room = (standing.weightedCollateral * 96 / 100 - standing.weightedDebt) * bound(bps, 80, 99) / 110;
        bytes memory call = abi.encodeCall(house.borrow, (debtId, _unitsOf(debtId, room / 1e18), account, account));
        vm.prank(account);
        (bool success,) = address(house).call(call);
        if (success) ++_counts["borrow"];
    }

    /// @dev Terms at random.
    function state(uint256 who, uint256 seed) external {
        IProtection.Terms memory terms = _terms();
        terms.collaterals = uint64(seed % 4 == 0 ? 1 + (seed >> 8) % 7 : 7);
        terms.minDistanceWad = uint64(bound(seed >> 16, 2e18, 10e18));
        terms.horizon = uint24(bound(seed >> 48, 1 hours, 24 hours));
        terms.targetHealthFactorBps = uint16(bound(seed >> 80, 10_700, 14_000));
        terms.maxFeeBps = uint16(bound(seed >> 112, 0, 300));
        terms.scenarios = uint8((seed >> 144) % 4);
        terms.maxValue = uint32(seed % 3 == 0 ? bound(seed >> 152, 100, 20_000) : 10_000_000);
        terms.maxDailyValue = terms.maxValue * 3;
        _optIn(_owners[who % OWNERS], terms);
    }

    /// @dev A price wanders, and time passes.
    function market(uint256 which, uint256 bps, uint256 seconds_) external {
        skip(bound(seconds_, 1, 6 hours));
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            (, int256 answer,,,) = feeds[assetId].latestRoundData();
            if (assetId == which % 3 && assetId != USDC) answer = answer * int256(bound(bps, 9_500, 10_500)) / 10_000;
            _publish(assetId, answer < 100e8 && assetId != USDC ? int256(2_000e8) : answer);
        }
    }

    /// @dev An executor tries a pair and an amount.
    function sell(uint256 who, uint256 pair, uint256 part) external {
        address account = _owners[who % OWNERS];
        (uint8 collateralId, uint8 debtId) = (uint8(pair % 3), uint8(pair / 3 % 3));
        for (uint256 i = 0; i < 3 && _debt(account, debtId) == 0; ++i) {
            debtId = (debtId + 1) % 3;
        }
        for (uint256 i = 0; i < 3 && (collateralId == debtId || _collateral(account, collateralId) == 0); ++i) {
            collateralId = (collateralId + 1) % 3;
        }
        Before memory before = _before(account, collateralId, debtId);
        uint256 most = part % 3 == 0 ? before.debt * bound(part >> 8, 1, 99) / 100 : NO_LIMIT;
        vm.prank(executor);
        try protection.deleverage(account, collateralId, debtId, most, 0, executor, "") returns (
            uint256 repaid, uint256 seized
        ) {
            _check(account, collateralId, debtId, before, repaid, seized);
            if (most != NO_LIMIT) ++_counts["part"];
        } catch (bytes memory reason) {
            _checkRefusal(before, bytes4(reason), reason);
        }
    }

    // ------------------------------------------------------------------ what was promised

    /// @dev Health rose, not past the target unless a side is used up; the owner lost the fee at most; everything moved
    /// as announced; nothing outside of the terms.
    function _check(
        address account,
        uint8 collateralId,
        uint8 debtId,
        Before memory before,
        uint256 repaid,
        uint256 seized
    ) private {
        ++_counts["sale"];
        uint256 value = repaid * _price(debtId) / 10 ** tokens[debtId].decimals();
        bool whole = _debt(account, debtId) == 0 || _collateral(account, collateralId) == 0;
        if (whole) ++_counts["whole"];
        uint256 health = house.healthFactor(account);
        assertGt(health, before.assessment.healthFactor, "health did not rise");
        if (!whole) assertLe(health, uint256(before.terms.targetHealthFactorBps) * 1e14, "past the target");
        uint256 fee = before.assessment.fee;
        assertLe(fee, uint256(before.terms.maxFeeBps) * 1e14, "more than the owner's fee");
        assertLe(fee, 0.01e18, "more than governance's fee");
        int256 lost = before.equity - _equity(account);
        assertLe(lost, int256(value * fee / 1e18 + _unitValue(collateralId) + 2 * _unitValue(debtId)), "cost");
        assertEq(before.collateral - _collateral(account, collateralId), seized);
        assertEq(tokens[collateralId].balanceOf(executor) - before.held, seized);
        assertEq(before.paid - tokens[debtId].balanceOf(executor), repaid);
        _checkTerms(account, collateralId, before, value);
    }

    function _checkTerms(address account, uint8 collateralId, Before memory before, uint256 value) private view {
        IProtection.Terms memory terms = before.terms;
        assertTrue(terms.collaterals & (1 << collateralId) != 0, "another collateral");
        assertGe(value, uint256(terms.minValue) * 1e18);
        assertLe(value, uint256(terms.maxValue) * 1e18);
        (uint256 used,) = protection.usageOf(account);
        assertEq(used, before.used + value);
        assertLe(used, uint256(terms.maxDailyValue) * 1e18);
        bool near = before.assessment.distance < terms.minDistanceWad || before.assessment.worstHealth < 1e18;
        assertTrue(near, "not triggered");
        assertGe(before.assessment.healthFactor, 1e18, "the engine's");
    }

    /// @dev Every refusal is one that the state before explains.
    function _checkRefusal(Before memory before, bytes4 reason, bytes memory all) private {
        if (reason == IProtection.TriggerUnmet.selector) {
            assertEq(before.assessment.shortfall, 0);
            ++_counts["distant"];
        } else if (reason == IProtection.AccountLiquidatable.selector) {
            assertLt(before.assessment.healthFactor, 1e18);
            ++_counts["engine"];
        } else if (reason == IClearingHouse.BorrowLimitExceeded.selector || reason == IProtection.DustLeft.selector) {
            ++_counts["short"];
        } else if (reason == IProtection.HealthOutOfRange.selector) {
            // a sale at a loss of health: only where the fee eats what the repayment restores, which no threshold
            // allows
            assertTrue(false, "a sale that would not have raised health");
        } else {
            bool expected = reason == IProtection.SaleTooSmall.selector || reason == IProtection.TargetReached.selector
                || reason == IProtection.CollateralRefused.selector || reason == IProtection.LegMissing.selector;
            if (!expected) {
                assembly ("memory-safe") {
                    revert(add(all, 0x20), mload(all))
                }
            }
            ++_counts["bound"];
        }
    }

    // ------------------------------------------------------------------ readings

    function _before(address account, uint8 collateralId, uint8 debtId) private view returns (Before memory before) {
        before.terms = protection.termsOf(account);
        before.assessment = protection.assess(account);
        before.equity = _equity(account);
        (before.used,) = protection.usageOf(account);
        before.debt = _debt(account, debtId);
        before.collateral = _collateral(account, collateralId);
        before.held = tokens[collateralId].balanceOf(executor);
        before.paid = tokens[debtId].balanceOf(executor);
    }

    function _price(uint8 assetId) private view returns (uint256) {
        return oracle.price(address(tokens[assetId]));
    }

    /// @dev Value of a token unit, rounded up.
    function _unitValue(uint8 assetId) private view returns (uint256) {
        return _price(assetId) / 10 ** tokens[assetId].decimals() + 1;
    }

    /// @dev Units of an asset worth so many whole quote units.
    function _unitsOf(uint8 assetId, uint256 value) private view returns (uint256) {
        return value * 1e18 * 10 ** tokens[assetId].decimals() / _price(assetId);
    }
}

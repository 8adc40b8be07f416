// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {Vm} from "../support/forge/Vm.sol";
import {HouseFixture} from "./support/HouseFixture.sol";
import {HouseHandler} from "./support/HouseHandler.sol";
import {OutcomeLog} from "./support/OutcomeLog.sol";
import {LedgerFromLogs} from "./support/LedgerFromLogs.sol";

/// @title What holds after every call, whatever the calls
abstract contract HouseWalk is HouseFixture {
    HouseHandler internal handler;

    function setUp() public virtual override {
        super.setUp();
        handler = new HouseHandler(house, double, governor, tokens, feeds);
    }

    /// @dev Everyone who may hold something: the handler's actors, and the fixture's lender.
    function _holders() internal view returns (address[] memory holders) {
        address[] memory actors = handler.actors();
        holders = new address[](actors.length + 1);
        for (uint256 i = 0; i < actors.length; ++i) {
            holders[i] = actors[i];
        }
        holders[actors.length] = lender;
    }

    // ------------------------------------------------------------------ the invariants

    /// @dev The identity to the unit, tokens that are there, and no unit more: nobody gives any away here.
    function _assertIdentity() internal view {
        assertBooksBalance();
        for (uint8 assetId = 0; assetId < ASSETS; ++assetId) {
            assertEq(tokens[assetId].balanceOf(address(house)), house.market(assetId).cash, "tokens are not the cash");
        }
    }

    /// @dev What accounts hold adds up to the totals.
    function _assertSums() internal view {
        address[] memory holders = _holders();
        for (uint8 assetId = 0; assetId < ASSETS; ++assetId) {
            uint256[4] memory sums;
            for (uint256 i = 0; i < holders.length; ++i) {
                (uint128 collateral, uint128 debtShares) = house.balanceOf(holders[i], assetId);
                sums[0] += collateral;
                sums[1] += debtShares;
                sums[2] += house.supplyShares(assetId, holders[i]);
                sums[3] += house.creditOf(assetId, holders[i]);
            }
            IClearingHouse.Market memory m = house.market(assetId);
            assertEq(sums[0], m.collateralAssets, "collateral");
            assertEq(sums[1], m.totalBorrowShares, "debt shares");
            assertEq(sums[2], m.totalSupplyShares, "supply shares");
            assertEq(sums[3], m.creditAssets, "credits");
        }
    }

    /// @dev Suppliers' claims never pass the total; what is unclaimed is the virtual shares' part and less than a unit
    /// per holder. Debts, each rounded up, pass the total by at most a unit per holder, and fall short of it by at most
    /// the virtual shares' part.
    function _assertClaims() internal view {
        address[] memory holders = _holders();
        for (uint8 assetId = 0; assetId < ASSETS; ++assetId) {
            IClearingHouse.Market memory m = house.market(assetId);
            (uint256 assets, uint256 shares) = (uint256(m.totalSupplyAssets) + 1, uint256(m.totalSupplyShares) + 1e6);
            (uint256 debts, uint256 debtShares) = (uint256(m.totalBorrowAssets) + 1, uint256(m.totalBorrowShares) + 1e6);
            uint256 claimed;
            uint256 owed;
            for (uint256 i = 0; i < holders.length; ++i) {
                claimed += house.supplyShares(assetId, holders[i]) * assets / shares;
                (, uint128 held) = house.balanceOf(holders[i], assetId);
                owed += (uint256(held) * debts + debtShares - 1) / debtShares;
            }
            assertLe(claimed, m.totalSupplyAssets, "claims pass the total");
            assertGe(claimed + 1e6 * assets / shares + 1 + holders.length, m.totalSupplyAssets, "unclaimed");
            assertLe(owed, uint256(m.totalBorrowAssets) + 1 + holders.length, "debts pass the total");
            assertGe(owed + 1e6 * debts / debtShares + 1, m.totalBorrowAssets, "nobody owes it");
        }
    }

    /// @dev What is feared lost adds up, and stands only where the account says so. It passes what is owed by no more
    /// than a unit per debt that was paid in full, rounded up, which lowers every other debt by a part of a unit.
    function _assertMarks() internal view {
        address[] memory holders = _holders();
        for (uint8 assetId = 0; assetId < ASSETS; ++assetId) {
            uint256 sum;
            for (uint256 i = 0; i < holders.length; ++i) {
                uint256 marked = house.markOf(holders[i], assetId);
                sum += marked;
                if (marked == 0) continue;
                assertLe(marked, debtOf(holders[i], assetId) + handler.closings(), "a mark above its debt");
                assertTrue(house.accountState(holders[i]).marked, "a mark that the account does not know");
            }
            assertEq(sum, house.pendingDeficit(assetId), "marks");
        }
    }

    /// @dev A bit is set exactly where there is a balance.
    function _assertBitmaps() internal view {
        address[] memory holders = _holders();
        for (uint256 i = 0; i < holders.length; ++i) {
            (uint64 collaterals, uint64 debts,,,) = house.accountInfo(holders[i]);
            for (uint8 assetId = 0; assetId < ASSETS; ++assetId) {
                (uint128 collateral, uint128 debtShares) = house.balanceOf(holders[i], assetId);
                assertEq(collaterals >> assetId & 1, collateral == 0 ? 0 : 1, "collateral bit");
                assertEq(debts >> assetId & 1, debtShares == 0 ? 0 : 1, "debt bit");
            }
        }
    }
}

/// @title The invariants over forge's own random calls
contract ClearingHouseInvariants is HouseWalk, OutcomeLog {
    function setUp() public override {
        super.setUp();
        targetContract(address(handler));
        bytes4[] memory actions = new bytes4[](23);
        actions[0] = handler.supply.selector;
        actions[1] = handler.withdraw.selector;
        actions[2] = handler.transferShares.selector;
        actions[3] = handler.deposit.selector;
        actions[4] = handler.withdrawCollateral.selector;
        actions[5] = handler.borrow.selector;
        actions[6] = handler.repay.selector;
        actions[7] = handler.setOperator.selector;
        actions[8] = handler.setFlag.selector;
        actions[9] = handler.net.selector;
        actions[10] = handler.settle.selector;
        actions[11] = handler.settleInsolvent.selector;
        actions[12] = handler.writeOff.selector;
        actions[13] = handler.collectCredit.selector;
        actions[14] = handler.withdrawReserve.selector;
        actions[15] = handler.setRateModel.selector;
        actions[16] = handler.setReserveFactor.selector;
        actions[17] = handler.accrue.selector;
        actions[18] = handler.pass.selector;
        actions[19] = handler.movePrice.selector;
        actions[20] = handler.mark.selector;
        actions[21] = handler.insure.selector;
        actions[22] = handler.distribute.selector;
        targetSelector(address(handler), actions);
        _begin();
    }

    /// @dev Everyone lends, holds and owes from the first call on: else most runs end before anything is settled.
    function _begin() private {
        for (uint256 i = 0; i < 12; ++i) {
            handler.supply(i, i / 4, type(uint256).max);
        }
        for (uint256 i = 0; i < 12; ++i) {
            handler.deposit(i, i / 4, type(uint256).max);
        }
        for (uint256 i = 0; i < 8; ++i) {
            handler.borrow(i, i / 4 + i, type(uint256).max / 2 + i);
        }
    }

    /// @dev One function, because forge plays all its calls again for each.
    function invariant_books_balance_claims_fit_and_only_a_deficit_costs_suppliers() external view {
        _assertIdentity();
        _assertSums();
        _assertClaims();
        _assertBitmaps();
        _assertMarks();
        assertFalse(handler.diluted(), "suppliers lost without a deficit");
    }

    /// @dev Called by forge at the end of each run.
    function afterInvariant() external {
        bytes32[9] memory outcomes =
            [bytes32("take"), "sale", "fill", "deficit", "writeOff", "cover", "mark", "mark off", "distribute"];
        bytes32[] memory names = new bytes32[](outcomes.length);
        uint256[] memory counts = new uint256[](outcomes.length);
        for (uint256 i = 0; i < outcomes.length; ++i) {
            (names[i], counts[i]) = (outcomes[i], handler.done(outcomes[i]));
        }
        _tellOutcome("house", names, counts);
    }
}

/// @title A long walk that does everything, and the ledger that its logs give
contract ClearingHouseWalkTest is HouseWalk {
    uint256 private constant STEPS = 410;

    LedgerFromLogs private ledger;
    uint256 private _random = uint256(keccak256("a walk"));

    function setUp() public override {
        vm.recordLogs();
        super.setUp();
        ledger = new LedgerFromLogs();
    }

    function _draw() private returns (uint256) {
        _random = uint256(keccak256(abi.encode(_random)));
        return _random;
    }

    /// @dev One action of the handler: mostly lending and borrowing, sometimes the rest.
    function _step() private {
        uint256 action = _draw() % 34;
        if (action < 3) handler.supply(_draw(), _draw(), _draw());
        else if (action < 4) handler.withdraw(_draw(), _draw(), _draw());
        else if (action < 5) handler.transferShares(_draw(), _draw(), _draw(), _draw());
        else if (action < 9) handler.deposit(_draw(), _draw(), _draw());
        else if (action < 10) handler.withdrawCollateral(_draw(), _draw(), _draw());
        else if (action < 14) handler.borrow(_draw(), _draw(), _draw());
        else if (action < 15) handler.repay(_draw(), _draw(), _draw(), _draw() % 2 == 0);
        else if (action < 16) handler.setFlag(_draw(), _draw() % 2 == 0);
        else if (action < 17) handler.net(_draw(), _draw());
        else if (action < 19) handler.settle(_draw(), _draw(), _draw(), _draw(), _draw() % 2 == 0);
        else if (action < 20) handler.settleInsolvent(_draw(), _draw(), _draw(), _draw(), _draw());
        else if (action < 21) handler.writeOff(_draw(), _draw(), _draw());
        else _stepAside(action);
    }

    function _stepAside(uint256 action) private {
        if (action < 22) handler.collectCredit(_draw(), _draw());
        else if (action < 23) handler.pass(_draw());
        else if (action < 24) handler.movePrice(_draw(), _draw());
        else if (action < 25) handler.withdrawReserve(_draw(), _draw());
        else if (action < 27) handler.insure(_draw(), _draw(), _draw());
        else if (action < 28) handler.distribute(_draw());
        else if (action < 30) handler.mark(_draw(), _draw(), _draw());
        else if (action < 31) handler.settleInsolvent(_draw(), _draw(), _draw(), _draw(), _draw());
        else if (action < 33) handler.settle(_draw(), _draw(), _draw(), _draw(), _draw() % 2 == 0);
        else if (_draw() % 2 == 0) handler.setOperator(_draw(), _draw(), _draw() % 2 == 0);
        else if (_draw() % 2 == 0) handler.setRateModel(_draw(), _draw());
        else if (_draw() % 2 == 0) handler.setReserveFactor(_draw(), _draw());
        else handler.accrue(_draw());
    }

    function _assertDone(bytes32 action, uint256 least) private view {
        assertGe(handler.done(action), least, string(abi.encodePacked(action)));
    }

    /// @dev The walk is worth something only if it gets everywhere.
    function test_a_walk_does_everything_and_the_books_balance_at_each_step() external {
        for (uint256 i = 0; i < STEPS; ++i) {
            _step();
            _assertIdentity();
            _assertSums();
            _assertClaims();
            _assertBitmaps();
            _assertMarks();
        }
        assertFalse(handler.diluted());
        bytes32[15] memory often = [
            bytes32("supply"),
            "withdraw",
            "transferShares",
            "deposit",
            "withdrawCollateral",
            "borrow",
            "repay",
            "net",
            "take",
            "sale",
            "deficit",
            "pass",
            "cover",
            "mark",
            "insure"
        ];
        for (uint256 i = 0; i < often.length; ++i) {
            _assertDone(often[i], 5);
        }
        bytes32[13] memory seldom = [
            bytes32("withdraw all"),
            "repay all",
            "setFlag",
            "writeOff",
            "collectCredit",
            "withdrawReserve",
            "movePrice",
            "setOperator",
            "setRateModel",
            "setReserveFactor",
            "distribute",
            "mark off",
            "fill"
        ];
        for (uint256 i = 0; i < seldom.length; ++i) {
            _assertDone(seldom[i], 1);
        }
    }

    // ------------------------------------------------------------------ events are complete

    function _readLogs() private {
        Vm.Log[] memory all = vm.getRecordedLogs();
        uint256 ours;
        for (uint256 i = 0; i < all.length; ++i) {
            if (all[i].emitter == address(house)) all[ours++] = all[i];
        }
        assembly ("memory-safe") {
            mstore(all, ours)
        }
        ledger.read(all);
    }

    function _assertAccountRebuilt(address account, address[] memory others) private view {
        (uint64 collaterals, uint64 debts, uint32 epoch, bool flagged,) = house.accountInfo(account);
        bytes memory stored = abi.encode(collaterals, debts, epoch, flagged);
        (collaterals, debts, epoch, flagged) = ledger.accountInfo(account);
        assertEq(abi.encode(collaterals, debts, epoch, flagged), stored, "account");
        for (uint8 assetId = 0; assetId < ASSETS; ++assetId) {
            _assertBalancesRebuilt(account, assetId);
        }
        for (uint256 i = 0; i < others.length; ++i) {
            assertEq(ledger.isOperator(account, others[i]), house.isOperator(account, others[i]), "operator");
        }
    }

    function _assertBalancesRebuilt(address account, uint8 assetId) private view {
        (uint256 collateral, uint256 debtShares) = house.balanceOf(account, assetId);
        (uint256 collateralRebuilt, uint256 sharesRebuilt) = ledger.balanceOf(account, assetId);
        assertEq(collateralRebuilt, collateral, "collateral");
        assertEq(sharesRebuilt, debtShares, "debt shares");
        assertEq(ledger.supplyShares(assetId, account), house.supplyShares(assetId, account), "supply shares");
        assertEq(ledger.creditOf(assetId, account), house.creditOf(assetId, account), "credit");
        assertEq(ledger.markOf(account, assetId), house.markOf(account, assetId), "mark");
    }

    function _assertAssetRebuilt(uint8 assetId) private {
        house.accrue(assetId); // so that the house shows what it stores
        _readLogs();
        assertEq(abi.encode(ledger.market(assetId)), abi.encode(house.market(assetId)), "totals");
        assertEq(abi.encode(ledger.assetParameters(assetId)), abi.encode(house.assetParameters(assetId)), "parameters");
        assertEq(abi.encode(ledger.rateModel(assetId)), abi.encode(house.rateModel(assetId)), "rate model");
        assertEq(ledger.pendingDeficit(assetId), house.pendingDeficit(assetId), "pending deficit");
        assertEq(ledger.fund(assetId), house.fund(assetId), "fund");
        (address token, uint8 decimals) = house.asset(assetId);
        (address token2, uint8 decimals2) = ledger.asset(assetId);
        assertEq(abi.encode(token2, decimals2), abi.encode(token, decimals), "asset");
    }

    function test_everything_is_rebuilt_from_logs() external {
        for (uint256 i = 0; i < STEPS; ++i) {
            _step();
            if (i % 50 == 49) _readLogs();
        }
        for (uint8 assetId = 0; assetId < ASSETS; ++assetId) {
            _assertAssetRebuilt(assetId);
        }
        address[] memory holders = _holders();
        for (uint256 i = 0; i < holders.length; ++i) {
            _assertAccountRebuilt(holders[i], holders);
        }
        assertEq(ledger.assetCount(), house.assetCount());
        assertEq(ledger.oracle(), house.oracle());
        assertEq(ledger.engine(), house.engine());
        assertEq(ledger.smallestBorrow(), house.smallestBorrow());
        assertEq(ledger.unknown(), 1, "the authority's own event, and no other");
        assertGt(handler.done("deficit") + handler.done("writeOff"), 10, "deficits were among them");
        assertGt(handler.done("cover"), 5, "some of them covered");
    }
}

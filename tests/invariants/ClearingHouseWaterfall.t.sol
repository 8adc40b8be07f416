// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {IInsuranceFund} from "../../contracts/interfaces/IInsuranceFund.sol";
import {FundDouble} from "./support/FundDouble.sol";
import {HouseFixture} from "./support/HouseFixture.sol";

/// @title Who bears a loss: reserve and fund for tip and chip, the fund and then the suppliers for the rest
contract ClearingHouseWaterfallTest is HouseFixture {
    FundDouble private insurer;

    function setUp() public override {
        super.setUp();
        insurer = new FundDouble(tokens[USDC], address(house));
        deposit(borrower, WETH, 10e18);
        borrow(borrower, USDC, 15_000e6);
        fund(settler, USDC, 1_000_000e6);
    }

    /// @dev Leaves a reserve of `amount`: a settlement of which all but a unit is penalty.
    function _fillReserve(uint128 amount) private {
        IClearingHouse.Settlement memory s = settlementOf(WETH, USDC, 1, 1);
        (s.payment, s.reserve) = (amount + 1, amount);
        asEngine.settleTake(s, settler, settler, "");
    }

    function _insure(uint256 budget) private {
        insurer.setBudget(budget);
        vm.prank(governor);
        house.setFund(USDC, address(insurer));
    }

    // ------------------------------------------------------------------ insolvency

    /// @dev 1 WETH brings 1,000 and cancels 1,500: suppliers lose 500.
    function _insolvent() private view returns (IClearingHouse.Settlement memory s) {
        s = settlementOf(WETH, USDC, 1e18, 1_000e6);
        s.cancelled = 1_500e6;
    }

    function test_a_deficit_is_the_suppliers() external {
        vm.expectEmit(address(house));
        emit IClearingHouse.Settled(
            borrower, WETH, USDC, 0, 0, settler, address(0), 0, 1e18, 1_000e6, 1_000e6, 1_500e6, 0, 0, 0, 1_500e12
        );
        asEngine.settleTake(_insolvent(), settler, settler, "");
        assertEq(house.market(USDC).totalSupplyAssets, 999_500e6);
        assertEq(debtOf(borrower, USDC), 13_500e6);
        assertBooksBalance();
    }

    function test_in_insolvency_tip_and_chip_come_out_of_the_reserve() external {
        _fillReserve(3e6);
        IClearingHouse.Settlement memory s = _insolvent();
        (s.tip, s.chip) = (2e6, 1e6);
        uint256 before = tokens[USDC].balanceOf(settler);
        asEngine.settleTake(s, settler, settler, "");
        IClearingHouse.Market memory m = house.market(USDC);
        assertEq(m.reserveAssets, 0);
        assertEq(m.totalSupplyAssets, 999_500e6);
        assertEq(house.creditOf(USDC, kicker), 2e6);
        assertEq(tokens[USDC].balanceOf(settler), before - 999e6, "payment less chip");
        assertEq(m.cash, tokens[USDC].balanceOf(address(house)));
        assertBooksBalance();
    }

    function test_in_insolvency_the_reserve_pays_no_more_than_it_holds() external {
        _fillReserve(3e6);
        IClearingHouse.Settlement memory s = _insolvent();
        (s.tip, s.chip) = (2e6, 9e6);
        assertEq(asEngine.settleTake(s, settler, settler, ""), 999e6, "a chip of 1 is left");
        assertEq(house.creditOf(USDC, kicker), 2e6, "the tip comes first");
        assertEq(house.market(USDC).reserveAssets, 0);
        assertEq(house.market(USDC).totalSupplyAssets, 999_500e6, "suppliers bear the deficit alone");
        assertBooksBalance();
    }

    /// @dev With the whole pool lent out, the reserve's interest is a claim on borrowers and not cash yet: what the
    /// settlement pays in is all there is to pay out of, or another's collateral would be paid out.
    function test_in_insolvency_the_reserve_pays_only_what_it_was_paid() external {
        deposit(stranger, WETH, 1_000e18);
        deposit(lender, USDC, 50e6); // collateral that must stay
        borrow(stranger, USDC, 985_000e6);
        pass(365 days);
        house.accrue(USDC);
        IClearingHouse.Market memory m = house.market(USDC);
        assertEq(m.cash, 50e6);
        assertGt(m.reserveAssets, 10_000e6);
        IClearingHouse.Settlement memory s = settlementOf(WETH, USDC, 1e18, 5e6);
        (s.cancelled, s.tip) = (6e6, 9e6);
        asEngine.settleTake(s, settler, settler, "");
        assertEq(house.creditOf(USDC, kicker), 5e6);
        assertEq(house.market(USDC).cash, 55e6);
        assertBooksBalance();
    }

    function test_insolvency_leaves_no_surplus() external {
        IClearingHouse.Settlement memory s = _insolvent();
        (s.payment, s.surplus) = (1_001e6, 1e6);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.SettlementUnbalanced.selector, 1_001e6, 1_001e6));
        asEngine.settleTake(s, settler, settler, "");
        s = _insolvent();
        (s.payment, s.reserve) = (1_001e6, 1e6);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.SettlementUnbalanced.selector, 1_001e6, 1_001e6));
        asEngine.settleTake(s, settler, settler, "");
    }

    // ------------------------------------------------------------------ write-off

    function test_a_write_off_books_all_debt_and_keeps_the_rest() external {
        deposit(borrower, USDC, 20e6);
        borrow(borrower, WBTC, 0.015e8);
        asEngine.setFlag(borrower, true);
        vm.expectEmit(address(house));
        emit IClearingHouse.DebtWrittenOff(borrower, WBTC, 0.015e8, 0.015e14);
        vm.expectEmit(address(house));
        emit IClearingHouse.DebtWrittenOff(borrower, USDC, 15_000e6, 15_000e12);
        vm.expectEmit(address(house));
        emit IClearingHouse.CollateralForfeited(borrower, WETH, 10e18);
        vm.expectEmit(address(house));
        emit IClearingHouse.CollateralForfeited(borrower, USDC, 20e6);
        vm.expectEmit(address(house));
        emit IClearingHouse.FlagSet(borrower, 1, false);
        asEngine.writeOff(borrower);
        assertEq(house.accountState(borrower).legs.length, 0);
        assertEq(house.market(USDC).totalSupplyAssets, 985_000e6);
        assertEq(house.market(USDC).reserveAssets, 20e6);
        assertEq(house.market(WBTC).totalSupplyAssets, 25e8 - 0.015e8);
        assertEq(house.market(WETH).reserveAssets, 10e18);
        assertBooksBalance();
    }

    /// @dev After a year at 80 % debt passes what suppliers own by what the reserve is owed: it bears the rest.
    function test_a_deficit_beyond_the_suppliers_is_the_reserves() external {
        deposit(borrower, WETH, 700e18);
        borrow(borrower, USDC, 985_000e6);
        pass(365 days);
        house.accrue(USDC);
        IClearingHouse.Market memory before = house.market(USDC);
        assertGt(before.totalBorrowAssets, before.totalSupplyAssets);
        uint256 owed = debtOf(borrower, USDC);
        asEngine.writeOff(borrower);
        IClearingHouse.Market memory m = house.market(USDC);
        assertEq(m.totalSupplyAssets, 0);
        assertApproxEqAbs(m.reserveAssets, uint256(before.totalSupplyAssets) + before.reserveAssets - owed, 2);
        assertBooksBalance();
    }

    function test_a_write_off_of_an_empty_account_does_nothing() external {
        vm.recordLogs();
        asEngine.writeOff(stranger);
        assertEq(vm.getRecordedLogs().length, 0);
    }

    // ------------------------------------------------------------------ the fund

    function test_the_fund_bears_a_deficit_before_the_suppliers() external {
        _insure(300e6);
        vm.expectEmit(address(house));
        emit IClearingHouse.DeficitCovered(USDC, address(insurer), 300e6, 0);
        asEngine.settleTake(_insolvent(), settler, settler, "");
        assertEq(insurer.asked(), 500e6);
        assertEq(house.market(USDC).totalSupplyAssets, 999_800e6, "the rest is the suppliers'");
        assertEq(house.market(USDC).cash, tokens[USDC].balanceOf(address(house)));
        assertBooksBalance();
    }

    function test_a_fund_that_reaches_spares_the_suppliers() external {
        _insure(10_000e6);
        asEngine.settleTake(_insolvent(), settler, settler, "");
        assertEq(insurer.budget(), 9_500e6);
        assertEq(house.market(USDC).totalSupplyAssets, 1_000_000e6);
        assertEq(house.market(USDC).reserveAssets, 0);
        assertBooksBalance();
    }

    function test_a_solvent_settlement_asks_the_fund_for_nothing() external {
        _insure(10_000e6);
        asEngine.settleTake(settlementOf(WETH, USDC, 1e18, 1_900e6), settler, settler, "");
        assertEq(insurer.asked(), 0);
    }

    function test_the_fund_pays_tip_and_chip_where_the_reserve_does_not_reach() external {
        _fillReserve(3e6);
        _insure(502e6);
        IClearingHouse.Settlement memory s = _insolvent();
        (s.tip, s.chip) = (4e6, 2e6);
        assertEq(house.incentivesPayable(USDC, 500e6), 5e6, "what is left beside the deficit");
        assertEq(asEngine.settleTake(s, settler, settler, ""), 998e6, "payment less chip");
        assertEq(house.creditOf(USDC, kicker), 4e6);
        assertEq(house.market(USDC).reserveAssets, 0);
        assertEq(house.market(USDC).totalSupplyAssets, 999_999e6, "tip and chip come before the suppliers");
        assertEq(house.market(USDC).cash, tokens[USDC].balanceOf(address(house)));
        assertBooksBalance();
    }

    function test_a_fund_that_fails_or_is_empty_covers_nothing_and_stops_nothing() external {
        _insure(10_000e6);
        insurer.setFails(true);
        asEngine.settleTake(_insolvent(), settler, settler, "");
        assertEq(house.market(USDC).totalSupplyAssets, 999_500e6);
        insurer.setFails(false);
        insurer.setBudget(0);
        asEngine.settleTake(_insolvent(), settler, settler, "");
        assertEq(house.market(USDC).totalSupplyAssets, 999_000e6);
        assertBooksBalance();
    }

    function test_a_fund_that_burns_its_gas_covers_nothing_and_stops_nothing() external {
        _insure(10_000e6);
        insurer.setBurns(true);
        assertEq(house.incentivesPayable{gas: 1_000_000}(USDC, 500e6), 0);
        asEngine.settleTake{gas: 1_500_000}(_insolvent(), settler, settler, "");
        assertEq(house.market(USDC).totalSupplyAssets, 999_500e6);
        assertBooksBalance();
    }

    /// @dev At any gas limit a fund that pays either pays or nothing happens.
    function test_no_gas_limit_makes_a_fund_fail() external {
        _insure(10_000e6);
        bytes memory call = abi.encodeCall(house.settleTake, (_insolvent(), settler, settler, ""));
        bool refused;
        bool settled;
        for (uint256 gas_ = 50_000; gas_ <= 800_000; gas_ += 10_000) {
            uint256 before = vm.snapshotState();
            vm.prank(address(double));
            (bool success, bytes memory reason) = address(house).call{gas: gas_}(call);
            if (success) assertEq(house.market(USDC).totalSupplyAssets, 1_000_000e6, "not covered");
            else refused = refused || bytes4(reason) == IClearingHouse.GasInsufficient.selector;
            settled = settled || success;
            vm.revertToState(before);
        }
        assertTrue(refused, "never refused for want of gas");
        assertTrue(settled, "never settled");
    }

    function test_no_gas_limit_makes_a_fund_look_empty() external {
        _insure(1_000e6);
        bool refused;
        for (uint256 gas_ = 20_000; gas_ <= 500_000; gas_ += 10_000) {
            try house.incentivesPayable{gas: gas_}(USDC, 500e6) returns (uint256 payable_) {
                assertEq(payable_, 500e6);
            } catch (bytes memory reason) {
                refused = refused || bytes4(reason) == IClearingHouse.GasInsufficient.selector;
            }
        }
        assertTrue(refused, "never refused for want of gas");
    }

    function test_what_a_fund_promises_and_does_not_pay_is_cut_from_tip_and_chip() external {
        _insure(0);
        insurer.pretend(1_000e6);
        IClearingHouse.Settlement memory s = _insolvent();
        (s.tip, s.chip) = (4e6, 2e6);
        assertEq(house.incentivesPayable(USDC, 500e6), 500e6);
        assertEq(asEngine.settleTake(s, settler, settler, ""), 1_000e6);
        assertEq(house.creditOf(USDC, kicker), 0);
        assertEq(house.market(USDC).totalSupplyAssets, 999_500e6);
        assertBooksBalance();
    }

    function test_a_write_off_is_covered_asset_by_asset() external {
        _insure(4_000e6);
        borrow(borrower, WBTC, 0.015e8);
        vm.expectEmit(address(house));
        emit IClearingHouse.DeficitCovered(USDC, address(insurer), 4_000e6, 0);
        vm.expectEmit(address(house));
        emit IClearingHouse.DebtWrittenOff(borrower, USDC, 15_000e6, 15_000e12);
        asEngine.writeOff(borrower);
        assertEq(house.market(USDC).totalSupplyAssets, 989_000e6);
        assertEq(house.market(WBTC).totalSupplyAssets, 25e8 - 0.015e8, "this asset has no fund");
        assertBooksBalance();
    }

    /// @dev The deficit passes the suppliers' claims: the fund's money goes to them first, the reserve bears the rest.
    function test_a_deficit_beyond_the_suppliers_is_covered_too() external {
        deposit(borrower, WETH, 700e18);
        borrow(borrower, USDC, 985_000e6);
        pass(365 days);
        house.accrue(USDC);
        IClearingHouse.Market memory before = house.market(USDC);
        uint256 owed = debtOf(borrower, USDC);
        _insure(100e6);
        asEngine.writeOff(borrower);
        IClearingHouse.Market memory m = house.market(USDC);
        assertEq(m.totalSupplyAssets, 0);
        uint256 claims = uint256(before.totalSupplyAssets) + before.reserveAssets;
        assertApproxEqAbs(m.reserveAssets, claims + 100e6 - owed, 2);
        assertBooksBalance();
    }

    function test_a_real_fund_pays_up_to_its_cap() external {
        IInsuranceFund real = IInsuranceFund(
            vm.deployCode("InsuranceFund.sol:InsuranceFund", abi.encode(address(manager), address(house), USDC))
        );
        vm.prank(governor);
        house.setFund(USDC, address(real));
        tokens[USDC].mint(stranger, 1_000e6);
        vm.startPrank(stranger);
        tokens[USDC].approve(address(real), 1_000e6);
        real.deposit(1_000e6, stranger);
        vm.stopPrank();
        uint256 cap = real.coverable();
        assertGt(cap, 0);
        assertLt(cap, 1_000e6);
        IClearingHouse.Settlement memory s = settlementOf(WETH, USDC, 1e18, 1_000e6);
        s.cancelled = 3_000e6;
        asEngine.settleTake(s, settler, settler, "");
        vm.prank(address(house));
        real.cover(1);
        assertLt(vm.lastCallGas().gasTotalUsed, 150_000, "half of what a fund is given, as a transaction of its own");
        assertEq(real.totalAssets(), 1_000e6 - cap);
        assertEq(house.market(USDC).totalSupplyAssets, 998_000e6 + cap);
        assertBooksBalance();
    }

    // ------------------------------------------------------------------ the fund's income

    function test_anyone_distributes_the_reserve_to_the_fund() external {
        _fillReserve(30e6);
        _insure(0);
        vm.expectEmit(address(house));
        emit IClearingHouse.ReserveWithdrawn(USDC, address(insurer), 30e6);
        vm.prank(stranger);
        assertEq(house.distribute(USDC), 30e6);
        assertEq(tokens[USDC].balanceOf(address(insurer)), 30e6);
        assertEq(house.market(USDC).reserveAssets, 0);
        assertEq(house.market(USDC).cash, tokens[USDC].balanceOf(address(house)));
        assertBooksBalance();
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        house.distribute(USDC);
    }

    function test_only_what_borrowers_have_paid_is_distributed() external {
        _insure(0);
        deposit(stranger, WETH, 1_000e18);
        borrow(stranger, USDC, 985_000e6);
        pass(365 days);
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        house.distribute(USDC);
        fund(stranger, USDC, 1_000e6);
        vm.prank(stranger);
        house.repay(USDC, 1_000e6, stranger);
        assertGt(house.market(USDC).reserveAssets, 1_000e6);
        assertEq(house.distribute(USDC), 1_000e6);
        assertBooksBalance();
    }

    function test_without_a_fund_nothing_is_distributed() external {
        _fillReserve(30e6);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.FundMissing.selector, USDC));
        house.distribute(USDC);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AssetNotListed.selector, 3));
        house.distribute(3);
    }

    function test_governance_alone_sets_a_fund_and_only_one_that_fits() external {
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, stranger));
        vm.prank(stranger);
        house.setFund(USDC, address(insurer));
        FundDouble foreign = new FundDouble(tokens[USDC], address(this));
        vm.startPrank(governor);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.FundRefused.selector, WETH, address(insurer)));
        house.setFund(WETH, address(insurer));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.FundRefused.selector, USDC, address(foreign)));
        house.setFund(USDC, address(foreign));
        vm.expectRevert();
        house.setFund(USDC, stranger);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AssetNotListed.selector, 3));
        house.setFund(3, address(0));
        vm.expectEmit(address(house));
        emit IClearingHouse.FundSet(USDC, address(insurer));
        house.setFund(USDC, address(insurer));
        assertEq(house.fund(USDC), address(insurer));
        house.setFund(USDC, address(0));
        assertEq(house.fund(USDC), address(0));
    }
}

/// @title Losses that are foreseen and not booked yet
contract ClearingHousePendingDeficitsTest is HouseFixture {
    function setUp() public override {
        super.setUp();
        deposit(borrower, WETH, 10e18);
        borrow(borrower, USDC, 15_000e6);
    }

    function test_a_mark_is_a_part_of_every_debt() external {
        borrow(borrower, WBTC, 0.015e8);
        vm.expectEmit(address(house));
        emit IClearingHouse.Marked(borrower, USDC, 1_500e6);
        asEngine.mark(borrower, 0.1e18);
        assertEq(house.markOf(borrower, USDC), 1_500e6);
        assertEq(house.markOf(borrower, WBTC), 0.0015e8);
        assertEq(house.pendingDeficit(USDC), 1_500e6);
        assertEq(house.pendingDeficit(WBTC), 0.0015e8);
        assertTrue(house.accountState(borrower).marked);
    }

    function test_marks_of_accounts_add_up_and_are_replaced() external {
        deposit(stranger, WETH, 10e18);
        borrow(stranger, USDC, 10_000e6);
        asEngine.mark(borrower, 0.1e18);
        asEngine.mark(stranger, 0.2e18);
        assertEq(house.pendingDeficit(USDC), 3_500e6);
        asEngine.mark(borrower, 0.01e18);
        assertEq(house.pendingDeficit(USDC), 2_150e6);
        vm.recordLogs();
        asEngine.mark(borrower, 0.01e18);
        assertEq(vm.getRecordedLogs().length, 0, "nothing new is announced");
        asEngine.mark(borrower, 0);
        assertEq(house.pendingDeficit(USDC), 2_000e6);
        assertFalse(house.accountState(borrower).marked);
    }

    function test_only_the_engine_marks() external {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.EngineUnauthorised.selector, borrower));
        vm.prank(borrower);
        house.mark(borrower, 0);
    }

    function test_an_account_without_debt_is_never_marked() external {
        asEngine.mark(stranger, 1e18);
        assertFalse(house.accountState(stranger).marked);
    }

    /// @dev A long way from health, so that only the payment itself can lower the mark.
    function test_a_repayment_leaves_no_mark_above_the_debt() external {
        setPrice(WETH, 100e8);
        asEngine.mark(borrower, 0.9e18);
        repay(borrower, USDC, 10_000e6);
        assertEq(house.markOf(borrower, USDC), 5_000e6);
        assertEq(house.pendingDeficit(USDC), 5_000e6);
        repay(borrower, USDC, type(uint256).max);
        assertEq(house.pendingDeficit(USDC), 0);
        assertFalse(house.accountState(borrower).marked, "without debt it is healthy");
    }

    function test_a_cure_takes_the_marks_off() external {
        asEngine.setFlag(borrower, true);
        asEngine.mark(borrower, 0.5e18);
        deposit(borrower, WETH, 1e18);
        assertEq(house.pendingDeficit(USDC), 0);
        assertFalse(house.accountState(borrower).marked);
    }

    function test_a_mark_without_a_flag_is_cured_too() external {
        asEngine.mark(borrower, 0.5e18);
        repay(borrower, USDC, 1);
        assertEq(house.pendingDeficit(USDC), 0);
    }

    function test_a_borrower_within_its_limit_bears_no_mark() external {
        asEngine.mark(borrower, 0.5e18);
        borrow(borrower, USDC, 1e6);
        assertEq(house.pendingDeficit(USDC), 0);
    }

    function test_the_flag_takes_the_marks_with_it() external {
        asEngine.setFlag(borrower, true);
        asEngine.mark(borrower, 0.5e18);
        asEngine.setFlag(borrower, false);
        assertEq(house.pendingDeficit(USDC), 0);
    }

    function test_a_settlement_and_a_write_off_leave_no_mark_above_the_debt() external {
        fund(settler, USDC, 10_000e6);
        setPrice(WETH, 100e8);
        asEngine.mark(borrower, 0.9e18);
        IClearingHouse.Settlement memory s = settlementOf(WETH, USDC, 1e18, 1_000e6);
        s.cancelled = 10_000e6;
        asEngine.settleTake(s, settler, settler, "");
        assertEq(house.pendingDeficit(USDC), 5_000e6);
        asEngine.writeOff(borrower);
        assertEq(house.pendingDeficit(USDC), 0);
        assertFalse(house.accountState(borrower).marked);
        assertBooksBalance();
    }

    /// @dev Interest makes a debt grow past its mark, never the other way round.
    function test_a_mark_never_passes_its_debt(uint256 lossWad, uint256 repaid, uint256 elapsed) external {
        setPrice(WETH, 100e8);
        asEngine.mark(borrower, bound(lossWad, 1, 1e18));
        pass(bound(elapsed, 0, 300 days));
        repay(borrower, USDC, bound(repaid, 1, debtOf(borrower, USDC)));
        assertLe(house.markOf(borrower, USDC), debtOf(borrower, USDC));
        assertEq(house.markOf(borrower, USDC), house.pendingDeficit(USDC));
    }
}

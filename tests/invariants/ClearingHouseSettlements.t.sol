// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {IVenue} from "../../contracts/interfaces/IVenue.sol";
import {TakerDouble, VenueDouble} from "./support/HouseDoubles.sol";
import {HouseFixture} from "./support/HouseFixture.sol";

/// @title What the engine books: flags, netting, takes, sales, write-offs
contract ClearingHouseSettlementsTest is HouseFixture {
    VenueDouble private venue;

    function setUp() public override {
        super.setUp();
        venue = new VenueDouble();
        deposit(borrower, WETH, 10e18);
        borrow(borrower, USDC, 15_000e6);
        fund(settler, USDC, 1_000_000e6);
    }

    // ------------------------------------------------------------------ who may

    function test_only_the_engine_settles() external {
        bytes memory refused = abi.encodeWithSelector(IClearingHouse.EngineUnauthorised.selector, borrower);
        IClearingHouse.Settlement memory s = settlementOf(WETH, USDC, 1e18, 1_900e6);
        vm.startPrank(borrower);
        vm.expectRevert(refused);
        house.setFlag(borrower, true);
        vm.expectRevert(refused);
        house.net(borrower, USDC);
        vm.expectRevert(refused);
        house.sell(borrower, WETH, USDC, 1e18, 0, address(venue), "");
        vm.expectRevert(refused);
        house.settle(s);
        vm.expectRevert(refused);
        house.settleTake(s, settler, borrower, "");
        vm.expectRevert(refused);
        house.writeOff(borrower);
    }

    // ------------------------------------------------------------------ flag

    function test_the_flag_rises_and_falls_and_the_epoch_moves_with_its_fall() external {
        vm.expectEmit(address(house));
        emit IClearingHouse.FlagSet(borrower, 0, true);
        asEngine.setFlag(borrower, true);
        (,, uint32 epoch, bool flagged,) = house.accountInfo(borrower);
        assertTrue(flagged);
        assertEq(epoch, 0);
        vm.expectEmit(address(house));
        emit IClearingHouse.FlagSet(borrower, 1, false);
        asEngine.setFlag(borrower, false);
        (,, epoch, flagged,) = house.accountInfo(borrower);
        assertFalse(flagged);
        assertEq(epoch, 1);
    }

    function test_a_flag_that_stands_so_already_moves_nothing() external {
        vm.recordLogs();
        asEngine.setFlag(borrower, false);
        asEngine.setFlag(borrower, true);
        asEngine.setFlag(borrower, true);
        assertEq(vm.getRecordedLogs().length, 1);
        (,, uint32 epoch,,) = house.accountInfo(borrower);
        assertEq(epoch, 0);
    }

    // ------------------------------------------------------------------ netting

    function test_net_repays_debt_with_collateral_of_the_same_asset() external {
        deposit(borrower, USDC, 4_000e6);
        vm.expectEmit(address(house));
        emit IClearingHouse.Netted(borrower, USDC, 4_000e6, 4_000e12, 0);
        assertEq(asEngine.net(borrower, USDC), 4_000e6);
        assertEq(collateralOf(borrower, USDC), 0);
        assertEq(debtOf(borrower, USDC), 11_000e6);
        (uint64 collaterals, uint64 debts,,,) = house.accountInfo(borrower);
        assertEq(collaterals, 1 << WETH);
        assertEq(debts, 1 << USDC);
        assertBooksBalance();
    }

    function test_net_stops_at_the_debt() external {
        deposit(borrower, USDC, 20_000e6);
        pass(30 days);
        uint256 owed = debtOf(borrower, USDC);
        assertEq(asEngine.net(borrower, USDC), owed);
        assertEq(collateralOf(borrower, USDC), 20_000e6 - owed);
        (, uint64 debts,,,) = house.accountInfo(borrower);
        assertEq(debts, 0);
        assertBooksBalance();
    }

    function test_net_that_heals_lets_the_flag_fall() external {
        deposit(borrower, USDC, 4_000e6);
        setPrice(WETH, 1_600e8);
        asEngine.setFlag(borrower, true);
        asEngine.net(borrower, USDC);
        (,, uint32 epoch, bool flagged,) = house.accountInfo(borrower);
        assertFalse(flagged);
        assertEq(epoch, 1);
    }

    function test_net_of_nothing_reverts() external {
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        asEngine.net(borrower, USDC);
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        asEngine.net(borrower, WETH);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AssetNotListed.selector, 3));
        asEngine.net(borrower, 3);
    }

    // ------------------------------------------------------------------ takes

    /// @dev 1 WETH for 1,920: 1,900 repay, 10 are surplus, 5 tip, 2 chip, 3 reserve.
    function _take() private view returns (IClearingHouse.Settlement memory s) {
        s = settlementOf(WETH, USDC, 1e18, 1_900e6);
        (s.payment, s.surplus, s.tip, s.chip, s.reserve) = (1_920e6, 10e6, 5e6, 2e6, 3e6);
        (s.epoch, s.multiplierWad) = (7, 0.99e18);
    }

    function test_a_take_moves_every_part_where_it_belongs() external {
        vm.expectEmit(address(house));
        emit IClearingHouse.Settled(
            borrower,
            WETH,
            USDC,
            7,
            0,
            settler,
            kicker,
            0.99e18,
            1e18,
            1_920e6,
            1_900e6,
            1_900e6,
            10e6,
            5e6,
            2e6,
            1_900e12
        );
        asEngine.settleTake(_take(), settler, stranger, "");
        assertEq(tokens[WETH].balanceOf(stranger), 1e18, "collateral");
        assertEq(tokens[USDC].balanceOf(settler), 1_000_000e6 - 1_918e6, "payment less chip");
        assertEq(collateralOf(borrower, WETH), 9e18);
        assertEq(collateralOf(borrower, USDC), 10e6, "surplus");
        assertEq(debtOf(borrower, USDC), 13_100e6);
        assertEq(house.creditOf(USDC, kicker), 5e6);
        assertEq(house.creditOf(USDC, settler), 0, "a taker's chip is paid at once");
        IClearingHouse.Market memory m = house.market(USDC);
        assertEq(m.reserveAssets, 3e6);
        assertEq(m.creditAssets, 5e6);
        assertEq(m.collateralAssets, 10e6);
        assertEq(m.totalSupplyAssets, 1_000_000e6);
        assertEq(m.cash, tokens[USDC].balanceOf(address(house)));
        assertEq(house.market(WETH).cash, tokens[WETH].balanceOf(address(house)));
        assertBooksBalance();
    }

    function test_a_take_of_everything_clears_the_account() external {
        IClearingHouse.Settlement memory s = settlementOf(WETH, USDC, 10e18, 15_000e6);
        s.closes = true;
        asEngine.setFlag(borrower, true);
        vm.expectEmit(address(house));
        emit IClearingHouse.FlagSet(borrower, 1, false);
        asEngine.settleTake(s, settler, settler, "");
        (uint64 collaterals, uint64 debts, uint32 epoch, bool flagged,) = house.accountInfo(borrower);
        assertEq(uint256(collaterals) + debts, 0);
        assertEq(epoch, 1);
        assertFalse(flagged);
        assertBooksBalance();
    }

    function test_a_take_that_does_not_close_leaves_the_flag() external {
        asEngine.setFlag(borrower, true);
        asEngine.settleTake(_take(), settler, settler, "");
        (,, uint32 epoch, bool flagged,) = house.accountInfo(borrower);
        assertTrue(flagged);
        assertEq(epoch, 0);
    }

    function test_a_taker_pays_with_what_it_is_given() external {
        TakerDouble taker = new TakerDouble(address(house));
        IClearingHouse.Settlement memory s = _take();
        s.settler = address(taker);
        asEngine.settleTake(s, address(taker), address(taker), "how");
        assertEq(taker.account(), borrower);
        assertEq(taker.seized(), 1e18);
        assertEq(taker.owed(), 1_918e6);
        assertEq(string(taker.data()), "how");
        assertEq(tokens[USDC].balanceOf(address(taker)), 0);
        assertBooksBalance();
    }

    function test_a_taker_without_data_is_not_called() external {
        TakerDouble taker = new TakerDouble(address(house));
        tokens[USDC].mint(address(taker), 1_918e6);
        IClearingHouse.Settlement memory s = _take();
        s.settler = address(taker);
        vm.expectRevert(SafeTransferLib.TransferFromFailed.selector);
        asEngine.settleTake(s, address(taker), address(taker), "");
        vm.prank(address(taker));
        tokens[USDC].approve(address(house), 1_918e6);
        asEngine.settleTake(s, address(taker), address(taker), "");
        assertEq(taker.account(), address(0));
    }

    function test_a_taker_that_answers_wrongly_reverts() external {
        TakerDouble taker = new TakerDouble(address(house));
        taker.setAnswer(0xdeadbeef);
        IClearingHouse.Settlement memory s = _take();
        s.settler = address(taker);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CallbackRejected.selector, address(taker)));
        asEngine.settleTake(s, address(taker), address(taker), "how");
    }

    function test_a_dealer_pays_for_a_fill_in_full_and_the_settler_is_credited_the_chip() external {
        address dealer = makeAddr("dealer");
        fund(dealer, USDC, 1_920e6);
        IClearingHouse.Settlement memory s = _take();
        s.route = 2;
        assertEq(asEngine.settleTake(s, dealer, dealer, ""), 1_920e6);
        assertEq(tokens[WETH].balanceOf(dealer), 1e18);
        assertEq(tokens[USDC].balanceOf(dealer), 0);
        assertEq(tokens[USDC].balanceOf(settler), 1_000_000e6, "the settler pays nothing");
        assertEq(house.creditOf(USDC, settler), 2e6);
        assertEq(house.market(USDC).creditAssets, 7e6);
        assertEq(house.market(USDC).cash, tokens[USDC].balanceOf(address(house)));
        assertBooksBalance();
    }

    function test_a_dealer_is_called_back_where_its_fill_says_so() external {
        TakerDouble dealer = new TakerDouble(address(house));
        IClearingHouse.Settlement memory s = _take();
        s.route = 2;
        asEngine.settleTake(s, address(dealer), address(dealer), "quote");
        assertEq(dealer.owed(), 1_920e6);
        assertEq(string(dealer.data()), "quote");
        assertEq(house.creditOf(USDC, settler), 2e6);
    }

    function test_a_taker_without_code_cannot_be_called_back() external {
        vm.expectRevert();
        asEngine.settleTake(_take(), settler, settler, "how");
    }

    // ------------------------------------------------------------------ sales

    function test_a_sale_is_measured_and_booked() external {
        venue.setPays(1_920e6);
        uint256 payment = double.sellAndSettle(_take(), 1_900e6, address(venue), "");
        assertEq(payment, 1_920e6);
        assertEq(venue.received(), 1e18);
        assertEq(collateralOf(borrower, WETH), 9e18);
        assertEq(collateralOf(borrower, USDC), 10e6);
        assertEq(debtOf(borrower, USDC), 13_100e6);
        assertEq(house.creditOf(USDC, kicker), 5e6);
        assertEq(house.creditOf(USDC, settler), 2e6, "a seller's chip is credited");
        assertEq(house.market(USDC).cash, tokens[USDC].balanceOf(address(house)));
        assertBooksBalance();
    }

    function test_a_sale_at_its_minimum_passes_and_below_it_reverts() external {
        venue.setPays(1_920e6);
        vm.expectRevert(abi.encodeWithSelector(IVenue.ProceedsBelowMinimum.selector, 1_920e6, 1_920e6 + 1));
        double.sellAndSettle(_take(), 1_920e6 + 1, address(venue), "");
        double.sellAndSettle(_take(), 1_920e6, address(venue), "");
    }

    function test_a_sale_is_booked_as_it_was_or_not_at_all() external {
        venue.setPays(1_921e6);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.SettlementUnbalanced.selector, 1_920e6, 1_921e6));
        double.sellAndSettle(_take(), 0, address(venue), "");
    }

    function test_nothing_is_booked_without_a_sale() external {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.SettlementUnbalanced.selector, 1_920e6, 0));
        asEngine.settle(_take());
    }

    function test_a_sale_is_booked_once() external {
        venue.setPays(1_920e6);
        SaleTwice twice = new SaleTwice();
        vm.prank(governor);
        house.setEngine(address(twice));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.SettlementUnbalanced.selector, 1_920e6, 1_920e6));
        twice.sellAndSettleTwice(house, _take(), address(venue));
    }

    function test_a_sale_is_booked_for_its_own_account_assets_and_amount() external {
        venue.setPays(1_920e6);
        SaleTwice twice = new SaleTwice();
        vm.prank(governor);
        house.setEngine(address(twice));
        bytes memory refused = abi.encodeWithSelector(IClearingHouse.SettlementUnbalanced.selector, 1_920e6, 1_920e6);
        IClearingHouse.Settlement memory booked = _take();
        booked.account = stranger;
        vm.expectRevert(refused);
        twice.sellAndSettleAs(house, _take(), booked, address(venue));
        booked = _take();
        booked.seized -= 1;
        vm.expectRevert(refused);
        twice.sellAndSettleAs(house, _take(), booked, address(venue));
        booked = _take();
        booked.collateralId = WBTC;
        vm.expectRevert(refused);
        twice.sellAndSettleAs(house, _take(), booked, address(venue));
        booked = _take();
        booked.debtId = WBTC;
        vm.expectRevert(refused);
        twice.sellAndSettleAs(house, _take(), booked, address(venue));
    }

    // ------------------------------------------------------------------ what reverts either way

    function test_a_settlement_that_does_not_add_up_reverts() external {
        IClearingHouse.Settlement memory s = _take();
        s.reserve += 1;
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.SettlementUnbalanced.selector, 1_920e6, 1_920e6 + 1));
        asEngine.settleTake(s, settler, settler, "");
        s = _take();
        s.tip -= 1;
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.SettlementUnbalanced.selector, 1_920e6, 1_920e6 - 1));
        asEngine.settleTake(s, settler, settler, "");
        s = _take();
        s.cancelled -= 1;
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.SettlementUnbalanced.selector, 1_900e6, 1_900e6 - 1));
        asEngine.settleTake(s, settler, settler, "");
    }

    function test_a_settlement_beyond_the_account_reverts() external {
        IClearingHouse.Settlement memory s = settlementOf(WETH, USDC, 10e18 + 1, 1_900e6);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BalanceInsufficient.selector, WETH, 10e18 + 1, 10e18));
        asEngine.settleTake(s, settler, settler, "");
        s = settlementOf(WETH, USDC, 1e18, 15_000e6 + 1);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.RepaymentExceedsDebt.selector, 15_000e6 + 1, 15_000e6));
        asEngine.settleTake(s, settler, settler, "");
        s = settlementOf(3, USDC, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AssetNotListed.selector, 3));
        asEngine.settleTake(s, settler, settler, "");
        s = settlementOf(WETH, 3, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AssetNotListed.selector, 3));
        asEngine.settleTake(s, settler, settler, "");
    }

    // ------------------------------------------------------------------ credit

    function test_credit_is_collected_once() external {
        asEngine.settleTake(_take(), settler, settler, "");
        vm.expectEmit(address(house));
        emit IClearingHouse.CreditCollected(USDC, kicker, stranger, 5e6);
        vm.prank(kicker);
        assertEq(house.collectCredit(USDC, stranger), 5e6);
        assertEq(tokens[USDC].balanceOf(stranger), 5e6);
        assertEq(house.creditOf(USDC, kicker), 0);
        assertEq(house.market(USDC).creditAssets, 0);
        assertBooksBalance();
        vm.startPrank(kicker);
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        house.collectCredit(USDC, kicker);
        vm.expectRevert(IClearingHouse.ZeroAddress.selector);
        house.collectCredit(USDC, address(0));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AssetNotListed.selector, 3));
        house.collectCredit(3, kicker);
    }

    // ------------------------------------------------------------------ rounding

    /// @dev Whatever is cancelled: suppliers lose exactly the deficit, and the account's debt falls by no more than
    /// what was cancelled.
    function test_a_settlement_never_favours_the_account(uint256 cancelled, uint256 repaid, uint256 elapsed) external {
        pass(bound(elapsed, 0, 300 days));
        house.accrue(USDC);
        uint256 owed = debtOf(borrower, USDC);
        cancelled = bound(cancelled, 1, owed);
        repaid = bound(repaid, 1, cancelled);
        IClearingHouse.Market memory before = house.market(USDC);
        IClearingHouse.Settlement memory s = settlementOf(WETH, USDC, 1e18, uint128(repaid));
        s.cancelled = uint128(cancelled);
        asEngine.settleTake(s, settler, settler, "");
        IClearingHouse.Market memory m = house.market(USDC);
        assertGe(debtOf(borrower, USDC), owed - cancelled);
        assertLe(debtOf(borrower, USDC), owed - cancelled + 1);
        assertLe(before.totalSupplyAssets - m.totalSupplyAssets, cancelled - repaid);
        assertBooksBalance();
    }
}

/// @title An engine that books a sale twice, or as another one
contract SaleTwice {
    function curve(uint8) external pure returns (uint64, uint64) {
        return (0, 0);
    }

    function sellAndSettleTwice(IClearingHouse house, IClearingHouse.Settlement memory sold, address venue) external {
        _sell(house, sold, venue);
        house.settle(sold);
        house.settle(sold);
    }

    function sellAndSettleAs(
        IClearingHouse house,
        IClearingHouse.Settlement memory sold,
        IClearingHouse.Settlement memory booked,
        address venue
    ) external {
        _sell(house, sold, venue);
        house.settle(booked);
    }

    function _sell(IClearingHouse house, IClearingHouse.Settlement memory sold, address venue) private {
        house.sell(sold.account, sold.collateralId, sold.debtId, sold.seized, 0, venue, "");
    }
}

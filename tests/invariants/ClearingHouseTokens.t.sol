// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {IPriceOracle} from "../../contracts/interfaces/IPriceOracle.sol";
import {FaucetToken} from "../../contracts/mocks/FaucetToken.sol";
import {MockAggregator} from "../../contracts/mocks/MockAggregator.sol";
import {TakerDouble, VenueDouble} from "./support/HouseDoubles.sol";
import {HouseFixture} from "./support/HouseFixture.sol";
import {Meddler} from "./support/Meddler.sol";
import {CallingToken, FeeToken, RefusingToken, ShrinkingToken, SilentToken} from "./support/OddTokens.sol";

/// @title Tokens that misbehave
contract ClearingHouseTokensTest is HouseFixture {
    uint8 private constant ODD = 3;

    function _listOdd(address token) private {
        MockAggregator feed = new MockAggregator(8, "ODD", address(this));
        feed.publish(1e8, block.timestamp);
        vm.startPrank(governor);
        oracle.setFeed(token, IPriceOracle.Feed(address(feed), 4_200, 1, 1e17));
        house.listAsset(token, parametersOf(8_000, 8_300, 10_000), rateModel());
        vm.stopPrank();
        FaucetToken(token).mint(borrower, 1_000e18);
        vm.prank(borrower);
        (bool approved,) = token.call(abi.encodeCall(IERC20.approve, (address(house), type(uint256).max)));
        assertTrue(approved); // by hand, because one of them answers nothing
    }

    // ------------------------------------------------------------------ amounts

    function test_a_fee_on_transfer_is_refused_wherever_tokens_come_in() external {
        FeeToken token = new FeeToken();
        _listOdd(address(token));
        bytes memory refused = abi.encodeWithSelector(IClearingHouse.TransferInexact.selector, address(token), 99, 100);
        vm.startPrank(borrower);
        vm.expectRevert(refused);
        house.supply(ODD, 100, borrower);
        vm.expectRevert(refused);
        house.depositCollateral(ODD, 100, borrower);
    }

    function test_a_token_that_shrinks_the_house_is_refused() external {
        ShrinkingToken token = new ShrinkingToken();
        _listOdd(address(token));
        token.mint(address(house), 5);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.TransferInexact.selector, address(token), 0, 100));
        vm.prank(borrower);
        house.supply(ODD, 100, borrower);
    }

    function test_a_token_that_answers_false_reverts() external {
        RefusingToken token = new RefusingToken();
        _listOdd(address(token));
        vm.startPrank(borrower);
        house.depositCollateral(ODD, 100e18, borrower);
        token.refuse();
        vm.expectRevert(SafeTransferLib.TransferFromFailed.selector);
        house.depositCollateral(ODD, 100e18, borrower);
        vm.expectRevert(SafeTransferLib.TransferFailed.selector);
        house.withdrawCollateral(ODD, 100e18, borrower, borrower);
        assertEq(collateralOf(borrower, ODD), 100e18);
    }

    function test_a_token_that_answers_nothing_works() external {
        SilentToken token = new SilentToken();
        _listOdd(address(token));
        vm.startPrank(borrower);
        house.depositCollateral(ODD, 100e6, borrower);
        house.supply(ODD, 100e6, borrower);
        house.withdrawCollateral(ODD, 40e6, borrower, stranger);
        assertEq(token.balanceOf(stranger), 40e6);
        assertEq(token.balanceOf(address(house)), 160e6);
    }

    function test_without_an_allowance_nothing_moves() external {
        tokens[USDC].mint(stranger, 1e6);
        vm.expectRevert(SafeTransferLib.TransferFromFailed.selector);
        vm.prank(stranger);
        house.supply(USDC, 1e6, stranger);
        assertEq(house.supplyShares(USDC, stranger), 0);
    }

    // ------------------------------------------------------------------ reentrancy

    /// @dev Every function that changes state, each as it could be called from inside another.
    function _entries() private view returns (bytes[] memory calls) {
        IClearingHouse.Settlement memory s = settlementOf(WETH, USDC, 1, 1);
        calls = new bytes[](28);
        calls[0] = abi.encodeCall(house.supply, (USDC, 1, lender));
        calls[1] = abi.encodeCall(house.withdraw, (USDC, 1, 0, lender, lender));
        calls[2] = abi.encodeCall(house.transferShares, (USDC, 1, lender, borrower));
        calls[3] = abi.encodeCall(house.accrue, (USDC));
        calls[4] = abi.encodeCall(house.depositCollateral, (USDC, 1, borrower));
        calls[5] = abi.encodeCall(house.withdrawCollateral, (USDC, 1, borrower, borrower));
        calls[6] = abi.encodeCall(house.borrow, (USDC, 1, borrower, borrower));
        calls[7] = abi.encodeCall(house.repay, (USDC, 1, borrower));
        calls[8] = abi.encodeCall(house.setOperator, (borrower, true));
        calls[9] = abi.encodeCall(house.setOperatorBySig, (borrower, lender, true, type(uint256).max, ""));
        calls[10] = abi.encodeCall(house.collectCredit, (USDC, borrower));
        calls[11] = abi.encodeCall(house.setFlag, (borrower, true));
        calls[12] = abi.encodeCall(house.net, (borrower, USDC));
        calls[13] = abi.encodeCall(house.sell, (borrower, WETH, USDC, 1, 0, borrower, ""));
        calls[14] = abi.encodeCall(house.settle, (s));
        calls[15] = abi.encodeCall(house.settleTake, (s, borrower, borrower, ""));
        calls[16] = abi.encodeCall(house.writeOff, (borrower));
        calls[17] = abi.encodeCall(house.listAsset, (borrower, parametersOf(1, 2, 10_000), rateModel()));
        calls[18] = abi.encodeCall(house.setAssetParameters, (USDC, parametersOf(1, 2, 10_000)));
        calls[19] = abi.encodeCall(house.setRateModel, (USDC, rateModel()));
        calls[20] = abi.encodeCall(house.setOracle, (borrower));
        calls[21] = abi.encodeCall(house.setEngine, (borrower));
        calls[22] = abi.encodeCall(house.setSmallestBorrow, (500e18));
        calls[23] = abi.encodeCall(house.withdrawReserve, (USDC, 1, borrower));
        bytes[] memory one = new bytes[](1);
        one[0] = calls[0];
        calls[24] = abi.encodeCall(Multicall.multicall, (one));
        calls[25] = abi.encodeCall(house.mark, (borrower, 0));
        calls[26] = abi.encodeCall(house.setFund, (USDC, address(0)));
        calls[27] = abi.encodeCall(house.distribute, (USDC));
    }

    function _assertRefused(CallingToken token, uint256 entry) private view {
        assertTrue(token.called(), vm.toString(entry));
        assertFalse(token.succeeded(), vm.toString(entry));
        assertEq(
            bytes32(token.reason()),
            bytes32(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector),
            vm.toString(entry)
        );
    }

    function test_no_entry_point_opens_while_tokens_come_in() external {
        CallingToken token = new CallingToken();
        _listOdd(address(token));
        bytes[] memory calls = _entries();
        for (uint256 i = 0; i < calls.length; ++i) {
            token.aim(address(house), calls[i]);
            vm.prank(borrower);
            house.depositCollateral(ODD, 1e18, borrower);
            _assertRefused(token, i);
        }
    }

    function test_no_entry_point_opens_while_tokens_go_out() external {
        CallingToken token = new CallingToken();
        _listOdd(address(token));
        vm.prank(borrower);
        house.depositCollateral(ODD, 100e18, borrower);
        bytes[] memory calls = _entries();
        for (uint256 i = 0; i < calls.length; ++i) {
            token.aim(address(house), calls[i]);
            vm.prank(borrower);
            house.withdrawCollateral(ODD, 1e18, borrower, borrower);
            _assertRefused(token, i);
        }
    }

    function test_no_entry_point_opens_in_a_takers_callback() external {
        deposit(borrower, WETH, 10e18);
        borrow(borrower, USDC, 15_000e6);
        TakerDouble taker = new TakerDouble(address(house));
        IClearingHouse.Settlement memory s = settlementOf(WETH, USDC, 1e18, 1_900e6);
        s.settler = address(taker);
        bytes[] memory calls = _entries();
        for (uint256 i = 0; i < calls.length; ++i) {
            taker.aim(address(house), calls[i]);
            vm.expectRevert(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
            asEngine.settleTake(s, address(taker), address(taker), "x");
        }
    }

    function test_no_entry_point_opens_in_a_venue() external {
        deposit(borrower, WETH, 10e18);
        borrow(borrower, USDC, 15_000e6);
        VenueDouble venue = new VenueDouble();
        venue.setPays(1_900e6);
        bytes[] memory calls = _entries();
        for (uint256 i = 0; i < calls.length; ++i) {
            venue.aim(address(house), calls[i]);
            vm.expectRevert(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
            double.sellAndSettle(settlementOf(WETH, USDC, 1e18, 1_900e6), 0, address(venue), "");
        }
    }

    function test_no_entry_point_opens_in_a_fund() external {
        deposit(borrower, WETH, 10e18);
        borrow(borrower, USDC, 15_000e6);
        Meddler fund = new Meddler(address(house), tokens[USDC], 0);
        vm.prank(governor);
        house.setFund(USDC, address(fund));
        uint256 state = vm.snapshotState();
        bytes[] memory calls = _entries();
        for (uint256 i = 0; i < calls.length; ++i) {
            fund.aim(address(house), calls[i]);
            asEngine.writeOff(borrower);
            assertTrue(fund.called(), vm.toString(i));
            assertFalse(fund.succeeded(), vm.toString(i));
            assertEq(
                bytes32(fund.reason()),
                bytes32(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector),
                vm.toString(i)
            );
            vm.revertToState(state);
            state = vm.snapshotState();
        }
    }

    /// @dev Governance's code runs in the house's storage, hence under the house's lock.
    function test_the_lock_holds_from_governance_too() external {
        CallingToken token = new CallingToken();
        _listOdd(address(token));
        token.mint(address(house), 1);
        vm.startPrank(borrower);
        house.depositCollateral(ODD, 1e18, borrower);
        vm.stopPrank();
        asEngine.writeOff(borrower); // forfeits it: a reserve to withdraw
        bytes[] memory calls = _entries();
        for (uint256 i = 0; i < calls.length; ++i) {
            token.aim(address(house), calls[i]);
            vm.prank(governor);
            house.withdrawReserve(ODD, 1e15, governor);
            _assertRefused(token, i);
        }
    }

    /// @dev In the callback the books are written already; only the payment is outstanding.
    function test_a_takers_callback_sees_the_books_closed() external {
        deposit(borrower, WETH, 10e18);
        borrow(borrower, USDC, 15_000e6);
        TakerDouble taker = new TakerDouble(address(house));
        BooksReader reader = new BooksReader(house);
        taker.aim(address(reader), abi.encodeCall(reader.read, (borrower)));
        IClearingHouse.Settlement memory s = settlementOf(WETH, USDC, 1e18, 1_900e6);
        s.settler = address(taker);
        asEngine.settleTake(s, address(taker), address(taker), "x");
        assertEq(reader.collateralValue(), 18_000e18);
        assertEq(reader.debtValue(), 13_100e18);
    }
}

/// @title Notes what the house shows of an account in the middle of a call
contract BooksReader {
    IClearingHouse private immutable _house;
    uint256 public collateralValue;
    uint256 public debtValue;

    constructor(IClearingHouse house) {
        _house = house;
    }

    function read(address account) external {
        IClearingHouse.AccountState memory state = _house.accountState(account);
        (collateralValue, debtValue) = (state.collateralValue, state.debtValue);
    }
}

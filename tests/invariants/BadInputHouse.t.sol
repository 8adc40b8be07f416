// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {FaucetToken} from "../../contracts/mocks/FaucetToken.sol";
import {Refusals} from "./support/Refusals.sol";

/// @title Bad input to every function of the clearing house that changes state
/// @notice One test per function, named after it; `tests/unit/contracts/test_bad_input_is_covered.py` holds the list
/// complete.
contract BadInputHouseTest is Refusals {
    uint8 private constant UNLISTED = 3;
    uint256 private constant HUGE = type(uint256).max;

    function _no(address caller, bytes memory call, bytes4 expected) private {
        _refused(caller, address(house), call, expected);
    }

    /// @dev What the stranger may not call at all.
    function _governed(bytes memory call) private {
        _no(stranger, call, IAccessManaged.AccessManagedUnauthorized.selector);
    }

    function _engineOnly(bytes memory call) private {
        _no(stranger, call, IClearingHouse.EngineUnauthorised.selector);
        _no(address(this), call, IClearingHouse.EngineUnauthorised.selector); // nor may governance
    }

    // ------------------------------------------------------------------ refusals that many share

    function _zero(address caller, bytes memory call) private {
        _no(caller, call, IClearingHouse.ZeroAmount.selector);
    }

    function _nobody(address caller, bytes memory call) private {
        _no(caller, call, IClearingHouse.ZeroAddress.selector);
    }

    function _unlisted(address caller, bytes memory call) private {
        _no(caller, call, IClearingHouse.AssetNotListed.selector);
    }

    function _tooLarge(address caller, bytes memory call) private {
        _no(caller, call, IClearingHouse.AmountTooLarge.selector);
    }

    function _beyondBalance(address caller, bytes memory call) private {
        _no(caller, call, IClearingHouse.BalanceInsufficient.selector);
    }

    function _beyondCash(address caller, bytes memory call) private {
        _no(caller, call, IClearingHouse.CashInsufficient.selector);
    }

    function _beyondLimit(address caller, bytes memory call) private {
        _no(caller, call, IClearingHouse.BorrowLimitExceeded.selector);
    }

    function _outOfBounds(address caller, bytes memory call) private {
        _no(caller, call, IClearingHouse.ParameterOutOfBounds.selector);
    }

    function _beyondDebt(address caller, bytes memory call) private {
        _no(caller, call, IClearingHouse.RepaymentExceedsDebt.selector);
    }

    /// @dev What is another's to do.
    function _unauthorised(bytes memory call) private {
        _no(stranger, call, IClearingHouse.OperatorUnauthorised.selector);
    }

    // ------------------------------------------------------------------ lending

    function test_supply_refuses() external {
        _zero(stranger, abi.encodeCall(house.supply, (WETH, 0, stranger)));
        _nobody(stranger, abi.encodeCall(house.supply, (WETH, 1, address(0))));
        _unlisted(stranger, abi.encodeCall(house.supply, (UNLISTED, 1, stranger)));
        _unlisted(stranger, abi.encodeCall(house.supply, (255, 1, stranger)));
        _no(stranger, abi.encodeCall(house.supply, (WETH, 1e30, stranger)), TRANSFER_FROM_FAILED);
        _tooLarge(stranger, abi.encodeCall(house.supply, (WETH, HUGE, stranger)));
    }

    function test_withdraw_refuses() external {
        _zero(lender, abi.encodeCall(house.withdraw, (WETH, 0, 0, lender, lender)));
        _nobody(lender, abi.encodeCall(house.withdraw, (WETH, 1, 0, lender, address(0))));
        _unauthorised(abi.encodeCall(house.withdraw, (WETH, 1, 0, lender, stranger)));
        _unlisted(lender, abi.encodeCall(house.withdraw, (UNLISTED, 1, 0, lender, lender)));
        _beyondBalance(stranger, abi.encodeCall(house.withdraw, (WETH, 1, 0, stranger, stranger)));
        _tooLarge(lender, abi.encodeCall(house.withdraw, (WETH, HUGE, 0, lender, lender)));
        _tooLarge(lender, abi.encodeCall(house.withdraw, (WETH, 0, HUGE, lender, lender)));
    }

    function test_transferShares_refuses() external {
        _zero(lender, abi.encodeCall(house.transferShares, (WETH, 0, lender, stranger)));
        _nobody(lender, abi.encodeCall(house.transferShares, (WETH, 1, lender, address(0))));
        _unauthorised(abi.encodeCall(house.transferShares, (WETH, 1, lender, stranger)));
        _beyondBalance(lender, abi.encodeCall(house.transferShares, (WETH, HUGE, lender, stranger)));
    }

    // ------------------------------------------------------------------ accounts

    function test_depositCollateral_refuses() external {
        _zero(stranger, abi.encodeCall(house.depositCollateral, (WETH, 0, stranger)));
        _nobody(stranger, abi.encodeCall(house.depositCollateral, (WETH, 1, address(0))));
        _unlisted(stranger, abi.encodeCall(house.depositCollateral, (UNLISTED, 1, stranger)));
        _no(stranger, abi.encodeCall(house.depositCollateral, (WETH, 1e30, stranger)), TRANSFER_FROM_FAILED);
        _tooLarge(stranger, abi.encodeCall(house.depositCollateral, (WETH, type(uint128).max, stranger)));
        _tooLarge(stranger, abi.encodeCall(house.depositCollateral, (WETH, HUGE, stranger)));
    }

    function test_withdrawCollateral_refuses() external {
        _zero(borrower, abi.encodeCall(house.withdrawCollateral, (WETH, 0, borrower, borrower)));
        _unauthorised(abi.encodeCall(house.withdrawCollateral, (WETH, 1, borrower, stranger)));
        _beyondLimit(borrower, abi.encodeCall(house.withdrawCollateral, (WETH, 1, borrower, borrower)));
        _beyondBalance(borrower, abi.encodeCall(house.withdrawCollateral, (WETH, HUGE - 1, borrower, borrower)));
        _nobody(borrower, abi.encodeCall(house.withdrawCollateral, (WETH, 1, borrower, address(0))));
    }

    function test_borrow_refuses() external {
        _zero(borrower, abi.encodeCall(house.borrow, (USDC, 0, borrower, borrower)));
        _beyondLimit(borrower, abi.encodeCall(house.borrow, (USDC, 1, borrower, borrower)));
        _beyondCash(borrower, abi.encodeCall(house.borrow, (USDC, HUGE, borrower, borrower)));
        _unauthorised(abi.encodeCall(house.borrow, (USDC, 1, borrower, stranger)));
        _unlisted(borrower, abi.encodeCall(house.borrow, (UNLISTED, 1, borrower, borrower)));
        _beyondCash(borrower, abi.encodeCall(house.borrow, (USDC, 1e30, borrower, borrower)));
        _nobody(borrower, abi.encodeCall(house.borrow, (USDC, 1, borrower, address(0))));
    }

    function test_repay_refuses() external {
        _zero(stranger, abi.encodeCall(house.repay, (USDC, 0, borrower)));
        _unlisted(stranger, abi.encodeCall(house.repay, (UNLISTED, 1, borrower)));
        _beyondDebt(stranger, abi.encodeCall(house.repay, (USDC, 1e18, borrower)));
        _no(stranger, abi.encodeCall(house.repay, (USDC, HUGE, borrower)), TRANSFER_FROM_FAILED);
        _beyondDebt(stranger, abi.encodeCall(house.repay, (USDC, HUGE - 1, borrower)));
    }

    /// @dev There is no bad operator: each is the caller's own. Nobody else's moves.
    function test_setOperator_refuses() external {
        vm.prank(stranger);
        house.setOperator(address(0), true);
        assertFalse(house.isOperator(borrower, address(0)));
        assertFalse(house.isOperator(borrower, stranger));
    }

    function test_setOperatorBySig_refuses() external {
        _no(
            stranger,
            abi.encodeCall(house.setOperatorBySig, (borrower, stranger, true, HUGE, new bytes(65))),
            IClearingHouse.SignatureInvalid.selector
        );
        _no(
            stranger,
            abi.encodeCall(house.setOperatorBySig, (borrower, stranger, true, 0, new bytes(65))),
            IClearingHouse.SignatureExpired.selector
        );
        _no(
            stranger,
            abi.encodeCall(house.setOperatorBySig, (borrower, stranger, true, HUGE, "")),
            IClearingHouse.SignatureInvalid.selector
        );
    }

    function test_collectCredit_refuses() external {
        _zero(stranger, abi.encodeCall(house.collectCredit, (WETH, stranger)));
        _unlisted(stranger, abi.encodeCall(house.collectCredit, (UNLISTED, stranger)));
        _nobody(stranger, abi.encodeCall(house.collectCredit, (WETH, address(0))));
    }

    function test_accrue_refuses() external {
        _unlisted(stranger, abi.encodeCall(house.accrue, (UNLISTED)));
    }

    function test_multicall_refuses() external {
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(house.supply, (WETH, 1e18, stranger)); // would pass alone
        calls[1] = abi.encodeCall(house.withdraw, (WETH, 1, 0, lender, stranger));
        _no(
            stranger, abi.encodeWithSignature("multicall(bytes[])", calls), IClearingHouse.OperatorUnauthorised.selector
        );
    }

    // ------------------------------------------------------------------ the engine's

    function test_setFlag_refuses() external {
        _engineOnly(abi.encodeCall(house.setFlag, (borrower, false)));
    }

    function test_net_refuses() external {
        _engineOnly(abi.encodeCall(house.net, (borrower, WETH)));
        _zero(address(engine), abi.encodeCall(house.net, (borrower, WETH)));
    }

    function test_sell_refuses() external {
        _engineOnly(abi.encodeCall(house.sell, (borrower, WETH, USDC, 1, 0, address(venue), bytes(""))));
    }

    function test_settle_refuses() external {
        IClearingHouse.Settlement memory settlement;
        _engineOnly(abi.encodeCall(house.settle, (settlement)));
    }

    function test_settleTake_refuses() external {
        IClearingHouse.Settlement memory settlement;
        _engineOnly(abi.encodeCall(house.settleTake, (settlement, stranger, stranger, bytes(""))));
        (settlement.account, settlement.debtId) = (borrower, USDC);
        (settlement.seized, settlement.payment, settlement.repaid) = (1e18, 1e6, 2e6); // does not add up
        _no(
            address(engine),
            abi.encodeCall(house.settleTake, (settlement, stranger, stranger, bytes(""))),
            IClearingHouse.SettlementUnbalanced.selector
        );
    }

    function test_mark_refuses() external {
        _engineOnly(abi.encodeCall(house.mark, (borrower, 1e18)));
    }

    function test_writeOff_refuses() external {
        _engineOnly(abi.encodeCall(house.writeOff, (borrower)));
    }

    // ------------------------------------------------------------------ governance

    function test_listAsset_refuses() external {
        IClearingHouse.AssetParameters memory parameters = house.assetParameters(WETH);
        IClearingHouse.RateModel memory model = house.rateModel(WETH);
        _governed(abi.encodeCall(house.listAsset, (address(1), parameters, model)));
        bytes4 refused = IClearingHouse.ListingRefused.selector;
        _no(address(this), abi.encodeCall(house.listAsset, (address(1), parameters, model)), refused);
        _no(address(this), abi.encodeCall(house.listAsset, (address(tokens[WETH]), parameters, model)), refused);
        uint8[3] memory decimals = [0, 2, 30];
        for (uint256 i = 0; i < decimals.length; ++i) {
            address token = address(new FaucetToken("Odd", "ODD", decimals[i]));
            _no(address(this), abi.encodeCall(house.listAsset, (token, parameters, model)), refused);
        }
    }

    function test_setAssetParameters_refuses() external {
        IClearingHouse.AssetParameters memory parameters = house.assetParameters(WETH);
        _governed(abi.encodeCall(house.setAssetParameters, (WETH, parameters)));
        _unlisted(address(this), abi.encodeCall(house.setAssetParameters, (UNLISTED, parameters)));
        parameters.liquidationThresholdBps = 10_000;
        _outOfBounds(address(this), abi.encodeCall(house.setAssetParameters, (WETH, parameters)));
    }

    function test_setRateModel_refuses() external {
        IClearingHouse.RateModel memory model = house.rateModel(WETH);
        _governed(abi.encodeCall(house.setRateModel, (WETH, model)));
        model.kinkBps = type(uint16).max;
        _outOfBounds(address(this), abi.encodeCall(house.setRateModel, (WETH, model)));
    }

    function test_setOracle_refuses() external {
        _governed(abi.encodeCall(house.setOracle, (stranger)));
        _nobody(address(this), abi.encodeCall(house.setOracle, (address(0))));
    }

    function test_setEngine_refuses() external {
        _governed(abi.encodeCall(house.setEngine, (stranger)));
        _nobody(address(this), abi.encodeCall(house.setEngine, (address(0))));
    }

    function test_setSmallestBorrow_refuses() external {
        _governed(abi.encodeCall(house.setSmallestBorrow, (1e18)));
        _outOfBounds(address(this), abi.encodeCall(house.setSmallestBorrow, (HUGE)));
    }

    function test_setFund_refuses() external {
        _governed(abi.encodeCall(house.setFund, (WETH, address(0))));
        _unlisted(address(this), abi.encodeCall(house.setFund, (UNLISTED, address(0))));
    }

    function test_withdrawReserve_refuses() external {
        _governed(abi.encodeCall(house.withdrawReserve, (WETH, 1, stranger)));
        _zero(address(this), abi.encodeCall(house.withdrawReserve, (WETH, 0, stranger)));
        _beyondCash(address(this), abi.encodeCall(house.withdrawReserve, (WETH, HUGE, stranger)));
    }

    function test_distribute_refuses() external {
        _no(stranger, abi.encodeCall(house.distribute, (WETH)), IClearingHouse.FundMissing.selector);
        _unlisted(stranger, abi.encodeCall(house.distribute, (UNLISTED)));
    }

    /// @dev What the token library reverts with where a token answers false or reverts.
    bytes4 private constant TRANSFER_FROM_FAILED = bytes4(keccak256("TransferFromFailed()"));
}

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

    // ------------------------------------------------------------------ lending

    function test_supply_refuses() external {
        _no(stranger, abi.encodeCall(house.supply, (WETH, 0, stranger)), IClearingHouse.ZeroAmount.selector);
        _no(stranger, abi.encodeCall(house.supply, (WETH, 1, address(0))), IClearingHouse.ZeroAddress.selector);
        _no(stranger, abi.encodeCall(house.supply, (UNLISTED, 1, stranger)), IClearingHouse.AssetNotListed.selector);
        _no(stranger, abi.encodeCall(house.supply, (255, 1, stranger)), IClearingHouse.AssetNotListed.selector);
        _no(stranger, abi.encodeCall(house.supply, (WETH, 1e30, stranger)), TRANSFER_FROM_FAILED);
        _no(stranger, abi.encodeCall(house.supply, (WETH, HUGE, stranger)), IClearingHouse.AmountTooLarge.selector);
    }

    function test_withdraw_refuses() external {
        _no(lender, abi.encodeCall(house.withdraw, (WETH, 0, 0, lender, lender)), IClearingHouse.ZeroAmount.selector);
        _no(
            lender,
            abi.encodeCall(house.withdraw, (WETH, 1, 0, lender, address(0))),
            IClearingHouse.ZeroAddress.selector
        );
        _no(
            stranger,
            abi.encodeCall(house.withdraw, (WETH, 1, 0, lender, stranger)),
            IClearingHouse.OperatorUnauthorised.selector
        );
        _no(
            lender,
            abi.encodeCall(house.withdraw, (UNLISTED, 1, 0, lender, lender)),
            IClearingHouse.AssetNotListed.selector
        );
        _no(
            stranger,
            abi.encodeCall(house.withdraw, (WETH, 1, 0, stranger, stranger)),
            IClearingHouse.BalanceInsufficient.selector
        );
        _no(
            lender,
            abi.encodeCall(house.withdraw, (WETH, HUGE, 0, lender, lender)),
            IClearingHouse.AmountTooLarge.selector
        );
        _no(
            lender,
            abi.encodeCall(house.withdraw, (WETH, 0, HUGE, lender, lender)),
            IClearingHouse.AmountTooLarge.selector
        );
    }

    function test_transferShares_refuses() external {
        _no(
            lender,
            abi.encodeCall(house.transferShares, (WETH, 0, lender, stranger)),
            IClearingHouse.ZeroAmount.selector
        );
        _no(
            lender,
            abi.encodeCall(house.transferShares, (WETH, 1, lender, address(0))),
            IClearingHouse.ZeroAddress.selector
        );
        _no(
            stranger,
            abi.encodeCall(house.transferShares, (WETH, 1, lender, stranger)),
            IClearingHouse.OperatorUnauthorised.selector
        );
        _no(
            lender,
            abi.encodeCall(house.transferShares, (WETH, HUGE, lender, stranger)),
            IClearingHouse.BalanceInsufficient.selector
        );
    }

    // ------------------------------------------------------------------ accounts

    function test_depositCollateral_refuses() external {
        _no(stranger, abi.encodeCall(house.depositCollateral, (WETH, 0, stranger)), IClearingHouse.ZeroAmount.selector);
        _no(
            stranger,
            abi.encodeCall(house.depositCollateral, (WETH, 1, address(0))),
            IClearingHouse.ZeroAddress.selector
        );
        _no(
            stranger,
            abi.encodeCall(house.depositCollateral, (UNLISTED, 1, stranger)),
            IClearingHouse.AssetNotListed.selector
        );
        _no(stranger, abi.encodeCall(house.depositCollateral, (WETH, 1e30, stranger)), TRANSFER_FROM_FAILED);
        _no(
            stranger,
            abi.encodeCall(house.depositCollateral, (WETH, type(uint128).max, stranger)),
            IClearingHouse.AmountTooLarge.selector
        );
        _no(
            stranger,
            abi.encodeCall(house.depositCollateral, (WETH, HUGE, stranger)),
            IClearingHouse.AmountTooLarge.selector
        );
    }

    function test_withdrawCollateral_refuses() external {
        _no(
            borrower,
            abi.encodeCall(house.withdrawCollateral, (WETH, 0, borrower, borrower)),
            IClearingHouse.ZeroAmount.selector
        );
        _no(
            stranger,
            abi.encodeCall(house.withdrawCollateral, (WETH, 1, borrower, stranger)),
            IClearingHouse.OperatorUnauthorised.selector
        );
        _no(
            borrower,
            abi.encodeCall(house.withdrawCollateral, (WETH, 1, borrower, borrower)),
            IClearingHouse.BorrowLimitExceeded.selector
        );
        _no(
            borrower,
            abi.encodeCall(house.withdrawCollateral, (WETH, HUGE - 1, borrower, borrower)),
            IClearingHouse.BalanceInsufficient.selector
        );
        _no(
            borrower,
            abi.encodeCall(house.withdrawCollateral, (WETH, 1, borrower, address(0))),
            IClearingHouse.ZeroAddress.selector
        );
    }

    function test_borrow_refuses() external {
        _no(borrower, abi.encodeCall(house.borrow, (USDC, 0, borrower, borrower)), IClearingHouse.ZeroAmount.selector);
        _no(
            borrower,
            abi.encodeCall(house.borrow, (USDC, 1, borrower, borrower)),
            IClearingHouse.BorrowLimitExceeded.selector
        );
        _no(
            borrower,
            abi.encodeCall(house.borrow, (USDC, HUGE, borrower, borrower)),
            IClearingHouse.CashInsufficient.selector
        );
        _no(
            stranger,
            abi.encodeCall(house.borrow, (USDC, 1, borrower, stranger)),
            IClearingHouse.OperatorUnauthorised.selector
        );
        _no(
            borrower,
            abi.encodeCall(house.borrow, (UNLISTED, 1, borrower, borrower)),
            IClearingHouse.AssetNotListed.selector
        );
        _no(
            borrower,
            abi.encodeCall(house.borrow, (USDC, 1e30, borrower, borrower)),
            IClearingHouse.CashInsufficient.selector
        );
        _no(
            borrower, abi.encodeCall(house.borrow, (USDC, 1, borrower, address(0))), IClearingHouse.ZeroAddress.selector
        );
    }

    function test_repay_refuses() external {
        _no(stranger, abi.encodeCall(house.repay, (USDC, 0, borrower)), IClearingHouse.ZeroAmount.selector);
        _no(stranger, abi.encodeCall(house.repay, (UNLISTED, 1, borrower)), IClearingHouse.AssetNotListed.selector);
        _no(stranger, abi.encodeCall(house.repay, (USDC, 1e18, borrower)), IClearingHouse.RepaymentExceedsDebt.selector);
        _no(stranger, abi.encodeCall(house.repay, (USDC, HUGE, borrower)), TRANSFER_FROM_FAILED);
        _no(
            stranger,
            abi.encodeCall(house.repay, (USDC, HUGE - 1, borrower)),
            IClearingHouse.RepaymentExceedsDebt.selector
        );
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
        _no(stranger, abi.encodeCall(house.collectCredit, (WETH, stranger)), IClearingHouse.ZeroAmount.selector);
        _no(stranger, abi.encodeCall(house.collectCredit, (UNLISTED, stranger)), IClearingHouse.AssetNotListed.selector);
        _no(stranger, abi.encodeCall(house.collectCredit, (WETH, address(0))), IClearingHouse.ZeroAddress.selector);
    }

    function test_accrue_refuses() external {
        _no(stranger, abi.encodeCall(house.accrue, (UNLISTED)), IClearingHouse.AssetNotListed.selector);
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
        _no(address(engine), abi.encodeCall(house.net, (borrower, WETH)), IClearingHouse.ZeroAmount.selector);
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
        _no(
            address(this),
            abi.encodeCall(house.setAssetParameters, (UNLISTED, parameters)),
            IClearingHouse.AssetNotListed.selector
        );
        parameters.liquidationThresholdBps = 10_000;
        _no(
            address(this),
            abi.encodeCall(house.setAssetParameters, (WETH, parameters)),
            IClearingHouse.ParameterOutOfBounds.selector
        );
    }

    function test_setRateModel_refuses() external {
        IClearingHouse.RateModel memory model = house.rateModel(WETH);
        _governed(abi.encodeCall(house.setRateModel, (WETH, model)));
        model.kinkBps = type(uint16).max;
        _no(
            address(this),
            abi.encodeCall(house.setRateModel, (WETH, model)),
            IClearingHouse.ParameterOutOfBounds.selector
        );
    }

    function test_setOracle_refuses() external {
        _governed(abi.encodeCall(house.setOracle, (stranger)));
        _no(address(this), abi.encodeCall(house.setOracle, (address(0))), IClearingHouse.ZeroAddress.selector);
    }

    function test_setEngine_refuses() external {
        _governed(abi.encodeCall(house.setEngine, (stranger)));
        _no(address(this), abi.encodeCall(house.setEngine, (address(0))), IClearingHouse.ZeroAddress.selector);
    }

    function test_setSmallestBorrow_refuses() external {
        _governed(abi.encodeCall(house.setSmallestBorrow, (1e18)));
        _no(
            address(this), abi.encodeCall(house.setSmallestBorrow, (HUGE)), IClearingHouse.ParameterOutOfBounds.selector
        );
    }

    function test_setFund_refuses() external {
        _governed(abi.encodeCall(house.setFund, (WETH, address(0))));
        _no(
            address(this), abi.encodeCall(house.setFund, (UNLISTED, address(0))), IClearingHouse.AssetNotListed.selector
        );
    }

    function test_withdrawReserve_refuses() external {
        _governed(abi.encodeCall(house.withdrawReserve, (WETH, 1, stranger)));
        _no(
            address(this),
            abi.encodeCall(house.withdrawReserve, (WETH, 0, stranger)),
            IClearingHouse.ZeroAmount.selector
        );
        _no(
            address(this),
            abi.encodeCall(house.withdrawReserve, (WETH, HUGE, stranger)),
            IClearingHouse.CashInsufficient.selector
        );
    }

    function test_distribute_refuses() external {
        _no(stranger, abi.encodeCall(house.distribute, (WETH)), IClearingHouse.FundMissing.selector);
        _no(stranger, abi.encodeCall(house.distribute, (UNLISTED)), IClearingHouse.AssetNotListed.selector);
    }

    /// @dev What the token library reverts with where a token answers false or reverts.
    bytes4 private constant TRANSFER_FROM_FAILED = bytes4(keccak256("TransferFromFailed()"));
}

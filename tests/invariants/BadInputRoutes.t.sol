// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {IFlashTaker} from "../../contracts/interfaces/IFlashTaker.sol";
import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {ISupplyVault} from "../../contracts/interfaces/ISupplyVault.sol";
import {IVenue} from "../../contracts/interfaces/IVenue.sol";
import {FlashTaker} from "../../contracts/periphery/FlashTaker.sol";
import {SupplyVault} from "../../contracts/periphery/SupplyVault.sol";
import {FeeToken, RefusingToken} from "./support/OddTokens.sol";
import {Refusals} from "./support/Refusals.sol";

/// @title Bad amounts, and tokens that go wrong, on the routes of a settlement and in what stands around them
/// @notice Refused by exactly the error named, with nothing changed; one unit, where it passes, costs the account
/// nothing.
contract BadInputRoutesTest is Refusals {
    uint8 private constant UNLISTED = 3;
    uint256 private constant HUGE = type(uint256).max;

    address private _dealer;
    uint256 private _key;

    function setUp() public override {
        super.setUp();
        (_dealer, _key) = makeAddrAndKey("dealer");
        _fund(_dealer, USDC, 1_000_000 * ONE_USDC);
        _pool(WETH, 1_890e18, 30_000_000);
        skip(600);
    }

    function _no(address caller, bytes memory call, bytes4 expected) private {
        _refused(caller, address(engine), call, expected);
    }

    // ------------------------------------------------------------------ fill

    function test_a_fill_of_nothing_is_refused() external {
        ILiquidationEngine.Quote memory quote = _quote();
        _no(stranger, _fillBy(quote, 0), ILiquidationEngine.SliceEmpty.selector);
        quote.maxFill = 0;
        _no(stranger, _fillBy(quote, HUGE), ILiquidationEngine.SliceEmpty.selector);
        quote = _quote();
        quote.price = 0;
        _no(stranger, _fillBy(quote, HUGE), ILiquidationEngine.QuoteBelowReserve.selector);
        quote.price = HUGE;
        _no(stranger, _fillBy(quote, HUGE), FixedPointMathLib.FullMulDivFailed.selector);
    }

    function test_a_fill_of_assets_that_are_not_there_is_refused() external {
        ILiquidationEngine.Quote memory quote = _quote();
        quote.collateralId = UNLISTED;
        _no(stranger, _fillBy(quote, HUGE), ILiquidationEngine.AuctionMissing.selector);
        quote.collateralId = 255;
        _no(stranger, _fillBy(quote, HUGE), ILiquidationEngine.AuctionMissing.selector);
        quote = _quote();
        quote.debtId = UNLISTED;
        _no(stranger, _fillBy(quote, HUGE), ILiquidationEngine.SliceEmpty.selector);
        quote.debtId = WETH;
        _no(stranger, _fillBy(quote, HUGE), ILiquidationEngine.SameAsset.selector);
        quote = _quote();
        quote.account = stranger;
        _no(stranger, _fillBy(quote, HUGE), ILiquidationEngine.AuctionMissing.selector);
        quote = _quote();
        quote.dealer = address(0);
        _no(stranger, _fillBy(quote, HUGE), ILiquidationEngine.QuoteUnsigned.selector);
    }

    function test_a_quote_is_replayed_for_nothing() external {
        ILiquidationEngine.Quote memory quote = _quote();
        quote.maxFill = 1e17;
        bytes memory fill = _fillBy(quote, HUGE);
        vm.prank(stranger);
        (bool success,) = address(engine).call(fill);
        assertTrue(success);
        assertTrue(_flagged(borrower), "there is more to sell");
        _no(stranger, fill, ILiquidationEngine.QuoteSpent.selector);
    }

    function test_a_fill_of_an_account_that_is_healthy_again_or_lapsed_is_refused() external {
        bytes memory fill = _fillBy(_quote(), HUGE);
        _publish(WETH, 2_100e8);
        _no(stranger, fill, ILiquidationEngine.AccountHealthy.selector);
        _publish(WETH, 1_890e8);
        skip(7_200);
        _no(stranger, fill, ILiquidationEngine.AuctionLapsed.selector);
    }

    function test_a_swap_of_assets_that_are_not_there_is_refused() external {
        bytes memory route = _route(WETH, USDC);
        _no(stranger, _swapBy(WETH, WETH, HUGE, route), ILiquidationEngine.SameAsset.selector);
        _no(stranger, _swapBy(WETH, UNLISTED, HUGE, route), ILiquidationEngine.SliceEmpty.selector);
        _no(stranger, _swapBy(UNLISTED, USDC, HUGE, route), ILiquidationEngine.AuctionMissing.selector);
        _publish(WETH, 2_100e8);
        _no(stranger, _swapBy(WETH, USDC, HUGE, route), ILiquidationEngine.AccountHealthy.selector);
        _publish(WETH, 1_890e8);
        skip(7_200);
        _no(stranger, _swapBy(WETH, USDC, HUGE, route), ILiquidationEngine.AuctionLapsed.selector);
    }

    // ------------------------------------------------------------------ one unit

    function test_one_wei_is_bought_at_no_loss_to_the_account() external {
        int256 worth = _worth();
        vm.prank(stranger);
        (uint256 seized, uint256 payment) = engine.take(borrower, WETH, USDC, 1, NO_LIMIT, stranger, "");
        assertEq(seized, 1);
        assertEq(payment, 1, "rounded up");
        assertGe(_worth(), worth);
        bytes memory fill = _fillBy(_quote(), 1);
        vm.prank(stranger);
        (bool success,) = address(engine).call(fill);
        assertTrue(success);
        assertGe(_worth(), worth);
        _no(stranger, _swapBy(WETH, USDC, 1, _route(WETH, USDC)), IVenue.ProceedsBelowMinimum.selector);
        _assertBooksBalance();
    }

    function _worth() private view returns (int256) {
        IClearingHouse.AccountState memory state = house.accountState(borrower);
        return int256(state.collateralValue) - int256(state.debtValue);
    }

    // ------------------------------------------------------------------ tokens

    /// @dev Whoever settles finds out; the auction stands as it stood.
    function test_a_debt_token_that_answers_false_settles_nothing() external {
        _earnCredit();
        vm.etch(address(tokens[USDC]), address(new RefusingToken()).code);
        RefusingToken(address(tokens[USDC])).refuse();
        bytes4 failed = SafeTransferLib.TransferFromFailed.selector;
        _no(stranger, _takeBy(1e17), failed);
        _no(stranger, _fillBy(_quote(), 1e17), failed);
        _refused(stranger, address(house), abi.encodeCall(house.repay, (USDC, ONE_USDC, borrower)), failed);
        failed = SafeTransferLib.TransferFailed.selector;
        _refused(lender, address(house), abi.encodeCall(house.withdraw, (USDC, ONE_USDC, 0, lender, lender)), failed);
        _refused(keeper, address(house), abi.encodeCall(house.collectCredit, (USDC, keeper)), failed);
        _refused(address(this), address(house), abi.encodeCall(house.withdrawReserve, (USDC, 1, stranger)), failed);
    }

    function test_a_collateral_token_that_answers_false_settles_nothing() external {
        vm.etch(address(tokens[WETH]), address(new RefusingToken()).code);
        RefusingToken(address(tokens[WETH])).refuse();
        bytes4 failed = SafeTransferLib.TransferFailed.selector;
        _no(stranger, _takeBy(1e17), failed);
        _no(stranger, _fillBy(_quote(), 1e17), failed);
        _no(stranger, _swapBy(WETH, USDC, 1e17, _route(WETH, USDC)), failed);
    }

    function test_a_debt_token_that_takes_a_fee_settles_nothing() external {
        vm.etch(address(tokens[USDC]), address(new FeeToken()).code);
        bytes4 inexact = IClearingHouse.TransferInexact.selector;
        _no(stranger, _takeBy(1e17), inexact);
        _no(stranger, _fillBy(_quote(), 1e17), inexact);
        _refused(stranger, address(house), abi.encodeCall(house.repay, (USDC, ONE_USDC, borrower)), inexact);
    }

    function test_a_token_that_reverts_settles_nothing() external {
        vm.mockCallRevert(address(tokens[USDC]), abi.encodeWithSignature("transferFrom(address,address,uint256)"), "no");
        _no(stranger, _takeBy(1e17), SafeTransferLib.TransferFromFailed.selector);
        _no(stranger, _fillBy(_quote(), 1e17), SafeTransferLib.TransferFromFailed.selector);
    }

    // ------------------------------------------------------------------ the suppliers' vault

    function test_a_vault_refuses_nothing_the_most_and_what_is_anothers() external {
        SupplyVault vault = new SupplyVault(address(house), USDC);
        vm.startPrank(stranger);
        tokens[USDC].approve(address(vault), HUGE);
        vault.deposit(500 * ONE_USDC, stranger);
        vm.stopPrank();
        bytes4 zero = IClearingHouse.ZeroAmount.selector;
        _vaultRefuses(vault, stranger, abi.encodeCall(vault.deposit, (0, stranger)), zero);
        _vaultRefuses(vault, stranger, abi.encodeCall(vault.mint, (0, stranger)), zero);
        _vaultRefuses(vault, stranger, abi.encodeCall(vault.withdraw, (0, stranger, stranger)), zero);
        _vaultRefuses(vault, stranger, abi.encodeCall(vault.redeem, (0, stranger, stranger)), zero);
        _refusesTheMost(vault);
        bytes4 allowance = IERC20Errors.ERC20InsufficientAllowance.selector;
        _vaultRefuses(vault, taker, abi.encodeCall(vault.withdraw, (1, taker, stranger)), allowance);
        _vaultRefuses(vault, taker, abi.encodeCall(vault.redeem, (1e6, taker, stranger)), allowance);
        bytes4 receiver = IERC20Errors.ERC20InvalidReceiver.selector;
        _vaultRefuses(vault, stranger, abi.encodeCall(vault.deposit, (1, address(0))), receiver);
        bytes4 nobody = IClearingHouse.ZeroAddress.selector;
        _vaultRefuses(vault, stranger, abi.encodeCall(vault.withdraw, (1, address(0), stranger)), nobody);
        vm.prank(stranger);
        assertGt(vault.deposit(1, stranger), 0, "one unit is lent");
    }

    function _refusesTheMost(SupplyVault vault) private {
        bytes4 reason = ERC4626.ERC4626ExceededMaxDeposit.selector;
        _vaultRefuses(vault, stranger, abi.encodeCall(vault.deposit, (HUGE, stranger)), reason);
        reason = ERC4626.ERC4626ExceededMaxMint.selector;
        _vaultRefuses(vault, stranger, abi.encodeCall(vault.mint, (HUGE, stranger)), reason);
        reason = ERC4626.ERC4626ExceededMaxWithdraw.selector;
        _vaultRefuses(vault, stranger, abi.encodeCall(vault.withdraw, (HUGE, stranger, stranger)), reason);
        reason = ERC4626.ERC4626ExceededMaxRedeem.selector;
        _vaultRefuses(vault, stranger, abi.encodeCall(vault.redeem, (HUGE, stranger, stranger)), reason);
        reason = IERC20Errors.ERC20InsufficientBalance.selector;
        _vaultRefuses(vault, stranger, abi.encodeCall(ISupplyVault.unwrap, (HUGE, stranger)), reason);
        reason = IClearingHouse.OperatorUnauthorised.selector;
        _vaultRefuses(vault, lender, abi.encodeCall(ISupplyVault.wrap, (1, lender)), reason);
        vm.prank(lender);
        house.setOperator(address(vault), true);
        reason = IClearingHouse.BalanceInsufficient.selector;
        _vaultRefuses(vault, lender, abi.encodeCall(ISupplyVault.wrap, (HUGE, lender)), reason);
    }

    function _vaultRefuses(SupplyVault vault, address caller, bytes memory call, bytes4 reason) private {
        (uint256 shares, uint256 held) = (vault.totalSupply(), vault.balanceOf(stranger));
        _refused(caller, address(vault), call, reason);
        assertEq(vault.totalSupply(), shares);
        assertEq(vault.balanceOf(stranger), held);
    }

    // ------------------------------------------------------------------ takes without capital

    function test_a_flash_take_refuses_what_the_engine_refuses() external {
        FlashTaker flash = new FlashTaker(address(this), address(engine), address(factory));
        _flashRefuses(flash, borrower, WETH, USDC, 0, HUGE, 0, ILiquidationEngine.SliceEmpty.selector);
        _flashRefuses(flash, borrower, WETH, USDC, HUGE, 0, 0, ILiquidationEngine.PriceAboveLimit.selector);
        _flashRefuses(flash, borrower, WETH, USDC, HUGE, HUGE, HUGE, IFlashTaker.ProfitBelowMinimum.selector);
        _flashRefuses(flash, borrower, UNLISTED, USDC, HUGE, HUGE, 0, ILiquidationEngine.AuctionMissing.selector);
        _flashRefuses(flash, borrower, WETH, UNLISTED, HUGE, HUGE, 0, IClearingHouse.AssetNotListed.selector);
        _flashRefuses(flash, borrower, WETH, WETH, HUGE, HUGE, 0, ILiquidationEngine.SameAsset.selector);
        _flashRefuses(flash, stranger, WETH, USDC, HUGE, HUGE, 0, ILiquidationEngine.AuctionMissing.selector);
        _flashRefuses(flash, address(0), WETH, USDC, HUGE, HUGE, 0, ILiquidationEngine.AuctionMissing.selector);
        bytes4 failed = SafeTransferLib.TransferFailed.selector;
        bytes memory call = abi.encodeCall(flash.withdraw, (address(tokens[USDC]), 1, stranger));
        _refused(address(this), address(flash), call, failed);
        call = abi.encodeCall(flash.withdraw, (address(tokens[USDC]), HUGE, stranger));
        _refused(address(this), address(flash), call, failed);
        _publish(WETH, 2_100e8);
        _flashRefuses(flash, borrower, WETH, USDC, HUGE, HUGE, 0, ILiquidationEngine.AccountHealthy.selector);
    }

    function _flashRefuses(
        FlashTaker flash,
        address account,
        uint8 collateralId,
        uint8 debtId,
        uint256 seized,
        uint256 price,
        uint256 profit,
        bytes4 reason
    ) private {
        bytes memory call = abi.encodeCall(
            flash.takeAndSell, (account, collateralId, debtId, seized, price, FEE_PIPS, profit)
        );
        _refused(address(this), address(flash), call, reason);
    }

    // ------------------------------------------------------------------ steps

    /// @dev A small take, so that there is a tip to collect and a reserve to pay out.
    function _earnCredit() private {
        vm.prank(stranger);
        engine.take(borrower, WETH, USDC, 1e17, NO_LIMIT, stranger, "");
        assertGt(house.creditOf(USDC, keeper), 0);
        assertGt(house.market(USDC).reserveAssets, 0);
    }

    function _takeBy(uint256 seized) private view returns (bytes memory) {
        return abi.encodeCall(engine.take, (borrower, WETH, USDC, seized, NO_LIMIT, stranger, bytes("")));
    }

    function _swapBy(uint8 collateralId, uint8 debtId, uint256 seized, bytes memory route)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeCall(engine.swap, (borrower, collateralId, debtId, seized, 0, address(venue), route));
    }

    function _quote() private view returns (ILiquidationEngine.Quote memory quote) {
        (quote.dealer, quote.account, quote.collateralId, quote.debtId) = (_dealer, borrower, WETH, USDC);
        (quote.epoch, quote.price, quote.maxFill) = (_epoch(borrower), 2_000e6, type(uint128).max);
        quote.deadline = type(uint40).max;
    }

    function _fillBy(ILiquidationEngine.Quote memory quote, uint256 amount) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_key, engine.quoteHash(quote));
        return abi.encodeCall(engine.fill, (quote, abi.encodePacked(r, s, v), amount));
    }
}

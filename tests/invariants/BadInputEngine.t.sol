// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {Refusals} from "./support/Refusals.sol";

/// @title Bad input to every function of the engine that changes state
/// @notice One test per function, named after it; `tests/unit/contracts/test_bad_input_is_covered.py` holds the list
/// complete.
contract BadInputEngineTest is Refusals {
    uint8 private constant UNLISTED = 3;
    uint256 private constant HUGE = type(uint256).max;

    address private _dealer;
    uint256 private _key;

    function setUp() public override {
        super.setUp();
        (_dealer, _key) = makeAddrAndKey("dealer");
        _fund(_dealer, USDC, 1_000_000 * ONE_USDC);
    }

    function _no(address caller, bytes memory call, bytes4 expected) private {
        _refused(caller, address(engine), call, expected);
    }

    function _governed(bytes memory call) private {
        _no(stranger, call, IAccessManaged.AccessManagedUnauthorized.selector);
    }

    // ------------------------------------------------------------------ auctions

    function test_kick_refuses() external {
        uint8[] memory none = new uint8[](0);
        _no(stranger, abi.encodeCall(engine.kick, (stranger, _ids(WETH))), ILiquidationEngine.AccountHealthy.selector);
        _no(stranger, abi.encodeCall(engine.kick, (borrower, none)), ILiquidationEngine.NothingToKick.selector);
        _no(stranger, abi.encodeCall(engine.kick, (borrower, _ids(WETH))), ILiquidationEngine.NothingToKick.selector);
        _no(
            stranger, abi.encodeCall(engine.kick, (borrower, _ids(WBTC))), ILiquidationEngine.CollateralInvalid.selector
        );
        _no(stranger, abi.encodeCall(engine.kick, (borrower, _ids(255))), ILiquidationEngine.CollateralInvalid.selector);
    }

    function test_redo_refuses() external {
        _no(stranger, abi.encodeCall(engine.redo, (borrower, _ids(WETH))), ILiquidationEngine.AuctionRunning.selector);
        _no(stranger, abi.encodeCall(engine.redo, (stranger, _ids(WETH))), ILiquidationEngine.AuctionMissing.selector);
        skip(7_200);
        _no(
            stranger,
            abi.encodeCall(engine.redo, (borrower, _ids(WETH, WETH))),
            ILiquidationEngine.CollateralInvalid.selector
        );
    }

    function test_clear_refuses() external {
        _no(stranger, abi.encodeCall(engine.clear, (borrower)), ILiquidationEngine.AccountUnhealthy.selector);
        _no(stranger, abi.encodeCall(engine.clear, (stranger)), ILiquidationEngine.AuctionMissing.selector);
        _no(stranger, abi.encodeCall(engine.clear, (address(0))), ILiquidationEngine.AuctionMissing.selector);
    }

    function test_lapse_refuses() external {
        _no(stranger, abi.encodeCall(engine.lapse, (borrower)), ILiquidationEngine.PricesGiven.selector);
        _no(stranger, abi.encodeCall(engine.lapse, (stranger)), ILiquidationEngine.AuctionMissing.selector);
        _no(stranger, abi.encodeCall(engine.lapse, (address(0))), ILiquidationEngine.AuctionMissing.selector);
        skip(7_200);
        _no(stranger, abi.encodeCall(engine.lapse, (borrower)), ILiquidationEngine.AuctionLapsed.selector);
    }

    function test_net_refuses() external {
        _no(stranger, abi.encodeCall(engine.net, (stranger, WETH)), ILiquidationEngine.AccountHealthy.selector);
        _no(stranger, abi.encodeCall(engine.net, (borrower, WETH)), IClearingHouse.ZeroAmount.selector);
        _no(stranger, abi.encodeCall(engine.net, (borrower, UNLISTED)), IClearingHouse.AssetNotListed.selector);
    }

    function test_end_refuses() external {
        _no(stranger, abi.encodeCall(engine.end, (stranger)), ILiquidationEngine.AuctionMissing.selector);
        _no(stranger, abi.encodeCall(engine.end, (borrower)), ILiquidationEngine.AuctionRunning.selector);
        skip(7_200);
        _publish(WETH, 2_200e8);
        _no(stranger, abi.encodeCall(engine.end, (borrower)), ILiquidationEngine.AccountHealthy.selector);
        _publish(WETH, 1_890e8);
        engine.setBreaker(3, uint40(vm.getBlockTimestamp() + 60)); // an interruption: nobody could buy
        skip(120);
        _no(stranger, abi.encodeCall(engine.end, (borrower)), ILiquidationEngine.EndRefused.selector);
    }

    /// @dev Anyone may mark anyone; what there is nothing to fear of stays as it is.
    function test_mark_refuses() external {
        bytes32 before = _everything();
        assertEq(engine.mark(stranger), 0);
        assertEq(engine.mark(borrower), 0);
        assertEq(_everything(), before);
        skip(2 days);
        bytes4 stale = bytes4(keccak256("PriceStale(address,uint256,uint256)"));
        _no(stranger, abi.encodeCall(engine.mark, (borrower)), stale);
    }

    // ------------------------------------------------------------------ routes

    function test_take_refuses() external {
        _no(stranger, _takeBy(borrower, WETH, USDC, 0, HUGE), ILiquidationEngine.SliceEmpty.selector);
        _no(stranger, _takeBy(borrower, WETH, USDC, HUGE, 0), ILiquidationEngine.PriceAboveLimit.selector);
        _no(stranger, _takeBy(borrower, WETH, WETH, HUGE, HUGE), ILiquidationEngine.SameAsset.selector);
        _no(stranger, _takeBy(borrower, WETH, WBTC, HUGE, HUGE), ILiquidationEngine.SliceEmpty.selector);
        _no(stranger, _takeBy(borrower, WBTC, USDC, HUGE, HUGE), ILiquidationEngine.AuctionMissing.selector);
        _no(stranger, _takeBy(borrower, UNLISTED, USDC, HUGE, HUGE), ILiquidationEngine.AuctionMissing.selector);
        _no(stranger, _takeBy(stranger, WETH, USDC, HUGE, HUGE), ILiquidationEngine.AuctionMissing.selector);
        _publish(WETH, 2_100e8);
        _no(stranger, _takeBy(borrower, WETH, USDC, HUGE, HUGE), ILiquidationEngine.AccountHealthy.selector);
        _publish(WETH, 1_890e8);
        skip(7_200);
        _no(stranger, _takeBy(borrower, WETH, USDC, HUGE, HUGE), ILiquidationEngine.AuctionLapsed.selector);
    }

    function _takeBy(address account, uint8 collateralId, uint8 debtId, uint256 seized, uint256 price)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeCall(engine.take, (account, collateralId, debtId, seized, price, stranger, bytes("")));
    }

    function test_swap_refuses() external {
        _pool(WETH, 1_890e18, 30_000_000);
        _no(
            stranger,
            _swapBy(address(venue), HUGE, 0, _route(WETH, USDC)),
            ILiquidationEngine.VenueBelowReserve.selector
        );
        skip(600);
        _no(stranger, _swapBy(stranger, HUGE, 0, ""), ILiquidationEngine.VenueNotAllowed.selector);
        _no(
            stranger,
            _swapBy(address(venue), HUGE, HUGE / 1e40, _route(WETH, USDC)),
            ILiquidationEngine.PriceBelowLimit.selector
        );
        _no(
            stranger,
            abi.encodeCall(engine.swap, (stranger, WETH, USDC, HUGE, 0, address(venue), _route(WETH, USDC))),
            ILiquidationEngine.AuctionMissing.selector
        );
        _no(stranger, _swapBy(address(venue), 0, 0, _route(WETH, USDC)), ILiquidationEngine.SliceEmpty.selector);
    }

    function _swapBy(address by, uint256 seized, uint256 price, bytes memory route)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeCall(engine.swap, (borrower, WETH, USDC, seized, price, by, route));
    }

    function test_fill_refuses() external {
        ILiquidationEngine.Quote memory quote = _quote();
        _no(stranger, _fillBy(quote, ""), ILiquidationEngine.QuoteUnsigned.selector);
        _no(stranger, _fillBy(quote, new bytes(65)), ILiquidationEngine.QuoteUnsigned.selector);
        bytes memory signature = _signed(quote);
        quote.price += 1; // not what was signed
        _no(stranger, _fillBy(quote, signature), ILiquidationEngine.QuoteUnsigned.selector);
        quote.price = 1;
        _no(stranger, _fillBy(quote, _signed(quote)), ILiquidationEngine.QuoteBelowReserve.selector);
        quote = _quote();
        quote.epoch += 1;
        _no(stranger, _fillBy(quote, _signed(quote)), ILiquidationEngine.QuoteEpochPassed.selector);
        quote = _quote();
        quote.deadline = uint40(vm.getBlockTimestamp() - 1);
        _no(stranger, _fillBy(quote, _signed(quote)), ILiquidationEngine.QuoteExpired.selector);
        quote = _quote();
        quote.filler = keeper;
        _no(stranger, _fillBy(quote, _signed(quote)), ILiquidationEngine.QuoteFillerExclusive.selector);
        quote = _quote();
        quote.dealer = borrower;
        _no(stranger, _fillBy(quote, ""), ILiquidationEngine.QuoteSelfDealt.selector);
        quote = _quote();
        quote.minFill = type(uint128).max;
        _no(stranger, _fillBy(quote, _signed(quote)), ILiquidationEngine.FillTooSmall.selector);
        quote = _quote();
        vm.prank(_dealer);
        engine.invalidateNonce(0);
        _no(stranger, _fillBy(quote, _signed(quote)), ILiquidationEngine.QuoteSpent.selector);
    }

    function _quote() private view returns (ILiquidationEngine.Quote memory quote) {
        (quote.dealer, quote.account, quote.collateralId, quote.debtId) = (_dealer, borrower, WETH, USDC);
        (quote.epoch, quote.price, quote.maxFill) = (_epoch(borrower), 2_000e6, type(uint128).max);
        quote.deadline = type(uint40).max;
    }

    function _signed(ILiquidationEngine.Quote memory quote) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_key, engine.quoteHash(quote));
        return abi.encodePacked(r, s, v);
    }

    function _fillBy(ILiquidationEngine.Quote memory quote, bytes memory signature)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeCall(engine.fill, (quote, signature, HUGE));
    }

    function test_multicall_refuses() external {
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(engine.invalidateNonce, (7)); // would pass alone
        calls[1] = abi.encodeCall(engine.clear, (borrower));
        _no(
            stranger, abi.encodeWithSignature("multicall(bytes[])", calls), ILiquidationEngine.AccountUnhealthy.selector
        );
    }

    // ------------------------------------------------------------------ what each does to itself alone

    /// @dev There is no bad nonce: each is the caller's own. Nobody else's bit moves.
    function test_invalidateNonce_refuses() external {
        vm.prank(stranger);
        engine.invalidateNonce(HUGE);
        assertEq(engine.nonceBitmap(_dealer, HUGE >> 8), 0);
        assertEq(engine.nonceBitmap(stranger, HUGE >> 8), 1 << 255);
    }

    function test_invalidateWord_refuses() external {
        vm.prank(stranger);
        engine.invalidateWord(HUGE, HUGE);
        assertEq(engine.nonceBitmap(_dealer, HUGE), 0);
        assertEq(engine.nonceBitmap(stranger, HUGE), HUGE);
    }

    function test_poke_refuses() external {
        _no(stranger, abi.encodeCall(engine.poke, (WETH)), ILiquidationEngine.MarketDepthMissing.selector);
    }

    function test_trip_refuses() external {
        _no(stranger, abi.encodeCall(engine.trip, (WETH)), ILiquidationEngine.TripRefused.selector);
        _no(stranger, abi.encodeCall(engine.trip, (UNLISTED)), IClearingHouse.AssetNotListed.selector);
    }

    // ------------------------------------------------------------------ governance

    function test_setParameters_refuses() external {
        ILiquidationEngine.EngineParameters memory parameters = engine.parameters();
        _governed(abi.encodeCall(engine.setParameters, (parameters)));
        parameters.floorMultiplierBps = 0;
        _outOfBounds(abi.encodeCall(engine.setParameters, (parameters)));
        parameters = engine.parameters();
        parameters.penaltyBps = type(uint16).max;
        _outOfBounds(abi.encodeCall(engine.setParameters, (parameters)));
    }

    function test_setSpeedParameters_refuses() external {
        ILiquidationEngine.SpeedParameters memory parameters = engine.speedParameters();
        _governed(abi.encodeCall(engine.setSpeedParameters, (parameters)));
        parameters.recovery = 0;
        _outOfBounds(abi.encodeCall(engine.setSpeedParameters, (parameters)));
        parameters = engine.speedParameters();
        parameters.minCapacity = 0;
        _outOfBounds(abi.encodeCall(engine.setSpeedParameters, (parameters)));
    }

    function test_setCurveInputs_refuses() external {
        ILiquidationEngine.CurveInputs memory inputs = engine.curveInputs(WETH);
        _governed(abi.encodeCall(engine.setCurveInputs, (WETH, inputs)));
        inputs.volatilityBps = 0;
        _outOfBounds(abi.encodeCall(engine.setCurveInputs, (WETH, inputs)));
    }

    function _outOfBounds(bytes memory call) private {
        _no(address(this), call, IClearingHouse.ParameterOutOfBounds.selector);
    }

    function test_setBudgeted_refuses() external {
        _governed(abi.encodeCall(engine.setBudgeted, (WETH, true)));
        bytes memory call = abi.encodeCall(engine.setBudgeted, (UNLISTED, true));
        _no(address(this), call, IClearingHouse.AssetNotListed.selector);
    }

    function test_setMarketDepth_refuses() external {
        _governed(abi.encodeCall(engine.setMarketDepth, (stranger)));
    }

    function test_setVenue_refuses() external {
        _governed(abi.encodeCall(engine.setVenue, (stranger, true)));
    }

    function test_setBreaker_refuses() external {
        _governed(abi.encodeCall(engine.setBreaker, (3, type(uint40).max)));
        _outOfBounds(abi.encodeCall(engine.setBreaker, (4, type(uint40).max)));
    }
}

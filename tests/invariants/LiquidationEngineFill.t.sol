// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {ITakeCallback} from "../../contracts/interfaces/ITakeCallback.sol";
import {FaucetToken} from "../../contracts/mocks/FaucetToken.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";
import {DepthDouble} from "./support/DepthDouble.sol";

/// @title Dealers' quotes, and what settles by them
contract LiquidationEngineFillTest is EngineFixture {
    address private _dealer;
    uint256 private _key;

    function setUp() public override {
        super.setUp();
        (_dealer, _key) = makeAddrAndKey("dealer");
        _fund(_dealer, USDC, 10_000_000 * ONE_USDC);
        _fund(_dealer, WETH, 1_000 * ONE_WETH);
        _openLong();
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        skip(120); // m = 0.9937
    }

    // ------------------------------------------------------------------ what is settled

    function test_a_fill_pays_the_quote_and_credits_the_chip_to_whoever_fills() external {
        ILiquidationEngine.Quote memory quote = _quote();
        uint256 before = tokens[USDC].balanceOf(_dealer);
        uint256 debt = _debt(borrower, USDC);
        (uint256 seized, uint256 payment) = _fill(quote, NO_LIMIT);
        assertEq(payment, (seized * quote.price + 1e18 - 1) / 1e18, "rounded up");
        assertEq(before - tokens[USDC].balanceOf(_dealer), payment);
        assertEq(tokens[WETH].balanceOf(_dealer), 1_000 * ONE_WETH + seized);
        assertEq(_collateral(borrower, WETH), 10 * ONE_WETH - seized);
        uint256 repaid = debt - _debt(borrower, USDC);
        assertApproxEqAbs(repaid, payment * 1_000 / 1_005, 2);
        assertApproxEqAbs(house.creditOf(USDC, taker), repaid / 1_000, 1, "chip");
        assertEq(house.creditOf(USDC, keeper), 5 * ONE_USDC, "tip");
        assertApproxEqAbs(house.healthFactor(borrower), 1.05e18, 1e10);
        _assertBooksBalance();
    }

    function test_a_better_quote_sells_less(uint256 price) external {
        ILiquidationEngine.Quote memory quote = _quote();
        quote.price = bound(price, 1_890 * ONE_USDC, 1_995 * ONE_USDC);
        uint256 atReserve = engine.largestSlice(borrower, WETH, USDC).seized;
        (uint256 seized,) = _fill(quote, NO_LIMIT);
        assertLe(seized, atReserve);
        assertApproxEqAbs(house.healthFactor(borrower), 1.05e18, 1e10);
        _assertBooksBalance();
    }

    function test_a_quote_is_filled_in_parts_until_its_most() external {
        ILiquidationEngine.Quote memory quote = _quote();
        (quote.minFill, quote.maxFill) = (0.01e18, 0.05e18);
        bytes32 hash = engine.quoteHash(quote);
        (uint256 first,) = _fill(quote, 0.02e18);
        assertEq(first, 0.02e18);
        assertEq(engine.filled(hash), 0.02e18);
        (uint256 second,) = _fill(quote, 0.025e18);
        assertEq(second, 0.025e18);
        (uint256 last,) = _fill(quote, NO_LIMIT);
        assertEq(last, 0.005e18, "what is left, though it is less than the least");
        _refuses(quote, NO_LIMIT, abi.encodeWithSelector(ILiquidationEngine.QuoteSpent.selector, _dealer, quote.nonce));
        assertEq(engine.nonceBitmap(_dealer, quote.nonce >> 8), 1 << (quote.nonce & 0xff));
    }

    function test_the_last_fill_spends_the_nonce_for_every_other_quote_under_it() external {
        ILiquidationEngine.Quote memory quote = _quote();
        quote.maxFill = 0.02e18;
        _fill(quote, NO_LIMIT);
        quote.maxFill = 0.03e18;
        _refuses(quote, NO_LIMIT, ILiquidationEngine.QuoteSpent.selector);
    }

    function test_a_dealer_that_asks_for_it_is_called_back_with_the_hash() external {
        DealerContract dealer = new DealerContract(_dealer, address(house), address(tokens[USDC]));
        ILiquidationEngine.Quote memory quote = _quote();
        (quote.dealer, quote.callback) = (address(dealer), true);
        (uint256 seized, uint256 payment) = _fill(quote, NO_LIMIT);
        assertEq(dealer.asked(), payment);
        assertEq(dealer.hash(), engine.quoteHash(quote));
        assertEq(tokens[WETH].balanceOf(address(dealer)), seized);
        _assertBooksBalance();
    }

    function test_a_fill_in_insolvency_cancels_pro_rata() external {
        _publish(WETH, 1_500e8);
        ILiquidationEngine.Quote memory quote = _quote();
        quote.price = 1_495 * ONE_USDC;
        (uint256 seized,) = _fill(quote, NO_LIMIT);
        assertEq(seized, 10 * ONE_WETH);
        assertEq(_debt(borrower, USDC), 0);
        assertFalse(_flagged(borrower));
        _assertBooksBalance();
    }

    function test_several_quotes_settle_in_one_call() external {
        ILiquidationEngine.Quote memory quote = _quote();
        quote.maxFill = 0.01e18;
        ILiquidationEngine.Quote memory other = _quote();
        (other.nonce, other.maxFill, other.price) = (7, 0.01e18, 1_894 * ONE_USDC);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(engine.fill, (quote, _sign(quote), NO_LIMIT));
        calls[1] = abi.encodeCall(engine.fill, (other, _sign(other), NO_LIMIT));
        vm.prank(taker);
        (bool success,) = address(engine).call(abi.encodeWithSignature("multicall(bytes[])", calls));
        assertTrue(success);
        assertEq(_collateral(borrower, WETH), 9.98e18);
    }

    // ------------------------------------------------------------------ what is signed

    function test_the_digest_is_that_of_the_typed_data() external view {
        ILiquidationEngine.Quote memory quote = _quote();
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Sluice Liquidation Engine"),
                keccak256("1"),
                block.chainid,
                address(engine)
            )
        );
        bytes32 typehash = keccak256(
            "Quote(address dealer,address account,uint32 epoch,uint8 collateralId,uint8 debtId,uint256 price,uint128 minFill,uint128 maxFill,uint256 nonce,uint40 deadline,address filler,bool callback)"
        );
        bytes memory fields = bytes.concat(
            abi.encode(typehash, quote.dealer, quote.account, quote.epoch, quote.collateralId, quote.debtId),
            abi.encode(quote.price, quote.minFill, quote.maxFill, quote.nonce, quote.deadline),
            abi.encode(quote.filler, quote.callback)
        );
        assertEq(engine.quoteHash(quote), keccak256(bytes.concat(hex"1901", domain, keccak256(fields))));
    }

    function test_a_signature_of_someone_else_is_refused() external {
        ILiquidationEngine.Quote memory quote = _quote();
        (, uint256 otherKey) = makeAddrAndKey("other");
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(otherKey, engine.quoteHash(quote));
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.QuoteUnsigned.selector, _dealer));
        engine.fill(quote, abi.encodePacked(r, s, v), NO_LIMIT);
    }

    function test_a_quote_with_any_field_changed_is_refused(uint256 field) external {
        ILiquidationEngine.Quote memory quote = _quote();
        bytes memory signature = _sign(quote);
        field = bound(field, 0, 7);
        if (field == 0) quote.price -= 1;
        if (field == 1) quote.minFill += 1;
        if (field == 2) quote.maxFill += 1;
        if (field == 3) quote.nonce += 1;
        if (field == 4) quote.deadline += 1;
        if (field == 5) quote.filler = taker;
        if (field == 6) quote.callback = true;
        if (field == 7) quote.debtId = WBTC;
        vm.prank(taker);
        vm.expectRevert(abi.encodeWithSelector(ILiquidationEngine.QuoteUnsigned.selector, _dealer));
        engine.fill(quote, signature, NO_LIMIT);
    }

    function test_a_quote_for_another_chain_is_refused() external {
        ILiquidationEngine.Quote memory quote = _quote();
        bytes memory signature = _sign(quote);
        vm.chainId(5);
        vm.expectPartialRevert(ILiquidationEngine.QuoteUnsigned.selector);
        engine.fill(quote, signature, NO_LIMIT);
    }

    // ------------------------------------------------------------------ what is refused

    function test_a_deadline_is_inclusive() external {
        ILiquidationEngine.Quote memory quote = _quote();
        quote.maxFill = 0.02e18;
        quote.deadline = uint40(vm.getBlockTimestamp());
        uint256 snapshot = vm.snapshotState();
        _fill(quote, 0.01e18);
        vm.revertToState(snapshot);
        vm.warp(quote.deadline + 1);
        _refuses(quote, 0.01e18, abi.encodeWithSelector(ILiquidationEngine.QuoteExpired.selector, quote.deadline));
    }

    function test_a_quote_of_an_earlier_auction_is_void() external {
        ILiquidationEngine.Quote memory quote = _quote();
        quote.deadline = type(uint40).max;
        skip(7_200);
        engine.redo(borrower, _ids(WETH));
        skip(120);
        _refuses(quote, NO_LIMIT, abi.encodeWithSelector(ILiquidationEngine.QuoteEpochPassed.selector, 0, 1));
        quote.epoch = 1;
        _fill(quote, NO_LIMIT);
    }

    function test_a_cancelled_nonce_is_refused_and_its_neighbours_are_not() external {
        ILiquidationEngine.Quote memory quote = _quote();
        quote.maxFill = 0.01e18;
        vm.expectEmit(address(engine));
        emit ILiquidationEngine.NoncesInvalidated(_dealer, 0, 1 << 3);
        vm.prank(_dealer);
        engine.invalidateNonce(3);
        vm.prank(_dealer);
        engine.invalidateWord(2, 0x30);
        uint256[3] memory refused = [uint256(3), 2 * 256 + 4, 2 * 256 + 5];
        for (uint256 i = 0; i < 3; ++i) {
            quote.nonce = refused[i];
            _refuses(
                quote, NO_LIMIT, abi.encodeWithSelector(ILiquidationEngine.QuoteSpent.selector, _dealer, refused[i])
            );
        }
        quote.nonce = 2 * 256 + 6;
        _fill(quote, NO_LIMIT);
    }

    function test_a_nonce_that_someone_else_cancelled_stands() external {
        vm.prank(taker);
        engine.invalidateWord(0, type(uint256).max);
        _fill(_quote(), NO_LIMIT);
    }

    function test_an_exclusive_filler_is_alone() external {
        ILiquidationEngine.Quote memory quote = _quote();
        quote.filler = keeper;
        _refuses(quote, NO_LIMIT, abi.encodeWithSelector(ILiquidationEngine.QuoteFillerExclusive.selector, keeper));
        bytes memory signature = _sign(quote);
        vm.prank(keeper);
        engine.fill(quote, signature, NO_LIMIT);
    }

    function test_a_fill_below_the_least_is_refused() external {
        ILiquidationEngine.Quote memory quote = _quote();
        quote.minFill = 0.5e18;
        _refuses(quote, 0.4e18, abi.encodeWithSelector(ILiquidationEngine.FillTooSmall.selector, 0.4e18, 0.5e18));
    }

    function test_a_quote_below_the_reserve_is_refused_to_the_wei() external {
        uint256 reserve = engine.reservePrice(borrower, WETH);
        ILiquidationEngine.Quote memory quote = _quote();
        quote.price = reserve / 1e12;
        _refuses(quote, NO_LIMIT, ILiquidationEngine.QuoteBelowReserve.selector);
        quote.price = reserve / 1e12 + 1;
        _fill(quote, NO_LIMIT);
    }

    function test_a_quote_for_ones_own_account_is_refused() external {
        (borrower, _key) = makeAddrAndKey("owner and dealer");
        ILiquidationEngine.Quote memory quote = _quote();
        (quote.dealer, quote.account) = (borrower, borrower);
        _refuses(quote, NO_LIMIT, abi.encodeWithSelector(ILiquidationEngine.QuoteSelfDealt.selector, borrower));
    }

    function test_a_dealer_that_does_not_pay_settles_nothing() external {
        vm.prank(_dealer);
        tokens[USDC].approve(address(house), 0);
        ILiquidationEngine.Quote memory quote = _quote();
        bytes memory signature = _sign(quote);
        vm.expectRevert(SafeTransferLib.TransferFromFailed.selector);
        engine.fill(quote, signature, NO_LIMIT);
        assertEq(engine.filled(engine.quoteHash(quote)), 0);
    }

    // ------------------------------------------------------------------ the budget

    function test_a_quote_that_beats_the_measured_depth_draws_nothing_and_waits_for_nothing() external {
        _budget(100_000e18);
        ILiquidationEngine.Quote memory quote = _quote();
        quote.price = 1_899_500_000; // 0.9997 where the depth would pay 1 - 2 % * 4,330 / 200,000
        _fill(quote, NO_LIMIT);
        assertEq(engine.bucket(WETH, ILiquidationEngine.Side.SELL).level, int64(50_000e6));
    }

    function test_a_quote_below_what_the_depth_would_pay_draws() external {
        _budget(100_000e18);
        ILiquidationEngine.Quote memory quote = _quote();
        quote.price = 1_895 * ONE_USDC; // 0.9974
        quote.maxFill = 1e18;
        _fill(quote, NO_LIMIT); // 1,900: 0.9998 would be paid
        assertEq(engine.bucket(WETH, ILiquidationEngine.Side.SELL).level, int64(48_100e6));
    }

    function test_where_no_depth_is_known_every_fill_draws() external {
        engine.setBudgeted(WETH, true);
        ILiquidationEngine.Quote memory quote = _quote();
        quote.price = 1_990 * ONE_USDC;
        quote.maxFill = 1e18;
        _fill(quote, NO_LIMIT);
        assertEq(engine.bucket(WETH, ILiquidationEngine.Side.SELL).level, int64(8_100e6));
    }

    // ------------------------------------------------------------------ reentrancy

    function test_a_signer_that_calls_back_is_refused() external {
        IntrusiveSigner signer = new IntrusiveSigner(address(engine));
        ILiquidationEngine.Quote memory quote = _quote();
        quote.dealer = address(signer);
        tokens[USDC].mint(address(signer), 100_000 * ONE_USDC);
        vm.prank(address(signer));
        tokens[USDC].approve(address(house), type(uint256).max);
        vm.prank(taker);
        engine.fill(quote, "", 0.01e18); // it asks whether its calls went through, and signs where they did not
    }

    function test_fill_from_inside_a_fill_is_refused() external {
        DealerContract dealer = new DealerContract(_dealer, address(house), address(tokens[USDC]));
        ILiquidationEngine.Quote memory quote = _quote();
        (quote.dealer, quote.callback, quote.maxFill) = (address(dealer), true, 1e18);
        dealer.intrude(address(engine), abi.encodeCall(engine.fill, (quote, _sign(quote), 0.01e18)));
        bytes memory signature = _sign(quote);
        vm.expectRevert(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        engine.fill(quote, signature, 0.01e18);
    }

    // ------------------------------------------------------------------ figures

    function _quote() private view returns (ILiquidationEngine.Quote memory) {
        return ILiquidationEngine.Quote({
            dealer: _dealer,
            account: borrower,
            epoch: 0,
            collateralId: WETH,
            debtId: USDC,
            price: 1_895 * ONE_USDC,
            minFill: 0,
            maxFill: uint128(100 * ONE_WETH),
            nonce: 1,
            deadline: uint40(vm.getBlockTimestamp() + 600),
            filler: address(0),
            callback: false
        });
    }

    function _sign(ILiquidationEngine.Quote memory quote) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_key, engine.quoteHash(quote));
        return abi.encodePacked(r, s, v);
    }

    function _fill(ILiquidationEngine.Quote memory quote, uint256 amount)
        private
        returns (uint256 seized, uint256 payment)
    {
        bytes memory signature = _sign(quote);
        vm.prank(taker);
        return engine.fill(quote, signature, amount);
    }

    function _refuses(ILiquidationEngine.Quote memory quote, uint256 amount, bytes memory reason) private {
        bytes memory signature = _sign(quote);
        vm.prank(taker);
        vm.expectRevert(reason);
        engine.fill(quote, signature, amount);
    }

    function _refuses(ILiquidationEngine.Quote memory quote, uint256 amount, bytes4 selector) private {
        bytes memory signature = _sign(quote);
        vm.prank(taker);
        vm.expectPartialRevert(selector);
        engine.fill(quote, signature, amount);
    }

    function _budget(uint256 value) private {
        DepthDouble depth = new DepthDouble();
        depth.set(WETH, 0, value);
        depth.set(WETH, 1, value);
        engine.setMarketDepth(address(depth));
        engine.setBudgeted(WETH, true);
        engine.poke(WETH);
    }
}

/// @title A dealer that is a contract: its owner's key signs, and it pays when called back
contract DealerContract is IERC1271, ITakeCallback {
    address private immutable _owner;
    address private immutable _house;
    address private immutable _debtToken;
    address private _target;
    bytes private _call;
    uint256 public asked;
    bytes32 public hash;

    constructor(address owner, address house, address debtToken) {
        (_owner, _house, _debtToken) = (owner, house, debtToken);
    }

    function intrude(address target, bytes calldata call) external {
        (_target, _call) = (target, call);
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        bytes32 r = bytes32(signature[:32]);
        bytes32 s = bytes32(signature[32:64]);
        return ecrecover(digest, uint8(signature[64]), r, s) == _owner ? this.isValidSignature.selector : bytes4(0);
    }

    function onTake(address, address, uint256, address, uint256 payment, bytes calldata data)
        external
        returns (bytes4)
    {
        if (_call.length != 0) {
            (bool success, bytes memory reason) = _target.call(_call);
            if (!success) {
                assembly {
                    revert(add(reason, 0x20), mload(reason))
                }
            }
        }
        (asked, hash) = (payment, abi.decode(data, (bytes32)));
        FaucetToken(_debtToken).mint(address(this), payment);
        FaucetToken(_debtToken).approve(_house, payment);
        return ITakeCallback.onTake.selector;
    }
}

/// @title A signer that tries the engine while it is asked; it is asked statically, so nothing could come of it
contract IntrusiveSigner is IERC1271 {
    address private immutable _engine;

    constructor(address engine) {
        _engine = engine;
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        (bool success,) = _engine.staticcall(abi.encodeWithSignature("clear(address)", address(this)));
        return success ? bytes4(0) : this.isValidSignature.selector;
    }
}

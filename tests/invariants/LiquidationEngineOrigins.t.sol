// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";
import {Meddler} from "./support/Meddler.sol";
import {CallingToken} from "./support/OddTokens.sol";

/// @title No entry point of the engine opens from wherever a settlement leads
/// @notice Each test is an origin: it settles by every route that leads there, once for each entry point, which is
/// called from there and must be refused by the lock; the settlement itself goes through.
/// `tests/unit/contracts/test_reentrance_is_covered.py` holds the list of entry points against the interface.
contract LiquidationEngineOriginsTest is EngineFixture {
    /// @dev What is paid for 1e18 units sold: a WETH at 1,690, a million million USDC at 2,152 for a WETH.
    uint256 private constant USDC_PER_WETH = 1_690e6;
    uint256 private constant WETH_PER_USDC = uint256(1e30) / 2_152;

    /// @dev Whoever is called, on a long and on a short: it pays in USDC, or in WETH.
    Meddler private _ofLong;
    Meddler private _ofShort;
    CallingToken private _token;

    function setUp() public override {
        super.setUp();
        // WETH with a hook in every transfer: its balances stay where they were
        vm.etch(address(tokens[WETH]), address(new CallingToken()).code);
        _token = CallingToken(address(tokens[WETH]));
        _ofLong = new Meddler(address(house), tokens[USDC], USDC_PER_WETH);
        _ofShort = new Meddler(address(house), tokens[WETH], WETH_PER_USDC);
        engine.setVenue(address(_ofLong), true);
        engine.setVenue(address(_ofShort), true);
        _fund(taker, USDC, 1_000_000 * ONE_USDC);
        _fund(taker, WETH, 1_000 * ONE_WETH);
    }

    // ------------------------------------------------------------------ origins

    function test_no_entry_point_opens_from_a_token_on_its_way_out() external {
        _startLong(1_700e8);
        _throughToken(this.takeLong);
        _throughToken(this.swapLong);
        _throughToken(this.fillLong);
    }

    function test_no_entry_point_opens_from_a_token_on_its_way_in() external {
        _startShort();
        _throughToken(this.takeShort);
        _throughToken(this.swapShort);
        _throughToken(this.fillShort);
    }

    function test_no_entry_point_opens_from_a_takers_callback() external {
        _startLong(1_700e8);
        _throughMeddler(this.takeWithCallback);
    }

    function test_no_entry_point_opens_from_a_dealers_callback() external {
        _startLong(1_700e8);
        _throughMeddler(this.fillWithCallback);
    }

    function test_no_entry_point_opens_from_a_venue() external {
        _startLong(1_700e8);
        _throughMeddler(this.swapLong);
    }

    function test_no_entry_point_opens_from_an_insurance_fund() external {
        _startLong(1_400e8); // insolvent: each settlement asks the fund
        house.setFund(USDC, address(_ofLong));
        _throughMeddler(this.takeLong);
        skip(7_200);
        _throughMeddler(this.end);
    }

    /// @dev It signs only where the lock refused.
    function test_no_entry_point_opens_from_a_signer() external {
        _startLong(1_700e8);
        bytes[] memory calls = entries();
        for (uint256 i = 0; i < calls.length; ++i) {
            _ofLong.aim(address(engine), calls[i]);
            this.fillLong();
        }
        _ofLong.aim(address(engine), abi.encodeCall(engine.parameters, ()));
        vm.expectPartialRevert(ILiquidationEngine.QuoteUnsigned.selector);
        this.fillLong();
    }

    // ------------------------------------------------------------------ settlements that lead there

    function takeLong() external {
        vm.prank(taker);
        engine.take(borrower, WETH, USDC, 0.02e18, NO_LIMIT, taker, "");
    }

    function takeWithCallback() external {
        vm.prank(address(_ofLong));
        engine.take(borrower, WETH, USDC, 0.02e18, NO_LIMIT, address(_ofLong), "x");
    }

    function swapLong() external {
        vm.prank(keeper);
        engine.swap(borrower, WETH, USDC, 0.02e18, 0, address(_ofLong), "");
    }

    function fillLong() external {
        tokens[USDC].mint(address(_ofLong), 1_000 * ONE_USDC);
        engine.fill(_quote(_ofLong, WETH, USDC, USDC_PER_WETH, false), "", 0.02e18);
    }

    function fillWithCallback() external {
        engine.fill(_quote(_ofLong, WETH, USDC, USDC_PER_WETH, true), "", 0.02e18);
    }

    function takeShort() external {
        vm.prank(taker);
        engine.take(borrower, USDC, WETH, 40 * ONE_USDC, NO_LIMIT, taker, "");
    }

    function swapShort() external {
        vm.prank(keeper);
        engine.swap(borrower, USDC, WETH, 40 * ONE_USDC, 0, address(_ofShort), "");
    }

    function fillShort() external {
        tokens[WETH].mint(address(_ofShort), 1e18);
        engine.fill(_quote(_ofShort, USDC, WETH, WETH_PER_USDC, false), "", 40 * ONE_USDC);
    }

    function end() external {
        engine.end(borrower);
    }

    // ------------------------------------------------------------------ the table

    /// @notice A call of each entry point of the engine.
    function entries() public view returns (bytes[] memory calls) {
        bytes[] memory several = new bytes[](1);
        several[0] = abi.encodeCall(engine.clear, (borrower));
        ILiquidationEngine.Quote memory quote;
        calls = new bytes[](22);
        calls[0] = abi.encodeCall(engine.kick, (borrower, _ids(WETH)));
        calls[1] = abi.encodeCall(engine.redo, (borrower, _ids(WETH)));
        calls[2] = abi.encodeCall(engine.clear, (borrower));
        calls[3] = abi.encodeCall(engine.take, (borrower, WETH, USDC, 1e18, NO_LIMIT, taker, bytes("")));
        calls[4] = abi.encodeCall(engine.swap, (borrower, WETH, USDC, 1e18, 0, address(_ofLong), bytes("")));
        calls[5] = abi.encodeCall(engine.fill, (quote, "", 1));
        calls[6] = abi.encodeCall(engine.net, (borrower, USDC));
        calls[7] = abi.encodeCall(engine.end, (borrower));
        calls[8] = abi.encodeCall(engine.mark, (borrower));
        calls[9] = abi.encodeCall(engine.poke, (WETH));
        calls[10] = abi.encodeCall(engine.trip, (WETH));
        calls[11] = abi.encodeCall(engine.invalidateNonce, (1));
        calls[12] = abi.encodeCall(engine.invalidateWord, (1, 1));
        calls[13] = abi.encodeWithSignature("multicall(bytes[])", several);
        calls[14] = abi.encodeCall(engine.setBreaker, (3, 1));
        calls[15] = abi.encodeCall(engine.setBudgeted, (WETH, true));
        calls[16] = abi.encodeCall(engine.setVenue, (address(1), true));
        calls[17] = abi.encodeCall(engine.setMarketDepth, (address(1)));
        calls[18] = abi.encodeCall(engine.setCurveInputs, (WETH, engine.curveInputs(WETH)));
        calls[19] = abi.encodeCall(engine.setParameters, (engine.parameters()));
        calls[20] = abi.encodeCall(engine.setSpeedParameters, (engine.speedParameters()));
        calls[21] = abi.encodeCall(engine.lapse, (borrower));
    }

    function _throughToken(function() external settle) private {
        uint256 snapshot = vm.snapshotState();
        bytes[] memory calls = entries();
        for (uint256 i = 0; i < calls.length; ++i) {
            _token.aim(address(engine), calls[i]);
            settle();
            _assertRefused(_token.called(), _token.succeeded(), _token.reason(), i);
            vm.revertToState(snapshot);
            snapshot = vm.snapshotState();
        }
        _token.aim(address(engine), abi.encodeCall(engine.parameters, ()));
        settle();
        assertTrue(_token.succeeded(), "a reading goes through");
    }

    function _throughMeddler(function() external settle) private {
        uint256 snapshot = vm.snapshotState();
        bytes[] memory calls = entries();
        for (uint256 i = 0; i < calls.length; ++i) {
            _ofLong.aim(address(engine), calls[i]);
            settle();
            _assertRefused(_ofLong.called(), _ofLong.succeeded(), _ofLong.reason(), i);
            vm.revertToState(snapshot);
            snapshot = vm.snapshotState();
        }
    }

    function _assertRefused(bool called, bool succeeded, bytes4 reason, uint256 index) private pure {
        assertTrue(called, string.concat("never called: ", vm.toString(index)));
        assertFalse(succeeded, string.concat("went through: ", vm.toString(index)));
        bytes4 locked = ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector;
        assertEq(bytes32(reason), bytes32(locked), string.concat("not by the lock: ", vm.toString(index)));
    }

    // ------------------------------------------------------------------ figures

    function _startLong(int256 answer) private {
        _openLong();
        _publish(WETH, answer);
        _kick(borrower, _ids(WETH));
        skip(600);
    }

    function _startShort() private {
        _openShort();
        _publish(WETH, 2_150e8);
        _kick(borrower, _ids(USDC));
        skip(600);
    }

    function _quote(Meddler dealer, uint8 collateralId, uint8 debtId, uint256 price, bool callback)
        private
        view
        returns (ILiquidationEngine.Quote memory)
    {
        return ILiquidationEngine.Quote({
            dealer: address(dealer),
            account: borrower,
            epoch: _epoch(borrower),
            collateralId: collateralId,
            debtId: debtId,
            price: price,
            minFill: 0,
            maxFill: uint128(1_000_000e18),
            nonce: 1,
            deadline: type(uint40).max,
            filler: address(0),
            callback: callback
        });
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {ITakeCallback} from "../../contracts/interfaces/ITakeCallback.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";

/// @title What a taker can do from inside its callback: nothing but pay
contract LiquidationEngineReentrancyTest is EngineFixture {
    Intruder private _intruder;

    function setUp() public override {
        super.setUp();
        _openLong();
        _publish(WETH, 1_700e8);
        _kick(borrower, _ids(WETH));
        skip(60);
        _intruder = new Intruder(engine);
        tokens[USDC].mint(address(_intruder), 1_000_000 * ONE_USDC);
        _intruder.approve(address(tokens[USDC]), address(house));
    }

    function test_a_taker_that_only_pays_passes() external {
        _intruder.intrude(borrower, address(engine), "");
    }

    function test_take_from_inside_a_take_reverts() external {
        _refuses(abi.encodeCall(engine.take, (borrower, WETH, USDC, 1e18, NO_LIMIT, address(_intruder), bytes(""))));
    }

    function test_swap_from_inside_a_take_reverts() external {
        _refuses(abi.encodeCall(engine.swap, (borrower, WETH, USDC, 1e18, 0, address(venue), _route(WETH, USDC))));
    }

    function test_kick_from_inside_a_take_reverts() external {
        _refuses(abi.encodeCall(engine.kick, (borrower, _ids(WETH))));
    }

    function test_redo_from_inside_a_take_reverts() external {
        _refuses(abi.encodeCall(engine.redo, (borrower, _ids(WETH))));
    }

    function test_clear_from_inside_a_take_reverts() external {
        _refuses(abi.encodeCall(engine.clear, (borrower)));
    }

    function test_lapse_from_inside_a_take_reverts() external {
        _refuses(abi.encodeCall(engine.lapse, (borrower)));
    }

    function test_net_from_inside_a_take_reverts() external {
        _refuses(abi.encodeCall(engine.net, (borrower, USDC)));
    }

    function test_end_from_inside_a_take_reverts() external {
        _refuses(abi.encodeCall(engine.end, (borrower)));
    }

    function test_mark_from_inside_a_take_reverts() external {
        _refuses(abi.encodeCall(engine.mark, (borrower)));
    }

    function test_poke_from_inside_a_take_reverts() external {
        _refuses(abi.encodeCall(engine.poke, (WETH)));
    }

    function test_trip_from_inside_a_take_reverts() external {
        _refuses(abi.encodeCall(engine.trip, (WETH)));
    }

    function test_cancelling_quotes_from_inside_a_take_reverts() external {
        _refuses(abi.encodeCall(engine.invalidateNonce, (1)));
        _refuses(abi.encodeCall(engine.invalidateWord, (1, 1)));
    }

    function test_fill_from_inside_a_take_reverts() external {
        ILiquidationEngine.Quote memory quote;
        _refuses(abi.encodeCall(engine.fill, (quote, "", 1)));
    }

    function test_several_calls_from_inside_a_take_revert() external {
        bytes[] memory calls = new bytes[](1);
        calls[0] = abi.encodeCall(engine.clear, (borrower));
        _refuses(abi.encodeWithSignature("multicall(bytes[])", calls));
    }

    function test_what_governance_sets_is_closed_from_inside_a_take() external {
        _refuses(abi.encodeCall(engine.setBreaker, (3, 1)));
        _refuses(abi.encodeCall(engine.setBudgeted, (WETH, true)));
        _refuses(abi.encodeCall(engine.setVenue, (address(1), true)));
        _refuses(abi.encodeCall(engine.setMarketDepth, (address(1))));
        _refuses(abi.encodeCall(engine.setCurveInputs, (WETH, engine.curveInputs(WETH))));
        _refuses(abi.encodeCall(engine.setParameters, (engine.parameters())));
        _refuses(abi.encodeCall(engine.setSpeedParameters, (engine.speedParameters())));
    }

    function test_a_callback_that_does_not_answer_reverts() external {
        _intruder.silence();
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CallbackRejected.selector, address(_intruder)));
        _intruder.intrude(borrower, address(engine), "");
    }

    function _refuses(bytes memory call) private {
        vm.expectRevert(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        _intruder.intrude(borrower, address(engine), call);
    }
}

/// @title A taker that makes a call of its choice from inside its callback
contract Intruder is ITakeCallback {
    ILiquidationEngine private immutable _engine;
    address private _target;
    bytes private _call;
    bytes4 private _answer = ITakeCallback.onTake.selector;

    constructor(ILiquidationEngine engine) {
        _engine = engine;
    }

    function silence() external {
        _answer = 0;
    }

    function approve(address token, address spender) external {
        IApprovable(token).approve(spender, type(uint256).max);
    }

    function intrude(address account, address target, bytes calldata call) external {
        (_target, _call) = (target, call);
        _engine.take(account, 0, 2, type(uint256).max, type(uint256).max, address(this), hex"01");
    }

    function onTake(address, address, uint256, address, uint256, bytes calldata) external returns (bytes4) {
        if (_call.length != 0) {
            (bool success, bytes memory reason) = _target.call(_call);
            if (!success) {
                assembly {
                    revert(add(reason, 0x20), mload(reason))
                }
            }
        }
        return _answer;
    }
}

interface IApprovable {
    function approve(address spender, uint256 amount) external returns (bool);
}

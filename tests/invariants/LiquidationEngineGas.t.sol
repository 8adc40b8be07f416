// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";
import {DepthDouble} from "./support/DepthDouble.sol";

/// @title What the calls of a liquidation cost as transactions of their own
/// @notice One collateral, one debt, budget on, fresh depth, steady state: every slot was written before. Each call is
/// isolated, so that the figures hold the 21,000 of a transaction and its data. The limits are a ratchet: what was
/// measured and three per cent, to be lowered with every saving.
contract LiquidationEngineGasTest is EngineFixture {
    address private _dealer;
    uint256 private _key;

    function setUp() public override {
        super.setUp();
        (_dealer, _key) = makeAddrAndKey("dealer");
        _fund(taker, USDC, 10_000_000 * ONE_USDC);
        _fund(_dealer, USDC, 10_000_000 * ONE_USDC);
        _fund(taker, WETH, ONE_WETH);
        _fund(_dealer, WETH, ONE_WETH);
        _pool(WETH, 2_000e18, 200_000_000);
        DepthDouble depth = new DepthDouble();
        depth.set(WETH, 0, 10_000_000e18);
        depth.set(WETH, 1, 10_000_000e18);
        depth.setMeanPrice(WETH, 1_880e18);
        engine.setMarketDepth(address(depth));
        engine.setBudgeted(WETH, true);
        engine.setCurveInputs(WETH, ILiquidationEngine.CurveInputs(8_000, 50, FEE_PIPS));
        engine.poke(WETH);
        _deposit(borrower, WETH, 10 * ONE_WETH);
        _borrow(borrower, USDC, 15_900 * ONE_USDC);
        skip(12);
        _warm();
        _publish(WETH, 1_890e8);
        skip(12);
    }

    function test_kick() external {
        vm.prank(keeper);
        engine.kick(borrower, _ids(WETH));
        _report("kick", 134_000);
    }

    function test_take_in_part() external {
        _kick(borrower, _ids(WETH));
        skip(12);
        vm.prank(taker);
        engine.take(borrower, WETH, USDC, 0.1e18, NO_LIMIT, taker, "");
        _report("take in part", 218_000);
    }

    function test_take_to_the_target() external {
        _kick(borrower, _ids(WETH));
        skip(12);
        vm.prank(taker);
        engine.take(borrower, WETH, USDC, NO_LIMIT, NO_LIMIT, taker, "");
        _report("take to the target", 224_000);
    }

    function test_swap() external {
        _kick(borrower, _ids(WETH));
        skip(12);
        vm.prank(keeper);
        engine.swap(borrower, WETH, USDC, NO_LIMIT, 0, address(venue), _route(WETH, USDC));
        _report("swap", 327_000);
    }

    function test_kick_and_swap() external {
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(engine.kick, (borrower, _ids(WETH)));
        calls[1] = abi.encodeCall(engine.swap, (borrower, WETH, USDC, NO_LIMIT, 0, address(venue), _route(WETH, USDC)));
        vm.prank(keeper);
        IMulticall(address(engine)).multicall(calls);
        _report("kick and swap", 386_000);
    }

    function test_fill() external {
        _kick(borrower, _ids(WETH));
        skip(12);
        ILiquidationEngine.Quote memory quote = _quote(2);
        bytes memory signature = _sign(quote);
        vm.prank(keeper);
        engine.fill(quote, signature, NO_LIMIT);
        _report("fill", 275_000);
    }

    // ------------------------------------------------------------------ steps

    /// @dev A whole auction of each kind before the one that counts.
    function _warm() private {
        _publish(WETH, 1_900e8);
        pools.moveTo(tokens[WETH], tokens[USDC], FEE_PIPS, 1_900e18);
        _kick(borrower, _ids(WETH));
        skip(300);
        _take(WETH, USDC, 0.1e18);
        ILiquidationEngine.Quote memory quote = _quote(1);
        quote.maxFill = 0.1e18;
        bytes memory signature = _sign(quote);
        vm.prank(keeper);
        engine.fill(quote, signature, NO_LIMIT);
        vm.prank(keeper);
        engine.swap(borrower, WETH, USDC, 0.1e18, 0, address(venue), _route(WETH, USDC));
        _publish(WETH, 2_000e8);
        engine.clear(borrower);
        pools.moveTo(tokens[WETH], tokens[USDC], FEE_PIPS, 1_890e18);
        skip(300);
        engine.poke(WETH);
    }

    function _report(string memory name, uint256 limit) private {
        uint256 used = vm.lastCallGas().gasTotalUsed;
        emit Measured(name, used);
        assertLt(used, limit, name);
    }

    event Measured(string name, uint256 gas);

    function _quote(uint256 nonce) private view returns (ILiquidationEngine.Quote memory) {
        return ILiquidationEngine.Quote({
            dealer: _dealer,
            account: borrower,
            epoch: _epoch(borrower),
            collateralId: WETH,
            debtId: USDC,
            price: _epoch(borrower) == 0 ? 1_890 * ONE_USDC : 1_889_900_000,
            minFill: 0,
            maxFill: uint128(100 * ONE_WETH),
            nonce: nonce,
            deadline: type(uint40).max,
            filler: address(0),
            callback: false
        });
    }

    function _sign(ILiquidationEngine.Quote memory quote) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_key, engine.quoteHash(quote));
        return abi.encodePacked(r, s, v);
    }
}

interface IMulticall {
    function multicall(bytes[] calldata data) external returns (bytes[] memory results);
}

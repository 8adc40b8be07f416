// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";

interface ISeveral {
    function multicall(bytes[] calldata data) external returns (bytes[] memory results);
}

/// @title Several collaterals, several debts of one account, in one call
contract LiquidationEngineSeveralTest is EngineFixture {
    function setUp() public override {
        super.setUp();
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            _fund(taker, assetId, 1e24);
        }
    }

    function test_several_collaterals_settle_in_one_call_as_they_would_one_by_one() external {
        _deposit(borrower, WETH, 10 * ONE_WETH);
        _deposit(borrower, WBTC, 0.3e8);
        _borrow(borrower, USDC, 29_000 * ONE_USDC);
        skip(12);
        _publish(WETH, 1_700e8);
        _kick(borrower, _ids(WETH, WBTC));
        skip(240);
        bytes[] memory calls = new bytes[](2);
        calls[0] = _call(WETH, USDC, ONE_WETH);
        calls[1] = _call(WBTC, USDC, 0.03e8);
        _settlesAsOneByOne(calls);
    }

    function test_several_debts_settle_in_one_call_as_they_would_one_by_one() external {
        _openTwoDebts();
        bytes[] memory calls = new bytes[](2);
        calls[0] = _call(WETH, USDC, ONE_WETH);
        calls[1] = _call(WETH, WBTC, ONE_WETH);
        _settlesAsOneByOne(calls);
    }

    /// @dev A kick, a sale to whoever pays and a sale into a pool.
    function test_takes_and_swaps_go_together() external {
        _openTwoDebts();
        _pool(WETH, 1_850e18, 200_000_000);
        bytes[] memory calls = new bytes[](2);
        calls[0] = _call(WETH, WBTC, ONE_WETH);
        calls[1] = abi.encodeCall(engine.swap, (borrower, WETH, USDC, ONE_WETH, 0, address(venue), _route(WETH, USDC)));
        _settlesAsOneByOne(calls);
    }

    function test_one_that_fails_takes_all_along() external {
        _openTwoDebts();
        bytes[] memory calls = new bytes[](2);
        calls[0] = _call(WETH, USDC, ONE_WETH);
        calls[1] = abi.encodeCall(engine.take, (borrower, WETH, WBTC, ONE_WETH, 1, taker, bytes("")));
        uint256 owed = _debt(borrower, USDC);
        vm.expectPartialRevert(ILiquidationEngine.PriceAboveLimit.selector);
        vm.prank(taker);
        ISeveral(address(engine)).multicall(calls);
        assertEq(_debt(borrower, USDC), owed);
        assertEq(_collateral(borrower, WETH), 20 * ONE_WETH);
    }

    // ------------------------------------------------------------------ steps

    function _openTwoDebts() private {
        _deposit(borrower, WETH, 20 * ONE_WETH);
        _borrow(borrower, USDC, 15_000 * ONE_USDC);
        _borrow(borrower, WBTC, 0.25e8);
        skip(12);
        _publish(WETH, 1_850e8);
        _kick(borrower, _ids(WETH));
        skip(240);
    }

    function _call(uint8 collateralId, uint8 debtId, uint256 seized) private view returns (bytes memory) {
        return abi.encodeCall(engine.take, (borrower, collateralId, debtId, seized, NO_LIMIT, taker, bytes("")));
    }

    function _settlesAsOneByOne(bytes[] memory calls) private {
        uint256 snapshot = vm.snapshotState();
        bytes32 before = _standing();
        for (uint256 i = 0; i < calls.length; ++i) {
            vm.prank(taker);
            (bool success,) = address(engine).call(calls[i]);
            assertTrue(success, vm.toString(i));
        }
        bytes32 oneByOne = _standing();
        assertTrue(oneByOne != before);
        vm.revertToState(snapshot);
        vm.prank(taker);
        ISeveral(address(engine)).multicall(calls);
        assertEq(_standing(), oneByOne);
        _assertBooksBalance();
    }

    /// @dev What the account and the taker hold, owe and are credited.
    function _standing() private view returns (bytes32 digest) {
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            digest = keccak256(
                abi.encode(
                    digest,
                    _collateral(borrower, assetId),
                    _debt(borrower, assetId),
                    tokens[assetId].balanceOf(taker),
                    house.creditOf(assetId, taker),
                    house.creditOf(assetId, keeper)
                )
            );
        }
    }
}

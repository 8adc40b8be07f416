// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ILiquidationEngine} from "../../../contracts/interfaces/ILiquidationEngine.sol";
import {IProtection} from "../../../contracts/interfaces/IProtection.sol";
import {Protection} from "../../../contracts/periphery/Protection.sol";
import {EngineFixture} from "../../support/forge/EngineFixture.sol";

/// @title The whole system with protection beside it, and an account that asked for it
/// @notice Volatilities: WETH and WBTC 80 %, USDC 20 % a year. The account is 10 WETH against 15,900 USDC at 2,000: a
/// health of 1.044, 2.44 deviations of four hours from default.
abstract contract ProtectionFixture is EngineFixture {
    Protection internal protection;
    address internal executor = makeAddr("executor");
    address internal recipient = makeAddr("recipient");
    address internal stranger = makeAddr("stranger");

    function setUp() public virtual override {
        super.setUp();
        protection = new Protection(address(manager), address(house));
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            engine.setCurveInputs(assetId, ILiquidationEngine.CurveInputs(assetId == USDC ? 2_000 : 8_000, 50, 500));
            tokens[assetId].mint(executor, 1e30);
            vm.prank(executor);
            tokens[assetId].approve(address(protection), type(uint256).max);
        }
        _openLong();
        _optIn(borrower, _terms());
    }

    // ------------------------------------------------------------------ builders

    /// @dev Three deviations of four hours, back to 1.10, at most half a per cent.
    function _terms() internal pure returns (IProtection.Terms memory) {
        return IProtection.Terms({
            collaterals: 7,
            minDistanceWad: 3e18,
            horizon: 4 hours,
            targetHealthFactorBps: 11_000,
            maxFeeBps: 50,
            scenarios: 0,
            expiry: type(uint40).max,
            minValue: 100,
            maxValue: 1_000_000,
            maxDailyValue: 2_000_000
        });
    }

    function _optIn(address account, IProtection.Terms memory terms) internal {
        vm.startPrank(account);
        house.setOperator(address(protection), true);
        protection.protect(terms);
        vm.stopPrank();
    }

    function _restate(IProtection.Terms memory terms) internal {
        vm.prank(borrower);
        protection.protect(terms);
    }

    // ------------------------------------------------------------------ actions

    function _deleverage(uint256 maxRepaid) internal returns (uint256 repaid, uint256 seized) {
        vm.prank(executor);
        return protection.deleverage(borrower, WETH, USDC, maxRepaid, 0, recipient, "");
    }

    function _refused(bytes memory reason) internal {
        vm.prank(executor);
        vm.expectRevert(reason);
        protection.deleverage(borrower, WETH, USDC, NO_LIMIT, 0, recipient, "");
    }

    function _addScenario(uint8 assetId, int16 shockBps) internal returns (uint8) {
        int16[] memory shocks = new int16[](1);
        shocks[0] = shockBps;
        return protection.addScenario(_ids(assetId), shocks);
    }

    // ------------------------------------------------------------------ readings

    /// @dev What an account is worth at the oracle's prices, WAD quote units; its debts count against it.
    function _equity(address account) internal view returns (int256) {
        uint256 held = house.accountState(account).collateralValue;
        return int256(held) - int256(house.accountState(account).debtValue);
    }

    function _assertNothingLeft() internal view {
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            assertEq(tokens[assetId].balanceOf(address(protection)), 0, "tokens left");
            assertEq(tokens[assetId].allowance(address(protection), address(house)), 0, "allowance left");
        }
    }
}

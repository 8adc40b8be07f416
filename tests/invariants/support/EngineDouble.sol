// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../../contracts/interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../../contracts/interfaces/ILiquidationEngine.sol";
import {Parameters} from "../../../contracts/libraries/Parameters.sol";

/// @title Stands in for the liquidation engine
/// @notice Passes every call on to the clearing house as its own, so that a test may book what no real engine would:
/// `IClearingHouse(address(double)).setFlag(...)`.
contract EngineDouble {
    IClearingHouse public immutable house;
    ILiquidationEngine.Curve private _curve;
    ILiquidationEngine.EngineParameters private _parameters;

    constructor(IClearingHouse house_) {
        house = house_;
        _curve = ILiquidationEngine.Curve(1.0071e18, 0.01e18 / uint64(89));
        _parameters.penaltyBps = Parameters.PENALTY_BPS;
    }

    /// @notice The curve of every asset, which the house checks parameters against.
    function curve(uint8) external view returns (ILiquidationEngine.Curve memory) {
        return _curve;
    }

    function parameters() external view returns (ILiquidationEngine.EngineParameters memory) {
        return _parameters;
    }

    function setCurve(uint64 startMultiplierWad) external {
        _curve.startMultiplierWad = startMultiplierWad;
    }

    /// @notice A sale and its booking in one transaction, as the engine's `swap` does.
    function sellAndSettle(
        IClearingHouse.Settlement memory settlement,
        uint256 minPayment,
        address venue,
        bytes calldata data
    ) external returns (uint256 payment) {
        payment = house.sell(
            settlement.account, settlement.collateralId, settlement.debtId, settlement.seized, minPayment, venue, data
        );
        settlement.route = uint8(ILiquidationEngine.Route.SWAP);
        house.settle(settlement);
    }

    /// @dev Everything else goes to the house.
    fallback(bytes calldata data) external returns (bytes memory) {
        (bool success, bytes memory answer) = address(house).call(data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
        return answer;
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

import {ITakeCallback} from "../../../contracts/interfaces/ITakeCallback.sol";
import {IVenue} from "../../../contracts/interfaces/IVenue.sol";
import {FaucetToken} from "../../../contracts/mocks/FaucetToken.sol";

/// @title Whoever a settlement calls: taker, dealer, signer, venue and fund, each doing its duty and one thing more
/// @notice In the middle of it, it makes one call, chosen beforehand, and notes what came of it. Asked for a signature
/// it may write nothing down, so it signs only where that call was refused because of the lock.
contract Meddler is ITakeCallback, IVenue, IERC1271 {
    address public immutable clearingHouse;
    FaucetToken private immutable _asset;
    uint256 private immutable _price;
    address private _target;
    bytes private _call;
    bool public called;
    bool public succeeded;
    bytes4 public reason;

    /// @param house Whom it lets pull. @param asset_ What it pays in. @param price What it pays for 1e18 units sold.
    constructor(address house, FaucetToken asset_, uint256 price) {
        (clearingHouse, _asset, _price) = (house, asset_, price);
        asset_.approve(house, type(uint256).max);
    }

    /// @notice Chooses the call.
    function aim(address target, bytes calldata call_) external {
        (_target, _call, called, succeeded, reason) = (target, call_, false, false, 0);
    }

    function _meddle() private {
        if (_target == address(0)) return;
        bytes memory answer;
        (succeeded, answer) = _target.call(_call);
        (called, reason) = (true, bytes4(answer));
    }

    // ------------------------------------------------------------------ taker and dealer

    function onTake(address, address, uint256, address, uint256 payment, bytes calldata) external returns (bytes4) {
        _meddle();
        _asset.mint(address(this), payment);
        return ITakeCallback.onTake.selector;
    }

    // ------------------------------------------------------------------ signer

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        if (_target == address(0)) return IERC1271.isValidSignature.selector;
        (, bytes memory answer) = _target.staticcall(_call);
        bool refused = bytes4(answer) == ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector;
        return refused ? IERC1271.isValidSignature.selector : bytes4(0);
    }

    // ------------------------------------------------------------------ venue

    function amountOutAtSpot(address, address, uint256 amountIn, bytes calldata) public view returns (uint256) {
        return amountIn * _price / 1e18;
    }

    function priceBounds(address, address, uint256 amountIn, bytes calldata, uint32)
        external
        view
        returns (uint256 lowest, uint256 highest)
    {
        lowest = highest = amountIn * _price / 1e18;
    }

    function swap(address, address, uint256 amountIn, uint256, address recipient, bytes calldata)
        external
        returns (uint256 amountOut)
    {
        _meddle();
        amountOut = amountIn * _price / 1e18;
        _asset.mint(address(this), amountOut);
        _asset.transfer(recipient, amountOut);
    }

    // ------------------------------------------------------------------ insurance fund

    function asset() external view returns (address) {
        return address(_asset);
    }

    function coverable() external pure returns (uint256) {
        return type(uint128).max;
    }

    function cover(uint256 deficit) external returns (uint256) {
        _meddle();
        _asset.mint(msg.sender, deficit);
        return deficit;
    }
}

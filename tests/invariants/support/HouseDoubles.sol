// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {ITakeCallback} from "../../../contracts/interfaces/ITakeCallback.sol";
import {IVenue} from "../../../contracts/interfaces/IVenue.sol";
import {FaucetToken} from "../../../contracts/mocks/FaucetToken.sol";

/// @title Makes one call, chosen beforehand, and fails as that call fails
abstract contract Caller {
    address private _target;
    bytes private _call;

    /// @notice Chooses the call; none, where `target` is zero.
    function aim(address target, bytes calldata call_) external {
        (_target, _call) = (target, call_);
    }

    function _makeCall() internal {
        if (_target == address(0)) return;
        (bool success, bytes memory reason) = _target.call(_call);
        if (success) return;
        assembly ("memory-safe") {
            revert(add(reason, 0x20), mload(reason))
        }
    }
}

/// @title A venue that pays what it was told to, whatever the least asked for
contract VenueDouble is IVenue, Caller {
    uint256 public pays;
    uint256 public received;

    function setPays(uint256 amount) external {
        pays = amount;
    }

    function amountOutAtSpot(address, address, uint256, bytes calldata) external view returns (uint256) {
        return pays;
    }

    function priceBounds(address, address, uint256, bytes calldata, uint32) external view returns (uint256, uint256) {
        return (pays, pays);
    }

    function swap(address tokenIn, address tokenOut, uint256, uint256, address recipient, bytes calldata)
        external
        returns (uint256)
    {
        received = FaucetToken(tokenIn).balanceOf(address(this));
        FaucetToken(tokenOut).mint(recipient, pays);
        _makeCall();
        return pays;
    }
}

/// @title A taker that pays with what it is given in its callback, and notes what it was told
contract TakerDouble is ITakeCallback, Caller {
    address public immutable house;
    bytes4 public answer = ITakeCallback.onTake.selector;
    address public account;
    uint256 public seized;
    uint256 public owed;
    bytes public data;

    constructor(address house_) {
        house = house_;
    }

    function setAnswer(bytes4 answer_) external {
        answer = answer_;
    }

    function onTake(
        address account_,
        address collateralToken,
        uint256 seized_,
        address debtToken,
        uint256 payment,
        bytes calldata data_
    ) external returns (bytes4) {
        require(FaucetToken(collateralToken).balanceOf(address(this)) >= seized_, "collateral comes first");
        (account, seized, owed, data) = (account_, seized_, payment, data_);
        FaucetToken(debtToken).mint(address(this), payment);
        FaucetToken(debtToken).approve(house, payment);
        _makeCall();
        return answer;
    }
}

/// @title A contract account whose owner signs for it
contract WalletDouble is IERC1271 {
    address public immutable owner;

    constructor(address owner_) {
        owner = owner_;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        return ECDSA.recover(digest, signature) == owner ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}

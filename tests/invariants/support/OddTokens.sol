// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FaucetToken} from "../../../contracts/mocks/FaucetToken.sol";

/// @title A token that keeps a hundredth of every transfer
contract FeeToken is FaucetToken {
    constructor() FaucetToken("Fee", "FEE", 18) {}

    function _update(address from, address to, uint256 value) internal override {
        uint256 fee = from == address(0) || to == address(0) ? 0 : value / 100;
        super._update(from, to, value - fee);
        if (fee != 0) super._update(from, address(0), fee);
    }
}

/// @title A token that takes without giving: it shrinks the receiver's balance instead of raising it
contract ShrinkingToken is FaucetToken {
    constructor() FaucetToken("Shrinking", "SHR", 18) {}

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        super.transferFrom(from, to, value);
        _burn(to, balanceOf(to));
        return true;
    }
}

/// @title A token that answers false and moves nothing once it was told to
contract RefusingToken is FaucetToken {
    bool public refuses;

    constructor() FaucetToken("Refusing", "REF", 18) {}

    function refuse() external {
        refuses = true;
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        return refuses ? false : super.transfer(to, value);
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        return refuses ? false : super.transferFrom(from, to, value);
    }
}

/// @title A token that answers nothing, as the oldest do
contract SilentToken {
    uint8 public constant decimals = 6;
    mapping(address owner => uint256) public balanceOf;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address, uint256) external {}

    function transfer(address to, uint256 value) external {
        _move(msg.sender, to, value);
    }

    function transferFrom(address from, address to, uint256 value) external {
        _move(from, to, value);
    }

    function _move(address from, address to, uint256 value) private {
        balanceOf[from] -= value;
        balanceOf[to] += value;
    }
}

/// @title A token that makes one call, chosen beforehand, in the middle of every transfer, and notes what came of it
contract CallingToken is FaucetToken {
    address private _target;
    bytes private _call;
    bool public called;
    bool public succeeded;
    bytes4 public reason;

    constructor() FaucetToken("Calling", "CALL", 18) {}

    /// @notice Calls `target` with `data` at the next transfers; nobody, where `target` is zero.
    function aim(address target, bytes calldata data) external {
        (_target, _call, called, succeeded, reason) = (target, data, false, false, 0);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (_target == address(0) || from == address(0)) return;
        bytes memory answer;
        (succeeded, answer) = _target.call(_call);
        (called, reason) = (true, bytes4(answer));
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {FaucetToken} from "../../../contracts/mocks/FaucetToken.sol";

/// @title An insurance fund that pays what it was told to, whatever it says
/// @notice Its money is a budget; the tokens are minted when it pays.
contract FundDouble {
    FaucetToken private immutable _token;
    address public immutable clearingHouse;
    /// @notice What `cover` still pays.
    uint256 public budget;
    uint256 private _coverable;
    /// @notice What `cover` was last asked for.
    uint256 public asked;
    bool private _fails;
    bool private _burns;

    constructor(FaucetToken token, address house) {
        (_token, clearingHouse) = (token, house);
    }

    function asset() external view returns (address) {
        return address(_token);
    }

    function setBudget(uint256 amount) external {
        (budget, _coverable) = (amount, amount);
    }

    /// @notice Says that it would pay `amount`, whatever its budget.
    function pretend(uint256 amount) external {
        _coverable = amount;
    }

    /// @notice What it says, unless it burns its gas.
    function coverable() external view returns (uint256) {
        _mayBurn();
        return _coverable;
    }

    /// @notice Whether it burns all gas that it is given.
    function setBurns(bool burns) external {
        _burns = burns;
    }

    function setFails(bool fails) external {
        _fails = fails;
    }

    function cover(uint256 deficit) external returns (uint256 covered) {
        require(!_fails, "no");
        _mayBurn();
        asked = deficit;
        covered = deficit < budget ? deficit : budget;
        budget -= covered;
        _coverable = budget;
        _token.mint(msg.sender, covered);
    }

    function _mayBurn() private view {
        if (!_burns) return;
        assembly ("memory-safe") {
            invalid()
        }
    }
}

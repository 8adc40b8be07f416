// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ClearingHouse} from "../../../contracts/core/ClearingHouse.sol";

/// @title A clearing house that opens many accounts at once, without tokens and without asking
/// @notice For development nodes only: its code takes the place of a house's, opens the accounts, and gives way to the
/// house again. Balances, totals and events are those of real deposits and borrowings; the caller has minted the
/// collateral to the house, and receives what is borrowed.
contract SeedingHouse is ClearingHouse {
    constructor(address authority) ClearingHouse(authority) {}

    /// @notice Deposits and borrows for each account.
    /// @dev Suppliers must own what is borrowed. Health is not looked at.
    /// @param accounts Who.
    /// @param collateralId What each deposits.
    /// @param collateral How much of it, by account.
    /// @param debtId What each borrows.
    /// @param debt How much of it, by account; zero borrows nothing.
    function seed(
        address[] calldata accounts,
        uint8 collateralId,
        uint128[] calldata collateral,
        uint8 debtId,
        uint128[] calldata debt
    ) external {
        AssetData storage data = _listed(debtId);
        Pool memory pool = _load(debtId, data);
        uint256 borrowed;
        for (uint256 i = 0; i < accounts.length; ++i) {
            address account = accounts[i];
            _addCollateral(account, collateralId, collateral[i]);
            emit CollateralDeposited(account, collateralId, msg.sender, collateral[i]);
            if (debt[i] == 0) continue;
            uint256 shares = _mintDebt(account, debtId, pool, debt[i]);
            borrowed += debt[i];
            _accounts[account].lastRiskBlock = uint40(block.number);
            emit Borrowed(account, debtId, msg.sender, debt[i], shares);
        }
        _store(data, pool);
        _pay(data, msg.sender, borrowed);
    }
}

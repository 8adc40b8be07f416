// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";

/// @title The lending pool of one asset as an ERC-4626 vault
/// @notice A transferable claim on supplier shares of the clearing house: one vault share is one supplier share, for
/// ever. The vault holds no assets, lends nothing by itself and has no owner.
/// @dev Shares carry six decimals more than the asset, as supplier shares do. Because the conversion never reads a
/// balance of the vault, a donation changes nobody's price.
interface ISupplyVault is IERC4626 {
    /// @notice Supplier shares became vault shares.
    event Wrapped(address indexed caller, address indexed owner, uint256 shares);
    /// @notice Vault shares became supplier shares.
    event Unwrapped(address indexed owner, address indexed receiver, uint256 shares);

    /// @notice Thrown when the clearing house mints or pays less than was foreseen.
    error ShareMismatch(uint256 expected, uint256 found);
    /// @notice Thrown when an amount is zero.
    error ZeroShares();

    /// @notice Turns supplier shares of the caller into vault shares, one to one. The vault must be the caller's
    /// operator in the clearing house, and uses that right for nothing but this.
    function wrap(uint256 shares, address receiver) external;

    /// @notice Turns vault shares of the caller into supplier shares of `receiver`, one to one. Needs no cash.
    function unwrap(uint256 shares, address receiver) external;

    /// @notice The clearing house whose pool this is.
    function clearingHouse() external view returns (address);

    /// @notice Index of the asset in the clearing house.
    function assetId() external view returns (uint8);
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {ITakeCallback} from "../interfaces/ITakeCallback.sol";

/// @title A dealer that is a contract: holds the money, approves of its owner's quotes, pays when it is called back
/// @notice For local networks and tests: the smallest dealer that needs ERC-1271 and the callback. Between fills nobody
/// may draw anything from it.
/// @dev Warning: whoever holds the owner's key holds the money.
contract DealerVault is ITakeCallback, IERC1271, Ownable {
    address public immutable clearingHouse;

    /// @notice Thrown when a callback comes from elsewhere than the clearing house.
    error CallbackUnauthorised(address caller);

    /// @param owner_ Signs quotes, and may do everything. @param clearingHouse_ May call back.
    constructor(address owner_, address clearingHouse_) Ownable(owner_) {
        clearingHouse = clearingHouse_;
    }

    /// @inheritdoc IERC1271
    /// @dev The owner's signature and no other; malformed ones are refused, not reverted.
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        (address signer, ECDSA.RecoverError fault,) = ECDSA.tryRecoverCalldata(hash, signature);
        bool valid = fault == ECDSA.RecoverError.NoError && signer == owner();
        return valid ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }

    /// @inheritdoc ITakeCallback
    /// @dev The clearing house calls back only a taker, which is not us, or the dealer of a quote that
    /// `isValidSignature` accepted. The approval is exact, and used up in the same call.
    function onTake(address, address, uint256, address debtToken, uint256 payment, bytes calldata)
        external
        returns (bytes4)
    {
        if (msg.sender != clearingHouse) revert CallbackUnauthorised(msg.sender);
        SafeTransferLib.safeApproveWithRetry(debtToken, msg.sender, payment);
        return ITakeCallback.onTake.selector;
    }

    /// @notice Calls a contract as the vault, and passes on what it returns or reverts with. Owner only.
    function execute(address target, bytes calldata data) external onlyOwner returns (bytes memory result) {
        bool success;
        // solhint-disable-next-line avoid-low-level-calls
        (success, result) = target.call(data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
    }
}

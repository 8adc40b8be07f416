// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import {ILiquidationEngine} from "../interfaces/ILiquidationEngine.sol";

/// @title What a dealer signs
/// @notice EIP-712 typed data. The domain ties a quote to one engine on one chain; account, epoch and nonce tie it to
/// one auction and to what its dealer has not cancelled.
library Quotes {
    /// @dev Type of a quote; its fields are all of one word, so that their ABI encoding is what EIP-712 hashes.
    bytes32 internal constant TYPEHASH = keccak256(
        "Quote(address dealer,address account,uint32 epoch,uint8 collateralId,uint8 debtId,uint256 price,uint128 minFill,uint128 maxFill,uint256 nonce,uint40 deadline,address filler,bool callback)"
    );
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant NAME_HASH = keccak256("Sluice Liquidation Engine");
    bytes32 private constant VERSION_HASH = keccak256("1");

    /// @dev Digest that a dealer signs for the engine at this address.
    function digest(ILiquidationEngine.Quote calldata quote) internal view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(domainSeparator(), keccak256(abi.encode(TYPEHASH, quote)));
    }

    /// @dev Computed at each call, so that it is right in a module's code and after a fork of the chain.
    function domainSeparator() internal view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, block.chainid, address(this)));
    }

    /// @dev Word and bit of an unordered nonce.
    function position(uint256 nonce) internal pure returns (uint256 word, uint256 bit) {
        return (nonce >> 8, 1 << (nonce & 0xff));
    }
}

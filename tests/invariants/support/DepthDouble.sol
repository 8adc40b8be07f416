// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title A market whose depth a test sets
contract DepthDouble {
    mapping(uint8 assetId => mapping(uint8 side => uint256)) private _depths;

    function set(uint8 assetId, uint8 side, uint256 value) external {
        _depths[assetId][side] = value;
    }

    function depth(uint8 assetId, uint8 side, uint256) external view returns (uint256) {
        return _depths[assetId][side];
    }
}

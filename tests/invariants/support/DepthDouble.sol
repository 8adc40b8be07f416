// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title A market whose depth, and what its pools paid, a test sets
contract DepthDouble {
    mapping(uint8 assetId => mapping(uint8 side => uint256)) private _depths;
    mapping(uint8 assetId => uint256) private _meanPrices;

    function set(uint8 assetId, uint8 side, uint256 value) external {
        _depths[assetId][side] = value;
    }

    function setMeanPrice(uint8 assetId, uint256 price) external {
        _meanPrices[assetId] = price;
    }

    function survey(uint8 assetId, uint256) external view returns (uint256 sold, uint256 bought, uint256 meanPrice) {
        return (_depths[assetId][0], _depths[assetId][1], _meanPrices[assetId]);
    }
}

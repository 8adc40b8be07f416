// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "../support/forge/Test.sol";

/// @title Every contract that is deployed for good fits the limit on code
/// @notice With the settings of a release. `tests/unit/contracts/test_sizes_are_covered.py` holds the list complete.
contract ReleaseSizesTest is Test {
    /// @dev EIP-170.
    uint256 private constant LIMIT = 24_576;

    function test_each_contract_fits_the_limit_on_code() external view {
        string[19] memory names = [
            "ClearingHouse",
            "HouseGovernance",
            "LiquidationEngine",
            "EngineAuctions",
            "EngineRoutes",
            "EngineGovernance",
            "MarketDepth",
            "InsuranceFund",
            "PriceOracle",
            "SequencedPriceOracle",
            "UniswapV3Venue",
            "FlashTaker",
            "FlashProtector",
            "LiquidationLens",
            "PositionLens",
            "Protection",
            "SupplyVault",
            "DealerVault",
            "FixedBonusEngine"
        ];
        for (uint256 i = 0; i < names.length; ++i) {
            uint256 size = _size(names[i]);
            assertGt(size, 0, names[i]);
            assertLt(size, LIMIT, names[i]);
        }
    }

    function _size(string memory name) private view returns (uint256) {
        string memory artifact = string.concat(name, ".sol:", name);
        return ICode(address(vm)).getDeployedCode(artifact).length;
    }
}

/// @dev Of forge's cheat codes.
interface ICode {
    function getDeployedCode(string calldata artifact) external view returns (bytes memory);
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Test} from "../../support/forge/Test.sol";

/// @notice Cheatcodes of forge that only the long campaigns use.
interface CampaignVm {
    function envOr(string calldata name, string calldata otherwise) external view returns (string memory);
    function writeLine(string calldata path, string calldata line) external;
}

/// @title What the handlers of a campaign really did, one line per run
/// @notice An invariant over calls that are all refused proves nothing. Where SLUICE_OUTCOMES names a folder, each run
/// leaves its counts there; `scripts/fuzz.py` adds them up, and fails where the rare is too rare.
abstract contract OutcomeLog is Test {
    function _tellOutcome(string memory suite, bytes32[] memory outcomes, uint256[] memory counts) internal {
        CampaignVm campaign = CampaignVm(address(vm));
        string memory folder = campaign.envOr("SLUICE_OUTCOMES", string(""));
        if (bytes(folder).length == 0) return;
        string memory line = "";
        for (uint256 i = 0; i < outcomes.length; ++i) {
            line = string.concat(line, i == 0 ? "" : ",", _text(outcomes[i]), "=", vm.toString(counts[i]));
        }
        campaign.writeLine(string.concat(folder, "/", suite, ".txt"), line);
    }

    /// @dev The characters before the first zero.
    function _text(bytes32 word) private pure returns (string memory) {
        bytes memory text = abi.encodePacked(word);
        uint256 length = 0;
        while (length < 32 && text[length] != 0) ++length;
        assembly ("memory-safe") {
            mstore(text, length)
        }
        return string(text);
    }
}

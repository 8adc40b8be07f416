// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

import {ITakeCallback} from "../../contracts/interfaces/ITakeCallback.sol";
import {DealerVault} from "../../contracts/mocks/DealerVault.sol";
import {FaucetToken} from "../../contracts/mocks/FaucetToken.sol";
import {Test} from "../support/forge/Test.sol";

/// @title A dealer that is a contract: who may make it sign, pay and act
contract DealerVaultTest is Test {
    uint256 private constant KEY = 0xD;
    bytes32 private constant DIGEST = keccak256("a quote");

    address private _owner = vm.addr(KEY);
    address private _house = makeAddr("clearing house");
    FaucetToken private _usdc = new FaucetToken("USDC", "USDC", 6);
    DealerVault private _vault = new DealerVault(_owner, _house);

    function test_only_the_owners_signature_is_accepted(uint256 key) external view {
        key = bound(key, 1, type(uint128).max);
        bool accepted = _vault.isValidSignature(DIGEST, _signature(key)) == IERC1271.isValidSignature.selector;
        assertEq(accepted, key == KEY);
    }

    function test_the_owner_signs_one_digest_at_a_time(bytes32 other) external view {
        bool accepted = _vault.isValidSignature(other, _signature(KEY)) == IERC1271.isValidSignature.selector;
        assertEq(accepted, other == DIGEST);
    }

    function test_a_malformed_signature_is_refused_without_a_revert(bytes calldata signature) external view {
        assertEq(_vault.isValidSignature(DIGEST, signature), bytes4(0xffffffff));
    }

    function test_the_clearing_house_may_draw_what_it_asks_for_and_no_more(uint128 payment) external {
        vm.prank(_house);
        bytes4 magic = _vault.onTake(address(1), address(2), 3, address(_usdc), payment, "");
        assertEq(magic, ITakeCallback.onTake.selector);
        assertEq(_usdc.allowance(address(_vault), _house), payment);
    }

    function test_a_callback_from_anyone_else_reverts(address caller) external {
        if (caller == _house) return;
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(DealerVault.CallbackUnauthorised.selector, caller));
        _vault.onTake(address(1), address(2), 3, address(_usdc), 1, "");
    }

    function test_only_the_owner_acts_as_the_vault() external {
        _usdc.mint(address(_vault), 5);
        bytes memory transfer = abi.encodeCall(_usdc.transfer, (_owner, 5));
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this)));
        _vault.execute(address(_usdc), transfer);
        vm.prank(_owner);
        _vault.execute(address(_usdc), transfer);
        assertEq(_usdc.balanceOf(_owner), 5);
    }

    function test_what_a_call_reverts_with_is_passed_on() external {
        vm.prank(_owner);
        vm.expectRevert(abi.encodeWithSelector(DealerVault.CallbackUnauthorised.selector, address(_vault)));
        _vault.execute(address(_vault), abi.encodeCall(_vault.onTake, (_owner, _owner, 1, _owner, 1, "")));
    }

    function _signature(uint256 key) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, DIGEST);
        return abi.encodePacked(r, s, v);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {WalletDouble} from "./support/HouseDoubles.sol";
import {HouseFixture} from "./support/HouseFixture.sol";

/// @title Who may act for an account, and what is owed to whom
contract ClearingHouseOperatorsTest is HouseFixture {
    bytes32 private constant TYPEHASH =
        keccak256("SetOperator(address account,address operator,bool approved,uint256 nonce,uint256 deadline)");

    function test_an_operator_acts_for_the_account() external {
        deposit(borrower, WETH, 10e18);
        vm.expectEmit(address(house));
        emit IClearingHouse.OperatorSet(borrower, stranger, true);
        vm.prank(borrower);
        house.setOperator(stranger, true);
        assertTrue(house.isOperator(borrower, stranger));
        assertFalse(house.isOperator(stranger, borrower));
        vm.startPrank(stranger);
        house.borrow(USDC, 1_000e6, borrower, stranger);
        house.withdrawCollateral(WETH, 1e18, borrower, stranger);
        vm.stopPrank();
        vm.prank(borrower);
        house.setOperator(stranger, false);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.OperatorUnauthorised.selector, borrower, stranger));
        vm.prank(stranger);
        house.borrow(USDC, 1_000e6, borrower, stranger);
    }

    function test_an_operator_may_not_name_operators() external {
        vm.prank(borrower);
        house.setOperator(stranger, true);
        vm.prank(stranger);
        house.setOperator(kicker, true);
        assertFalse(house.isOperator(borrower, kicker));
    }

    // ------------------------------------------------------------------ by signature

    function _digest(address account, bool approved, uint256 nonce, uint256 deadline) private view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Sluice ClearingHouse"),
                keccak256("1"),
                block.chainid,
                address(house)
            )
        );
        bytes32 message = keccak256(abi.encode(TYPEHASH, account, stranger, approved, nonce, deadline));
        return keccak256(abi.encodePacked("\x19\x01", domain, message));
    }

    function _sign(uint256 privateKey, bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(privateKey, digest);
        return abi.encodePacked(r, s, v);
    }

    function test_a_signature_names_an_operator_once() external {
        (address owner, uint256 key) = makeAddrAndKey("owner");
        uint256 deadline = block.timestamp + 60;
        bytes memory signature = _sign(key, _digest(owner, true, 0, deadline));
        vm.expectEmit(address(house));
        emit IClearingHouse.OperatorSet(owner, stranger, true);
        house.setOperatorBySig(owner, stranger, true, deadline, signature);
        assertTrue(house.isOperator(owner, stranger));
        assertEq(Nonces(address(house)).nonces(owner), 1);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.SignatureInvalid.selector, owner));
        house.setOperatorBySig(owner, stranger, true, deadline, signature);
    }

    function test_a_signature_names_what_it_names_and_no_other() external {
        (address owner, uint256 key) = makeAddrAndKey("owner");
        uint256 deadline = block.timestamp + 60;
        bytes memory signature = _sign(key, _digest(owner, true, 0, deadline));
        bytes memory refused = abi.encodeWithSelector(IClearingHouse.SignatureInvalid.selector, owner);
        vm.expectRevert(refused);
        house.setOperatorBySig(owner, kicker, true, deadline, signature);
        vm.expectRevert(refused);
        house.setOperatorBySig(owner, stranger, false, deadline, signature);
        vm.expectRevert(refused);
        house.setOperatorBySig(owner, stranger, true, deadline + 1, signature);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.SignatureInvalid.selector, borrower));
        house.setOperatorBySig(borrower, stranger, true, deadline, signature);
        vm.chainId(5);
        vm.expectRevert(refused);
        house.setOperatorBySig(owner, stranger, true, deadline, signature);
        assertEq(Nonces(address(house)).nonces(owner), 0, "a refused signature uses no nonce");
    }

    function test_a_signature_expires() external {
        (address owner, uint256 key) = makeAddrAndKey("owner");
        uint256 deadline = block.timestamp + 60;
        bytes memory signature = _sign(key, _digest(owner, true, 0, deadline));
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.SignatureExpired.selector, deadline));
        house.setOperatorBySig(owner, stranger, true, deadline, signature);
        vm.warp(deadline);
        house.setOperatorBySig(owner, stranger, true, deadline, signature);
    }

    function test_a_contract_account_signs_by_erc_1271() external {
        (address owner, uint256 key) = makeAddrAndKey("owner");
        address wallet = address(new WalletDouble(owner));
        bytes memory signature = _sign(key, _digest(wallet, true, 0, block.timestamp));
        house.setOperatorBySig(wallet, stranger, true, block.timestamp, signature);
        assertTrue(house.isOperator(wallet, stranger));
        (, uint256 other) = makeAddrAndKey("other");
        signature = _sign(other, _digest(wallet, true, 1, block.timestamp));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.SignatureInvalid.selector, wallet));
        house.setOperatorBySig(wallet, stranger, true, block.timestamp, signature);
    }

    // ------------------------------------------------------------------ several at once

    function test_multicall_opens_a_position_in_one_transaction() external {
        fund(borrower, WETH, 10e18);
        bytes[] memory calls = new bytes[](3);
        calls[0] = abi.encodeCall(house.depositCollateral, (WETH, 10e18, borrower));
        calls[1] = abi.encodeCall(house.borrow, (USDC, 15_000e6, borrower, borrower));
        calls[2] = abi.encodeCall(house.setOperator, (stranger, true));
        vm.prank(borrower);
        bytes[] memory answers = Multicall(address(house)).multicall(calls);
        assertEq(abi.decode(answers[1], (uint256)), 15_000e12);
        assertEq(tokens[USDC].balanceOf(borrower), 15_000e6);
        assertTrue(house.isOperator(borrower, stranger));
    }

    function test_multicall_fails_whole_and_says_why() external {
        fund(borrower, WETH, 10e18);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(house.depositCollateral, (WETH, 10e18, borrower));
        calls[1] = abi.encodeCall(house.borrow, (USDC, 17_000e6, borrower, borrower));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.BorrowLimitExceeded.selector, 17_000e18, 16_000e18));
        vm.prank(borrower);
        Multicall(address(house)).multicall(calls);
        assertEq(collateralOf(borrower, WETH), 0);
    }

    function test_multicall_lends_nobody_anothers_rights() external {
        deposit(borrower, WETH, 10e18);
        bytes[] memory calls = new bytes[](1);
        calls[0] = abi.encodeCall(house.withdrawCollateral, (WETH, 1e18, borrower, stranger));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.OperatorUnauthorised.selector, borrower, stranger));
        vm.prank(stranger);
        Multicall(address(house)).multicall(calls);
        calls[0] = abi.encodeCall(house.setFlag, (borrower, true));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.EngineUnauthorised.selector, stranger));
        vm.prank(stranger);
        Multicall(address(house)).multicall(calls);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IInsuranceFund} from "../../contracts/interfaces/IInsuranceFund.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";
import {CallingToken} from "./support/OddTokens.sol";

/// @title A token that calls out once it has moved, while the fund has not minted for it yet
contract InsuranceFundHooksTest is EngineFixture {
    uint256 private constant PUT = 100e6;

    CallingToken private _token;
    IInsuranceFund private _insurer;
    address private _guest = makeAddr("guest");
    uint256 private _shares;

    /// @dev Two halves; the guest's has cooled down, and the token may act for him.
    function setUp() public override {
        super.setUp();
        vm.etch(address(tokens[USDC]), address(new CallingToken()).code);
        _token = CallingToken(address(tokens[USDC]));
        bytes memory arguments = abi.encode(address(manager), address(house), USDC);
        _insurer = IInsuranceFund(vm.deployCode("InsuranceFund.sol:InsuranceFund", arguments));
        house.setFund(USDC, address(_insurer));
        _join(lender);
        _shares = _join(_guest);
        vm.startPrank(_guest);
        _insurer.requestRedeem(_shares);
        _insurer.approve(address(_token), NO_LIMIT);
        vm.stopPrank();
        skip(7 days);
    }

    function test_nobody_leaves_a_fund_between_a_deposit_and_its_shares() external {
        _token.aim(address(_insurer), abi.encodeCall(_insurer.redeem, (_shares, _guest, _guest)));
        uint256 minted = _join(_guest);
        assertTrue(_token.called());
        assertFalse(_token.succeeded());
        _token.aim(address(0), "");
        vm.prank(_guest);
        uint256 paid = _insurer.redeem(_shares, _guest, _guest);
        assertLe(paid + _insurer.previewRedeem(minted), 2 * PUT, "more than he put in");
    }

    function test_no_entry_point_of_a_fund_opens_from_its_token() external {
        bytes[] memory calls = new bytes[](6);
        calls[0] = abi.encodeCall(_insurer.deposit, (0, _guest));
        calls[1] = abi.encodeCall(_insurer.mint, (0, _guest));
        calls[2] = abi.encodeCall(_insurer.withdraw, (1, _guest, _guest));
        calls[3] = abi.encodeCall(_insurer.redeem, (1, _guest, _guest));
        calls[4] = abi.encodeCall(_insurer.requestRedeem, (1));
        calls[5] = abi.encodeCall(_insurer.cancelRequest, (1));
        for (uint256 i = 0; i < calls.length; ++i) {
            _token.aim(address(_insurer), calls[i]);
            _join(lender);
            _assertLocked(i);
            _token.aim(address(_insurer), calls[i]);
            vm.prank(_guest);
            _insurer.redeem(1e6, _guest, _guest);
            _assertLocked(i);
        }
    }

    function _assertLocked(uint256 entry) private view {
        assertTrue(_token.called(), vm.toString(entry));
        assertFalse(_token.succeeded(), vm.toString(entry));
        bytes4 locked = ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector;
        assertEq(bytes32(_token.reason()), bytes32(locked), vm.toString(entry));
    }

    /// @dev Who settles from inside a deposit cannot keep the fund from bearing its part.
    function test_a_fund_covers_while_somebody_is_inside_it() external {
        _deposit(borrower, WETH, ONE_WETH);
        _publish(WETH, 2_000e8);
        _publish(USDC, 1e8);
        _borrow(borrower, USDC, 1_500 * ONE_USDC);
        skip(12);
        _publish(WETH, 50e8); // less than dust: a kick writes it off
        _token.aim(address(engine), abi.encodeCall(engine.kick, (borrower, _ids(WETH))));
        uint256 held = tokens[USDC].balanceOf(address(_insurer));
        _join(_guest);
        assertFalse(_flagged(borrower));
        assertTrue(_token.called());
        assertTrue(_token.succeeded(), "not kicked");
        assertLt(tokens[USDC].balanceOf(address(_insurer)), held + PUT, "the fund paid nothing");
    }

    function _join(address who) private returns (uint256) {
        tokens[USDC].mint(who, PUT);
        vm.startPrank(who);
        tokens[USDC].approve(address(_insurer), NO_LIMIT);
        uint256 minted = _insurer.deposit(PUT, who);
        vm.stopPrank();
        return minted;
    }
}

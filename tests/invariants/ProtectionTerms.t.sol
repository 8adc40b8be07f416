// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {IProtection} from "../../contracts/interfaces/IProtection.sol";
import {ProtectionFixture} from "./support/ProtectionFixture.sol";

/// @title What owners and governance may ask for, and that sales stay within it
contract ProtectionTermsTest is ProtectionFixture {
    bytes32 private constant SET_OPERATOR =
        keccak256("SetOperator(address account,address operator,bool approved,uint256 nonce,uint256 deadline)");

    // ------------------------------------------------------------------ opting in

    function test_terms_are_kept_announced_and_forgotten() external {
        IProtection.Terms memory terms = _terms();
        terms.horizon = 24 hours;
        vm.expectEmit(address(protection));
        emit IProtection.Protected(borrower, terms);
        _restate(terms);
        assertEq(abi.encode(protection.termsOf(borrower)), abi.encode(terms));
        vm.expectEmit(address(protection));
        emit IProtection.Unprotected(borrower);
        vm.prank(borrower);
        protection.unprotect();
        assertEq(protection.termsOf(borrower).collaterals, 0);
    }

    function test_one_multicall_with_a_signature_opts_in() external {
        (address owner, uint256 key) = makeAddrAndKey("signing owner");
        bytes memory signature = _signature(owner, key, 2_000_000_000);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(protection.becomeOperator, (owner, 2_000_000_000, signature));
        calls[1] = abi.encodeCall(protection.protect, (_terms()));
        vm.prank(owner);
        protection.multicall(calls);
        assertTrue(house.isOperator(owner, address(protection)));
        assertEq(protection.termsOf(owner).horizon, 4 hours);
    }

    function test_a_signature_that_somebody_else_handed_in_does_no_harm() external {
        (address owner, uint256 key) = makeAddrAndKey("signing owner");
        bytes memory signature = _signature(owner, key, 2_000_000_000);
        vm.prank(stranger);
        house.setOperatorBySig(owner, address(protection), true, 2_000_000_000, signature);
        protection.becomeOperator(owner, 2_000_000_000, signature);
        assertTrue(house.isOperator(owner, address(protection)));
    }

    function test_a_signature_of_another_is_refused() external {
        (, uint256 key) = makeAddrAndKey("signing owner");
        bytes memory signature = _signature(stranger, key, 2_000_000_000);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.SignatureInvalid.selector, stranger));
        protection.becomeOperator(stranger, 2_000_000_000, signature);
    }

    function _signature(address owner, uint256 key, uint256 deadline) private view returns (bytes memory) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Sluice ClearingHouse"),
                keccak256("1"),
                block.chainid,
                address(house)
            )
        );
        bytes32 hash = keccak256(abi.encode(SET_OPERATOR, owner, address(protection), true, 0, deadline));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked("\x19\x01", domain, hash)));
        return abi.encodePacked(r, s, v);
    }

    // ------------------------------------------------------------------ bounds of terms

    /// @dev One field out of bounds at a time, on either side.
    function test_terms_out_of_bounds_are_refused_by_name() external {
        IProtection.Terms memory terms = _terms();
        terms.collaterals = 0;
        _outOfBounds(terms, "collaterals", 0, 1, type(uint64).max);
        terms = _terms();
        terms.minDistanceWad = 0.5e18 - 1;
        _outOfBounds(terms, "minDistanceWad", 0.5e18 - 1, 0.5e18, 10e18);
        terms.minDistanceWad = 10e18 + 1;
        _outOfBounds(terms, "minDistanceWad", 10e18 + 1, 0.5e18, 10e18);
        terms = _terms();
        terms.horizon = 1 hours - 1;
        _outOfBounds(terms, "horizon", 3_599, 3_600, 86_400);
        terms.horizon = 24 hours + 1;
        _outOfBounds(terms, "horizon", 86_401, 3_600, 86_400);
        terms = _terms();
        terms.targetHealthFactorBps = 10_299;
        _outOfBounds(terms, "targetHealthFactorBps", 10_299, 10_300, 20_000);
        terms.targetHealthFactorBps = 20_001;
        _outOfBounds(terms, "targetHealthFactorBps", 20_001, 10_300, 20_000);
        terms = _terms();
        terms.maxFeeBps = 301;
        _outOfBounds(terms, "maxFeeBps", 301, 0, 300);
        terms = _terms();
        terms.scenarios = 1;
        _outOfBounds(terms, "scenarios", 1, 0, 0);
        terms = _terms();
        terms.expiry = uint40(vm.getBlockTimestamp());
        _outOfBounds(terms, "expiry", terms.expiry, terms.expiry + 1, type(uint40).max);
    }

    function test_values_of_terms_are_in_order() external {
        IProtection.Terms memory terms = _terms();
        terms.minValue = 9;
        _outOfBounds(terms, "minValue", 9, 10, 1_000_000);
        terms.minValue = 1_000_001;
        _outOfBounds(terms, "minValue", 1_000_001, 10, 1_000_000);
        terms = _terms();
        terms.maxValue = 2_000_001;
        _outOfBounds(terms, "maxValue", 2_000_001, 10, 2_000_000);
    }

    function test_a_target_below_borrowing_health_of_a_collateral_is_refused() external {
        IProtection.Terms memory terms = _terms();
        terms.collaterals = 3; // WBTC: 0.78 / 0.73 = 1.0685
        terms.targetHealthFactorBps = 10_684;
        _outOfBounds(terms, "targetHealthFactorBps", 10_684, 10_685, 20_000);
        terms.targetHealthFactorBps = 10_685;
        _restate(terms);
        terms.collaterals = 1 << 40;
        vm.prank(borrower);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AssetNotListed.selector, 40));
        protection.protect(terms);
    }

    function _outOfBounds(IProtection.Terms memory terms, bytes32 name, uint256 value, uint256 lower, uint256 upper)
        private
    {
        vm.prank(borrower);
        vm.expectRevert(_refusal(name, value, lower, upper));
        protection.protect(terms);
    }

    function _refusal(bytes32 name, uint256 value, uint256 lower, uint256 upper) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IClearingHouse.ParameterOutOfBounds.selector, name, value, lower, upper);
    }

    // ------------------------------------------------------------------ sales within them

    function test_a_sale_below_the_owners_least_value_is_refused() external {
        IProtection.Terms memory terms = _terms();
        terms.minValue = 1_000;
        _restate(terms);
        vm.prank(executor);
        vm.expectRevert(abi.encodeWithSelector(IProtection.SaleTooSmall.selector, 999.999999e18, 1_000e18));
        protection.deleverage(borrower, WETH, USDC, 1_000 * ONE_USDC - 1, 0, recipient, "");
        (uint256 repaid,) = _deleverage(1_000 * ONE_USDC);
        assertEq(repaid, 1_000 * ONE_USDC);
    }

    function test_a_call_and_a_day_are_bounded_and_the_next_day_is_a_new_one() external {
        IProtection.Terms memory terms = _terms();
        (terms.maxValue, terms.maxDailyValue, terms.minDistanceWad) = (600, 1_000, 5e18);
        _restate(terms);
        (uint256 repaid,) = _deleverage(NO_LIMIT);
        assertEq(repaid, 600 * ONE_USDC, "a call");
        (repaid,) = _deleverage(NO_LIMIT);
        assertEq(repaid, 400 * ONE_USDC, "the rest of the day");
        (uint256 used, uint40 since) = protection.usageOf(borrower);
        assertEq(used, 1_000e18);
        assertEq(since, vm.getBlockTimestamp());
        _refused(abi.encodeWithSelector(IProtection.SaleTooSmall.selector, 0, 100e18));
        _restate(terms);
        _refused(abi.encodeWithSelector(IProtection.SaleTooSmall.selector, 0, 100e18));
        skip(1 days - 1);
        _publish(WETH, 2_000e8);
        _publish(USDC, 1e8);
        _refused(abi.encodeWithSelector(IProtection.SaleTooSmall.selector, 0, 100e18));
        skip(1);
        (repaid,) = _deleverage(NO_LIMIT);
        assertEq(repaid, 600 * ONE_USDC, "the next day");
    }

    // ------------------------------------------------------------------ dust

    function test_what_would_be_dust_is_sold_with_the_rest() external {
        address small = makeAddr("small");
        _openSmall(small);
        vm.prank(executor);
        (uint256 repaid,) = protection.deleverage(small, WETH, USDC, NO_LIMIT, 0, recipient, "");
        assertEq(repaid, 510 * ONE_USDC + 1, "the whole debt, with its interest");
        assertEq(house.healthFactor(small), type(uint256).max);
        _assertNothingLeft();
    }

    function test_a_choice_that_leaves_dust_is_refused() external {
        address small = makeAddr("small");
        _openSmall(small);
        vm.expectPartialRevert(IProtection.DustLeft.selector);
        protection.quote(small, WETH, USDC, 411 * ONE_USDC);
        protection.quote(small, WETH, USDC, 410 * ONE_USDC);
    }

    /// @dev 640 against 510, of which 418 would be repaid: less than 100 would be left.
    function _openSmall(address small) private {
        _deposit(small, WETH, ONE_WETH * 32 / 100);
        _borrow(small, USDC, 510 * ONE_USDC);
        skip(12);
        IProtection.Terms memory terms = _terms();
        terms.targetHealthFactorBps = 20_000;
        _optIn(small, terms);
    }

    function test_a_collateral_that_does_not_reach_is_sold_whole() external {
        _deposit(borrower, WBTC, ONE_WBTC / 100); // 600
        IProtection.Terms memory terms = _terms();
        terms.minDistanceWad = 5e18;
        _restate(terms);
        vm.prank(executor);
        (uint256 repaid, uint256 seized) = protection.deleverage(borrower, WBTC, USDC, NO_LIMIT, 0, recipient, "");
        assertEq(seized, ONE_WBTC / 100);
        assertLe(600 * ONE_USDC * 1e4 / (1e4 + 50), repaid, "paid for in full");
        assertEq(_collateral(borrower, WBTC), 0);
    }

    // ------------------------------------------------------------------ governance

    function test_parameters_have_bounds() external {
        IProtection.Parameters memory parameters = protection.parameters();
        parameters.maxFeeBps = 301;
        _refuses(parameters, "maxFeeBps", 301, 0, 300);
        parameters = protection.parameters();
        parameters.rampBps = 99;
        _refuses(parameters, "rampBps", 99, 100, 10_000);
        parameters = protection.parameters();
        parameters.correlationUpBps = -1;
        _refuses(parameters, "correlationUpBps", 9_999, 10_000, 20_000);
        parameters = protection.parameters();
        (parameters.correlationUpBps, parameters.correlationDownBps) = (3_000, 3_001);
        _refuses(parameters, "correlationDownBps", 13_001, 0, 13_000);
        parameters.correlationDownBps = 3_000;
        vm.expectEmit(address(protection));
        emit IProtection.ParametersSet(parameters);
        protection.setParameters(parameters);
    }

    function _refuses(
        IProtection.Parameters memory parameters,
        bytes32 name,
        uint256 value,
        uint256 lower,
        uint256 upper
    ) private {
        vm.expectRevert(_refusal(name, value, lower, upper));
        protection.setParameters(parameters);
    }

    function test_scenarios_are_added_for_good_eight_at_most() external {
        int16[] memory shocks = new int16[](2);
        (shocks[0], shocks[1]) = (-2_000, 1_500);
        vm.expectEmit(address(protection));
        emit IProtection.ScenarioAdded(0, _ids(WETH, WBTC), shocks);
        protection.addScenario(_ids(WETH, WBTC), shocks);
        assertEq(protection.shockOf(0, WETH), int256(-2_000));
        assertEq(protection.shockOf(0, WBTC), int256(1_500));
        assertEq(protection.shockOf(0, USDC), int256(0));
        for (uint8 scenario = 1; scenario < 8; ++scenario) {
            assertEq(_addScenario(WETH, -100), scenario);
        }
        vm.expectRevert(abi.encodeWithSelector(IProtection.ScenarioInvalid.selector, 8));
        _addScenario(WETH, -100);
        assertEq(protection.scenarioCount(), 8);
    }

    function test_a_scenario_that_is_none_is_refused() external {
        bytes memory refusal = abi.encodeWithSelector(IProtection.ScenarioInvalid.selector, 0);
        vm.expectRevert(refusal);
        protection.addScenario(new uint8[](0), new int16[](0));
        vm.expectRevert(refusal);
        protection.addScenario(_ids(WETH), new int16[](2));
        vm.expectRevert(refusal);
        _addScenario(WETH, 0);
        vm.expectRevert(refusal);
        _addScenario(3, -100);
        int16[] memory shocks = new int16[](2);
        (shocks[0], shocks[1]) = (-100, -200);
        vm.expectRevert(refusal);
        protection.addScenario(_ids(WETH, WETH), shocks);
        vm.expectRevert(_refusal("shockBps", 999, 1_000, 20_000));
        _addScenario(WETH, -9_001);
        vm.expectRevert(_refusal("shockBps", 20_001, 1_000, 20_000));
        _addScenario(WETH, 10_001);
    }
}

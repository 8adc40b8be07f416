// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {Parameters} from "../../contracts/libraries/Parameters.sol";
import {FaucetToken} from "../../contracts/mocks/FaucetToken.sol";
import {EngineDouble} from "./support/EngineDouble.sol";
import {HouseFixture} from "./support/HouseFixture.sol";

/// @title What governance sets, within which bounds, and who may
contract ClearingHouseGovernanceTest is HouseFixture {
    function _outOfBounds(bytes32 name, uint256 value, uint256 lower, uint256 upper)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeWithSelector(IClearingHouse.ParameterOutOfBounds.selector, name, value, lower, upper);
    }

    // ------------------------------------------------------------------ who may

    function test_only_the_authority_lets_anyone_govern() external {
        bytes memory refused = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, stranger);
        vm.startPrank(stranger);
        vm.expectRevert(refused);
        house.listAsset(address(1), parametersOf(1, 2, 10_000), rateModel());
        vm.expectRevert(refused);
        house.setAssetParameters(USDC, parametersOf(1, 2, 10_000));
        vm.expectRevert(refused);
        house.setRateModel(USDC, rateModel());
        vm.expectRevert(refused);
        house.setOracle(stranger);
        vm.expectRevert(refused);
        house.setEngine(stranger);
        vm.expectRevert(refused);
        house.setSmallestBorrow(500e18);
        vm.expectRevert(refused);
        house.withdrawReserve(USDC, 1, stranger);
    }

    function test_the_code_of_governance_refuses_whoever_calls_it_directly() external {
        IClearingHouse governance = IClearingHouse(vm.deployCode("HouseGovernance.sol:HouseGovernance"));
        vm.expectRevert(abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, governor));
        vm.prank(governor);
        governance.setOracle(governor);
    }

    function test_governance_may_delay_a_function() external {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = house.setSmallestBorrow.selector;
        vm.startPrank(governor);
        manager.setTargetFunctionRole(address(house), selectors, 7);
        manager.grantRole(7, stranger, 1 days);
        vm.stopPrank();
        bytes memory call = abi.encodeCall(house.setSmallestBorrow, (600e18));
        vm.startPrank(stranger);
        manager.schedule(address(house), call, 0);
        skip(1 days);
        manager.execute(address(house), call);
        assertEq(house.smallestBorrow(), 600e18);
        manager.schedule(address(house), call, 0);
        skip(1 days);
        house.setSmallestBorrow(600e18); // consumes the schedule itself
    }

    // ------------------------------------------------------------------ listing

    function test_listing_announces_everything() external {
        FaucetToken token = new FaucetToken("New", "NEW", 6);
        vm.expectEmit(address(house));
        emit IClearingHouse.AssetListed(3, address(token), 6);
        vm.expectEmit(address(house));
        emit IClearingHouse.InterestAccrued(3, 0, 0, uint40(block.timestamp));
        vm.expectEmit(address(house));
        emit IClearingHouse.AssetParametersSet(3, parametersOf(100, 200, 10_000));
        vm.expectEmit(address(house));
        emit IClearingHouse.RateModelSet(3, rateModel());
        vm.prank(governor);
        uint8 assetId = house.listAsset(address(token), parametersOf(100, 200, 10_000), rateModel());
        assertEq(assetId, 3);
        assertEq(house.assetCount(), 4);
        assertEq(house.assetIdOf(address(token)), 3);
        (address listed, uint8 decimals) = house.asset(3);
        assertEq(listed, address(token));
        assertEq(decimals, 6);
        assertEq(keccak256(abi.encode(house.assetParameters(3))), keccak256(abi.encode(parametersOf(100, 200, 10_000))));
        assertEq(keccak256(abi.encode(house.rateModel(3))), keccak256(abi.encode(rateModel())));
        assertEq(house.market(3).lastAccrual, block.timestamp);
    }

    function _expectRefusal(address token, bytes32 reason) private {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.ListingRefused.selector, token, reason));
        vm.prank(governor);
        house.listAsset(token, parametersOf(100, 200, 10_000), rateModel());
    }

    function test_listing_refuses_what_cannot_be_held() external {
        _expectRefusal(address(tokens[USDC]), "listed already");
        _expectRefusal(makeAddr("nobody"), "no code");
        _expectRefusal(address(0), "no code");
        _expectRefusal(address(new FaucetToken("Few", "FEW", 5)), "decimals");
        _expectRefusal(address(new FaucetToken("Many", "MANY", 19)), "decimals");
    }

    function test_a_sixty_fifth_asset_is_refused() external {
        vm.startPrank(governor);
        for (uint256 i = ASSETS; i < 64; ++i) {
            house.listAsset(address(new FaucetToken("More", "MORE", 6)), parametersOf(100, 200, 10_000), rateModel());
        }
        vm.stopPrank();
        assertEq(house.assetCount(), 64);
        deposit(borrower, USDC, 1e6);
        (address last,) = house.asset(63);
        FaucetToken(last).mint(borrower, 5e6);
        vm.startPrank(borrower);
        FaucetToken(last).approve(address(house), 5e6);
        house.depositCollateral(63, 5e6, borrower);
        vm.stopPrank();
        (uint64 collaterals,,,,) = house.accountInfo(borrower);
        assertEq(collaterals, (1 << 63) + (1 << USDC));
        _expectRefusal(address(new FaucetToken("Last", "LAST", 6)), "no free id");
    }

    function test_an_unlisted_token_has_no_id() external {
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.ListingRefused.selector, stranger, bytes32("not listed")));
        house.assetIdOf(stranger);
    }

    // ------------------------------------------------------------------ parameters

    function test_asset_parameters_are_bounded() external {
        vm.startPrank(governor);
        vm.expectRevert(_outOfBounds("maxLtvBps", 8_300, 0, 8_299));
        house.setAssetParameters(WETH, parametersOf(8_300, 8_300, 10_000));
        vm.expectRevert(_outOfBounds("liquidationThresholdBps", 0, 1, 9_900));
        house.setAssetParameters(WETH, parametersOf(0, 0, 10_000));
        vm.expectRevert(_outOfBounds("debtWeightBps", 9_999, 10_000, 20_000));
        house.setAssetParameters(WETH, parametersOf(8_000, 8_300, 9_999));
        IClearingHouse.AssetParameters memory parameters = parametersOf(8_000, 8_300, 10_000);
        parameters.reserveFactorBps = 5_001;
        vm.expectRevert(_outOfBounds("reserveFactorBps", 5_001, 0, 5_000));
        house.setAssetParameters(WETH, parameters);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AssetNotListed.selector, 3));
        house.setAssetParameters(3, parametersOf(8_000, 8_300, 10_000));
    }

    /// @dev At a start of 0.94 and a penalty of 0.5 %, b is 1.0692: a threshold of 0.90 leaves room, 0.94 none.
    function test_a_threshold_must_leave_room_for_the_engines_curve() external {
        double.setCurve(0.94e18);
        vm.startPrank(governor);
        house.setAssetParameters(WETH, parametersOf(8_000, 9_000, 10_000));
        vm.expectPartialRevert(IClearingHouse.ParameterOutOfBounds.selector);
        house.setAssetParameters(WETH, parametersOf(8_000, 9_400, 10_000));
        double.setCurve(0); // an asset that cannot be kicked yet
        house.setAssetParameters(WETH, parametersOf(8_000, 9_400, 10_000));
        double.setCurve(0.94e18);
        EngineDouble other = new EngineDouble(house);
        other.setCurve(0.94e18);
        vm.expectPartialRevert(IClearingHouse.ParameterOutOfBounds.selector);
        house.setEngine(address(other));
        other.setCurve(1.0071e18);
        house.setEngine(address(other));
        assertEq(house.engine(), address(other));
    }

    function test_a_new_reserve_factor_counts_from_now() external {
        deposit(borrower, WETH, 400e18);
        borrow(borrower, USDC, 450_000e6);
        skip(365 days);
        IClearingHouse.AssetParameters memory parameters = house.assetParameters(USDC);
        parameters.reserveFactorBps = 5_000;
        uint256 reserve = house.market(USDC).reserveAssets;
        assertGt(reserve, 0);
        vm.prank(governor);
        house.setAssetParameters(USDC, parameters);
        assertEq(house.market(USDC).reserveAssets, reserve);
    }

    function test_a_new_rate_counts_from_now() external {
        deposit(borrower, WETH, 400e18);
        borrow(borrower, USDC, 450_000e6);
        skip(365 days);
        uint256 owed = house.market(USDC).totalBorrowAssets;
        vm.expectEmit(address(house));
        emit IClearingHouse.RateModelSet(USDC, IClearingHouse.RateModel(0, 0, 0, 5_000));
        vm.prank(governor);
        house.setRateModel(USDC, IClearingHouse.RateModel(0, 0, 0, 5_000));
        assertEq(house.market(USDC).totalBorrowAssets, owed);
        skip(365 days);
        assertEq(house.market(USDC).totalBorrowAssets, owed);
        assertEq(house.borrowRate(USDC), 0);
    }

    function test_rate_models_are_bounded() external {
        vm.startPrank(governor);
        vm.expectRevert(_outOfBounds("fullRateBps", 100_001, 0, 100_000));
        house.setRateModel(USDC, IClearingHouse.RateModel(0, 0, 100_001, 5_000));
        vm.expectRevert(_outOfBounds("kinkRateBps", 11, 0, 10));
        house.setRateModel(USDC, IClearingHouse.RateModel(0, 11, 10, 5_000));
        vm.expectRevert(_outOfBounds("baseRateBps", 6, 0, 5));
        house.setRateModel(USDC, IClearingHouse.RateModel(6, 5, 10, 5_000));
        vm.expectRevert(_outOfBounds("kinkBps", 0, 1, 9_999));
        house.setRateModel(USDC, IClearingHouse.RateModel(1, 5, 10, 0));
        vm.expectRevert(_outOfBounds("kinkBps", 10_000, 1, 9_999));
        house.setRateModel(USDC, IClearingHouse.RateModel(1, 5, 10, 10_000));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AssetNotListed.selector, 3));
        house.setRateModel(3, rateModel());
    }

    // ------------------------------------------------------------------ the rest of the system

    function test_the_price_source_and_the_engine_are_set() external {
        EngineDouble other = new EngineDouble(house);
        vm.startPrank(governor);
        vm.expectEmit(address(house));
        emit IClearingHouse.OracleSet(stranger);
        house.setOracle(stranger);
        assertEq(house.oracle(), stranger);
        vm.expectEmit(address(house));
        emit IClearingHouse.EngineSet(address(other));
        house.setEngine(address(other));
        assertEq(house.engine(), address(other));
        vm.expectRevert(IClearingHouse.ZeroAddress.selector);
        house.setOracle(address(0));
        vm.expectRevert(IClearingHouse.ZeroAddress.selector);
        house.setEngine(address(0));
    }

    function test_the_smallest_borrow_is_bounded() external {
        assertEq(house.smallestBorrow(), Parameters.SMALLEST_BORROW);
        vm.startPrank(governor);
        vm.expectRevert(_outOfBounds("smallestBorrow", 9e18, 10e18, 100_000e18));
        house.setSmallestBorrow(9e18);
        vm.expectRevert(_outOfBounds("smallestBorrow", 100_001e18, 10e18, 100_000e18));
        house.setSmallestBorrow(100_001e18);
        vm.expectEmit(address(house));
        emit IClearingHouse.SmallestBorrowSet(100_000e18);
        house.setSmallestBorrow(100_000e18);
        assertEq(house.smallestBorrow(), 100_000e18);
        assertEq(house.oracle(), address(oracle), "shares its slot");
    }

    // ------------------------------------------------------------------ reserve

    function test_reserve_is_paid_out_as_far_as_it_was_paid_in() external {
        deposit(borrower, WETH, 700e18);
        borrow(borrower, USDC, 1_000_000e6);
        pass(365 days);
        uint256 reserve = house.market(USDC).reserveAssets;
        assertGt(reserve, 0);
        vm.startPrank(governor);
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CashInsufficient.selector, USDC, 1, 0));
        house.withdrawReserve(USDC, 1, stranger);
        vm.stopPrank();
        repay(borrower, USDC, type(uint256).max);
        reserve = house.market(USDC).reserveAssets;
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.CashInsufficient.selector, USDC, reserve + 1, reserve));
        vm.prank(governor);
        house.withdrawReserve(USDC, reserve + 1, stranger);
        vm.expectEmit(address(house));
        emit IClearingHouse.ReserveWithdrawn(USDC, stranger, reserve);
        vm.prank(governor);
        house.withdrawReserve(USDC, reserve, stranger);
        assertEq(tokens[USDC].balanceOf(stranger), reserve);
        assertEq(house.market(USDC).reserveAssets, 0);
        assertBooksBalance();
    }

    function test_reserve_withdrawal_reverts_where_it_must() external {
        vm.startPrank(governor);
        vm.expectRevert(IClearingHouse.ZeroAmount.selector);
        house.withdrawReserve(USDC, 0, stranger);
        vm.expectRevert(IClearingHouse.ZeroAddress.selector);
        house.withdrawReserve(USDC, 1, address(0));
        vm.expectRevert(abi.encodeWithSelector(IClearingHouse.AssetNotListed.selector, 3));
        house.withdrawReserve(3, 1, stranger);
    }

    // ------------------------------------------------------------------ size

    function test_the_contracts_fit_the_limit_on_code() external view {
        assertLt(address(house).code.length, 24_576);
    }
}

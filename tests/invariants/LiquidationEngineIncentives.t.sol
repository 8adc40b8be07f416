// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";

/// @title Who would gain by what he is free to do
/// @notice Wealth is counted at oracle prices: what an account is worth, what lies in wallets, what is credited.
contract LiquidationEngineIncentivesTest is EngineFixture {
    function setUp() public override {
        super.setUp();
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            _fund(taker, assetId, 1e30);
        }
    }

    // ------------------------------------------------------------------ slicing

    function test_splitting_a_take_gains_nothing(uint256 pair, uint256 healthFactor, uint256 elapsed, uint256 pieces)
        external
    {
        (uint8 collateralId, uint8 debtId) = _openAndKick(pair, bound(healthFactor, 0.7e18, 0.9999e18));
        skip(bound(elapsed, 0, 7_199));
        pieces = bound(pieces, 2, 6);
        uint256 largest = engine.largestSlice(borrower, collateralId, debtId).seized;
        uint256 snapshot = vm.snapshotState();
        (uint256 seized, uint256 paid) = _takePieces(collateralId, debtId, largest / pieces + 1, pieces);
        bool whole = _debt(borrower, debtId) == 0;
        paid -= house.creditOf(debtId, taker); // the kicker is the taker: his tip is the same purse as his chip
        vm.revertToState(snapshot);
        assertLe(seized, largest + pieces, "no more than the largest slice");
        (, uint256 paidAtOnce) = _take(collateralId, debtId, whole ? NO_LIMIT : seized);
        paidAtOnce -= house.creditOf(debtId, taker);
        // what closes a debt pays for it to the unit, however little of a coarse collateral that is
        uint256 coarse = whole ? _unitsOf(collateralId, pieces + 1) * 1e18 / _unitsOf(debtId, 1e18) + 1 : 0;
        assertGe(paid + coarse, paidAtOnce, "no cheaper");
    }

    // ------------------------------------------------------------------ one's own account

    function test_settling_ones_own_account_gains_nothing(
        uint256 pair,
        uint256 healthFactor,
        uint256 elapsed,
        uint256 fraction
    ) external {
        (uint8 collateralId, uint8 debtId) = _open(pair, bound(healthFactor, 0.75e18, 0.9999e18));
        int256 wealth = _wealth();
        vm.prank(taker);
        engine.kick(borrower, _ids(collateralId));
        assertEq(_wealth(), wealth, "a kick moves nothing");
        skip(bound(elapsed, 0, 7_199)); // zero: in the second of the kick
        wealth = _wealth();
        ILiquidationEngine.Slice memory slice = engine.largestSlice(borrower, collateralId, debtId);
        uint256 losses = _losses(debtId);
        uint256 chosen = bound(fraction, 1, 100);
        vm.prank(taker);
        try engine.take(borrower, collateralId, debtId, slice.seized * chosen / 100, NO_LIMIT, taker, "") {}
        catch (bytes memory reason) {
            vm.assume(bytes4(reason) != ILiquidationEngine.DustLeft.selector);
            assertEq(bytes32(reason), "", "an unexpected refusal");
        }
        int256 gain = _wealth() - wealth;
        int256 rounding = int256(_unitsOf(debtId, 3));
        if (!slice.insolvent) assertLe(gain, rounding, "the owner gains");
        else assertLe(gain, int256(_losses(debtId) - losses) + rounding, "the owner gains more than the deficit");
    }

    // ------------------------------------------------------------------ steps

    function _takePieces(uint8 collateralId, uint8 debtId, uint256 piece, uint256 pieces)
        private
        returns (uint256 seized, uint256 paid)
    {
        for (uint256 i = 0; i < pieces && _flagged(borrower); ++i) {
            vm.prank(taker);
            try engine.take(borrower, collateralId, debtId, piece, NO_LIMIT, taker, "") returns (
                uint256 sold, uint256 payment
            ) {
                (seized, paid) = (seized + sold, paid + payment);
            } catch (bytes memory reason) {
                assertEq(bytes32(bytes4(reason)), bytes32(ILiquidationEngine.DustLeft.selector), "unexpected");
                break;
            }
        }
        vm.assume(seized > 0);
    }

    /// @dev Opens one of six pairs, long or short, and lets the price of the collateral fall to the health factor.
    function _open(uint256 pair, uint256 healthFactor) private returns (uint8 collateralId, uint8 debtId) {
        collateralId = uint8(pair % 3);
        debtId = uint8((collateralId + 1 + (pair / 3) % 2) % 3);
        uint256[3] memory amounts = [uint256(10 * ONE_WETH), ONE_WBTC / 3, 20_000 * ONE_USDC];
        uint256[3] memory debts = [uint256(6.5e18), 0.21e8, 14_000 * ONE_USDC];
        _deposit(borrower, collateralId, amounts[collateralId]);
        _borrow(borrower, debtId, debts[debtId]);
        skip(12);
        int256[3] memory answers = [int256(2_000e8), 60_000e8, 1e8];
        uint256 health = house.healthFactor(borrower);
        _publish(collateralId, answers[collateralId] * int256(healthFactor) / int256(health));
        vm.assume(house.healthFactor(borrower) < 1e18);
    }

    function _openAndKick(uint256 pair, uint256 healthFactor) private returns (uint8 collateralId, uint8 debtId) {
        (collateralId, debtId) = _open(pair, healthFactor);
        vm.prank(taker);
        engine.kick(borrower, _ids(collateralId));
    }

    /// @dev What the owner has: the account, the wallet of his other self, and its credits.
    function _wealth() private view returns (int256 value) {
        IClearingHouse.AccountState memory state = house.accountState(borrower);
        value = int256(state.collateralValue) - int256(state.debtValue);
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            uint256 held = tokens[assetId].balanceOf(taker) + house.creditOf(assetId, taker);
            value += int256(_unitsOf(assetId, held));
        }
    }

    /// @dev What suppliers have lost, and what the reserve paid out, as value.
    function _losses(uint8 debtId) private view returns (uint256) {
        IClearingHouse.Market memory market = house.market(debtId);
        return _unitsOf(debtId, 1e30 - market.totalSupplyAssets - market.reserveAssets);
    }

    function _unitsOf(uint8 assetId, uint256 amount) private view returns (uint256) {
        return amount * oracle.price(address(tokens[assetId])) / 10 ** tokens[assetId].decimals();
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ILiquidationEngine} from "../../../contracts/interfaces/ILiquidationEngine.sol";
import {EngineFixture} from "../../support/forge/EngineFixture.sol";

/// @title A call that must be refused: by the error named, and with nothing changed
abstract contract Refusals is EngineFixture {
    address internal stranger = makeAddr("stranger");

    /// @dev A running auction over a solvent account, and someone with tokens of each kind.
    function setUp() public virtual override {
        super.setUp();
        _openLong();
        _publish(WETH, 1_890e8);
        _kick(borrower, _ids(WETH));
        skip(12);
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            _fund(stranger, assetId, 1_000 * 10 ** tokens[assetId].decimals());
        }
    }

    /// @dev Whoever is named calls `target`, and is refused by exactly this error.
    function _refused(address caller, address target, bytes memory call, bytes4 expected) internal {
        bytes32 before = _everything();
        vm.prank(caller);
        (bool success, bytes memory reason) = target.call(call);
        assertFalse(success, "not refused");
        assertEq(bytes32(bytes4(reason)), bytes32(expected), "refused by another error");
        assertEq(_everything(), before, "something changed");
    }

    /// @dev A digest of all that can be read of house and engine, and of who holds what.
    function _everything() internal view returns (bytes32 digest) {
        address[5] memory people = [borrower, lender, keeper, taker, stranger];
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            digest = keccak256(
                abi.encode(
                    digest,
                    house.market(assetId),
                    house.assetParameters(assetId),
                    house.rateModel(assetId),
                    _budgets(assetId)
                )
            );
            digest = keccak256(
                abi.encode(digest, house.fund(assetId), house.pendingDeficit(assetId), engine.curveInputs(assetId))
            );
            digest = keccak256(abi.encode(digest, tokens[assetId].balanceOf(address(house))));
            for (uint256 i = 0; i < people.length; ++i) {
                digest = keccak256(abi.encode(digest, _holding(people[i], assetId)));
            }
        }
        for (uint256 i = 0; i < people.length; ++i) {
            digest = keccak256(abi.encode(digest, _standing(people[i])));
        }
        (uint8 level, uint40 until, uint40 resumedAt) = engine.breaker();
        digest = keccak256(abi.encode(digest, level, until, resumedAt, engine.parameters(), engine.speedParameters()));
        digest = keccak256(abi.encode(digest, engine.budgeted(), engine.marketDepth(), engine.isVenue(address(venue))));
        return keccak256(abi.encode(digest, house.assetCount(), house.oracle(), house.engine(), house.smallestBorrow()));
    }

    function _budgets(uint8 assetId) private view returns (bytes memory) {
        return abi.encode(
            engine.bucket(assetId, ILiquidationEngine.Side.SELL), engine.bucket(assetId, ILiquidationEngine.Side.BUY)
        );
    }

    function _holding(address who, uint8 assetId) private view returns (bytes memory) {
        (uint128 collateral, uint128 debtShares) = house.balanceOf(who, assetId);
        return abi.encode(
            collateral,
            debtShares,
            house.supplyShares(assetId, who),
            house.creditOf(assetId, who),
            house.markOf(who, assetId),
            tokens[assetId].balanceOf(who),
            engine.auctionLeg(who, assetId)
        );
    }

    function _standing(address who) private view returns (bytes memory) {
        (uint64 collaterals, uint64 debts, uint32 epoch, bool flagged, uint40 lastRisk) = house.accountInfo(who);
        return abi.encode(
            collaterals,
            debts,
            epoch,
            flagged,
            lastRisk,
            engine.auction(who),
            house.isOperator(who, stranger),
            engine.nonceBitmap(who, 0)
        );
    }
}

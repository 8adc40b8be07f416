// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title What clearing house and liquidation engine tell each other: accounts, and what settles them
/// @notice Part of `IClearingHouse`, under whose name its types are used.
/// @dev Units: amounts are token units; values are WAD quote units (1e18 = one US dollar); prices are WAD quote units
/// per whole token; fractions are WAD unless the name ends in Bps. An `assetId` is the index of a listed asset.
interface IClearingHouseTypes {
    /// @notice One asset of one account, in both roles, priced now.
    /// @param assetId Index of the asset.
    /// @param decimals Decimals of the token.
    /// @param liquidationThresholdWad Fraction of collateral value counted.
    /// @param debtWeightWad Weight as a debt.
    /// @param collateral Collateral, token units.
    /// @param debt Debt with interest, token units, rounded up.
    /// @param price WAD quote units per whole token.
    /// @param collateralValue WAD quote units, rounded down.
    /// @param debtValue WAD quote units, rounded up.
    /// @param token The asset's token.
    struct Leg {
        uint8 assetId;
        uint8 decimals;
        uint64 liquidationThresholdWad;
        uint64 debtWeightWad;
        uint128 collateral;
        uint128 debt;
        uint256 price;
        uint256 collateralValue;
        uint256 debtValue;
        address token;
    }

    /// @notice An account at oracle prices.
    /// @param collateralValue V, rounded down.
    /// @param debtValue D, rounded up.
    /// @param weightedCollateral A = sum of liquidationThreshold * value, rounded down.
    /// @param weightedDebt D_w = sum of debtWeight * value, rounded up.
    /// @param epoch Number of the account's current or next auction; moves when an auction ends.
    /// @param flagged Whether an auction runs.
    /// @param marked Whether a part of its debts is marked as a pending deficit.
    /// @param lastRiskBlock Block of the last borrow or withdrawal of collateral.
    /// @param legs Every asset that the account holds or owes, by rising assetId.
    struct AccountState {
        uint256 collateralValue;
        uint256 debtValue;
        uint256 weightedCollateral;
        uint256 weightedDebt;
        uint32 epoch;
        bool flagged;
        bool marked;
        uint40 lastRiskBlock;
        Leg[] legs;
    }

    /// @notice What one settlement moves. `payment == repaid + surplus + tip + chip + reserve` must hold when
    /// `cancelled == repaid`; in insolvency (`cancelled > repaid`) there is no surplus, `payment == repaid`, and `tip`
    /// and `chip` come out of the reserve and then the insurance fund, as far as those reach.
    /// @param account The account that is settled.
    /// @param collateralId Asset that was sold.
    /// @param debtId Asset that is repaid.
    /// @param seized Collateral sold, token units.
    /// @param payment What the sale brought, token units of the debt asset.
    /// @param repaid Part of the payment that repays debt.
    /// @param cancelled Debt that is cancelled; what exceeds `repaid` is a deficit.
    /// @param surplus Part of the payment credited to the account as collateral.
    /// @param reserve Part of the payment kept as reserve.
    /// @param tip Credited to `kicker`.
    /// @param chip The settler's: kept out of the payment in a take, else credited to `settler`.
    /// @param kicker Who flagged the account.
    /// @param settler Who settles.
    /// @param epoch Of the auction.
    /// @param route `ILiquidationEngine.Route`: 0 take, 1 swap, 2 fill.
    /// @param multiplierWad Price really paid, over the oracle's.
    /// @param closes Whether the auction ends with this settlement.
    struct Settlement {
        address account;
        uint8 collateralId;
        uint8 debtId;
        uint128 seized;
        uint128 payment;
        uint128 repaid;
        uint128 cancelled;
        uint128 surplus;
        uint128 reserve;
        uint128 tip;
        uint128 chip;
        address kicker;
        address settler;
        uint32 epoch;
        uint8 route;
        uint64 multiplierWad;
        bool closes;
    }
}

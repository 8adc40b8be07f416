// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Liquidation engine: one reserve price, several ways to meet it
/// @notice `kick` flags an unhealthy account and starts a decaying reserve per collateral. From then whoever settles
/// gives at least the reserve for what they take: `swap` sells through a venue, `take` buys outright. The collateral
/// stays in the account, so its owner can cure at any moment.
/// @dev Symbols, as in docs/mechanism.md: V and D value of collateral and debt, A and D_w the weighted ones, k
/// liquidationThreshold, w debtWeight, h targetHealthFactor, m reserve multiplier, p penalty, b = (1 + p) / m
/// incentiveFactor.
interface ILiquidationEngine {
    // ------------------------------------------------------------------ types

    /// @notice Parameters of the engine; bounds in `Parameters`.
    /// @param targetHealthFactorBps h, health that a settlement lifts to at most.
    /// @param penaltyBps p, of debt repaid.
    /// @param chipBps Paid to the settler, of debt repaid.
    /// @param incentiveShareBps Largest share of the penalty really collected that tip and chip may take.
    /// @param floorMultiplierBps m_floor.
    /// @param tipValue Paid once per auction to the kicker, whole quote units.
    /// @param dustValue Smallest value left on either side, whole quote units.
    /// @param tail Seconds after which an auction lapses.
    struct EngineParameters {
        uint16 targetHealthFactorBps;
        uint16 penaltyBps;
        uint16 chipBps;
        uint16 incentiveShareBps;
        uint16 floorMultiplierBps;
        uint16 tipValue;
        uint16 dustValue;
        uint32 tail;
    }

    /// @notice The reserve curve that a kick gives a collateral: `m = max(floor, start * exp(-decay * elapsed))`.
    /// @param startMultiplierWad m0.
    /// @param decayPerSecondWad lambda.
    struct Curve {
        uint64 startMultiplierWad;
        uint64 decayPerSecondWad;
    }

    /// @notice A running auction of an account.
    /// @param kicker Who is owed the tip.
    /// @param kickedAt Unix seconds.
    /// @param epoch The account's epoch at the kick; the auction is over when the clearing house has moved on.
    /// @param tipPaid Whether the tip was paid in full.
    struct Auction {
        address kicker;
        uint40 kickedAt;
        uint32 epoch;
        bool tipPaid;
    }

    /// @notice One collateral of a running auction; a snapshot taken at its kick.
    struct AuctionLeg {
        uint64 startMultiplierWad;
        uint64 decayPerSecondWad;
        uint40 startedAt;
        uint32 epoch;
    }

    /// @notice The largest settlement possible now.
    /// @param seized Collateral, token units. @param payment Debt asset owed for it at the reserve, before the chip.
    /// @param repaid Debt repaid by it. @param cancelled Debt cancelled; above `repaid` only in insolvency.
    /// @param multiplierWad Multiplier paid: the curve, or higher where the curve would lower health or, in insolvency,
    /// where another leg is behind.
    /// @param insolvent Whether the account is insolvent at this reserve.
    struct Slice {
        uint256 seized;
        uint256 payment;
        uint256 repaid;
        uint256 cancelled;
        uint256 multiplierWad;
        bool insolvent;
    }

    /// @notice How a settlement reached the market.
    enum Route {
        TAKE,
        SWAP
    }

    // ------------------------------------------------------------------ events

    /// @notice Engine parameters were set.
    event EngineParametersSet(EngineParameters parameters);
    /// @notice The curve given to new legs of a collateral was set.
    event CurveSet(uint8 indexed assetId, Curve curve);
    /// @notice A venue was allowed or refused.
    event VenueSet(address indexed venue, bool allowed);
    /// @notice Liquidations were halted or resumed. Auctions kicked before a resumption have lapsed.
    event HaltSet(bool halted, uint40 resumedAt);
    /// @notice An account was flagged.
    event Kicked(address indexed account, uint32 indexed epoch, address indexed kicker);
    /// @notice A leg's reserve started to run at `startedAt` (block time).
    event LegStarted(address indexed account, uint32 indexed epoch, uint8 indexed assetId, Curve curve);
    /// @notice A lapsed auction was started again under a new epoch.
    event Redone(address indexed account, uint32 indexed epoch, address indexed kicker);
    /// @notice A leg was settled. `multiplierWad` is the price really paid, over the oracle price `collateralPrice`.
    event Settled(
        address indexed account,
        uint32 indexed epoch,
        address indexed settler,
        Route route,
        uint8 collateralId,
        uint8 debtId,
        uint256 seized,
        uint256 payment,
        uint256 repaid,
        uint256 multiplierWad,
        uint256 collateralPrice,
        uint256 debtPrice
    );

    // ------------------------------------------------------------------ errors

    /// @notice Thrown when the account's health factor is 1 or more.
    error AccountHealthy(address account, uint256 healthFactor);
    /// @notice Thrown when `clear` comes while the account's health factor is below 1.
    error AccountUnhealthy(address account, uint256 healthFactor);
    /// @notice Thrown when the account is not flagged (`assetId` is 255 where none was named), or the leg was not
    /// kicked.
    error AuctionMissing(address account, uint8 assetId);
    /// @notice Thrown when every leg named is running already, or none was named.
    error NothingToKick(address account);
    /// @notice Thrown when a collateral was named twice or the account holds none of it.
    error CollateralInvalid(address account, uint8 assetId);
    /// @notice Thrown when the auction lapsed at `lapsedAt`; only `redo` is left.
    error AuctionLapsed(address account, uint256 lapsedAt);
    /// @notice Thrown when `redo` comes before the lapse.
    error AuctionRunning(address account, uint256 lapsesAt);
    /// @notice Thrown while liquidations are halted.
    error Halted();
    /// @notice Thrown when an account borrowed or withdrew in this block.
    error CoolingOff(address account, uint256 blockNumber);
    /// @notice Thrown when the reserve is above the caller's limit, WAD quote units per whole token.
    error PriceAboveLimit(uint256 price, uint256 maxPrice);
    /// @notice Thrown when a sale would bring less per token than the caller's limit.
    error PriceBelowLimit(uint256 price, uint256 minPrice);
    /// @notice Thrown when a partial settlement would leave dust.
    error DustLeft(uint256 collateralValue, uint256 debtValue, uint256 dustValue);
    /// @notice Thrown when a settlement would move nothing on one side.
    error SliceEmpty();
    /// @notice Thrown when the venue is not allowed.
    error VenueNotAllowed(address venue);
    /// @notice Thrown when the marginal price of the venue is below the reserve.
    error VenueBelowReserve(uint256 venuePrice, uint256 reservePrice);
    /// @notice Thrown when collateral and debt are the same asset; `net` serves.
    error SameAsset(uint8 assetId);
    /// @notice Thrown when a settlement would lower the health of a solvent account, or lift it past the target.
    error HealthOutOfRange(uint256 before, uint256 afterwards, uint256 target);

    // ------------------------------------------------------------------ auctions

    /// @notice Flags an unhealthy account and starts a leg for each collateral named. Nets first: collateral in the
    /// same asset as a debt repays that debt; if health is 1 or more after that, no auction starts. On a flagged
    /// account it adds legs that do not run yet, without a second tip.
    /// An account with less collateral than the dust value and than its debt is written off instead.
    /// @return kicked Whether an auction runs afterwards.
    function kick(address account, uint8[] calldata collateralIds) external returns (bool kicked);

    /// @notice Starts a lapsed auction of a still unhealthy account again, with a fresh curve, a new epoch and the
    /// caller as its kicker. Nets and writes off as `kick` does.
    function redo(address account, uint8[] calldata collateralIds) external;

    /// @notice Ends the auction of an account whose health factor is 1 or more. Anyone may.
    function clear(address account) external;

    /// @notice Nets collateral against debt in the same asset, for an unhealthy account. Anyone may.
    function net(address account, uint8 assetId) external returns (uint256 amount);

    // ------------------------------------------------------------------ settlement

    /// @notice Buys up to `maxSeized` of a collateral at the reserve, paying in a debt asset of the account.
    /// @dev Payment is rounded UP, collateral DOWN, in favour of the account and its lenders.
    /// @dev Warning: the amount bought may be less than `maxSeized`: never more than restores the target health.
    /// @param maxSeized Upper limit of collateral to buy, token units; `type(uint256).max` for the largest slice.
    /// @param maxPrice Upper limit of the reserve, WAD quote units per whole collateral token.
    /// @param recipient Receives the collateral.
    /// @param data Not empty: the caller is called back (`ITakeCallback`) before payment is pulled.
    /// @return seized Collateral bought. @return payment Debt tokens pulled from the caller (the chip deducted).
    function take(
        address account,
        uint8 collateralId,
        uint8 debtId,
        uint256 maxSeized,
        uint256 maxPrice,
        address recipient,
        bytes calldata data
    ) external returns (uint256 seized, uint256 payment);

    /// @notice Sells up to `maxSeized` of a collateral through a venue and repays debt with the proceeds.
    /// @dev Sized as if all sold at the venue's marginal price, which no sale exceeds, so health never passes the
    /// target at the realised price. The sale brings at least the reserve and at least `minPrice`. A sale that closes a
    /// debt is sized by the higher of those two, and what it brings beyond debt and penalty is credited to the account.
    /// @dev Warning: between the reserve and the venue's spot price only `minPrice` guards the sale.
    /// @param minPrice Lower limit of the realised price, WAD quote units per whole collateral token.
    /// @param data Passed to the venue (for Uniswap V3: `abi.encode(UniswapV3Path.Part[])`).
    /// @return seized Collateral sold. @return payment What it brought.
    function swap(
        address account,
        uint8 collateralId,
        uint8 debtId,
        uint256 maxSeized,
        uint256 minPrice,
        address venue,
        bytes calldata data
    ) external returns (uint256 seized, uint256 payment);

    // ------------------------------------------------------------------ governance (AccessManager)

    /// @notice Sets the engine's parameters, within bounds.
    function setParameters(EngineParameters calldata parameters) external;
    /// @notice Sets the curve that new legs of a collateral get, within bounds.
    function setCurve(uint8 assetId, Curve calldata curve) external;
    /// @notice Allows or refuses a venue.
    function setVenue(address venue, bool allowed) external;
    /// @notice Halts or resumes kick, redo, net, take and swap.
    function setHalted(bool halted) external;

    // ------------------------------------------------------------------ views

    /// @notice Curve of a running leg now over the oracle price, WAD quote units per whole token; reverts as `take`
    /// would. A take costs more where the curve would lower health, or where in insolvency another leg is behind:
    /// `largestSlice` has the multiplier that is paid.
    function reservePrice(address account, uint8 collateralId) external view returns (uint256);
    /// @notice The largest `take` possible now; reverts as `take` would.
    function largestSlice(address account, uint8 collateralId, uint8 debtId) external view returns (Slice memory);
    /// @notice The last auction of an account.
    function auction(address account) external view returns (Auction memory);
    /// @notice The last leg of an account in a collateral.
    function auctionLeg(address account, uint8 assetId) external view returns (AuctionLeg memory);
    /// @notice Parameters of the engine.
    function parameters() external view returns (EngineParameters memory);
    /// @notice Curve that new legs of a collateral get; the default until one is set.
    function curve(uint8 assetId) external view returns (Curve memory);
    /// @notice Whether a venue is allowed.
    function isVenue(address venue) external view returns (bool);
    /// @notice Whether liquidations are halted, and when they were last resumed (unix seconds).
    function halt() external view returns (bool halted, uint40 resumedAt);
    /// @notice The clearing house that this engine settles for.
    function clearingHouse() external view returns (address);
}

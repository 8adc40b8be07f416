// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Liquidation engine: one reserve price, several ways to meet it
/// @notice `kick` flags an unhealthy account and starts a decaying reserve per collateral. From then whoever settles
/// gives at least the reserve for what they take: `swap` sells through a venue, `take` buys outright, `fill` settles a
/// dealer's signed quote. The collateral stays in the account, so its owner can cure at any moment. Sales of budgeted
/// assets draw on a release budget that refills as the market recovers, and the reserve's clock slows while it is low.
/// Several calls in one: `multicall`.
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

    /// @notice Parameters of the release budget, of urgency and of the choice of collateral; bounds in `Parameters`.
    /// @param recovery Seconds in which an empty bucket refills.
    /// @param slippageLimitBps Slippage at which depth is measured, the chip of a sale ends and takers are assumed.
    /// @param nearSlippageBps s0: slippage within which a lot must fit to start near the market.
    /// @param shapeBps Fraction of the measured depth that is a bucket's capacity.
    /// @param urgencyZBps z_u, in ten-thousandths.
    /// @param tauClear Seconds that a liquidation is given before insolvency.
    /// @param minCapacity B_min, whole quote units. @param maxCapacity B_max, whole quote units.
    /// @param depthMaxAge Seconds after which a poke no longer counts.
    /// @param choiceToleranceBps How much more the collateral chosen may cost than the cheapest, per weighted value
    /// restored.
    struct SpeedParameters {
        uint16 recovery;
        uint16 slippageLimitBps;
        uint16 nearSlippageBps;
        uint16 shapeBps;
        uint16 urgencyZBps;
        uint24 tauClear;
        uint32 minCapacity;
        uint32 maxCapacity;
        uint24 depthMaxAge;
        uint16 choiceToleranceBps;
    }

    /// @notice What the curves of an asset follow from.
    /// @param volatilityBps sigma, a year.
    /// @param deviationBps Widest deviation of its price feed.
    /// @param venueFeePips Fee of the market that it is sold in, millionths.
    struct CurveInputs {
        uint16 volatilityBps;
        uint16 deviationBps;
        uint24 venueFeePips;
    }

    /// @notice A side of an asset's market.
    enum Side {
        SELL,
        BUY
    }

    /// @notice Release budget of one side of one asset, as of `levelAt`.
    /// @dev One slot. Times of 32 bits last until the year 2106.
    /// @param level What may be released, micro quote units (1e-6); negative when overdrawn, at most by `capacity`.
    /// @param capacity Level when full, micro quote units.
    /// @param levelAt Unix seconds; zero where nothing was ever drawn or poked.
    /// @param clock Active time: the integral of `max(0, level) / capacity`, milliseconds; Unix time at the first draw.
    /// @param pokedAt Unix seconds of the last poke.
    /// @param meanPrice What pools paid for the asset in the minutes before that poke, WAD quote units per whole token
    /// as `BinaryFloat`, on the sell side rounded UP and on the buy side DOWN; zero where it is unknown.
    struct Bucket {
        int56 level;
        uint56 capacity;
        uint32 levelAt;
        uint48 clock;
        uint32 pokedAt;
        uint32 meanPrice;
    }

    /// @notice A dealer's firm offer (EIP-712; domain "Sluice Liquidation Engine", version "1").
    /// @param dealer Signs (ECDSA or ERC-1271), pays, and receives the collateral.
    /// @param account Whose collateral it is.
    /// @param epoch Of the account's auction: a quote is void after a redo, a clear or a cure.
    /// @param collateralId Asset bought. @param debtId Asset paid in.
    /// @param price Debt units (wei of the debt token) per 1e18 units (wei) of collateral; payment is rounded UP.
    /// @param minFill Least collateral per fill, units, except that a last fill may take what is left of `maxFill`.
    /// @param maxFill Most collateral over all fills, units.
    /// @param nonce Unordered: bit `nonce & 0xff` of word `nonce >> 8`.
    /// @param deadline Unix seconds, inclusive.
    /// @param filler Who may fill it; zero: anyone.
    /// @param callback Whether the dealer is called back (`ITakeCallback`) before payment is pulled.
    struct Quote {
        address dealer;
        address account;
        uint32 epoch;
        uint8 collateralId;
        uint8 debtId;
        uint256 price;
        uint128 minFill;
        uint128 maxFill;
        uint256 nonce;
        uint40 deadline;
        address filler;
        bool callback;
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
    /// @param startMultiplierWad m0. @param decayPerSecondWad lambda. @param startedAt Unix seconds.
    /// @param epoch Of the auction it belongs to.
    /// @param clockAt Clock of the collateral's sell side at the start, milliseconds; zero where it has no bucket.
    /// @param urgency Highest urgency seen by a settlement of this leg, 255 = 1.
    struct AuctionLeg {
        uint64 startMultiplierWad;
        uint64 decayPerSecondWad;
        uint40 startedAt;
        uint32 epoch;
        uint48 clockAt;
        uint8 urgency;
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
        SWAP,
        FILL
    }

    // ------------------------------------------------------------------ events

    /// @notice Engine parameters were set.
    event EngineParametersSet(EngineParameters parameters);
    /// @notice Parameters of budget and urgency were set.
    event SpeedParametersSet(SpeedParameters parameters);
    /// @notice The curves given to new legs of a collateral were set: `start` for a lot larger than the near depth.
    event CurveSet(uint8 indexed assetId, CurveInputs inputs, Curve far);
    /// @notice An asset has, or no longer has, release budgets.
    event BudgetedSet(uint8 indexed assetId, bool budgeted);
    /// @notice Where depth is read was set.
    event MarketDepthSet(address indexed marketDepth);
    /// @notice Depth was read: `depth` in WAD quote units at the slippage limit, `capacity` in micro quote units; and
    /// what pools paid of late, WAD quote units per whole token, zero where it is unknown.
    event Poked(uint8 indexed assetId, Side indexed side, uint56 capacity, uint256 depth, uint256 meanPrice);
    /// @notice A venue was allowed or refused.
    event VenueSet(address indexed venue, bool allowed);
    /// @notice The breaker was set. Level 1 stops kicks, 2 redos too, 3 settlements too, each until `until`. Auctions
    /// kicked before `resumedAt`, or before the end of a level 3, have lapsed.
    event BreakerSet(uint8 level, uint40 until, uint40 resumedAt);
    /// @notice A dealer's quote was settled, in part or whole; `drew` where it drew on the release budgets. The
    /// settlement itself is the clearing house's to tell.
    event QuoteFilled(bytes32 indexed hash, address indexed dealer, uint256 seized, bool drew);
    /// @notice A nonce of a dealer was cancelled, or several of one word.
    event NoncesInvalidated(address indexed dealer, uint256 word, uint256 mask);
    /// @notice An auction that nobody settled ended, and what was left of the debt was written off.
    event Ended(address indexed account, uint32 indexed epoch);
    /// @notice An account was flagged; `insolvent` where its collateral was worth less than its debt by then.
    event Kicked(address indexed account, uint32 indexed epoch, address indexed kicker, bool insolvent);
    /// @notice A leg's reserve started to run at this block's time, with the clock of the collateral's market at
    /// `clockAt` (zero without a bucket).
    event LegStarted(address indexed account, uint32 indexed epoch, uint8 indexed assetId, Curve curve, uint48 clockAt);
    /// @notice A lapsed auction was started again under a new epoch; `insolvent` as for `Kicked`.
    event Redone(address indexed account, uint32 indexed epoch, address indexed kicker, bool insolvent);
    /// @notice An auction lapsed because a price that it needs was refused.
    event Lapsed(address indexed account, uint32 indexed epoch);

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
    /// @notice Thrown when `lapse` comes while every price of the account is given.
    error PricesGiven(address account);
    /// @notice Thrown when `redo` comes before the lapse.
    error AuctionRunning(address account, uint256 lapsesAt);
    /// @notice Thrown where the breaker stands in the way.
    error BreakerOpen(uint8 level, uint256 until);
    /// @notice Thrown when the last round of a feed does not justify a trip, or one was lifted since.
    error TripRefused(uint8 assetId, uint256 dropBps, uint256 updatedAt);
    /// @notice Thrown when depth is to be read and governance has not said where.
    error MarketDepthMissing(uint8 assetId);
    /// @notice Thrown when a bucket must refill first; `level` in micro quote units.
    error BudgetExhausted(uint8 assetId, Side side, int256 level);
    /// @notice Thrown when another running collateral restores health at a lower cost; costs in WAD per weighted value.
    error ChoiceTooDear(uint8 assetId, int256 cost, int256 cheapest);
    /// @notice Thrown when a pool's time-weighted price is too far from the oracle's, WAD multipliers of it.
    error VenueOffOracle(uint256 lowest, uint256 highest);
    /// @notice Thrown when a quote's signature is not its dealer's.
    error QuoteUnsigned(address dealer);
    /// @notice Thrown when a quote has expired.
    error QuoteExpired(uint256 deadline);
    /// @notice Thrown when a quote was filled or its nonce cancelled.
    error QuoteSpent(address dealer, uint256 nonce);
    /// @notice Thrown when a quote is for another auction of the account.
    error QuoteEpochPassed(uint32 quoted, uint32 current);
    /// @notice Thrown when someone else than the quote's filler fills it.
    error QuoteFillerExclusive(address filler);
    /// @notice Thrown when a fill would take less than the quote allows.
    error FillTooSmall(uint256 amount, uint256 minFill);
    /// @notice Thrown when a quote pays less than the reserve; WAD quote units per whole token.
    error QuoteBelowReserve(uint256 price, uint256 reservePrice);
    /// @notice Thrown when a dealer quotes for an account of its own.
    error QuoteSelfDealt(address dealer);
    /// @notice Thrown when an auction cannot be ended: it was interrupted, its collateral still covers the debt at the
    /// oracle's prices or at its reserves, or a collateral worth the dust value was not for sale.
    error EndRefused(address account);
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

    /// @notice Makes a running auction lapse while a price of its account is refused: nobody can buy then, so its
    /// reserves must not go on falling. Once the price is back only `redo` is left. Anyone may. After an outage of the
    /// sequencer auctions lapse by themselves.
    /// @dev Needs 350,000 gas for each asset that the account uses, where it asks for their prices, or reverts with
    /// `GasInsufficient`, and uses a small part of it: a caller cannot make a good feed fail for want of gas.
    function lapse(address account) external;

    /// @notice Ends the auction of an account whose health factor is 1 or more. Anyone may.
    function clear(address account) external;

    /// @notice Nets collateral against debt in the same asset, for an unhealthy account. Anyone may.
    function net(address account, uint8 assetId) external returns (uint256 amount);

    /// @notice Ends an auction that began, and lapsed at its tail, with less than its debt in collateral, at the
    /// highest of its reserves then and at the oracle's prices, and all that is worth the dust value offered for long
    /// enough: at
    /// the floor, or by the market's own clock for half of the tail. The rest of the debt is booked as a deficit and
    /// the collateral forfeited. Where it is refused with `EndRefused`, a `redo` offers the account anew. Anyone may.
    function end(address account) external;

    /// @notice Brings the deficit that an account is expected to leave up to date in the clearing house. Anyone may.
    /// @return pending Value expected to be lost, WAD quote units.
    function mark(address account) external returns (uint256 pending);

    /// @notice Reads the depth of an asset's market and sets the capacity of its buckets, and notes what its pools paid
    /// of late, which a kick within the next minute may start from. Anyone may.
    function poke(uint8 assetId) external;

    /// @notice Stops settlements for 30 minutes after a round in which a price fell beyond tolerance. Anyone may.
    function trip(uint8 assetId) external;

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

    /// @notice Settles a dealer's quote: the dealer pays and receives, the caller is credited the chip.
    /// @dev The quote's own price must be at least the reserve; size follows from it. Draws on the budgets only where
    /// the price is below what the measured depth would pay for the amount.
    /// @param amount Upper limit of collateral, units; `type(uint256).max` for as much as possible.
    /// @return seized Collateral sold to the dealer. @return payment What the dealer paid.
    function fill(Quote calldata quote, bytes calldata signature, uint256 amount)
        external
        returns (uint256 seized, uint256 payment);

    /// @notice Cancels one nonce of the caller.
    function invalidateNonce(uint256 nonce) external;
    /// @notice Cancels the nonces of a word of the caller whose bit is set in `mask`.
    function invalidateWord(uint256 word, uint256 mask) external;

    // ------------------------------------------------------------------ governance (AccessManager)

    /// @notice Sets the engine's parameters, within bounds.
    function setParameters(EngineParameters calldata parameters) external;
    /// @notice Sets the parameters of budget and urgency, within bounds.
    function setSpeedParameters(SpeedParameters calldata parameters) external;
    /// @notice Sets what the curves of a collateral follow from, within bounds.
    function setCurveInputs(uint8 assetId, CurveInputs calldata inputs) external;
    /// @notice Gives an asset release budgets, or takes them away.
    function setBudgeted(uint8 assetId, bool budgeted) external;
    /// @notice Sets where depth is read.
    function setMarketDepth(address marketDepth) external;
    /// @notice Allows or refuses a venue.
    function setVenue(address venue, bool allowed) external;
    /// @notice Sets the breaker: 0 lifts it, 1 stops kicks, 2 redos too, 3 settlements too. `clear`, `net` and what an
    /// owner does always work.
    /// @param until Unix seconds; `type(uint40).max` for as long as governance likes.
    function setBreaker(uint8 level, uint40 until) external;

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
    /// @notice Lowest curve that a kick gives a collateral: that of a lot within the near depth whose pools pay no more
    /// than the oracle. Every check against an
    /// asset's threshold is made with it. Follows from the defaults until inputs are set.
    function curve(uint8 assetId) external view returns (Curve memory);
    /// @notice Curve of a lot larger than the near depth, or of an unknown market, whose pools pay no more than that.
    function farCurve(uint8 assetId) external view returns (Curve memory);
    /// @notice What the curves of an asset follow from; the default until set.
    function curveInputs(uint8 assetId) external view returns (CurveInputs memory);
    /// @notice Parameters of budget and urgency.
    function speedParameters() external view returns (SpeedParameters memory);
    /// @notice Assets with release budgets (bit = assetId).
    function budgeted() external view returns (uint64);
    /// @notice A bucket as stored.
    function bucket(uint8 assetId, Side side) external view returns (Bucket memory);
    /// @notice A bucket as it stands now: refilled, its clock run on, at the least capacity where the poke is too old.
    function bucketNow(uint8 assetId, Side side) external view returns (Bucket memory);
    /// @notice Clock of a budgeted debt's buy side at the kick of the account's auction `epoch`.
    function buyClock(address account, uint8 debtId) external view returns (uint48 clockAt, uint32 epoch);
    /// @notice Multiplier of a leg now, whether or not it may be settled; 1 where it does not run.
    function multiplier(address account, uint8 collateralId) external view returns (bool running, uint256 multiplierWad);
    /// @notice Where depth is read.
    function marketDepth() external view returns (address);
    /// @notice Whether a venue is allowed.
    function isVenue(address venue) external view returns (bool);
    /// @notice The breaker's level now, until when it stands, and when a level 3 last ended (unix seconds).
    function breaker() external view returns (uint8 level, uint40 until, uint40 resumedAt);
    /// @notice EIP-712 digest of a quote, as signed and as its fills are kept by.
    function quoteHash(Quote calldata quote) external view returns (bytes32);
    /// @notice Collateral units sold under a quote that is not used up; one that is has spent its nonce.
    function filled(bytes32 hash) external view returns (uint128);
    /// @notice Cancelled and spent nonces of a dealer, by word.
    function nonceBitmap(address dealer, uint256 word) external view returns (uint256);
    /// @notice The clearing house that this engine settles for.
    function clearingHouse() external view returns (address);
}

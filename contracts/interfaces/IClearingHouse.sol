// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouseTypes} from "./IClearingHouseTypes.sol";

/// @title Clearing house: sole custodian of every token in Sluice
/// @notice Lenders supply assets to a pool per asset and earn interest. Accounts deposit collateral, which is
/// segregated and never lent, and borrow several assets against all of it at once (cross margin). The liquidation
/// engine is the only other contract that moves an account's balances, and only through `net`, `sell`, `settle`,
/// `settleTake` and `writeOff`. A deficit is borne by the asset's insurance fund first, then by its suppliers.
/// @dev Units: amounts are token units; values are WAD quote units (1e18 = one US dollar); prices are WAD quote units
/// per whole token; fractions are WAD unless the name ends in Bps. An `assetId` is the index of a listed asset.
///
/// Identity, to the wei after every call and for every asset:
/// `cash + totalBorrowAssets == totalSupplyAssets + reserveAssets + creditAssets + collateralAssets`.
///
/// Assumptions on tokens: no fee on transfer, no rebasing, no callbacks that misreport balances, 6 to 18 decimals.
/// Inbound transfers are measured by balance difference and must be exact.
interface IClearingHouse is IClearingHouseTypes {
    // ------------------------------------------------------------------ types

    /// @notice Parameters of a listed asset.
    /// @param maxLtvBps Fraction of collateral value that may be borrowed against.
    /// @param liquidationThresholdBps Fraction of collateral value counted in the health factor; above `maxLtvBps`.
    /// @param debtWeightBps Weight of this asset as a debt, 10,000 (stable) to 20,000.
    /// @param reserveFactorBps Share of interest that is set aside as reserve.
    /// @param supplyCap Largest amount lenders may supply in total, token units.
    /// @param borrowCap Largest total debt, token units.
    /// @param collateralCap Largest total collateral, token units.
    struct AssetParameters {
        uint16 maxLtvBps;
        uint16 liquidationThresholdBps;
        uint16 debtWeightBps;
        uint16 reserveFactorBps;
        uint128 supplyCap;
        uint128 borrowCap;
        uint128 collateralCap;
    }

    /// @notice Kinked interest rate: linear to the kink, linear above it.
    /// @param baseRateBps Yearly rate at zero utilisation.
    /// @param kinkRateBps Yearly rate at the kink.
    /// @param fullRateBps Yearly rate at full utilisation.
    /// @param kinkBps Utilisation at the kink.
    struct RateModel {
        uint32 baseRateBps;
        uint32 kinkRateBps;
        uint32 fullRateBps;
        uint16 kinkBps;
    }

    /// @notice Totals of one asset, interest included up to the moment of reading.
    struct Market {
        uint128 totalSupplyAssets;
        uint128 totalSupplyShares;
        uint128 totalBorrowAssets;
        uint128 totalBorrowShares;
        uint128 cash;
        uint128 collateralAssets;
        uint128 reserveAssets;
        uint128 creditAssets;
        uint40 lastAccrual;
    }

    // ------------------------------------------------------------------ events

    /// @notice An asset was listed under `assetId`.
    event AssetListed(uint8 indexed assetId, address indexed token, uint8 decimals);
    /// @notice The parameters of an asset were set.
    event AssetParametersSet(uint8 indexed assetId, AssetParameters parameters);
    /// @notice The interest rate model of an asset was set.
    event RateModelSet(uint8 indexed assetId, RateModel model);
    /// @notice The price source was set.
    event OracleSet(address indexed oracle);
    /// @notice The liquidation engine was set.
    event EngineSet(address indexed engine);
    /// @notice Smallest debt per asset after a borrow was set, WAD quote units.
    event SmallestBorrowSet(uint256 value);
    /// @notice `operator` may, or may no longer, act for `account`.
    event OperatorSet(address indexed account, address indexed operator, bool approved);
    /// @notice Interest up to `timestamp` was added to debt; `reserve` of it was set aside, the rest went to suppliers.
    event InterestAccrued(uint8 indexed assetId, uint256 interest, uint256 reserve, uint40 timestamp);
    /// @notice Assets were lent to the pool.
    event Supplied(uint8 indexed assetId, address indexed from, address indexed owner, uint256 assets, uint256 shares);
    /// @notice Assets were taken back from the pool.
    event Withdrawn(
        uint8 indexed assetId, address indexed owner, address indexed receiver, uint256 assets, uint256 shares
    );
    /// @notice Supplier shares changed hands.
    event SharesTransferred(uint8 indexed assetId, address indexed from, address indexed to, uint256 shares);
    /// @notice Collateral came in.
    event CollateralDeposited(address indexed account, uint8 indexed assetId, address indexed from, uint256 amount);
    /// @notice Collateral went out to `receiver`.
    event CollateralWithdrawn(address indexed account, uint8 indexed assetId, address indexed receiver, uint256 amount);
    /// @notice Debt was taken on.
    event Borrowed(
        address indexed account, uint8 indexed assetId, address indexed receiver, uint256 assets, uint256 shares
    );
    /// @notice Debt was paid back by `from`. `excess` is the part of `assets` above the recorded total debt (rounding),
    /// kept as reserve.
    event Repaid(
        address indexed account,
        uint8 indexed assetId,
        address indexed from,
        uint256 assets,
        uint256 shares,
        uint256 excess
    );
    /// @notice The account's auction flag changed. When it falls, `epoch` has moved on by one.
    event FlagSet(address indexed account, uint32 epoch, bool flagged);
    /// @notice Collateral of an asset repaid debt in the same asset, at no price and no penalty.
    event Netted(address indexed account, uint8 indexed assetId, uint256 amount, uint256 shares, uint256 excess);
    /// @notice A settlement was booked: all of its economics, and all that it moves in the books.
    /// @dev How the books follow. The account loses `seized` and `shares`; the recorded debt falls by `cancelled`; what
    /// `repaid` is above that is the reserve's (rounding), what it is below is a deficit, which lowers what suppliers
    /// own and, beyond that, the reserve. `surplus` becomes collateral, `tip` a credit of `kicker`, and `chip` a credit
    /// of `settler` unless `route` is 0 (take), where the settler kept it. Where `payment == repaid`, tip and chip come
    /// out of the reserve; else they are parts of the payment, and what is left of it is the reserve's.
    /// @param route `ILiquidationEngine.Route`: 0 take, 1 swap, 2 fill.
    /// @param kicker Who is credited the tip; zero without one.
    /// @param multiplierWad Price really paid, over the oracle's.
    event Settled(
        address indexed account,
        uint8 indexed collateralId,
        uint8 indexed debtId,
        uint32 epoch,
        uint8 route,
        address settler,
        address kicker,
        uint64 multiplierWad,
        uint256 seized,
        uint256 payment,
        uint256 repaid,
        uint256 cancelled,
        uint256 surplus,
        uint256 tip,
        uint256 chip,
        uint256 shares
    );
    /// @notice The insurance fund paid for the deficit that is booked next: `toSuppliers` was added to what they own,
    /// `toReserve` to the reserve, for tip and chip.
    event DeficitCovered(uint8 indexed assetId, address indexed fund, uint256 toSuppliers, uint256 toReserve);
    /// @notice So much of an account's debt in an asset is feared lost, token units; zero: nothing any more.
    event Marked(address indexed account, uint8 indexed assetId, uint256 amount);
    /// @notice What was left of an insolvent account's debt in one asset was booked as deficit.
    event DebtWrittenOff(address indexed account, uint8 indexed assetId, uint256 deficit, uint256 shares);
    /// @notice What was left of an insolvent account's collateral went to the reserve.
    event CollateralForfeited(address indexed account, uint8 indexed assetId, uint256 amount);
    /// @notice Someone collected tips and chips.
    event CreditCollected(uint8 indexed assetId, address indexed owner, address indexed receiver, uint256 amount);
    /// @notice The fund that bears the deficits of an asset was set; zero: none.
    event FundSet(uint8 indexed assetId, address indexed fund);
    /// @notice Reserve was paid out, by governance or to the fund.
    event ReserveWithdrawn(uint8 indexed assetId, address indexed receiver, uint256 amount);

    // ------------------------------------------------------------------ errors

    /// @notice Thrown when no asset is listed under `assetId`.
    error AssetNotListed(uint8 assetId);
    /// @notice Thrown when the token is listed already, or no id is free.
    error ListingRefused(address token, bytes32 reason);
    /// @notice Thrown when a parameter is outside its bounds; the table is in docs/mechanism.md.
    error ParameterOutOfBounds(bytes32 name, uint256 value, uint256 lower, uint256 upper);
    /// @notice Thrown when an amount is zero, or zero after rounding.
    error ZeroAmount();
    /// @notice Thrown when an address is zero.
    error ZeroAddress();
    /// @notice Thrown when the caller is neither the account's owner nor its operator.
    error OperatorUnauthorised(address account, address caller);
    /// @notice Thrown when the caller is not the liquidation engine.
    error EngineUnauthorised(address caller);
    /// @notice Thrown when a signature has expired.
    error SignatureExpired(uint256 deadline);
    /// @notice Thrown when a signature is not the account's.
    error SignatureInvalid(address account);
    /// @notice Thrown when an action would leave the account below its borrow limit.
    error BorrowLimitExceeded(uint256 weightedDebt, uint256 borrowLimit);
    /// @notice Thrown when a total would pass its cap.
    error CapExceeded(uint8 assetId, uint256 total, uint256 cap);
    /// @notice Thrown when the pool holds less cash than asked for.
    error CashInsufficient(uint8 assetId, uint256 requested, uint256 available);
    /// @notice Thrown when an account holds less than asked for.
    error BalanceInsufficient(uint8 assetId, uint256 requested, uint256 available);
    /// @notice Thrown when a repayment exceeds the debt.
    error RepaymentExceedsDebt(uint256 assets, uint256 debt);
    /// @notice Thrown when a borrow would leave a debt smaller than the smallest borrow.
    error BorrowTooSmall(uint256 value, uint256 smallest);
    /// @notice Thrown when an account would use more than 8 collaterals or 8 debts.
    error TooManyAssets(address account);
    /// @notice Thrown when a transfer in brought something else than its amount.
    error TransferInexact(address token, uint256 received, uint256 expected);
    /// @notice Thrown when the parts of a settlement do not add up to its payment.
    error SettlementUnbalanced(uint256 payment, uint256 parts);
    /// @notice Thrown when an amount does not fit the type that stores it.
    error AmountTooLarge(uint256 amount);
    /// @notice Thrown when the callback of who pays does not return the magic value.
    error CallbackRejected(address payer);
    /// @notice Thrown when a fund is of another token or of another house.
    error FundRefused(uint8 assetId, address fund);
    /// @notice Thrown when an asset has no fund to pay its reserve to.
    error FundMissing(uint8 assetId);
    /// @notice Thrown when too little gas is left for a fund to try: no caller may decide that it fails.
    error GasInsufficient(uint256 available, uint256 needed);

    // ------------------------------------------------------------------ lending

    /// @notice Lends `assets` to the pool of `assetId` on behalf of `owner`.
    /// @dev Shares are rounded DOWN, in favour of the other suppliers. The caller pays.
    /// @param assetId Index of the asset.
    /// @param assets Token units to lend.
    /// @param owner Who gets the shares.
    /// @return shares Supplier shares minted.
    function supply(uint8 assetId, uint256 assets, address owner) external returns (uint256 shares);

    /// @notice Takes assets back: exactly `assets`, or exactly `shares` where `assets` is zero.
    /// @dev Shares burnt are rounded UP, assets paid DOWN. Only the owner or an operator.
    /// @dev Warning: only what suppliers own and did not lend can be paid; collateral, credits and reserve cannot.
    /// @param assetId Index of the asset.
    /// @param assets Token units to pay out, or zero.
    /// @param shares Shares to burn where `assets` is zero.
    /// @param owner Whose shares are burnt.
    /// @param receiver Who gets the tokens.
    /// @return assetsOut Token units paid.
    /// @return sharesBurnt Shares burnt.
    function withdraw(uint8 assetId, uint256 assets, uint256 shares, address owner, address receiver)
        external
        returns (uint256 assetsOut, uint256 sharesBurnt);

    /// @notice Moves supplier shares to `to`. Only the owner or an operator.
    /// @param assetId Index of the asset.
    /// @param shares Shares to move.
    /// @param from Who owns them.
    /// @param to Who gets them.
    function transferShares(uint8 assetId, uint256 shares, address from, address to) external;

    // ------------------------------------------------------------------ accounts

    /// @notice Deposits collateral into `account`; anyone may. The caller pays.
    /// @dev A cure, as `repay`. At most 8 assets may be in use as collateral after it, unless this one was already. An
    /// account that owes takes an asset that it did not hold only while the oracle gives a price for it.
    /// @param assetId Index of the asset.
    /// @param amount Token units.
    /// @param account Whose collateral it becomes.
    function depositCollateral(uint8 assetId, uint256 amount, address account) external;

    /// @notice Withdraws collateral; `type(uint256).max` withdraws all. Only the owner or an operator.
    /// @dev Ends in a health check against the borrow limit (`maxLtv`). Without debt no price is asked.
    /// @param assetId Index of the asset.
    /// @param amount Token units.
    /// @param account Whose collateral it is.
    /// @param receiver Who gets the tokens.
    function withdrawCollateral(uint8 assetId, uint256 amount, address account, address receiver) external;

    /// @notice Borrows `assets`. Only the owner or an operator.
    /// @dev Shares are rounded UP, in favour of the pool. Ends in a health check against the borrow limit.
    /// @param assetId Index of the asset.
    /// @param assets Token units to borrow.
    /// @param account Who owes them.
    /// @param receiver Who gets the tokens.
    /// @return shares Debt shares minted.
    function borrow(uint8 assetId, uint256 assets, address account, address receiver) external returns (uint256 shares);

    /// @notice Repays debt of `account`; `type(uint256).max` repays all. Anyone may.
    /// @dev Shares burnt are rounded DOWN, unless all is repaid. A cure: if an auction runs and health is 1 or more
    /// afterwards, the flag falls. The same holds for every other action of the owner.
    /// @dev Where the oracle refuses a price the repayment goes through all the same; only the cure is left out.
    /// @param assetId Index of the asset.
    /// @param assets Token units to repay, at most the debt.
    /// @param account Whose debt is repaid.
    /// @return assetsIn Token units paid.
    /// @return shares Debt shares burnt.
    function repay(uint8 assetId, uint256 assets, address account) external returns (uint256 assetsIn, uint256 shares);

    /// @notice Lets `operator` act for the caller, or no longer.
    /// @dev Warning: an operator may withdraw and borrow everything; it may not name operators.
    /// @param operator Who may act.
    /// @param approved Whether it may.
    function setOperator(address operator, bool approved) external;

    /// @notice The same by an EIP-712 signature of `account` (ECDSA or ERC-1271), with OpenZeppelin's sequential nonce.
    /// @dev Type: `SetOperator(address account,address operator,bool approved,uint256 nonce,uint256 deadline)`,
    /// domain name "Sluice ClearingHouse", version "1".
    /// @param account Who signed.
    /// @param operator Who may act for it.
    /// @param approved Whether it may.
    /// @param deadline Unix seconds after which the signature is void.
    /// @param signature Over the typed data with the account's next nonce.
    function setOperatorBySig(
        address account,
        address operator,
        bool approved,
        uint256 deadline,
        bytes calldata signature
    ) external;

    /// @notice Pays out all tips and chips of the caller.
    /// @param assetId Index of the asset.
    /// @param receiver Who gets the tokens.
    /// @return amount Token units paid.
    function collectCredit(uint8 assetId, address receiver) external returns (uint256 amount);

    /// @notice Adds pending interest of an asset to its totals. Anyone may.
    /// @param assetId Index of the asset.
    function accrue(uint8 assetId) external;

    // ------------------------------------------------------------------ engine only

    /// @notice Raises the account's flag, or lets it fall and moves the epoch. Engine only.
    /// @dev Nothing happens, and nothing is announced, where the flag stands so already.
    /// @param account Whose flag it is.
    /// @param flagged Whether an auction runs.
    function setFlag(address account, bool flagged) external;

    /// @notice Repays debt with collateral of the same asset, as much as there is of both. Engine only.
    /// @dev A cure, as `repay`. Reverts with `ZeroAmount` where there is nothing of one of them.
    /// @param account Who owes and holds.
    /// @param assetId Index of the asset.
    /// @return amount Token units netted.
    function net(address account, uint8 assetId) external returns (uint256 amount);

    /// @notice Sells collateral through a venue. Engine only; `settle` must follow in the same call.
    /// @dev The collateral leaves the account here. Cash-in is measured by balance difference.
    /// @param account Whose collateral is sold.
    /// @param collateralId Asset to sell.
    /// @param debtId Asset to receive.
    /// @param seized Token units to sell.
    /// @param minPayment Least that must come in, token units of the debt asset.
    /// @param venue Where to sell.
    /// @param data Passed to the venue.
    /// @return payment Debt tokens received, at least `minPayment`.
    function sell(
        address account,
        uint8 collateralId,
        uint8 debtId,
        uint128 seized,
        uint256 minPayment,
        address venue,
        bytes calldata data
    ) external returns (uint256 payment);

    /// @notice Books a sale made by `sell`. Engine only.
    /// @dev Account, assets, amount and payment must be those of the one sale that waits in this transaction.
    /// @param settlement What the sale moves.
    function settle(Settlement calldata settlement) external;

    /// @notice Books a take or a fill: sends the collateral to `recipient`, calls `payer` back when `data` is not
    /// empty, then pulls the payment from `payer`. Engine only.
    /// @dev In a take (`route` 0) the chip stays with the payer, who is the settler: so much less is pulled.
    /// @param settlement What it moves.
    /// @param payer Who pays.
    /// @param recipient Who gets the collateral.
    /// @param data Passed to the payer's callback; without any it is not called.
    /// @return owed Token units of the debt asset pulled from `payer`.
    function settleTake(Settlement calldata settlement, address payer, address recipient, bytes calldata data)
        external
        returns (uint256 owed);

    /// @notice Marks a part of every debt of an account as a pending deficit; at zero takes the marks off. Engine only.
    /// @dev Where the debt it stands on is repaid, netted or written off, a mark is lowered to what is left of it; it
    /// falls with the flag. Rounding: UP. Nothing changes, and nothing is announced, where the marks stand so already.
    /// @param account Whose debts.
    /// @param lossWad Part that its collateral does not cover, at most 1.
    function mark(address account, uint256 lossWad) external;

    /// @notice Books all remaining debt of an account as deficit and forfeits its remaining collateral to the reserve.
    /// Engine only.
    /// @dev The flag falls. The insurance fund bears first what it can, here and in a settlement; what a deficit is
    /// beyond `totalSupplyAssets` the reserve bears.
    /// @param account Whose debt it is.
    function writeOff(address account) external;

    // ------------------------------------------------------------------ governance (AccessManager)

    /// @notice Lists a token. Refuses one that is listed, has no code, or has other than 6 to 18 decimals.
    /// @param token ERC-20 that meets the assumptions above.
    /// @param parameters Its parameters.
    /// @param model Its rate model.
    /// @return assetId Its index.
    function listAsset(address token, AssetParameters calldata parameters, RateModel calldata model)
        external
        returns (uint8 assetId);
    /// @notice Sets the parameters of an asset, within bounds; interest accrues at the old ones first.
    /// @param assetId Index of the asset.
    /// @param parameters Checked by themselves and, where the engine has a curve for the asset, against the engine.
    function setAssetParameters(uint8 assetId, AssetParameters calldata parameters) external;
    /// @notice Sets the rate model of an asset, within bounds; interest accrues at the old one first.
    /// @param assetId Index of the asset.
    /// @param model Rates that rise with utilisation.
    function setRateModel(uint8 assetId, RateModel calldata model) external;
    /// @notice Sets the price source.
    /// @param oracle An `IPriceOracle`.
    function setOracle(address oracle) external;
    /// @notice Sets the liquidation engine, once every listed asset agrees with its curves.
    /// @dev Warning: auctions of the engine before end with it; what it flagged stays flagged until cured or cleared.
    /// @param engine An `ILiquidationEngine`.
    function setEngine(address engine) external;
    /// @notice Sets the smallest debt per asset after a borrow, WAD quote units.
    /// @param value Within bounds.
    function setSmallestBorrow(uint256 value) external;
    /// @notice Sets the fund that bears the deficits of an asset before its suppliers do, and that its reserve is paid
    /// to; zero for none.
    /// @param assetId Index of the asset.
    /// @param fund An `IInsuranceFund` of that token and of this house.
    function setFund(uint8 assetId, address fund) external;
    /// @notice Pays reserve out, as far as it has been paid in: interest of a pool that is lent out is not cash yet.
    /// @param assetId Index of the asset.
    /// @param amount Token units.
    /// @param receiver Who gets the tokens.
    function withdrawReserve(uint8 assetId, uint256 amount, address receiver) external;

    // ------------------------------------------------------------------ insurance

    /// @notice Pays the reserve of an asset out to its fund, as far as it has been paid in. Anyone may.
    /// @param assetId Index of the asset.
    /// @return amount Token units paid.
    function distribute(uint8 assetId) external returns (uint256 amount);

    // ------------------------------------------------------------------ views

    /// @notice The account at oracle prices, with interest up to now. Reverts when a price it needs is refused.
    function accountState(address account) external view returns (AccountState memory);
    /// @notice A / D_w in WAD, rounded down; `type(uint256).max` without debt.
    function healthFactor(address account) external view returns (uint256);
    /// @notice Raw balances of one asset of an account.
    function balanceOf(address account, uint8 assetId) external view returns (uint128 collateral, uint128 debtShares);
    /// @notice Assets in use (bit = assetId), auction epoch, flag, and the block of the last borrow or withdrawal.
    function accountInfo(address account)
        external
        view
        returns (uint64 collaterals, uint64 debts, uint32 epoch, bool flagged, uint40 lastRiskBlock);
    /// @notice Totals of one asset with interest up to now.
    function market(uint8 assetId) external view returns (Market memory);
    /// @notice Supplier shares of `owner`.
    function supplyShares(uint8 assetId, address owner) external view returns (uint256);
    /// @notice Tips and chips waiting for `owner`, token units.
    function creditOf(uint8 assetId, address owner) external view returns (uint256);
    /// @notice Yearly borrow rate now, WAD.
    function borrowRate(uint8 assetId) external view returns (uint256);
    /// @notice Token and decimals of an asset; reverts when not listed.
    function asset(uint8 assetId) external view returns (address token, uint8 decimals);
    /// @notice Parameters of an asset.
    function assetParameters(uint8 assetId) external view returns (AssetParameters memory);
    /// @notice Rate model of an asset.
    function rateModel(uint8 assetId) external view returns (RateModel memory);
    /// @notice Number of listed assets; ids run from 0.
    function assetCount() external view returns (uint8);
    /// @notice Index of a listed token; reverts with `ListingRefused(token, "not listed")` otherwise.
    function assetIdOf(address token) external view returns (uint8);
    /// @notice Whether `operator` may act for `account`.
    function isOperator(address account, address operator) external view returns (bool);
    /// @notice The fund that bears the deficits of an asset first; zero: none.
    function fund(uint8 assetId) external view returns (address);
    /// @notice Deficits that are feared and not booked yet, token units: the sum of the marks.
    function pendingDeficit(uint8 assetId) external view returns (uint256);
    /// @notice Part of an account's debt that is marked as a pending deficit, token units.
    function markOf(address account, uint8 assetId) external view returns (uint256);
    /// @notice What tip and chip of a settlement may take out of reserve and fund beside a deficit, token units.
    function incentivesPayable(uint8 assetId, uint256 deficit) external view returns (uint256);
    /// @notice The price source.
    function oracle() external view returns (address);
    /// @notice The liquidation engine.
    function engine() external view returns (address);
    /// @notice Smallest debt per asset after a borrow, WAD quote units.
    function smallestBorrow() external view returns (uint256);
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {ITakeCallback} from "../../interfaces/ITakeCallback.sol";
import {IVenue} from "../../interfaces/IVenue.sol";
import {AssetBitmap} from "../../libraries/AssetBitmap.sol";
import {WadMath} from "../../libraries/WadMath.sol";
import {Accounts} from "./Accounts.sol";

/// @title What the liquidation engine may do
/// @dev The engine decides how much and at what price; here the books are made to balance: what a settlement hands out
/// is what it brought, to the unit, and what it cancels beyond that is a deficit.
abstract contract Settlements is Accounts {
    using AssetBitmap for uint64;
    using WadMath for uint256;

    /// @dev The sale of this transaction that waits to be booked: a hash of its terms, and what it brought.
    bytes32 private transient _pendingSale;
    uint128 private transient _pendingPayment;

    /// @dev Admits the liquidation engine.
    modifier onlyEngine() {
        _requireEngine();
        _;
    }

    /// @inheritdoc IClearingHouse
    function setFlag(address account, bool flagged) external nonReentrant onlyEngine {
        _setFlag(account, flagged);
    }

    /// @inheritdoc IClearingHouse
    /// @dev Ends in the same cure as an owner's repayment.
    function net(address account, uint8 assetId) external nonReentrant onlyEngine returns (uint256 amount) {
        AssetData storage data = _listed(assetId);
        _accrue(assetId, data);
        Position memory position = _positions[account][assetId];
        amount = _debtAssets(data, position.debtShares).min(position.collateral);
        _requireAmount(amount);
        (uint256 shares, uint256 covered) = _burnDebt(account, assetId, data, amount);
        _removeCollateral(account, assetId, amount);
        uint256 excess = amount - covered;
        data.reserveAssets += uint128(excess); // at most one unit per borrower
        emit Netted(account, assetId, amount, shares, excess);
        _cure(account);
    }

    // ------------------------------------------------------------------ settlements

    /// @inheritdoc IClearingHouse
    function sell(
        address account,
        uint8 collateralId,
        uint8 debtId,
        uint128 seized,
        uint256 minPayment,
        address venue,
        bytes calldata data
    ) external nonReentrant onlyEngine returns (uint256 payment) {
        _removeCollateral(account, collateralId, seized);
        payment = _sellThrough(venue, _listed(collateralId), _listed(debtId).token, seized, minPayment, data);
        _pendingPayment = payment.toUint128();
        _pendingSale = _saleHash(account, collateralId, debtId, seized);
    }

    /// @inheritdoc IClearingHouse
    function settle(Settlement memory settlement) external nonReentrant onlyEngine {
        bytes32 sale = _saleHash(settlement.account, settlement.collateralId, settlement.debtId, settlement.seized);
        if (sale != _pendingSale || settlement.payment != _pendingPayment) {
            revert SettlementUnbalanced(settlement.payment, _pendingPayment);
        }
        _pendingSale = 0;
        AssetData storage debt = _assets[settlement.debtId];
        debt.cash += settlement.payment;
        _book(settlement, debt);
        if (settlement.chip != 0) _credits[settlement.debtId][settlement.settler] += settlement.chip;
    }

    /// @inheritdoc IClearingHouse
    /// @dev All state is written before the first call out. The chip is credited and collected at once, as the events
    /// show, by pulling that much less.
    function settleTake(Settlement memory settlement, address recipient, bytes calldata data)
        external
        nonReentrant
        onlyEngine
    {
        AssetData storage collateral = _listed(settlement.collateralId);
        AssetData storage debt = _listed(settlement.debtId);
        uint128 owed = settlement.payment - settlement.chip;
        _removeCollateral(settlement.account, settlement.collateralId, settlement.seized);
        debt.cash += owed;
        _book(settlement, debt);
        if (settlement.chip != 0) {
            debt.creditAssets -= settlement.chip;
            emit CreditCollected(settlement.debtId, settlement.settler, settlement.settler, settlement.chip);
        }
        _pay(collateral, recipient, settlement.seized);
        if (data.length != 0) _callTaker(settlement, collateral.token, debt.token, owed, data);
        _pull(debt.token, settlement.settler, owed);
    }

    /// @inheritdoc IClearingHouse
    /// @dev The flag falls, since nothing is left to settle.
    function writeOff(address account) external nonReentrant onlyEngine {
        AccountData memory info = _accounts[account];
        for (uint64 owed = info.debts; owed != 0; owed = owed.withoutLowest()) {
            _writeOffDebt(account, owed.lowest());
        }
        for (uint64 held = info.collaterals; held != 0; held = held.withoutLowest()) {
            uint8 assetId = held.lowest();
            uint128 amount = _positions[account][assetId].collateral;
            _removeCollateral(account, assetId, amount);
            _assets[assetId].reserveAssets += amount;
            emit CollateralForfeited(account, assetId, amount);
        }
        _setFlag(account, false);
    }

    // ------------------------------------------------------------------ bookkeeping

    /// @dev Books the parts of a payment in the debt asset. Cash and collateral moved before; the settler's credit is
    /// the caller's to write, since a taker's is paid at once.
    function _book(Settlement memory settlement, AssetData storage debt) private {
        _requireBalanced(settlement);
        _accrue(settlement.debtId, debt);
        (uint256 shares, uint256 covered) = _burnDebt(settlement.account, settlement.debtId, debt, settlement.cancelled);
        uint256 excess = uint256(settlement.repaid).zeroFloorSub(covered);
        uint256 deficit = covered.zeroFloorSub(settlement.repaid);
        debt.reserveAssets += settlement.reserve + uint128(excess);
        _bookDeficit(debt, deficit);
        _bookIncentives(settlement, debt);
        if (settlement.surplus != 0) _addCollateral(settlement.account, settlement.debtId, settlement.surplus);
        emit SettlementBooked(
            settlement.account, settlement.collateralId, settlement.debtId, settlement, shares, excess, deficit
        );
        if (settlement.closes) _setFlag(settlement.account, false);
    }

    /// @dev Tip and chip become claims on the house. In insolvency they are no part of the payment and come out of the
    /// reserve.
    function _bookIncentives(Settlement memory settlement, AssetData storage debt) private {
        uint128 incentives = settlement.tip + settlement.chip;
        if (incentives == 0) return;
        if (settlement.cancelled > settlement.repaid) {
            _requireReserve(settlement.debtId, debt, incentives);
            debt.reserveAssets -= incentives;
        }
        debt.creditAssets += incentives;
        if (settlement.tip != 0) _credits[settlement.debtId][settlement.kicker] += settlement.tip;
    }

    /// @dev Lowers what suppliers own by `deficit`. Debt never passes their claims and the reserve together, so the
    /// reserve bears what is beyond them.
    function _bookDeficit(AssetData storage debt, uint256 deficit) private {
        if (deficit == 0) return;
        uint256 fromSuppliers = deficit.min(debt.totalSupplyAssets);
        debt.totalSupplyAssets -= uint112(fromSuppliers);
        debt.reserveAssets -= uint128(deficit - fromSuppliers);
    }

    /// @dev Books all of an account's debt in one asset as deficit.
    function _writeOffDebt(address account, uint8 assetId) private {
        AssetData storage data = _assets[assetId];
        _accrue(assetId, data);
        uint256 debt = _debtAssets(data, _positions[account][assetId].debtShares);
        (uint256 shares, uint256 covered) = _burnDebt(account, assetId, data, debt);
        _bookDeficit(data, covered);
        emit DebtWrittenOff(account, assetId, covered, shares);
    }

    // ------------------------------------------------------------------ calls out

    /// @dev Hands `seized` to a venue and measures what comes back.
    function _sellThrough(
        address venue,
        AssetData storage collateral,
        address debtToken,
        uint256 seized,
        uint256 minPayment,
        bytes calldata data
    ) private returns (uint256 payment) {
        _pay(collateral, venue, seized);
        uint256 before = SafeTransferLib.balanceOf(debtToken, address(this));
        IVenue(venue).swap(collateral.token, debtToken, seized, minPayment, address(this), data);
        payment = SafeTransferLib.balanceOf(debtToken, address(this)).zeroFloorSub(before);
        if (payment < minPayment) revert IVenue.ProceedsBelowMinimum(payment, minPayment);
    }

    /// @dev Lets a taker turn what it bought into what it owes.
    function _callTaker(
        Settlement memory settlement,
        address collateralToken,
        address debtToken,
        uint256 owed,
        bytes calldata data
    ) private {
        ITakeCallback taker = ITakeCallback(settlement.settler);
        bytes4 magic = taker.onTake(settlement.account, collateralToken, settlement.seized, debtToken, owed, data);
        if (magic != ITakeCallback.onTake.selector) revert CallbackRejected(settlement.settler);
    }

    // ------------------------------------------------------------------ checks

    function _requireEngine() private view {
        if (msg.sender != _engine) revert EngineUnauthorised(msg.sender);
    }

    /// @dev Refuses a settlement whose parts are not its payment; in insolvency all of the payment repays debt.
    function _requireBalanced(Settlement memory settlement) private pure {
        if (settlement.cancelled < settlement.repaid) {
            revert SettlementUnbalanced(settlement.repaid, settlement.cancelled);
        }
        uint256 parts = uint256(settlement.repaid) + settlement.surplus + settlement.reserve;
        bool insolvent = settlement.cancelled > settlement.repaid;
        if (!insolvent) parts += uint256(settlement.tip) + settlement.chip;
        if (parts != settlement.payment || (insolvent && settlement.repaid != settlement.payment)) {
            revert SettlementUnbalanced(settlement.payment, parts);
        }
    }

    /// @dev Names a sale, so that nothing else can be booked for it.
    function _saleHash(address account, uint8 collateralId, uint8 debtId, uint128 seized)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(account, collateralId, debtId, seized));
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {ITakeCallback} from "../../interfaces/ITakeCallback.sol";
import {IVenue} from "../../interfaces/IVenue.sol";
import {AssetBitmap} from "../../libraries/AssetBitmap.sol";
import {SharesMath} from "../../libraries/SharesMath.sol";
import {WadMath} from "../../libraries/WadMath.sol";
import {Waterfall} from "./Waterfall.sol";

/// @title What the liquidation engine may do
/// @dev The engine decides how much and at what price; here the books are made to balance: what a settlement hands out
/// is what it brought, to the unit, and what it cancels beyond that is a deficit.
abstract contract Settlements is Waterfall {
    using AssetBitmap for uint64;
    using SharesMath for uint256;
    using WadMath for uint256;

    /// @dev `ILiquidationEngine.Route.TAKE`.
    uint8 private constant ROUTE_TAKE = 0;

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
        if (flagged) _setFlag(account, true);
        else _release(account);
    }

    /// @inheritdoc IClearingHouse
    /// @dev Ends in the same cure as an owner's repayment.
    function net(address account, uint8 assetId) external nonReentrant onlyEngine returns (uint256 amount) {
        AssetData storage data = _listed(assetId);
        Pool memory pool = _load(assetId, data);
        Position memory position = _positions[account][assetId];
        uint256 owed = uint256(position.debtShares).toAssetsUp(pool.borrowed, pool.borrowShares);
        amount = owed.min(position.collateral);
        if (position.debtShares == 0) amount = 0;
        _requireAmount(amount);
        (uint256 shares, uint256 cancelled) = _burnDebt(account, assetId, pool, amount);
        _removeCollateral(account, assetId, amount);
        uint256 excess = amount - cancelled; // at most one unit per borrower
        pool.reserve += excess;
        _store(data, pool);
        emit Netted(account, assetId, amount, shares, excess);
        _cure(account);
    }

    /// @inheritdoc IClearingHouse
    function mark(address account, uint256 lossWad) external nonReentrant onlyEngine {
        AccountData memory info = _accounts[account];
        bool marked = lossWad != 0 && info.debts != 0;
        for (uint64 owed = info.debts; owed != 0 && (marked || info.marked); owed = owed.withoutLowest()) {
            uint8 assetId = owed.lowest();
            uint256 debt = marked ? _debtAssets(_assets[assetId], _positions[account][assetId].debtShares) : 0;
            _setMark(account, assetId, debt.mulUp(lossWad));
        }
        if (marked != info.marked) _accounts[account].marked = marked;
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
    function settle(Settlement calldata settlement) external nonReentrant onlyEngine {
        bytes32 sale = _saleHash(settlement.account, settlement.collateralId, settlement.debtId, settlement.seized);
        if (sale != _pendingSale || settlement.payment != _pendingPayment) {
            revert SettlementUnbalanced(settlement.payment, _pendingPayment);
        }
        _pendingSale = 0;
        _book(settlement, _assets[settlement.debtId], false);
    }

    /// @inheritdoc IClearingHouse
    /// @dev All state is written before the first call out. A taker's chip is kept by pulling that much less.
    function settleTake(Settlement calldata settlement, address payer, address recipient, bytes calldata data)
        external
        nonReentrant
        onlyEngine
        returns (uint256 owed)
    {
        AssetData storage collateral = _listed(settlement.collateralId);
        AssetData storage debt = _listed(settlement.debtId);
        _removeCollateral(settlement.account, settlement.collateralId, settlement.seized);
        owed = settlement.payment - _book(settlement, debt, settlement.route == ROUTE_TAKE);
        _pay(collateral, recipient, settlement.seized);
        if (data.length != 0) _callPayer(payer, settlement, collateral.token, debt.token, owed, data);
        _pull(debt.token, payer, owed);
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
            AssetData storage data = _assets[assetId];
            data.reserveAssets = (uint256(data.reserveAssets) + amount).toUint128();
            emit CollateralForfeited(account, assetId, amount);
        }
        _release(account);
    }

    // ------------------------------------------------------------------ bookkeeping

    /// @dev Books the parts of a payment in the debt asset; collateral moved before.
    /// @param netted Whether the settler keeps the chip out of the payment; else it is credited.
    /// @return kept Chip that the settler keeps.
    function _book(Settlement calldata settlement, AssetData storage debt, bool netted) private returns (uint256 kept) {
        _requireBalanced(settlement);
        Pool memory pool = _load(settlement.debtId, debt);
        (uint256 shares, uint256 cancelled) =
            _burnDebt(settlement.account, settlement.debtId, pool, settlement.cancelled);
        pool.reserve += settlement.reserve + uint256(settlement.repaid).zeroFloorSub(cancelled); // and the excess
        (uint256 tip, uint256 chip) = (settlement.tip, settlement.chip);
        if (settlement.cancelled > settlement.repaid) {
            uint256 deficit = cancelled.zeroFloorSub(settlement.repaid);
            uint256 paid = _bear(settlement.debtId, debt, pool, deficit, tip + chip);
            tip = tip.min(paid);
            chip = paid - tip;
        }
        _store(debt, pool);
        kept = netted ? chip : 0;
        _credit(settlement, debt, tip, chip - kept);
        if (settlement.surplus != 0) _addCollateral(settlement.account, settlement.debtId, settlement.surplus);
        emit Settled(
            settlement.account,
            settlement.collateralId,
            settlement.debtId,
            settlement.epoch,
            settlement.route,
            settlement.settler,
            tip == 0 ? address(0) : settlement.kicker,
            settlement.multiplierWad,
            settlement.seized,
            settlement.payment,
            settlement.repaid,
            cancelled,
            settlement.surplus,
            tip,
            chip,
            shares
        );
        if (settlement.closes) _release(settlement.account);
    }

    /// @dev Tip and chip become claims on the house.
    function _credit(Settlement calldata settlement, AssetData storage debt, uint256 tip, uint256 chip) private {
        if (tip + chip == 0) return;
        debt.creditAssets = (debt.creditAssets + tip + chip).toUint128();
        if (tip != 0) _credits[settlement.debtId][settlement.kicker] += tip;
        if (chip != 0) _credits[settlement.debtId][settlement.settler] += chip;
    }

    /// @dev Books all of an account's debt in one asset as deficit.
    function _writeOffDebt(address account, uint8 assetId) private {
        AssetData storage data = _assets[assetId];
        Pool memory pool = _load(assetId, data);
        uint256 held = _positions[account][assetId].debtShares;
        uint256 debt = held.toAssetsUp(pool.borrowed, pool.borrowShares);
        (uint256 shares, uint256 cancelled) = _burnDebt(account, assetId, pool, debt);
        _bear(assetId, data, pool, cancelled, 0);
        _store(data, pool);
        emit DebtWrittenOff(account, assetId, cancelled, shares);
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

    /// @dev Lets who pays turn what was bought into what is owed.
    function _callPayer(
        address payer,
        Settlement calldata settlement,
        address collateralToken,
        address debtToken,
        uint256 owed,
        bytes calldata data
    ) private {
        bytes4 magic = ITakeCallback(payer)
            .onTake(settlement.account, collateralToken, settlement.seized, debtToken, owed, data);
        if (magic != ITakeCallback.onTake.selector) revert CallbackRejected(payer);
    }

    // ------------------------------------------------------------------ checks

    function _requireEngine() private view {
        if (msg.sender != _engine) revert EngineUnauthorised(msg.sender);
    }

    /// @dev Refuses a settlement whose parts are not its payment; in insolvency all of the payment repays debt.
    function _requireBalanced(Settlement calldata settlement) private pure {
        if (settlement.cancelled < settlement.repaid) {
            revert SettlementUnbalanced(settlement.repaid, settlement.cancelled);
        }
        uint256 parts;
        bool insolvent = settlement.cancelled > settlement.repaid;
        unchecked {
            // five amounts of 128 bits
            parts = uint256(settlement.repaid) + settlement.surplus + settlement.reserve;
            if (!insolvent) parts += uint256(settlement.tip) + settlement.chip;
        }
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

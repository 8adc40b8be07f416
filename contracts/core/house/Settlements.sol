// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {ITakeCallback} from "../../interfaces/ITakeCallback.sol";
import {IVenue} from "../../interfaces/IVenue.sol";
import {AssetBitmap} from "../../libraries/AssetBitmap.sol";
import {SharesMath} from "../../libraries/SharesMath.sol";
import {WadMath} from "../../libraries/WadMath.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";
import {Accounts} from "./Accounts.sol";

/// @title What the liquidation engine may do
/// @dev The engine decides how much and at what price; this contract only sees to it that the books balance: what a
/// settlement distributes is what it brought, to the unit, and what it cancels beyond that is a deficit.
abstract contract Settlements is Accounts {
    using AssetBitmap for uint64;
    using SharesMath for uint256;
    using WadMath for uint256;

    /// @dev Hash of the sale that waits to be booked in this transaction, and what it brought.
    bytes32 private transient _pendingSale;
    uint128 private transient _pendingPayment;

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
        if (amount == 0) revert ZeroAmount();
        (uint256 shares, uint256 covered) = _burnDebt(account, assetId, data, amount);
        _removeCollateral(account, assetId, uint128(amount)); // at most the collateral
        data.reserveAssets += uint128(amount - covered);
        emit Netted(account, assetId, amount, shares, amount - covered);
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
        _assets[collateralId].cash -= seized;
        payment = _sellThrough(venue, collateralId, debtId, seized, minPayment, data);
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
        _book(settlement);
        if (settlement.chip != 0) _credits[settlement.debtId][settlement.settler] += settlement.chip;
    }

    /// @inheritdoc IClearingHouse
    /// @dev All state is written before the first call out. The chip is credited and collected at once, as the events
    /// show, by pulling that much less.
    function settleTake(Settlement calldata settlement, address recipient, bytes calldata data)
        external
        nonReentrant
        onlyEngine
    {
        _removeCollateral(settlement.account, settlement.collateralId, settlement.seized);
        AssetData storage collateral = _assets[settlement.collateralId];
        AssetData storage debt = _assets[settlement.debtId];
        collateral.cash -= settlement.seized;
        _book(settlement);
        if (settlement.chip != 0) {
            debt.creditAssets -= settlement.chip;
            debt.cash -= settlement.chip;
            emit CreditCollected(settlement.debtId, settlement.settler, settlement.settler, settlement.chip);
        }
        _push(collateral.token, recipient, settlement.seized);
        uint256 owed = settlement.payment - settlement.chip;
        if (data.length != 0) _callTaker(settlement, collateral.token, debt.token, owed, data);
        _pull(debt.token, settlement.settler, owed);
    }

    /// @inheritdoc IClearingHouse
    /// @dev The flag falls: nothing is left to settle.
    function writeOff(address account) external nonReentrant onlyEngine {
        AccountData memory info = _accounts[account];
        for (uint64 debts = info.debts; debts != 0; debts = debts.withoutLowest()) {
            _writeOffDebt(account, debts.lowest());
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

    /// @dev Books the payment of a settlement in the debt asset, in this order: cash in, debt cancelled, then the
    /// parts. The collateral has left the account before. `creditAssets` grows by tip and chip; the kicker is credited
    /// here, the
    /// settler by the caller.
    function _book(Settlement calldata settlement) private {
        _requireBalanced(settlement);
        uint8 debtId = settlement.debtId;
        AssetData storage data = _listed(debtId);
        _accrue(debtId, data);
        (uint256 shares, uint256 covered) = _burnDebt(settlement.account, debtId, data, settlement.cancelled);
        uint256 excess = uint256(settlement.repaid).zeroFloorSub(covered);
        uint256 deficit = covered.zeroFloorSub(settlement.repaid);
        data.cash += settlement.payment;
        data.reserveAssets += settlement.reserve + uint128(excess);
        _bookDeficit(data, deficit);
        _bookIncentives(settlement, data);
        if (settlement.surplus != 0) _addCollateral(settlement.account, debtId, settlement.surplus);
        emit SettlementBooked(settlement.account, settlement.collateralId, debtId, settlement, shares, excess, deficit);
        if (settlement.closes) _setFlag(settlement.account, false);
    }

    /// @dev Tip and chip become claims on this contract. In insolvency they are not part of the payment and come out of
    /// the reserve, which must hold them in cash: interest set aside while the pool is lent out is not paid yet.
    function _bookIncentives(Settlement calldata settlement, AssetData storage data) private {
        uint128 incentives = settlement.tip + settlement.chip;
        if (incentives == 0) return;
        if (settlement.cancelled > settlement.repaid) {
            _requireReserve(settlement.debtId, data, incentives);
            data.reserveAssets -= incentives;
        }
        data.creditAssets += incentives;
        if (settlement.tip != 0) _credits[settlement.debtId][settlement.kicker] += settlement.tip;
    }

    /// @dev Lowers what suppliers own by `deficit`. Debt never passes their claims and the reserve together, so the
    /// reserve bears what is beyond them.
    function _bookDeficit(AssetData storage data, uint256 deficit) private {
        if (deficit == 0) return;
        uint256 fromSuppliers = deficit.min(data.totalSupplyAssets);
        data.totalSupplyAssets -= uint128(fromSuppliers);
        data.reserveAssets -= uint128(deficit - fromSuppliers);
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

    /// @dev Refuses a settlement whose parts are not its payment: in insolvency all of it repays debt.
    function _requireBalanced(Settlement calldata settlement) private pure {
        bool insolvent = settlement.cancelled > settlement.repaid;
        uint256 parts = uint256(settlement.repaid) + settlement.surplus + settlement.reserve;
        if (!insolvent) parts += uint256(settlement.tip) + settlement.chip;
        if (parts != settlement.payment || (insolvent && settlement.repaid != settlement.payment)) {
            revert SettlementUnbalanced(settlement.payment, parts);
        }
        if (settlement.cancelled < settlement.repaid) {
            revert SettlementUnbalanced(settlement.repaid, settlement.cancelled);
        }
    }

    /// @dev Refuses to spend more reserve than there is, or than the asset has cash for beside collateral and credits.
    function _requireReserve(uint8 assetId, AssetData storage data, uint256 amount) internal view {
        uint256 available = uint256(data.reserveAssets).min(data.cash - data.collateralAssets - data.creditAssets);
        if (amount > available) revert CashInsufficient(assetId, amount, available);
    }

    // ------------------------------------------------------------------ calls out

    /// @dev Hands `seized` to a venue and measures what comes back.
    function _sellThrough(
        address venue,
        uint8 collateralId,
        uint8 debtId,
        uint128 seized,
        uint256 minPayment,
        bytes calldata data
    ) private returns (uint256 payment) {
        address tokenIn = _listed(collateralId).token;
        address tokenOut = _listed(debtId).token;
        _push(tokenIn, venue, seized);
        uint256 before = SafeTransferLib.balanceOf(tokenOut, address(this));
        IVenue(venue).swap(tokenIn, tokenOut, seized, minPayment, address(this), data);
        payment = SafeTransferLib.balanceOf(tokenOut, address(this)) - before;
        if (payment < minPayment) revert IVenue.ProceedsBelowMinimum(payment, minPayment);
    }

    /// @dev Lets a taker turn what it bought into what it owes.
    function _callTaker(
        Settlement calldata settlement,
        address collateralToken,
        address debtToken,
        uint256 owed,
        bytes calldata data
    ) private {
        bytes4 magic = ITakeCallback(settlement.settler)
            .onTake(settlement.account, collateralToken, settlement.seized, debtToken, owed, data);
        if (magic != ITakeCallback.onTake.selector) revert CallbackRejected(settlement.settler);
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

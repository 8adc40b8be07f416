// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../../contracts/interfaces/IClearingHouse.sol";
import {Vm} from "../../support/forge/Vm.sol";

/// @title The clearing house, rebuilt from its logs alone
/// @notice Knows nothing of the house but its events: what it holds after every log must be what the house stores.
contract LedgerFromLogs {
    struct Account {
        mapping(uint8 assetId => uint256) collateral;
        mapping(uint8 assetId => uint256) debtShares;
        mapping(uint8 assetId => uint256) supplyShares;
        mapping(uint8 assetId => uint256) credit;
        mapping(uint8 assetId => uint256) marks;
        mapping(address operator => bool) operators;
        uint32 epoch;
        bool flagged;
    }

    struct Asset {
        address token;
        uint8 decimals;
        uint256 totalSupplyAssets;
        uint256 totalSupplyShares;
        uint256 totalBorrowAssets;
        uint256 totalBorrowShares;
        uint256 cash;
        uint256 collateralAssets;
        uint256 reserveAssets;
        uint256 creditAssets;
        uint40 lastAccrual;
        uint256 pendingDeficit;
        address fund;
        IClearingHouse.AssetParameters parameters;
        IClearingHouse.RateModel model;
    }

    mapping(uint8 assetId => Asset) private _assets;
    mapping(address account => Account) private _accounts;
    uint8 public assetCount;
    address public oracle;
    address public engine;
    uint256 public smallestBorrow;

    /// @notice Events that this ledger does not know.
    uint256 public unknown;

    // ------------------------------------------------------------------ readings

    function market(uint8 assetId) external view returns (IClearingHouse.Market memory) {
        Asset storage a = _assets[assetId];
        return IClearingHouse.Market({
            totalSupplyAssets: uint128(a.totalSupplyAssets),
            totalSupplyShares: uint128(a.totalSupplyShares),
            totalBorrowAssets: uint128(a.totalBorrowAssets),
            totalBorrowShares: uint128(a.totalBorrowShares),
            cash: uint128(a.cash),
            collateralAssets: uint128(a.collateralAssets),
            reserveAssets: uint128(a.reserveAssets),
            creditAssets: uint128(a.creditAssets),
            lastAccrual: a.lastAccrual
        });
    }

    function asset(uint8 assetId) external view returns (address token, uint8 decimals) {
        return (_assets[assetId].token, _assets[assetId].decimals);
    }

    function assetParameters(uint8 assetId) external view returns (IClearingHouse.AssetParameters memory) {
        return _assets[assetId].parameters;
    }

    function rateModel(uint8 assetId) external view returns (IClearingHouse.RateModel memory) {
        return _assets[assetId].model;
    }

    function balanceOf(address account, uint8 assetId) external view returns (uint256 collateral, uint256 debtShares) {
        return (_accounts[account].collateral[assetId], _accounts[account].debtShares[assetId]);
    }

    function supplyShares(uint8 assetId, address owner) external view returns (uint256) {
        return _accounts[owner].supplyShares[assetId];
    }

    function creditOf(uint8 assetId, address owner) external view returns (uint256) {
        return _accounts[owner].credit[assetId];
    }

    function markOf(address account, uint8 assetId) external view returns (uint256) {
        return _accounts[account].marks[assetId];
    }

    function pendingDeficit(uint8 assetId) external view returns (uint256) {
        return _assets[assetId].pendingDeficit;
    }

    function fund(uint8 assetId) external view returns (address) {
        return _assets[assetId].fund;
    }

    function isOperator(address account, address operator) external view returns (bool) {
        return _accounts[account].operators[operator];
    }

    /// @notice As the house's own, without the block of the last risk, which is that of the log itself.
    function accountInfo(address account)
        external
        view
        returns (uint64 collaterals, uint64 debts, uint32 epoch, bool flagged)
    {
        Account storage a = _accounts[account];
        for (uint8 assetId = 0; assetId < assetCount; ++assetId) {
            if (a.collateral[assetId] != 0) collaterals |= uint64(1) << assetId;
            if (a.debtShares[assetId] != 0) debts |= uint64(1) << assetId;
        }
        return (collaterals, debts, a.epoch, a.flagged);
    }

    // ------------------------------------------------------------------ writing

    /// @notice Takes in logs in their order.
    function read(Vm.Log[] calldata logs) external {
        for (uint256 i = 0; i < logs.length; ++i) {
            bool known =
                _readPool(logs[i]) || _readAccount(logs[i]) || _readSettlement(logs[i]) || _readGovernance(logs[i]);
            if (!known) ++unknown;
        }
    }

    function _readPool(Vm.Log calldata log) private returns (bool) {
        bytes32 topic = log.topics[0];
        if (topic == IClearingHouse.InterestAccrued.selector) return _interest(log);
        if (topic == IClearingHouse.Supplied.selector) return _supplied(log);
        if (topic == IClearingHouse.Withdrawn.selector) return _withdrawn(log);
        if (topic == IClearingHouse.SharesTransferred.selector) return _sharesTransferred(log);
        return false;
    }

    function _readAccount(Vm.Log calldata log) private returns (bool) {
        bytes32 topic = log.topics[0];
        if (topic == IClearingHouse.CollateralDeposited.selector) return _deposited(log);
        if (topic == IClearingHouse.CollateralWithdrawn.selector) return _collateralWithdrawn(log);
        if (topic == IClearingHouse.Borrowed.selector) return _borrowed(log);
        if (topic == IClearingHouse.Repaid.selector) return _repaid(log);
        if (topic == IClearingHouse.OperatorSet.selector) return _operatorSet(log);
        if (topic == IClearingHouse.CreditCollected.selector) return _creditCollected(log);
        return false;
    }

    function _readSettlement(Vm.Log calldata log) private returns (bool) {
        bytes32 topic = log.topics[0];
        if (topic == IClearingHouse.FlagSet.selector) return _flagSet(log);
        if (topic == IClearingHouse.Netted.selector) return _netted(log);
        if (topic == IClearingHouse.Settled.selector) return _settled(log);
        if (topic == IClearingHouse.DeficitCovered.selector) return _deficitCovered(log);
        if (topic == IClearingHouse.Marked.selector) return _marked(log);
        if (topic == IClearingHouse.DebtWrittenOff.selector) return _debtWrittenOff(log);
        if (topic == IClearingHouse.CollateralForfeited.selector) return _forfeited(log);
        return false;
    }

    function _readGovernance(Vm.Log calldata log) private returns (bool) {
        bytes32 topic = log.topics[0];
        if (topic == IClearingHouse.AssetListed.selector) return _listed(log);
        if (topic == IClearingHouse.AssetParametersSet.selector) return _parametersSet(log);
        if (topic == IClearingHouse.RateModelSet.selector) return _modelSet(log);
        if (topic == IClearingHouse.ReserveWithdrawn.selector) return _reserveWithdrawn(log);
        if (topic == IClearingHouse.FundSet.selector) return _fundSet(log);
        if (topic == IClearingHouse.SmallestBorrowSet.selector) smallestBorrow = abi.decode(log.data, (uint256));
        else if (topic == IClearingHouse.OracleSet.selector) oracle = _address(log.topics[1]);
        else if (topic == IClearingHouse.EngineSet.selector) engine = _address(log.topics[1]);
        else return false;
        return true;
    }

    // ------------------------------------------------------------------ pools

    function _interest(Vm.Log calldata log) private returns (bool) {
        (uint256 interest, uint256 reserve, uint40 timestamp) = abi.decode(log.data, (uint256, uint256, uint40));
        Asset storage a = _assets[_id(log.topics[1])];
        a.totalBorrowAssets += interest;
        a.totalSupplyAssets += interest - reserve;
        a.reserveAssets += reserve;
        a.lastAccrual = timestamp;
        return true;
    }

    function _supplied(Vm.Log calldata log) private returns (bool) {
        (uint256 assets, uint256 shares) = abi.decode(log.data, (uint256, uint256));
        uint8 assetId = _id(log.topics[1]);
        Asset storage a = _assets[assetId];
        a.totalSupplyAssets += assets;
        a.totalSupplyShares += shares;
        a.cash += assets;
        _account(log.topics[3]).supplyShares[assetId] += shares;
        return true;
    }

    function _withdrawn(Vm.Log calldata log) private returns (bool) {
        (uint256 assets, uint256 shares) = abi.decode(log.data, (uint256, uint256));
        uint8 assetId = _id(log.topics[1]);
        Asset storage a = _assets[assetId];
        a.totalSupplyAssets -= assets;
        a.totalSupplyShares -= shares;
        a.cash -= assets;
        _account(log.topics[2]).supplyShares[assetId] -= shares;
        return true;
    }

    function _sharesTransferred(Vm.Log calldata log) private returns (bool) {
        uint256 shares = abi.decode(log.data, (uint256));
        uint8 assetId = _id(log.topics[1]);
        _account(log.topics[2]).supplyShares[assetId] -= shares;
        _account(log.topics[3]).supplyShares[assetId] += shares;
        return true;
    }

    // ------------------------------------------------------------------ accounts

    function _deposited(Vm.Log calldata log) private returns (bool) {
        uint256 amount = abi.decode(log.data, (uint256));
        uint8 assetId = _id(log.topics[2]);
        _addCollateral(_account(log.topics[1]), assetId, amount);
        _assets[assetId].cash += amount;
        return true;
    }

    function _collateralWithdrawn(Vm.Log calldata log) private returns (bool) {
        uint256 amount = abi.decode(log.data, (uint256));
        uint8 assetId = _id(log.topics[2]);
        _removeCollateral(_account(log.topics[1]), assetId, amount);
        _assets[assetId].cash -= amount;
        return true;
    }

    function _borrowed(Vm.Log calldata log) private returns (bool) {
        (uint256 assets, uint256 shares) = abi.decode(log.data, (uint256, uint256));
        uint8 assetId = _id(log.topics[2]);
        Asset storage a = _assets[assetId];
        a.totalBorrowAssets += assets;
        a.totalBorrowShares += shares;
        a.cash -= assets;
        _account(log.topics[1]).debtShares[assetId] += shares;
        return true;
    }

    function _repaid(Vm.Log calldata log) private returns (bool) {
        (uint256 assets, uint256 shares, uint256 excess) = abi.decode(log.data, (uint256, uint256, uint256));
        uint8 assetId = _id(log.topics[2]);
        _removeDebt(_account(log.topics[1]), assetId, assets - excess, shares);
        _assets[assetId].cash += assets;
        _assets[assetId].reserveAssets += excess;
        return true;
    }

    function _operatorSet(Vm.Log calldata log) private returns (bool) {
        _account(log.topics[1]).operators[_address(log.topics[2])] = abi.decode(log.data, (bool));
        return true;
    }

    function _creditCollected(Vm.Log calldata log) private returns (bool) {
        uint256 amount = abi.decode(log.data, (uint256));
        uint8 assetId = _id(log.topics[1]);
        _account(log.topics[2]).credit[assetId] -= amount;
        _assets[assetId].creditAssets -= amount;
        _assets[assetId].cash -= amount;
        return true;
    }

    // ------------------------------------------------------------------ settlements

    function _flagSet(Vm.Log calldata log) private returns (bool) {
        Account storage account = _account(log.topics[1]);
        (account.epoch, account.flagged) = abi.decode(log.data, (uint32, bool));
        return true;
    }

    function _netted(Vm.Log calldata log) private returns (bool) {
        (uint256 amount, uint256 shares, uint256 excess) = abi.decode(log.data, (uint256, uint256, uint256));
        uint8 assetId = _id(log.topics[2]);
        _removeCollateral(_account(log.topics[1]), assetId, amount);
        _removeDebt(_account(log.topics[1]), assetId, amount - excess, shares);
        _assets[assetId].reserveAssets += excess;
        return true;
    }

    /// @dev What `Settled` says beside account and assets, in the order of the event.
    struct Settled {
        uint32 epoch;
        uint8 route;
        address settler;
        address kicker;
        uint64 multiplierWad;
        uint256 seized;
        uint256 payment;
        uint256 repaid;
        uint256 cancelled;
        uint256 surplus;
        uint256 tip;
        uint256 chip;
        uint256 shares;
    }

    function _settled(Vm.Log calldata log) private returns (bool) {
        Settled memory s = abi.decode(log.data, (Settled));
        Account storage account = _account(log.topics[1]);
        uint8 collateralId = _id(log.topics[2]);
        uint8 debtId = _id(log.topics[3]);
        Asset storage debt = _assets[debtId];
        uint256 kept = s.route == 0 ? s.chip : 0;
        _removeCollateral(account, collateralId, s.seized);
        _assets[collateralId].cash -= s.seized;
        _removeDebt(account, debtId, s.cancelled, s.shares);
        debt.cash += s.payment - kept;
        if (s.payment == s.repaid) debt.reserveAssets -= s.tip + s.chip;
        else debt.reserveAssets += s.payment - s.repaid - s.surplus - s.tip - s.chip;
        if (s.repaid > s.cancelled) debt.reserveAssets += s.repaid - s.cancelled;
        else _lose(debt, s.cancelled - s.repaid);
        debt.creditAssets += s.tip + s.chip - kept;
        _accounts[s.kicker].credit[debtId] += s.tip;
        _accounts[s.settler].credit[debtId] += s.chip - kept;
        _addCollateral(account, debtId, s.surplus);
        return true;
    }

    function _deficitCovered(Vm.Log calldata log) private returns (bool) {
        (uint256 toSuppliers, uint256 toReserve) = abi.decode(log.data, (uint256, uint256));
        Asset storage a = _assets[_id(log.topics[1])];
        a.totalSupplyAssets += toSuppliers;
        a.reserveAssets += toReserve;
        a.cash += toSuppliers + toReserve;
        return true;
    }

    function _marked(Vm.Log calldata log) private returns (bool) {
        uint256 amount = abi.decode(log.data, (uint256));
        uint8 assetId = _id(log.topics[2]);
        mapping(uint8 assetId => uint256) storage marks = _account(log.topics[1]).marks;
        _assets[assetId].pendingDeficit += amount;
        _assets[assetId].pendingDeficit -= marks[assetId];
        marks[assetId] = amount;
        return true;
    }

    function _fundSet(Vm.Log calldata log) private returns (bool) {
        _assets[_id(log.topics[1])].fund = _address(log.topics[2]);
        return true;
    }

    function _debtWrittenOff(Vm.Log calldata log) private returns (bool) {
        (uint256 deficit, uint256 shares) = abi.decode(log.data, (uint256, uint256));
        uint8 assetId = _id(log.topics[2]);
        _removeDebt(_account(log.topics[1]), assetId, deficit, shares);
        _lose(_assets[assetId], deficit);
        return true;
    }

    function _forfeited(Vm.Log calldata log) private returns (bool) {
        uint256 amount = abi.decode(log.data, (uint256));
        uint8 assetId = _id(log.topics[2]);
        _removeCollateral(_account(log.topics[1]), assetId, amount);
        _assets[assetId].reserveAssets += amount;
        return true;
    }

    // ------------------------------------------------------------------ governance

    function _listed(Vm.Log calldata log) private returns (bool) {
        Asset storage a = _assets[_id(log.topics[1])];
        (a.token, a.decimals) = (_address(log.topics[2]), abi.decode(log.data, (uint8)));
        ++assetCount;
        return true;
    }

    function _parametersSet(Vm.Log calldata log) private returns (bool) {
        _assets[_id(log.topics[1])].parameters = abi.decode(log.data, (IClearingHouse.AssetParameters));
        return true;
    }

    function _modelSet(Vm.Log calldata log) private returns (bool) {
        _assets[_id(log.topics[1])].model = abi.decode(log.data, (IClearingHouse.RateModel));
        return true;
    }

    function _reserveWithdrawn(Vm.Log calldata log) private returns (bool) {
        uint256 amount = abi.decode(log.data, (uint256));
        Asset storage a = _assets[_id(log.topics[1])];
        a.reserveAssets -= amount;
        a.cash -= amount;
        return true;
    }

    // ------------------------------------------------------------------ parts

    function _addCollateral(Account storage account, uint8 assetId, uint256 amount) private {
        account.collateral[assetId] += amount;
        _assets[assetId].collateralAssets += amount;
    }

    function _removeCollateral(Account storage account, uint8 assetId, uint256 amount) private {
        account.collateral[assetId] -= amount;
        _assets[assetId].collateralAssets -= amount;
    }

    function _removeDebt(Account storage account, uint8 assetId, uint256 assets, uint256 shares) private {
        account.debtShares[assetId] -= shares;
        _assets[assetId].totalBorrowAssets -= assets;
        _assets[assetId].totalBorrowShares -= shares;
    }

    /// @dev Suppliers lose first, the reserve what is beyond them.
    function _lose(Asset storage a, uint256 deficit) private {
        uint256 fromSuppliers = deficit < a.totalSupplyAssets ? deficit : a.totalSupplyAssets;
        a.totalSupplyAssets -= fromSuppliers;
        a.reserveAssets -= deficit - fromSuppliers;
    }

    function _account(bytes32 topic) private view returns (Account storage) {
        return _accounts[_address(topic)];
    }

    function _address(bytes32 topic) private pure returns (address) {
        return address(uint160(uint256(topic)));
    }

    function _id(bytes32 topic) private pure returns (uint8) {
        return uint8(uint256(topic));
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IClearingHouse} from "../../interfaces/IClearingHouse.sol";
import {IInsuranceFund} from "../../interfaces/IInsuranceFund.sol";
import {Parameters} from "../../libraries/Parameters.sol";
import {WadMath} from "../../libraries/WadMath.sol";
import {Accounts} from "./Accounts.sol";

/// @title Who bears a deficit: the insurance fund first, then the suppliers
/// @dev The fund is asked before anything of the pool is written, so whoever looks at the house during that call sees
/// it as it was before. What the fund does not pay lowers what suppliers own, for any number of them at once.
abstract contract Waterfall is Accounts {
    using WadMath for uint256;

    uint256 private constant FUND_GAS = Parameters.FUND_GAS;
    /// @dev What must be left before such a call for the fund to get all of that: a call may pass on 63 of 64 parts,
    /// and 5,000 are more than the call itself costs.
    uint256 private constant FUND_GAS_LEFT = FUND_GAS * 64 / 63 + 5_000;

    /// @inheritdoc IClearingHouse
    function incentivesPayable(uint8 assetId, uint256 deficit) external view returns (uint256) {
        AssetData storage data = _listed(assetId);
        (Pool memory pool,,) = _poolNow(data);
        uint256 fromReserve = _paidReserve(pool).zeroFloorSub(deficit.zeroFloorSub(pool.supplied));
        return fromReserve + _coverable(data.fund).zeroFloorSub(deficit);
    }

    /// @dev Books a deficit, and finds what tip and chip are paid from: the reserve as far as it is paid, then the
    /// fund. What the fund pays beyond them the suppliers are spared. Debt never passes the suppliers' claims and the
    /// reserve together, so the reserve bears what is beyond those claims. The debt was taken off the pool before.
    /// @return paid What tip and chip may take, at most `incentives`.
    function _bear(uint8 assetId, AssetData storage data, Pool memory pool, uint256 deficit, uint256 incentives)
        internal
        returns (uint256 paid)
    {
        uint256 free = pool.supplied + pool.reserve - pool.borrowed - deficit; // tokens, once the deficit is booked
        paid = incentives.min(free).min(pool.reserve - deficit.zeroFloorSub(pool.supplied));
        uint256 missing = incentives - paid;
        uint256 covered = _cover(data, deficit + missing);
        if (covered != 0) {
            uint256 toIncentives = covered.min(missing);
            uint256 toSuppliers = covered - toIncentives;
            pool.supplied += toSuppliers;
            pool.reserve += toIncentives;
            paid += toIncentives;
            emit DeficitCovered(assetId, data.fund, toSuppliers, toIncentives);
        }
        uint256 fromSuppliers = deficit.min(pool.supplied);
        pool.supplied -= fromSuppliers;
        pool.reserve -= deficit - fromSuppliers + paid;
    }

    /// @dev Asks the fund for `amount` and counts what it really pays. A fund that fails covers nothing: it must not
    /// be able to stop a settlement.
    function _cover(AssetData storage data, uint256 amount) private returns (uint256 covered) {
        address fund = data.fund;
        if (fund == address(0) || amount == 0) return 0;
        address token = data.token;
        uint256 before = SafeTransferLib.balanceOf(token, address(this));
        _requireGas();
        (uint256 gas_, bytes4 selector) = (FUND_GAS, IInsuranceFund.cover.selector);
        bool success;
        assembly ("memory-safe") {
            mstore(0x00, selector)
            mstore(0x04, amount)
            success := call(gas_, fund, 0, 0x00, 0x24, 0x00, 0x00)
        }
        if (!success) return 0;
        covered = SafeTransferLib.balanceOf(token, address(this)).zeroFloorSub(before).min(amount);
    }

    /// @dev What a fund says that it would pay; nothing where there is none or it does not answer.
    function _coverable(address fund) private view returns (uint256 amount) {
        if (fund == address(0)) return 0;
        _requireGas();
        (uint256 gas_, bytes4 selector) = (FUND_GAS, IInsuranceFund.coverable.selector);
        assembly ("memory-safe") {
            mstore(0x00, selector)
            let success := staticcall(gas_, fund, 0x00, 0x04, 0x00, 0x20)
            if and(success, gt(returndatasize(), 0x1f)) { amount := mload(0x00) }
        }
    }

    /// @dev Refuses to ask a fund with less gas than it is given: else whoever settles could make it fail, and the
    /// suppliers bear what it would have covered.
    function _requireGas() private view {
        uint256 available = gasleft();
        if (available < FUND_GAS_LEFT) revert GasInsufficient(available, FUND_GAS_LEFT);
    }
}

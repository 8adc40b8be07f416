// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IUniswapV3Factory} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Factory.sol";
import {IUniswapV3Pool} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Pool.sol";
import {IUniswapV3SwapCallback} from "@uniswap/v3-core/contracts/interfaces/callback/IUniswapV3SwapCallback.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IFlashProtector} from "../interfaces/IFlashProtector.sol";
import {IProtection} from "../interfaces/IProtection.sol";
import {UniswapV3Price} from "../libraries/UniswapV3Price.sol";
import {WadMath} from "../libraries/WadMath.sol";

/// @title Deleverages protected accounts without capital: sells the collateral first, in a Uniswap V3 pool
/// @notice See `IFlashProtector`.
/// @dev The size is asked for beforehand: in one transaction neither prices nor interest move between question and
/// sale. The pool's callback is answered to the pool in flight alone. Everything that lies here at the end goes to the
/// recipient, so that nothing is worth stealing.
contract FlashProtector is IFlashProtector, IUniswapV3SwapCallback, ReentrancyGuardTransient {
    using WadMath for uint256;

    /// @dev What the pool's callback has to do.
    struct Order {
        address account;
        uint8 collateralId;
        uint8 debtId;
        uint256 repaid;
        uint256 seized;
        address collateralToken;
        address debtToken;
    }

    IProtection public immutable protection;
    IClearingHouse public immutable clearingHouse;
    IUniswapV3Factory public immutable factory;

    /// @dev The pool whose callback is due.
    address private transient _poolInFlight;

    /// @param protection_ Whose accounts. @param house Its clearing house. @param factory_ The Uniswap V3 factory.
    constructor(address protection_, address house, address factory_) {
        protection = IProtection(protection_);
        clearingHouse = IClearingHouse(house);
        factory = IUniswapV3Factory(factory_);
    }

    /// @inheritdoc IFlashProtector
    function deleverageAndSell(
        address account,
        uint8 collateralId,
        uint8 debtId,
        uint256 maxRepaid,
        uint24 feePips,
        uint256 minProfit,
        address recipient
    ) external nonReentrant returns (uint256 repaid, uint256 seized, uint256 profit) {
        Order memory order = _order(account, collateralId, debtId, maxRepaid);
        (repaid, seized) = (order.repaid, order.seized);
        _sell(order, feePips);
        _sweep(order.collateralToken, recipient);
        profit = _sweep(order.debtToken, recipient);
        if (profit < minProfit) {
            revert ProceedsBelowMinimum(repaid + profit, repaid + minProfit.min(type(uint256).max - repaid));
        }
        emit Protected(account, recipient, seized, repaid, profit);
    }

    /// @inheritdoc IUniswapV3SwapCallback
    /// @dev The proceeds are here; with them the debt is repaid, and the collateral that comes pays the pool.
    function uniswapV3SwapCallback(int256 amount0Delta, int256 amount1Delta, bytes calldata data) external {
        if (msg.sender != _poolInFlight) revert CallbackUnauthorised(msg.sender);
        Order memory order = abi.decode(data, (Order));
        uint256 proceeds = SafeTransferLib.balanceOf(order.debtToken, address(this));
        if (proceeds < order.repaid) revert ProceedsBelowMinimum(proceeds, order.repaid);
        SafeTransferLib.safeApproveWithRetry(order.debtToken, address(protection), order.repaid);
        protection.deleverage(
            order.account, order.collateralId, order.debtId, order.repaid, order.seized, address(this), ""
        );
        // forge-lint: disable-next-line(unsafe-typecast) -- exactly one of the two is positive: the input
        uint256 owed = uint256(amount0Delta > 0 ? amount0Delta : amount1Delta);
        SafeTransferLib.safeTransfer(order.collateralToken, msg.sender, owed);
    }

    function _order(address account, uint8 collateralId, uint8 debtId, uint256 maxRepaid)
        private
        view
        returns (Order memory order)
    {
        (order.account, order.collateralId, order.debtId) = (account, collateralId, debtId);
        (order.repaid, order.seized) = protection.quote(account, collateralId, debtId, maxRepaid);
        (order.collateralToken,) = clearingHouse.asset(collateralId);
        (order.debtToken,) = clearingHouse.asset(debtId);
    }

    /// @dev Sells what will be received, as far as the pool goes.
    function _sell(Order memory order, uint24 feePips) private {
        address pool = factory.getPool(order.collateralToken, order.debtToken, feePips);
        if (pool == address(0)) revert PoolMissing(order.collateralToken, order.debtToken, feePips);
        bool zeroForOne = order.collateralToken < order.debtToken;
        uint160 limit = UniswapV3Price.extremeLimit(zeroForOne);
        _poolInFlight = pool;
        // forge-lint: disable-next-line(unsafe-typecast) -- amounts are stored in 128 bits
        IUniswapV3Pool(pool).swap(address(this), zeroForOne, int256(order.seized), limit, abi.encode(order));
        _poolInFlight = address(0);
    }

    /// @dev Sends all of a token on.
    function _sweep(address token, address recipient) private returns (uint256 amount) {
        amount = SafeTransferLib.balanceOf(token, address(this));
        if (amount != 0) SafeTransferLib.safeTransfer(token, recipient, amount);
    }
}

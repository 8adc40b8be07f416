// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IUniswapV3Factory} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Factory.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IFlashTaker} from "../interfaces/IFlashTaker.sol";
import {ILiquidationEngine} from "../interfaces/ILiquidationEngine.sol";
import {ITakeCallback} from "../interfaces/ITakeCallback.sol";
import {UniswapV3Seller} from "../libraries/UniswapV3Seller.sol";

/// @title Takes without capital: buys at the reserve, sells in a Uniswap V3 pool, pays from the proceeds
/// @notice See `IFlashTaker`. The profit stays here until the owner withdraws it.
/// @dev Two callbacks, each answered to one caller only and only while one of our own takes is under way: the clearing
/// house hands the collateral over, then the pool asks for it. Approvals are exact and used up in the same call. What
/// lies here from earlier takes is never spent: a take must end with more of the debt asset than it began with.
contract FlashTaker is IFlashTaker, ITakeCallback, UniswapV3Seller, Ownable2Step {
    ILiquidationEngine public immutable engine;
    IClearingHouse public immutable clearingHouse;
    IUniswapV3Factory public immutable factory;

    mapping(address operator => bool) public isOperator;

    /// @dev Fee of the pool to sell into, plus one: not zero while a take is under way.
    uint256 private transient _feeInFlight;

    /// @param owner_ May withdraw. @param engine_ The liquidation engine. @param factory_ The Uniswap V3 factory.
    constructor(address owner_, address engine_, address factory_) Ownable(owner_) {
        engine = ILiquidationEngine(engine_);
        clearingHouse = IClearingHouse(ILiquidationEngine(engine_).clearingHouse());
        factory = IUniswapV3Factory(factory_);
    }

    // ------------------------------------------------------------------ take

    /// @inheritdoc IFlashTaker
    function takeAndSell(
        address account,
        uint8 collateralId,
        uint8 debtId,
        uint256 maxSeized,
        uint256 maxPrice,
        uint24 feePips,
        uint256 minProfit
    ) external returns (uint256 seized, uint256 profit) {
        if (msg.sender != owner() && !isOperator[msg.sender]) revert OperatorUnauthorised(msg.sender);
        (address debtToken,) = clearingHouse.asset(debtId);
        uint256 before = SafeTransferLib.balanceOf(debtToken, address(this));
        _feeInFlight = uint256(feePips) + 1;
        uint256 payment;
        (seized, payment) = engine.take(account, collateralId, debtId, maxSeized, maxPrice, address(this), hex"01");
        _feeInFlight = 0;
        uint256 held = SafeTransferLib.balanceOf(debtToken, address(this));
        profit = held > before ? held - before : 0;
        if (held < before || profit < minProfit) revert ProfitBelowMinimum(profit, minProfit);
        emit Taken(account, seized, payment, profit);
    }

    // ------------------------------------------------------------------ callbacks

    /// @inheritdoc ITakeCallback
    /// @dev Sells the collateral; a pool that runs dry leaves the rest here, for the owner. What the sale brings is
    /// judged once, by the profit of the whole take.
    function onTake(
        address,
        address collateralToken,
        uint256 seized,
        address debtToken,
        uint256 payment,
        bytes calldata
    ) external returns (bytes4) {
        uint256 fee = _feeInFlight;
        if (msg.sender != address(clearingHouse) || fee == 0) revert CallbackUnauthorised(msg.sender);
        uint24 feePips = uint24(fee - 1);
        address pool = factory.getPool(collateralToken, debtToken, feePips);
        if (pool == address(0)) revert PoolMissing(collateralToken, debtToken, feePips);
        _sellIn(pool, collateralToken, debtToken, seized, address(this));
        SafeTransferLib.safeApproveWithRetry(debtToken, msg.sender, payment);
        return ITakeCallback.onTake.selector;
    }

    // ------------------------------------------------------------------ owner

    /// @inheritdoc IFlashTaker
    function setOperator(address operator, bool approved) external onlyOwner {
        isOperator[operator] = approved;
        emit OperatorSet(operator, approved);
    }

    /// @inheritdoc IFlashTaker
    function withdraw(address token, uint256 amount, address receiver) external onlyOwner {
        SafeTransferLib.safeTransfer(token, receiver, amount);
    }
}

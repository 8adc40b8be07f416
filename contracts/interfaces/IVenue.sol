// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title A market that the liquidation engine may sell through
/// @dev Venues are whitelisted by governance. A venue holds no funds between calls. What `data` means is the venue's
/// own affair; it names where to sell, never how much or for how little.
interface IVenue {
    /// @notice Thrown when no usable pool exists for a pair on `path`.
    error PoolMissing(address tokenIn, address tokenOut, bytes path);
    /// @notice Thrown when `data` is no route from one token to the other.
    error RouteInvalid(address tokenIn, address tokenOut, bytes32 reason);
    /// @notice Thrown when a pool's record does not reach back over the window.
    error HistoryMissing(address pool, uint32 window);
    /// @notice Thrown when a sale brings less than asked for.
    error ProceedsBelowMinimum(uint256 amountOut, uint256 minAmountOut);
    /// @notice Thrown when a pool takes less than the whole input.
    error InputUnspent(uint256 amountIn, uint256 spent);
    /// @notice Thrown when a pool's callback does not come from the pool that was called.
    error CallbackUnauthorised(address caller);

    /// @notice What `amountIn` would bring at the best present marginal price after fees: an upper bound on any sale,
    /// since the price only falls as one sells. Rounded UP, because the engine sizes with it and a higher price gives
    /// the smaller slice.
    /// @return amountOut Token units of `tokenOut`.
    function amountOutAtSpot(address tokenIn, address tokenOut, uint256 amountIn, bytes calldata data)
        external
        view
        returns (uint256 amountOut);

    /// @notice What `amountIn` is worth in `tokenOut`, before fees, at the time-weighted mean price of each way that
    /// `data` names: the worst and the best of them. To be held against an oracle; it bounds no sale.
    /// @param window Seconds back from now that the mean is taken over, above zero.
    /// @return lowest Token units of `tokenOut` by the worst way, rounded down.
    /// @return highest The same by the best way, rounded down.
    function priceBounds(address tokenIn, address tokenOut, uint256 amountIn, bytes calldata data, uint32 window)
        external
        view
        returns (uint256 lowest, uint256 highest);

    /// @notice Sells exactly `amountIn`, which the caller has sent to the venue before, to `recipient`.
    /// @return amountOut At least `minAmountOut`.
    function swap(
        address tokenIn,
        address tokenOut,
        uint256 amountIn,
        uint256 minAmountOut,
        address recipient,
        bytes calldata data
    ) external returns (uint256 amountOut);
}

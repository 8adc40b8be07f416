// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title A market that the liquidation engine may sell through
/// @dev Venues are whitelisted by governance. A venue holds no funds between calls.
interface IVenue {
    /// @notice Thrown when no usable pool exists for the pair and `data`.
    error PoolMissing(address tokenIn, address tokenOut, bytes data);
    /// @notice Thrown when a sale brings less than asked for.
    error ProceedsBelowMinimum(uint256 amountOut, uint256 minAmountOut);
    /// @notice Thrown when a pool takes less than the whole input.
    error InputUnspent(uint256 amountIn, uint256 spent);
    /// @notice Thrown when a pool's callback does not come from the pool that was called.
    error CallbackUnauthorised(address caller);

    /// @notice What `amountIn` would bring at the present marginal price after fees: an upper bound on any sale, since
    /// the price only falls as one sells. Rounded UP, because the engine sizes with it and a higher price gives the
    /// smaller slice.
    function amountOutAtSpot(address tokenIn, address tokenOut, uint256 amountIn, bytes calldata data)
        external
        view
        returns (uint256 amountOut);

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

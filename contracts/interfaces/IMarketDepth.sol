// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title How much of an asset the market takes
/// @notice Depth of an asset's Uniswap V3 pools in quote value, from the harmonic mean of their liquidity over a
/// window, so that liquidity moved inside one block counts for nothing; and what they paid for it of late.
/// @dev A pool of liquidity L between assets that are worth v and w per token unit behaves around its price as if it
/// held K = L * sqrt(v * w) of value on each side. Paths add up; two pools one behind the other are as deep as
/// 1 / (1/K1 + 1/K2). Values come from the oracle, never from a pool's price of the moment.
interface IMarketDepth {
    /// @notice A way from an asset to what it is sold for: one pool, or two one behind the other.
    /// @param first Uniswap V3 pool that trades the asset.
    /// @param second Pool that trades what `first` pays; zero where one pool is the whole way.
    struct Path {
        address first;
        address second;
    }

    /// @notice The paths of an asset were set.
    event PathsSet(uint8 indexed assetId, Path[] paths);
    /// @notice The window of the mean was set, seconds.
    event WindowSet(uint32 window);

    /// @notice Thrown when an asset has no path.
    error PathsMissing(uint8 assetId);
    /// @notice Thrown when a path cannot be used: no pool of the factory, of other assets, used twice, one too many.
    error PathRefused(uint8 assetId, uint256 index, bytes32 reason);
    /// @notice Thrown when a move of the price is not above 0 and below 10,000 basis points.
    error MoveOutOfBounds(uint256 bps);
    /// @notice Thrown when a window is out of bounds, seconds.
    error WindowOutOfBounds(uint256 window, uint256 lower, uint256 upper);

    /// @notice Sets the paths that an asset is sold and bought on, at most `MAX_PATHS` (AccessManager). None: no depth.
    /// @param assetId Index of the asset in the clearing house.
    /// @param paths Every other asset on a path needs a price, too.
    function setPaths(uint8 assetId, Path[] calldata paths) external;

    /// @notice Sets the window of the mean, seconds (AccessManager).
    function setWindow(uint32 window) external;

    /// @notice Quote value of the asset that moves its price by `bps` when it is sold (`side` 0: down to 1 - bps) or
    /// bought (`side` 1: up to 1 + bps), at the oracle's price before the sale and before fees.
    /// @dev sold: K * (1 / sqrt(1 - bps) - 1); bought: K * (1 - 1 / sqrt(1 + bps)), K summed over the paths. Rounding:
    /// DOWN, since depth is what may be released. A pool whose record does not reach back counts nothing.
    /// @dev Warning: taken as if liquidity were the same at every price; what calls this corrects for the shape.
    /// @param assetId Index of the asset.
    /// @param side 0 where the asset is sold, 1 where it is bought.
    /// @param bps Move of the marginal price, basis points.
    /// @return value WAD quote units.
    function depth(uint8 assetId, uint8 side, uint256 bps) external view returns (uint256 value);

    /// @notice Depth on both sides, as `depth`, and the mean price that the pools paid for the asset over the last
    /// `Parameters.TWAP_WINDOW`, all from one look at each pool.
    /// @dev meanPrice = price * exp(sum K_i * x_i / sum K_i) over the paths, x_i the mean of ln(pool price / oracle
    /// price) along path i, no farther from zero than `Parameters.TWAP_TOLERANCE_BPS`: a pool that nobody trades in
    /// moves it by that times its share of the depth at most. It is a mean over time, so nothing done inside a block
    /// moves it. Rounding: DOWN.
    /// @param assetId Index of the asset.
    /// @param bps Move of the marginal price, basis points.
    /// @return sold Depth where the asset is sold, WAD quote units.
    /// @return bought Depth where it is bought, WAD quote units.
    /// @return meanPrice WAD quote units per whole token; zero where there is no depth.
    function survey(uint8 assetId, uint256 bps) external view returns (uint256 sold, uint256 bought, uint256 meanPrice);

    /// @notice The sum K of an asset's paths, WAD quote units: what `depth` is proportional to. Reverts with
    /// `UniswapV3History.PoolUnreadable` where a pool does not answer, as where a caller gives it too little gas.
    function virtualDepth(uint8 assetId) external view returns (uint256 value);

    /// @notice The paths of an asset.
    function paths(uint8 assetId) external view returns (Path[] memory);

    /// @notice Window of the mean, seconds.
    function window() external view returns (uint32);
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/interfaces/IERC20Metadata.sol";
import {IUniswapV3Factory} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Factory.sol";
import {IUniswapV3Pool} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Pool.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IMarketDepth} from "../interfaces/IMarketDepth.sol";
import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {DepthMath} from "../libraries/DepthMath.sol";
import {Parameters} from "../libraries/Parameters.sol";
import {UniswapV3History} from "../libraries/UniswapV3History.sol";
import {BPS, WAD_PER_BPS, WadMath} from "../libraries/WadMath.sol";

/// @title How much of an asset the market takes
/// @notice See `IMarketDepth` for what it measures, `DepthMath` for the formulas.
contract MarketDepth is IMarketDepth, AccessManaged {
    using WadMath for uint256;

    /// @dev A path with what is behind each pool. `middle` is what the first pool pays; `end`, what the second.
    struct PathData {
        address first;
        uint8 middleDecimals;
        address middle;
        address second;
        uint8 endDecimals;
        address end;
    }

    /// @dev A token's worth: WAD quote units per `unit` token units.
    struct Worth {
        address token;
        uint256 price;
        uint256 unit;
    }

    /// @dev What a pool, a path or a market is: its depth K, and its mean of ln(pool price / oracle price), WAD.
    struct Reading {
        uint256 depth;
        int256 premium;
    }

    uint256 internal constant MAX_PATHS = 4;
    /// @dev Of a path, WAD, as a logarithm.
    int256 private constant PREMIUM_MAX = int256(Parameters.TWAP_TOLERANCE_BPS * WAD_PER_BPS);

    IClearingHouse public immutable clearingHouse;
    IUniswapV3Factory public immutable factory;

    /// @inheritdoc IMarketDepth
    uint32 public window = Parameters.DEPTH_WINDOW;
    mapping(uint8 assetId => PathData[]) private _paths;

    /// @param authority AccessManager that governs.
    /// @param house Names tokens and oracle.
    /// @param factory_ Uniswap V3 factory whose pools count.
    constructor(address authority, address house, address factory_) AccessManaged(authority) {
        clearingHouse = IClearingHouse(house);
        factory = IUniswapV3Factory(factory_);
        emit WindowSet(Parameters.DEPTH_WINDOW);
    }

    // ------------------------------------------------------------------ governance

    /// @inheritdoc IMarketDepth
    function setPaths(uint8 assetId, Path[] calldata paths_) external restricted {
        if (paths_.length > MAX_PATHS) revert PathRefused(assetId, MAX_PATHS, "too many");
        (address token,) = clearingHouse.asset(assetId);
        delete _paths[assetId];
        for (uint256 i = 0; i < paths_.length; ++i) {
            _requireNew(assetId, i, paths_[i]);
            _paths[assetId].push(_followed(assetId, i, token, paths_[i]));
        }
        emit PathsSet(assetId, paths_);
    }

    /// @inheritdoc IMarketDepth
    function setWindow(uint32 window_) external restricted {
        (uint256 least, uint256 most) = (Parameters.DEPTH_WINDOW_MIN, Parameters.DEPTH_WINDOW_MAX);
        if (window_ < least || window_ > most) revert WindowOutOfBounds(window_, least, most);
        window = window_;
        emit WindowSet(window_);
    }

    // ------------------------------------------------------------------ depth

    /// @inheritdoc IMarketDepth
    function depth(uint8 assetId, uint8 side, uint256 bps) external view returns (uint256) {
        if (bps == 0 || bps >= BPS) revert MoveOutOfBounds(bps);
        return DepthMath.moved(virtualDepth(assetId), side == 0, bps);
    }

    /// @inheritdoc IMarketDepth
    function survey(uint8 assetId, uint256 bps)
        external
        view
        returns (uint256 sold, uint256 bought, uint256 meanPrice)
    {
        if (bps == 0 || bps >= BPS) {
            revert MoveOutOfBounds(bps);
        }
        (Reading memory market, uint256 price) = _read(assetId);
        sold = DepthMath.moved(market.depth, true, bps);
        bought = DepthMath.moved(market.depth, false, bps);
        if (market.depth != 0) meanPrice = price.mulDown(uint256(FixedPointMathLib.expWad(market.premium)));
    }

    /// @inheritdoc IMarketDepth
    function virtualDepth(uint8 assetId) public view returns (uint256 value) {
        (Reading memory market,) = _read(assetId);
        return market.depth;
    }

    /// @dev All paths of an asset, the premium weighted by depth, and the asset's price.
    function _read(uint8 assetId) private view returns (Reading memory market, uint256 price) {
        PathData[] storage data = _paths[assetId];
        if (data.length == 0) revert PathsMissing(assetId);
        IPriceOracle oracle = IPriceOracle(clearingHouse.oracle());
        (address token, uint8 decimals) = clearingHouse.asset(assetId);
        Worth memory asset = _worth(oracle, token, decimals);
        price = asset.price;
        for (uint256 i = 0; i < data.length; ++i) {
            Reading memory path = _alongPath(oracle, asset, data[i]);
            market.depth += path.depth;
            market.premium += int256(path.depth) * FixedPointMathLib.clamp(path.premium, -PREMIUM_MAX, PREMIUM_MAX);
        }
        if (market.depth != 0) market.premium /= int256(market.depth);
    }

    /// @inheritdoc IMarketDepth
    function paths(uint8 assetId) external view returns (Path[] memory result) {
        PathData[] storage data = _paths[assetId];
        result = new Path[](data.length);
        for (uint256 i = 0; i < result.length; ++i) {
            result[i] = Path(data[i].first, data[i].second);
        }
    }

    /// @dev One path: what two pools pay multiplies, so its logarithms add up.
    function _alongPath(IPriceOracle oracle, Worth memory asset, PathData memory path)
        private
        view
        returns (Reading memory reading)
    {
        Worth memory middle = _worth(oracle, path.middle, path.middleDecimals);
        reading = _ofPool(path.first, asset, middle);
        if (path.second == address(0)) return reading;
        Reading memory second = _ofPool(path.second, middle, _worth(oracle, path.end, path.endDecimals));
        reading.depth = DepthMath.behind(reading.depth, second.depth);
        reading.premium += second.premium;
    }

    /// @dev One pool, in which `a` is sold for `b`; nothing where its record does not reach back over the window.
    function _ofPool(address pool, Worth memory a, Worth memory b) private view returns (Reading memory reading) {
        (bool known, uint256 liquidity, int256 logPrice) =
            UniswapV3History.liquidityAndPrice(pool, window, Parameters.TWAP_WINDOW);
        if (!known) return reading;
        reading.depth = DepthMath.ofLiquidity(liquidity, a.price, a.unit, b.price, b.unit);
        reading.premium =
            (a.token < b.token ? logPrice : -logPrice) - DepthMath.logRatio(a.price * b.unit, b.price * a.unit);
    }

    function _worth(IPriceOracle oracle, address token, uint8 decimals) private view returns (Worth memory) {
        return Worth(token, oracle.price(token), 10 ** decimals);
    }

    // ------------------------------------------------------------------ checks

    /// @dev Follows a path from the asset, pool by pool; each must be the factory's.
    function _followed(uint8 assetId, uint256 index, address token, Path calldata path)
        private
        view
        returns (PathData memory data)
    {
        address middle = _across(assetId, index, path.first, token);
        (data.first, data.middle, data.middleDecimals) = (path.first, middle, IERC20Metadata(middle).decimals());
        if (path.second == address(0)) return data;
        address end = _across(assetId, index, path.second, middle);
        if (end == token) revert PathRefused(assetId, index, "circle");
        (data.second, data.end, data.endDecimals) = (path.second, end, IERC20Metadata(end).decimals());
    }

    /// @dev The other token of a pool that trades `token`.
    function _across(uint8 assetId, uint256 index, address pool, address token) private view returns (address) {
        if (pool.code.length == 0) revert PathRefused(assetId, index, "no pool");
        (address token0, address token1) = (IUniswapV3Pool(pool).token0(), IUniswapV3Pool(pool).token1());
        if (factory.getPool(token0, token1, IUniswapV3Pool(pool).fee()) != pool) {
            revert PathRefused(assetId, index, "factory");
        }
        if (token != token0 && token != token1) revert PathRefused(assetId, index, "other assets");
        return token == token0 ? token1 : token0;
    }

    /// @dev Refuses a pool that an earlier path uses already: its depth would count twice.
    function _requireNew(uint8 assetId, uint256 index, Path calldata path) private view {
        for (uint256 i = 0; i < index; ++i) {
            PathData storage other = _paths[assetId][i];
            bool again = path.first == other.first || path.first == other.second || path.second == other.first;
            if (again || (path.second != address(0) && path.second == other.second)) {
                revert PathRefused(assetId, index, "used twice");
            }
        }
    }
}

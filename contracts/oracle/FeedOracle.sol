// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

import {IAggregatorV3} from "../interfaces/IAggregatorV3.sol";
import {IPriceOracle} from "../interfaces/IPriceOracle.sol";
import {AggregatorRead} from "../libraries/AggregatorRead.sol";
import {DecimalFloat} from "../libraries/DecimalFloat.sol";
import {Parameters} from "../libraries/Parameters.sol";
import {BPS, WadMath} from "../libraries/WadMath.sol";

/// @title What every price oracle of Sluice does
/// @notice See `IPriceOracle`. A price passes or the call reverts with the figures that refuse it: a caller never has
/// to ask whether the number it got is good.
/// @dev One slot per source. The first source's slot says whether there is a second.
abstract contract FeedOracle is IPriceOracle, AccessManaged {
    using DecimalFloat for uint24;
    using DecimalFloat for uint256;
    using WadMath for uint256;

    /// @dev A source and its scale, in one slot.
    /// @param maxAge Seconds.
    /// @param decimals Of the answers, read once when it was set.
    /// @param minAnswer Bound as a decimal float, as `maxAnswer`.
    /// @param maxDeviationBps In a first source: how far the second may be from it; zero where there is none.
    struct Source {
        address aggregator;
        uint24 maxAge;
        uint8 decimals;
        uint24 minAnswer;
        uint24 maxAnswer;
        uint16 maxDeviationBps;
    }

    /// @dev Decimals of the prices given out.
    uint8 private constant PRICE_DECIMALS = 18;

    mapping(address token => Source) private _primaries;
    mapping(address token => Source) private _secondaries;

    // ------------------------------------------------------------------ governance

    /// @inheritdoc IPriceOracle
    function setFeed(address token, Feed calldata feed_) external restricted {
        Source memory source = _checked(token, feed_);
        if (source.aggregator == _secondaries[token].aggregator) revert FeedRefused(token, "same source");
        source.maxDeviationBps = _primaries[token].maxDeviationBps;
        _primaries[token] = source;
        emit FeedSet(token, feed_, source.decimals);
    }

    /// @inheritdoc IPriceOracle
    function setSecondary(address token, Feed calldata feed_, uint16 maxDeviationBps) external restricted {
        if (_primaries[token].aggregator == address(0)) revert FeedMissing(token);
        bool none = feed_.aggregator == address(0);
        if (none != (maxDeviationBps == 0) || maxDeviationBps > Parameters.SOURCE_DEVIATION_MAX_BPS) {
            revert FeedRefused(token, "deviation");
        }
        Source memory source;
        if (!none) source = _checked(token, feed_);
        if (!none && source.aggregator == _primaries[token].aggregator) revert FeedRefused(token, "same source");
        _secondaries[token] = source;
        _primaries[token].maxDeviationBps = maxDeviationBps;
        emit SecondarySet(token, feed_, source.decimals, maxDeviationBps);
    }

    // ------------------------------------------------------------------ prices

    /// @inheritdoc IPriceOracle
    /// @dev Exact: a feed has at most 18 decimals, so scaling only multiplies.
    function price(address token) external view returns (uint256 answer) {
        upSince();
        uint256 maxDeviationBps;
        (answer, maxDeviationBps) = _read(token, _primaries[token]);
        if (maxDeviationBps != 0) _requireAgreement(token, answer, maxDeviationBps);
    }

    /// @inheritdoc IPriceOracle
    function lastDrop(address token) external view returns (uint256 dropBps, uint256 updatedAt) {
        address aggregator = _primaries[token].aggregator;
        if (aggregator == address(0)) revert FeedMissing(token);
        (bool known, AggregatorRead.Round memory last) = AggregatorRead.latest(aggregator);
        if (!known) revert FeedUnreadable(token, aggregator);
        updatedAt = last.updatedAt;
        AggregatorRead.Round memory previous;
        (known, previous) = AggregatorRead.round(aggregator, last.id - 1);
        if (!known || previous.answer <= 0 || last.answer >= previous.answer) return (0, updatedAt);
        uint256 fallen = uint256(previous.answer) - (last.answer > 0 ? uint256(last.answer) : 0);
        dropBps = fallen.mulDivDown(BPS, uint256(previous.answer));
    }

    /// @inheritdoc IPriceOracle
    function feed(address token) external view returns (Feed memory) {
        return _unpacked(_primaries[token]);
    }

    /// @inheritdoc IPriceOracle
    function secondary(address token) external view returns (Feed memory, uint16 maxDeviationBps) {
        return (_unpacked(_secondaries[token]), _primaries[token].maxDeviationBps);
    }

    /// @inheritdoc IPriceOracle
    function upSince() public view virtual returns (uint256);

    // ------------------------------------------------------------------ sources

    /// @dev The price that a source gives, WAD, and how far a second one may be from it; reverts where it is refused.
    function _read(address token, Source storage source)
        private
        view
        returns (uint256 price_, uint256 maxDeviationBps)
    {
        address aggregator = source.aggregator;
        if (aggregator == address(0)) revert FeedMissing(token);
        (uint256 minAnswer, uint256 maxAnswer) = (source.minAnswer.unpack(), source.maxAnswer.unpack());
        (uint256 maxAge, uint8 decimals) = (source.maxAge, source.decimals);
        maxDeviationBps = source.maxDeviationBps;
        (bool known, int256 answer, uint256 updatedAt) = AggregatorRead.latestAnswer(aggregator);
        if (!known) revert FeedUnreadable(token, aggregator);
        if (answer <= 0) revert PriceNotPositive(token, answer);
        if (uint256(answer) <= minAnswer || uint256(answer) >= maxAnswer) {
            revert PriceClamped(token, answer, int256(minAnswer), int256(maxAnswer));
        }
        if (updatedAt > block.timestamp || block.timestamp - updatedAt > maxAge) {
            revert PriceStale(token, updatedAt, maxAge);
        }
        price_ = _scaled(uint256(answer), decimals);
    }

    /// @dev Refuses a price that the second source does not confirm: |p - q| <= deviation * p.
    function _requireAgreement(address token, uint256 first, uint256 maxDeviationBps) private view {
        (uint256 second,) = _read(token, _secondaries[token]);
        uint256 apart = first > second ? first - second : second - first;
        if (apart * BPS > first * maxDeviationBps) revert SourcesDisagree(token, first, second, maxDeviationBps);
    }

    /// @dev A feed as it is stored, or `FeedRefused`.
    function _checked(address token, Feed calldata feed_) private view returns (Source memory) {
        if (token == address(0)) revert FeedRefused(token, "no token");
        if (feed_.aggregator.code.length == 0) revert FeedRefused(token, "no code");
        if (feed_.maxAge == 0) revert FeedRefused(token, "zero age");
        if (feed_.maxAge > type(uint24).max) revert FeedRefused(token, "age");
        if (feed_.minAnswer >= feed_.maxAnswer) revert FeedRefused(token, "bounds reversed");
        uint8 decimals = IAggregatorV3(feed_.aggregator).decimals();
        if (decimals > PRICE_DECIMALS) revert FeedRefused(token, "decimals");
        if (feed_.maxAnswer <= 0 || _scaled(uint128(feed_.maxAnswer), decimals) > Parameters.PRICE_MAX_WAD) {
            revert FeedRefused(token, "upper bound");
        }
        if (feed_.minAnswer < 0) revert FeedRefused(token, "lower bound");
        return Source({
            aggregator: feed_.aggregator,
            maxAge: uint24(feed_.maxAge),
            decimals: decimals,
            minAnswer: _packed(token, uint128(feed_.minAnswer)),
            maxAnswer: _packed(token, uint128(feed_.maxAnswer)),
            maxDeviationBps: 0
        });
    }

    /// @dev A bound as it is stored; one with too many digits is refused rather than rounded.
    function _packed(address token, uint256 bound) private pure returns (uint24 packed) {
        bool exact;
        (exact, packed) = bound.pack();
        if (!exact) revert FeedRefused(token, "digits");
    }

    function _unpacked(Source memory source) private pure returns (Feed memory) {
        return Feed({
            aggregator: source.aggregator,
            maxAge: source.maxAge,
            minAnswer: int128(uint128(source.minAnswer.unpack())),
            maxAnswer: int128(uint128(source.maxAnswer.unpack()))
        });
    }

    /// @dev A raw answer in WAD. Answers are below a bound of 127 bits, decimals at most 18: no overflow.
    function _scaled(uint256 answer, uint8 decimals) private pure returns (uint256) {
        unchecked {
            return answer * 10 ** (PRICE_DECIMALS - decimals);
        }
    }
}

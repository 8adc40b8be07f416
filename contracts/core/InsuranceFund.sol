// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/interfaces/IERC20Metadata.sol";
import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {IInsuranceFund} from "../interfaces/IInsuranceFund.sol";
import {Parameters} from "../libraries/Parameters.sol";
import {WadMath} from "../libraries/WadMath.sol";

/// @title Insurance fund of one asset: bears deficits before the suppliers do
/// @notice See `IInsuranceFund`.
/// @dev Two prices of a share, and each caller gets the one that favours the others: in by all assets, out by what is
/// left of them after pending deficits. OpenZeppelin's conversions tell the two apart by their rounding, which for the
/// same reason is always in favour of the fund. Six virtual decimals protect the first depositors: an inflated share
/// costs whoever inflates it a million times what it can cost those who come after.
/// What depositors do holds one transient lock, since a deposit arrives before its shares are minted: until then each
/// share seems to be worth more. `cover` holds none, so that nobody can keep the fund from paying by being inside it.
contract InsuranceFund is IInsuranceFund, ERC4626, AccessManaged, ReentrancyGuardTransient {
    using WadMath for uint256;

    /// @dev Shares that cool down in the fund for one owner.
    struct Request {
        uint208 shares;
        uint40 readyAt;
    }

    uint8 private constant VIRTUAL_DECIMALS = 6;
    /// @dev Most assets, and most shares, that come in at once: no conversion overflows.
    uint256 private constant MOST = type(uint128).max;

    /// @inheritdoc IInsuranceFund
    address public immutable clearingHouse;
    /// @inheritdoc IInsuranceFund
    uint8 public immutable assetId;

    /// @notice Seconds between a request and its payment.
    uint32 public cooldown = Parameters.FUND_COOLDOWN;
    /// @notice Largest part of the fund that one event may cost, basis points.
    uint16 public capBps = Parameters.FUND_CAP_BPS;
    /// @notice Seconds that an event lasts.
    uint32 public eventDuration = Parameters.FUND_EVENT_DURATION;
    /// @dev When the event that runs ends, unix seconds, and what it may still cost.
    uint40 private _eventEnd;
    uint128 private _eventLeft;

    mapping(address owner => Request) private _requests;

    /// @param authority AccessManager that governs.
    /// @param house The clearing house that is insured.
    /// @param assetId_ Index of the asset there.
    constructor(address authority, address house, uint8 assetId_)
        ERC20(
            string.concat("Sluice insurance of ", _token(house, assetId_).symbol()),
            string.concat("si", _token(house, assetId_).symbol())
        )
        ERC4626(_token(house, assetId_))
        AccessManaged(authority)
    {
        (clearingHouse, assetId) = (house, assetId_);
        emit CooldownSet(Parameters.FUND_COOLDOWN);
        emit CapSet(Parameters.FUND_CAP_BPS, Parameters.FUND_EVENT_DURATION);
    }

    // ------------------------------------------------------------------ clearing house

    /// @inheritdoc IInsuranceFund
    function cover(uint256 deficit) external returns (uint256 covered) {
        if (msg.sender != clearingHouse) revert HouseUnauthorised(msg.sender);
        uint256 left = _eventAllowance();
        covered = deficit.min(left).min(totalAssets());
        if (covered == 0) return 0;
        if (block.timestamp >= _eventEnd) _eventEnd = uint40(block.timestamp + eventDuration);
        _eventLeft = (left - covered).toUint128();
        emit DeficitCovered(deficit, covered);
        SafeTransferLib.safeTransfer(asset(), msg.sender, covered);
    }

    // ------------------------------------------------------------------ depositors

    /// @inheritdoc IInsuranceFund
    function requestRedeem(uint256 shares) external nonReentrant {
        if (shares == 0) revert ZeroShares();
        Request storage request = _requests[msg.sender];
        uint256 cooling = uint256(request.shares) + SafeCastLib.toUint208(shares);
        uint40 readyAt = uint40(block.timestamp + cooldown);
        (request.shares, request.readyAt) = (SafeCastLib.toUint208(cooling), readyAt);
        emit RedeemRequested(msg.sender, shares, cooling, readyAt);
        _transfer(msg.sender, address(this), shares);
    }

    /// @inheritdoc IInsuranceFund
    function cancelRequest(uint256 shares) external nonReentrant {
        if (shares == 0) revert ZeroShares();
        _takeRequested(msg.sender, shares);
        emit RequestCancelled(msg.sender, shares);
        _transfer(address(this), msg.sender, shares);
    }

    // ------------------------------------------------------------------ governance

    /// @inheritdoc IInsuranceFund
    function setCooldown(uint32 cooldown_) external restricted {
        _requireWithin("cooldown", cooldown_, Parameters.FUND_COOLDOWN_MIN, Parameters.FUND_COOLDOWN_MAX);
        cooldown = cooldown_;
        emit CooldownSet(cooldown_);
    }

    /// @inheritdoc IInsuranceFund
    function setCap(uint16 capBps_, uint32 eventDuration_) external restricted {
        _requireWithin("capBps", capBps_, Parameters.FUND_CAP_MIN_BPS, Parameters.FUND_CAP_MAX_BPS);
        (uint256 least, uint256 most) = (Parameters.FUND_EVENT_DURATION_MIN, Parameters.FUND_EVENT_DURATION_MAX);
        _requireWithin("eventDuration", eventDuration_, least, most);
        (capBps, eventDuration) = (capBps_, eventDuration_);
        emit CapSet(capBps_, eventDuration_);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IInsuranceFund
    function requestOf(address owner) external view returns (uint256 shares, uint40 readyAt) {
        Request memory request = _requests[owner];
        return (request.shares, request.readyAt);
    }

    /// @inheritdoc IInsuranceFund
    function coverable() external view returns (uint256) {
        return _eventAllowance().min(totalAssets());
    }

    /// @inheritdoc IInsuranceFund
    function withdrawableAssets() public view returns (uint256) {
        return totalAssets().zeroFloorSub(IClearingHouse(clearingHouse).pendingDeficit(assetId));
    }

    /// @inheritdoc IERC4626
    function maxDeposit(address) public pure override(ERC4626, IERC4626) returns (uint256) {
        return MOST;
    }

    /// @inheritdoc IERC4626
    function maxMint(address) public pure override(ERC4626, IERC4626) returns (uint256) {
        return MOST;
    }

    /// @inheritdoc IERC4626
    /// @dev Of what has cooled down, while its window is open. A request that never closed would be an exit that its
    /// owner can keep for the day on which he sees a loss coming.
    function maxRedeem(address owner) public view override(ERC4626, IERC4626) returns (uint256) {
        Request memory request = _requests[owner];
        uint256 closesAt = uint256(request.readyAt) + Parameters.FUND_WINDOW;
        return block.timestamp < request.readyAt || block.timestamp >= closesAt ? 0 : request.shares;
    }

    // ------------------------------------------------------------------ accounting

    /// @dev `Floor` is asked for deposits, at all assets; `Ceil` for withdrawals, at what is left for those who leave.
    function _convertToShares(uint256 assets, Math.Rounding rounding) internal view override returns (uint256) {
        uint256 backing = rounding == Math.Rounding.Floor ? totalAssets() : withdrawableAssets();
        return Math.mulDiv(assets, totalSupply() + 10 ** VIRTUAL_DECIMALS, backing + 1, rounding);
    }

    /// @dev `Ceil` is asked for mints, at all assets; `Floor` for redemptions, at what is left for those who leave.
    function _convertToAssets(uint256 shares, Math.Rounding rounding) internal view override returns (uint256) {
        uint256 backing = rounding == Math.Rounding.Ceil ? totalAssets() : withdrawableAssets();
        return Math.mulDiv(shares, backing + 1, totalSupply() + 10 ** VIRTUAL_DECIMALS, rounding);
    }

    /// @dev Under the lock from before the tokens move until the shares are there.
    function _deposit(address caller, address receiver, uint256 assets, uint256 shares) internal override nonReentrant {
        super._deposit(caller, receiver, assets, shares);
    }

    /// @dev Shares that are redeemed lie in the fund; the allowance is still the owner's to give.
    function _withdraw(address caller, address receiver, address owner, uint256 assets, uint256 shares)
        internal
        override
        nonReentrant
    {
        if (caller != owner) _spendAllowance(owner, caller, shares);
        _takeRequested(owner, shares);
        _burn(address(this), shares);
        _transferOut(receiver, assets);
        emit Withdraw(caller, receiver, owner, assets, shares);
    }

    function _decimalsOffset() internal pure override returns (uint8) {
        return VIRTUAL_DECIMALS;
    }

    function _takeRequested(address owner, uint256 shares) private {
        uint256 requested = _requests[owner].shares;
        if (shares > requested) revert RequestTooLarge(shares, requested);
        _requests[owner].shares = uint208(requested - shares);
    }

    /// @dev What the event that runs, or one that began now, may cost. Rounding: DOWN.
    function _eventAllowance() private view returns (uint256) {
        return block.timestamp < _eventEnd ? _eventLeft : totalAssets().bpsDown(capBps);
    }

    /// @dev The token that a clearing house lists.
    function _token(address house, uint8 assetId_) private view returns (IERC20Metadata) {
        (address token,) = IClearingHouse(house).asset(assetId_);
        return IERC20Metadata(token);
    }

    function _requireWithin(bytes32 name, uint256 value, uint256 lower, uint256 upper) private pure {
        if (value < lower || value > upper) revert SettingOutOfBounds(name, value, lower, upper);
    }
}

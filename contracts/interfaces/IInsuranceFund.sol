// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";

/// @title Insurance fund of one asset: bears deficits before the suppliers do
/// @notice An ERC-4626 vault. Depositors earn what the clearing house sets aside of penalties and interest, and stand
/// in for bad debt in the fund's asset. Leaving takes two steps: `requestRedeem`, then after the cooldown, within two
/// days, `redeem` or `withdraw`; later it takes a `cancelRequest` and a new request. Shares that cool down lie in the
/// fund, earn and lose as all others.
/// @dev `totalAssets` is what the fund holds. Whoever comes in pays by it; whoever leaves is paid by what is left of it
/// after the deficits that are pending in the clearing house. So a loss that everybody can see coming is borne by all,
/// and a pending deficit that comes to nothing was no chance to buy cheaply.
interface IInsuranceFund is IERC4626 {
    /// @notice Shares started to cool down.
    event RedeemRequested(address indexed owner, uint256 shares, uint256 cooling, uint40 readyAt);
    /// @notice Shares that cooled down went back to their owner.
    event RequestCancelled(address indexed owner, uint256 shares);
    /// @notice A deficit was covered, in part or whole.
    event DeficitCovered(uint256 deficit, uint256 covered);
    /// @notice Seconds between a request and its payment were set.
    event CooldownSet(uint32 cooldown);
    /// @notice The largest part of the fund that one event may cost was set, and how long an event lasts.
    event CapSet(uint16 capBps, uint32 eventDuration);

    /// @notice Thrown when someone else than the clearing house asks for cover.
    error HouseUnauthorised(address caller);
    /// @notice Thrown when more is cancelled than lies in the fund.
    error RequestTooLarge(uint256 shares, uint256 requested);
    /// @notice Thrown when an amount is zero.
    error ZeroShares();
    /// @notice Thrown when a setting is out of bounds.
    error SettingOutOfBounds(bytes32 name, uint256 value, uint256 lower, uint256 upper);

    // ------------------------------------------------------------------ clearing house

    /// @notice Pays up to `deficit` to the clearing house, at most what is left of the event's cap. House only.
    /// @dev An event begins with a covered deficit and lasts `eventDuration`; the cap is a part of what the fund held
    /// at its beginning, so that a deficit booked in many slices costs no more than one booked whole.
    /// @param deficit Token units.
    /// @return covered Token units paid.
    function cover(uint256 deficit) external returns (uint256 covered);

    // ------------------------------------------------------------------ depositors

    /// @notice Lets shares of the caller cool down. All that cool down for the caller start anew.
    /// @param shares Shares to lay into the fund.
    function requestRedeem(uint256 shares) external;

    /// @notice Takes shares back that cool down or have cooled down.
    function cancelRequest(uint256 shares) external;

    // ------------------------------------------------------------------ governance (AccessManager)

    /// @notice Sets the cooldown, seconds. Requests that stand keep their time.
    function setCooldown(uint32 cooldown) external;

    /// @notice Sets the cap of an event, basis points of the fund, and its length in seconds. An event that runs keeps
    /// what is left of its cap.
    function setCap(uint16 capBps, uint32 eventDuration) external;

    // ------------------------------------------------------------------ views

    /// @notice Shares of `owner` that lie in the fund, and from when on they may be redeemed.
    function requestOf(address owner) external view returns (uint256 shares, uint40 readyAt);

    /// @notice What `cover` would pay at most now, token units.
    function coverable() external view returns (uint256);

    /// @notice What leaving depositors may share: the assets less the deficits pending in the clearing house.
    function withdrawableAssets() external view returns (uint256);

    /// @notice The clearing house that is insured.
    function clearingHouse() external view returns (address);

    /// @notice Index of the asset in the clearing house.
    function assetId() external view returns (uint8);
}

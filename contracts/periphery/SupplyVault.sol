// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20Metadata} from "@openzeppelin/contracts/interfaces/IERC20Metadata.sol";
import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IClearingHouse} from "../interfaces/IClearingHouse.sol";
import {ISupplyVault} from "../interfaces/ISupplyVault.sol";
import {SharesMath} from "../libraries/SharesMath.sol";
import {WadMath} from "../libraries/WadMath.sol";

/// @title The lending pool of one asset as an ERC-4626 vault
/// @notice See `ISupplyVault`. Holds at least one supplier share per vault share; what it holds beyond that, from
/// rounding or as a gift, is nobody's.
/// @dev Every conversion is the clearing house's own, with interest up to now and the same rounding, so that what is
/// foreseen here is what happens there. A loss that the pool bears lowers the worth of the shares at once.
contract SupplyVault is ISupplyVault, ERC4626 {
    using SharesMath for uint256;
    using WadMath for uint256;

    /// @dev Decimals of supplier shares beyond those of the asset.
    uint8 private constant SHARE_DECIMALS = 6;

    /// @inheritdoc ISupplyVault
    address public immutable clearingHouse;
    /// @inheritdoc ISupplyVault
    uint8 public immutable assetId;

    /// @param house The clearing house whose pool this is.
    /// @param assetId_ Index of the asset there.
    constructor(address house, uint8 assetId_)
        ERC20(
            string.concat("Sluice supply of ", _token(house, assetId_).symbol()),
            string.concat("ss", _token(house, assetId_).symbol())
        )
        ERC4626(_token(house, assetId_))
    {
        (clearingHouse, assetId) = (house, assetId_);
    }

    // ------------------------------------------------------------------ supplier shares

    /// @inheritdoc ISupplyVault
    function wrap(uint256 shares, address receiver) external {
        if (shares == 0) revert ZeroShares();
        IClearingHouse(clearingHouse).transferShares(assetId, shares, msg.sender, address(this));
        _mint(receiver, shares);
        emit Wrapped(msg.sender, receiver, shares);
    }

    /// @inheritdoc ISupplyVault
    function unwrap(uint256 shares, address receiver) external {
        if (shares == 0) revert ZeroShares();
        _burn(msg.sender, shares);
        emit Unwrapped(msg.sender, receiver, shares);
        IClearingHouse(clearingHouse).transferShares(assetId, shares, address(this), receiver);
    }

    // ------------------------------------------------------------------ limits

    /// @inheritdoc IERC4626
    function totalAssets() public view override(ERC4626, IERC4626) returns (uint256) {
        return _convertToAssets(totalSupply(), Math.Rounding.Floor);
    }

    /// @inheritdoc IERC4626
    /// @dev What the supply cap leaves.
    function maxDeposit(address) public view override(ERC4626, IERC4626) returns (uint256) {
        uint256 cap = IClearingHouse(clearingHouse).assetParameters(assetId).supplyCap;
        return cap.min(type(uint112).max).zeroFloorSub(_market().totalSupplyAssets);
    }

    /// @inheritdoc IERC4626
    function maxMint(address receiver) public view override(ERC4626, IERC4626) returns (uint256) {
        return _convertToShares(maxDeposit(receiver), Math.Rounding.Floor);
    }

    /// @inheritdoc IERC4626
    /// @dev The owner's shares, as far as the pool has not lent what they are worth.
    function maxWithdraw(address owner) public view override(ERC4626, IERC4626) returns (uint256) {
        return _convertToAssets(balanceOf(owner), Math.Rounding.Floor).min(_unlent());
    }

    /// @inheritdoc IERC4626
    /// @dev None, where they would bring nothing: the house refuses to pay out zero.
    function maxRedeem(address owner) public view override(ERC4626, IERC4626) returns (uint256 shares) {
        shares = balanceOf(owner).min(_convertToShares(_unlent(), Math.Rounding.Floor));
        if (previewRedeem(shares) == 0) shares = 0;
    }

    /// @inheritdoc IERC20Metadata
    function decimals() public view override(ERC4626, IERC20Metadata) returns (uint8) {
        return super.decimals();
    }

    // ------------------------------------------------------------------ conversions

    function _convertToShares(uint256 assets, Math.Rounding rounding) internal view override returns (uint256) {
        IClearingHouse.Market memory market = _market();
        return rounding == Math.Rounding.Floor
            ? assets.toSharesDown(market.totalSupplyAssets, market.totalSupplyShares)
            : assets.toSharesUp(market.totalSupplyAssets, market.totalSupplyShares);
    }

    function _convertToAssets(uint256 shares, Math.Rounding rounding) internal view override returns (uint256) {
        IClearingHouse.Market memory market = _market();
        return rounding == Math.Rounding.Floor
            ? shares.toAssetsDown(market.totalSupplyAssets, market.totalSupplyShares)
            : shares.toAssetsUp(market.totalSupplyAssets, market.totalSupplyShares);
    }

    /// @dev Lends what the caller paid. For `deposit` the pool mints exactly `shares`; for `mint`, whose assets are
    /// rounded up, at most what one unit of the asset buys beyond.
    function _deposit(address caller, address receiver, uint256 assets, uint256 shares) internal override {
        _transferIn(caller, assets);
        SafeTransferLib.safeApproveWithRetry(asset(), clearingHouse, assets);
        uint256 minted = IClearingHouse(clearingHouse).supply(assetId, assets, address(this));
        if (minted < shares) revert ShareMismatch(shares, minted);
        _mint(receiver, shares);
        emit Deposit(caller, receiver, assets, shares);
    }

    /// @dev Takes back what `shares` are worth: `assets`, as long as one share is worth less than one unit, which
    /// nothing but a growth of the pool by a million could change; then the rest of the last share goes along.
    function _withdraw(address caller, address receiver, address owner, uint256 assets, uint256 shares)
        internal
        override
    {
        if (caller != owner) _spendAllowance(owner, caller, shares);
        _burn(owner, shares);
        (uint256 paid,) = IClearingHouse(clearingHouse).withdraw(assetId, 0, shares, address(this), receiver);
        if (paid < assets) revert ShareMismatch(assets, paid);
        emit Withdraw(caller, receiver, owner, paid, shares);
    }

    function _decimalsOffset() internal pure override returns (uint8) {
        return SHARE_DECIMALS;
    }

    // ------------------------------------------------------------------ pool

    /// @dev What suppliers own and did not lend: the most that anyone can take out now.
    function _unlent() private view returns (uint256) {
        IClearingHouse.Market memory market = _market();
        return uint256(market.totalSupplyAssets).zeroFloorSub(market.totalBorrowAssets);
    }

    function _market() private view returns (IClearingHouse.Market memory) {
        return IClearingHouse(clearingHouse).market(assetId);
    }

    /// @dev The token that a clearing house lists.
    function _token(address house, uint8 assetId_) private view returns (IERC20Metadata) {
        (address token,) = IClearingHouse(house).asset(assetId_);
        return IERC20Metadata(token);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SharesMath} from "../../contracts/libraries/SharesMath.sol";
import {Test} from "../support/forge/Test.sol";

/// @title Shares round for the pool, and a donation never pays
contract SharesMathTest is Test {
    using SharesMath for uint256;

    uint256 private constant ASSETS = 1e33;
    uint256 private constant SHARES = 1e38;

    function test_a_fresh_pool_gives_a_million_shares_for_an_asset() external pure {
        assertEq(uint256(5).toSharesDown(0, 0), 5e6);
        assertEq(uint256(5).toSharesUp(0, 0), 5e6);
        assertEq(uint256(5e6).toAssetsDown(0, 0), 5);
        assertEq(uint256(5e6).toAssetsUp(0, 0), 5);
    }

    function test_up_and_down_differ_by_the_remainder_only(uint256 x, uint256 assets, uint256 shares) external pure {
        (x, assets, shares) = (bound(x, 0, ASSETS), bound(assets, 0, ASSETS), bound(shares, 0, SHARES));
        uint256 down = x.toSharesDown(assets, shares);
        uint256 remainder = mulmod(x, shares + 1e6, assets + 1);
        assertEq(x.toSharesUp(assets, shares), remainder == 0 ? down : down + 1);
        down = x.toAssetsDown(assets, shares);
        remainder = mulmod(x, assets + 1, shares + 1e6);
        assertEq(x.toAssetsUp(assets, shares), remainder == 0 ? down : down + 1);
    }

    function test_supplying_and_withdrawing_never_gains(uint256 x, uint256 assets, uint256 shares) external pure {
        (x, assets, shares) = (bound(x, 1, ASSETS), bound(assets, 0, ASSETS), bound(shares, 0, SHARES));
        uint256 minted = x.toSharesDown(assets, shares);
        assertLe(minted.toAssetsDown(assets + x, shares + minted), x);
    }

    function test_borrowing_and_repaying_never_gains(uint256 x, uint256 assets, uint256 shares) external pure {
        (x, assets, shares) = (bound(x, 1, ASSETS), bound(assets, 0, ASSETS), bound(shares, 0, SHARES));
        uint256 minted = x.toSharesUp(assets, shares);
        assertGe(minted.toAssetsUp(assets + x, shares + minted), x);
    }

    function test_withdrawing_what_shares_are_worth_burns_no_more_than_them(uint256 x, uint256 assets, uint256 shares)
        external
        pure
    {
        (assets, shares) = (bound(assets, 0, ASSETS), bound(shares, 1, SHARES));
        x = bound(x, 1, shares);
        assertLe(x.toAssetsDown(assets, shares).toSharesUp(assets, shares), x);
    }

    /// @dev The attacker is the first supplier with `dust`, raises the price of a share by `gift` (interest paid by
    /// itself, say), and hopes that the victim's shares round down to its own gain.
    function test_an_inflated_first_deposit_does_not_pay(uint256 dust, uint256 gift, uint256 victim) external pure {
        (dust, gift, victim) = (bound(dust, 1, 1e6), bound(gift, 1, 1e30), bound(victim, 1, 1e24));
        uint256 held = dust.toSharesDown(0, 0);
        uint256 assets = dust + gift;
        uint256 shares = held;
        uint256 bought = victim.toSharesDown(assets, shares);
        (assets, shares) = (assets + victim, shares + bought);
        assertLe(held.toAssetsDown(assets, shares), dust + gift, "the attacker gained");
    }

    /// @dev What the victim can lose to rounding is one share's price, a millionth of what the attacker gave up at the
    /// least.
    function test_a_victim_loses_at_most_a_millionth_of_what_the_attacker_gives(uint256 gift, uint256 victim)
        external
        pure
    {
        (gift, victim) = (bound(gift, 1, 1e30), bound(victim, 1, 1e24));
        uint256 held = uint256(1).toSharesDown(0, 0);
        uint256 assets = 1 + gift;
        uint256 bought = victim.toSharesDown(assets, held);
        uint256 worth = bought.toAssetsDown(assets + victim, held + bought);
        assertLe(victim - worth, gift / 1e6 + 2);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IUniswapV3Pool} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Pool.sol";

import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";
import {DepthDouble} from "./support/DepthDouble.sol";

/// @title Whoever cuts a sale up, drains a bucket first, or bends a pool in either direction
/// @notice Played through real pools against what the same person gets otherwise. Wealth is counted at oracle prices,
/// over all accounts and wallets of that person.
contract LiquidationEnginePiecesTest is EngineFixture {
    uint160 private constant LOWEST = 4295128740;
    uint160 private constant HIGHEST = 1461446703485210103287273052203988822378723970341;
    uint256 private constant DECOYS = 4;

    IUniswapV3Pool private _market;
    address private _dealer;
    uint256 private _key;

    function setUp() public override {
        super.setUp();
        (_dealer, _key) = makeAddrAndKey("dealer");
        _fund(_dealer, USDC, 1e30);
        _fund(address(this), USDC, 1e30);
        tokens[USDC].mint(address(this), 1e30);
        tokens[WETH].mint(address(this), 1e30);
    }

    // ------------------------------------------------------------------ pieces

    /// @dev Through pools of any depth, in n pieces, and what they sold then at once: the account is worth as much. The
    /// chip falls with the slippage of each piece, so that a settler may earn more of it by pieces, out of the penalty:
    /// a quarter of a whole chip at most.
    function test_pieces_through_a_pool_cost_the_account_nothing_and_earn_little(
        uint256 health,
        uint256 pieces,
        uint256 liquidity
    ) external {
        _open(100 * ONE_WETH, bound(health, 0.96e18, 0.9999e18), bound(liquidity, 2_000_000, 50_000_000));
        skip(600);
        uint256 lot = engine.largestSlice(borrower, WETH, USDC).seized / bound(pieces, 2, 6);
        uint256 snapshot = vm.snapshotState();
        uint256 sales;
        for (; sales < 6 && _flagged(borrower); ++sales) {
            engine.swap(borrower, WETH, USDC, lot, 0, address(venue), _route(WETH, USDC));
        }
        uint256 sold = 100 * ONE_WETH - _collateral(borrower, WETH);
        (int256 worth, uint256 credit) = (_worth(borrower), house.creditOf(USDC, address(this)));
        vm.revertToState(snapshot);
        (, uint256 paid) = engine.swap(borrower, WETH, USDC, sold, 0, address(venue), _route(WETH, USDC));
        assertEq(100 * ONE_WETH - _collateral(borrower, WETH), sold, "as much");
        int256 difference = worth - _worth(borrower);
        assertLe(difference < 0 ? uint256(-difference) : uint256(difference), sales * 4e12, "roundings alone");
        assertLe(credit, house.creditOf(USDC, address(this)) + paid / 4_000 + 1, "a quarter of a chip");
    }

    /// @dev A quote in n pieces pays no less than the same at once, and earns no more.
    function test_pieces_of_a_quote_gain_nobody_anything(uint256 health, uint256 pieces, uint256 above) external {
        _open(100 * ONE_WETH, bound(health, 0.96e18, 0.9999e18), 20_000_000);
        skip(300);
        pieces = bound(pieces, 2, 6);
        uint256 price = engine.reservePrice(borrower, WETH) / 1e12 * bound(above, 10_000, 10_200) / 10_000 + 1;
        uint256 lot = engine.largestSlice(borrower, WETH, USDC).seized / (2 * pieces);
        uint256 snapshot = vm.snapshotState();
        for (uint256 i = 0; i < pieces && _flagged(borrower); ++i) {
            _fill(price, lot);
        }
        uint256 sold = 100 * ONE_WETH - _collateral(borrower, WETH);
        uint256 paid = 1e30 - tokens[USDC].balanceOf(_dealer);
        uint256 chip = house.creditOf(USDC, address(this));
        uint256 left = _debt(borrower, USDC);
        vm.revertToState(snapshot);
        _fill(price, sold);
        assertEq(100 * ONE_WETH - _collateral(borrower, WETH), sold, "as much");
        assertGe(paid, 1e30 - tokens[USDC].balanceOf(_dealer), "the dealer pays less");
        assertLe(chip, house.creditOf(USDC, address(this)) + pieces, "the filler earns more");
        assertLe(left, _debt(borrower, USDC) + 2 * pieces, "more is repaid by the pieces"); // roundings alone
        assertGe(left + 2 * pieces, _debt(borrower, USDC));
    }

    /// @dev The worst of it: what earns no chip at once, since its mean slippage is beyond the limit, earns a part of
    /// it by pieces. The tip is paid once.
    function test_a_sale_beyond_the_slippage_limit_earns_a_part_of_its_chip_by_pieces() external {
        _open(100 * ONE_WETH, 0.97e18, 2_800_000);
        skip(600);
        uint256 snapshot = vm.snapshotState();
        (uint256 seized, uint256 payment) =
            engine.swap(borrower, WETH, USDC, NO_LIMIT, 0, address(venue), _route(WETH, USDC));
        assertEq(house.creditOf(USDC, address(this)), 5 * ONE_USDC, "the tip alone");
        vm.revertToState(snapshot);
        for (uint256 i = 0; i < 8 && _flagged(borrower); ++i) {
            engine.swap(borrower, WETH, USDC, seized / 8, 0, address(venue), _route(WETH, USDC));
        }
        uint256 chip = house.creditOf(USDC, address(this)) - 5 * ONE_USDC;
        assertGt(chip, payment / 10_000, "a tenth of it and more");
        assertLe(chip, payment / 4_000, "a quarter at most");
    }

    // ------------------------------------------------------------------ decoys

    /// @dev Who sells accounts of his own first, to empty the bucket and slow the clock of a large one, pays the
    /// penalty for each, and buys that one no cheaper, and no more of it, than if he had left them alone.
    function test_decoys_cost_their_owner_and_make_nothing_cheaper(
        uint256 health,
        uint256 count,
        uint256 wait,
        uint256 lead
    ) external {
        _openDecoys();
        _open(1_000 * ONE_WETH, bound(health, 0.96e18, 0.999e18), 20_000_000);
        for (uint256 i = 0; i < DECOYS; ++i) {
            engine.kick(_decoy(i), _ids(WETH));
        }
        skip(bound(wait, 0, 300));
        lead = bound(lead, 0, 300);
        uint256 snapshot = vm.snapshotState();
        _drain(bound(count, 1, DECOYS));
        skip(lead);
        (uint256 price, uint256 bought) = _buy();
        vm.revertToState(snapshot);
        skip(lead);
        (uint256 otherwise, uint256 most) = _buy();
        assertGe(price, otherwise, "cheaper for the drain");
        assertLe(bought, most, "more for the drain");
        assertGt(most, 0, "nothing was for sale");
    }

    function _drain(uint256 count) private {
        int256 wealth = _wealthWithDecoys();
        uint256 drained;
        for (uint256 i = 0; i < count; ++i) {
            if (_takeAll(_decoy(i))) ++drained;
        }
        assertGt(drained, 0, "no decoy was sold");
        assertGe(wealth, _wealthWithDecoys() + int256(drained * 10e18), "a decoy costs less than its penalty");
    }

    function _buy() private returns (uint256 price, uint256 bought) {
        price = engine.reservePrice(borrower, WETH);
        bought = _collateral(borrower, WETH);
        _takeAll(borrower);
        bought -= _collateral(borrower, WETH);
    }

    // ------------------------------------------------------------------ sandwich

    /// @dev Push the pool down or up, settle one's own account into it by any of the routes, and pull it back.
    function test_a_sandwich_in_either_direction_gains_nothing(
        uint256 health,
        uint256 push,
        uint256 elapsed,
        bool up,
        uint256 part
    ) external {
        _open(100 * ONE_WETH, bound(health, 0.96e18, 0.9999e18), 20_000_000);
        skip(bound(elapsed, 0, 1_200));
        int256 wealth = _wealth();
        (uint160 before,,,,,,) = _market.slot0();
        _trade(!up, up ? bound(push, 1, 800_000) * ONE_USDC : bound(push, 1, 400) * ONE_WETH);
        uint256 lot = bound(part, 1, 100) * ONE_WETH;
        try engine.swap(borrower, WETH, USDC, lot, 0, address(venue), _route(WETH, USDC)) {} catch {}
        _tradeTo(before);
        assertLe(_wealth(), wealth + 1e16, "the owner gains");
    }

    function test_a_push_upwards_really_settles_and_loses() external {
        _open(100 * ONE_WETH, 0.985e18, 20_000_000);
        int256 wealth = _wealth();
        (uint160 before,,,,,,) = _market.slot0();
        _trade(false, 400_000 * ONE_USDC);
        engine.swap(borrower, WETH, USDC, NO_LIMIT, 0, address(venue), _route(WETH, USDC));
        _tradeTo(before);
        assertLt(_wealth(), wealth - 50e18, "fees of the pool and the penalty");
    }

    // ------------------------------------------------------------------ steps

    /// @dev An account at this health, its budget on, depth read, kicked; a pool at the oracle's price.
    function _open(uint256 weth, uint256 health, uint256 liquidity) private {
        _deposit(borrower, WETH, weth);
        _borrow(borrower, USDC, weth * 1_590 / 1e12);
        skip(12);
        uint256 price = 2_000e8 * health / house.healthFactor(borrower);
        _publish(WETH, int256(price));
        _pool(WETH, price * 1e10, liquidity);
        _market = IUniswapV3Pool(factory.getPool(address(tokens[WETH]), address(tokens[USDC]), FEE_PIPS));
        DepthDouble depth = new DepthDouble();
        depth.set(WETH, 0, 400_000e18);
        depth.set(WETH, 1, 400_000e18);
        depth.setMeanPrice(WETH, price * 1e10);
        engine.setMarketDepth(address(depth));
        engine.setBudgeted(WETH, true);
        engine.poke(WETH);
        engine.kick(borrower, _ids(WETH));
    }

    function _decoy(uint256 index) private returns (address) {
        return makeAddr(string.concat("decoy ", vm.toString(index)));
    }

    /// @dev Accounts that are a little worse off than the large one, so that what makes it unhealthy makes them so.
    function _openDecoys() private {
        for (uint256 i = 0; i < DECOYS; ++i) {
            _deposit(_decoy(i), WETH, 60 * ONE_WETH);
            _borrow(_decoy(i), USDC, 60 * 1_595 * ONE_USDC);
        }
    }

    function _takeAll(address account) private returns (bool) {
        try engine.take(account, WETH, USDC, NO_LIMIT, NO_LIMIT, address(this), "") {
            return true;
        } catch (bytes memory reason) {
            assertEq(bytes32(bytes4(reason)), bytes32(ILiquidationEngine.BudgetExhausted.selector), "unexpected");
            return false;
        }
    }

    function _fill(uint256 price, uint256 amount) private {
        ILiquidationEngine.Quote memory quote;
        (quote.dealer, quote.account, quote.collateralId, quote.debtId) = (_dealer, borrower, WETH, USDC);
        (quote.price, quote.maxFill, quote.deadline) = (price, type(uint128).max, type(uint40).max);
        quote.epoch = _epoch(borrower);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_key, engine.quoteHash(quote));
        engine.fill(quote, abi.encodePacked(r, s, v), amount);
    }

    function _trade(bool sells, uint256 amount) private {
        bool zeroForOne = sells == (address(tokens[WETH]) < address(tokens[USDC]));
        _market.swap(address(this), zeroForOne, int256(amount), zeroForOne ? LOWEST : HIGHEST, "");
    }

    function _tradeTo(uint160 goal) private {
        (uint160 current,,,,,,) = _market.slot0();
        if (current != goal) _market.swap(address(this), goal < current, type(int128).max, goal, "");
    }

    function uniswapV3SwapCallback(int256 amount0, int256 amount1, bytes calldata) external {
        if (amount0 > 0) IPays(_market.token0()).transfer(msg.sender, uint256(amount0));
        if (amount1 > 0) IPays(_market.token1()).transfer(msg.sender, uint256(amount1));
    }

    // ------------------------------------------------------------------ readings

    function _worth(address account) private view returns (int256) {
        return int256(house.accountState(account).collateralValue) - int256(house.accountState(account).debtValue);
    }

    /// @dev The account, this wallet and its credits.
    function _wealth() private view returns (int256) {
        return _worth(borrower) + _wallet();
    }

    /// @dev Of a taker who owns the decoys and not the large account.
    function _wealthWithDecoys() private returns (int256 value) {
        value = _wallet();
        for (uint256 i = 0; i < DECOYS; ++i) {
            value += _worth(_decoy(i));
        }
    }

    function _wallet() private view returns (int256 value) {
        for (uint8 assetId = 0; assetId < 3; ++assetId) {
            uint256 held = tokens[assetId].balanceOf(address(this)) + house.creditOf(assetId, address(this));
            value += int256(held * oracle.price(address(tokens[assetId])) / 10 ** tokens[assetId].decimals());
        }
    }
}

interface IPays {
    function transfer(address to, uint256 amount) external returns (bool);
}

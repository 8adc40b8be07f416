// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IUniswapV3Pool} from "@uniswap/v3-core/contracts/interfaces/IUniswapV3Pool.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IClearingHouse} from "../../contracts/interfaces/IClearingHouse.sol";
import {IInsuranceFund} from "../../contracts/interfaces/IInsuranceFund.sol";
import {ITakeCallback} from "../../contracts/interfaces/ITakeCallback.sol";
import {IVenue} from "../../contracts/interfaces/IVenue.sol";
import {ILiquidationEngine} from "../../contracts/interfaces/ILiquidationEngine.sol";
import {FaucetToken} from "../../contracts/mocks/FaucetToken.sol";
import {EngineFixture} from "../support/forge/EngineFixture.sol";
import {Routes} from "../support/forge/Routes.sol";

/// @title A token on a route that sells for itself, while it moves, what waits in the venue for the other parts
contract GreedyToken is FaucetToken {
    IVenue private immutable _venue;
    FaucetToken private immutable _sold;
    address private immutable _bought;
    bool public armed;

    constructor(IVenue venue, FaucetToken sold, address bought) FaucetToken("Greedy", "GREEDY", 18) {
        (_venue, _sold, _bought) = (venue, sold, bought);
    }

    function arm() external {
        armed = true;
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (!armed || from != address(_venue)) return;
        armed = false;
        bytes memory route = Routes.direct(address(_sold), 500, _bought);
        _venue.swap(address(_sold), _bought, _sold.balanceOf(address(_venue)), 0, address(this), route);
    }
}

/// @title A taker that leaves the insurance fund while its take is booked and not yet paid
contract LeavingTaker is ITakeCallback {
    IInsuranceFund private immutable _fund;
    IClearingHouse private immutable _house;
    uint256 public redeemed;

    constructor(IClearingHouse house, IInsuranceFund fund) {
        (_house, _fund) = (house, fund);
    }

    function join(FaucetToken token, uint256 amount) external {
        token.approve(address(_fund), amount);
        _fund.requestRedeem(_fund.deposit(amount, address(this)));
    }

    function take(ILiquidationEngine engine, address account, uint8 sold, uint8 owed, uint256 most) external {
        engine.take(account, sold, owed, most, type(uint256).max, address(this), hex"01");
    }

    function redeemAll() public {
        redeemed = _fund.redeem(_fund.maxRedeem(address(this)), address(this), address(this));
    }

    function onTake(address, address, uint256, address debtToken, uint256 payment, bytes calldata)
        external
        returns (bytes4)
    {
        redeemAll();
        FaucetToken(debtToken).approve(address(_house), payment);
        return ITakeCallback.onTake.selector;
    }
}

/// @title Who gets control in the middle of a settlement gains nothing where no lock of ours stands
contract LiquidationEngineIntrudersTest is EngineFixture {
    function test_a_token_between_cannot_keep_what_waits_for_the_other_parts() external {
        _openLong();
        _pool(WETH, 1_900e18, 200_000_000);
        GreedyToken greedy = new GreedyToken(venue, tokens[WETH], address(tokens[USDC]));
        _age(pools.create(tokens[WETH], greedy, FEE_PIPS, 1_900e18, 1_000_000));
        _age(pools.create(greedy, tokens[USDC], FEE_PIPS, 1e18, 1_000_000));
        skip(1 hours);
        _publish(WETH, 1_900e8);
        _kick(borrower, _ids(WETH));
        skip(200);
        bytes memory route = _split(address(greedy));
        uint256 state = vm.snapshotState();
        engine.swap(borrower, WETH, USDC, NO_LIMIT, 0, address(venue), route); // as it is the route serves
        vm.revertToState(state);
        greedy.arm();
        vm.expectRevert(SafeTransferLib.TransferFailed.selector);
        engine.swap(borrower, WETH, USDC, NO_LIMIT, 0, address(venue), route);
        assertEq(tokens[USDC].balanceOf(address(greedy)), 0, "kept");
        assertEq(_collateral(borrower, WETH), 10 * ONE_WETH, "sold");
        _assertBooksBalance();
    }

    function test_leaving_the_fund_from_inside_a_take_gains_nothing() external {
        (LeavingTaker leaver, IInsuranceFund fund) = _insured();
        _openLong();
        _publish(WETH, 1_500e8);
        _kick(borrower, _ids(WETH));
        skip(200);
        uint256 state = vm.snapshotState();
        leaver.redeemAll();
        uint256 before = leaver.redeemed();
        vm.revertToState(state);
        leaver.take(engine, borrower, WETH, USDC, 4 * ONE_WETH);
        assertGt(leaver.redeemed(), 0);
        assertLe(leaver.redeemed(), before + 1, "more than before the take");
        assertGe(fund.withdrawableAssets() + 1, leaver.redeemed(), "at the expense of who stays");
        _assertBooksBalance();
    }

    // ------------------------------------------------------------------ steps

    /// @dev A hundredth over the token between, the rest through the pair's own pool.
    function _split(address between) private view returns (bytes memory) {
        (address sold, address bought) = (address(tokens[WETH]), address(tokens[USDC]));
        bytes memory around = abi.encodePacked(sold, FEE_PIPS, between, FEE_PIPS, bought);
        return Routes.split(100, around, abi.encodePacked(sold, FEE_PIPS, bought));
    }

    function _age(IUniswapV3Pool pool) private {
        pool.increaseObservationCardinalityNext(64);
    }

    /// @dev A fund that a taker and a lender own by halves; the taker's shares have cooled down.
    function _insured() private returns (LeavingTaker leaver, IInsuranceFund fund) {
        fund = IInsuranceFund(
            vm.deployCode("InsuranceFund.sol:InsuranceFund", abi.encode(address(manager), address(house), USDC))
        );
        house.setFund(USDC, address(fund));
        leaver = new LeavingTaker(house, fund);
        tokens[USDC].mint(address(leaver), 1_000_000 * ONE_USDC);
        leaver.join(tokens[USDC], 5_000 * ONE_USDC);
        tokens[USDC].mint(lender, 5_000 * ONE_USDC);
        vm.startPrank(lender);
        tokens[USDC].approve(address(fund), 5_000 * ONE_USDC);
        fund.deposit(5_000 * ONE_USDC, lender);
        vm.stopPrank();
        skip(7 days);
        _publish(WETH, 2_000e8);
        _publish(WBTC, 60_000e8);
        _publish(USDC, 1e8);
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

import {IClearingHouse} from "../../../contracts/interfaces/IClearingHouse.sol";
import {IPriceOracle} from "../../../contracts/interfaces/IPriceOracle.sol";
import {FaucetToken} from "../../../contracts/mocks/FaucetToken.sol";
import {MockAggregator} from "../../../contracts/mocks/MockAggregator.sol";
import {Test} from "../../support/forge/Test.sol";
import {EngineDouble} from "./EngineDouble.sol";

/// @title A clearing house with three assets, prices, a lender and an engine's double
/// @notice WETH 2,000, WBTC 40,000, USDC 1 quote units; a million's worth of each is lent.
abstract contract HouseFixture is Test {
    uint8 internal constant WETH = 0;
    uint8 internal constant WBTC = 1;
    uint8 internal constant USDC = 2;
    uint8 internal constant ASSETS = 3;

    uint128 internal constant NO_CAP = type(uint128).max;

    address internal immutable governor = makeAddr("governor");
    address internal immutable lender = makeAddr("lender");
    address internal immutable borrower = makeAddr("borrower");
    address internal immutable stranger = makeAddr("stranger");
    address internal immutable kicker = makeAddr("kicker");
    address internal immutable settler = makeAddr("settler");

    AccessManager internal manager;
    IClearingHouse internal house;
    IPriceOracle internal oracle;
    EngineDouble internal double;
    IClearingHouse internal asEngine;
    FaucetToken[ASSETS] internal tokens;
    MockAggregator[ASSETS] internal feeds;

    function setUp() public virtual {
        vm.warp(1_600_000_000);
        vm.roll(10_000_000);
        manager = new AccessManager(governor);
        house = IClearingHouse(vm.deployCode("ClearingHouse.sol:ClearingHouse", abi.encode(address(manager))));
        oracle = IPriceOracle(vm.deployCode("PriceOracle.sol:PriceOracle", abi.encode(address(manager))));
        double = new EngineDouble(house);
        asEngine = IClearingHouse(address(double));
        vm.startPrank(governor);
        house.setOracle(address(oracle));
        house.setEngine(address(double));
        vm.stopPrank();
        _list("Wrapped Ether", "WETH", 18, 2_000e8, parametersOf(8_000, 8_300, 10_800));
        _list("Wrapped Bitcoin", "WBTC", 8, 40_000e8, parametersOf(7_300, 7_800, 11_000));
        _list("USD Coin", "USDC", 6, 1e8, parametersOf(8_700, 9_000, 10_000));
        lend(WETH, 500e18);
        lend(WBTC, 25e8);
        lend(USDC, 1_000_000e6);
    }

    function _list(
        string memory name,
        string memory symbol,
        uint8 decimals,
        int256 answer,
        IClearingHouse.AssetParameters memory parameters
    ) private {
        FaucetToken token = new FaucetToken(name, symbol, decimals);
        MockAggregator feed = new MockAggregator(8, symbol, address(this));
        feed.publish(answer, block.timestamp);
        vm.startPrank(governor);
        oracle.setFeed(address(token), IPriceOracle.Feed(address(feed), 4_200, 1, 1e17));
        uint8 assetId = house.listAsset(address(token), parameters, rateModel());
        vm.stopPrank();
        tokens[assetId] = token;
        feeds[assetId] = feed;
    }

    // ------------------------------------------------------------------ builders

    function parametersOf(uint16 maxLtvBps, uint16 liquidationThresholdBps, uint16 debtWeightBps)
        internal
        pure
        returns (IClearingHouse.AssetParameters memory)
    {
        return IClearingHouse.AssetParameters({
            maxLtvBps: maxLtvBps,
            liquidationThresholdBps: liquidationThresholdBps,
            debtWeightBps: debtWeightBps,
            reserveFactorBps: 1_000,
            supplyCap: NO_CAP,
            borrowCap: NO_CAP,
            collateralCap: NO_CAP
        });
    }

    function rateModel() internal pure returns (IClearingHouse.RateModel memory) {
        return IClearingHouse.RateModel({baseRateBps: 100, kinkRateBps: 600, fullRateBps: 8_000, kinkBps: 9_000});
    }

    /// @dev A settlement that repays as much as it cancels, with nothing besides.
    function settlementOf(uint8 collateralId, uint8 debtId, uint128 seized, uint128 repaid)
        internal
        view
        returns (IClearingHouse.Settlement memory settlement)
    {
        settlement.account = borrower;
        settlement.collateralId = collateralId;
        settlement.debtId = debtId;
        settlement.seized = seized;
        settlement.payment = repaid;
        settlement.repaid = repaid;
        settlement.cancelled = repaid;
        settlement.kicker = kicker;
        settlement.settler = settler;
    }

    // ------------------------------------------------------------------ actions

    /// @dev Gives `owner` the tokens, and the house leave to pull them.
    function fund(address owner, uint8 assetId, uint256 amount) internal {
        tokens[assetId].mint(owner, amount);
        vm.prank(owner);
        tokens[assetId].approve(address(house), type(uint256).max);
    }

    function lend(uint8 assetId, uint256 amount) internal {
        fund(lender, assetId, amount);
        vm.prank(lender);
        house.supply(assetId, amount, lender);
    }

    function deposit(address account, uint8 assetId, uint256 amount) internal {
        fund(account, assetId, amount);
        vm.prank(account);
        house.depositCollateral(assetId, amount, account);
    }

    function borrow(address account, uint8 assetId, uint256 assets) internal {
        vm.prank(account);
        house.borrow(assetId, assets, account, account);
    }

    function repay(address account, uint8 assetId, uint256 assets) internal {
        fund(account, assetId, house.market(assetId).totalBorrowAssets);
        vm.prank(account);
        house.repay(assetId, assets, account);
    }

    /// @dev Publishes a price in whole quote units with 8 decimals, as of now.
    function setPrice(uint8 assetId, int256 answer) internal {
        feeds[assetId].publish(answer, vm.getBlockTimestamp());
    }

    /// @dev Lets time pass and publishes every price again, so that none is stale.
    function pass(uint256 seconds_) internal {
        skip(seconds_);
        for (uint8 assetId = 0; assetId < ASSETS; ++assetId) {
            (, int256 answer,,,) = feeds[assetId].latestRoundData();
            setPrice(assetId, answer);
        }
    }

    // ------------------------------------------------------------------ readings

    function collateralOf(address account, uint8 assetId) internal view returns (uint256 collateral) {
        (collateral,) = house.balanceOf(account, assetId);
    }

    function debtOf(address account, uint8 assetId) internal view returns (uint256) {
        IClearingHouse.Leg[] memory legs = house.accountState(account).legs;
        for (uint256 i = 0; i < legs.length; ++i) {
            if (legs[i].assetId == assetId) return legs[i].debt;
        }
        return 0;
    }

    /// @dev The identity, to the unit, and cash that is really there.
    function assertBooksBalance() internal view {
        for (uint8 assetId = 0; assetId < house.assetCount(); ++assetId) {
            IClearingHouse.Market memory m = house.market(assetId);
            (address token,) = house.asset(assetId);
            assertEq(
                uint256(m.cash) + m.totalBorrowAssets,
                uint256(m.totalSupplyAssets) + m.reserveAssets + m.creditAssets + m.collateralAssets,
                "identity"
            );
            assertGe(FaucetToken(token).balanceOf(address(house)), m.cash, "tokens below cash");
            assertGe(m.cash, uint256(m.collateralAssets) + m.creditAssets, "collateral was lent");
        }
    }
}

// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IClearingHouse} from "../../../contracts/interfaces/IClearingHouse.sol";
import {FaucetToken} from "../../../contracts/mocks/FaucetToken.sol";
import {MockAggregator} from "../../../contracts/mocks/MockAggregator.sol";
import {Test} from "../../support/forge/Test.sol";
import {EngineDouble} from "./EngineDouble.sol";
import {FundDouble} from "./FundDouble.sol";
import {VenueDouble} from "./HouseDoubles.sol";

/// @title Random, valid use of the clearing house
/// @notice Each action draws its arguments within what the house must accept, so that a revert is a fault, and counts
/// itself when it did something. Four actors lend and borrow three assets; the handler settles as the engine does.
contract HouseHandler is Test {
    uint256 private constant ACTORS = 4;
    uint8 private constant ASSETS = 3;
    uint256 private constant WAD = 1e18;

    IClearingHouse private immutable _house;
    EngineDouble private immutable _double;
    IClearingHouse private immutable _asEngine;
    VenueDouble private immutable _venue = new VenueDouble();
    address private immutable _governor;
    FaucetToken[ASSETS] private _tokens;
    MockAggregator[ASSETS] private _feeds;
    FundDouble[ASSETS] private _funds;
    address[] private _actors;

    /// @notice How often each action did something, by its name.
    mapping(bytes32 action => uint256) public done;
    /// @notice Whether a supplier's share ever lost value without a deficit.
    bool public diluted;

    constructor(
        IClearingHouse house,
        EngineDouble double,
        address governor,
        FaucetToken[ASSETS] memory tokens,
        MockAggregator[ASSETS] memory feeds
    ) {
        (_house, _double, _governor) = (house, double, governor);
        _asEngine = IClearingHouse(address(double));
        (_tokens, _feeds) = (tokens, feeds);
        for (uint8 assetId = 0; assetId < ASSETS; ++assetId) {
            _funds[assetId] = new FundDouble(tokens[assetId], address(house));
        }
        for (uint256 i = 0; i < ACTORS; ++i) {
            address actor = makeAddr(string.concat("actor ", vm.toString(i)));
            _actors.push(actor);
            for (uint8 assetId = 0; assetId < ASSETS; ++assetId) {
                vm.prank(actor);
                tokens[assetId].approve(address(house), type(uint256).max);
            }
        }
    }

    /// @dev Counts the action, and sees to it that it took nothing from suppliers. Writes off nothing, so the price of
    /// a share, (assets + 1) / (shares + 1e6), may only rise.
    modifier fair(bytes32 action) {
        uint256[2][ASSETS] memory before = _prices();
        _;
        uint256[2][ASSETS] memory later = _prices();
        for (uint8 assetId = 0; assetId < ASSETS; ++assetId) {
            if (later[assetId][0] * before[assetId][1] < before[assetId][0] * later[assetId][1]) diluted = true;
        }
        ++done[action];
    }

    modifier counted(bytes32 action) {
        _;
        ++done[action];
    }

    /// @notice Everyone who may hold something.
    function actors() external view returns (address[] memory) {
        return _actors;
    }

    /// @notice How many debts may have been paid or written off in full.
    function closings() external view returns (uint256) {
        uint256 settled = done["take"] + done["fill"] + done["sale"] + done["deficit"];
        return settled + done["repay all"] + done["net"] + ASSETS * done["writeOff"];
    }

    // ------------------------------------------------------------------ lending

    function supply(uint256 actorSeed, uint256 assetSeed, uint256 amount) external fair("supply") {
        (address actor, uint8 assetId) = (_actor(actorSeed), _asset(assetSeed));
        amount = bound(amount, 2, 100_000 * 10 ** _decimals(assetId) / _whole(assetId));
        _tokens[assetId].mint(actor, amount);
        vm.prank(actor);
        _house.supply(assetId, amount, actor);
    }

    function withdraw(uint256 actorSeed, uint256 assetSeed, uint256 amount) external {
        (address actor, uint8 assetId) = (_actor(actorSeed), _asset(assetSeed));
        IClearingHouse.Market memory m = _house.market(assetId);
        uint256 held = _house.supplyShares(assetId, actor);
        uint256 claim = held * (uint256(m.totalSupplyAssets) + 1) / (uint256(m.totalSupplyShares) + 1e6);
        uint256 most = _min(claim, _liquidity(m));
        if (most == 0) return;
        if (most == claim && amount % 2 == 0) _withdraw(actor, assetId, 0, held);
        else _withdraw(actor, assetId, bound(amount, 1, most), 0);
    }

    function _withdraw(address actor, uint8 assetId, uint256 assets, uint256 shares) private fair("withdraw") {
        vm.prank(actor);
        _house.withdraw(assetId, assets, shares, actor, actor);
        if (assets == 0) ++done["withdraw all"];
    }

    function transferShares(uint256 fromSeed, uint256 toSeed, uint256 assetSeed, uint256 amount) external {
        (address from, uint8 assetId) = (_actor(fromSeed), _asset(assetSeed));
        uint256 held = _house.supplyShares(assetId, from);
        if (held != 0) _transferShares(from, _actor(toSeed), assetId, bound(amount, 1, held));
    }

    function _transferShares(address from, address to, uint8 assetId, uint256 shares) private fair("transferShares") {
        vm.prank(from);
        _house.transferShares(assetId, shares, from, to);
    }

    // ------------------------------------------------------------------ accounts

    function deposit(uint256 actorSeed, uint256 assetSeed, uint256 amount) external fair("deposit") {
        (address actor, uint8 assetId) = (_actor(actorSeed), _asset(assetSeed));
        amount = bound(amount, 1, 50_000 * 10 ** _decimals(assetId) / _whole(assetId));
        _tokens[assetId].mint(actor, amount);
        vm.prank(actor);
        _house.depositCollateral(assetId, amount, actor);
    }

    function withdrawCollateral(uint256 actorSeed, uint256 assetSeed, uint256 amount) external {
        (address actor, uint8 assetId) = (_actor(actorSeed), _asset(assetSeed));
        (uint256 collateral,) = _house.balanceOf(actor, assetId);
        uint256 most = _min(collateral, _freeCollateral(actor, assetId));
        if (most != 0) _withdrawCollateral(actor, assetId, bound(amount, 1, most));
    }

    function _withdrawCollateral(address actor, uint8 assetId, uint256 amount) private fair("withdrawCollateral") {
        vm.prank(actor);
        _house.withdrawCollateral(assetId, amount, actor, actor);
        assertGe(_house.healthFactor(actor), WAD, "withdrew into bad health");
    }

    function borrow(uint256 actorSeed, uint256 assetSeed, uint256 amount) external {
        (address actor, uint8 assetId) = (_actor(actorSeed), _asset(assetSeed));
        uint256 most = _min(_liquidity(_house.market(assetId)), _borrowable(actor, assetId));
        uint256 least = _house.smallestBorrow() * 10 ** _decimals(assetId) / _price(assetId) + 1;
        if (most >= least) _borrow(actor, assetId, bound(amount, least, most));
    }

    function _borrow(address actor, uint8 assetId, uint256 amount) private fair("borrow") {
        vm.prank(actor);
        _house.borrow(assetId, amount, actor, actor);
        assertGe(_house.healthFactor(actor), WAD, "borrowed into bad health");
    }

    function repay(uint256 actorSeed, uint256 assetSeed, uint256 amount, bool all) external {
        (address actor, uint8 assetId) = _debtor(actorSeed, assetSeed);
        if (actor == address(0)) return;
        uint256 owed = _leg(actor, assetId).debt;
        _repay(actor, assetId, all ? type(uint256).max : bound(amount, 1, owed), owed);
        if (all) ++done["repay all"];
    }

    function _repay(address actor, uint8 assetId, uint256 amount, uint256 owed) private fair("repay") {
        _tokens[assetId].mint(actor, owed);
        vm.prank(actor);
        _house.repay(assetId, amount, actor);
    }

    function setOperator(uint256 actorSeed, uint256 operatorSeed, bool approved) external counted("setOperator") {
        vm.prank(_actor(actorSeed));
        _house.setOperator(_actor(operatorSeed), approved);
    }

    // ------------------------------------------------------------------ the engine

    function setFlag(uint256 actorSeed, bool flagged) external counted("setFlag") {
        _asEngine.setFlag(_actor(actorSeed), flagged);
    }

    function net(uint256 actorSeed, uint256 assetSeed) external {
        for (uint256 i = 0; i < ACTORS * ASSETS; ++i) {
            (address actor, uint8 assetId) = (_actor(_add(actorSeed, i)), _asset(_add(assetSeed, i / ACTORS)));
            (uint128 collateral, uint128 debtShares) = _house.balanceOf(actor, assetId);
            if (collateral != 0 && debtShares != 0) return _net(actor, assetId);
        }
    }

    function _net(address actor, uint8 assetId) private fair("net") {
        _asEngine.net(actor, assetId);
    }

    /// @notice A settlement of a solvent account, by a taker or through a venue, with every part it may have.
    function settle(uint256 actorSeed, uint256 assetSeed, uint256 seized, uint256 repaid, bool sale) external {
        IClearingHouse.Settlement memory s = _settlement(actorSeed, assetSeed, seized, repaid);
        if (s.account == address(0)) return;
        s.cancelled = s.repaid;
        uint256 parts = bound(seized, 0, s.repaid);
        (s.surplus, s.reserve) = (uint128(parts % 7), uint128(parts / 3));
        (s.tip, s.chip) = (uint128(parts / 100), uint128(parts / 200));
        s.payment = s.repaid + s.surplus + s.reserve + s.tip + s.chip;
        if (!sale && repaid % 3 == 0) _fill(s);
        else sale ? _sell(s) : _take(s);
    }

    function _take(IClearingHouse.Settlement memory s) private fair("take") {
        _settleTake(s);
    }

    function _fill(IClearingHouse.Settlement memory s) private fair("fill") {
        s.route = 2;
        _settleTake(s);
    }

    function _sell(IClearingHouse.Settlement memory s) private fair("sale") {
        _venue.setPays(s.payment);
        _double.sellAndSettle(s, s.payment, address(_venue), "");
    }

    /// @notice A settlement that cancels more than it brings: the suppliers bear the rest.
    function settleInsolvent(uint256 actorSeed, uint256 assetSeed, uint256 seized, uint256 repaid, uint256 beyond)
        external
    {
        IClearingHouse.Settlement memory s = _settlement(actorSeed, assetSeed, seized, repaid);
        if (s.account == address(0)) return;
        uint256 owed = _leg(s.account, s.debtId).debt;
        if (s.repaid == owed) return;
        s.cancelled = uint128(bound(beyond, s.repaid + 1, owed));
        s.payment = s.repaid;
        uint256 incentives = _min(s.repaid, _house.incentivesPayable(s.debtId, s.cancelled - s.repaid));
        if (beyond % 8 == 0) incentives = s.repaid; // more than there may be
        (s.tip, s.chip) = (uint128(incentives / 2), uint128(incentives / 3));
        uint256 budget = _funds[s.debtId].budget();
        _takeInsolvent(s);
        if (_funds[s.debtId].budget() < budget) ++done["cover"];
    }

    function _takeInsolvent(IClearingHouse.Settlement memory s) private counted("deficit") {
        _settleTake(s);
    }

    function _settleTake(IClearingHouse.Settlement memory s) private {
        _tokens[s.debtId].mint(s.settler, s.payment);
        _asEngine.settleTake(s, s.settler, s.settler, "");
    }

    /// @notice Writes an account off: rarely, or nothing would be left to do.
    function writeOff(uint256 actorSeed, uint256 assetSeed, uint256 chance) external {
        (address actor,) = _debtor(actorSeed, assetSeed);
        if (actor == address(0) || chance % 2 != 0) return;
        _asEngine.writeOff(actor);
        ++done["writeOff"];
    }

    /// @notice Marks a part of a debtor's debts as lost, sometimes more than there can be; or takes its marks off.
    function mark(uint256 actorSeed, uint256 assetSeed, uint256 lossWad) external {
        (address actor,) = _debtor(actorSeed, assetSeed);
        if (actor != address(0)) _mark(actor, lossWad % 4 == 0 ? 0 : bound(lossWad, 1, WAD));
    }

    function _mark(address actor, uint256 lossWad) private fair("mark") {
        _asEngine.mark(actor, lossWad);
        if (lossWad == 0) ++done["mark off"];
    }

    // ------------------------------------------------------------------ insurance

    /// @notice The fund of an asset gets money, or fails, or is taken away.
    function insure(uint256 assetSeed, uint256 amount, uint256 mood) external fair("insure") {
        uint8 assetId = _asset(assetSeed);
        FundDouble fund = _funds[assetId];
        fund.setBudget(bound(amount, 0, 10_000 * 10 ** _decimals(assetId) / _whole(assetId)));
        fund.setFails(mood % 8 == 0);
        vm.prank(_governor);
        _house.setFund(assetId, mood % 8 == 1 ? address(0) : address(fund));
    }

    function distribute(uint256 assetSeed) external {
        uint8 assetId = _asset(assetSeed);
        IClearingHouse.Market memory m = _house.market(assetId);
        bool paid = m.reserveAssets != 0 && m.cash > m.collateralAssets + m.creditAssets;
        if (paid && _house.fund(assetId) != address(0)) _distribute(assetId);
    }

    function _distribute(uint8 assetId) private fair("distribute") {
        uint256 amount = _house.distribute(assetId);
        assertGt(amount, 0, "distributed nothing");
    }

    function collectCredit(uint256 actorSeed, uint256 assetSeed) external {
        for (uint256 i = 0; i < ACTORS * ASSETS; ++i) {
            (address actor, uint8 assetId) = (_actor(_add(actorSeed, i)), _asset(_add(assetSeed, i / ACTORS)));
            if (_house.creditOf(assetId, actor) != 0) return _collectCredit(actor, assetId);
        }
    }

    function _collectCredit(address actor, uint8 assetId) private fair("collectCredit") {
        vm.prank(actor);
        _house.collectCredit(assetId, actor);
    }

    // ------------------------------------------------------------------ governance and the world

    function withdrawReserve(uint256 assetSeed, uint256 amount) external {
        uint8 assetId = _asset(assetSeed);
        IClearingHouse.Market memory m = _house.market(assetId);
        uint256 most = _min(m.reserveAssets, m.cash - m.collateralAssets - m.creditAssets);
        if (most != 0) _withdrawReserve(assetId, bound(amount, 1, most));
    }

    function _withdrawReserve(uint8 assetId, uint256 amount) private fair("withdrawReserve") {
        vm.prank(_governor);
        _house.withdrawReserve(assetId, amount, _governor);
    }

    function setRateModel(uint256 assetSeed, uint256 rate) external fair("setRateModel") {
        uint32 kinkRate = uint32(bound(rate, 100, 5_000));
        vm.prank(_governor);
        _house.setRateModel(_asset(assetSeed), IClearingHouse.RateModel(100, kinkRate, 2 * kinkRate, 8_000));
    }

    function setReserveFactor(uint256 assetSeed, uint256 factor) external fair("setReserveFactor") {
        uint8 assetId = _asset(assetSeed);
        IClearingHouse.AssetParameters memory parameters = _house.assetParameters(assetId);
        parameters.reserveFactorBps = uint16(bound(factor, 0, 5_000));
        vm.prank(_governor);
        _house.setAssetParameters(assetId, parameters);
    }

    function accrue(uint256 assetSeed) external fair("accrue") {
        _house.accrue(_asset(assetSeed));
    }

    /// @notice Time passes; interest runs in all assets, and every price is published again.
    function pass(uint256 elapsed) external fair("pass") {
        skip(bound(elapsed, 1, 60 days));
        for (uint8 assetId = 0; assetId < ASSETS; ++assetId) {
            (, int256 answer,,,) = _feeds[assetId].latestRoundData();
            _publish(assetId, answer);
        }
    }

    /// @notice A price moves by up to a tenth, within a tenth to ten times its start.
    function movePrice(uint256 assetSeed, uint256 bps) external counted("movePrice") {
        uint8 assetId = _asset(assetSeed);
        (, int256 answer,,,) = _feeds[assetId].latestRoundData();
        uint256 start = _whole(assetId) * 1e8;
        uint256 moved = uint256(answer) * bound(bps, 9_000, 11_000) / 10_000;
        _publish(assetId, int256(bound(moved, start / 10, start * 10)));
    }

    // ------------------------------------------------------------------ draws

    function _publish(uint8 assetId, int256 answer) private {
        address publisher = _feeds[assetId].publisher();
        vm.prank(publisher);
        _feeds[assetId].publish(answer, vm.getBlockTimestamp());
    }

    function _actor(uint256 seed) private view returns (address) {
        return _actors[seed % ACTORS];
    }

    function _asset(uint256 seed) private pure returns (uint8) {
        return uint8(seed % ASSETS);
    }

    function _add(uint256 seed, uint256 i) private pure returns (uint256) {
        unchecked {
            return seed + i;
        }
    }

    /// @dev An actor with a debt, looked for from the seeds on; zero when there is none.
    function _debtor(uint256 actorSeed, uint256 assetSeed) private view returns (address, uint8) {
        for (uint256 i = 0; i < ACTORS * ASSETS; ++i) {
            (address actor, uint8 assetId) = (_actor(_add(actorSeed, i)), _asset(_add(assetSeed, i / ACTORS)));
            (, uint128 debtShares) = _house.balanceOf(actor, assetId);
            if (debtShares != 0) return (actor, assetId);
        }
        return (address(0), 0);
    }

    /// @dev A settlement of some debtor's first other asset; without an account when there is none.
    function _settlement(uint256 actorSeed, uint256 assetSeed, uint256 seized, uint256 repaid)
        private
        view
        returns (IClearingHouse.Settlement memory s)
    {
        (address actor, uint8 debtId) = _debtor(actorSeed, assetSeed);
        if (actor == address(0)) return s;
        for (uint8 assetId = 0; assetId < ASSETS; ++assetId) {
            (uint128 collateral,) = _house.balanceOf(actor, assetId);
            if (collateral == 0 || assetId == debtId) continue;
            (s.account, s.collateralId, s.debtId) = (actor, assetId, debtId);
            s.seized = uint128(bound(seized, 1, collateral));
            s.repaid = uint128(bound(repaid, 1, _leg(actor, debtId).debt));
            (s.kicker, s.settler) = (_actor(_add(actorSeed, 1)), _actor(_add(actorSeed, 2)));
            s.closes = repaid % 3 == 0;
        }
    }

    // ------------------------------------------------------------------ what the house must accept

    function _leg(address account, uint8 assetId) private view returns (IClearingHouse.Leg memory leg) {
        IClearingHouse.Leg[] memory legs = _house.accountState(account).legs;
        for (uint256 i = 0; i < legs.length; ++i) {
            if (legs[i].assetId == assetId) return legs[i];
        }
    }

    /// @dev Collateral counted at maxLtv less weighted debt, less a millionth for rounding; never below zero.
    function _slack(address account) private view returns (uint256) {
        IClearingHouse.AccountState memory state = _house.accountState(account);
        uint256 limit;
        for (uint256 i = 0; i < state.legs.length; ++i) {
            uint256 maxLtvBps = _house.assetParameters(state.legs[i].assetId).maxLtvBps;
            limit += state.legs[i].collateralValue * maxLtvBps / 10_000;
        }
        uint256 taken = state.weightedDebt + limit / 1e6 + 1e15;
        return limit > taken ? limit - taken : 0;
    }

    function _borrowable(address account, uint8 assetId) private view returns (uint256) {
        uint256 weight = _house.assetParameters(assetId).debtWeightBps;
        return _slack(account) * 10_000 / weight * 10 ** _decimals(assetId) / _price(assetId);
    }

    function _freeCollateral(address account, uint8 assetId) private view returns (uint256) {
        (, uint64 debts,,,) = _house.accountInfo(account);
        if (debts == 0) return type(uint256).max;
        uint256 maxLtvBps = _house.assetParameters(assetId).maxLtvBps;
        return _slack(account) * 10_000 / maxLtvBps * 10 ** _decimals(assetId) / _price(assetId);
    }

    function _liquidity(IClearingHouse.Market memory m) private pure returns (uint256) {
        return m.totalSupplyAssets > m.totalBorrowAssets ? m.totalSupplyAssets - m.totalBorrowAssets : 0;
    }

    function _prices() private view returns (uint256[2][ASSETS] memory prices) {
        for (uint8 assetId = 0; assetId < ASSETS; ++assetId) {
            IClearingHouse.Market memory m = _house.market(assetId);
            prices[assetId] = [uint256(m.totalSupplyAssets) + 1, uint256(m.totalSupplyShares) + 1e6];
        }
    }

    function _price(uint8 assetId) private view returns (uint256) {
        (, int256 answer,,,) = _feeds[assetId].latestRoundData();
        return uint256(answer) * 1e10;
    }

    function _decimals(uint8 assetId) private view returns (uint256) {
        return _tokens[assetId].decimals();
    }

    /// @dev Starting prices, whole quote units.
    function _whole(uint8 assetId) private pure returns (uint256) {
        return [2_000, 40_000, 1][assetId];
    }

    function _min(uint256 x, uint256 y) private pure returns (uint256) {
        return x < y ? x : y;
    }
}

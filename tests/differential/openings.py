"""Kicks, redos and nettings against the twin, to the wei.

What is netted first, where each leg starts and how fast it falls, which clocks it notes, and what is marked
as a pending deficit: foretold from the account as it is, and read after the call was simulated.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from bot import abi
from bot.domain import engine
from bot.domain.engine import Holding, Leg, balance_of
from bot.domain.engine.starts import NEAR_START_MAX
from bot.domain.lending import Market, assets_up, shares_down
from bot.domain.release import Side
from bot.domain.wad import WAD, div_up, mul_down, mul_up
from bot.protocols.events import EventDecoder
from bot.protocols.sluice.calls import Function
from bot.strategy.case import Case
from bot.strategy.snapshot import Auction
from tests.support.crowd import Crowd, logs_of
from tests.support.moments import Moment
from tests.support.world import KEEPER

HOUSE = EventDecoder(abi.load("clearing_house"), ["Netted", "DebtWrittenOff", "CollateralForfeited"])
LOWEST_START = 94 * WAD // 100
"""``START_MULTIPLIER_MIN_WAD``: an account that it covers is not looked at for a pending deficit."""


# --------------------------------------------------------------------------------- netting


class Netted(NamedTuple):
    """What one netting books, as its event says it."""

    asset_id: int
    amount: int
    shares: int
    excess: int


@dataclass
class Netting:
    """An account whose debts its collateral in the same asset repays, one asset after the other.

    Parameters
    ----------
    case : Case
        The account; brought up to date by each step.
    markets : dict of int to Market
        Totals of each asset, too.
    shares : dict of int to int
        Debt shares of the account.
    """

    case: Case
    markets: dict[int, Market]
    shares: dict[int, int]

    @classmethod
    def of(cls, case: Case) -> "Netting":
        """Return an account as it is."""
        markets = {asset.asset_id: asset.market for asset in case.snapshot.assets}
        shares = dict(enumerate(case.snapshot.positions.debt_shares.row(case.row)))
        return cls(case, markets, shares)

    def step(self, asset_id: int) -> Netted:
        """Net one asset that is held and owed."""
        market, held = self.markets[asset_id], self.shares[asset_id]
        collateral = next(h.collateral for h in self.case.holdings if h.asset_id == asset_id)
        debt = assets_up(held, market.borrow_assets, market.borrow_shares)
        amount = min(debt, collateral)
        burnt = held if amount == debt else shares_down(amount, market.borrow_assets, market.borrow_shares)
        cancelled = min(amount, market.borrow_assets)
        market = replace(
            market,
            borrow_assets=market.borrow_assets - cancelled,
            borrow_shares=market.borrow_shares - burnt,
        )
        self.markets[asset_id], self.shares[asset_id] = market, held - burnt
        left = assets_up(held - burnt, market.borrow_assets, market.borrow_shares) if held > burnt else 0
        self._hold(Holding(asset_id, collateral - amount, left))
        return Netted(asset_id, amount, burnt, amount - cancelled)

    def all(self) -> list[Netted]:
        """Net asset after asset, by rising id, until the account is healthy."""
        steps = []
        while not self.case.healthy and self.case.doubled:
            steps.append(self.step(self.case.doubled[0]))
        return steps

    def _hold(self, changed: Holding) -> None:
        holdings = tuple(changed if h.asset_id == changed.asset_id else h for h in self.case.holdings)
        kept = tuple(h for h in holdings if h.collateral or h.debt)
        self.case = replace(self.case, holdings=kept, balance=balance_of(kept, self.case.terms))


def compare_net(moment: Moment, crowd: Crowd, case: Case) -> list[str]:
    """Net an asset of an account and compare what is booked and what the account is afterwards."""
    held = [holding.asset_id for holding in case.holdings]
    asset_id = crowd.random.choice(case.doubled or held)
    account = "0x" + case.account.hex()
    data = Function("liquidation_engine", "net").data(account, asset_id)
    engine_, questions = moment.manifest.liquidation_engine, [("clearing_house", "accountState", account)]
    receipt, [(state,)] = moment.send_and_read(KEEPER, engine_, data, questions)
    assert (receipt["status"] == "0x1") == (asset_id in case.doubled)
    if asset_id not in case.doubled:
        return ["net refused"]
    netting = Netting.of(case)
    assert netted_in(receipt) == [netting.step(asset_id)]
    assert tuple(netting.case.balance) == tuple(state[:4])
    return ["net", "cured by netting"] if netting.case.healthy else ["net"]


def netted_in(receipt: dict[str, Any]) -> list[Netted]:
    """Return the nettings in a receipt, in order."""
    fields = [event.fields for log in logs_of(receipt) if (event := HOUSE.decode(log)) is not None]
    return [Netted(f["assetId"], f["amount"], f["shares"], f["excess"]) for f in fields if "excess" in f]


# --------------------------------------------------------------------------------- kick and redo


def compare_kick(moment: Moment, crowd: Crowd, case: Case) -> list[str]:
    """Kick some collaterals of an unhealthy account whose auction, if any, runs; tell of what kind it was."""
    assert not case.flagged or not case.lapsed
    return Opened(moment, case, "kick").compare(_chosen(crowd, case))


def compare_redo(moment: Moment, crowd: Crowd, case: Case) -> list[str]:
    """Begin an auction again and compare; refused, as foretold, where it has not lapsed."""
    return Opened(moment, case, "redo").compare(_chosen(crowd, case))


def _chosen(crowd: Crowd, case: Case) -> list[int]:
    """Return some of the collaterals that an auction may sell, in any order; now and then another asset."""
    ids, random = list(case.collateral_ids), crowd.random
    if not ids or random.random() < 0.05:
        return [random.randrange(3)]
    return random.sample(ids, random.randint(1, len(ids)))


class Opened:
    """One kick or redo of an account, foretold.

    Parameters
    ----------
    moment : Moment
        When.
    case : Case
        The account before.
    kind : str
        ``kick`` or ``redo``.
    """

    def __init__(self, moment: Moment, case: Case, kind: str) -> None:
        self._moment, self._before, self._kind = moment, case, kind
        self._account = "0x" + case.account.hex()
        netting = Netting.of(case)
        self._netted = netting.all()
        self._case = netting.case
        goes_on = kind == "kick" and case.flagged
        self._earlier = case.auction if goes_on else None
        self._epoch = self._epoch_after(goes_on)
        self._kinds: list[str] = []

    def _epoch_after(self, goes_on: bool) -> int:
        _, _, epoch, *_ = self._moment.read("clearing_house", "accountInfo", self._account)
        return int(epoch) if goes_on or self._kind == "kick" else int(epoch) + 1

    def compare(self, ids: list[int]) -> list[str]:
        """Simulate the call and compare all that it leaves; return of what kinds it was."""
        data = Function("liquidation_engine", self._kind).data(self._account, ids)
        receipt, answers = self._moment.send_and_read(
            KEEPER, self._moment.manifest.liquidation_engine, data, self._questions(ids)
        )
        if self._refused(ids):
            assert receipt["status"] == "0x0"
            return [f"{self._kind} refused"]
        assert receipt["status"] == "0x1"
        assert netted_in(receipt) == self._netted
        if self._netted:
            self._kinds.append("netted first")
        if self._case.healthy:
            return [self._kind, *self._kinds, "cured by netting"]
        if self._case.spent:
            self._compare_write_off(receipt)
            return [self._kind, *self._kinds, "written off"]
        self._compare_auction(ids, answers)
        return [self._kind, *self._kinds]

    def _refused(self, ids: list[int]) -> bool:
        if self._kind == "redo" and not self._before.lapsed:
            return True
        if self._case.healthy or self._case.spent:
            return False
        running = self._earlier.legs if self._earlier else {}
        held = {holding.asset_id for holding in self._case.holdings if holding.collateral}
        return not set(ids) <= held or set(ids) <= set(running)

    def _questions(self, ids: list[int]) -> list[tuple[Any, ...]]:
        owed = [holding.asset_id for holding in self._case.holdings if holding.debt]
        return [
            ("clearing_house", "accountState", self._account),
            ("liquidation_engine", "auction", self._account),
            *(("liquidation_engine", "auctionLeg", self._account, asset_id) for asset_id in ids),
            *(("liquidation_engine", "buyClock", self._account, asset_id) for asset_id in owed),
            *(("clearing_house", "markOf", self._account, asset_id) for asset_id in owed),
        ]

    # ------------------------------------------------------------------------- what is left

    def _compare_write_off(self, receipt: dict[str, Any]) -> None:
        events = [event.fields for log in logs_of(receipt) if (event := HOUSE.decode(log)) is not None]
        booked = {fields["assetId"]: fields["deficit"] for fields in events if "deficit" in fields}
        assert booked == {h.asset_id: h.debt for h in self._case.holdings if h.debt}

    def _compare_auction(self, ids: list[int], answers: list[tuple[Any, ...]]) -> None:
        (state,), (auction,), *rest = answers
        case, time = self._case, self._case.snapshot.timestamp
        assert tuple(case.balance) == tuple(state[:4])
        kicker, kicked_at = auction[:2]
        if self._earlier is None:
            assert (kicker, kicked_at) == (KEEPER.lower(), time)
        else:
            assert kicked_at == self._earlier.kicked_at
        assert auction[2] == self._epoch
        legs = self._legs(ids)
        for asset_id, (found,) in zip(ids, rest, strict=False):
            leg = legs[asset_id]
            started = (leg.start_multiplier, leg.decay_per_second, leg.started_at)
            assert tuple(found) == (*started, self._epoch, leg.clock_at, leg.urgency)
        self._compare_debts(legs, rest[len(ids) :])

    def _legs(self, ids: list[int]) -> dict[int, Leg]:
        """Return every leg that runs afterwards."""
        case, markets, time = self._case, self._case.snapshot.markets, self._case.snapshot.timestamp
        opening = engine.Opening(markets, case.snapshot.engine, case.holdings, case.terms, case.balance, time)
        legs = dict(self._earlier.legs) if self._earlier else {}
        for asset_id in ids:
            if asset_id in legs:
                continue
            budgeted = asset_id in markets.budgeted
            clock = markets.bucket(asset_id, Side.SELL, time).clock if budgeted else 0
            (fields,) = self._moment.read("liquidation_engine", "curveInputs", asset_id)
            inputs = engine.CurveInputs(*fields)
            curve = opening.curve(asset_id, inputs)
            legs[asset_id] = Leg(*curve, time, clock, case.urgency)
            lowest = inputs.lowest_near_start(markets.speed.near_slippage_bps)
            named = {inputs.far_start: "far start", lowest: "lowest start", NEAR_START_MAX: "highest start"}
            self._kinds.append(named.get(curve.start_multiplier, "start between"))
        return legs

    def _compare_debts(self, legs: dict[int, Leg], answers: list[tuple[Any, ...]]) -> None:
        """Compare the clocks of the debts, and what is marked of each."""
        case, time = self._case, self._case.snapshot.timestamp
        owed = [holding for holding in case.holdings if holding.debt]
        clocks = dict(self._earlier.buy_clocks) if self._earlier else {}
        for holding, (clock, epoch) in zip(owed, answers, strict=False):
            if holding.asset_id not in case.snapshot.markets.budgeted:
                continue
            now = case.snapshot.markets.bucket(holding.asset_id, Side.BUY, time).clock
            clocks.setdefault(holding.asset_id, now)
            assert (clock, epoch) == (clocks[holding.asset_id], self._epoch)
        marks = [mark for (mark,) in answers[len(owed) :]]
        assert marks == self._marks(owed, legs, clocks)
        if any(marks):
            self._kinds.append("marked")

    def _marks(self, owed: list[Holding], legs: dict[int, Leg], clocks: dict[int, int]) -> list[int]:
        case = self._case
        covered = mul_down(case.balance.collateral_value, LOWEST_START) >= case.balance.debt_value
        if covered and not case.marked:
            return [0] * len(owed)
        auction = Auction(self._epoch, b"", case.snapshot.timestamp, 0, legs, clocks)
        loss = div_up(replace(case, auction=auction).feared, case.balance.debt_value)
        return [mul_up(holding.debt, loss) for holding in owed]

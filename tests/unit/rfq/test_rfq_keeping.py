"""Dealers in the keeper's loop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bot.domain.wad import BPS
from bot.ports import Execution, Head, Intent, Outcome, Transaction
from bot.ports.rfq import QuoteRequest
from bot.protocols.sluice.fills import fill_data
from bot.rfq.keeping import DealtQuotes, FillWatcher
from bot.strategy.decide import decide
from bot.strategy.decision import Kind, Reason
from bot.strategy.quotes import FirmQuote, OpenQuote
from bot.strategy.settings import StrategySettings
from tests.support.keeper import a_head, an_intent
from tests.support.snapshots import KEEPER, NOW, USDC, WETH, Scene, pool_at, units

HEAD = replace(a_head(100), timestamp=NOW)
FAIR = 200 * 10**6


def scene(pool: float | None = None) -> Scene:
    made = Scene(pools=[] if pool is None else [pool_at(pool, 20_000_000)])
    made.auction(made.account({"WETH": 10}, {"USDC": 1_700}), ["WETH"], age=600)
    return made


def opened(account: bytes, price: int = FAIR * 995 // 1000, fill_rate_bps: int = BPS) -> OpenQuote:
    quote = FirmQuote(
        b"\xd0" * 20, account, 0, WETH, USDC, price, 1, units("WETH", 10), 1, NOW + 36, KEEPER, False
    )
    return OpenQuote(quote, b"\x07" * 65, fill_rate_bps=fill_rate_bps)


@dataclass
class Desk:
    """Answers every request with one quote, and remembers what it is told."""

    asked: list[QuoteRequest] = field(default_factory=list)
    fills: list[tuple[bytes, bool]] = field(default_factory=list)
    mids: list[Mapping[tuple[int, int], int]] = field(default_factory=list)

    async def ask(
        self, requests: Sequence[QuoteRequest], head: Head
    ) -> Mapping[bytes, tuple[OpenQuote, ...]]:
        self.asked += requests
        return {request.account: (opened(request.account),) for request in requests}

    async def report_fill(self, quote: OpenQuote, *, succeeded: bool, head: Head) -> None:
        self.fills.append((quote.signature, succeeded))

    async def report_mid(self, prices: Mapping[tuple[int, int], int], head: Head) -> None:
        self.mids.append(prices)


@dataclass
class Landing:
    """An executor whose outcomes a test chooses."""

    outcome: Outcome
    later: Outcome = Outcome.INCLUDED
    intents: list[Intent] = field(default_factory=list)

    async def execute(
        self, intents: Sequence[Intent], head: Head, decisions: object = None
    ) -> list[Execution]:
        self.intents += intents
        return [Execution(intent, self.outcome) for intent in intents]

    async def track(self, head: Head) -> Sequence[Transaction]:
        return [
            Transaction(row, intent, None, head.number, self.later) for row, intent in enumerate(self.intents)
        ]

    async def reconcile(self, head: Head) -> Sequence[Transaction]:
        return await self.track(head)

    async def simulate(self, calls: Any, head: Head) -> list[Any]:
        return []

    async def roll_back(self, ancestor: Head) -> None:
        self.intents.clear()


async def filled(outcome: Outcome, later: Outcome = Outcome.INCLUDED) -> Desk:
    """Let the keeper decide on a quote and send the fill; return what the desk was told."""
    desk = Desk()
    quotes = DealtQuotes(desk)
    snapshot = await quotes.attach(scene().shoot(), HEAD)
    (chosen,) = decide(snapshot, StrategySettings()).candidates
    intent = an_intent(data=fill_data(chosen.action))
    watcher = FillWatcher(Landing(outcome, later), quotes)
    await watcher.execute([intent, an_intent("other")], HEAD)
    await watcher.track(a_head(101))
    await watcher.track(a_head(102))
    return desk


async def test_the_desk_is_asked_for_running_auctions_and_told_the_mid_prices() -> None:
    desk = Desk()
    snapshot = await DealtQuotes(desk).attach(scene().shoot(), HEAD)
    (request,) = desk.asked
    assert snapshot.quotes[request.account][0].quote.account == request.account
    assert desk.mids[0][WETH, USDC] == FAIR


async def test_nothing_is_asked_where_no_auction_runs() -> None:
    desk = Desk()
    snapshot = await DealtQuotes(desk).attach(Scene().shoot(), HEAD)
    assert desk.asked == []
    assert snapshot.quotes == {}


async def test_a_quote_is_chosen_where_no_pool_pays_and_the_fill_that_lands_is_told() -> None:
    desk = await filled(Outcome.SUBMITTED)
    assert desk.fills == [(b"\x07" * 65, True)]


async def test_a_fill_that_reverts_is_told_whether_it_was_sent_or_only_tried() -> None:
    sent = await filled(Outcome.SUBMITTED, Outcome.REVERTED)
    assert sent.fills == [(b"\x07" * 65, False)]
    tried = await filled(Outcome.SIMULATION_REVERTED)
    assert tried.fills == [(b"\x07" * 65, False)]


async def test_no_other_transaction_is_taken_for_a_fill_whatever_a_dealer_signs_with() -> None:
    class Hostile(Desk):
        async def ask(self, requests: Any, head: Head) -> Mapping[bytes, tuple[OpenQuote, ...]]:
            honest = opened(requests[0].account)
            dealer = replace(honest.quote, dealer=b"\xdd" * 20)
            return {requests[0].account: (honest, OpenQuote(dealer, b"\x00"))}

    desk = Hostile()
    quotes = DealtQuotes(desk)
    snapshot = await quotes.attach(scene().shoot(), HEAD)
    (chosen,) = decide(snapshot, StrategySettings()).candidates
    watcher = FillWatcher(Landing(Outcome.SUBMITTED), quotes)
    fill = an_intent("fill", data=fill_data(chosen.action))
    await watcher.execute([fill, an_intent("other", data=bytes(400))], HEAD)
    await watcher.track(a_head(101))
    assert desk.fills == [(b"\x07" * 65, True)]


async def test_a_fill_is_waited_for_while_its_quote_holds_and_not_for_ever() -> None:
    quotes = DealtQuotes(Desk())
    snapshot = await quotes.attach(scene().shoot(), HEAD)
    (chosen,) = decide(snapshot, StrategySettings()).candidates
    watcher = FillWatcher(Landing(Outcome.IN_FLIGHT), quotes)
    for number in range(50):  # offered again on every head while its account is busy
        await watcher.execute([an_intent(f"key {number}", data=fill_data(chosen.action))], HEAD)
    for since_deadline, waited_for in ((0, 50), (600, 50), (601, 0)):
        await quotes.attach(snapshot, replace(HEAD, timestamp=NOW + 36 + since_deadline))
        assert quotes.waited_for == waited_for


def test_of_quote_and_pools_the_one_that_brings_more_after_gas_is_chosen() -> None:
    shot = scene(200.0).shoot()
    account = shot.positions.accounts[0]
    alone = decide(shot, StrategySettings())
    assert alone.candidates[0].action.kind is Kind.TAKE
    beside = decide(replace(shot, quotes={account: (opened(account),)}), StrategySettings())
    assert beside.candidates[0].action.kind is Kind.TAKE  # at this reserve a take earns more than the chip
    (decision,) = beside.decisions
    assert [rejected.reason for rejected in decision.rejected if rejected.kind is Kind.FILL] == [
        Reason.OUTBID
    ]
    without = decide(replace(shot, pools=(), quotes={account: (opened(account),)}), StrategySettings())
    assert without.candidates[0].action.kind is Kind.FILL
    assert without.candidates[0].action.quote == opened(account)

"""What the dealer sends at a head, and what it does where something cannot be sent."""

from collections.abc import Mapping
from typing import Any

from bot.ports import Address, Call
from bot.rfq.dealing import DealerView, Funds
from bot.rfq.hedging import HedgeOptions, HedgeOrder, Hedger
from bot.rfq.landing import Job
from bot.rfq.reading import Places, Reading
from bot.rfq.records import WorkKind
from tests.support.dealing import HEAD, scene
from tests.support.snapshots import USDC, WBTC, WETH, units

HOUSE, ROUTER = b"\xc1" * 20, b"\xf1" * 20
TOKENS = {WETH: b"\xa0" * 20, WBTC: b"\xa1" * 20, USDC: b"\xa2" * 20}
PLACES = Places(b"\xe1" * 20, HOUSE, ROUTER, b"\xd1" * 20, TOKENS)
EXPOSED = {(WETH, USDC): units("WETH", 5), (WBTC, USDC): units("WBTC", 1)}
RICH = 10**30


class Stage:
    """Lane, ledger and venue; holds back what a test says.

    Parameters
    ----------
    held_back : callable
        Whether a job cannot be sent.
    """

    def __init__(self, held_back: Any) -> None:
        self.held_back = held_back
        self.sent: list[Job] = []
        self.tried: list[Job] = []

    async def settle(self, head: object) -> bool:
        return True

    async def send(self, job: Job, head: object) -> object:
        self.tried.append(job)
        if self.held_back(job):
            return None
        self.sent.append(job)
        return object()

    async def exposure(self) -> Mapping[tuple[int, int], int]:
        return EXPOSED

    def order(self, snapshot: object, pair: tuple[int, int], amount: int) -> HedgeOrder:
        return HedgeOrder(amount, 0, Call(Address("0x" + "f1" * 20), bytes(pair)))


async def step(
    held_back: Any, *, allowance: int = RICH, to_house: int = RICH, wanted: int = 0
) -> tuple[list[Job], list[Job]]:
    stage: Any = Stage(held_back)
    hedger = Hedger(stage, stage, stage, PLACES, HedgeOptions(), lambda call: call)
    funds = {asset: Funds(RICH, to_house) for asset in TOKENS}
    view = DealerView(HEAD, scene().shoot(), funds)
    reading = Reading(funds, dict.fromkeys(TOKENS, allowance), {})
    await hedger.step(view, reading, {USDC: wanted} if wanted else {})
    return stage.sent, stage.tried


def pair(job: Job) -> tuple[int, int]:
    return job.collateral_id, job.debt_id


def approved(job: Job) -> int:
    return int.from_bytes(job.call.data[-32:])


async def test_a_pair_that_cannot_be_hedged_does_not_hold_up_the_next_one() -> None:
    sent, _ = await step(lambda job: pair(job) == (WETH, USDC))
    assert [pair(job) for job in sent] == [(WBTC, USDC)]


async def test_what_the_house_may_draw_and_cannot_be_raised_does_not_hold_up_a_hedge() -> None:
    sent, _ = await step(lambda job: job.kind is WorkKind.APPROVE, to_house=1, wanted=100)
    assert [(job.kind, pair(job)) for job in sent] == [(WorkKind.HEDGE, (WETH, USDC))]


async def test_one_transaction_is_sent_at_a_head() -> None:
    sent, _ = await step(lambda job: False)
    assert [pair(job) for job in sent] == [(WETH, USDC)]
    sent, _ = await step(lambda job: False, to_house=1, wanted=100)
    assert [approved(job) for job in sent] == [100]


async def test_a_token_that_changes_no_allowance_but_to_nothing_is_brought_there_first() -> None:
    def stubborn(job: Job) -> bool:
        return job.kind is WorkKind.APPROVE and approved(job) != 0

    sent, tried = await step(stubborn, to_house=1, wanted=100)
    assert [approved(job) for job in tried] == [100, 0]
    assert [approved(job) for job in sent] == [0]
    _, tried = await step(stubborn, to_house=0, wanted=100)
    assert [approved(job) for job in tried if job.kind is WorkKind.APPROVE] == [100], "there already"
    sent, _ = await step(stubborn, allowance=1)
    assert [approved(job) for job in sent] == [0]

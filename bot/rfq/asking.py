"""The keeper's desk: asks every dealer at once, within one deadline, and keeps what holds.

What a dealer does wrong costs the dealer: it is written to its score, and the head goes on with the others.
Only a node that fails is an error here.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import structlog
from eth_utils.address import to_checksum_address

from bot.errors import (
    DealerUnreachableError,
    QuoteDeclinedError,
    QuoteInvalidError,
    QuoteMessageError,
    QuoteVoidError,
)
from bot.ports import Head
from bot.ports.rfq import DealerMemory, DealerScore, QuoteRequest
from bot.rfq import scoring
from bot.rfq.client import DealerLink
from bot.rfq.messages import SignedMessage, quote_of, request_message
from bot.rfq.scoring import BenchPolicy, PriceMark
from bot.rfq.typed_data import QuoteDomain
from bot.rfq.verification import Offer, QuoteVerifier
from bot.strategy.quotes import OpenQuote

_log = structlog.get_logger(__name__)

_MARKS_KEPT: Final = 4_096


@dataclass(frozen=True, slots=True)
class DeskOptions:
    """How dealers are asked.

    Parameters
    ----------
    deadline_s : float
        Seconds for all answers together: what the keeper can spare of a block.
    at_once : int
        Requests under way to one dealer.
    mark_after : int
        Blocks after which a quote's price is held against the mid price.
    bench : BenchPolicy
        When a dealer is left out.
    """

    deadline_s: float = 0.5
    at_once: int = 16
    mark_after: int = 5
    bench: BenchPolicy = field(default_factory=BenchPolicy)


class KnownDealer(NamedTuple):
    """A dealer that the operator lists: nobody else is asked.

    Parameters
    ----------
    address : bytes
        Who must sign, 20 bytes.
    link : DealerLink
        How it is asked.
    """

    address: bytes
    link: DealerLink


class _Answer(NamedTuple):
    dealer: KnownDealer
    request: QuoteRequest
    found: SignedMessage | QuoteDeclinedError | QuoteMessageError | DealerUnreachableError


class _Mark(NamedTuple):
    dealer: str
    pair: tuple[int, int]
    price: int
    fair: int
    due: int


class RequestDesk:
    """See `bot.ports.rfq.QuoteDesk`.

    Parameters
    ----------
    dealers : sequence of KnownDealer
        Whom to ask.
    domain : QuoteDomain
        Where quotes are to hold.
    verifier : QuoteVerifier
        Decides which do.
    memory : DealerMemory
        Keeps the scores.
    options : DeskOptions
        How to ask.
    """

    def __init__(
        self,
        dealers: Sequence[KnownDealer],
        domain: QuoteDomain,
        verifier: QuoteVerifier,
        memory: DealerMemory,
        options: DeskOptions | None = None,
    ) -> None:
        self._dealers: Final = tuple(dealers)
        self._domain: Final = domain
        self._verifier: Final = verifier
        self._memory: Final = memory
        self._options: Final = options or DeskOptions()
        self._scores: dict[str, DealerScore] | None = None
        self._marks: Final[deque[_Mark]] = deque(maxlen=_MARKS_KEPT)

    async def scores(self) -> Mapping[str, DealerScore]:
        """Return the score of every dealer that is listed, by address."""
        if self._scores is None:
            kept = await self._memory.load()
            names = [_name(dealer.address) for dealer in self._dealers]
            self._scores = {name: kept.get(name, DealerScore(name)) for name in names}
        return self._scores

    # -------------------------------------------------------------------------- asking

    async def ask(
        self, requests: Sequence[QuoteRequest], head: Head
    ) -> Mapping[bytes, tuple[OpenQuote, ...]]:
        """See `bot.ports.rfq.QuoteDesk.ask`."""
        scores = await self.scores()
        asked = [
            dealer
            for dealer in self._dealers
            if not scoring.is_benched(scores[_name(dealer.address)], head.number)
        ]
        if not asked or not requests:
            return {}
        answers = await self._gather(asked, requests)
        offers = [
            Offer(answer.request, answer.dealer.address, *quote_of(answer.found))
            for answer in answers
            if isinstance(answer.found, SignedMessage)
        ]
        verdicts = await self._verifier.verify(offers, head)
        self._judge_silence(answers, head)
        held = [
            opened
            for offer, verdict in zip(offers, verdicts, strict=True)
            if (opened := self._judge(offer, verdict, head)) is not None
        ]
        await self._save(_name(dealer.address) for dealer in asked)
        return self._by_account(held)

    async def _gather(
        self, dealers: Sequence[KnownDealer], requests: Sequence[QuoteRequest]
    ) -> list[_Answer]:
        """Ask all dealers everything at once; an answer that is not there at the deadline is none."""
        deadline = asyncio.get_running_loop().time() + self._options.deadline_s
        async with asyncio.TaskGroup() as group:
            tasks = []
            for dealer in dealers:
                turn = asyncio.Semaphore(self._options.at_once)
                tasks += [
                    group.create_task(self._one(dealer, request, turn, deadline)) for request in requests
                ]
        return [task.result() for task in tasks]

    async def _one(
        self, dealer: KnownDealer, request: QuoteRequest, turn: asyncio.Semaphore, deadline: float
    ) -> _Answer:
        message = request_message(request, self._domain.chain_id, self._domain.engine)
        try:
            async with asyncio.timeout_at(deadline), turn:
                return _Answer(dealer, request, await dealer.link.quote(message))
        except TimeoutError:
            late = f"no answer within {self._options.deadline_s} s"
            return _Answer(dealer, request, DealerUnreachableError(dealer.link.label, late))
        except (QuoteDeclinedError, QuoteMessageError, DealerUnreachableError) as error:
            return _Answer(dealer, request, error)

    def _by_account(self, quotes: Sequence[OpenQuote]) -> dict[bytes, tuple[OpenQuote, ...]]:
        found: dict[bytes, list[OpenQuote]] = {}
        for opened in quotes:
            found.setdefault(opened.quote.account, []).append(opened)
        return {account: tuple(sorted(held, key=_best_first)) for account, held in found.items()}

    # ------------------------------------------------------------------------- judging

    def _judge_silence(self, answers: Sequence[_Answer], head: Head) -> None:
        for dealer, _, found in answers:
            score, bench = self._score(dealer.address), self._options.bench
            match found:
                case QuoteDeclinedError():
                    self._keep(scoring.declined(score, bench))
                case DealerUnreachableError():
                    self._keep(scoring.silent(score, bench, head.number))
                    _log.info("dealer_silent", dealer=score.dealer, reason=found.detail)
                case QuoteMessageError():
                    self._keep(scoring.at_fault(score, bench, head.number))
                    _log.warning("dealer_malformed", dealer=score.dealer, reason=str(found))
                case SignedMessage():
                    pass  # judged by its quote

    def _judge(self, offer: Offer, verdict: OpenQuote | QuoteInvalidError, head: Head) -> OpenQuote | None:
        score, bench, quote = self._score(offer.dealer), self._options.bench, offer.quote
        if isinstance(verdict, QuoteInvalidError):
            honest = isinstance(verdict, QuoteVoidError)  # it may have seen another head
            blame = scoring.silent if honest else scoring.at_fault
            self._keep(blame(score, bench, head.number))
            _log.warning("quote_refused", dealer=score.dealer, reason=str(verdict))
            return None
        self._keep(scoring.answered(score, bench))
        pair = (quote.collateral_id, quote.debt_id)
        due = head.number + self._options.mark_after
        if offer.request.fair_price:
            self._marks.append(_Mark(score.dealer, pair, quote.price, offer.request.fair_price, due))
        return replace(verdict, fill_rate_bps=_expected_rate(score))

    async def report_fill(self, quote: OpenQuote, *, succeeded: bool, head: Head) -> None:
        """See `bot.ports.rfq.QuoteDesk.report_fill`."""
        await self.scores()
        score = self._score(quote.quote.dealer)
        self._keep(scoring.filled(score, self._options.bench, head.number, succeeded=succeeded))
        await self._save([score.dealer])

    async def report_mid(self, prices: Mapping[tuple[int, int], int], head: Head) -> None:
        """See `bot.ports.rfq.QuoteDesk.report_mid`."""
        await self.scores()
        due = [mark for mark in self._marks if mark.due <= head.number]
        found: dict[str, list[PriceMark]] = {}
        for mark in due:
            self._marks.remove(mark)
            if mid := prices.get(mark.pair, 0):
                found.setdefault(mark.dealer, []).append(PriceMark(mark.price, mark.fair, mid))
        for dealer, marks in found.items():
            self._mark(self._known()[dealer], marks, head)
        if found:
            await self._save(found)

    def _mark(self, score: DealerScore, marks: Sequence[PriceMark], head: Head) -> None:
        """Count a head's prices; those from before a bench were counted in it."""
        if scoring.is_benched(score, head.number):
            return
        after = scoring.marked(score, self._options.bench, head.number, marks)
        if after.strikes > score.strikes:
            _log.warning(
                "dealer_priced_off", dealer=score.dealer, quotes=len(marks), until=after.benched_until
            )
        self._keep(after)

    def _known(self) -> dict[str, DealerScore]:
        assert self._scores is not None  # loaded by every public method
        return self._scores

    def _score(self, dealer: bytes) -> DealerScore:
        return self._known()[_name(dealer)]

    def _keep(self, score: DealerScore) -> None:
        self._known()[score.dealer] = score

    async def _save(self, names: Iterable[str]) -> None:
        await self._memory.save([self._known()[name] for name in sorted(set(names))])


def _name(address: bytes) -> str:
    return str(to_checksum_address(address))


def _best_first(opened: OpenQuote) -> tuple[int, int, bytes]:
    return -opened.quote.price, -opened.left, opened.quote.dealer


def _expected_rate(score: DealerScore) -> int:
    """Return the share of fills that is believed to go through: by experience, once there is some."""
    tried = score.fills + score.failed_fills
    return score.fill_bps if tried else scoring.UNTRIED_FILL_BPS

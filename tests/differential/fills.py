"""Fills of dealers' quotes against the twin, to the wei: size, price, what is booked, and what is drawn.

Prices lie around the reserve, and around what the measured depth would pay, where a fill draws nothing;
quotes are filled whole, in part, and again.
"""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from eth_keys.datatypes import PrivateKey

from bot import abi
from bot.domain import engine
from bot.domain.engine import Position, Sale, Terms
from bot.domain.release import Side
from bot.domain.wad import BPS, WAD
from bot.protocols.events import EventDecoder
from bot.protocols.sluice.calls import Function
from bot.protocols.sluice.fills import quote_values
from bot.rfq.typed_data import QuoteDomain
from bot.strategy.case import Case
from bot.strategy.fills import pays_for_depth
from bot.strategy.quotes import NOBODY, FirmQuote, OpenQuote
from tests.differential.test_engine_twin import assert_booked, context, predicted_incentives
from tests.support.crowd import Crowd, fields_of
from tests.support.moments import Moment
from tests.support.rfq import a_key, address_of, sign
from tests.support.world import KEEPER, World

FILL = Function("liquidation_engine", "fill")
FILLED = EventDecoder(abi.load("liquidation_engine"), ["QuoteFilled"])
ALL = 2**256 - 1
LARGEST = 2**128 - 1


class Foretold(NamedTuple):
    """A fill as the twin books it.

    Parameters
    ----------
    sale : Sale
        What is sold and paid.
    paid : Terms
        What it is booked at.
    realised : int
        Its price over the oracle's, WAD.
    drew : bool
        Whether it draws on the budgets.
    """

    sale: Sale
    paid: Terms
    realised: int
    drew: bool


@dataclass
class Dealer:
    """A dealer with funds enough, and its quotes that were filled in part.

    Parameters
    ----------
    key : PrivateKey
        Signs.
    domain : QuoteDomain
        Where its quotes hold.
    open_quotes : dict
        By account and pair.
    """

    key: PrivateKey
    domain: QuoteDomain
    open_quotes: dict[tuple[bytes, tuple[int, int]], OpenQuote] = field(default_factory=dict)
    nonce: int = 0

    @classmethod
    def at(cls, here: World) -> "Dealer":
        """Return a dealer that lets the house have its tokens."""
        key = a_key()
        address = "0x" + address_of(key).hex()
        here.node.call("anvil_impersonateAccount", address)
        here.node.call("anvil_setBalance", address, hex(10**21))
        for asset in here.manifest.assets:
            here.mint(asset.symbol, address, here.units(asset.symbol, 10**7), here.manifest.clearing_house)
        engine_ = bytes.fromhex(here.manifest.liquidation_engine[2:])
        return cls(key, QuoteDomain(here.manifest.chain_id, engine_))

    def offer(self, crowd: Crowd, case: Case, pair: tuple[int, int]) -> OpenQuote:
        """Return a quote: one that is filled in part and still holds, or a new one at a random price."""
        known = self.open_quotes.get((case.account, pair))
        assert case.auction is not None
        if known is not None and known.quote.epoch == case.auction.epoch and crowd.random.random() < 0.5:
            return known
        return self._new(crowd, case, pair)

    def _new(self, crowd: Crowd, case: Case, pair: tuple[int, int]) -> OpenQuote:
        assert case.auction is not None
        random, (position, reserve) = crowd.random, context(case, pair)
        self.nonce += 1
        quote = FirmQuote(
            dealer=address_of(self.key),
            account=case.account,
            epoch=case.auction.epoch,
            collateral_id=pair[0],
            debt_id=pair[1],
            price=_price(crowd, position, reserve),
            min_fill=random.choice((0, random.randrange(position.collateral + 1))),
            max_fill=random.choice((LARGEST, random.randrange(1, position.collateral + 1))),
            nonce=self.nonce,
            deadline=case.snapshot.timestamp + 100_000,
            filler=NOBODY,
            callback=False,
        )
        if random.random() < 0.8:
            quote = replace(quote, min_fill=0)
        return OpenQuote(quote, sign(quote, self.key, self.domain))

    def remember(self, offered: OpenQuote, seized: int) -> None:
        """Keep a quote that was really filled, while something is left of it."""
        quote = offered.quote
        key = (quote.account, (quote.collateral_id, quote.debt_id))
        filled = offered.filled + seized
        if filled < quote.max_fill:
            self.open_quotes[key] = replace(offered, filled=filled)
        else:
            self.open_quotes.pop(key, None)


def _price(crowd: Crowd, position: Position, reserve: Terms) -> int:
    """Return a price: at the reserve to the unit, or somewhat below or above it, or near the oracle's."""
    random = crowd.random
    multiplier = random.choice(
        (
            reserve.multiplier,
            reserve.multiplier * random.randrange(9_990, 10_000) // BPS,
            reserve.multiplier * random.randrange(10_000, 10_300) // BPS,
            max(reserve.multiplier, WAD * random.randrange(9_800, 10_050) // BPS),
        )
    )
    value = position.sold.value_down(WAD) * multiplier // WAD
    return value * position.owed.unit // position.owed.price + random.choice((0, 1, 1, 2))


def foretold(case: Case, pair: tuple[int, int], offered: OpenQuote, amount: int) -> Foretold | None:
    """Return how the engine books a fill of at most ``amount``; None where it refuses."""
    quote, rules = offered.quote, case.snapshot.engine
    position, reserve = context(case, pair)
    quoted = engine.multiplier_down(position, WAD, quote.price)
    if quoted < reserve.multiplier:
        return None
    best = engine.terms_at(position, engine.multiplier_up(position, WAD, quote.price), rules.penalty)
    low = engine.terms_at(position, quoted, rules.penalty)
    if case.dearer(pair, position, low) is not None:
        return None
    size = engine.sale_size(position, best, low, rules.target, rules.dust)
    seized = min(size, offered.left, amount)
    value, markets = position.sold.value_up(seized), case.snapshot.markets
    drew = not pays_for_depth(markets, pair, value, quoted, case.snapshot.timestamp)
    if drew:
        seized = min(seized, case.released(pair, position, reserve, best, size))
    if seized == 0 or seized < offered.least:
        return None
    payment = quote.payment(seized)
    realised = max(engine.multiplier_down(position, seized, payment), reserve.multiplier)
    paid = engine.terms_at(position, realised, rules.penalty)
    sale = engine.realised(position, paid, seized, payment)
    empty = payment == 0 or sale.cancelled == 0
    if empty or engine.leaves_dust(position, seized, sale.cancelled, rules.dust):
        return None
    return Foretold(sale, paid, realised, drew)


def compare_fill(
    moment: Moment, crowd: Crowd, case: Case, pair: tuple[int, int], dealer: Dealer
) -> list[str]:
    """Fill a quote and compare what is booked and drawn; tell of what kind it was."""
    offered = dealer.offer(crowd, case, pair)
    amount = _amount(crowd, case, pair)
    data = FILL.data(quote_values(offered.quote), offered.signature, amount)
    sides = list(zip(pair, Side, strict=True))
    questions = [("liquidation_engine", "bucketNow", asset_id, side) for asset_id, side in sides]
    receipt, buckets = moment.send_and_read(KEEPER, moment.manifest.liquidation_engine, data, questions)
    expected = foretold(case, pair, offered, amount)
    assert (receipt["status"] == "0x1") == (expected is not None)
    if expected is None:
        return ["fill refused"]
    _assert_filled(case, pair, receipt, expected)
    value = case.position(*pair).sold.value_up(expected.sale.seized)
    markets, time = case.snapshot.markets, case.snapshot.timestamp
    if expected.drew:
        markets = markets.drawn(pair, value, time)
    for (asset_id, side), (found,) in zip(sides, buckets, strict=True):
        bucket = markets.bucket(asset_id, side, time)
        drawn = (bucket.level, bucket.capacity, bucket.level_at, bucket.clock)
        assert asset_id not in markets.budgeted or tuple(found)[:4] == drawn
    return _told(case, pair, offered, expected)


def _amount(crowd: Crowd, case: Case, pair: tuple[int, int]) -> int:
    held = case.position(*pair).collateral
    return crowd.random.choice((ALL, ALL, crowd.random.randrange(1, held + 1)))


def _assert_filled(case: Case, pair: tuple[int, int], receipt: dict[str, Any], expected: Foretold) -> None:
    paid_out = predicted_incentives(case, pair, expected.paid, expected.sale)
    assert_booked(receipt, expected.sale, paid_out, expected.realised)
    told = fields_of(FILLED, receipt)
    assert told is not None
    assert (told["seized"], told["drew"]) == (expected.sale.seized, expected.drew)


def _told(case: Case, pair: tuple[int, int], offered: OpenQuote, expected: Foretold) -> list[str]:
    told = ["fill"]
    if expected.sale.seized < offered.left:
        told.append("fill in part")
    if offered.filled:
        told.append("filled before")
    if not expected.drew and set(pair) & case.snapshot.markets.budgeted:
        told.append("brings its depth")
    return told


def fill_once(here: World, crowd: Crowd, case: Case, pair: tuple[int, int], dealer: Dealer) -> None:
    """Let a part of a quote really be filled, if the engine takes it."""
    offered = dealer.offer(crowd, case, pair)
    amount = crowd.random.randrange(1, case.position(*pair).collateral // 4 + 2)
    data = FILL.data(quote_values(offered.quote), offered.signature, amount)
    receipt = here.send(KEEPER, here.manifest.liquidation_engine, data, must_succeed=False)
    expected = foretold(case, pair, offered, amount)
    assert (receipt["status"] == "0x1") == (expected is not None)
    if expected is not None:
        _assert_filled(case, pair, receipt, expected)
        dealer.remember(offered, expected.sale.seized)

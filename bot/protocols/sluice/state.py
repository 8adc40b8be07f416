"""Everything the keeper knows of Sluice, brought forward one log at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from bot import abi
from bot.domain.engine import AssetTerms, CurveInputs, EngineParameters, Holding, Markets, balance_of
from bot.domain.lending import assets_up
from bot.domain.release import Bucket, Side, SpeedParameters
from bot.domain.volatility import LiveCovariance
from bot.errors import BookDivergedError
from bot.ports import Head
from bot.protocols.events import EventDecoder
from bot.protocols.sluice.book import Book
from bot.protocols.sluice.manifest import Manifest
from bot.protocols.sluice.markets import AssetBook
from bot.protocols.sluice.prices import Answer, Feed, SecondSource, Uptime, price_of
from bot.protocols.uniswap_v3 import PoolBook
from bot.strategy.snapshot import NO_SETTLEMENT, TWAP_WINDOW, Asset, Auction, PoolView, Snapshot

HOUSE_EVENTS: Final = EventDecoder(
    abi.load("clearing_house"),
    [
        "AssetListed",
        "AssetParametersSet",
        "RateModelSet",
        "InterestAccrued",
        "Supplied",
        "Withdrawn",
        "CollateralDeposited",
        "CollateralWithdrawn",
        "Borrowed",
        "Repaid",
        "FlagSet",
        "Netted",
        "Settled",
        "DeficitCovered",
        "DebtWrittenOff",
        "CollateralForfeited",
        "Marked",
        "CreditCollected",
        "ReserveWithdrawn",
    ],
)
ENGINE_EVENTS: Final = EventDecoder(
    abi.load("liquidation_engine"),
    [
        "EngineParametersSet",
        "SpeedParametersSet",
        "CurveSet",
        "BudgetedSet",
        "MarketDepthSet",
        "Poked",
        "VenueSet",
        "BreakerSet",
        "Kicked",
        "Redone",
        "Lapsed",
        "LegStarted",
        "QuoteFilled",
    ],
)
ORACLE_EVENTS: Final = EventDecoder(abi.load("price_oracle"), ["FeedSet", "SecondarySet"])
FEED_EVENTS: Final = EventDecoder(abi.load("aggregator"), ["AnswerUpdated"])
TAKER_EVENTS: Final = EventDecoder(abi.load("flash_taker"), ["OperatorSet"])


def raw(address: str) -> bytes:
    """Return an address as 20 bytes."""
    return bytes.fromhex(address[2:])


def decoders_of(manifest: Manifest) -> dict[bytes, EventDecoder]:
    """Return the decoder of each contract of a deployment, its pools aside."""
    decoders = {
        raw(manifest.clearing_house): HOUSE_EVENTS,
        raw(manifest.liquidation_engine): ENGINE_EVENTS,
        raw(manifest.price_oracle): ORACLE_EVENTS,
        raw(manifest.flash_taker): TAKER_EVENTS,
    }
    return decoders | {raw(feed): FEED_EVENTS for feed in manifest.feeds}


@dataclass(frozen=True, slots=True)
class Breaker:
    """What stops liquidations, as the engine last said.

    Parameters
    ----------
    level : int
        1 stops kicks, 2 redos too, 3 settlements too.
    until : int
        When it ends, unix seconds.
    earlier : int
        When a level 3 before it ended.
    """

    level: int = 0
    until: int = 0
    earlier: int = 0

    def level_at(self, timestamp: int) -> int:
        """Return the level in a block of that time."""
        return self.level if timestamp < self.until else 0

    def resumed_at(self, timestamp: int) -> int:
        """Return when settlements were last possible again after a level 3."""
        expired = self.level == NO_SETTLEMENT and timestamp >= self.until
        return self.until if expired else self.earlier


_NO_BREAKER: Final = Breaker()


@dataclass
class State:
    """The protocol after every log so far.

    Parameters
    ----------
    manifest : Manifest
        Where the contracts are.
    pools : dict of bytes to PoolBook
        The manifest's pools, by address.
    decoders : mapping of bytes to EventDecoder
        By emitter.
    book : Book
        Accounts.
    assets : list of AssetBook
        By asset id.
    feeds : dict of bytes to Feed
        What the oracle accepts, by token.
    seconds : dict of bytes to SecondSource
        What must confirm a price, by token.
    answers : dict of bytes to Answer
        The last answer, by the feed that gave it.
    auctions : dict of int to Auction
        Running auctions, by row of the book.
    engine : EngineParameters or None
        None before the first log of the engine.
    venues, operators : frozenset of bytes
        Venues allowed; who may use the flash taker.
    speed : SpeedParameters or None
        None before the first log of the engine.
    budgeted : frozenset of int
        Assets that have release budgets.
    buckets : dict of (int, Side) to Bucket
        Release budgets that were ever drawn on or poked.
    volatilities : dict of int to int
        Basis points a year, by asset id, where governance has set one.
    curves : dict of int to CurveInputs
        What the reserves of an asset follow from, by asset id, where governance has set it.
    senses_depth : bool
        Whether the engine knows where to read depth.
    breaker : Breaker
        As last set.
    marks : dict of int to mapping of int to int
        Parts of debts marked as pending deficits, by row of the book and asset id; zeros are absent.
    exempt_fill : bool
        Whether the settlement that comes next is a fill that draws on no budget.
    covariance : LiveCovariance or None
        How the feeds have moved, by asset id; None estimates nothing.
    """

    manifest: Manifest
    pools: dict[bytes, PoolBook]
    decoders: Mapping[bytes, EventDecoder]
    book: Book = field(default_factory=Book)
    assets: list[AssetBook] = field(default_factory=list)
    feeds: dict[bytes, Feed] = field(default_factory=dict)
    seconds: dict[bytes, SecondSource] = field(default_factory=dict)
    answers: dict[bytes, Answer] = field(default_factory=dict)
    auctions: dict[int, Auction] = field(default_factory=dict)
    engine: EngineParameters | None = None
    venues: frozenset[bytes] = frozenset()
    operators: frozenset[bytes] = frozenset()
    speed: SpeedParameters | None = None
    budgeted: frozenset[int] = frozenset()
    buckets: dict[tuple[int, Side], Bucket] = field(default_factory=dict)
    volatilities: dict[int, int] = field(default_factory=dict)
    curves: dict[int, CurveInputs] = field(default_factory=dict)
    senses_depth: bool = False
    breaker: Breaker = _NO_BREAKER
    marks: dict[int, Mapping[int, int]] = field(default_factory=dict)
    exempt_fill: bool = False
    covariance: LiveCovariance | None = None

    def copy(self) -> "State":
        """Return a copy that changes on its own."""
        return replace(
            self,
            pools={address: pool.copy() for address, pool in self.pools.items()},
            book=self.book.copy(),
            assets=list(self.assets),
            feeds=dict(self.feeds),
            seconds=dict(self.seconds),
            answers=dict(self.answers),
            auctions=dict(self.auctions),
            buckets=dict(self.buckets),
            volatilities=dict(self.volatilities),
            curves=dict(self.curves),
            marks=dict(self.marks),
        )

    def snapshot(self, head: Head, signer: bytes | None = None) -> Snapshot:
        """Return a frozen picture at ``head``, to which the state was brought.

        Parameters
        ----------
        head : Head
            The head.
        signer : bytes or None
            Who would act; without one the flash taker counts as open.

        Raises
        ------
        BookDivergedError
            As for `parameters`.
        """
        return Snapshot(
            block=head.number,
            timestamp=head.timestamp,
            base_fee=head.base_fee_per_gas,
            assets=tuple(self._asset(asset_id, head.timestamp) for asset_id in range(len(self.assets))),
            positions=self.book.frozen(),
            auctions=MappingProxyType(dict(self.auctions)),
            engine=self.parameters,
            keeper=signer,
            markets=self.markets,
            breaker_level=self.breaker.level_at(head.timestamp),
            resumed_at=self._resumed_at(head.timestamp),
            swap_open=raw(self.manifest.uniswap_v3_venue) in self.venues,
            take_open=signer is None or signer in self.operators,
            pools=tuple(
                PoolView(
                    pool.address,
                    pool.token0,
                    pool.token1,
                    pool.pool(),
                    pool.mean_tick(head.timestamp, TWAP_WINDOW),
                )
                for pool in self.pools.values()
                if pool.started
            ),
            covariance=self.covariance,
            poke_open=self.senses_depth,
            curves=MappingProxyType(dict(self.curves)),
            marks=MappingProxyType(dict(self.marks)),
        )

    @property
    def parameters(self) -> EngineParameters:
        """Parameters of the engine.

        Raises
        ------
        BookDivergedError
            If they were never logged: the manifest's addresses or its block are wrong.
        """
        if self.engine is None:
            raise BookDivergedError("parameters of the liquidation engine", None, "logged at its deployment")
        return self.engine

    @property
    def markets(self) -> Markets:
        """Release budgets of every asset.

        Raises
        ------
        BookDivergedError
            As for `parameters`.
        """
        if self.speed is None:
            raise BookDivergedError("speed parameters of the engine", None, "logged at its deployment")
        buckets, volatilities = (
            MappingProxyType(dict(self.buckets)),
            MappingProxyType(dict(self.volatilities)),
        )
        return Markets(self.speed, self.budgeted, buckets, volatilities)

    def terms(self, asset_id: int, timestamp: int) -> AssetTerms | None:
        """Return price and weights of an asset in a block of that time, or None if it has no price."""
        book, price = self.assets[asset_id], self.price(asset_id, timestamp)
        return None if price is None else AssetTerms(10**book.decimals, price, book.threshold, book.weight)

    def urgency(self, row: int, timestamp: int) -> int:
        """Return u of an account in a block of that time, 0 to 255; 0 where an asset has no price."""
        holdings = self._holdings(row, timestamp)
        found = {holding.asset_id: self.terms(holding.asset_id, timestamp) for holding in holdings}
        terms = {asset_id: asset for asset_id, asset in found.items() if asset is not None}
        if len(terms) < len(found):
            return 0
        balance = balance_of(holdings, terms)
        return self.markets.urgency(holdings, terms, balance, self.parameters.penalty_bps)

    def _holdings(self, row: int, timestamp: int) -> tuple[Holding, ...]:
        """Return what an account holds and owes in a block of that time; debt rounded up."""
        found = []
        rows = zip(self.book.collateral.row(row), self.book.debt_shares.row(row), strict=True)
        for asset_id, (collateral, shares) in enumerate(rows):
            if collateral or shares:
                market = self.assets[asset_id].market_at(timestamp)
                debt = assets_up(shares, market.borrow_assets, market.borrow_shares) if shares else 0
                found.append(Holding(asset_id, collateral, debt))
        return tuple(found)

    def _asset(self, asset_id: int, timestamp: int) -> Asset:
        book, entry = self.assets[asset_id], self.manifest.assets[asset_id]
        return Asset(
            asset_id=asset_id,
            symbol=entry.symbol,
            unit=10**book.decimals,
            threshold=book.threshold,
            weight=book.weight,
            price=self.price(asset_id, timestamp),
            market=book.market_at(timestamp),
        )

    def price(self, asset_id: int, timestamp: int) -> int | None:
        """Return an asset's price as the oracle gives it in a block of that time, or None if it refuses.

        A second source that the manifest does not name is not heard, and counts as one that confirms.
        """
        uptime = self._uptime
        if uptime is not None and not uptime.prices_at(timestamp):
            return None
        token, entry = self.assets[asset_id].token, self.manifest.assets[asset_id]
        price = price_of(self.feeds.get(token), self.answers.get(raw(entry.feed)), timestamp)
        second = self.seconds.get(token)
        if price is None or second is None or second.feed.aggregator not in self.decoders:
            return price
        answer = self.answers.get(second.feed.aggregator)
        return price if second.confirms(price, answer, timestamp) else None

    @property
    def _uptime(self) -> Uptime | None:
        sequencer = self.manifest.sequencer
        return None if sequencer is None else Uptime(self.answers.get(raw(sequencer.feed)), sequencer.grace)

    def _resumed_at(self, timestamp: int) -> int:
        """Return when settlements were last possible again, after a halt or an outage of the sequencer."""
        halted, uptime = self.breaker.resumed_at(timestamp), self._uptime
        return halted if uptime is None else max(halted, uptime.resumed_at(timestamp))

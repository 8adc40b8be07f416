"""Everything the keeper knows of Sluice, brought forward one log at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, TypeAlias

from bot import abi
from bot.domain.engine import AssetTerms, EngineParameters, Leg
from bot.domain.incentives import TIP_STEPS, tip_left
from bot.domain.volatility import LiveCovariance
from bot.errors import BookDivergedError
from bot.ports import Head, Log
from bot.protocols.events import Event, EventDecoder
from bot.protocols.sluice.book import Book
from bot.protocols.sluice.manifest import Manifest
from bot.protocols.sluice.markets import AssetBook, settled, sold
from bot.protocols.sluice.prices import Answer, Feed, price_of
from bot.protocols.uniswap_v3 import POOL_EVENTS, PoolBook
from bot.strategy.snapshot import Asset, Auction, PoolView, Snapshot

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
        "SettlementBooked",
        "DebtWrittenOff",
        "CollateralForfeited",
        "CreditCollected",
        "ReserveWithdrawn",
    ],
)
ENGINE_EVENTS: Final = EventDecoder(
    abi.load("liquidation_engine"),
    ["EngineParametersSet", "VenueSet", "HaltSet", "Kicked", "Redone", "LegStarted"],
)
ORACLE_EVENTS: Final = EventDecoder(abi.load("price_oracle"), ["FeedSet"])
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
    return decoders | {raw(asset.feed): FEED_EVENTS for asset in manifest.assets}


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
    answers : dict of bytes to Answer
        The last answer, by the feed that gave it.
    auctions : dict of int to Auction
        Running auctions, by row of the book.
    engine : EngineParameters or None
        None before the first log of the engine.
    venues, operators : frozenset of bytes
        Venues allowed; who may use the flash taker.
    halted, resumed_at
        As in the engine.
    covariance : LiveCovariance or None
        How the feeds have moved, by asset id; None estimates nothing.
    """

    manifest: Manifest
    pools: dict[bytes, PoolBook]
    decoders: Mapping[bytes, EventDecoder]
    book: Book = field(default_factory=Book)
    assets: list[AssetBook] = field(default_factory=list)
    feeds: dict[bytes, Feed] = field(default_factory=dict)
    answers: dict[bytes, Answer] = field(default_factory=dict)
    auctions: dict[int, Auction] = field(default_factory=dict)
    engine: EngineParameters | None = None
    venues: frozenset[bytes] = frozenset()
    operators: frozenset[bytes] = frozenset()
    halted: bool = False
    resumed_at: int = 0
    covariance: LiveCovariance | None = None

    def copy(self) -> "State":
        """Return a copy that changes on its own."""
        return replace(
            self,
            pools={address: pool.copy() for address, pool in self.pools.items()},
            book=self.book.copy(),
            assets=list(self.assets),
            feeds=dict(self.feeds),
            answers=dict(self.answers),
            auctions=dict(self.auctions),
        )

    def apply(self, log: Log, timestamp: int) -> None:
        """Bring the state forward by one log, in the order of the chain.

        Parameters
        ----------
        log : Log
            Of one of the manifest's contracts; events of no interest are passed over.
        timestamp : int
            Of the log's block, unix seconds.

        Raises
        ------
        LogMalformedError, BookDivergedError, InvalidInputError
            If the log cannot follow what came before it.
        """
        emitter = raw(log.address)
        pool = self.pools.get(emitter)
        decoder = POOL_EVENTS if pool is not None else self.decoders.get(emitter)
        event = decoder.decode(log) if decoder else None
        if event is None:
            return
        if pool is not None:
            pool.apply(event)
            return
        if "assetId" in event.fields and decoder is HOUSE_EVENTS and event.name != "AssetListed":
            asset_id = event.fields["assetId"]
            self.assets[asset_id] = self.assets[asset_id].moved(event)
        handler = _HANDLERS.get(event.name)
        if handler is not None:
            handler(self, event, _Place(emitter, log.block_number, timestamp))

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
            halted=self.halted,
            resumed_at=self.resumed_at,
            swap_open=raw(self.manifest.uniswap_v3_venue) in self.venues,
            take_open=signer is None or signer in self.operators,
            pools=tuple(
                PoolView(pool.address, pool.token0, pool.token1, pool.pool())
                for pool in self.pools.values()
                if pool.started
            ),
            covariance=self.covariance,
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
        """Return an asset's price as the oracle gives it in a block of that time, or None if it refuses."""
        feed = self.feeds.get(self.assets[asset_id].token)
        answer = self.answers.get(raw(self.manifest.assets[asset_id].feed))
        return price_of(feed, answer, timestamp)


# ------------------------------------------------------------------------------- handlers


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an event was emitted."""

    emitter: bytes
    block: int
    timestamp: int


_Handler: TypeAlias = Callable[[State, Event, _Place], None]


def _listed(state: State, event: Event, place: _Place) -> None:
    if event.fields["assetId"] != len(state.assets):
        raise BookDivergedError("number of listed assets", len(state.assets), event.fields["assetId"])
    state.assets.append(AssetBook(event.fields["token"], event.fields["decimals"]))
    state.book.widen(len(state.assets))


def _deposited(state: State, event: Event, place: _Place) -> None:
    fields = event.fields
    state.book.add_collateral(fields["account"], fields["assetId"], fields["amount"])


def _released(state: State, event: Event, place: _Place) -> None:
    fields = event.fields
    state.book.add_collateral(fields["account"], fields["assetId"], -fields["amount"])


def _withdrew(state: State, event: Event, place: _Place) -> None:
    _released(state, event, place)
    row = state.book.row(event.fields["account"])
    state.book.risk_block[row] = place.block


def _borrowed(state: State, event: Event, place: _Place) -> None:
    fields = event.fields
    state.book.add_debt(fields["account"], fields["assetId"], fields["shares"])
    row = state.book.row(fields["account"])
    state.book.risk_block[row] = place.block


def _repaid(state: State, event: Event, place: _Place) -> None:
    fields = event.fields
    state.book.add_debt(fields["account"], fields["assetId"], -fields["shares"])


def _netted(state: State, event: Event, place: _Place) -> None:
    _released(state, event, place)
    _repaid(state, event, place)


def _flag_set(state: State, event: Event, place: _Place) -> None:
    row = state.book.row(event.fields["account"])
    state.book.flagged[row] = event.fields["flagged"]
    state.book.epoch[row] = event.fields["epoch"]
    auction = state.auctions.get(row)
    if auction is not None and auction.epoch != event.fields["epoch"]:
        del state.auctions[row]  # a redo is announced, under its new epoch, before the old flag falls


def _settled(state: State, event: Event, place: _Place) -> None:
    fields = event.fields
    account, collateral, debt = fields["account"], fields["collateralId"], fields["debtId"]
    state.assets[collateral] = replace(
        state.assets[collateral], market=sold(state.assets[collateral].market, fields)
    )
    state.assets[debt] = replace(state.assets[debt], market=settled(state.assets[debt].market, fields))
    state.book.add_collateral(account, collateral, -fields["seized"])
    state.book.add_collateral(account, debt, fields["surplus"])
    state.book.add_debt(account, debt, -fields["shares"])
    if fields["tip"]:
        _pay_tip(state, state.book.row(account), debt, fields["tip"], place)


def _pay_tip(state: State, row: int, debt_id: int, tip: int, place: _Place) -> None:
    auction, price = state.auctions.get(row), state.price(debt_id, place.timestamp)
    if auction is None or price is None:
        raise BookDivergedError("a tip's auction and price", (auction, price), "both known at its settlement")
    debt = state.assets[debt_id]
    terms = AssetTerms(10**debt.decimals, price, debt.threshold, debt.weight)
    state.auctions[row] = replace(auction, tip_owed=tip_left(auction.tip_owed, tip, terms))


def _kicked(state: State, event: Event, place: _Place) -> None:
    row = state.book.row(event.fields["account"])
    tip_owed = state.parameters.tip_value * TIP_STEPS
    fields = event.fields
    state.auctions[row] = Auction(fields["epoch"], fields["kicker"], place.timestamp, tip_owed, legs={})


def _leg_started(state: State, event: Event, place: _Place) -> None:
    fields = event.fields
    row = state.book.row(fields["account"])
    leg = Leg(fields["startMultiplierWad"], fields["decayPerSecondWad"], place.timestamp)
    auction = state.auctions.get(row)
    if auction is None:
        raise BookDivergedError("auction of a leg that started", None, fields["epoch"])
    state.auctions[row] = replace(auction, legs={**auction.legs, fields["assetId"]: leg})


def _engine_set(state: State, event: Event, place: _Place) -> None:
    fields = event.fields
    state.engine = EngineParameters(
        fields["targetHealthFactorBps"],
        fields["penaltyBps"],
        fields["chipBps"],
        fields["incentiveShareBps"],
        fields["floorMultiplierBps"],
        fields["tipValue"],
        fields["dustValue"],
        fields["tail"],
    )


def _venue_set(state: State, event: Event, place: _Place) -> None:
    venue = {event.fields["venue"]}
    state.venues = state.venues | venue if event.fields["allowed"] else state.venues - venue


def _halt_set(state: State, event: Event, place: _Place) -> None:
    state.halted = event.fields["halted"]
    state.resumed_at = event.fields["resumedAt"]


def _feed_set(state: State, event: Event, place: _Place) -> None:
    fields = event.fields
    state.feeds[fields["token"]] = Feed(
        fields["aggregator"],
        fields["maxAge"],
        fields["minAnswer"],
        fields["maxAnswer"],
        fields["feedDecimals"],
    )


def _answered(state: State, event: Event, place: _Place) -> None:
    answer = Answer(event.fields["current"], event.fields["updatedAt"])
    state.answers[place.emitter] = answer
    if state.covariance is None or answer.value <= 0 or answer.updated_at > place.timestamp:
        return  # what the oracle refuses whatever its bounds is no price to learn from
    for asset in state.manifest.assets:
        if raw(asset.feed) == place.emitter:
            # In quote units, as price files are: both feed one estimate.
            price = answer.value / 10**asset.feed_decimals
            state.covariance = state.covariance.after(asset.id, answer.updated_at, price)


def _operator_set(state: State, event: Event, place: _Place) -> None:
    operator = {event.fields["operator"]}
    state.operators = state.operators | operator if event.fields["approved"] else state.operators - operator


_HANDLERS: Final[Mapping[str, _Handler]] = {
    "AssetListed": _listed,
    "CollateralDeposited": _deposited,
    "CollateralWithdrawn": _withdrew,
    "CollateralForfeited": _released,
    "Borrowed": _borrowed,
    "Repaid": _repaid,
    "DebtWrittenOff": _repaid,
    "Netted": _netted,
    "FlagSet": _flag_set,
    "SettlementBooked": _settled,
    "Kicked": _kicked,
    "Redone": _kicked,
    "LegStarted": _leg_started,
    "EngineParametersSet": _engine_set,
    "VenueSet": _venue_set,
    "HaltSet": _halt_set,
    "FeedSet": _feed_set,
    "AnswerUpdated": _answered,
    "OperatorSet": _operator_set,
}

"""How each event moves the state: everything is learnt one log at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from bot.domain.binary_float import pack_down, pack_up
from bot.domain.engine import CurveInputs, EngineParameters, Leg
from bot.domain.incentives import TIP_STEPS, tip_left
from bot.domain.release import Side, SpeedParameters
from bot.errors import BookDivergedError
from bot.ports import Log
from bot.protocols.events import Event
from bot.protocols.sluice.markets import AssetBook, settled, sold
from bot.protocols.sluice.prices import Answer, Feed, SecondSource
from bot.protocols.sluice.state import HOUSE_EVENTS, Breaker, State, raw
from bot.protocols.uniswap_v3 import POOL_EVENTS
from bot.strategy.snapshot import INTERRUPTED, Auction


def follow(state: State, log: Log, timestamp: int) -> None:
    """Bring a state forward by one log, in the order of the chain.

    Parameters
    ----------
    state : State
        What is brought forward, in place.
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
    pool = state.pools.get(emitter)
    decoder = POOL_EVENTS if pool is not None else state.decoders.get(emitter)
    event = decoder.decode(log) if decoder else None
    if event is None:
        return
    if pool is not None:
        pool.apply(event, timestamp)
        return
    if "assetId" in event.fields and decoder is HOUSE_EVENTS and event.name != "AssetListed":
        asset_id = event.fields["assetId"]
        state.assets[asset_id] = state.assets[asset_id].moved(event)
    handler = _HANDLERS.get(event.name)
    if handler is not None:
        handler(state, event, _Place(emitter, log.block_number, timestamp))


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
    state.book.take_risk(row, place.block)


def _borrowed(state: State, event: Event, place: _Place) -> None:
    fields = event.fields
    state.book.add_debt(fields["account"], fields["assetId"], fields["shares"])
    row = state.book.row(fields["account"])
    state.book.take_risk(row, place.block)


def _repaid(state: State, event: Event, place: _Place) -> None:
    fields = event.fields
    state.book.add_debt(fields["account"], fields["assetId"], -fields["shares"])


def _netted(state: State, event: Event, place: _Place) -> None:
    _released(state, event, place)
    _repaid(state, event, place)


def _flag_set(state: State, event: Event, place: _Place) -> None:
    row = state.book.row(event.fields["account"])
    state.book.flag(row, flagged=event.fields["flagged"], epoch=event.fields["epoch"])
    auction = state.auctions.get(row)
    if auction is not None and auction.epoch != event.fields["epoch"]:
        del state.auctions[row]  # a redo is announced, under its new epoch, before the old flag falls


def _marked(state: State, event: Event, place: _Place) -> None:
    row = state.book.row(event.fields["account"])
    marks = {**state.marks.pop(row, {}), event.fields["assetId"]: event.fields["amount"]}
    if left := {asset_id: amount for asset_id, amount in marks.items() if amount}:
        state.marks[row] = left


def _settled(state: State, event: Event, place: _Place) -> None:
    fields = event.fields
    account, collateral, debt = fields["account"], fields["collateralId"], fields["debtId"]
    _press(state, state.book.row(account), collateral, place.timestamp)
    _draw(state, fields, place.timestamp)
    state.assets[collateral] = replace(
        state.assets[collateral], market=sold(state.assets[collateral].market, fields)
    )
    state.assets[debt] = replace(state.assets[debt], market=settled(state.assets[debt].market, fields))
    state.book.add_collateral(account, collateral, -fields["seized"])
    state.book.add_collateral(account, debt, fields["surplus"])
    state.book.add_debt(account, debt, -fields["shares"])
    if fields["tip"]:
        _pay_tip(state, state.book.row(account), debt, fields["tip"], place)


def _press(state: State, row: int, collateral_id: int, timestamp: int) -> None:
    """Keep the highest urgency that a settlement of the leg has seen."""
    auction = state.auctions.get(row)
    leg = auction.legs.get(collateral_id) if auction else None
    urgency = state.urgency(row, timestamp)
    if auction is not None and leg is not None and urgency > leg.urgency:
        legs = {**auction.legs, collateral_id: replace(leg, urgency=urgency)}
        state.auctions[row] = replace(auction, legs=legs)


def _draw(state: State, fields: Mapping[str, Any], timestamp: int) -> None:
    """Take what was sold, at the oracle's price, off the budgets of both sides."""
    exempt, state.exempt_fill = state.exempt_fill, False
    terms = state.terms(fields["collateralId"], timestamp)
    if exempt or terms is None:
        return
    value = terms.value_up(fields["seized"])
    for asset_id, side in ((fields["collateralId"], Side.SELL), (fields["debtId"], Side.BUY)):
        if asset_id in state.budgeted:
            bucket = state.markets.bucket(asset_id, side, timestamp)
            state.buckets[asset_id, side] = bucket.drawn(value)


def _quote_filled(state: State, event: Event, place: _Place) -> None:
    state.exempt_fill = not event.fields["drew"]


def _pay_tip(state: State, row: int, debt_id: int, tip: int, place: _Place) -> None:
    auction, terms = state.auctions.get(row), state.terms(debt_id, place.timestamp)
    if auction is None or terms is None:
        raise BookDivergedError("a tip's auction and price", (auction, terms), "both known at its settlement")
    state.auctions[row] = replace(auction, tip_owed=tip_left(auction.tip_owed, tip, terms))


def _kicked(state: State, event: Event, place: _Place) -> None:
    row = state.book.row(event.fields["account"])
    tip_owed = state.parameters.tip_value * TIP_STEPS
    fields = event.fields
    state.auctions[row] = Auction(
        fields["epoch"], fields["kicker"], place.timestamp, tip_owed, legs={}, insolvent=fields["insolvent"]
    )


def _lapsed(state: State, event: Event, _place: _Place) -> None:
    row = state.book.row(event.fields["account"])
    auction = state.auctions.get(row)
    if auction is None:
        raise BookDivergedError("auction that lapsed", None, event.fields["epoch"])
    state.auctions[row] = replace(auction, kicked_at=INTERRUPTED)


def _leg_started(state: State, event: Event, place: _Place) -> None:
    fields = event.fields
    row = state.book.row(fields["account"])
    leg = Leg(
        fields["startMultiplierWad"],
        fields["decayPerSecondWad"],
        place.timestamp,
        fields["clockAt"],
        state.urgency(row, place.timestamp),
    )
    auction = state.auctions.get(row)
    if auction is None:
        raise BookDivergedError("auction of a leg that started", None, fields["epoch"])
    state.auctions[row] = replace(
        auction,
        legs={**auction.legs, fields["assetId"]: leg},
        buy_clocks=_buy_clocks(state, row, place.timestamp) | dict(auction.buy_clocks),
    )


def _buy_clocks(state: State, row: int, timestamp: int) -> dict[int, int]:
    """Return the clocks of the buy sides of an account's budgeted debts."""
    shares = enumerate(state.book.debt_shares.row(row))
    budgeted = [asset_id for asset_id, owed in shares if owed and asset_id in state.budgeted]
    markets = state.markets
    return {asset_id: markets.bucket(asset_id, Side.BUY, timestamp).clock for asset_id in budgeted}


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


def _breaker_set(state: State, event: Event, place: _Place) -> None:
    fields = event.fields
    state.breaker = Breaker(fields["level"], fields["until"], fields["resumedAt"])


def _speed_set(state: State, event: Event, place: _Place) -> None:
    fields = event.fields
    state.speed = SpeedParameters(
        fields["recovery"],
        fields["slippageLimitBps"],
        fields["nearSlippageBps"],
        fields["shapeBps"],
        fields["urgencyZBps"],
        fields["tauClear"],
        fields["minCapacity"],
        fields["maxCapacity"],
        fields["depthMaxAge"],
        fields["choiceToleranceBps"],
    )


def _curve_set(state: State, event: Event, place: _Place) -> None:
    fields = event.fields
    inputs = CurveInputs(fields["volatilityBps"], fields["deviationBps"], fields["venueFeePips"])
    state.curves[fields["assetId"]] = inputs
    state.volatilities[fields["assetId"]] = inputs.volatility_bps


def _budgeted_set(state: State, event: Event, place: _Place) -> None:
    asset = {event.fields["assetId"]}
    state.budgeted = state.budgeted | asset if event.fields["budgeted"] else state.budgeted - asset


def _depth_set(state: State, event: Event, place: _Place) -> None:
    state.senses_depth = any(event.fields["marketDepth"])


def _poked(state: State, event: Event, place: _Place) -> None:
    fields = event.fields
    key = fields["assetId"], Side(fields["side"])
    bucket = state.markets.bucket(*key, place.timestamp).resized(fields["capacity"])
    pack = pack_up if key[1] is Side.SELL else pack_down
    state.buckets[key] = replace(bucket, poked_at=place.timestamp, mean_price=pack(fields["meanPrice"]))


def _feed_set(state: State, event: Event, place: _Place) -> None:
    state.feeds[event.fields["token"]] = _feed(event.fields)


def _secondary_set(state: State, event: Event, place: _Place) -> None:
    fields = event.fields
    if fields["maxDeviationBps"]:
        state.seconds[fields["token"]] = SecondSource(_feed(fields), fields["maxDeviationBps"])
    else:
        state.seconds.pop(fields["token"], None)


def _feed(fields: Mapping[str, Any]) -> Feed:
    bounds = fields["minAnswer"], fields["maxAnswer"]
    return Feed(fields["aggregator"], fields["maxAge"], *bounds, fields["feedDecimals"])


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
    "Marked": _marked,
    "Settled": _settled,
    "Kicked": _kicked,
    "Redone": _kicked,
    "Lapsed": _lapsed,
    "LegStarted": _leg_started,
    "EngineParametersSet": _engine_set,
    "VenueSet": _venue_set,
    "BreakerSet": _breaker_set,
    "SpeedParametersSet": _speed_set,
    "CurveSet": _curve_set,
    "BudgetedSet": _budgeted_set,
    "MarketDepthSet": _depth_set,
    "Poked": _poked,
    "QuoteFilled": _quote_filled,
    "FeedSet": _feed_set,
    "SecondarySet": _secondary_set,
    "AnswerUpdated": _answered,
    "OperatorSet": _operator_set,
}

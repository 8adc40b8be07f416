"""The book as the chain has it at one head, read in a number of calls that history does not raise.

Rules, and which auctions run, come from logs: they are few, and their history matters. Accounts are known
from their first deposit; what they hold and owe, the totals, the pools and what the engine keeps of auctions
are read from the chain at the head. The book is complete where the accounts add up to the totals, to the wei.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from eth_utils.abi import function_signature_to_4byte_selector

from bot.chain import codec
from bot.chain.patient import PatientRpc
from bot.domain.lending import Market, RateModel, accrued
from bot.domain.uint128 import UInt128Array
from bot.domain.volatility import LiveCovariance
from bot.domain.wad import bps_down
from bot.errors import BookDivergedError, BookIncompleteError, MalformedAnswerError, RpcError
from bot.ports import Address, Head, Rpc, RpcCall
from bot.protocols.sluice import lens
from bot.protocols.sluice.auctions import EngineReader
from bot.protocols.sluice.book import Book
from bot.protocols.sluice.calls import Function
from bot.protocols.sluice.manifest import Manifest, PoolManifest
from bot.protocols.sluice.markets import AssetBook
from bot.protocols.sluice.prices import Answer
from bot.protocols.sluice.reader import LogReader, returned
from bot.protocols.sluice.state import State, decoders_of, raw
from bot.protocols.sluice.timeline import apply_all
from bot.protocols.uniswap_v3 import PoolBook

_TICK_SPACING: Final = Function("uniswap_v3_pool", "tickSpacing")
_MARKET: Final = Function("clearing_house", "market")
_LATEST_ROUND: Final = Function("aggregator", "latestRoundData")
_AGGREGATOR: Final = function_signature_to_4byte_selector("aggregator()")
_WORD: Final = 32
_HIGHEST_TICK: Final = 887_272
_WORDS_PER_CALL: Final = 2_000
_CALLS_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Found:
    """Accounts as the chain has them.

    Parameters
    ----------
    columns : LensColumns
        Row by account, in the order asked.
    damaged : frozenset of int
        Rows that could not be read or make no sense; they are empty in the columns.
    """

    columns: lens.LensColumns
    damaged: frozenset[int]


class PositionReader:
    """Reads packed positions, many per call.

    Parameters
    ----------
    rpc : Rpc
        Endpoint.
    lens_address : str
        The position lens.
    per_call : int
        Most accounts asked for in one call.
    """

    def __init__(self, rpc: Rpc, lens_address: str, per_call: int) -> None:
        self._rpc: Final = PatientRpc(rpc)
        self._lens: Final = lens_address
        self._per_call: Final = per_call
        self._turns: Final = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def read(self, accounts: Sequence[bytes], assets: int, head: Head) -> Found:
        """Return what accounts hold and owe at a head.

        An account whose answer cannot be made sense of is damaged and left empty; the others are read.

        Raises
        ------
        EndpointBusyError, RpcError, MalformedAnswerError
            If the node does not answer, however often it is asked, or not for this head.
        """
        starts = range(0, len(accounts), self._per_call)
        parts = await _together(
            self._part(accounts[start : start + self._per_call], assets, head) for start in starts
        )
        columns = _joined([part.columns for part in parts], assets)
        offsets = zip(starts, parts, strict=True)
        return Found(columns, frozenset(start + row for start, part in offsets for row in part.damaged))

    async def _part(self, accounts: Sequence[bytes], assets: int, head: Head) -> Found:
        try:
            async with self._turns:
                packed = await self._call(accounts, head)
            columns = lens.unpack_columns(packed, len(accounts), assets)
        except (RpcError, ValueError) as error:
            if isinstance(error, RpcError) and not _is_execution(error):
                raise
            if len(accounts) == 1:
                return Found(_blank(1, assets), frozenset({0}))
            return await self._halves(accounts, assets, head)
        return Found(columns, frozenset(columns.damaged))

    async def _halves(self, accounts: Sequence[bytes], assets: int, head: Head) -> Found:
        """Read in two parts what failed as one: too much for a call, or an account that spoils the rest."""
        middle = len(accounts) // 2
        left = await self._part(accounts[:middle], assets, head)
        right = await self._part(accounts[middle:], assets, head)
        damaged = left.damaged | {middle + row for row in right.damaged}
        return Found(_joined([left.columns, right.columns], assets), damaged)

    async def _call(self, accounts: Sequence[bytes], head: Head) -> bytes:
        call = {"to": self._lens, "data": codec.hex_data(lens.positions_data(accounts))}
        answer = await self._rpc.request("eth_call", (call, codec.at(head)))
        (packed,) = returned(lens.POSITIONS, answer, "answer of the position lens")
        return bytes(packed)


class ChainLoader:
    """Reads a whole deployment at one head.

    Parameters
    ----------
    rpc : Rpc
        Endpoint.
    manifest : Manifest
        Where the contracts are.
    reader : LogReader
        Of the same manifest.
    positions : PositionReader
        Of the same manifest.
    """

    def __init__(self, rpc: Rpc, manifest: Manifest, reader: LogReader, positions: PositionReader) -> None:
        self._rpc: Final = PatientRpc(rpc)
        self._manifest: Final = manifest
        self._reader: Final = reader
        self._positions: Final = positions
        self._engine: Final = EngineReader(self._rpc, manifest.liquidation_engine)

    async def state(self, head: Head, covariance: LiveCovariance | None) -> State:
        """Return the state at ``head``.

        Raises
        ------
        BookIncompleteError
            If the accounts do not add up to the totals: some are not known from their deposits.
        BookDivergedError, LogMalformedError
            If the logs contradict each other.
        EndpointBusyError, RpcError, MalformedAnswerError
            If something cannot be read. What a node turns away is asked for again, and not begun anew.
        """
        accounts = await self._reader.depositors_up_to(self._manifest.block, head)
        state = State(
            self._manifest, {}, decoders_of(self._manifest), book=_Unbalanced(), covariance=covariance
        )
        for account in accounts:
            state.book.row(account)
        apply_all(state, *await self._reader.rules_up_to(self._manifest.block, head))
        found = await self._positions.read(accounts, len(state.assets), head)
        assets = await self._assets(state.assets, head)
        book = Book.of(accounts, found.columns, found.damaged)
        _check_complete(book, assets, head)
        return replace(
            state,
            pools=await self._pools(head),
            book=book,
            assets=assets,
            answers=state.answers | await self._answers(head),
            auctions=await self._engine.auctions(state.auctions, book, head),
        )

    # -------------------------------------------------------------------------- totals

    async def _assets(self, ruled: Sequence[AssetBook], head: Head) -> list[AssetBook]:
        calls = [self._call(self._manifest.clearing_house, _MARKET, head, i) for i in range(len(ruled))]
        assets = []
        for asset, answer in zip(ruled, await self._rpc.batch(calls), strict=True):
            (totals,) = returned(_MARKET, answer, "totals of an asset")
            shown = Market(*totals)
            market = before_interest(shown, asset.rates, asset.reserve_factor_bps, head.timestamp)
            assets.append(replace(asset, market=market))
        return assets

    # ------------------------------------------------------------------ prices and pools

    async def aggregators(self, head: Head) -> dict[Address, Address]:
        """Return the contract that emits each feed's rounds, to the feed, where those are two.

        Chainlink puts a proxy, which emits nothing, before an aggregator that it can replace.
        """
        feeds = self._manifest.feeds
        call = codec.hex_data(_AGGREGATOR)
        calls = [RpcCall("eth_call", ({"to": feed, "data": call}, codec.at(head))) for feed in feeds]
        found = {}
        for feed, answer in zip(feeds, await self._rpc.batch(calls), strict=True):
            if isinstance(answer, RpcError):
                if not _is_execution(answer):
                    raise answer
                continue
            word = codec.data(answer, "aggregator of a feed")
            if len(word) == _WORD and any(word[12:]) and not any(word[:12]):
                found[codec.address(codec.hex_data(word[12:]), "aggregator of a feed")] = Address(feed)
        return found

    async def _answers(self, head: Head) -> dict[bytes, Answer]:
        """Return the last answer of each feed; a feed that refuses has none, which the oracle refuses too.

        Of the sequencer's feed it counts since when it answers so.
        """
        feeds = self._manifest.feeds
        uptime = self._manifest.sequencer.feed if self._manifest.sequencer else None
        calls = [self._call(feed, _LATEST_ROUND, head) for feed in feeds]
        answers = {}
        for feed, answer in zip(feeds, await self._rpc.batch(calls), strict=True):
            if isinstance(answer, RpcError):
                if not _is_execution(answer):
                    raise answer
                continue
            _, value, started_at, updated_at, _ = returned(_LATEST_ROUND, answer, "answer of a feed")
            answers[raw(feed)] = Answer(value, started_at if feed == uptime else updated_at)
        return answers

    async def fresh_pools(self, head: Head) -> dict[bytes, PoolBook]:
        """Return the manifest's pools before their first log."""
        entries = self._manifest.pools
        calls = [self._call(entry.address, _TICK_SPACING, head) for entry in entries]
        pools = {}
        for entry, answer in zip(entries, await self._rpc.batch(calls), strict=True):
            (spacing,) = returned(_TICK_SPACING, answer, f"tick spacing of pool {entry.address}")
            pools[raw(entry.address)] = self._pool(entry, spacing)
        return pools

    def _pool(self, entry: PoolManifest, spacing: int) -> PoolBook:
        pair = (self._manifest.asset(entry.base), self._manifest.asset(entry.quote))
        token0, token1 = sorted(pair, key=lambda asset: int(asset.token, 16))
        return PoolBook(raw(entry.address), token0.id, token1.id, entry.fee_pips, spacing)

    async def _pools(self, head: Head) -> dict[bytes, PoolBook]:
        pools = await self.fresh_pools(head)
        for address, pool in pools.items():
            for first, last in _word_ranges(pool.tick_spacing):
                arguments = (f"0x{address.hex()}", first, last)
                call = self._call(self._manifest.position_lens, lens.TICKS, head, *arguments)
                (packed,) = returned(lens.TICKS, await self._rpc.request(*call), "ticks of a pool")
                try:
                    found = lens.unpack_ticks(packed)
                except ValueError:
                    raise MalformedAnswerError("ticks of a pool", packed, "whole ticks") from None
                pool.place(found.sqrt_price, found.tick, found.liquidity, found.ticks)
        return pools

    def _call(self, to: str, function: Function, head: Head, *arguments: object) -> RpcCall:
        data = codec.hex_data(function.data(*arguments))
        return RpcCall("eth_call", ({"to": to, "data": data}, codec.at(head)))


def before_interest(shown: Market, rates: RateModel, reserve_factor_bps: int, timestamp: int) -> Market:
    """Return totals as of their last accrual from what the contract shows at ``timestamp``.

    The clearing house shows totals with interest that is not booked yet, and interest compounds by when it is
    booked, so the book needs the totals below it. The debt with interest rises with the debt, so at most one
    debt gives what is shown; it is found by halving.

    Parameters
    ----------
    shown : Market
        With interest up to ``timestamp``, and the time of the last accrual as stored.
    rates, reserve_factor_bps
        Of the asset.
    timestamp : int
        Of the block, unix seconds.

    Raises
    ------
    BookDivergedError
        If no totals give what is shown: the rates are not those of the contract.
    """
    low, high = 0, shown.borrow_assets
    while low < high:
        middle = (low + high) // 2
        with_interest = accrued(
            _less(shown, middle, reserve_factor_bps), rates, reserve_factor_bps, timestamp
        )
        if with_interest.borrow_assets < shown.borrow_assets:
            low = middle + 1
        else:
            high = middle
    found = _less(shown, low, reserve_factor_bps)
    again = replace(accrued(found, rates, reserve_factor_bps, timestamp), last_accrual=shown.last_accrual)
    if again != shown:
        raise BookDivergedError("totals with interest", again, shown)
    return found


def _less(shown: Market, borrowed: int, reserve_factor_bps: int) -> Market:
    """Return totals from which the interest above a debt of ``borrowed`` is taken off."""
    interest = shown.borrow_assets - borrowed
    reserve = bps_down(interest, reserve_factor_bps)
    return replace(
        shown,
        borrow_assets=borrowed,
        supply_assets=shown.supply_assets - (interest - reserve),
        reserve_assets=shown.reserve_assets - reserve,
    )


class _Unbalanced(Book):
    """A book in which rules are replayed: it knows rows, flags and epochs, and no amounts."""

    __slots__ = ()

    def add_collateral(self, account: bytes, asset_id: int, amount: int) -> None:
        self.row(account)

    def add_debt(self, account: bytes, asset_id: int, shares: int) -> None:
        self.row(account)


def _check_complete(book: Book, assets: Sequence[AssetBook], head: Head) -> None:
    """Hold the sums over all accounts against the totals; with damaged accounts they may only fall short."""
    for asset_id, asset in enumerate(assets):
        held, owed = book.collateral.total(asset_id), book.debt_shares.total(asset_id)
        due = (asset.market.collateral_assets, asset.market.borrow_shares)
        if (held, owed) != due and not (book.quarantined and held <= due[0] and owed <= due[1]):
            raise BookIncompleteError(asset_id, head.number, (held, owed), due)


def _word_ranges(spacing: int) -> list[tuple[int, int]]:
    """Return the words of a pool's tick bitmap, in ranges that fit one call."""
    first, last = (edge // spacing >> 8 for edge in (-_HIGHEST_TICK, _HIGHEST_TICK))
    starts = range(first, last + 1, _WORDS_PER_CALL)
    return [(start, min(start + _WORDS_PER_CALL - 1, last)) for start in starts]


def _is_execution(error: RpcError) -> bool:
    """Return whether a call failed as such, rather than the node: it reverted or ran out of gas."""
    words = error.message.lower()
    return error.code == 3 or any(said in words for said in ("revert", "out of gas", "outofgas", "gas limit"))


def _blank(count: int, assets: int) -> lens.LensColumns:
    return lens.unpack_columns(bytes(26 * count), count, assets)


def _joined(parts: Sequence[lens.LensColumns], assets: int) -> lens.LensColumns:
    """Return columns one below the other."""
    if not parts:
        return _blank(0, assets)
    return lens.LensColumns(
        UInt128Array.stacked([part.collateral for part in parts]),
        UInt128Array.stacked([part.debt_shares for part in parts]),
        np.concatenate([part.flagged for part in parts]),
        np.concatenate([part.epoch for part in parts]),
        np.concatenate([part.risk_block for part in parts]),
        (),
    )


async def _together(parts: Iterable[Coroutine[Any, Any, Found]]) -> list[Found]:
    """Return what all give; the first error ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part) for part in parts]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]

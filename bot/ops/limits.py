"""Hard limits and halts: what the operator's key may cost, whatever the strategy believes.

Everything is counted in the ledger and in block time, so that a restart forgets nothing and a slow clock
loosens nothing. A limit on gas, value or balance refuses what would pass it, and lets go by itself when the
hour has moved on. Losses and failures in a row mean that something is not understood: they halt the keeper
until an operator resumes it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from bot.execution.guard import Charge
from bot.ports import (
    Address,
    HaltNote,
    Head,
    Intent,
    LandingMemory,
    Ledger,
    Moved,
    Outcome,
    Spent,
    Transaction,
)

_log = structlog.get_logger(__name__)

_WAD: Final = 10**18
_OPERATOR: Final = "operator"


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be spent and moved; None limits nothing.

    Parameters
    ----------
    window_s : int
        Seconds of block time that the first four look back.
    loss : int or None
        WAD quote units of net loss, gas included, at which the keeper halts.
    gas : int or None
        Wei of gas, what is open at its worst included.
    account_value, asset_value : int or None
        WAD quote units of collateral moved for one account, and of one asset.
    failures : int or None
        Reverted transactions in a row at which the keeper halts.
    minimum_balance : int
        Wei that each account keeps.
    """

    window_s: int = 3_600
    loss: int | None = None
    gas: int | None = None
    account_value: int | None = None
    asset_value: int | None = None
    failures: int | None = None
    minimum_balance: int = 0

    @property
    def look_back(self) -> bool:
        """Whether any of them counts what was spent in the window."""
        return any(most is not None for most in (self.loss, self.gas, self.account_value, self.asset_value))


@dataclass(slots=True)
class Usage:
    """What was used of the limits, and grows with each charge that is admitted."""

    gas: int
    by_account: dict[str, int]
    by_asset: dict[str, int]
    balance: int


class LimitGuard:
    """See `bot.execution.guard.Guard`.

    Parameters
    ----------
    ledger : Ledger
        Knows what is open.
    memory : LandingMemory
        Knows what was spent, and halts.
    limits : Limits
        The operator's.
    native_price : callable
        Returns the price of 10**18 wei, WAD quote units, or None where it is not known.
    """

    def __init__(
        self, ledger: Ledger, memory: LandingMemory, limits: Limits, native_price: Callable[[], int | None]
    ) -> None:
        self._ledger: Final = ledger
        self._memory: Final = memory
        self._limits: Final = limits
        self._native_price: Final = native_price
        self._admitted: tuple[Head | None, list[Charge]] = (None, [])

    async def halted(self) -> str | None:
        """See `bot.execution.guard.Guard.halted`."""
        note = await self._memory.last_halt()
        return None if note is None or not note.halted else f"halted by {note.source}: {note.reason}"

    async def admit(self, charges: Sequence[Charge], balance: int, head: Head) -> list[str | None]:
        """See `bot.execution.guard.Guard.admit`."""
        note = await self._memory.last_halt()
        if note is not None and note.halted:
            return [f"halted by {note.source}: {note.reason}"] * len(charges)
        since = head.timestamp - self._limits.window_s
        spent = await self._memory.spent_since(since) if self._limits.look_back else []
        price = self._native_price()
        if self._limits.loss is not None and price is None:
            return ["limits.loss_per_hour: the gas asset has no price to measure losses by"] * len(charges)
        tripped = await self._tripped(spent, note, price or 0)
        if tripped is not None:
            source, reason = tripped
            await self._memory.note_halt(halted=True, source=source, reason=reason)
            _log.error("keeper_halted", source=source, reason=reason)
            return [f"halted by {source}: {reason}"] * len(charges)
        return await self._judged(charges, spent, balance, head)

    async def _judged(
        self, charges: Sequence[Charge], spent: Sequence[Spent], balance: int, head: Head
    ) -> list[str | None]:
        """Hold charges one by one against what is used, and remember those that are admitted.

        Another account may have been admitted on this head whose transactions are not journalled yet.
        """
        if self._admitted[0] != head:
            self._admitted = (head, [])
        rows = await self._ledger.open_transactions()
        usage = _usage(spent, rows, balance)
        for row in await self._cancelled(rows):
            _count(usage, row.intent.account, row.intent.terms.moves, 0)  # its gas is that of the cancel
        journalled = {row.intent.key for row in rows if row.signed is not None}
        for charge in self._admitted[1]:
            if charge.intent.key not in journalled:
                _add(usage, charge.intent, charge.gas_cost)
        reasons = [_refusal(charge, usage, self._limits) for charge in charges]
        self._admitted[1].extend(
            charge for charge, reason in zip(charges, reasons, strict=True) if reason is None
        )
        return reasons

    async def _cancelled(self, rows: Sequence[Transaction]) -> list[Transaction]:
        """Return what open cancels are to prevent, once for each: it may land all the same."""
        nonces: dict[Address, list[int]] = {}
        for row in rows:
            if row.cancels and row.signer is not None and row.signed is not None:
                nonces.setdefault(row.signer, []).append(row.signed.nonce)
        found: dict[tuple[Address, int], Transaction] = {}
        for signer, held in nonces.items():
            for rival in await self._memory.rivals(signer, held):
                if rival.outcome is Outcome.REPLACED and not rival.cancels and rival.signed is not None:
                    found[signer, rival.signed.nonce] = rival
        return list(found.values())

    async def _tripped(
        self, spent: Sequence[Spent], note: HaltNote | None, price: int
    ) -> tuple[str, str] | None:
        """Return the limit that halts the keeper, and the numbers that prove it."""
        failures = self._limits.failures
        if failures is not None:
            failed = await self._memory.failures_in_a_row()
            if failed >= failures:
                return "limits.failures_in_a_row", f"{failed} transactions in a row reverted"
        if self._limits.loss is None:
            return None
        since = -1 if note is None or note.block_number is None else note.block_number
        loss = sum(_loss(item, price) for item in spent if item.block_number > since)
        if loss < self._limits.loss or loss <= 0:
            return None
        return "limits.loss_per_hour", f"lost {_units(loss)} of {_units(self._limits.loss)} quote units"


async def halt(memory: LandingMemory, reason: str) -> HaltNote:
    """Halt the keeper by an operator's word."""
    return await memory.note_halt(halted=True, source=_OPERATOR, reason=reason)


async def resume(memory: LandingMemory, reason: str) -> HaltNote | None:
    """End a halt; None if there is none. Failures and losses are counted anew from here."""
    note = await memory.last_halt()
    if note is None or not note.halted:
        return None
    return await memory.note_halt(halted=False, source=_OPERATOR, reason=reason)


def _usage(spent: Sequence[Spent], open_rows: Sequence[Transaction], balance: int) -> Usage:
    """Return what settled in the window, and what is open at its worst."""
    usage = Usage(0, {}, {}, balance)
    for item in spent:
        _count(usage, item.account, item.moves, item.gas_cost)
    for row in open_rows:
        if row.signed is not None:
            _add(usage, row.intent, row.signed.gas_limit * row.signed.max_fee_per_gas)
    return usage


def _add(usage: Usage, intent: Intent, gas_cost: int) -> None:
    _count(usage, intent.account, intent.terms.moves, gas_cost)


def _count(usage: Usage, account: str, moves: Iterable[Moved], gas_cost: int) -> None:
    usage.gas += gas_cost
    for asset, value in _by_asset(moves).items():
        usage.by_account[account] = usage.by_account.get(account, 0) + value
        usage.by_asset[asset] = usage.by_asset.get(asset, 0) + value


def _by_asset(moves: Iterable[Moved]) -> dict[str, int]:
    """Return what is moved of each asset, by all settlements together."""
    values: dict[str, int] = {}
    for moved in moves:
        values[moved.asset] = values.get(moved.asset, 0) + moved.value
    return values


def _refusal(charge: Charge, usage: Usage, limits: Limits) -> str | None:
    """Return why a charge passes a limit; None, and the usage grown by it, if it passes none."""
    account, terms = charge.intent.account, charge.intent.terms
    left = usage.balance - charge.gas_cost - charge.intent.call.value
    if left < limits.minimum_balance:
        return f"limits.minimum_balance: {_units(left)} would be left of {_units(limits.minimum_balance)}"
    gas = usage.gas + charge.gas_cost
    if limits.gas is not None and gas > limits.gas:
        return f"limits.gas_per_hour: {_units(gas)} would be used of {_units(limits.gas)}"
    moved = usage.by_account.get(account, 0) + terms.value
    if limits.account_value is not None and terms.value and moved > limits.account_value:
        return f"limits.value_per_account: {_units(moved)} would be moved of {_units(limits.account_value)}"
    for asset, value in _by_asset(terms.moves).items():
        moved = usage.by_asset.get(asset, 0) + value
        if limits.asset_value is not None and value and moved > limits.asset_value:
            return f"limits.value_per_asset: {_units(moved)} of {asset}, of {_units(limits.asset_value)}"
    _add(usage, charge.intent, charge.gas_cost)
    usage.balance = left
    return None


def _loss(item: Spent, native_price: int) -> int:
    """Return what a transaction lost, WAD quote units; negative if it earned. Rounding: UP."""
    return -(-item.gas_cost * native_price // _WAD) - item.realised_profit


def _units(value: int) -> str:
    return f"{value / _WAD:,.6g}"

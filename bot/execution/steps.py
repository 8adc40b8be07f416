"""What to do about a transaction that waits. Pure: facts in, one step out."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from bot.execution.fees import Fees
from bot.execution.options import ExecutorOptions
from bot.execution.tracking import Waiting
from bot.ports import Head, Outcome, SimulationResult


class Kind(StrEnum):
    """What may be done."""

    KEEP = "keep"
    """Wait on."""
    CONFIRM = "confirm"
    """Note that the node has it."""
    OFFER = "offer"
    """Send the same bytes again."""
    REPLACE = "replace"
    """Sign the same call with higher fees."""
    CANCEL = "cancel"
    """Sign a transfer of nothing to oneself with its nonce and higher fees."""
    ABANDON = "abandon"
    """Give it up: it never left the process."""


@dataclass(frozen=True, slots=True)
class Step:
    """What to do, with which fees, and why."""

    kind: Kind
    fees: Fees | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a waiting transaction on a head.

    Parameters
    ----------
    known : bool
        Whether the node has it, as far as it was asked.
    hidden : bool
        Whether it may be where no node can see it yet.
    trial : SimulationResult or None
        Its call on the state of the head, after those before it; None if it was not tried.
    gap : bool
        Whether a nonce before it was given up.
    halted : str or None
        Why the keeper is halted, if it is.
    ceiling : int or None
        Most per gas that its inclusion is worth, and that of all behind it; None if only the cap binds.
    resend_after : int
        Heads after which the same bytes are offered again.
    behind : int or None
        Most per gas that the inclusion of anything that waits behind it is worth; None if nothing there has
        a worth.
    """

    known: bool
    hidden: bool
    trial: SimulationResult | None
    gap: bool
    halted: str | None
    ceiling: int | None
    resend_after: int
    behind: int | None = None


class Bounds(NamedTuple):
    """What the gas of a waiting transaction may cost, wei per gas.

    Parameters
    ----------
    own : int or None
        What its inclusion is worth, or that of anything behind it if more; None if only the cap binds.
    behind : int or None
        What that of anything behind it is worth; None if nothing there has a worth.
    """

    own: int | None
    behind: int | None


def bounds_of(waiting: Sequence[Waiting], options: ExecutorOptions) -> list[Bounds]:
    """Return the bounds of one account's transactions, by nonce: each waits for those before it."""
    bounds: list[Bounds] = []
    behind: int | None = None
    for item in reversed(waiting):
        own = options.fees.ceiling(item.row.intent.terms.worth, item.signed.gas_limit)
        worths = [worth for worth in (own, behind) if worth is not None]
        bounds.append(Bounds(None if own is None else max(worths), behind))
        behind = max(worths, default=None)
    return bounds[::-1]


def advise(waiting: Waiting, facts: Facts, head: Head, options: ExecutorOptions) -> Step:
    """Return what to do about a transaction without a receipt.

    One that never left the process is sent, or given up where it is no longer wanted. Any other leaves the
    open state through the chain alone: until one of its nonce's transactions is in a block, it is only
    offered again, made dearer, or cancelled.
    """
    row = waiting.row
    unwanted = None if row.cancels else _unwanted(waiting, facts, head, options)
    out = row.outcome is Outcome.SUBMITTED or facts.known or facts.hidden or waiting.has_rivals
    if not out:
        if facts.gap:
            return Step(Kind.ABANDON, reason="the nonce before it was given up")
        if unwanted is not None:
            return Step(Kind.ABANDON, reason=f"not sent in time, and now: {unwanted}")
        return Step(Kind.OFFER)
    if unwanted is not None and (fees := options.fees.replacing(_fees(waiting), head)) is not None:
        return Step(Kind.CANCEL, fees, unwanted)
    if unwanted is None and _is_due(waiting, facts, head, options):
        fees = options.fees.replacing(_fees(waiting), head, _most(waiting, facts, head))
        if fees is not None:
            return Step(Kind.REPLACE, fees, "it waits")
    return _patient(waiting, facts, head, wanted=unwanted is None)


def _unwanted(waiting: Waiting, facts: Facts, head: Head, options: ExecutorOptions) -> str | None:
    """Return why a transaction should no longer land, or None."""
    row, terms = waiting.row, waiting.row.intent.terms
    if facts.halted is not None:
        return f"the keeper is halted: {facts.halted}"
    if terms.deadline is not None and head.timestamp >= terms.deadline:
        return f"its deadline {terms.deadline} passed"
    if head.number - row.planned_block > options.cancel_after_heads:
        return f"it is more than {options.cancel_after_heads} blocks old"
    if facts.trial is not None and not facts.trial.succeeded:
        return facts.trial.reason or "it would revert"
    return None


def _is_due(waiting: Waiting, facts: Facts, head: Head, options: ExecutorOptions) -> bool:
    """Whether higher fees are called for: the base fee outgrew it, or others outbid it."""
    row, age = waiting.row, head.number - waiting.row.planned_block
    if _is_outgrown(waiting, head):
        return True
    if row.cancels:
        return age >= options.resend_after_heads and age % options.resend_after_heads == 0
    has_worth = row.intent.terms.worth is not None or facts.behind is not None
    return has_worth and age >= options.bump_after_heads


def _most(waiting: Waiting, facts: Facts, head: Head) -> int | None:
    """Return the most per gas of a replacement; None where only the cap binds.

    What pays nothing by itself is worth what it holds up, unless no block would take it as it is.
    """
    if facts.ceiling is None and not waiting.row.cancels and not _is_outgrown(waiting, head):
        return facts.behind
    return facts.ceiling


def _is_outgrown(waiting: Waiting, head: Head) -> bool:
    return waiting.signed.max_fee_per_gas < head.base_fee_per_gas


def _patient(waiting: Waiting, facts: Facts, head: Head, *, wanted: bool) -> Step:
    """Wait, and see to it that the node has it: not where it should rather be forgotten."""
    age = head.number - waiting.row.planned_block
    if waiting.row.outcome is Outcome.SIGNED and facts.known:
        return Step(Kind.CONFIRM)
    if not wanted:
        return Step(Kind.KEEP)
    if waiting.row.outcome is Outcome.SIGNED:
        return Step(Kind.OFFER)
    return Step(Kind.OFFER) if facts.hidden or age >= facts.resend_after else Step(Kind.KEEP)


def _fees(waiting: Waiting) -> Fees:
    return Fees(waiting.signed.max_fee_per_gas, waiting.signed.max_priority_fee_per_gas)

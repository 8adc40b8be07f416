"""What is done about a transaction that waits: a table of facts and steps."""

from dataclasses import replace

import pytest

from bot.execution.fees import FeePolicy, Fees
from bot.execution.options import ExecutorOptions
from bot.execution.steps import Facts, Kind, Step, advise, bounds_of
from bot.execution.tracking import Waiting
from bot.ports import Address, Outcome, SimulationResult, Terms, Transaction
from tests.support.keeper import KEEPER, a_head, a_signature, an_intent

GWEI = 10**9
OPTIONS = ExecutorOptions(1, FeePolicy(tip=GWEI, cap=100 * GWEI, headroom_blocks=0))
FINE = SimulationResult(succeeded=True, gas_used=1, data=b"")
REVERTS = SimulationResult(succeeded=False, gas_used=0, data=b"", reason="it is stale")
FACTS = Facts(known=False, hidden=False, trial=FINE, gap=False, halted=None, ceiling=None, resend_after=3)
PLANNED_AT = 100
BUMPED = Fees(3_375_000_000, 1_125_000_000)
"""What `a_signature` paid, an eighth higher."""


def waiting(
    outcome: Outcome = Outcome.SUBMITTED,
    *,
    rivals: bool = False,
    terms: Terms | None = None,
    to: Address = KEEPER,
) -> Waiting:
    intent = replace(an_intent(), terms=terms or Terms())
    row = Transaction(1, intent, KEEPER, PLANNED_AT, outcome, signed=a_signature(5))
    assert row.signed is not None
    return Waiting(row, row.signed, rivals)


def cancel() -> Waiting:
    plain = waiting()
    call = replace(plain.row.intent.call, to=KEEPER, data=b"", value=0)
    return replace(
        plain, row=replace(plain.row, intent=replace(plain.row.intent, call=call)), has_rivals=True
    )


def step(
    item: Waiting, age: int = 1, *, base_fee: int = GWEI, options: ExecutorOptions = OPTIONS, **facts: object
) -> Step:
    head = a_head(PLANNED_AT + age, base_fee=base_fee)
    return advise(item, replace(FACTS, **facts), head, options)  # type: ignore[arg-type]


def test_a_young_transaction_that_the_node_has_waits() -> None:
    assert step(waiting()) == Step(Kind.KEEP)


def test_one_that_is_older_is_offered_again() -> None:
    assert step(waiting(), 2).kind is Kind.KEEP
    assert step(waiting(), 3).kind is Kind.OFFER
    assert step(waiting(), 1, resend_after=0).kind is Kind.OFFER


@pytest.mark.parametrize(
    ("facts", "kind", "reason"),
    [
        ({}, Kind.OFFER, ""),
        ({"known": True}, Kind.CONFIRM, ""),
        ({"trial": REVERTS}, Kind.ABANDON, "not sent in time, and now: it is stale"),
        ({"gap": True}, Kind.ABANDON, "the nonce before it was given up"),
        ({"halted": "by hand"}, Kind.ABANDON, "not sent in time, and now: the keeper is halted: by hand"),
        ({"known": True, "gap": True}, Kind.CONFIRM, ""),
        ({"known": True, "trial": REVERTS}, Kind.CANCEL, "it is stale"),
        ({"hidden": True, "trial": REVERTS}, Kind.CANCEL, "it is stale"),
        ({"hidden": True, "gap": True}, Kind.OFFER, ""),
    ],
)
def test_one_of_which_nobody_knows_is_sent_or_given_up_unless_it_may_be_out(
    facts: dict[str, object], kind: Kind, reason: str
) -> None:
    found = step(waiting(Outcome.SIGNED), **facts)
    assert (found.kind, found.reason) == (kind, reason)


def test_one_with_rivals_is_never_given_up() -> None:
    for facts in ({"gap": True}, {"trial": REVERTS}, {"halted": "by hand"}):
        assert step(waiting(Outcome.SIGNED, rivals=True), **facts).kind is not Kind.ABANDON


@pytest.mark.parametrize(
    ("facts", "terms", "age", "reason"),
    [
        ({"trial": REVERTS}, Terms(), 1, "it is stale"),
        ({"halted": "by hand"}, Terms(), 1, "by hand"),
        ({}, Terms(deadline=a_head(PLANNED_AT + 2).timestamp), 2, "deadline"),
        ({}, Terms(), 26, "25 blocks"),
    ],
)
def test_what_should_no_longer_land_is_cancelled_with_higher_fees(
    facts: dict[str, object], terms: Terms, age: int, reason: str
) -> None:
    found = step(waiting(terms=terms), age, **facts)
    assert (found.kind, found.fees) == (Kind.CANCEL, BUMPED)
    assert reason in found.reason


def test_a_deadline_ahead_and_the_oldest_age_allowed_cancel_nothing() -> None:
    terms = Terms(deadline=a_head(PLANNED_AT + 2).timestamp + 1)
    assert step(waiting(terms=terms), 2).kind is Kind.KEEP
    assert step(waiting(), 25).kind is Kind.OFFER


def test_a_cancel_beyond_the_cap_waits() -> None:
    options = replace(OPTIONS, fees=FeePolicy(tip=GWEI, cap=3 * GWEI))
    assert step(waiting(), trial=REVERTS, options=options).kind is Kind.KEEP


@pytest.mark.parametrize("unwanted", [{"trial": REVERTS}, {"halted": "by hand"}])
def test_what_should_not_land_and_cannot_be_cancelled_yet_is_not_offered_again(unwanted: object) -> None:
    options = replace(OPTIONS, fees=FeePolicy(tip=GWEI, cap=3 * GWEI))
    facts = {"options": options, "resend_after": 0, **unwanted}  # type: ignore[dict-item]
    assert step(waiting(), 9, **facts).kind is Kind.KEEP
    assert step(waiting(), 9, hidden=True, **facts).kind is Kind.KEEP
    assert step(waiting(Outcome.SIGNED, rivals=True), 9, **facts).kind is Kind.KEEP
    assert step(waiting(Outcome.SIGNED), 9, known=True, **facts).kind is Kind.CONFIRM


def test_a_cancel_is_not_cancelled_itself_and_is_pressed_now_and_then() -> None:
    assert step(cancel(), 1, trial=None, halted="by hand").kind is Kind.KEEP
    assert [step(cancel(), age).kind for age in (3, 4, 5, 6)] == [
        Kind.REPLACE,
        Kind.OFFER,
        Kind.OFFER,
        Kind.REPLACE,
    ]


def test_what_has_a_worth_is_made_dearer_with_every_head_up_to_it() -> None:
    item = waiting(terms=Terms(worth=10**18))
    assert step(item, 1).kind is Kind.KEEP
    assert step(item, 2, ceiling=50 * GWEI) == Step(Kind.REPLACE, BUMPED, "it waits")
    assert step(item, 2, ceiling=3_374_999_999).kind is Kind.KEEP
    assert step(item, 3, ceiling=3_374_999_999).kind is Kind.OFFER


def test_what_pays_nothing_is_made_dearer_only_where_the_base_fee_outgrew_it() -> None:
    assert step(waiting(), 9).kind is Kind.OFFER
    found = step(waiting(), 1, base_fee=40 * GWEI)
    assert found == Step(Kind.REPLACE, Fees(41 * GWEI, 1_125_000_000), "it waits")
    assert step(waiting(), 1, base_fee=100 * GWEI).kind is Kind.KEEP


def test_what_pays_nothing_is_made_dearer_up_to_the_worth_of_what_waits_behind_it() -> None:
    assert step(waiting(), 1, behind=50 * GWEI).kind is Kind.KEEP
    assert step(waiting(), 2, behind=50 * GWEI) == Step(Kind.REPLACE, BUMPED, "it waits")
    assert step(waiting(), 2, behind=3_374_999_999).kind is Kind.KEEP
    found = step(waiting(), 1, base_fee=40 * GWEI, behind=5 * GWEI)
    assert found == Step(Kind.REPLACE, Fees(41 * GWEI, 1_125_000_000), "it waits"), "the cap alone binds it"


def test_each_may_cost_what_anything_behind_it_is_worth() -> None:
    worths = (10**15, None, 7 * 10**15, 2 * 10**15, None)
    items = [waiting(terms=Terms(worth=worth)) for worth in worths]
    least, most, last = 10**10, 7 * 10**10, 2 * 10**10  # per gas, of 100,000
    assert least < last < most
    assert [bound.own for bound in bounds_of(items, OPTIONS)] == [most, None, most, last, None]
    assert [bound.behind for bound in bounds_of(items, OPTIONS)] == [most, most, last, None, None]


def test_what_is_hidden_is_offered_for_every_block() -> None:
    assert step(waiting(), 1, hidden=True).kind is Kind.OFFER

"""Hard limits: each holds to the wei, counts what is open, and forgets nothing over a restart."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.execution.guard import Charge
from bot.execution.pressing import cancellation
from bot.ledger.store import SqlLedger
from bot.ops.limits import LimitGuard, Limits, halt, resume
from bot.ports import Hash32, Intent, Moved, Settlement, Terms
from tests.support.keeper import KEEPER, a_head, a_receipt, a_signature, an_intent

GENESIS = Hash32("0x" + "00" * 32)
WAD = 10**18
HEAD = a_head(400)
SENT_COST = 100_000 * 3 * 10**9
"""What `a_signature` costs at worst."""
SETTLED_COST = 90_000 * 2 * 10**9
"""What `a_receipt` says it cost."""
RICH = 10**24


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    place = tmp_path / "ledger.sqlite"
    async with await SqlLedger.open(place, chain_id=31337, genesis_hash=GENESIS) as opened:
        await opened.record_head(a_head(90))
        yield opened


def guard(ledger: SqlLedger, *, price: int | None = 2_000 * WAD, **limits: int) -> LimitGuard:
    return LimitGuard(ledger, ledger.landing, Limits(**limits), lambda: price)


def wanted(key: str, account: str = "0xa", *, value: int = 0, asset: str = "") -> Intent:
    moves = (Moved(asset, value),) if value else ()
    return replace(an_intent(key, account), terms=Terms(moves=moves))


def charge(key: str, account: str = "0xa", *, cost: int = 0, value: int = 0, asset: str = "WETH") -> Charge:
    return Charge(wanted(key, account, value=value, asset=asset), cost)


async def sent(ledger: SqlLedger, nonce: int, intent: Intent | None = None) -> int:
    (row,) = await ledger.plan([intent or wanted(f"sent {nonce}")], KEEPER, a_head(1))
    await ledger.journal({row.id: a_signature(nonce)})
    return row.id


async def settled(
    ledger: SqlLedger,
    nonce: int,
    block: int,
    *,
    succeeded: bool = True,
    profit: int = 0,
    intent: Intent | None = None,
) -> None:
    row = await sent(ledger, nonce, intent)
    receipt = a_receipt(a_signature(nonce).hash, block, succeeded=succeeded)
    await ledger.conclude([], [Settlement(row, receipt, profit if succeeded else None)])


async def test_without_limits_everything_passes(ledger: SqlLedger) -> None:
    charges = [charge("a", cost=10**20, value=10**30), charge("b")]
    assert await guard(ledger).admit(charges, RICH, HEAD) == [None, None]


async def test_gas_counts_what_settled_in_the_hour_and_what_is_open_at_its_worst(ledger: SqlLedger) -> None:
    await settled(ledger, 1, 99)
    await ledger.record_head(a_head(100))
    await settled(ledger, 2, 101)
    await sent(ledger, 3)
    used = SETTLED_COST + SENT_COST  # block 99 is more than an hour before block 400
    watch = guard(ledger, gas=used + 10)
    assert await watch.admit([charge("a", cost=10)], RICH, HEAD) == [None]
    (reason,) = await guard(ledger, gas=used + 10).admit([charge("b", cost=11)], RICH, HEAD)
    assert reason is not None
    assert reason.startswith("limits.gas_per_hour")


async def test_charges_are_judged_after_those_before_them(ledger: SqlLedger) -> None:
    charges = [charge("a", cost=6), charge("b", cost=6), charge("c", cost=4)]
    first, second, third = await guard(ledger, gas=10).admit(charges, RICH, HEAD)
    assert (first, third) == (None, None)
    assert second is not None


async def test_another_accounts_charges_on_the_same_head_count_before_they_are_journalled(
    ledger: SqlLedger,
) -> None:
    watch = guard(ledger, gas=SENT_COST + 10)
    assert await watch.admit([charge("a", cost=SENT_COST)], RICH, HEAD) == [None]
    assert await watch.admit([charge("b", cost=11)], RICH, HEAD) != [None]
    await sent(ledger, 1, wanted("a"))
    assert await watch.admit([charge("c", cost=10)], RICH, HEAD) == [None], "counted once, not twice"
    assert await watch.admit([charge("d", cost=SENT_COST)], RICH, a_head(401)) != [None]


async def test_value_is_limited_by_account_and_by_asset(ledger: SqlLedger) -> None:
    await settled(ledger, 1, 395, intent=wanted("x", "0xa", value=60, asset="WETH"))
    await settled(ledger, 2, 395, succeeded=False, intent=wanted("y", "0xa", value=99, asset="WETH"))
    await sent(ledger, 3, wanted("z", "0xb", value=30, asset="WETH"))
    watch = guard(ledger, account_value=100, asset_value=130)
    charges = [
        charge("1", "0xa", value=41),
        charge("2", "0xa", value=40),
        charge("3", "0xc", value=1),
        charge("4", "0xc", value=100, asset="WBTC"),
        charge("5", "0xc", value=0),
    ]
    reasons = await watch.admit(charges, RICH, HEAD)
    assert [reason is None for reason in reasons] == [False, True, False, True, True]
    assert "value_per_account" in str(reasons[0])
    assert "value_per_asset" in str(reasons[2])
    assert "WETH" in str(reasons[2])


async def test_every_settlement_of_a_transaction_counts_for_its_own_asset(ledger: SqlLedger) -> None:
    several = Terms(moves=(Moved("WETH", 40, "USDC"), Moved("WBTC", 50, "USDC"), Moved("WETH", 30, "DAI")))
    intent = replace(an_intent("x", "0xa"), terms=several)
    for watch, name in (
        (guard(ledger, account_value=120, asset_value=70), None),
        (guard(ledger, account_value=119), "limits.value_per_account"),
        (guard(ledger, asset_value=69), "limits.value_per_asset"),
    ):
        (reason,) = await watch.admit([Charge(intent, 0)], RICH, HEAD)
        assert reason is None if name is None else str(reason).startswith(name)
    await settled(ledger, 1, 395, intent=intent)
    watch = guard(ledger, account_value=121, asset_value=51)
    fits, too_much, of_account = await watch.admit(
        [
            charge("1", "0xb", value=1, asset="WBTC"),
            charge("2", "0xb", value=1, asset="WBTC"),
            charge("3", "0xa", value=2, asset="DAI"),
        ],
        RICH,
        HEAD,
    )
    assert fits is None
    assert "WBTC" in str(too_much)
    assert "value_per_account" in str(of_account)


async def test_what_is_being_cancelled_counts_until_the_chain_has_decided(ledger: SqlLedger) -> None:
    row = await sent(ledger, 1, wanted("x", "0xa", value=60, asset="WETH"))
    (open_row,) = await ledger.open_transactions()
    dearer = replace(a_signature(1), raw=b"\x02dear", hash=Hash32("0x" + "cd" * 32))
    cancel = await ledger.replace(row, dearer, cancellation(open_row, KEEPER, HEAD))
    assert cancel.cancels
    watch = guard(ledger, account_value=100, asset_value=120)
    of_account, of_asset, fits = await watch.admit(
        [charge("1", "0xa", value=41), charge("2", "0xb", value=61), charge("3", "0xb", value=60)], RICH, HEAD
    )
    assert "value_per_account" in str(of_account)
    assert "value_per_asset" in str(of_asset)
    assert fits is None
    receipt = a_receipt(dearer.hash, 399)
    await ledger.conclude([], [Settlement(cancel.id, receipt, None)])
    assert await guard(ledger, account_value=100).admit([charge("4", "0xa", value=100)], RICH, HEAD) == [None]


async def test_the_balance_never_falls_below_its_minimum(ledger: SqlLedger) -> None:
    spends = replace(
        charge("a", cost=10), intent=replace(wanted("a"), call=replace(an_intent().call, value=5))
    )
    for balance, passes in ((115, True), (114, False)):
        (reason,) = await guard(ledger, minimum_balance=100).admit([spends], balance, HEAD)
        assert (reason is None) == passes
    reasons = await guard(ledger, minimum_balance=100).admit(
        [charge("b", cost=8), charge("c", cost=8)], 115, HEAD
    )
    assert [reason is None for reason in reasons] == [True, False]


async def test_failures_in_a_row_halt_until_resumed(ledger: SqlLedger) -> None:
    for nonce in range(2):
        await settled(ledger, nonce, 398, succeeded=False)
    assert await guard(ledger, failures=3).admit([charge("a")], RICH, HEAD) == [None]
    watch = guard(ledger, failures=2)
    (reason,) = await watch.admit([charge("b")], RICH, HEAD)
    assert reason == "halted by limits.failures_in_a_row: 2 transactions in a row reverted"
    again = guard(ledger, failures=2)  # as after a restart
    assert await again.halted() == reason
    assert await again.admit([charge("c")], RICH, HEAD) == [reason]
    await ledger.record_head(HEAD)
    await resume(ledger.landing, "the venue was paused")
    assert await again.halted() is None
    assert await again.admit([charge("d")], RICH, HEAD) == [None]


async def test_a_net_loss_halts_and_counts_anew_after_a_resumption(ledger: SqlLedger) -> None:
    await settled(ledger, 1, 398, profit=-7 * WAD)
    gas = SETTLED_COST * 2_000  # at 2,000 quote units a coin
    assert await guard(ledger, loss=7 * WAD + gas + 1).admit([charge("a")], RICH, HEAD) == [None]
    watch = guard(ledger, loss=7 * WAD + gas)
    (reason,) = await watch.admit([charge("b")], RICH, HEAD)
    assert "limits.loss_per_hour" in str(reason)
    await ledger.record_head(HEAD)
    await resume(ledger.landing, "a price that came late")
    assert await watch.admit([charge("c")], RICH, HEAD) == [None]


async def test_earnings_make_losses_good(ledger: SqlLedger) -> None:
    await settled(ledger, 1, 398, profit=-7 * WAD)
    await settled(ledger, 2, 398, profit=7 * WAD)
    assert await guard(ledger, loss=WAD).admit([charge("a")], RICH, HEAD) == [None]


async def test_losses_that_cannot_be_measured_stop_the_keeper_and_halt_nothing(ledger: SqlLedger) -> None:
    watch = guard(ledger, price=None, loss=WAD)
    (reason,) = await watch.admit([charge("a")], RICH, HEAD)
    assert "no price" in str(reason)
    assert await watch.halted() is None
    assert await guard(ledger, price=None).admit([charge("b")], RICH, HEAD) == [None]


async def test_an_operators_halt_holds_until_resumed(ledger: SqlLedger) -> None:
    assert await resume(ledger.landing, "nothing to resume") is None
    await halt(ledger.landing, "look at this")
    watch = guard(ledger)
    assert await watch.halted() == "halted by operator: look at this"
    assert await watch.admit([charge("a")], RICH, HEAD) == ["halted by operator: look at this"]
    assert await resume(ledger.landing, "looked at") is not None
    assert await watch.halted() is None

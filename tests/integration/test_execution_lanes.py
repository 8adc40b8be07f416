"""Several accounts, two lanes, relays and remote keys on a real node: nothing waits for what matters less."""

import shutil
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from bot.chain.client import RpcClient
from bot.chain.endpoint import Endpoint
from bot.errors import EndpointUnreachableError, RpcError
from bot.execution.broadcast import PublicRoute
from bot.execution.guard import Charge, Unlimited
from bot.execution.inventory import Approval, GasMoney, Inventory, InventoryRules, Sweep
from bot.execution.relay import PrivateRoute, RelayOptions, Style
from bot.execution.remote import RemoteSigner
from bot.execution.writer import Account as SendingAccount
from bot.ports import Address, Execution, Head, Lane, Outcome, Terms
from tests.support.anvil import Client
from tests.support.landing import (
    CHAIN_ID,
    COUNTER,
    GUARDED,
    KEEPER,
    KEY,
    Crash,
    Keeper,
    Refusing,
    Wrapper,
    account,
    count,
    deploy,
    head_of,
    intent,
    mine,
    outcomes,
    port_of,
    running,
    word,
)
from tests.support.private_relay import Server, acknowledge, into, serving, signing

pytestmark = pytest.mark.node

SECOND_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"  # Anvil's second account
SECOND = Address(Account.from_key(SECOND_KEY).address)
UPKEEP = Terms(Lane.HOUSEKEEPING)
PAID = Terms(worth=10**18)


def nonce(node: Client, address: Address, block: str = "latest") -> int:
    return int(node.call("eth_getTransactionCount", address, block), 16)


# --------------------------------------------------------------------------------- lanes


async def test_each_call_is_tried_after_those_before_it(node: Client, ledger_path: Path) -> None:
    guarded = deploy(node, GUARDED)
    async with running(port_of(node), ledger_path) as keeper:
        intents = [intent(guarded, name, word(value)) for value, name in enumerate("abc")]
        assert outcomes(await keeper.executor.execute(intents, head_of(node))) == [Outcome.SUBMITTED] * 3
        later = [intent(guarded, "d", word(3)), intent(guarded, "e", word(3))]
        assert outcomes(await keeper.executor.execute(later, head_of(node))) == [
            Outcome.SUBMITTED,  # after those that are pending
            Outcome.SIMULATION_REVERTED,
        ]
        assert outcomes(list(await keeper.executor.track(mine(node)))) == [Outcome.INCLUDED] * 4
    assert count(node, guarded) == 4


async def test_on_a_node_that_cannot_each_is_tried_alone(node: Client, ledger_path: Path) -> None:
    guarded = deploy(node, GUARDED)
    async with running(port_of(node), ledger_path, wrap=Plain().wrap) as keeper:
        intents = [intent(guarded, name, word(value)) for value, name in enumerate("ab")]
        assert outcomes(await keeper.executor.execute(intents, head_of(node))) == [
            Outcome.SUBMITTED,
            Outcome.SIMULATION_REVERTED,
        ]
        await keeper.executor.track(mine(node))
    assert count(node, guarded) == 1


async def test_urgent_ones_have_the_lower_nonces(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path) as keeper:
        intents = [
            intent(counter, "a", terms=UPKEEP),
            intent(counter, "b"),
            intent(counter, "c", terms=UPKEEP),
        ]
        sent = await keeper.executor.execute(intents, head_of(node))
        assert [execution.nonce for execution in sent] == [1, 0, 2]
        assert [execution.intent.account for execution in sent] == ["a", "b", "c"]


async def test_only_so_much_housekeeping_is_in_flight(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    async with running(port_of(node), ledger_path) as keeper:
        intents = [intent(counter, str(number), terms=UPKEEP) for number in range(10)]
        sent = await keeper.executor.execute([*intents, intent(counter, "urgent")], head_of(node))
        assert outcomes(sent) == [Outcome.SUBMITTED] * 8 + [Outcome.IN_FLIGHT] * 2 + [Outcome.SUBMITTED]


async def test_housekeeping_of_its_own_account_never_holds_an_urgent_one(
    node: Client, ledger_path: Path
) -> None:
    counter = deploy(node, COUNTER)
    accounts = [account(KEY, Lane.URGENT), account(SECOND_KEY, Lane.HOUSEKEEPING)]
    slow = Refusing(1)  # the first of two in the housekeeper's lane, so that the second waits behind it
    async with running(port_of(node), ledger_path, accounts=accounts, wrap=slow.wrap) as keeper:
        upkeep = [intent(counter, "a", terms=UPKEEP), intent(counter, "b", terms=UPKEEP)]
        sent = await keeper.executor.execute(upkeep, head_of(node))
        assert outcomes(sent) == [Outcome.REJECTED, Outcome.SUBMITTED]
        (urgent,) = await keeper.executor.execute([intent(counter, "c")], head_of(node))
        assert (urgent.outcome, urgent.nonce) == (Outcome.SUBMITTED, 0)
        (landed,) = await keeper.executor.track(mine(node))
        assert (landed.intent.account, landed.signer) == ("c", KEEPER)
        assert nonce(node, SECOND) == 0
        for _ in range(4):
            await keeper.executor.track(mine(node))
        assert await keeper.ledger.open_transactions() == []
    assert count(node, counter) == 2


async def test_several_accounts_share_the_urgent_ones(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    accounts = [account(KEY), account(SECOND_KEY)]
    async with running(port_of(node), ledger_path, accounts=accounts) as keeper:
        intents = [intent(counter, name) for name in "abcd"]
        sent = await keeper.executor.execute(intents, head_of(node))
        assert [execution.nonce for execution in sent] == [0, 0, 1, 1]
        assert outcomes(await keeper.executor.execute(intents, head_of(node))) == [Outcome.IN_FLIGHT] * 4
        assert len(await keeper.executor.track(mine(node))) == 4
    assert (count(node, counter), nonce(node, KEEPER), nonce(node, SECOND)) == (4, 2, 2)


class Purse(Unlimited):
    """Notes the balances that it is shown."""

    def __init__(self) -> None:
        self.balances: list[int] = []

    async def admit(self, charges: Sequence[Charge], balance: int, head: Head) -> list[str | None]:
        self.balances.append(balance)
        return [None] * len(charges)


async def test_what_open_transactions_may_cost_is_not_counted_as_balance(
    node: Client, ledger_path: Path
) -> None:
    counter = deploy(node, COUNTER)
    purse = Purse()
    async with running(port_of(node), ledger_path, guard=lambda memory: purse) as keeper:
        for name in "ab":
            await keeper.executor.execute([intent(counter, name)], head_of(node))
        first, _ = await keeper.ledger.open_transactions()
    assert first.signed is not None
    owed = first.signed.gas_limit * first.signed.max_fee_per_gas
    assert purse.balances[0] - purse.balances[1] == owed > 0


async def test_money_that_an_open_transaction_carries_is_not_counted_as_balance(
    node: Client, ledger_path: Path
) -> None:
    counter, purse = deploy(node, COUNTER), Purse()
    carries = intent(SECOND, "fill", terms=UPKEEP)
    carries = replace(carries, call=replace(carries.call, value=10**18))
    async with running(port_of(node), ledger_path, guard=lambda memory: purse) as keeper:
        await keeper.executor.execute([carries], head_of(node))
        await keeper.executor.execute([intent(counter, "b")], head_of(node))
    assert 10**18 < purse.balances[0] - purse.balances[1] < 10**18 + 10**17


async def test_an_intent_may_name_who_sends_it(node: Client, ledger_path: Path) -> None:
    counter = deploy(node, COUNTER)
    accounts = [account(KEY), account(SECOND_KEY, Lane.HOUSEKEEPING)]
    async with running(port_of(node), ledger_path, accounts=accounts) as keeper:
        pinned = [intent(counter, name, terms=replace(UPKEEP, sender=KEEPER)) for name in "ab"]
        await keeper.executor.execute(pinned, head_of(node))
        await keeper.executor.track(mine(node))
    assert (nonce(node, KEEPER), nonce(node, SECOND)) == (2, 0)


# -------------------------------------------------------------------------------- relays


async def through(
    node: Client, server: Server, stack: AsyncExitStack, style: Style = "transaction"
) -> SendingAccount:
    """Return the keeper's account, whose urgent transactions go to a relay for three blocks."""
    rpc = await stack.enter_async_context(
        RpcClient(Endpoint.parse(f"ws://127.0.0.1:{port_of(node)}"), CHAIN_ID)
    )
    return account(KEY, route=PrivateRoute(server.post(), PublicRoute(rpc), RelayOptions(style, blocks=3)))


@pytest.mark.parametrize("style", ["transaction", "bundle"])
async def test_a_relay_lands_what_the_public_never_saw(node: Client, ledger_path: Path, style: Style) -> None:
    counter = deploy(node, COUNTER)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(acknowledge))
        sender = await through(node, server, stack, style)
        async with running(port_of(node), ledger_path, accounts=[sender]) as keeper:
            intents = [intent(counter, name, terms=PAID) for name in "ab"]
            assert outcomes(await keeper.executor.execute(intents, head_of(node))) == [Outcome.SUBMITTED] * 2
            assert node.call("txpool_status")["pending"] == "0x0"
            server.answer = into(lambda raw: node.call("eth_sendRawTransaction", raw))
            await keeper.executor.track(mine(node))  # offered again, and built in this time
            assert outcomes(list(await keeper.executor.track(mine(node)))) == [Outcome.INCLUDED] * 2
    assert count(node, counter) == 2


async def test_what_a_relay_does_not_land_is_broadcast_after_some_blocks(
    node: Client, ledger_path: Path
) -> None:
    counter = deploy(node, COUNTER)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(acknowledge))
        sender = await through(node, server, stack)
        async with running(port_of(node), ledger_path, accounts=[sender]) as keeper:
            await keeper.executor.execute([intent(counter, "a", terms=PAID)], head_of(node))
            for _ in range(2):
                await keeper.executor.track(mine(node))
                assert node.call("txpool_status")["pending"] == "0x0"
            await keeper.executor.track(mine(node))
            (landed,) = await keeper.executor.track(mine(node))
            assert landed.outcome is Outcome.INCLUDED
    assert count(node, counter) == 1


@pytest.mark.slow
async def test_a_crash_at_any_step_behind_a_relay_neither_loses_nor_doubles_an_action(
    node: Client, tmp_path: Path
) -> None:
    counter = deploy(node, COUNTER)
    wanted = [intent(counter, name, terms=PAID) for name in "ab"]
    blank = tmp_path / "blank.sqlite"
    async with running(port_of(node), blank):
        pass
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(acknowledge))
        accounts = [await through(node, server, stack), account(SECOND_KEY, Lane.HOUSEKEEPING)]
        point, crashed = 0, True
        while crashed:
            point += 1
            snapshot = node.call("evm_snapshot")
            path = shutil.copy(blank, tmp_path / f"{point}.sqlite")
            crashed = await _crashes(node, path, accounts, wanted, point)
            async with running(port_of(node), path, accounts=accounts) as keeper:
                await keeper.executor.reconcile(mine(node))
                for _ in range(7):
                    await keeper.executor.execute(wanted, head_of(node))
                    await keeper.executor.track(mine(node))
                assert await keeper.ledger.open_transactions() == []
            assert count(node, counter) == 2, f"crash at point {point}"
            node.call("evm_revert", snapshot)
    assert point > 15


async def _crashes(
    node: Client, path: Path, accounts: list[SendingAccount], wanted: list, point: int
) -> bool:
    """Run until a crash, if there is one."""
    wrapper = CrashAfterCalls(point)
    try:
        async with running(port_of(node), path, accounts=accounts, wrap=wrapper.wrap) as keeper:
            await keeper.executor.execute(wanted, head_of(node))
            for _ in range(4):
                await keeper.executor.track(mine(node))
    except Crash:
        return True
    return False


class CrashAfterCalls(Wrapper):
    def __init__(self, point: int) -> None:
        self._left = point

    async def after(self, name: str, arguments: object) -> None:
        self._left -= 1
        if self._left == 0:
            raise Crash


class Plain(Wrapper):
    """A node without ``eth_simulateV1``."""

    async def through(self, name: str, attribute: Any, arguments: Any, options: Any) -> Any:
        if name == "request" and arguments[0] == "eth_simulateV1":
            raise RpcError("eth_simulateV1", -32601, "the method eth_simulateV1 does not exist")
        return await attribute(*arguments, **options)


# --------------------------------------------------------------------------- remote keys


async def test_a_remote_key_lands_and_its_absence_leaves_nothing_behind(
    node: Client, ledger_path: Path
) -> None:
    counter = deploy(node, COUNTER)
    async with serving(signing(KEY)) as server:
        sender = SendingAccount(KEEPER, RemoteSigner(server.post(), KEEPER))
        async with running(port_of(node), ledger_path, accounts=[sender]) as keeper:
            await keeper.executor.execute([intent(counter, "a")], head_of(node))
            await keeper.executor.track(mine(node))
            server.status, server.body = 503, b""
            with pytest.raises(EndpointUnreachableError):
                await keeper.executor.execute([intent(counter, "b")], head_of(node))
            assert await keeper.ledger.open_transactions() == []
            server.status, server.body = 200, None
            (sent,) = await keeper.executor.execute([intent(counter, "b")], head_of(node))
            assert (sent.outcome, sent.nonce) == (Outcome.SUBMITTED, 1)
            await keeper.executor.track(mine(node))
    assert count(node, counter) == 2


# ------------------------------------------------------------------------------ holdings


async def test_gas_money_is_filled_up_and_a_surplus_leaves(node: Client, ledger_path: Path) -> None:
    cold = Address(Account.from_key("0x" + "5e" * 32).address)
    node.call("anvil_setBalance", KEEPER, hex(10 * 10**18))
    node.call("anvil_setBalance", SECOND, hex(10**16))
    rules = InventoryRules(
        main=KEEPER,
        others=(SECOND,),
        cold=cold,
        gas=GasMoney(floor=10**17, target=10**18, reserve=10**18, largest=10**18),
        sweeps=(Sweep("native", None, above=5 * 10**18, keep=2 * 10**18),),
        interval=1,
    )
    accounts = [account(KEY, Lane.URGENT), account(SECOND_KEY, Lane.HOUSEKEEPING)]
    async with (
        RpcClient(Endpoint.parse(f"ws://127.0.0.1:{port_of(node)}"), CHAIN_ID) as rpc,
        running(port_of(node), ledger_path, accounts=accounts) as keeper,
    ):
        inventory = Inventory(rpc, rules)
        mine(node)
        assert outcomes(await _kept(keeper, inventory, node)) == [Outcome.SUBMITTED] * 2
        head = mine(node)
        await keeper.executor.track(head)
        assert await inventory.wants(head) == []
    assert int(node.call("eth_getBalance", SECOND, "latest"), 16) == 10**18
    assert abs(int(node.call("eth_getBalance", KEEPER, "latest"), 16) - 2 * 10**18) < 10**15
    assert int(node.call("eth_getBalance", cold, "latest"), 16) == 10 * 10**18 - 99 * 10**16 - 2 * 10**18


STUBBORN = bytes.fromhex(
    "5f3560e01c63095ea7b314601657"  # anything but approve(address,uint256)
    "5f545f5260205ff3"  # is told the one allowance there is, slot 0
    "5b602435156027575f5415602757"  # an approval of something, where something is left,
    "5f5ffd"  # reverts
    "5b6024355f5560015f5260205ff3"
)
"""A token that changes an allowance to nothing and from nothing alone, as USDT does."""


async def test_an_allowance_of_a_token_that_refuses_a_change_becomes_exact(
    node: Client, ledger_path: Path
) -> None:
    token = deploy(node, STUBBORN)
    rules = InventoryRules(main=KEEPER, approvals=(Approval("USDT", token, SECOND, 42),), interval=25)
    async with (
        RpcClient(Endpoint.parse(f"ws://127.0.0.1:{port_of(node)}"), CHAIN_ID) as rpc,
        running(port_of(node), ledger_path) as keeper,
    ):
        inventory = Inventory(rpc, rules)
        node.call("anvil_setStorageAt", token, "0x0", f"0x{7:064x}")
        mine(node)
        seen = []
        for _ in range(2):
            assert outcomes(await _kept(keeper, inventory, node)) == [Outcome.SUBMITTED]
            await keeper.executor.track(mine(node))
            seen.append(count(node, token))
        assert await inventory.wants(head_of(node)) == []
    assert seen == [0, 42]


async def _kept(keeper: Keeper, inventory: Inventory, node: Client) -> list[Execution]:
    return await keeper.executor.execute(await inventory.wants(head_of(node)), head_of(node))

"""Whatever keepers do: the token only grows, and only the last to have taken the lease writes."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.errors import LeaseLostError
from bot.ledger.lease import SqlLease
from bot.ledger.store import SqlLedger
from bot.ports import Hash32
from tests.support.keeper import a_head

GENESIS = Hash32("0x" + "00" * 32)
KEEPERS = 3
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["hold", "confirm", "release", "write", "expire"]), st.integers(0, KEEPERS - 1)
    ),
    max_size=25,
)


class Model:
    """Who has the lease, by the rules alone."""

    def __init__(self) -> None:
        self.holder: int | None = None
        self.token = 0
        self.expired = True
        self.believes: dict[int, int | None] = dict.fromkeys(range(KEEPERS))

    def hold(self, keeper: int) -> int | None:
        if self.holder not in (None, keeper) and not self.expired:
            self.believes[keeper] = None
        else:
            self.token += self.holder != keeper
            self.holder, self.expired, self.believes[keeper] = keeper, False, self.token
        return self.believes[keeper]

    def confirm(self, keeper: int) -> int | None:
        return self.believes[keeper] if self.believes[keeper] is not None else self.hold(keeper)

    def release(self, keeper: int) -> None:
        self.believes[keeper] = None
        self.expired = self.expired or self.holder == keeper

    def may_write(self, keeper: int) -> bool:
        return self.believes[keeper] is not None and self.believes[keeper] == self.token


async def play(path: Path, steps: list[tuple[str, int]]) -> None:
    model, tokens = Model(), [0]
    ledgers = [await SqlLedger.open(path, chain_id=1, genesis_hash=GENESIS) for _ in range(KEEPERS)]
    leases: list[SqlLease] = [ledger.lease(["signer"], 300.0) for ledger in ledgers]
    try:
        for number, (step, keeper) in enumerate(steps):
            if step == "hold":
                assert await leases[keeper].hold() == model.hold(keeper)
            elif step == "confirm":
                assert await leases[keeper].confirm() == model.confirm(keeper)
            elif step == "release":
                await leases[keeper].release()
                model.release(keeper)
            elif step == "expire":
                expire(path)
                model.expired = True
            else:
                assert await wrote(ledgers[keeper], number) == model.may_write(keeper)
            tokens.append(model.token)
            assert sum(model.may_write(other) for other in range(KEEPERS)) <= 1
    finally:
        await asyncio.gather(*(ledger.close() for ledger in ledgers))
    assert tokens == sorted(tokens)


async def wrote(ledger: SqlLedger, number: int) -> bool:
    try:
        await ledger.record_head(a_head(number))
    except LeaseLostError:
        return False
    return True


def expire(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE leases SET expires_at_ms = 0")
    connection.commit()
    connection.close()


@pytest.fixture
def template(tmp_path: Path) -> bytes:
    async def make() -> None:
        ledger = await SqlLedger.open(tmp_path / "empty.sqlite", chain_id=1, genesis_hash=GENESIS)
        await ledger.close()

    asyncio.run(make())
    return (tmp_path / "empty.sqlite").read_bytes()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_only_the_last_to_have_taken_the_lease_writes(
    tmp_path_factory: pytest.TempPathFactory, template: bytes, steps: list[tuple[str, int]]
) -> None:
    path = tmp_path_factory.mktemp("lease") / "ledger.sqlite"
    path.write_bytes(template)
    asyncio.run(play(path, steps))

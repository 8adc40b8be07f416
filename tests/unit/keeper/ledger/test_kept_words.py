"""What strangers say is kept in the ledger, and secrets that they repeat are not."""

import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from bot.errors import RpcError
from bot.execution.broadcast import judge
from bot.ledger.address import LedgerPlace
from bot.ledger.store import SqlLedger
from bot.ops.logs import configure_logs
from bot.ops.redaction import HIDDEN
from bot.ports import Hash32, Outcome, Verdict
from tests.support.keeper import KEEPER, a_head, a_signature, an_intent
from tests.support.ledgers import Execute

GENESIS = Hash32("0x" + "00" * 32)
API_KEY = "c0ffee-5ec2e7-1234"
URL = f"https://eth.example/v2/{API_KEY}"


@pytest.fixture
def told() -> Iterator[None]:
    """Set up the log as a command does, with the endpoint as a secret."""
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    configure_logs("json", "error", [URL], io.StringIO())
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


async def kept(place: LedgerPlace, execute: Execute, words: str) -> str:
    """Return, as the database has it, what a provider's refusal left on a transaction and on a halt."""
    refusal = judge(RpcError("eth_sendRawTransaction", -32005, words).message)
    async with await SqlLedger.open(place, chain_id=31337, genesis_hash=GENESIS) as ledger:
        signed, rejected = await ledger.plan([an_intent("a"), an_intent("b")], KEEPER, a_head(1))
        await ledger.journal({signed.id: a_signature(1)}, [Verdict(rejected.id, Outcome.REJECTED, words)])
        (concluded,) = await ledger.conclude([Verdict(signed.id, refusal.outcome, refusal.reason)])
        await ledger.landing.note_halt(halted=True, source="operator", reason=words)
        shown = [concluded.reason, *(row.reason for row in await ledger.recent_transactions(9))]
    columns = execute("SELECT reason FROM transactions") + execute("SELECT reason FROM halts")
    return "\n".join([*shown, *columns])


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    "words",
    [
        f"daily quota of {URL} is used up",
        f"key {API_KEY} is over its limit",
        f"see wss://eth.example/v2/{API_KEY}?a=b\0",
    ],
)
async def test_a_key_that_a_provider_repeats_is_not_kept(
    place: LedgerPlace, execute: Execute, words: str
) -> None:
    found = await kept(place, execute, words)
    assert API_KEY not in found
    assert found.count(HIDDEN) >= 6


async def test_of_an_unknown_url_scheme_and_host_are_kept(place: LedgerPlace, execute: Execute) -> None:
    found = await kept(place, execute, f"try {URL} later")
    assert API_KEY not in found
    assert f"https://eth.example/{HIDDEN}" in found


@pytest.mark.usefixtures("told")
async def test_words_without_secrets_are_kept_as_they_are(place: LedgerPlace, execute: Execute) -> None:
    words = "nonce/too/low:0xabc"
    assert set((await kept(place, execute, words)).splitlines()) == {words}

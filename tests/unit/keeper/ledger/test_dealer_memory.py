"""Scores of dealers in the ledger, on both kinds of database."""

from dataclasses import replace

from bot.ledger.address import LedgerPlace
from bot.ledger.store import SqlLedger
from bot.ports import Hash32
from bot.ports.rfq import DealerScore

GENESIS = Hash32("0x" + "00" * 32)
FIRST = DealerScore("0x" + "11" * 20, 9, 5, 2, 1, 3, 1, 8_000, 7_000, -35, 2, 4, 12_345)
SECOND = DealerScore("0x" + "22" * 20)


async def test_scores_survive_a_restart_and_the_newest_counts(place: LedgerPlace) -> None:
    async with await SqlLedger.open(place, chain_id=1, genesis_hash=GENESIS) as ledger:
        assert await ledger.dealers.load() == {}
        await ledger.dealers.save([FIRST, SECOND])
        await ledger.dealers.save([replace(SECOND, faults=1, benched_until=2**40)])
        await ledger.dealers.save([])
    async with await SqlLedger.open(place, chain_id=1, genesis_hash=GENESIS) as ledger:
        assert await ledger.dealers.load() == {
            FIRST.dealer: FIRST,
            SECOND.dealer: replace(SECOND, faults=1, benched_until=2**40),
        }

"""How what was chosen is to be landed, and when holdings are looked after."""

import asyncio
from dataclasses import dataclass, field

from bot.errors import RpcError
from bot.ports import Head, Intent, Lane, Moved, Terms
from bot.service import KeeperService, ServiceOptions
from bot.strategy.decision import Candidate, Kind
from bot.strategy.inclusion import Inclusion
from bot.strategy.snapshot import Snapshot
from tests.support.keeper import an_intent
from tests.unit.keeper.service.test_service import Stage, heads, unhealthy

MOVES = (Moved("WETH", 8, "USDC"),)


@dataclass
class Equipped(Stage):
    """A stage with somebody who appraises and somebody who looks after holdings."""

    found: Inclusion = field(default_factory=lambda: Inclusion(urgent=True, worth=7, moves=MOVES))
    needs: list[Intent] = field(default_factory=list)
    appraised: list[Kind] = field(default_factory=list)
    unreadable: bool = False

    def inclusion(self, snapshot: Snapshot, chosen: Candidate) -> Inclusion:
        self.appraised.append(chosen.action.kind)
        return self.found

    async def wants(self, head: Head) -> list[Intent]:
        self.script.append(("wants", head.number))
        if self.unreadable:
            raise RpcError("eth_call", 3, "execution reverted: paused")
        return self.needs

    def service(self, options: ServiceOptions | None = None) -> KeeperService:
        return KeeperService(
            feed=self,  # type: ignore[arg-type]
            protocol=self,
            decide=self.decide,
            executor=self,  # type: ignore[arg-type]
            ledger=self,  # type: ignore[arg-type]
            acknowledger=self,
            inclusion=self.inclusion,
            inventory=self,
            options=options,
        )


async def test_what_was_chosen_goes_on_the_terms_of_its_worth() -> None:
    stage = Equipped(heads(7), unhealthy())
    await stage.play()
    assert stage.appraised == [Kind.KICK]
    assert [intent.terms for intent in stage.intents] == [Terms(Lane.URGENT, worth=7, moves=MOVES)]


async def test_what_may_wait_goes_to_the_housekeeping_lane() -> None:
    stage = Equipped(heads(7), unhealthy(), found=Inclusion(urgent=False, worth=None))
    await stage.play()
    assert [intent.terms for intent in stage.intents] == [Terms(Lane.HOUSEKEEPING)]


async def test_holdings_are_looked_after_once_the_accounts_are() -> None:
    stage = Equipped(heads(7), unhealthy(), needs=[an_intent("fill")])
    await stage.play()
    steps = [step for step in stage.script if step[0] in ("execute", "wants", "acknowledge")]
    assert steps == [("execute", 7, 1), ("wants", 7), ("execute", 7, 1), ("acknowledge", 7, 1)]
    assert stage.intents[-1].key == "fill"


async def test_holdings_that_cannot_be_read_cost_no_head() -> None:
    stage = Equipped(heads(*range(7, 37)), unhealthy(), unreadable=True)
    await stage.play()
    assert stage.acted_on() == list(range(7, 37))


async def test_a_newer_head_comes_before_holdings() -> None:
    stage = Equipped(heads(7, 8, 9), unhealthy(), busy=asyncio.Event())
    await stage.play()
    assert [step[1] for step in stage.script if step[0] == "wants"] == [9]

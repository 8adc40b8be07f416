"""A crowd of random accounts, and random things that happen to it, drawn from a seed."""

from dataclasses import dataclass, replace
from random import Random

from bot.chain import codec
from bot.ports import Head, Log
from bot.protocols.events import EventDecoder
from bot.protocols.sluice.adapter import SluiceProtocol
from bot.strategy.case import Case
from bot.strategy.decide import decide
from bot.strategy.screen import Screen
from bot.strategy.settings import StrategySettings
from tests.support.node_rpc import NodeRpc, latest
from tests.support.world import KEEPER, World

PRICES = {"WETH": 200.0, "WBTC": 8_000.0, "USDC": 1.0}
LTV = {"WETH": 0.80, "WBTC": 0.73, "USDC": 0.87}
EAGER = StrategySettings(minimum_profit=-(10**21), priority_fee=0)
WEIGHT = {"WETH": 1.08, "WBTC": 1.10, "USDC": 1.0}


@dataclass
class Crowd:
    """Random accounts of a world, and the book that watches them."""

    world: World
    protocol: SluiceProtocol
    random: Random

    @classmethod
    def of(cls, world: World, seed: int) -> "Crowd":
        """Return a crowd of nobody yet."""
        return cls(world, SluiceProtocol(NodeRpc(world.node), world.manifest, KEEPER), Random(seed))

    # -------------------------------------------------------------------------- people

    def join(self, count: int) -> list[str]:
        """Open random accounts close to their borrow limit, of mixed sizes and directions."""
        return [self._open() for _ in range(count)]

    def join_owing_two(self, count: int) -> list[str]:
        """Open accounts of one collateral that owe both other assets, so that netting leaves two debts."""
        shuffled = [self.random.sample(list(PRICES), 3) for _ in range(count)]
        return [self._open_at({held: 10 ** self.random.uniform(3.3, 6.0)}, owed) for held, *owed in shuffled]

    def _open(self) -> str:
        random = self.random
        symbols = list(PRICES)
        held = random.sample(symbols, random.choice((1, 1, 2, 3)))
        values = [10 ** random.uniform(2.9, 6.0) for _ in held]
        owed = random.sample(symbols, random.choice((1, 1, 2)))
        return self._open_at(dict(zip(held, values, strict=True)), owed)

    def _open_at(self, values: dict[str, float], owed: list[str]) -> str:
        random = self.random
        collateral = {symbol: self._amount(symbol, value) for symbol, value in values.items()}
        limit = sum(LTV[symbol] * PRICES[symbol] * amount for symbol, amount in collateral.items())
        share = random.uniform(0.93, 0.999) / len(owed)
        debt = {}
        for symbol in owed:
            value = limit * share / WEIGHT[symbol]
            debt[symbol] = self._amount(symbol, max(value, 510.0))
        if sum(WEIGHT[s] * PRICES[s] * a for s, a in debt.items()) > limit * 0.9995:
            return self._open()
        return self.world.open(collateral, debt)

    def _amount(self, symbol: str, value: float) -> float:
        return round(value / PRICES[symbol], 6)

    # ---------------------------------------------------------------------------- time

    def shock(self) -> None:
        """Move the prices of both risky assets, each by its own random factor, most often far down."""
        for symbol in ("WETH", "WBTC"):
            low, high = self.random.choice(((0.6, 0.97), (0.85, 0.99), (1.0, 1.4)))
            self.world.publish(symbol, round(PRICES[symbol] * self.random.uniform(low, high), 2))

    async def see(self) -> Head:
        """Bring the book up to the newest head."""
        newest = latest(self.world.node)
        tip = self.protocol.tip
        for number in range(tip.number + 1 if tip else newest.number, newest.number + 1):
            await self.protocol.sync(latest(self.world.node, number))
        return newest

    async def next_block(self, seconds: int) -> Head:
        """Fix the time of the next block, and return the newest head as it will look to it."""
        head = await self.see()
        timestamp = head.timestamp + seconds
        self.world.node.call("evm_setNextBlockTimestamp", hex(timestamp))
        return replace(head, timestamp=timestamp)

    def suspects(self, head: Head) -> list[Case]:
        """Return the unhealthy accounts as the strategy sees them at ``head``, in the order of the book."""
        snapshot = self.protocol.snapshot(head)
        cases = [Case.of(snapshot, int(row)) for row in Screen(snapshot).suspects]
        return [case for case in cases if not case.healthy]

    async def kick_all(self) -> int:
        """Flag every unhealthy account that is not; return how many auctions began."""
        begun = 0
        for case in self.suspects(await self.see()):
            if not case.flagged:
                receipt = self.world.act(
                    KEEPER, "liquidation_engine", "kick", "0x" + case.account.hex(), case.collateral_ids
                )
                begun += len(receipt["logs"]) > 0
        return begun

    def try_everything(self, head: Head) -> None:
        """Let the keeper send whatever the strategy would do at ``head``, however little it earns."""
        for candidate in decide(self.protocol.snapshot(head), EAGER).candidates:
            call = self.protocol.call_for(candidate.action)
            self.world.send(KEEPER, call.to, call.data, must_succeed=False)


def logs_of(receipt: dict[str, object]) -> tuple[Log, ...]:
    """Return a receipt's logs, typed."""
    return codec.logs(receipt["logs"])


def fields_of(decoder: EventDecoder, receipt: dict[str, object]) -> dict[str, object] | None:
    """Return the fields of the first event in a receipt that the decoder knows, or None."""
    events = (decoder.decode(log) for log in logs_of(receipt))
    return next((dict(event.fields) for event in events if event is not None), None)

"""Playing a price path block by block, in lockstep with the keeper."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.sim.actors import Actors
from bot.sim.lockstep import Acknowledgement
from bot.sim.measure import Frame
from bot.sim.path import PricePath
from bot.sim.watcher import Head, Watcher
from bot.sim.world import World


@dataclass
class Player:
    """Plays one world's path.

    Parameters
    ----------
    world : World
        A stage that is set.
    path : PricePath
        The market's prices.
    actors : Actors
        Who acts besides the keeper.
    watcher : Watcher
        Reads each block.
    keeper : str
        The keeper's address.
    base_fee_wei : int
        Of every block.
    acknowledge : callable
        Waits until the keeper has acted on a head; None if it did not in time.
    """

    world: World
    path: PricePath
    actors: Actors
    watcher: Watcher
    keeper: str
    base_fee_wei: int
    acknowledge: Callable[[Head], Acknowledgement | None]
    timeouts: int = 0

    def play(self, times: Sequence[int], on_block: Callable[[int, Frame], None]) -> None:
        """Play every block of a schedule.

        Parameters
        ----------
        times : sequence of int
            Times of the blocks, unix seconds.
        on_block : callable
            Told the block's place in the schedule, and what was seen.

        Raises
        ------
        ReplayError
            If a transaction of the replay's own fails.
        MeasurementError
            If the chain contradicts itself, or in the end the book that was followed.
        """
        before, keeper_waits = times[0], True
        for index, ts in enumerate(times):
            market = self.world.market(*self.path.at(ts))
            self._open_block(ts)
            self.actors.submit(ts, ts - before, market, keeper_waits)
            self.world.anvil.rpc.call("evm_mine")
            head, frame = self.watcher.watch(ts, market, self.actors)
            keeper_waits = self._await_keeper(head)
            before = ts
            on_block(index, frame)
        self.watcher.verify()

    def keeper_nonces(self) -> tuple[int, int]:
        """Return the keeper's next nonce after what is mined, and after what waits to be mined."""
        count = "eth_getTransactionCount"
        mined, waiting = self.world.anvil.rpc.batch(
            [(count, [self.keeper, "latest"]), (count, [self.keeper, "pending"])]
        )
        return int(mined, 16), int(waiting, 16)

    def _open_block(self, ts: int) -> None:
        """Fix time and base fee of the next block.

        First of all, because the arbitrageur reads the pools behind the keeper's waiting transactions, and
        the node runs those at the pending block's time: without this, at the machine's.
        """
        self.world.anvil.rpc.batch(
            [
                ("evm_setNextBlockTimestamp", [ts]),
                ("anvil_setNextBlockBaseFeePerGas", [hex(self.base_fee_wei)]),
            ]
        )

    def _await_keeper(self, head: Head) -> bool:
        """Wait for the keeper; whether transactions of its own now wait to be mined."""
        acknowledgement = self.acknowledge(head)
        self.timeouts += acknowledgement is None
        mined, waiting = self.keeper_nonces()
        return waiting > mined

"""Makes the recordings that `test_recordings` replays: run it where decisions are meant to change.

python -m tests.regression.record
"""

import tempfile
from pathlib import Path

from tests.support.daemon import Daemon, keeper
from tests.support.world import KEEPER, World, world

RECORDINGS = Path(__file__).parent / "recordings"

BLOCK_S = 36


def play(here: World, daemon: Daemon, blocks: int) -> None:
    """Mine blocks in lockstep with the keeper."""
    for _ in range(blocks):
        here.advance(BLOCK_S)
        daemon.acknowledged(height(here))


def height(here: World) -> int:
    return int(here.node.call("eth_blockNumber"), 16)


def fall_and_recovery(file: Path) -> None:
    """Record a fall of the market in two steps, the sales that follow, a reorg, and a recovery.

    One account is large, two hold two collaterals, one is too small to pay for its gas, and one is short.
    The pool falls further than the feed at first. In the end the flash taker serves the keeper no more, and
    the second collateral falls too, so that one account needs several sales.
    """
    file.unlink(missing_ok=True)
    with world() as here, tempfile.TemporaryDirectory() as folder:
        here.open({"WETH": 1_000}, {"USDC": 158_000})
        here.open({"WETH": 50, "WBTC": 2}, {"USDC": 19_500})
        here.open({"WETH": 5}, {"USDC": 790})
        here.open({"USDC": 500_000}, {"WETH": 2_000})
        here.open({"WETH": 200, "WBTC": 5}, {"USDC": 52_000})
        with keeper(Path(folder), here, command=("record", str(file))) as daemon:
            daemon.acknowledged(height(here))
            here.publish("WETH", 190)
            here.trade("WETH", "USDC", 22_000)
            here.publish("WETH", 176)
            play(here, daemon, 16)
            here.node.call("anvil_reorg", 2, [])
            play(here, daemon, 2)
            here.publish("WETH", 165)
            play(here, daemon, 12)
            here.act(here.owner, "flash_taker", "setOperator", KEEPER, False)
            here.publish("WBTC", 5_500)
            for symbol in ("WETH", "WBTC"):
                here.follow_oracle(symbol)
            play(here, daemon, 12)
            here.publish("WETH", 195)
            play(here, daemon, 2)
            assert daemon.stop() == 0


if __name__ == "__main__":
    RECORDINGS.mkdir(exist_ok=True)
    fall_and_recovery(RECORDINGS / "fall-and-recovery.tape.gz")

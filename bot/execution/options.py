"""How the executor sends."""

from dataclasses import dataclass

from bot.execution.fees import FeePolicy
from bot.ports import Call, SimulationResult

_BPS = 10_000


@dataclass(frozen=True, slots=True)
class ExecutorOptions:
    """How the executor sends.

    Parameters
    ----------
    chain_id : int
        Signed into each transaction.
    fees : FeePolicy
        What is paid for gas.
    gas_margin_bps : int
        Added to the node's estimate: state may move between the head and inclusion.
    resend_after_heads : int
        Heads after which a transaction that is in no block is offered to the node again.
    bump_after_heads : int
        Heads after which one whose inclusion has a worth is made dearer with every head.
    cancel_after_heads : int
        Heads after which one is cancelled: what it rests on is too old.
    housekeeping_in_flight : int
        Most open transactions of the housekeeping lane for each account that sends.
    block_time_s : int
        Seconds from a head to the block after it, in which calls are tried.
    """

    chain_id: int
    fees: FeePolicy
    gas_margin_bps: int = 2_000
    resend_after_heads: int = 3
    bump_after_heads: int = 2
    cancel_after_heads: int = 25
    housekeeping_in_flight: int = 8
    block_time_s: int = 12

    def gas_limit(self, call: Call, trial: SimulationResult) -> int:
        """Return the call's own limit, or the estimate and the margin."""
        if call.gas_limit is not None:
            return call.gas_limit
        return trial.gas_used * (_BPS + self.gas_margin_bps) // _BPS

"""What the layers say to each other: frozen values, and the protocols that adapters implement.

Nothing here does I/O or knows an implementation. The service is written against these names;
`bot.chain`, `bot.protocols`, `bot.execution`, `bot.ledger` and `bot.ops` implement them, and
`bot.bootstrap` puts the two together.

Units
-----
Wei for native value and gas prices; token units for amounts of a token; WAD quote units (10**18 is
one quote unit) for profit. All of them are `int`, exact, of any size. Block time is unix seconds.
"""

from bot.ports.chain import (
    Address,
    Hash32,
    Head,
    HeadEvent,
    HeadFeed,
    Json,
    Log,
    NewHead,
    Receipt,
    Reorg,
    Rpc,
    RpcCall,
)
from bot.ports.execution import (
    Appraise,
    Call,
    Execution,
    Executor,
    Intent,
    Inventory,
    Lane,
    Outcome,
    Signed,
    SimulationResult,
    Terms,
    Transaction,
)
from bot.ports.ledger import (
    BookCheckpoint,
    BookMemory,
    Checkpoint,
    DecisionEntry,
    DecisionRecord,
    ExplainedDecision,
    HaltNote,
    LandingMemory,
    Lease,
    Ledger,
    PredictionRecord,
    RiskMemory,
    Settlement,
    Spent,
    Verdict,
)
from bot.ports.ops import (
    HeadAcknowledger,
)
from bot.ports.protocol import (
    LiquidationProtocol,
)
from bot.strategy.inclusion import Moved

__all__ = [
    "Address",
    "Appraise",
    "BookCheckpoint",
    "BookMemory",
    "Call",
    "Checkpoint",
    "DecisionEntry",
    "DecisionRecord",
    "Execution",
    "Executor",
    "ExplainedDecision",
    "HaltNote",
    "Hash32",
    "Head",
    "HeadAcknowledger",
    "HeadEvent",
    "HeadFeed",
    "Intent",
    "Inventory",
    "Json",
    "LandingMemory",
    "Lane",
    "Lease",
    "Ledger",
    "LiquidationProtocol",
    "Log",
    "Moved",
    "NewHead",
    "Outcome",
    "PredictionRecord",
    "Receipt",
    "Reorg",
    "RiskMemory",
    "Rpc",
    "RpcCall",
    "Settlement",
    "Signed",
    "SimulationResult",
    "Spent",
    "Terms",
    "Transaction",
    "Verdict",
]

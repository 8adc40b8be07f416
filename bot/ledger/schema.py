"""Tables of the ledger, and the way between rows and values.

Amounts are exact integers kept as decimal text: SQLite's own integers end at 64 bits and its numeric
columns turn larger ones into floats.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    literal_column,
    or_,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.ledger.columns import ExactInt, Words
from bot.ledger.encoding import from_json, to_json
from bot.ledger.rows import reads
from bot.ports import (
    Address,
    Call,
    DecisionEntry,
    DecisionRecord,
    Hash32,
    Head,
    Intent,
    Lane,
    Moved,
    Outcome,
    Receipt,
    Signed,
    Terms,
    Transaction,
)

OCCUPIES_NONCE = (Outcome.SIGNED, Outcome.SUBMITTED, Outcome.INCLUDED, Outcome.REVERTED)
"""Of these at most one row exists per signer and nonce; an index holds it."""

OCCUPIES_KEY = (Outcome.PLANNED, Outcome.SIGNED, Outcome.SUBMITTED, Outcome.INCLUDED)
"""Of these at most one row is planned per idempotency key.

No index holds this, because a reorg may open a settled transaction again beside its successor; the
ledger has one writer, which looks before it plans.
"""


Identity = BigInteger().with_variant(Integer(), "sqlite")
"""Type of row ids: SQLite numbers only rows of its own INTEGER, PostgreSQL's ends at 32 bits."""


metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)

heads = Table(
    "heads",
    metadata,
    Column("hash", String(66), primary_key=True),
    Column("number", BigInteger, nullable=False, index=True),
    Column("parent_hash", String(66), nullable=False),
    Column("timestamp", BigInteger, nullable=False, index=True),
    Column("base_fee_per_gas", ExactInt, nullable=False),
    Column("canonical", Boolean, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("block_number", BigInteger, nullable=False, index=True),
    Column("block_hash", String(66), nullable=False),
    Column("protocol", String, nullable=False),
    Column("account", String, nullable=False, index=True),
    Column("inputs", Text, nullable=False),
    Column("chosen", Text),
    Column("rejected", Text, nullable=False),
)


def unsearched(column: Column[str]) -> ColumnElement[str]:
    """Return a column so that its index is not taken: nearly all rows have the few values asked for.

    Nothing tells SQLite so. It would read all history by the index of the outcomes where that of the heights,
    or of the nonces, leads to a few rows.
    """
    return column.concat(literal_column("''"))


def one_of(column: ColumnElement[str], values: Collection[str]) -> ColumnElement[bool]:
    """Return that a column holds one of some values that never change.

    An ``IN`` is written out anew for each execution, which takes longer than the statement.
    """
    return or_(*(column == value for value in values))


transactions = Table(
    "transactions",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("key", String, nullable=False, index=True),
    Column("protocol", String, nullable=False),
    Column("account", String, nullable=False, index=True),
    Column("decision_id", Identity, ForeignKey("decisions.id"), index=True),
    Column("call_to", String(42), nullable=False),
    Column("call_data", LargeBinary, nullable=False),
    Column("call_value", ExactInt, nullable=False),
    Column("call_gas_limit", BigInteger),
    Column("expected_profit", ExactInt, nullable=False),
    Column("signer", String(42)),
    Column("planned_block", BigInteger, nullable=False, index=True),
    Column("outcome", String, nullable=False, index=True),
    Column("reason", Words, nullable=False),
    Column("raw", LargeBinary),
    Column("hash", String(66), index=True),
    Column("nonce", BigInteger, index=True),
    Column("gas_limit", BigInteger),
    Column("max_fee_per_gas", ExactInt),
    Column("max_priority_fee_per_gas", ExactInt),
    Column("block_number", BigInteger, index=True),
    Column("block_hash", String(66)),
    Column("gas_used", BigInteger),
    Column("effective_gas_price", ExactInt),
    Column("realised_profit", ExactInt),
    Column("lane", String, nullable=False),
    Column("worth", ExactInt),
    Column("deadline", BigInteger),
    Column("moves", Text, nullable=False),
)

Index(
    "one_transaction_per_nonce",
    transactions.c.signer,
    transactions.c.nonce,
    unique=True,
    sqlite_where=transactions.c.outcome.in_([outcome.value for outcome in OCCUPIES_NONCE]),
    postgresql_where=transactions.c.outcome.in_([outcome.value for outcome in OCCUPIES_NONCE]),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
)


def head_row(head: Head) -> dict[str, Any]:
    """Return the columns of a canonical head."""
    return {
        "hash": head.hash,
        "number": head.number,
        "parent_hash": head.parent_hash,
        "timestamp": head.timestamp,
        "base_fee_per_gas": head.base_fee_per_gas,
        "canonical": True,
    }


@reads(heads)
def head_of(row: RowMapping) -> Head:
    """Return the head in a row."""
    return Head(
        number=row["number"],
        hash=Hash32(row["hash"]),
        parent_hash=Hash32(row["parent_hash"]),
        timestamp=row["timestamp"],
        base_fee_per_gas=row["base_fee_per_gas"],
    )


def decision_row(head: Head, entry: DecisionEntry) -> dict[str, Any]:
    """Return the columns of a decision."""
    return {
        "block_number": head.number,
        "block_hash": head.hash,
        "protocol": entry.protocol,
        "account": entry.account,
        "inputs": to_json(entry.inputs),
        "chosen": None if entry.chosen is None else to_json(entry.chosen),
        "rejected": to_json(entry.rejected),
    }


@reads(decisions)
def decision_of(row: RowMapping) -> DecisionRecord:
    """Return the decision in a row."""
    entry = DecisionEntry(
        protocol=row["protocol"],
        account=row["account"],
        inputs=_object(row["inputs"]),
        chosen=None if row["chosen"] is None else _object(row["chosen"]),
        rejected=[_as_object(item) for item in _array(row["rejected"])],
    )
    return DecisionRecord(row["id"], row["block_number"], Hash32(row["block_hash"]), entry)


def planned_row(intent: Intent, signer: Address | None, head: Head) -> dict[str, Any]:
    """Return the columns of an intent that was just planned."""
    return intent_columns(intent) | {
        "signer": signer,
        "planned_block": head.number,
        "outcome": Outcome.PLANNED.value,
        "reason": "",
    }


def intent_columns(intent: Intent) -> dict[str, Any]:
    """Return the columns that say what is wanted."""
    terms = intent.terms
    return {
        "key": intent.key,
        "protocol": intent.protocol,
        "account": intent.account,
        "decision_id": intent.decision_id,
        "call_to": intent.call.to,
        "call_data": intent.call.data,
        "call_value": intent.call.value,
        "call_gas_limit": intent.call.gas_limit,
        "expected_profit": intent.expected_profit,
        "lane": terms.lane.value,
        "worth": terms.worth,
        "deadline": terms.deadline,
        "moves": moves_text(terms.moves),
    }


def signed_columns(signed: Signed) -> dict[str, Any]:
    """Return the columns that a signature fills."""
    return {
        "raw": signed.raw,
        "hash": signed.hash,
        "nonce": signed.nonce,
        "gas_limit": signed.gas_limit,
        "max_fee_per_gas": signed.max_fee_per_gas,
        "max_priority_fee_per_gas": signed.max_priority_fee_per_gas,
        "outcome": Outcome.SIGNED.value,
    }


def receipt_columns(receipt: Receipt, realised_profit: int | None) -> dict[str, Any]:
    """Return the columns that a receipt fills."""
    return {
        "outcome": (Outcome.INCLUDED if receipt.succeeded else Outcome.REVERTED).value,
        "reason": "" if receipt.succeeded else "reverted on chain",
        "block_number": receipt.block_number,
        "block_hash": receipt.block_hash,
        "gas_used": receipt.gas_used,
        "effective_gas_price": receipt.effective_gas_price,
        "realised_profit": realised_profit,
    }


UNSETTLED: dict[str, Any] = {
    "reason": "",
    "block_number": None,
    "block_hash": None,
    "gas_used": None,
    "effective_gas_price": None,
    "realised_profit": None,
}
"""What `receipt_columns` filled, emptied again."""


@reads(transactions)
def transaction_of(row: RowMapping) -> Transaction:
    """Return the transaction in a row."""
    call = Call(Address(row["call_to"]), row["call_data"], row["call_value"], row["call_gas_limit"])
    intent = Intent(
        key=row["key"],
        protocol=row["protocol"],
        account=row["account"],
        call=call,
        expected_profit=row["expected_profit"],
        decision_id=row["decision_id"],
        terms=Terms(Lane(row["lane"]), row["worth"], row["deadline"], moves_of(row["moves"])),
    )
    return Transaction(
        id=row["id"],
        intent=intent,
        signer=None if row["signer"] is None else Address(row["signer"]),
        planned_block=row["planned_block"],
        outcome=Outcome(row["outcome"]),
        reason=row["reason"],
        signed=_signed_of(row),
        block_number=row["block_number"],
        block_hash=None if row["block_hash"] is None else Hash32(row["block_hash"]),
        gas_used=row["gas_used"],
        effective_gas_price=row["effective_gas_price"],
        realised_profit=row["realised_profit"],
    )


_SIGNED = ("hash", "nonce", "gas_limit", "max_fee_per_gas", "max_priority_fee_per_gas")


def _signed_of(row: RowMapping) -> Signed | None:
    if row["raw"] is None:
        return None
    missing = [name for name in _SIGNED if row[name] is None]
    if missing:
        raise ValueError(f"it is signed, without {', '.join(missing)}")
    return Signed(
        raw=row["raw"],
        hash=Hash32(row["hash"]),
        nonce=row["nonce"],
        gas_limit=row["gas_limit"],
        max_fee_per_gas=row["max_fee_per_gas"],
        max_priority_fee_per_gas=row["max_priority_fee_per_gas"],
    )


def moves_text(moves: Iterable[Moved]) -> str:
    """Return what a transaction moves as JSON: asset, value as digits, debt, of each settlement in turn."""
    return to_json([[moved.asset, str(moved.value), moved.debt] for moved in moves])


def moves_of(text: str) -> tuple[Moved, ...]:
    """Return what `moves_text` wrote.

    Raises
    ------
    TypeError, ValueError
        If it wrote something else.
    """
    return tuple(_moved(item) for item in _array(text))


def _moved(item: object) -> Moved:
    match item:
        case [str(asset), str(value), str(debt)] if value.isascii() and value.isdecimal():
            return Moved(asset, int(value), debt)
    raise TypeError(f"the ledger holds {item!r} where asset, value and debt of a settlement belong")


def _object(text: str) -> Mapping[str, object]:
    return _as_object(from_json(text))


def _as_object(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"the ledger holds {value!r} where a JSON object belongs")
    return value


def _array(text: str) -> list[object]:
    value = from_json(text)
    if not isinstance(value, list):
        raise TypeError(f"the ledger holds {text!r} where a JSON array belongs")
    return value


def insert_into(connection: AsyncConnection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert that can say what happens where the row is there; dialects differ in the words."""
    return (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(table)

"""Tables of the dealer's ledger; amounts are decimal text, exact at any size."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
)

from bot.ledger.columns import ExactInt

SCHEMA_VERSION: Final = 1
"""Raised whenever a table changes; a ledger of another version is refused, not guessed at."""


metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)

quotes = Table(
    "quotes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("nonce", ExactInt, nullable=False, unique=True),
    Column("dealer", LargeBinary(20), nullable=False),
    Column("account", LargeBinary(20), nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("collateral_id", Integer, nullable=False),
    Column("debt_id", Integer, nullable=False),
    Column("price", ExactInt, nullable=False),
    Column("min_fill", ExactInt, nullable=False),
    Column("max_fill", ExactInt, nullable=False),
    Column("deadline", BigInteger, nullable=False),
    Column("filler", LargeBinary(20), nullable=False),
    Column("callback", Boolean, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("issued_block", BigInteger, nullable=False),
    Column("filled", ExactInt, nullable=False),
    Column("state", String, nullable=False, index=True),
)

fills = Table(
    "fills",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, index=True),
    Column("amount", ExactInt, nullable=False),
    Column("payment", ExactInt, nullable=False),
    Column("block_number", BigInteger, nullable=False),
)

exposures = Table(
    "exposures",
    metadata,
    Column("collateral_id", Integer, nullable=False),
    Column("debt_id", Integer, nullable=False),
    Column("amount", ExactInt, nullable=False),
    PrimaryKeyConstraint("collateral_id", "debt_id"),
)

works = Table(
    "works",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String, nullable=False),
    Column("collateral_id", Integer, nullable=False),
    Column("debt_id", Integer, nullable=False),
    Column("sold", ExactInt, nullable=False),
    Column("call_to", String(42), nullable=False),
    Column("call_data", LargeBinary, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("hash", String(66), nullable=False, unique=True),
    Column("nonce", BigInteger, nullable=False),
    Column("gas_limit", BigInteger, nullable=False),
    Column("max_fee_per_gas", ExactInt, nullable=False),
    Column("max_priority_fee_per_gas", ExactInt, nullable=False),
    Column("planned_block", BigInteger, nullable=False),
    Column("state", String, nullable=False, index=True),
    Column("bought", ExactInt, nullable=False),
    Column("block_number", BigInteger),
)

Index("one_open_work_per_nonce", works.c.nonce, unique=True, sqlite_where=works.c.state == "signed")

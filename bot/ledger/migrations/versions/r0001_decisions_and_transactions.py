"""Heads, decisions and transactions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_MAY_HAVE_LANDED = sa.text("outcome IN ('signed', 'submitted', 'included', 'reverted')")


def _identity() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "meta",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("value", sa.String(), nullable=False),
    )
    op.create_table(
        "heads",
        sa.Column("hash", sa.String(66), primary_key=True),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("parent_hash", sa.String(66), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("base_fee_per_gas", sa.Text(), nullable=False),
        sa.Column("canonical", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_heads_number", "heads", ["number"])
    op.create_table(
        "decisions",
        sa.Column("id", _identity(), primary_key=True),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.String(66), nullable=False),
        sa.Column("protocol", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("chosen", sa.Text()),
        sa.Column("rejected", sa.Text(), nullable=False),
    )
    op.create_index("ix_decisions_block_number", "decisions", ["block_number"])
    op.create_index("ix_decisions_account", "decisions", ["account"])
    _create_transactions()


def _create_transactions() -> None:
    op.create_table(
        "transactions",
        sa.Column("id", _identity(), primary_key=True),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("protocol", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("decision_id", _identity(), sa.ForeignKey("decisions.id")),
        sa.Column("call_to", sa.String(42), nullable=False),
        sa.Column("call_data", sa.LargeBinary(), nullable=False),
        sa.Column("call_value", sa.Text(), nullable=False),
        sa.Column("call_gas_limit", sa.BigInteger()),
        sa.Column("expected_profit", sa.Text(), nullable=False),
        sa.Column("signer", sa.String(42)),
        sa.Column("planned_block", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary()),
        sa.Column("hash", sa.String(66)),
        sa.Column("nonce", sa.BigInteger()),
        sa.Column("gas_limit", sa.BigInteger()),
        sa.Column("max_fee_per_gas", sa.Text()),
        sa.Column("max_priority_fee_per_gas", sa.Text()),
        sa.Column("block_number", sa.BigInteger()),
        sa.Column("block_hash", sa.String(66)),
        sa.Column("gas_used", sa.BigInteger()),
        sa.Column("effective_gas_price", sa.Text()),
        sa.Column("realised_profit", sa.Text()),
    )
    for column in ("account", "hash", "outcome"):
        op.create_index(f"ix_transactions_{column}", "transactions", [column])
    op.create_index(
        "one_transaction_per_nonce",
        "transactions",
        ["signer", "nonce"],
        unique=True,
        sqlite_where=_MAY_HAVE_LANDED,
        postgresql_where=_MAY_HAVE_LANDED,
    )

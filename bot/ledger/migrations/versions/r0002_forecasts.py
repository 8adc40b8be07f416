"""Forecasts, and what was learnt of the feeds."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of the risk memory."""
    op.create_table(
        "checkpoints",
        sa.Column("protocol", sa.String(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.String(66), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("protocol", "block_hash"),
    )
    op.create_table(
        "predictions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("protocol", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.String(66), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("horizon_s", sa.BigInteger(), nullable=False),
        sa.Column("health", sa.Float(), nullable=False),
        sa.Column("solvency", sa.Float(), nullable=False),
        sa.Column("liquidatable", sa.Float(), nullable=False),
        sa.Column("insolvency", sa.Float(), nullable=False),
        sa.Column("position", sa.String(), nullable=False),
        sa.Column("liquidatable_fate", sa.String(), nullable=False),
        sa.Column("liquidatable_block", sa.BigInteger()),
        sa.Column("insolvency_fate", sa.String(), nullable=False),
        sa.Column("insolvency_block", sa.BigInteger()),
    )
    for column in ("block_number", "liquidatable_fate", "insolvency_fate"):
        op.create_index(f"ix_predictions_{column}", "predictions", [column])

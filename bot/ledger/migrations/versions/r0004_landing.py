"""How intents may be landed, what they put at stake, and halts."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the terms of intents, and create the table of halts."""
    for column in (
        sa.Column("lane", sa.String(), nullable=False, server_default="urgent"),
        sa.Column("worth", sa.Text()),
        sa.Column("deadline", sa.BigInteger()),
        sa.Column("stake", sa.Text(), nullable=False, server_default="0"),
        sa.Column("stake_asset", sa.String(), nullable=False, server_default=""),
    ):
        op.add_column("transactions", column)
    op.create_index("ix_transactions_block_number", "transactions", ["block_number"])
    op.create_table(
        "halts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("halted", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("block_number", sa.BigInteger()),
    )

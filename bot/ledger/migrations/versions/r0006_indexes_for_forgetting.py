"""Indexes by which old rows are found without reading all of them."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("ix_heads_timestamp", "heads", ["timestamp"])
    op.create_index("ix_transactions_decision_id", "transactions", ["decision_id"])
    op.create_index("ix_transactions_planned_block", "transactions", ["planned_block"])

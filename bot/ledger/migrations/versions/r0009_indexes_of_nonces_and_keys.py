"""Indexes by which what has a nonce, or a key, is found without reading all of history."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("ix_transactions_nonce", "transactions", ["nonce"])
    op.create_index("ix_transactions_key", "transactions", ["key"])

"""Scores of dealers."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COUNTS = ("asked", "answered", "declined", "faults", "fills", "failed_fills")
_RATES = ("response_bps", "fill_bps", "edge_bps")
_BENCH = ("strikes", "good_in_a_row", "benched_until")


def upgrade() -> None:
    """Create the table of dealers."""
    op.create_table(
        "dealers",
        sa.Column("dealer", sa.String(42), primary_key=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in (*_COUNTS, *_RATES, *_BENCH)),
    )

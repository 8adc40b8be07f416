"""Leases; and the old mark of the version, which programs before this one read, made to stop them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of leases."""
    op.create_table(
        "leases",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
    )
    op.execute("DELETE FROM meta WHERE name = 'version'")
    op.execute("INSERT INTO meta (name, value) VALUES ('version', 'in alembic_version')")

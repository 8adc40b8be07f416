"""What each settlement of a transaction moves, in place of what one of them does."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BATCH = 1_000


def upgrade() -> None:
    """Write asset, value and debt of each settlement as JSON; of older ones the debt is not known."""
    op.add_column("transactions", sa.Column("moves", sa.Text(), nullable=False, server_default="[]"))
    rows = sa.table("transactions", *(sa.column(name) for name in ("id", "stake", "stake_asset", "moves")))
    connection = op.get_bind()
    one = sa.select(rows.c.id, rows.c.stake_asset, rows.c.stake).where(rows.c.stake_asset != "")
    found = [
        {"row": row, "text": json.dumps([[asset, value, ""]], separators=(",", ":"))}
        for row, asset, value in connection.execute(one)
    ]
    changed = sa.update(rows).where(rows.c.id == sa.bindparam("row")).values(moves=sa.bindparam("text"))
    for start in range(0, len(found), _BATCH):
        connection.execute(changed, found[start : start + _BATCH])
    op.drop_column("transactions", "stake")
    op.drop_column("transactions", "stake_asset")

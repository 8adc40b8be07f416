"""Books in the ledger: `bot.ports.BookMemory` over the same database."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    LargeBinary,
    PrimaryKeyConstraint,
    RowMapping,
    String,
    Table,
    delete,
    select,
)

from bot.ledger.database import Database
from bot.ledger.rows import readable, reads
from bot.ledger.schema import insert_into, metadata
from bot.ports import BookCheckpoint, Hash32

BOOKS_KEPT: Final = 3
"""Some megabytes each; a reorg, or a checkpoint that cannot be read, leaves the one before."""

books = Table(
    "books",
    metadata,
    Column("protocol", String, nullable=False),
    Column("block_number", BigInteger, nullable=False),
    Column("block_hash", String(66), nullable=False),
    Column("blob", LargeBinary, nullable=False),
    PrimaryKeyConstraint("protocol", "block_hash"),
)


class SqlBookMemory:
    """See `bot.ports.BookMemory`; reached as `bot.ledger.store.SqlLedger.books`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save_book(self, protocol: str, checkpoint: BookCheckpoint) -> None:
        """See `bot.ports.BookMemory.save_book`."""
        row = {
            "protocol": protocol,
            "block_number": checkpoint.block_number,
            "block_hash": checkpoint.block_hash,
            "blob": checkpoint.blob,
        }
        ours = books.c.protocol == protocol
        newest = (
            select(books.c.block_hash).where(ours).order_by(books.c.block_number.desc()).limit(BOOKS_KEPT)
        )
        async with self._database.writing() as connection:
            await connection.execute(insert_into(connection, books).values(row).on_conflict_do_nothing())
            await connection.execute(delete(books).where(ours, books.c.block_hash.not_in(newest)))

    async def books(self, protocol: str) -> list[BookCheckpoint]:
        """See `bot.ports.BookMemory.books`."""
        query = select(books).where(books.c.protocol == protocol).order_by(books.c.block_number.desc())
        async with self._database.transaction() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return readable(_checkpoint, rows)  # without it the book is read from the chain

    async def forget_books(self, protocol: str) -> None:
        """See `bot.ports.BookMemory.forget_books`."""
        async with self._database.writing() as connection:
            await connection.execute(delete(books).where(books.c.protocol == protocol))


@reads(books)
def _checkpoint(row: RowMapping) -> BookCheckpoint:
    return BookCheckpoint(row["block_number"], Hash32(row["block_hash"]), row["blob"])

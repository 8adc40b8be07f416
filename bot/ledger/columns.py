"""Types of columns that databases lack."""

from sqlalchemy.engine import Dialect
from sqlalchemy.types import Text, TypeDecorator

from bot.errors import LedgerCorruptError
from bot.ops.logs import without_secrets


class ExactInt(TypeDecorator[int]):
    """An int of any size, as decimal text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:
        """Write the digits."""
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | None:
        """Read the digits."""
        try:
            return None if value is None else int(value)
        except (TypeError, ValueError):
            raise LedgerCorruptError("amounts", "?", f"{value!r} is no whole number") from None

    @property
    def python_type(self) -> type[int]:
        """What is read."""
        return int


class Words(TypeDecorator[str]):
    """Text that a stranger may have written, such as a node's reason.

    A provider that turns its customer away may repeat the URL, or the key in it. A ledger is backed up and
    shown, so what the log hides is hidden here too.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Hide secrets; replace NUL, which PostgreSQL does not take, and halves of characters, no UTF-8."""
        if value is None:
            return None
        return (
            without_secrets(value)
            .replace("\0", "\N{REPLACEMENT CHARACTER}")
            .encode("utf-8", "replace")
            .decode()
        )

    @property
    def python_type(self) -> type[str]:
        """What is read."""
        return str

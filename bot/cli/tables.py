"""Tables that fit a terminal of 80 columns with an address in them, and cut nothing where they do not."""

from collections.abc import Collection

from rich.box import SIMPLE_HEAD
from rich.table import Table

WHOLE = frozenset({"account", "dealer"})
"""Columns that keep to one line: what is in them is to be copied."""


def table_of(title: str, *columns: str, left: Collection[str] = (), header: bool = True) -> Table:
    """Return an empty table; what is too long for its column goes on in the next line.

    Parameters
    ----------
    title : str
        Above it.
    columns : str
        The first, and accounts, are to the left.
    left : collection of str
        Further columns to the left: words. Numbers are to the right.
    header : bool
        Whether columns are named above the rows.
    """
    table = Table(
        title=title,
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        show_header=header,
    )
    for index, name in enumerate(columns):
        words = index == 0 or name in WHOLE or name in left
        table.add_column(name, justify="left" if words else "right", overflow="fold", no_wrap=name in WHOLE)
    return table

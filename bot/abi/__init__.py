"""ABIs of the contracts that the keeper speaks to, written by ``scripts/export_abi.py``."""

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def load(name: str) -> tuple[dict[str, Any], ...]:
    """Return the ABI of a contract, entries as the compiler writes them.

    Parameters
    ----------
    name : str
        File name in this package without ``.json``, such as ``"clearing_house"``.

    Raises
    ------
    FileNotFoundError
        If there is no such ABI.
    """
    return tuple(json.loads(files(__name__).joinpath(f"{name}.json").read_text()))

"""Calldata and results by signature, for the few functions that the laboratory calls."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from eth_abi.abi import decode as decode_values
from eth_abi.abi import encode as encode_values
from eth_utils.abi import function_signature_to_4byte_selector


def call_data(signature: str, *arguments: object) -> bytes:
    """Encode a call, such as ``call_data("transfer(address,uint256)", to, amount)``.

    Parameters
    ----------
    signature : str
        Name and argument types, without spaces; structs as tuples.
    arguments : object
        One for each type.
    """
    selector, types = _parsed(signature)
    return selector + encode_values(types, arguments)


def decode(types: Sequence[str], data: bytes) -> tuple[Any, ...]:
    """Decode what a call returned."""
    return decode_values(types, data)


@cache
def _parsed(signature: str) -> tuple[bytes, tuple[str, ...]]:
    inner = signature[signature.index("(") + 1 : -1]
    return function_signature_to_4byte_selector(signature), tuple(split_types(inner))


def split_types(text: str) -> list[str]:
    """Split a list of types at the commas outside of tuples."""
    parts: list[str] = []
    depth = begin = 0
    for index, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(text[begin:index])
            begin = index + 1
    return [*parts, text[begin:]] if text else parts

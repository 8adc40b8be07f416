"""Calldata and results by signature, for the few functions that the laboratory calls."""

from functools import cache

from eth_abi.abi import encode
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
    return selector + encode(types, arguments)


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

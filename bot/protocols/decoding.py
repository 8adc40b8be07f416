"""Decoding of answers by the ABI's own rules, whatever else this process has loaded.

Tools that share the library's registry change it for all: ape pads integers that came short, so that half an
answer would pass for a number.
"""

from collections.abc import Sequence
from typing import Any

from eth_abi.codec import ABIDecoder
from eth_abi.decoding import UnsignedIntegerDecoder
from eth_abi.encoding import UnsignedIntegerEncoder
from eth_abi.registry import ABIRegistry, BaseEquals
from eth_abi.registry import registry as shared


def _strict() -> ABIRegistry:
    registry: ABIRegistry = shared.copy()  # type: ignore[no-untyped-call]
    registry.unregister("uint")
    uint = BaseEquals("uint")  # type: ignore[no-untyped-call]
    registry.register(uint, UnsignedIntegerEncoder, UnsignedIntegerDecoder, label="uint")
    return registry


_DECODER = ABIDecoder(_strict())


def decode(types: Sequence[str], data: bytes) -> tuple[Any, ...]:
    """Return the values that ``data`` encodes.

    Parameters
    ----------
    types : sequence of str
        Of the values, such as ``"uint256"``.
    data : bytes
        What a call gave back.

    Raises
    ------
    DecodingError
        If it is too short, or not what the types say.
    """
    return tuple(_DECODER.decode(types, data))

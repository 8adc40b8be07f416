"""Answers are decoded by the ABI's rules."""

from importlib import import_module

import pytest
from eth_abi.exceptions import DecodingError

from bot.protocols.decoding import decode


def test_half_an_answer_is_refused_whatever_else_is_loaded() -> None:
    import_module("ape.utils.abi")  # pads integers in the registry that all share
    with pytest.raises(DecodingError):
        decode(["uint256"], b"\x01")
    assert decode(["uint256", "bool"], bytes(31) + b"\x07" + bytes(31) + b"\x01") == (7, True)

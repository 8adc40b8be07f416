"""Views of the engine, of tokens and of dealers' contracts, as raw calls pinned to a head."""

from typing import Final

from eth_abi.abi import encode
from eth_utils.abi import function_signature_to_4byte_selector as _selector
from eth_utils.address import to_checksum_address

from bot.chain import codec
from bot.errors import RpcError
from bot.ports import Json, RpcCall

_FILLED: Final = _selector("filled(bytes32)")
_NONCES: Final = _selector("nonceBitmap(address,uint256)")
_BALANCE: Final = _selector("balanceOf(address)")
_ALLOWANCE: Final = _selector("allowance(address,address)")
_VALID: Final = _selector("isValidSignature(bytes32,bytes)")

MAGIC: Final = _VALID.ljust(32, b"\0")
"""What a contract that accepts a signature returns (ERC-1271)."""

_SIGNATURE_GAS: Final = 1_000_000
"""What a dealer's contract may burn while it is asked; the fill itself pays for it on chain."""


def code(account: bytes, at: Json) -> RpcCall:
    """Return the question for an account's code."""
    return RpcCall("eth_getCode", (to_checksum_address(account), at))


def filled(engine: bytes, digest: bytes, at: Json) -> RpcCall:
    """Return the question how much of a quote was filled, collateral units."""
    return _view(engine, _FILLED + digest, at)


def nonces(engine: bytes, dealer: bytes, word: int, at: Json) -> RpcCall:
    """Return the question for a word of a dealer's nonces; a bit that is set is spent or cancelled."""
    return _view(engine, _NONCES + encode(["address", "uint256"], [dealer, word]), at)


def balance(token: bytes, account: bytes, at: Json) -> RpcCall:
    """Return the question for a balance."""
    return _view(token, _BALANCE + encode(["address"], [account]), at)


def allowance(token: bytes, account: bytes, spender: bytes, at: Json) -> RpcCall:
    """Return the question for an allowance."""
    return _view(token, _ALLOWANCE + encode(["address", "address"], [account, spender]), at)


def valid_signature(dealer: bytes, digest: bytes, signature: bytes, at: Json) -> RpcCall:
    """Return the question whether a contract accepts a signature; `MAGIC` says yes."""
    return _view(dealer, _VALID + encode(["bytes32", "bytes"], [digest, signature]), at, _SIGNATURE_GAS)


def data(answer: Json | RpcError, what: str) -> bytes:
    """Return an answer's bytes; an error that stands in its place is raised."""
    if isinstance(answer, RpcError):
        raise answer
    return codec.data(answer, what)


def number(answer: Json | RpcError, what: str) -> int:
    """Return an answer's first word as a number."""
    return int.from_bytes(data(answer, what)[:32])


def _view(to: bytes, calldata: bytes, at: Json, gas: int | None = None) -> RpcCall:
    transaction: dict[str, Json] = {"to": to_checksum_address(to), "data": codec.hex_data(calldata)}
    if gas is not None:
        transaction["gas"] = codec.hex_quantity(gas)
    return RpcCall("eth_call", (transaction, at))

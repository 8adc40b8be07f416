"""Decisions to calldata, and revert data to words."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from eth_abi.abi import encode
from eth_abi.encoding import TupleEncoder
from eth_abi.exceptions import DecodingError
from eth_abi.registry import registry
from eth_typing import ABIElement
from eth_utils.abi import collapse_if_tuple, function_abi_to_4byte_selector
from eth_utils.address import to_checksum_address

from bot import abi
from bot.ports import Address, Call
from bot.protocols.decoding import decode
from bot.protocols.sluice.fills import fill_data
from bot.protocols.sluice.manifest import Manifest
from bot.strategy.decision import Action, Kind

_CONTRACTS: Final = (
    "liquidation_engine",
    "clearing_house",
    "flash_taker",
    "uniswap_v3_venue",
    "price_oracle",
    "protection",
    "flash_protector",
)
_PLAIN_REVERT: Final = bytes.fromhex("08c379a0")  # Error(string)
_TOKEN_SIZE: Final = 20
_PANIC: Final = bytes.fromhex("4e487b71")  # Panic(uint256)


class Function:
    """A contract's function: its selector and how its arguments are encoded.

    Parameters
    ----------
    contract : str
        Name of the ABI in `bot.abi`.
    name : str
        Of the function; it must not be overloaded.
    """

    __slots__ = ("_encode", "_outputs", "_selector")

    def __init__(self, contract: str, name: str) -> None:
        (entry,) = (e for e in abi.load(contract) if e["type"] == "function" and e["name"] == name)
        self._selector: Final = _selector(entry)
        encoders = [registry.get_encoder(kind) for kind in _types(entry["inputs"])]
        self._encode: Final = TupleEncoder(encoders=encoders)  # type: ignore[no-untyped-call]
        self._outputs: Final = _types(entry["outputs"])

    def data(self, *arguments: Any) -> bytes:
        """Return the calldata."""
        return self._selector + self._encode(arguments)

    def result(self, returned: bytes) -> tuple[Any, ...]:
        """Return what a call gave back."""
        return tuple(decode(self._outputs, returned))


def _types(arguments: Iterable[Mapping[str, Any]]) -> list[str]:
    return [collapse_if_tuple(cast("Any", argument)) for argument in arguments]


def _selector(entry: Mapping[str, Any]) -> bytes:
    return function_abi_to_4byte_selector(cast("ABIElement", {**entry, "type": "function"}))


_KICK: Final = Function("liquidation_engine", "kick")
_REDO: Final = Function("liquidation_engine", "redo")
_STARTS: Final = {Kind.KICK: _KICK, Kind.KICK_SWAP: _KICK, Kind.REDO: _REDO, Kind.REDO_SWAP: _REDO}
_CLEAR: Final = Function("liquidation_engine", "clear")
_LAPSE: Final = Function("liquidation_engine", "lapse")
_END: Final = Function("liquidation_engine", "end")
_MARK: Final = Function("liquidation_engine", "mark")
_NET: Final = Function("liquidation_engine", "net")
_POKE: Final = Function("liquidation_engine", "poke")
_MULTICALL: Final = Function("liquidation_engine", "multicall")
_SWAP: Final = Function("liquidation_engine", "swap")
_TAKE: Final = Function("flash_taker", "takeAndSell")
_DELEVERAGE: Final = Function("flash_protector", "deleverageAndSell")
FUND_GAS: Final = 330_000
"""Gas that a call must have left where the house asks an insurance fund: what the fund is given, and the
sixty-fourth that each of the calls on the way there keeps back. With less it reverts, `GasInsufficient`."""
PRICE_GAS: Final = 360_000
"""The same for each price of an account that is to be refused, asked for by a lapse."""
_NOBODY: Final = "0x" + "00" * 20


def pool_path(token_in: str, fee_pips: int, token_out: str) -> bytes:
    """Return one pool as Uniswap's routers pack it: token (20 bytes), fee (3 bytes), token.

    Parameters
    ----------
    token_in, token_out : str
        Addresses of what is sold and what is bought.
    fee_pips : int
        Fee of the pool in millionths.
    """
    return bytes.fromhex(token_in[2:]) + fee_pips.to_bytes(3, "big") + bytes.fromhex(token_out[2:])


def packed_path(tokens: Sequence[str], fees: Sequence[int]) -> bytes:
    """Return pools one after the other, packed: token, fee, token, and so on.

    Parameters
    ----------
    tokens : sequence of str
        Addresses from what is sold to what is bought.
    fees : sequence of int
        Fee of the pool between each two of them, in millionths.
    """
    hops = [pool_path(*hop) for hop in zip(tokens, fees, tokens[1:], strict=False)]
    return hops[0] + b"".join(hop[_TOKEN_SIZE:] for hop in hops[1:])


def route_data(*parts: tuple[int, bytes]) -> bytes:
    """Return the venue's data for a sale along one or several paths.

    Parameters
    ----------
    parts : tuple of (int, bytes)
        Weight in basis points and packed path of each; the weights add up to 10,000.
    """
    return encode(["(uint16,bytes)[]"], [list(parts)])


class CallBuilder:
    """Builds the calls that carry actions out.

    Parameters
    ----------
    manifest : Manifest
        Where the contracts are.
    keeper : str or None
        Who gets the profit of a deleveraging; None where nothing is sent.
    """

    def __init__(self, manifest: Manifest, keeper: str | None = None) -> None:
        self._protector: Final = Address(to_checksum_address(manifest.flash_protector or _NOBODY))
        self._keeper: Final = keeper or _NOBODY
        self._engine: Final = Address(to_checksum_address(manifest.liquidation_engine))
        self._taker: Final = Address(to_checksum_address(manifest.flash_taker))
        self._venue: Final = manifest.uniswap_v3_venue
        self._tokens: Final = tuple(asset.token for asset in manifest.assets)

    def call_for(self, action: Action) -> Call:
        """Return the call that carries an action out; its gas is left to the simulation."""
        call = self._call(action)
        asks_fund = any(part.writes_off for part in (action, *action.further))
        return replace(call, gas_reserve=FUND_GAS) if asks_fund else call

    def _call(self, action: Action) -> Call:
        account = "0x" + action.account.hex()
        match action.kind:
            case Kind.KICK | Kind.REDO:
                start = _STARTS[action.kind].data(account, action.collateral_ids)
                return Call(self._engine, start)
            case Kind.KICK_SWAP | Kind.REDO_SWAP:
                start = _STARTS[action.kind].data(account, action.started)
                return Call(self._engine, _MULTICALL.data([start, *self._swaps(account, action)]))
            case Kind.CLEAR:
                return Call(self._engine, _CLEAR.data(account))
            case Kind.LAPSE:
                asked = len(action.collateral_ids) * PRICE_GAS
                return Call(self._engine, _LAPSE.data(account), gas_reserve=asked)
            case Kind.END:
                return Call(self._engine, _END.data(account))
            case Kind.MARK:
                return Call(self._engine, _MARK.data(account))
            case Kind.NET:
                return Call(self._engine, _NET.data(account, action.collateral_ids[0]))
            case Kind.POKE:
                return Call(self._engine, _POKE.data(action.collateral_ids[0]))
            case Kind.SWAP if action.further:
                return Call(self._engine, _MULTICALL.data(self._swaps(account, action)))
            case Kind.SWAP:
                return Call(self._engine, self._swap(account, action))
            case Kind.TAKE:
                return Call(self._taker, self._take(account, action))
            case Kind.DELEVERAGE:
                return Call(self._protector, self._deleverage(account, action))
            case Kind.FILL:
                return Call(self._engine, fill_data(action))

    def _swaps(self, account: str, action: Action) -> list[bytes]:
        """Return the sales that an action makes in one call, in order."""
        return [self._swap(account, sale) for sale in (action, *action.further)]

    def _swap(self, account: str, action: Action) -> bytes:
        parts = [
            (way.weight_bps, packed_path([self._tokens[asset_id] for asset_id in way.assets], way.fees))
            for way in action.route
        ]
        return _SWAP.data(
            account,
            action.collateral_ids[0],
            action.debt_id,
            action.max_seized,
            action.limit_price,
            self._venue,
            route_data(*parts),
        )

    def _deleverage(self, account: str, action: Action) -> bytes:
        return _DELEVERAGE.data(
            account,
            action.collateral_ids[0],
            action.debt_id,
            action.max_seized,
            action.route[0].fees[0],
            action.min_profit,
            self._keeper,
        )

    def _take(self, account: str, action: Action) -> bytes:
        return _TAKE.data(
            account,
            action.collateral_ids[0],
            action.debt_id,
            action.max_seized,
            action.limit_price,
            action.route[0].fees[0],
            action.min_profit,
        )


def _errors() -> dict[bytes, Mapping[str, Any]]:
    entries = (e for contract in _CONTRACTS for e in abi.load(contract) if e["type"] == "error")
    return {_selector(entry): entry for entry in entries}


_ERRORS: Final = _errors()


def explain_revert(data: bytes) -> str:
    """Return revert data in words: the custom error with its arguments, or what the data holds.

    Never raises, whatever a node or a contract sends.
    """
    entry = _ERRORS.get(data[:4])
    try:
        if entry is not None:
            values = decode(_types(entry["inputs"]), data[4:])
            named = zip(entry["inputs"], values, strict=True)
            arguments = ", ".join(f"{argument['name']}={_shown(value)}" for argument, value in named)
            return f"{entry['name']}({arguments})"
        if data[:4] == _PLAIN_REVERT:
            return str(decode(["string"], data[4:])[0])
        if data[:4] == _PANIC:
            return f"Panic(0x{decode(['uint256'], data[4:])[0]:02x})"
    except (DecodingError, UnicodeDecodeError, OverflowError):
        pass
    return f"0x{data.hex()}" if data else "no reason given"


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        text = value.rstrip(b"\0").decode("ascii", errors="ignore")
        return text if text.isprintable() and len(text) > 0 and len(value) == 32 else f"0x{value.hex()}"
    return str(value)

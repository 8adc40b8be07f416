"""The real Uniswap V3 bytecode on a development node, and ladders to put into it.

Two contracts stand in for what surrounds a pool, both written into the node as raw code. The tokens answer
every transfer with true, and every question for a balance with a number that grows as gas is used, so a pool
always finds itself paid. The trader accepts every callback and returns nothing.
"""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from eth_abi import decode, encode
from eth_utils import function_signature_to_4byte_selector as selector

from bot.domain.amm.uniswap_v3 import Pool, sqrt_price_at_tick
from tests.support.anvil import Client

ROOT = Path(__file__).parents[2]
DEX_DATA = ROOT.parent / "shared" / "data" / "dex"
PACKAGES = ROOT / "node_modules" / "@uniswap"
FACTORY = PACKAGES / "v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json"
QUOTER = PACKAGES / "v3-periphery/artifacts/contracts/lens/QuoterV2.sol/QuoterV2.json"
MULTICALL = (
    PACKAGES
    / "v3-periphery/artifacts/contracts/lens/UniswapInterfaceMulticall.sol/UniswapInterfaceMulticall.json"
)

TOKENS = ("0x" + "10" * 20, "0x" + "20" * 20)
TRADER = "0x" + "30" * 20
# calldata longer than a balanceOf? then return 1, else return (NOT gas) << 200
TOKEN_CODE = "0x602436116012575a1960c81b5f5260205ff35b60015f5260205ff3"
STOP = "0x00"

BLOCK_GAS = 10**11
CALLS_PER_BATCH = 250
MINT_GAS = 2_000_000
NODE_FLAGS = ("--gas-limit", str(BLOCK_GAS), "--hardfork", "prague")


class Position(NamedTuple):
    """Liquidity between two ticks."""

    lower: int
    upper: int
    liquidity: int


class PoolSetup(NamedTuple):
    """What defines a pool: its price, fee and spacing, and the positions in it."""

    name: str
    sqrt_price_x96: int
    fee_pips: int
    tick_spacing: int
    positions: tuple[Position, ...]


class SwapEvent(NamedTuple):
    """The pool's own account of a swap."""

    amount0: int
    amount1: int
    sqrt_price_x96: int
    liquidity: int
    tick: int


class ChainQuote(NamedTuple):
    """QuoterV2's answer."""

    amount: int
    sqrt_price_x96_after: int
    ticks_crossed: int


def positions_of(liquidity_net: Mapping[int, int]) -> tuple[Position, ...]:
    """Return positions that leave exactly these nets: the last to open is the first to close."""
    open_: list[tuple[int, int]] = []
    positions = []
    for tick in sorted(liquidity_net):
        net = liquidity_net[tick]
        if net > 0:
            open_.append((tick, net))
        while net < 0:
            lower, available = open_.pop()
            used = min(available, -net)
            positions.append(Position(lower, tick, used))
            net += used
            if available > used:
                open_.append((lower, available - used))
    assert not open_, f"{open_} never closes"
    return tuple(positions)


def usdc_weth_03() -> PoolSetup:
    """Return the recorded USDC/WETH 0.3 % pool (280 ticks, exact integers)."""
    data = json.loads((DEX_DATA / "univ3_mainnet_usdc_weth_03_snapshot_1.json").read_text())
    nets = {int(tick): int(net) for tick, net, _ in data["ticks"]}
    return PoolSetup("usdc_weth_03", int(data["sqrtPriceX96"]), 3000, 60, positions_of(nets))


def usdc_weth_005() -> PoolSetup:
    """Return the recorded USDC/WETH 0.05 % pool (1,419 ticks), its float dust balanced.

    The source went through floats, so the nets are off by some units in 10^19: where a closing tick takes
    more than is open it takes what is open, and what stays open closes at the last tick.
    """
    meta = json.loads((DEX_DATA / "univ3_mainnet_usdc_weth_005_meta_2026-01.json").read_text())
    with (DEX_DATA / "univ3_mainnet_usdc_weth_005_ticks_2026-01.csv").open() as file:
        recorded = sorted((int(row["tickIdx"]), int(row["liquidityNet"])) for row in csv.DictReader(file))
    nets: dict[int, int] = {}
    active = 0
    for tick, net in recorded:
        nets[tick] = max(net, -active)
        active += nets[tick]
    nets[recorded[-1][0]] -= active
    return PoolSetup("usdc_weth_005", meta["sqrtPriceX96"], 500, 10, positions_of(nets))


def _artifact(path: Path) -> str:
    return str(json.loads(path.read_text())["bytecode"])


@dataclass
class Uniswap:
    """Factory, quoter and multicall on a node."""

    node: Client
    factory: str
    quoter: str
    multicall: str

    @classmethod
    def deploy(cls, node: Client) -> "Uniswap":
        """Deploy all of it; the node needs a block gas limit of at least `BLOCK_GAS`."""
        for address, code in ((TOKENS[0], TOKEN_CODE), (TOKENS[1], TOKEN_CODE), (TRADER, STOP)):
            node.call("anvil_setCode", address, code)
        node.call("evm_setAutomine", False)  # it is asynchronous, and now and then forgets a transaction
        node.call("anvil_impersonateAccount", TRADER)
        node.call("anvil_setBalance", TRADER, hex(10**24))
        here = cls(node, "", "", "")
        here.factory = here._deploy(_artifact(FACTORY))
        here.quoter = here._deploy(_artifact(QUOTER) + encode(["address"] * 2, [here.factory] * 2).hex())
        here.multicall = here._deploy(_artifact(MULTICALL))
        return here

    def _deploy(self, code: str) -> str:
        return str(self.send(None, code)["contractAddress"])

    def send(self, to: str | None, data: str) -> Any:
        """Send a transaction from the trader and return its receipt, which must be a success."""
        transaction = {"from": TRADER, "data": data, "gas": hex(BLOCK_GAS // 10)}
        if to is not None:
            transaction["to"] = to
        digest = self.node.call("eth_sendTransaction", transaction)
        self.node.call("evm_mine")
        receipt = self.node.call("eth_getTransactionReceipt", digest)
        assert receipt["status"] == "0x1", f"reverted: {to} {data[:74]}"
        return receipt

    def call(self, to: str, signature: str, outputs: list[str], *arguments: Any) -> tuple[Any, ...]:
        """Return the decoded outputs of a view."""
        data = {"to": to, "data": calldata(signature, *arguments), "gas": hex(BLOCK_GAS)}
        return tuple(decode(outputs, bytes.fromhex(self.node.call("eth_call", data, "latest")[2:])))

    def create(self, setup: PoolSetup) -> "ChainPool":
        """Create a pool, mint every position of the setup, and return it."""
        fee, spacing = setup.fee_pips, setup.tick_spacing
        if self.call(self.factory, "feeAmountTickSpacing(uint24)", ["int24"], fee) == (0,):
            self.send(self.factory, calldata("enableFeeAmount(uint24,int24)", fee, spacing))
        self.send(self.factory, calldata("createPool(address,address,uint24)", *TOKENS, fee))
        (address,) = self.call(self.factory, "getPool(address,address,uint24)", ["address"], *TOKENS, fee)
        self.send(address, calldata("initialize(uint160)", setup.sqrt_price_x96))
        self._send_together(address, [mint_calldata(position) for position in setup.positions])
        return ChainPool(self, address, fee, spacing)

    def _send_together(self, to: str, payloads: list[str]) -> None:
        """Send many transactions into one block; all must succeed."""
        node = self.node
        nonce = int(node.call("eth_getTransactionCount", TRADER, "latest"), 16)
        hashes = node.batch(
            (
                "eth_sendTransaction",
                ({"from": TRADER, "to": to, "data": data, "gas": hex(MINT_GAS), "nonce": hex(nonce + i)},),
            )
            for i, data in enumerate(payloads)
        )
        node.call("evm_mine")
        receipts = node.batch(("eth_getTransactionReceipt", (digest,)) for digest in hashes)
        assert all(receipt and receipt["status"] == "0x1" for receipt in receipts), "a mint failed"


def calldata(signature: str, *arguments: Any) -> str:
    """Return a call's data; the signature names the types."""
    types = signature[signature.index("(") + 1 : -1]
    return "0x" + (selector(signature) + encode(types.split(",") if types else [], arguments)).hex()


def mint_calldata(position: Position) -> str:
    """Return the data of a pool's mint."""
    return calldata("mint(address,int24,int24,uint128,bytes)", TRADER, *position, b"")


@dataclass
class ChainPool:
    """A real pool on a node."""

    uniswap: Uniswap
    address: str
    fee_pips: int
    tick_spacing: int

    def mint(self, position: Position) -> None:
        """Add a position."""
        self.uniswap.send(self.address, mint_calldata(position))

    def burn(self, position: Position) -> None:
        """Remove liquidity from a position."""
        self.uniswap.send(self.address, calldata("burn(int24,int24,uint128)", *position))

    def swap(self, amount: int, zero_for_one: bool, limit: int | None = None) -> SwapEvent:
        """Swap and return the event; a positive amount is an input, a negative one an output."""
        limit = limit or (4295128740 if zero_for_one else sqrt_price_at_tick(887272) - 1)
        signature = "swap(address,bool,int256,uint160,bytes)"
        receipt = self.uniswap.send(
            self.address, calldata(signature, TRADER, zero_for_one, amount, limit, b"")
        )
        event = bytes.fromhex(receipt["logs"][-1]["data"][2:])
        return SwapEvent(*decode(["int256", "int256", "uint160", "uint128", "int24"], event))

    def fee_growth(self, zero_for_one: bool) -> int:
        """Return the fee growth per unit of liquidity of the input token, Q128."""
        name = "feeGrowthGlobal0X128()" if zero_for_one else "feeGrowthGlobal1X128()"
        return int(self.uniswap.call(self.address, name, ["uint256"])[0])

    def snapshot(self, ticks: Iterable[int]) -> Pool:
        """Return our pool with the state read from the chain, of those ticks that are initialised there."""
        slot0 = ["uint160", "int24", "uint16", "uint16", "uint16", "uint8", "bool"]
        price, tick = self.uniswap.call(self.address, "slot0()", slot0)[:2]
        (liquidity,) = self.uniswap.call(self.address, "liquidity()", ["uint128"])
        candidates = sorted(set(ticks))
        calls = [
            {"to": self.address, "data": calldata("ticks(int24)", candidate)} for candidate in candidates
        ]
        answers = self.uniswap.node.batch(("eth_call", (call, "latest")) for call in calls)
        nets = {}
        for candidate, answer in zip(candidates, answers, strict=True):
            gross, net = decode(["uint128", "int128"], bytes.fromhex(answer[2:]))
            if gross:
                nets[candidate] = net
        return Pool(price, tick, liquidity, self.fee_pips, self.tick_spacing, nets)

    def quotes(self, requests: list[tuple[int, bool]], exact_output: bool = False) -> list[ChainQuote | None]:
        """Return QuoterV2's answer to each (amount, zero_for_one); None where it reverts."""
        answers: list[ChainQuote | None] = []
        for start in range(0, len(requests), CALLS_PER_BATCH):
            answers += self._quote_batch(requests[start : start + CALLS_PER_BATCH], exact_output)
        return answers

    def _quote_batch(self, requests: list[tuple[int, bool]], exact_output: bool) -> list[ChainQuote | None]:
        name = "quoteExactOutputSingle" if exact_output else "quoteExactInputSingle"
        prefix = selector(f"{name}((address,address,uint256,uint24,uint160))")
        calls = []
        for amount, zero_for_one in requests:
            tokens = TOKENS if zero_for_one else TOKENS[::-1]
            arguments = encode(
                ["address", "address", "uint256", "uint24", "uint160"], [*tokens, amount, self.fee_pips, 0]
            )
            calls.append((self.uniswap.quoter, BLOCK_GAS // 1000, prefix + arguments))
        data = selector("multicall((address,uint256,bytes)[])") + encode(
            ["(address,uint256,bytes)[]"], [calls]
        )
        request = {"to": self.uniswap.multicall, "data": "0x" + data.hex(), "gas": hex(BLOCK_GAS)}
        answer = bytes.fromhex(self.uniswap.node.call("eth_call", request, "latest")[2:])
        _, results = decode(["uint256", "(bool,uint256,bytes)[]"], answer)
        return [
            ChainQuote(*decode(["uint256", "uint160", "uint32", "uint256"], returned)[:3])
            if success
            else None
            for success, _, returned in results
        ]

"""Morpho Blue, compiled from its npm package as its authors release it, with one isolated market."""

import json
import subprocess
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.gas.chain import LIQUIDATOR, SUPPLIER, Chain
from benchmarks.gas.market import ETH_PRICE, Market
from scripts.deployment.artifacts import NPM, ROOT, Artifact

SOURCES = NPM / "@morpho-org/morpho-blue/src"
CACHE = ROOT / ".build/peers/morpho-blue"
COMPILER = "solc-0.8.19"
SETTINGS = {
    "optimizer": {"enabled": True, "runs": 999_999},
    "viaIR": True,
    "evmVersion": "paris",
    "metadata": {"bytecodeHash": "none"},
    "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object"]}},
}
LLTV = 86 * 10**16
PRICE_UNIT = 10**24
"""Morpho's scale for WETH in USDC: 36 decimals, less 18, plus 6."""
WAD = 10**18
_COMPILE = """
const solc = require(process.argv[1]);
process.stdout.write(solc.compile(require("fs").readFileSync(0, "utf8")));
"""


@dataclass
class Morpho:
    """One market: USDC lent against WETH.

    Parameters
    ----------
    chain : Chain
        Where.
    market : Market
        The tokens.
    """

    chain: Chain
    market: Market

    # ------------------------------------------------------------------ set up

    def deploy(self) -> None:
        """Deploy the protocol and its mock oracle, create the market, fund the supplier's side."""
        chain = self.chain
        self._set_price(ETH_PRICE)
        chain.send(*self._at("enableIrm"), self._rates)
        chain.send(*self._at("enableLltv"), LLTV)
        chain.send(*self._at("createMarket"), self._params)
        self.market.approve(self.address)
        supplier = chain.accounts[SUPPLIER]
        chain.gas(SUPPLIER, *self._at("supply"), self._params, 10**13, 0, supplier, b"")

    # ------------------------------------------------------------------ what is measured

    def deposit(self, borrower: int, ether: float) -> int:
        """Supply WETH as collateral."""
        account = self.chain.accounts[borrower]
        call = self._at("supplyCollateral")
        return self.chain.gas(borrower, *call, self._params, int(ether * WAD), account, b"")

    def borrow(self, borrower: int, dollars: int) -> int:
        """Borrow USDC."""
        account = self.chain.accounts[borrower]
        call = self._at("borrow")
        return self.chain.gas(borrower, *call, self._params, dollars * 10**6, 0, account, account)

    def repay(self, borrower: int, dollars: int) -> int:
        """Repay USDC."""
        account = self.chain.accounts[borrower]
        return self.chain.gas(borrower, *self._at("repay"), self._params, dollars * 10**6, 0, account, b"")

    def drop(self, price: int) -> None:
        """Let the price of WETH fall to ``price`` US dollars."""
        self._set_price(price)

    def liquidate(self, borrower: int, ether: float) -> int:
        """Take part of the WETH against the liquidator's own USDC."""
        account = self.chain.accounts[borrower]
        call = self._at("liquidate")
        return self.chain.gas(LIQUIDATOR, *call, self._params, account, int(ether * WAD), 0, b"")

    # ------------------------------------------------------------------ contracts

    @cached_property
    def address(self) -> str:
        """The protocol."""
        return self.chain.deploy(_compiled("Morpho.sol", "Morpho"), self.chain.sender)

    @cached_property
    def _oracle(self) -> str:
        return self.chain.deploy(_compiled("mocks/OracleMock.sol", "OracleMock"))

    @cached_property
    def _rates(self) -> str:
        return self.chain.deploy(_compiled("mocks/IrmMock.sol", "IrmMock"))

    @property
    def _params(self) -> tuple[Any, ...]:
        return self.market.usdc, self.market.weth, self._oracle, self._rates, LLTV

    def _at(self, function: str) -> tuple[str, Artifact, str]:
        return self.address, _compiled("Morpho.sol", "Morpho"), function

    def _set_price(self, price: int) -> None:
        oracle = _compiled("mocks/OracleMock.sol", "OracleMock")
        self.chain.send(self._oracle, oracle, "setPrice", price * PRICE_UNIT)


def _compiled(source: str, name: str) -> Artifact:
    """Return a contract of the package; compiled once, then kept below ``.build``."""
    key = sha256(json.dumps([source, SETTINGS, COMPILER]).encode()).hexdigest()[:16]
    kept = CACHE / f"{name}-{key}.json"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(_compile(source, name)))
    data = json.loads(kept.read_text())
    return Artifact(name, data["abi"], "0x" + data["evm"]["bytecode"]["object"])


def _compile(source: str, name: str) -> Any:
    wanted = {f"src/{path.relative_to(SOURCES)}": {"content": path.read_text()} for path in _closure(source)}
    request = {"language": "Solidity", "sources": wanted, "settings": SETTINGS}
    command = ["node", "-e", _COMPILE, str(NPM / COMPILER)]
    done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout[done.stdout.index("{") :])
    errors = [entry for entry in answer.get("errors", []) if entry["severity"] == "error"]
    if errors:
        raise RuntimeError(errors[0]["formattedMessage"])
    return answer["contracts"][f"src/{source}"][name]


def _closure(source: str) -> set[Path]:
    """Return a source and all that it imports, which is always by a relative path."""
    found: set[Path] = set()
    waiting = [SOURCES / source]
    while waiting:
        path = waiting.pop().resolve()
        if path not in found:
            found.add(path)
            lines = [
                line
                for line in path.read_text().splitlines()
                if 'from "' in line or line.startswith('import "')
            ]
            waiting += [path.parent / line.rpartition('"')[0].rpartition('"')[2] for line in lines]
    return found

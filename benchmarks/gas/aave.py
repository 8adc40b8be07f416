"""Aave V3 as its npm package ships it, with one pool of two assets."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from benchmarks.gas.chain import LIQUIDATOR, SUPPLIER, Chain
from benchmarks.gas.market import ETH_PRICE, Market
from scripts.deployment.artifacts import NPM, Artifact

CONTRACTS = "@aave/core-v3/artifacts/contracts"
POOL = "protocol/pool/Pool"
PROVIDER = "protocol/configuration/PoolAddressesProvider"
CONFIGURATOR = "protocol/pool/PoolConfigurator"
RAY = 10**27
VARIABLE_RATE = 2
ZERO = "0x" + "00" * 20
BASE_UNIT = 10**8


@dataclass
class Aave:
    """A pool of WETH and USDC with Aave's published risk parameters for them.

    Parameters
    ----------
    chain : Chain
        Where.
    market : Market
        The tokens.
    """

    chain: Chain
    market: Market

    def __post_init__(self) -> None:
        self._libraries: dict[str, str] = {}

    # ------------------------------------------------------------------ set up

    def deploy(self) -> None:
        """Deploy the protocol, list both assets, fund the supplier's side."""
        chain, provider = self.chain, self._provider
        chain.send(provider, self._artifact(PROVIDER), "setACLAdmin", chain.sender)
        roles = self._artifact("protocol/configuration/ACLManager")
        manager = chain.deploy(roles, provider)
        chain.send(provider, self._artifact(PROVIDER), "setACLManager", manager)
        chain.send(manager, roles, "addPoolAdmin", chain.sender)
        chain.send(provider, self._artifact(PROVIDER), "setPoolImpl", self._new(POOL, provider))
        implementation = self._new(CONFIGURATOR)
        chain.send(provider, self._artifact(PROVIDER), "setPoolConfiguratorImpl", implementation)
        tokens = [self.market.weth, self.market.usdc]
        sources = [self._feed(ETH_PRICE), self._feed(1)]
        oracle = self._new("misc/AaveOracle", provider, tokens, sources, ZERO, ZERO, BASE_UNIT)
        chain.send(provider, self._artifact(PROVIDER), "setPriceOracle", oracle)
        self._list()
        self.market.approve(self.pool)
        chain.gas(SUPPLIER, *self._at_pool("supply"), self.market.usdc, 10**13, self._supplier, 0)

    def _list(self) -> None:
        configurator = self._view(self._provider, PROVIDER, "getPoolConfigurator")
        rates = [8 * RAY // 10, 0, 4 * RAY // 100, 6 * RAY // 10, 0, 0, 0, 0, RAY // 5]
        strategy = self._new("protocol/pool/DefaultReserveInterestRateStrategy", self._provider, *rates)
        implementations = [
            self._new(f"protocol/tokenization/{name}", self.pool)
            for name in ("AToken", "StableDebtToken", "VariableDebtToken")
        ]
        contract = self._artifact(CONFIGURATOR)
        for symbol, token, decimals in self.market.assets:
            names = [text for kind in "avs" for text in (f"{kind} {symbol}", f"{kind}{symbol}")]
            reserve = (*implementations, decimals, strategy, token, self.chain.sender, ZERO, *names, b"")
            self.chain.send(configurator, contract, "initReserves", [reserve])
            self.chain.send(
                configurator, contract, "configureReserveAsCollateral", token, 8_000, 8_250, 10_500
            )
            self.chain.send(configurator, contract, "setReserveBorrowing", token, True)
            self.chain.send(configurator, contract, "setReserveFactor", token, 1_000)

    # ------------------------------------------------------------------ what is measured

    def deposit(self, borrower: int, ether: float) -> int:
        """Supply WETH as collateral."""
        account = self.chain.accounts[borrower]
        amount = int(ether * 10**18)
        return self.chain.gas(borrower, *self._at_pool("supply"), self.market.weth, amount, account, 0)

    def borrow(self, borrower: int, dollars: int) -> int:
        """Borrow USDC at the variable rate."""
        account = self.chain.accounts[borrower]
        asset, amount = self.market.usdc, dollars * 10**6
        return self.chain.gas(borrower, *self._at_pool("borrow"), asset, amount, VARIABLE_RATE, 0, account)

    def repay(self, borrower: int, dollars: int) -> int:
        """Repay USDC."""
        account = self.chain.accounts[borrower]
        asset, amount = self.market.usdc, dollars * 10**6
        return self.chain.gas(borrower, *self._at_pool("repay"), asset, amount, VARIABLE_RATE, account)

    def drop(self, price: int) -> None:
        """Let the price of WETH fall to ``price`` US dollars."""
        oracle = self._view(self._provider, PROVIDER, "getPriceOracle")
        source = self._feed(price)
        contract = self._artifact("misc/AaveOracle")
        self.chain.send(oracle, contract, "setAssetSources", [self.market.weth], [source])

    def liquidate(self, borrower: int, dollars: int) -> int:
        """Repay part of a debt against the liquidator's own USDC, and take the WETH."""
        account = self.chain.accounts[borrower]
        pair = (self.market.weth, self.market.usdc)
        amount = dollars * 10**6
        return self.chain.gas(LIQUIDATOR, *self._at_pool("liquidationCall"), *pair, account, amount, False)

    # ------------------------------------------------------------------ contracts

    @cached_property
    def pool(self) -> str:
        """The pool's proxy."""
        return str(self._view(self._provider, PROVIDER, "getPool"))

    @cached_property
    def _provider(self) -> str:
        return self._new(PROVIDER, "benchmark", self.chain.sender)

    @property
    def _supplier(self) -> str:
        return self.chain.accounts[SUPPLIER]

    def _at_pool(self, function: str) -> tuple[str, Artifact, str]:
        return self.pool, self._artifact(POOL), function

    def _feed(self, price: int) -> str:
        return self._new("mocks/oracle/CLAggregators/MockAggregator", price * BASE_UNIT)

    def _view(self, address: str, path: str, function: str) -> Any:
        return self.chain.call(address, self._artifact(path), function)

    def _new(self, path: str, *arguments: Any) -> str:
        return self.chain.deploy(self._artifact(path), *arguments)

    def _artifact(self, path: str) -> Artifact:
        """Read a compiled contract and link it, deploying the libraries that it needs, each once."""
        file = NPM / CONTRACTS / f"{path}.sol" / f"{path.rpartition('/')[2]}.json"
        data = json.loads(file.read_text())
        artifact = Artifact(data["contractName"], data["abi"], data["bytecode"])
        code = artifact.bytecode
        for source, names in data["linkReferences"].items():
            for name, places in names.items():
                library = self._library(source.removeprefix("contracts/").removesuffix(".sol"), name)
                for place in places:
                    start = 2 + 2 * place["start"]
                    code = code[:start] + library[2:] + code[start + 2 * place["length"] :]
        return replace(artifact, bytecode=code)

    def _library(self, path: str, name: str) -> str:
        if name not in self._libraries:
            self._libraries[name] = self._new(path)
        return self._libraries[name]

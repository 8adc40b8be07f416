"""Sluice with shipped defaults: release budgets on, two price sources for each asset."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from benchmarks.gas.chain import DEALER, LIQUIDATOR, SUPPLIER, Chain
from benchmarks.gas.market import ETH_PRICE, Market
from bot.protocols.sluice.calls import pool_path, route_data
from scripts.deployment.artifacts import Artifact, ForgeArtifacts
from scripts.deployment.config import USDC, WETH, DeploymentConfig, PoolConfig, SecondSourceConfig
from scripts.deployment.plan import deploy_everything
from scripts.deployment.uniswap import POSITION_MANAGER, SWAP_ROUTER

ALL = 2**256 - 1
WETH_ID, USDC_ID = 0, 1
OTHERS = 7
"""Further collaterals, listed after the two that all protocols have."""
FEE_PIPS = 500
FULL_RANGE = 887_270
TWAP_SECONDS = 200
"""Longer than the mean price that a sale is held against."""
QUOTE_TYPES = {
    "EIP712Domain": [
        {"name": "name", "type": "string"},
        {"name": "version", "type": "string"},
        {"name": "chainId", "type": "uint256"},
        {"name": "verifyingContract", "type": "address"},
    ],
    "Quote": [
        {"name": name, "type": kind}
        for name, kind in (
            ("dealer", "address"),
            ("account", "address"),
            ("epoch", "uint32"),
            ("collateralId", "uint8"),
            ("debtId", "uint8"),
            ("price", "uint256"),
            ("minFill", "uint128"),
            ("maxFill", "uint128"),
            ("nonce", "uint256"),
            ("deadline", "uint40"),
            ("filler", "address"),
            ("callback", "bool"),
        )
    ],
}


def configuration() -> DeploymentConfig:
    """Return two assets with a pool, and seven that are collateral only, all with two price sources."""
    weth = replace(WETH, price=float(ETH_PRICE))
    others = tuple(replace(weth, symbol=f"COL{index}", name=f"Collateral {index}") for index in range(OTHERS))
    return DeploymentConfig(
        assets=(weth, USDC, *others),
        pools=(PoolConfig("WETH", "USDC", FEE_PIPS),),
        second_sources=SecondSourceConfig(),
    )


@dataclass
class Sluice:
    """A deployment whose accounts can be brought to any stage of a liquidation.

    Parameters
    ----------
    chain : Chain
        Where.
    """

    chain: Chain
    price: int = ETH_PRICE
    _nonces: int = field(default=0, repr=False)

    # ------------------------------------------------------------------ set up

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Addresses of everything."""
        return deploy_everything(self.chain, configuration(), ForgeArtifacts())

    @cached_property
    def market(self) -> Market:
        """The tokens, handed out."""
        token = ForgeArtifacts().own("FaucetToken")
        tokens = [asset["token"] for asset in self.manifest["assets"]]
        for account in self.chain.accounts:
            for index, address in enumerate(tokens):
                self.chain.send(address, token, "mint", account, 10**15 if index == USDC_ID else 10**24)
        return Market(self.chain, token, tokens[WETH_ID], tokens[USDC_ID])

    def deploy(self) -> None:
        """Fund the supplier's side and the pool, and let everybody approve what they will use."""
        market, house = self.market, self.manifest["clearing_house"]
        spenders = [
            house,
            *(self.manifest["uniswap_v3"][name] for name in ("position_manager", "swap_router")),
        ]
        for spender in spenders:
            market.approve(spender)
        for asset in self.manifest["assets"][2:]:
            for account in range(len(self.chain.accounts)):
                self.chain.gas(account, asset["token"], market.token, "approve", house, ALL)
        supplier = self.chain.accounts[SUPPLIER]
        self.chain.gas(SUPPLIER, *self._house("supply"), USDC_ID, 10**13, supplier)
        self._fill_pool()
        self.settle_prices()

    def _fill_pool(self) -> None:
        """Put 20,000 WETH of value on either side of the price, over the whole range."""
        tokens = [self.market.weth, self.market.usdc]
        amounts = [20_000 * 10**18, 20_000 * ETH_PRICE * 10**6]
        if int(tokens[0], 16) > int(tokens[1], 16):
            tokens, amounts = tokens[::-1], amounts[::-1]
        supplier = self.chain.accounts[SUPPLIER]
        order = (*tokens, FEE_PIPS, -FULL_RANGE, FULL_RANGE, *amounts, 0, 0, supplier, ALL)
        manager = ForgeArtifacts().npm(POSITION_MANAGER)
        self.chain.gas(SUPPLIER, self.manifest["uniswap_v3"]["position_manager"], manager, "mint", order)

    # ------------------------------------------------------------------ prices

    def publish(self, price: int) -> None:
        """Let both feeds of every asset answer; all but the stable one are at ``price`` US dollars."""
        self.price = price
        feed = ForgeArtifacts().own("MockAggregator")
        for asset in self.manifest["assets"]:
            dollars = 1 if asset["id"] == USDC_ID else price
            now = self.chain.head()[1]
            self.chain.send(asset["feed"], feed, "publish", dollars * 10**8, now)
            self.chain.send(asset["second_feed"], feed, "publish", dollars * 10**18, now)

    def settle_prices(self) -> None:
        """Let the mean price of the pool reach its present one, and read its depth."""
        self.chain.advance(TWAP_SECONDS)
        self.publish(self.price)
        self.poke()

    def fall(self, price: int) -> None:
        """Let oracle and pool fall to ``price`` together."""
        router = ForgeArtifacts().npm(SWAP_ROUTER)
        sold = int(20_000 * ((ETH_PRICE / price) ** 0.5 - 1) * 10**18 * 1.0005)
        order = (self.market.weth, self.market.usdc, FEE_PIPS, self.chain.sender, ALL, sold, 0, 0)
        self.chain.send(self.manifest["uniswap_v3"]["swap_router"], router, "exactInputSingle", order)
        self.price = price
        self.settle_prices()

    # ------------------------------------------------------------------ accounts

    def deposit(self, borrower: int, ether: float, asset_id: int = WETH_ID) -> int:
        """Deposit collateral."""
        account = self.chain.accounts[borrower]
        return self.chain.gas(
            borrower, *self._house("depositCollateral"), asset_id, int(ether * 10**18), account
        )

    def borrow(self, borrower: int, dollars: int) -> int:
        """Borrow USDC."""
        account = self.chain.accounts[borrower]
        return self.chain.gas(borrower, *self._house("borrow"), USDC_ID, dollars * 10**6, account, account)

    def repay(self, borrower: int, dollars: int) -> int:
        """Repay USDC."""
        account = self.chain.accounts[borrower]
        return self.chain.gas(borrower, *self._house("repay"), USDC_ID, dollars * 10**6, account)

    # ------------------------------------------------------------------ liquidations

    def poke(self) -> int:
        """Read the depth of WETH's market."""
        return self.chain.gas(LIQUIDATOR, *self._engine("poke"), WETH_ID)

    def kick(self, borrower: int, collaterals: tuple[int, ...] = (WETH_ID,)) -> int:
        """Flag an account and start its reserves."""
        account = self.chain.accounts[borrower]
        return self.chain.gas(LIQUIDATOR, *self._engine("kick"), account, collaterals)

    def redo(self, borrower: int) -> int:
        """Start a lapsed auction again."""
        return self.chain.gas(LIQUIDATOR, *self._engine("redo"), self.chain.accounts[borrower], (WETH_ID,))

    def take(self, borrower: int, ether: float | None) -> int:
        """Buy part of the WETH, or as much as restores the target, with own USDC."""
        taker, account = self.chain.accounts[LIQUIDATOR], self.chain.accounts[borrower]
        most = ALL if ether is None else int(ether * 10**18)
        return self.chain.gas(
            LIQUIDATOR, *self._engine("take"), account, WETH_ID, USDC_ID, most, ALL, taker, b""
        )

    def swap(self, borrower: int) -> int:
        """Sell WETH through the pool, as much as restores the target."""
        account = self.chain.accounts[borrower]
        return self.chain.gas(LIQUIDATOR, *self._engine("swap"), *self._sale(account))

    def kick_and_swap(self, borrower: int) -> int:
        """Flag an account and sell its WETH through the pool, in one call."""
        account = self.chain.accounts[borrower]
        contract = self.chain.w3.eth.contract(abi=self._engine("kick")[1].abi)
        calls = [
            contract.encode_abi("kick", [account, (WETH_ID,)]),
            contract.encode_abi("swap", list(self._sale(account))),
        ]
        return self.chain.gas(LIQUIDATOR, *self._engine("multicall"), calls)

    def fill(self, borrower: int) -> int:
        """Settle with a dealer's signed quote, paid from its allowance."""
        engine, account = self.manifest["liquidation_engine"], self.chain.accounts[borrower]
        epoch = self.chain.call(engine, self._engine("auction")[1], "auction", account)[2]
        self._nonces += 1
        quote = {
            "dealer": self.chain.accounts[DEALER],
            "account": account,
            "epoch": epoch,
            "collateralId": WETH_ID,
            "debtId": USDC_ID,
            "price": self.price * 10**6 * 101 // 100,
            "minFill": 0,
            "maxFill": 10**24,
            "nonce": self._nonces,
            "deadline": self.chain.head()[1] + 3_600,
            "filler": "0x" + "00" * 20,
            "callback": False,
        }
        domain = {
            "name": "Sluice Liquidation Engine",
            "version": "1",
            "chainId": self.chain.chain_id(),
            "verifyingContract": engine,
        }
        message = {name: str(value) if type(value) is int else value for name, value in quote.items()}
        typed = {"types": QUOTE_TYPES, "primaryType": "Quote", "domain": domain, "message": message}
        signature = self.chain.sign(DEALER, typed)
        return self.chain.gas(LIQUIDATOR, *self._engine("fill"), tuple(quote.values()), signature, ALL)

    def _sale(self, account: str) -> tuple[Any, ...]:
        path = pool_path(self.market.weth, FEE_PIPS, self.market.usdc)
        venue = self.manifest["uniswap_v3_venue"]
        return account, WETH_ID, USDC_ID, ALL, 0, venue, route_data((10_000, path))

    # ------------------------------------------------------------------ contracts

    def _house(self, function: str) -> tuple[str, Artifact, str]:
        return self.manifest["clearing_house"], ForgeArtifacts().own("ClearingHouse"), function

    def _engine(self, function: str) -> tuple[str, Artifact, str]:
        return self.manifest["liquidation_engine"], ForgeArtifacts().own("LiquidationEngine"), function

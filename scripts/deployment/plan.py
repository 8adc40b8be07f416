"""Deploys Sluice, its tokens, feeds and markets, step by step through a `Deployer`."""

from dataclasses import astuple, dataclass, field
from fractions import Fraction
from typing import Any

from eth_utils.crypto import keccak

from scripts.deployment.address_book import AddressBook, check_contracts, find_pool
from scripts.deployment.artifacts import Artifact, Artifacts, ForgeArtifacts
from scripts.deployment.config import (
    WAD,
    AssetConfig,
    DeploymentConfig,
    PoolConfig,
    ProtectionConfig,
    SecondSourceConfig,
)
from scripts.deployment.deployer import Deployer
from scripts.deployment.uniswap import ZERO_ADDRESS, create_pool, deploy_uniswap

MANIFEST_VERSION = 1
ACCESS_MANAGER = "@openzeppelin/contracts/build/contracts/AccessManager.json"
ENGINE_MODULES = (
    ("engine_auctions", "EngineAuctions"),
    ("engine_routes", "EngineRoutes"),
    ("engine_governance", "EngineGovernance"),
)
"""Code that the liquidation engine forwards to, in the order of its constructor."""
GUARDIAN_ROLE = 1
SMALLEST_ANSWER = 1
"""A feed answer at or below this is a clamp, not a price (raw units)."""
LARGEST_ANSWER_USD = 10**9
"""A feed answer at or above this is a clamp, not a price (US dollars)."""


@dataclass
class _Built:
    """Addresses so far, by manifest name, and the contracts behind them."""

    addresses: dict[str, str] = field(default_factory=dict)
    contracts: dict[str, Artifact] = field(default_factory=dict)


class _Plan:
    def __init__(
        self,
        deployer: Deployer,
        config: DeploymentConfig,
        artifacts: Artifacts,
        book: AddressBook | None,
    ) -> None:
        self.deployer = deployer
        self.config = config
        self.artifacts = artifacts
        self.book = book
        self.built = _Built()
        self.tokens: dict[str, str] = {}
        self.feeds: dict[str, str] = {}
        self.second_feeds: dict[str, str] = {}
        self.sequencer: str | None = None
        self.insurance_funds: dict[str, str] = {}
        self.supply_vaults: dict[str, str] = {}

    def deploy(self, name: str, artifact: Artifact, *arguments: Any) -> str:
        address = self.deployer.deploy(artifact, *arguments)
        self.built.addresses[name] = address
        self.built.contracts[name] = artifact
        return address

    def send(self, name: str, function: str, *arguments: Any) -> None:
        built = self.built
        self.deployer.send(built.addresses[name], built.contracts[name], function, *arguments)

    # ------------------------------------------------------------------ steps, in order

    def tokens_and_feeds(self) -> None:
        if self.book is not None:
            check_contracts(self.deployer, self.artifacts, self.config, self.book)
            self.tokens, self.feeds = dict(self.book.tokens), dict(self.book.feeds)
            self.second_feeds, self.sequencer = dict(self.book.second_feeds), self.book.sequencer
            return
        token = self.artifacts.own("FaucetToken")
        second = self.config.second_sources
        for asset in self.config.assets:
            self.tokens[asset.symbol] = self.deployer.deploy(token, asset.name, asset.symbol, asset.decimals)
            self.feeds[asset.symbol] = self.feed(asset, self.config.feed_decimals)
            if second is not None:
                self.second_feeds[asset.symbol] = self.feed(asset, second.decimals)
        grace = self.config.sequencer_grace
        if grace is not None:
            since = self.deployer.head()[1] - grace
            self.sequencer = self.published(0, "L2 sequencer uptime", 0, since)

    def feed(self, asset: AssetConfig, decimals: int) -> str:
        """Deploy a feed that has published the asset's first price; return its address."""
        answer = round(Fraction(asset.price) * 10**decimals)
        return self.published(decimals, f"{asset.symbol} / USD", answer, self.deployer.head()[1])

    def published(self, decimals: int, description: str, answer: int, updated_at: int) -> str:
        """Deploy a feed that has published a first answer; return its address."""
        feed = self.artifacts.own("MockAggregator")
        address = self.deployer.deploy(feed, decimals, description, self.deployer.sender)
        self.deployer.send(address, feed, "publish", answer, updated_at)
        return address

    def core(self) -> None:
        manager = self.deploy("access_manager", self.artifacts.npm(ACCESS_MANAGER), self.deployer.sender)
        oracle = self.oracle(manager)
        house = self.deploy("clearing_house", self.artifacts.own("ClearingHouse"), manager)
        modules = [
            self.deploy(name, self.artifacts.own(contract), house) for name, contract in ENGINE_MODULES
        ]
        engine = self.deploy(
            "liquidation_engine", self.artifacts.own("LiquidationEngine"), manager, house, *modules
        )
        self.send("clearing_house", "setOracle", oracle)
        self.send("clearing_house", "setEngine", engine)
        self.send("clearing_house", "setSmallestBorrow", self.config.smallest_borrow * WAD)

    def oracle(self, manager: str) -> str:
        """Deploy the price oracle, which on a chain with a sequencer asks whether that is up."""
        grace = self.config.sequencer_grace
        if grace is None:
            return self.deploy("price_oracle", self.artifacts.own("PriceOracle"), manager)
        sequenced = self.artifacts.own("SequencedPriceOracle")
        return self.deploy("price_oracle", sequenced, manager, self.sequencer, grace)

    def listings(self) -> None:
        self.send("liquidation_engine", "setParameters", astuple(self.config.engine))
        self.send("liquidation_engine", "setSpeedParameters", astuple(self.config.speed))
        for asset_id, asset in enumerate(self.config.assets):
            token = self.tokens[asset.symbol]
            feed = self.source(self.feeds[asset.symbol], self.config.feed_decimals)
            self.send("price_oracle", "setFeed", token, feed)
            if self.config.second_sources is not None:
                self.confirm(asset, self.config.second_sources)
            self.send("clearing_house", "listAsset", token, risk_of(asset), rate_model_of(asset))
            inputs = curve_inputs(self.config, asset)
            self.send("liquidation_engine", "setCurveInputs", asset_id, inputs)

    def confirm(self, asset: AssetConfig, second: SecondSourceConfig) -> None:
        """Let the asset's second feed confirm the first."""
        token, address = self.tokens[asset.symbol], self.second_feeds[asset.symbol]
        decimals = self.deployer.call(address, self.artifacts.own("MockAggregator"), "decimals")
        feed = self.source(address, int(decimals))
        self.send("price_oracle", "setSecondary", token, feed, second.max_deviation_bps)

    def source(self, feed: str, decimals: int) -> tuple[str, int, int, int]:
        """Return ``IPriceOracle.Feed`` as a tuple in its order."""
        return feed, self.config.max_age, SMALLEST_ANSWER, LARGEST_ANSWER_USD * 10**decimals

    def markets(self) -> tuple[dict[str, str], list[dict[str, Any]]]:
        if self.book is not None:
            uniswap = self.book.uniswap_v3.model_dump()
        else:
            wrapped = self.tokens.get("WETH", self.deployer.sender)
            uniswap = deploy_uniswap(self.deployer, self.artifacts, wrapped)
        pools = [
            {
                "base": pool.base,
                "quote": pool.quote,
                "fee_pips": pool.fee_pips,
                "address": self.pool(uniswap["factory"], pool),
            }
            for pool in self.config.pools
        ]
        return uniswap, pools

    def pool(self, factory: str, pool: PoolConfig) -> str:
        if self.book is not None:
            cardinality = self.config.observation_cardinality
            return find_pool(self.deployer, self.artifacts, self.book, pool, cardinality)
        return create_pool(self.deployer, self.artifacts, factory, self.tokens, pool, self.config)

    def periphery(self, factory: str) -> None:
        house = self.built.addresses["clearing_house"]
        venue = self.deploy("uniswap_v3_venue", self.artifacts.own("UniswapV3Venue"), factory)
        self.send("liquidation_engine", "setVenue", venue, True)
        engine = self.built.addresses["liquidation_engine"]
        self.deploy("flash_taker", self.artifacts.own("FlashTaker"), self.deployer.sender, engine, factory)
        self.deploy("position_lens", self.artifacts.own("PositionLens"), house)
        self.deploy("liquidation_lens", self.artifacts.own("LiquidationLens"), engine)
        for operator in self.config.taker_operators:
            self.send("flash_taker", "setOperator", operator, True)

    def protection(self, factory: str, protection: ProtectionConfig) -> None:
        """Deploy protection and its flash executor, and add the scenarios of what is listed."""
        house, manager = self.built.addresses["clearing_house"], self.built.addresses["access_manager"]
        at = self.deploy("protection", self.artifacts.own("Protection"), manager, house)
        self.deploy("flash_protector", self.artifacts.own("FlashProtector"), at, house, factory)
        ids = {asset.symbol: asset_id for asset_id, asset in enumerate(self.config.assets)}
        for scenario in protection.scenarios:
            moves = [(ids[symbol], shock) for symbol, shock in scenario if symbol in ids]
            if moves:
                self.send("protection", "addScenario", *(list(column) for column in zip(*moves, strict=True)))

    def depth(self, factory: str, pools: list[dict[str, Any]]) -> None:
        """Measure each asset that has pools of its own, and give it release budgets."""
        house, manager = self.built.addresses["clearing_house"], self.built.addresses["access_manager"]
        market = self.deploy("market_depth", self.artifacts.own("MarketDepth"), manager, house, factory)
        self.send("liquidation_engine", "setMarketDepth", market)
        for asset_id, asset in enumerate(self.config.assets):
            paths = [(pool["address"], ZERO_ADDRESS) for pool in pools if pool["base"] == asset.symbol]
            if paths:
                self.send("market_depth", "setPaths", asset_id, paths)
                self.send("liquidation_engine", "setBudgeted", asset_id, True)

    def vaults(self) -> None:
        """Deploy an insurance fund and a supply vault for each asset."""
        house, manager = self.built.addresses["clearing_house"], self.built.addresses["access_manager"]
        fund, vault = self.artifacts.own("InsuranceFund"), self.artifacts.own("SupplyVault")
        for asset_id, asset in enumerate(self.config.assets):
            insured = self.deployer.deploy(fund, manager, house, asset_id)
            self.send("clearing_house", "setFund", asset_id, insured)
            self.insurance_funds[asset.symbol] = insured
            self.supply_vaults[asset.symbol] = self.deployer.deploy(vault, house, asset_id)

    def roles(self) -> None:
        guardian = self.config.guardian or self.deployer.sender
        for name, function in (("liquidation_engine", "setBreaker"), ("protection", "setPaused")):
            if name in self.built.contracts:
                selector = self.built.contracts[name].selector(function)
                target = self.built.addresses[name]
                self.send("access_manager", "setTargetFunctionRole", target, [selector], GUARDIAN_ROLE)
        self.send("access_manager", "grantRole", GUARDIAN_ROLE, guardian, 0)

    # ------------------------------------------------------------------ manifest

    def named(self) -> dict[str, str]:
        """Return the addresses that are called by their names."""
        return {name: at for name, at in self.built.addresses.items() if name not in dict(ENGINE_MODULES)}

    def modules(self) -> dict[str, str]:
        """Return where the code is that the liquidation engine forwards to."""
        return {name: self.built.addresses[name] for name, _ in ENGINE_MODULES}

    def assets(self) -> list[dict[str, Any]]:
        return [
            {
                "id": asset_id,
                "symbol": asset.symbol,
                "token": self.tokens[asset.symbol],
                "decimals": asset.decimals,
                "feed": self.feeds[asset.symbol],
                "feed_decimals": self.config.feed_decimals,
                "max_age": self.config.max_age,
                "second_feed": self.second_feeds.get(asset.symbol),
            }
            for asset_id, asset in enumerate(self.config.assets)
        ]

    def uptime(self) -> dict[str, Any] | None:
        """Return the sequencer's feed and grace; None without one."""
        grace = self.config.sequencer_grace
        return None if grace is None else {"feed": self.sequencer, "grace": grace}

    def code_hashes(self) -> dict[str, str]:
        return {
            name: "0x" + keccak(self.deployer.code(address)).hex()
            for name, address in self.built.addresses.items()
        }


def curve_inputs(config: DeploymentConfig, asset: AssetConfig) -> tuple[int, ...]:
    """Return ``ILiquidationEngine.CurveInputs`` as a tuple in its order."""
    return asset.volatility_bps, asset.deviation_bps, config.venue_fee_pips(asset.symbol)


def risk_of(asset: AssetConfig) -> tuple[int, ...]:
    """Return ``IClearingHouse.AssetParameters`` as a tuple in its order."""
    cap = asset.cap * 10**asset.decimals
    return (
        asset.max_ltv_bps,
        asset.liquidation_threshold_bps,
        asset.debt_weight_bps,
        asset.reserve_factor_bps,
        cap,
        cap,
        cap,
    )


def rate_model_of(asset: AssetConfig) -> tuple[int, ...]:
    """Return ``IClearingHouse.RateModel`` as a tuple in its order."""
    return asset.base_rate_bps, asset.kink_rate_bps, asset.full_rate_bps, asset.kink_bps


def deploy_everything(
    deployer: Deployer,
    config: DeploymentConfig | None = None,
    artifacts: Artifacts | None = None,
    book: AddressBook | None = None,
) -> dict[str, Any]:
    """Deploy tokens, feeds, Sluice, Uniswap V3 and its pools, and return the manifest.

    Nothing is supplied, borrowed or provided as liquidity; the pools are started at the feeds' prices. The
    deployer administers everything. ``code_hashes`` are Keccak-256 of the deployed code, as EXTCODEHASH
    gives it, by manifest name.

    Parameters
    ----------
    deployer : Deployer
        Carries each step out; its account pays.
    config : DeploymentConfig, optional
        Defaults to the parameters of docs/mechanism.md.
    artifacts : Artifacts, optional
        Defaults to forge's output and ``node_modules``.
    book : AddressBook, optional
        Tokens, feeds and Uniswap that are there already; of them nothing is deployed.

    Returns
    -------
    dict
        Version 1 of the manifest, ready for JSON; ``block`` is the first that can hold a log of it.

    Raises
    ------
    FileNotFoundError
        If a contract is not compiled.
    AddressBookError
        If something in the book is not there, or not what the configuration says.
    """
    plan = _Plan(deployer, config or DeploymentConfig(), artifacts or ForgeArtifacts(), book)
    first_block = deployer.head()[0] + 1
    plan.tokens_and_feeds()
    plan.core()
    plan.listings()
    uniswap, pools = plan.markets()
    plan.periphery(uniswap["factory"])
    plan.depth(uniswap["factory"], pools)
    plan.vaults()
    if plan.config.protection is not None:
        plan.protection(uniswap["factory"], plan.config.protection)
    plan.roles()
    return {
        "version": MANIFEST_VERSION,
        "chain_id": deployer.chain_id(),
        "block": first_block,
        **plan.named(),
        "engine_modules": plan.modules(),
        "insurance_funds": plan.insurance_funds,
        "supply_vaults": plan.supply_vaults,
        "uniswap_v3": uniswap,
        "sequencer": plan.uptime(),
        "assets": plan.assets(),
        "pools": pools,
        "code_hashes": plan.code_hashes(),
    }

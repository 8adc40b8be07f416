"""Deploys Sluice, its tokens, feeds and markets, step by step through a `Deployer`."""

from dataclasses import dataclass, field
from typing import Any

from eth_utils.crypto import keccak

from scripts.deployment.artifacts import Artifact, Artifacts, ForgeArtifacts
from scripts.deployment.config import WAD, AssetConfig, DeploymentConfig, EngineConfig
from scripts.deployment.deployer import Deployer
from scripts.deployment.uniswap import create_pool, deploy_uniswap

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
    def __init__(self, deployer: Deployer, config: DeploymentConfig, artifacts: Artifacts) -> None:
        self.deployer = deployer
        self.config = config
        self.artifacts = artifacts
        self.built = _Built()
        self.tokens: dict[str, str] = {}
        self.feeds: dict[str, str] = {}

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
        token, feed = self.artifacts.own("FaucetToken"), self.artifacts.own("MockAggregator")
        for asset in self.config.assets:
            self.tokens[asset.symbol] = self.deployer.deploy(token, asset.name, asset.symbol, asset.decimals)
            self.feeds[asset.symbol] = address = self.deployer.deploy(
                feed, self.config.feed_decimals, f"{asset.symbol} / USD", self.deployer.sender
            )
            answer = round(asset.price * 10**self.config.feed_decimals)
            self.deployer.send(address, feed, "publish", answer, self.deployer.head()[1])

    def core(self) -> None:
        manager = self.deploy("access_manager", self.artifacts.npm(ACCESS_MANAGER), self.deployer.sender)
        oracle = self.deploy("price_oracle", self.artifacts.own("PriceOracle"), manager)
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

    def listings(self) -> None:
        self.send("liquidation_engine", "setParameters", engine_parameters(self.config.engine))
        inputs = curve_inputs(self.config.engine)
        for asset_id, asset in enumerate(self.config.assets):
            self.send("price_oracle", "setFeed", self.tokens[asset.symbol], self.feed_of(asset))
            self.send(
                "clearing_house", "listAsset", self.tokens[asset.symbol], risk_of(asset), rate_model_of(asset)
            )
            self.send("liquidation_engine", "setCurveInputs", asset_id, inputs)

    def feed_of(self, asset: AssetConfig) -> tuple[str, int, int, int]:
        largest = LARGEST_ANSWER_USD * 10**self.config.feed_decimals
        return self.feeds[asset.symbol], self.config.max_age, SMALLEST_ANSWER, largest

    def markets(self) -> tuple[dict[str, str], list[dict[str, Any]]]:
        wrapped = self.tokens.get("WETH", self.deployer.sender)
        uniswap = deploy_uniswap(self.deployer, self.artifacts, wrapped)
        pools = [
            {
                "base": pool.base,
                "quote": pool.quote,
                "fee_pips": pool.fee_pips,
                "address": create_pool(
                    self.deployer, self.artifacts, uniswap["factory"], self.tokens, pool, self.config
                ),
            }
            for pool in self.config.pools
        ]
        return uniswap, pools

    def periphery(self, factory: str) -> None:
        house = self.built.addresses["clearing_house"]
        venue = self.deploy("uniswap_v3_venue", self.artifacts.own("UniswapV3Venue"), factory)
        self.send("liquidation_engine", "setVenue", venue, True)
        engine = self.built.addresses["liquidation_engine"]
        self.deploy("flash_taker", self.artifacts.own("FlashTaker"), self.deployer.sender, engine, factory)
        self.deploy("position_lens", self.artifacts.own("PositionLens"), house)
        for operator in self.config.taker_operators:
            self.send("flash_taker", "setOperator", operator, True)

    def roles(self) -> None:
        engine = self.built.addresses["liquidation_engine"]
        selector = self.built.contracts["liquidation_engine"].selector("setBreaker")
        guardian = self.config.guardian or self.deployer.sender
        self.send("access_manager", "setTargetFunctionRole", engine, [selector], GUARDIAN_ROLE)
        self.send("access_manager", "grantRole", GUARDIAN_ROLE, guardian, 0)

    # ------------------------------------------------------------------ manifest

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
            }
            for asset_id, asset in enumerate(self.config.assets)
        ]

    def code_hashes(self) -> dict[str, str]:
        return {
            name: "0x" + keccak(self.deployer.code(address)).hex()
            for name, address in self.built.addresses.items()
        }


def engine_parameters(engine: EngineConfig) -> tuple[int, ...]:
    """Return ``ILiquidationEngine.EngineParameters`` as a tuple in its order."""
    return (
        engine.target_health_factor_bps,
        engine.penalty_bps,
        engine.chip_bps,
        engine.incentive_share_bps,
        engine.floor_multiplier_bps,
        engine.tip_value,
        engine.dust_value,
        engine.tail,
    )


def curve_inputs(engine: EngineConfig) -> tuple[int, ...]:
    """Return ``ILiquidationEngine.CurveInputs`` as a tuple in its order."""
    return engine.volatility_bps, engine.deviation_bps, engine.venue_fee_pips


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
    deployer: Deployer, config: DeploymentConfig | None = None, artifacts: Artifacts | None = None
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

    Returns
    -------
    dict
        Version 1 of the manifest, ready for JSON; ``block`` is the first that can hold a log of it.

    Raises
    ------
    FileNotFoundError
        If a contract is not compiled.
    """
    plan = _Plan(deployer, config or DeploymentConfig(), artifacts or ForgeArtifacts())
    first_block = deployer.head()[0] + 1
    plan.tokens_and_feeds()
    plan.core()
    plan.listings()
    uniswap, pools = plan.markets()
    plan.periphery(uniswap["factory"])
    plan.roles()
    return {
        "version": MANIFEST_VERSION,
        "chain_id": deployer.chain_id(),
        "block": first_block,
        **plan.built.addresses,
        "uniswap_v3": uniswap,
        "assets": plan.assets(),
        "pools": pools,
        "code_hashes": plan.code_hashes(),
    }

"""What a deployment can choose; the defaults are the parameters of docs/mechanism.md."""

from dataclasses import dataclass, field

from bot.sections import checked_address

WAD = 10**18
BPS = 10_000


@dataclass(frozen=True)
class AssetConfig:
    """A listed asset, its token, its feed and its market.

    Parameters
    ----------
    symbol, name : str
        Of the token.
    decimals : int
        Of the token.
    price : float
        First answer of the feed, US dollars.
    max_ltv_bps, liquidation_threshold_bps, debt_weight_bps : int
        Risk parameters.
    cap : int
        Largest supply, debt and collateral, whole tokens.
    base_rate_bps, kink_rate_bps, full_rate_bps, kink_bps : int
        Yearly borrow rate at no, at the kink's and at full utilisation.
    reserve_factor_bps : int
        Share of interest set aside.
    volatility_bps : int
        Yearly volatility that curve and urgency follow from. A stable asset has 20 %, the floor of a live
        estimate, because it is sold for a volatile one as often as not.
    deviation_bps : int
        Move upon which its feed publishes.
    """

    symbol: str
    name: str
    decimals: int
    price: float
    max_ltv_bps: int
    liquidation_threshold_bps: int
    debt_weight_bps: int
    cap: int
    base_rate_bps: int = 0
    kink_rate_bps: int = 400
    full_rate_bps: int = 6_000
    kink_bps: int = 9_000
    reserve_factor_bps: int = 1_000
    volatility_bps: int = 8_000
    deviation_bps: int = 50


WETH = AssetConfig("WETH", "Wrapped Ether", 18, 200.0, 8_000, 8_300, 10_800, cap=10_000_000, kink_bps=8_000)
WBTC = AssetConfig("WBTC", "Wrapped Bitcoin", 8, 8_000.0, 7_300, 7_800, 11_000, cap=1_000_000, kink_bps=8_000)
USDC = AssetConfig("USDC", "USD Coin", 6, 1.0, 8_700, 9_000, 10_000, cap=10_000_000_000, volatility_bps=2_000)


@dataclass(frozen=True)
class PoolConfig:
    """A Uniswap V3 pool of two listed assets.

    Parameters
    ----------
    base, quote : str
        Symbols.
    fee_pips : int
        Fee in millionths.
    """

    base: str
    quote: str
    fee_pips: int = 500


@dataclass(frozen=True)
class EngineConfig:
    """Parameters of the liquidation engine, as `ILiquidationEngine.EngineParameters`."""

    target_health_factor_bps: int = 10_500
    penalty_bps: int = 50
    chip_bps: int = 10
    incentive_share_bps: int = 6_000
    floor_multiplier_bps: int = 8_000
    tip_value: int = 5
    dust_value: int = 100
    tail: int = 7_200


@dataclass(frozen=True)
class SpeedConfig:
    """Release budget, urgency and choice of collateral, as `ILiquidationEngine.SpeedParameters`."""

    recovery: int = 120
    slippage_limit_bps: int = 200
    near_slippage_bps: int = 30
    shape_bps: int = 5_000
    urgency_z_bps: int = 30_000
    tau_clear: int = 600
    min_capacity: int = 10_000
    max_capacity: int = 5_000_000
    depth_max_age: int = 1_800
    choice_tolerance_bps: int = 1_000


@dataclass(frozen=True)
class SecondSourceConfig:
    """A second feed per asset, which must confirm the first.

    Parameters
    ----------
    max_deviation_bps : int
        How far it may be from the first.
    decimals : int
        Of its answers, where it is deployed.
    """

    max_deviation_bps: int = 200
    decimals: int = 18


@dataclass(frozen=True)
class ProtectionConfig:
    """Early deleveraging for owners who ask for it.

    Parameters
    ----------
    scenarios : tuple of tuple of (str, int)
        Moves of prices that owners may choose to count, symbol and basis points; symbols that are not listed
        are left out.
    """

    scenarios: tuple[tuple[tuple[str, int], ...], ...] = ((("WETH", -2_000), ("WBTC", -1_500)),)


@dataclass(frozen=True)
class DeploymentConfig:
    """All that a deployment can choose.

    Parameters
    ----------
    assets : tuple of AssetConfig
        In the order of their ids.
    pools : tuple of PoolConfig
        Made and started at the prices of their assets.
    engine : EngineConfig
        Parameters of the engine.
    speed : SpeedConfig
        Parameters of its release budgets.
    second_sources : SecondSourceConfig or None
        Second price feeds; none if None, since whoever publishes prices must then publish both.
    sequencer_grace : int or None
        Seconds after a restart of the chain's sequencer in which no price is given; None where there is none.
    protection : ProtectionConfig or None
        Protection beside the core; none if None.
    feed_decimals : int
        Decimals of every feed.
    max_age : int
        Heartbeat of the feeds plus grace, seconds.
    smallest_borrow : int
        Whole quote units.
    observation_cardinality : int
        Observations that each pool is grown to.
    guardian : str or None
        Address that may halt and resume; the deployer, who administers everything, if None.
    taker_operators : tuple of str
        Addresses that may use the flash taker besides its owner, the deployer.
    """

    assets: tuple[AssetConfig, ...] = (WETH, WBTC, USDC)
    pools: tuple[PoolConfig, ...] = (PoolConfig("WETH", "USDC"), PoolConfig("WBTC", "USDC"))
    engine: EngineConfig = field(default_factory=EngineConfig)
    speed: SpeedConfig = field(default_factory=SpeedConfig)
    second_sources: SecondSourceConfig | None = None
    sequencer_grace: int | None = None
    protection: ProtectionConfig | None = None
    feed_decimals: int = 8
    max_age: int = 4_200
    smallest_borrow: int = 500
    observation_cardinality: int = 200
    guardian: str | None = None
    taker_operators: tuple[str, ...] = ()

    def asset(self, symbol: str) -> AssetConfig:
        """Return the asset of a symbol.

        Raises
        ------
        KeyError
            If none is configured.
        """
        return {asset.symbol: asset for asset in self.assets}[symbol]

    def venue_fee_pips(self, symbol: str) -> int:
        """Return the fee of the cheapest pool that trades an asset, millionths; zero if there is no pool."""
        return min((pool.fee_pips for pool in self.pools if symbol in (pool.base, pool.quote)), default=0)


def operators_of(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the addresses of operators, with their checksums.

    Raises
    ------
    ValueError
        If one is no address; told before anything is paid for.
    """
    found = []
    for text in texts:
        try:
            found.append(checked_address(text))
        except ValueError as error:
            raise ValueError(f"{text!r} {error}") from None
    return tuple(found)

"""The dealer's settings: a TOML file of its own; an operator's ``sluice dealer config`` prints it."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from bot.config import ChainSettings, LogSettings
from bot.domain.wad import WAD
from bot.errors import ConfigValueError
from bot.execution.fees import FeePolicy
from bot.execution.settings import KeystoreSettings
from bot.rfq.dealing import DealingLimits
from bot.rfq.hedging import HedgeOptions
from bot.rfq.landing import LandingOptions
from bot.rfq.pricing import PricingRules
from bot.rfq.server import ServerOptions
from bot.rfq.service import DealerOptions
from bot.sections import AddressText, Section, faults_of, located, read_toml

DEFAULT_FILE: Final = Path("dealer.toml")
_GWEI: Final = 10**9


def _pair(text: str) -> str:
    sold, _, owed = text.partition("/")
    if not sold or not owed or sold == owed:
        raise ValueError("must read COLLATERAL/DEBT, such as WETH/USDC")
    return text


class ServerSettings(Section):
    """The door; see `bot.rfq.server.ServerOptions`."""

    host: str = "127.0.0.1"
    port: int = Field(default=8600, ge=0, lt=2**16)
    request_timeout_s: float = Field(default=2.0, gt=0, le=60)
    at_once: int = Field(default=64, gt=0)
    streams: int = Field(default=32, ge=0)
    idle_s: float = Field(default=300.0, gt=0)


class QuoteSettings(Section):
    """What is quoted.

    Parameters
    ----------
    pairs : tuple of str
        ``COLLATERAL/DEBT`` by symbol.
    validity_s : int
        Seconds that a quote holds.
    min_fill_bps : int
        Smallest fill, as a share of the quote.
    contract : str or None
        The dealer's contract, if it has one: it holds the money, approves of signatures (ERC-1271) and is
        called back for payments. The key must be its owner.
    cancel_on_stop : bool
        Whether open quotes are cancelled on chain at the end.
    """

    pairs: tuple[Annotated[str, AfterValidator(_pair)], ...] = Field(
        default=("WETH/USDC", "WBTC/USDC"), min_length=1
    )
    validity_s: int = Field(default=36, ge=12, le=600)
    min_fill_bps: int = Field(default=1_000, ge=0, le=10_000)
    contract: AddressText | None = None
    cancel_on_stop: bool = False


class PricingSettings(Section):
    """How bids are made; see `bot.rfq.pricing.PricingRules`."""

    base_bps: float = Field(default=10.0, ge=0, allow_inf_nan=False)
    risk_multiple: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    horizon_s: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    size_bps: float = Field(default=30.0, ge=0, allow_inf_nan=False)
    inventory_bps: float = Field(default=30.0, ge=0, allow_inf_nan=False)
    widest_bps: float = Field(default=1_000.0, gt=0, lt=10_000)
    divergence_bps: int = Field(default=300, gt=0, lt=10_000)
    half_life_s: float = Field(default=1_800.0, gt=0, allow_inf_nan=False)
    floor_volatility: float = Field(default=0.20, gt=0, allow_inf_nan=False)
    prior_volatility: float = Field(default=0.80, gt=0, allow_inf_nan=False)


class LimitSettings(Section):
    """What is risked at most, quote units; see `bot.rfq.dealing.DealingLimits`."""

    quote_value: Decimal = Field(default=Decimal(250_000), gt=0, decimal_places=18)
    least_value: Decimal = Field(default=Decimal(10), ge=0, decimal_places=18)
    open_value: Decimal = Field(default=Decimal(1_000_000), gt=0, decimal_places=18)
    inventory_value: Decimal = Field(default=Decimal(1_000_000), gt=0, decimal_places=18)
    open_quotes: int = Field(default=64, gt=0, le=256)
    open_per_filler: int = Field(default=16, gt=0)

    @model_validator(mode="after")
    def _quote_is_smallest(self) -> "LimitSettings":
        if self.quote_value > min(self.open_value, self.inventory_value):
            raise ValueError("quote_value must be at most open_value and inventory_value")
        return self


class HedgeSettings(Section):
    """How what was bought is sold; see `bot.rfq.hedging.HedgeOptions`.

    Parameters
    ----------
    enabled : bool
        Whether it is.
    least_value : Decimal
        What is worth a transaction, quote units.
    depth : int
        Blocks on top of a transaction's own from which it is taken to stay.
    """

    enabled: bool = True
    least_value: Decimal = Field(default=Decimal(100), ge=0, decimal_places=18)
    max_slippage_bps: int = Field(default=100, gt=0, lt=10_000)
    tolerance_bps: int = Field(default=50, ge=0, lt=10_000)
    lifetime_s: int = Field(default=300, gt=0)
    depth: int = Field(default=2, ge=0, le=64)


class DealerFeeSettings(Section):
    """What is paid for gas, gwei per gas; see `bot.execution.fees.FeePolicy`."""

    tip_gwei: Decimal = Field(default=Decimal(1), ge=0, decimal_places=9)
    cap_gwei: Decimal = Field(default=Decimal(500), gt=0, decimal_places=9)
    headroom_blocks: int = Field(default=6, ge=0, le=50)

    @model_validator(mode="after")
    def _the_cap_leaves_room_for_the_tip(self) -> Self:
        if self.tip_gwei >= self.cap_gwei:
            raise ValueError(f"tip_gwei ({self.tip_gwei}) must be below cap_gwei ({self.cap_gwei})")
        return self


class DealerSettings(Section):
    """Everything a dealer's operator chooses. Make one with `load_dealer_settings`."""

    manifest: Path = Path("deployments/local.json")
    ledger: Path = Path("dealer.sqlite")
    chain: ChainSettings = ChainSettings()
    signer: KeystoreSettings = KeystoreSettings()
    server: ServerSettings = ServerSettings()
    quotes: QuoteSettings = QuoteSettings()
    pricing: PricingSettings = PricingSettings()
    limits: LimitSettings = LimitSettings()
    hedge: HedgeSettings = HedgeSettings()
    fees: DealerFeeSettings = DealerFeeSettings()
    log: LogSettings = LogSettings()

    def server_options(self) -> ServerOptions:
        """Return what `DealerServer` takes."""
        return ServerOptions(**self.server.model_dump())

    def pricing_rules(self) -> PricingRules:
        """Return what `Dealer` bids by."""
        return PricingRules(**self.pricing.model_dump())

    def dealing_limits(self) -> DealingLimits:
        """Return what `Dealer` risks, in its units."""
        limits, quotes = self.limits, self.quotes
        return DealingLimits(
            quote_value=int(limits.quote_value * WAD),
            least_value=int(limits.least_value * WAD),
            open_value=int(limits.open_value * WAD),
            inventory_value=int(limits.inventory_value * WAD),
            open_quotes=limits.open_quotes,
            open_per_filler=limits.open_per_filler,
            validity_s=quotes.validity_s,
            min_fill_bps=quotes.min_fill_bps,
        )

    def hedge_options(self) -> HedgeOptions:
        """Return what `Hedger` takes."""
        hedge = self.hedge
        return HedgeOptions(
            int(hedge.least_value * WAD), hedge.max_slippage_bps, hedge.tolerance_bps, hedge.lifetime_s
        )

    def landing_options(self) -> LandingOptions:
        """Return what `Lane` takes."""
        fees = self.fees
        policy = FeePolicy(int(fees.tip_gwei * _GWEI), int(fees.cap_gwei * _GWEI), fees.headroom_blocks)
        return LandingOptions(self.chain.chain_id, policy, self.hedge.depth)

    def dealer_options(self) -> DealerOptions:
        """Return what `DealerService` takes."""
        return DealerOptions(hedge=self.hedge.enabled, cancel_on_stop=self.quotes.cancel_on_stop)


def load_dealer_settings(file: Path | None = None) -> DealerSettings:
    """Read the settings. Relative paths start at the folder of the file.

    Parameters
    ----------
    file : Path, optional
        TOML file; it must exist. Without it ``dealer.toml`` is read if it is there.

    Raises
    ------
    ConfigFileError
        If the file is missing or no TOML.
    ConfigValueError
        If a setting does not exist, or its value is not what it takes.
    """
    path = file if file is not None else DEFAULT_FILE
    if file is None and not path.is_file():
        return _anchored(DealerSettings(), Path())
    given = read_toml(path)
    try:
        settings = DealerSettings.model_validate(given)
    except ValidationError as error:
        # The cause is cut off on purpose: pydantic quotes the input, which may be secret.
        raise ConfigValueError(faults_of(error, secret=_secret)) from None
    return _anchored(settings, path.parent)


def _secret(name: str) -> bool:
    """Return whether a setting's value is not to be shown; URLs may hold keys."""
    return name.startswith("chain.endpoint")


def _anchored(settings: DealerSettings, folder: Path) -> DealerSettings:
    signer = settings.signer
    files = {
        name: located(folder, value)
        for name in ("keystore", "password_file")
        if (value := getattr(signer, name))
    }
    return settings.model_copy(
        update={
            "manifest": located(folder, settings.manifest),
            "ledger": located(folder, settings.ledger),
            "signer": signer.model_copy(update=files),
        }
    )

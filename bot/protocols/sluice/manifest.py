"""The manifest that a deployment leaves: where everything is, and on which chain."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bot.errors import ManifestError


def _address(value: str) -> str:
    if len(value) != 42 or not value.startswith("0x"):
        raise ValueError("an address is 0x and 40 hex digits")
    bytes.fromhex(value[2:])
    return value


AddressText = Annotated[str, AfterValidator(_address)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UniswapManifest(_Part):
    """Where Uniswap V3 is."""

    factory: AddressText
    position_manager: AddressText
    swap_router: AddressText
    quoter: AddressText


class AssetManifest(_Part):
    """A listed asset, its token and its feed."""

    id: int = Field(ge=0, lt=64)
    symbol: str = Field(min_length=1)
    token: AddressText
    decimals: int = Field(ge=0, le=18)
    feed: AddressText
    feed_decimals: int = Field(ge=0, le=18)
    max_age: int = Field(gt=0)
    second_feed: AddressText | None = None


class SequencerManifest(_Part):
    """A chain's sequencer: its uptime feed, and for how long after a restart no price is given."""

    feed: AddressText
    grace: int = Field(ge=0)


class PoolManifest(_Part):
    """A Uniswap V3 pool of two listed assets, by symbol."""

    base: str
    quote: str
    fee_pips: int = Field(ge=0, lt=1_000_000)
    address: AddressText


class Manifest(_Part):
    """A deployment, as ``ape run deploy`` writes it.

    Parameters
    ----------
    version : int
        Of this format: 1.
    chain_id : int
        The chain it is on.
    block : int
        First block that can hold a log of it.
    liquidation_lens, market_depth : str or None
        Where the cheapest mix of sales is previewed, and where depth is measured.
    protection, flash_protector : str or None
        Where owners ask for early deleveraging, and what carries it out without capital.
    engine_modules : dict of str to str
        Code that the liquidation engine forwards to, by name.
    insurance_funds, supply_vaults : dict of str to str
        By symbol of the asset.
    sequencer : SequencerManifest or None
        What the price oracle asks whether the chain is up; None on a chain without a sequencer.
    """

    version: Literal[1]
    chain_id: int = Field(gt=0)
    block: int = Field(ge=0)
    access_manager: AddressText
    clearing_house: AddressText
    liquidation_engine: AddressText
    price_oracle: AddressText
    uniswap_v3_venue: AddressText
    flash_taker: AddressText
    position_lens: AddressText
    liquidation_lens: AddressText | None = None
    market_depth: AddressText | None = None
    protection: AddressText | None = None
    flash_protector: AddressText | None = None
    engine_modules: dict[str, AddressText] = Field(default_factory=dict)
    insurance_funds: dict[str, AddressText] = Field(default_factory=dict)
    supply_vaults: dict[str, AddressText] = Field(default_factory=dict)
    uniswap_v3: UniswapManifest
    sequencer: SequencerManifest | None = None
    assets: tuple[AssetManifest, ...] = Field(min_length=1)
    pools: tuple[PoolManifest, ...]
    code_hashes: dict[str, str]

    @property
    def feeds(self) -> tuple[str, ...]:
        """Every feed that the price oracle reads: first sources, second ones, and the sequencer's."""
        seconds = [asset.second_feed for asset in self.assets if asset.second_feed is not None]
        uptime = [self.sequencer.feed] if self.sequencer else []
        return (*(asset.feed for asset in self.assets), *seconds, *uptime)

    def asset(self, symbol: str) -> AssetManifest:
        """Return the asset of a symbol.

        Raises
        ------
        KeyError
            If it is not listed.
        """
        return {asset.symbol: asset for asset in self.assets}[symbol]


def load_manifest(path: Path, chain_id: int | None = None) -> Manifest:
    """Read and check a manifest.

    Parameters
    ----------
    path : Path
        The file.
    chain_id : int, optional
        The chain that it must describe.

    Raises
    ------
    ManifestError
        If it is missing, malformed, or of another chain.
    """
    try:
        manifest = Manifest.model_validate_json(path.read_text())
    except FileNotFoundError:
        raise ManifestError(
            path, "no such file", "deploy first (`make deploy`) or correct the path"
        ) from None
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
        raise ManifestError(path, problem, "correct the path or its rights") from None
    except UnicodeDecodeError:
        raise ManifestError(path, "it is not text", "deploy again to write it anew") from None
    except ValidationError as error:
        raise ManifestError(path, _first_problem(error), "deploy again to write it anew") from None
    if chain_id is not None and manifest.chain_id != chain_id:
        raise ManifestError(
            path,
            f"is of chain {manifest.chain_id}, the configuration wants chain {chain_id}",
            "name the manifest of this chain, or correct chain.chain_id",
        )
    _check_names(path, manifest)
    return manifest


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "the file"
    return f"{field}: {first['msg']} (got {first['input']!r:.80})"


def _check_names(path: Path, manifest: Manifest) -> None:
    ids = [asset.id for asset in manifest.assets]
    if ids != list(range(len(ids))):
        raise ManifestError(path, f"assets have ids {ids}", "they must run from 0 without a gap")
    symbols = {asset.symbol for asset in manifest.assets}
    if len(symbols) != len(ids):
        raise ManifestError(path, "two assets share a symbol", "deploy again to write it anew")
    for pool in manifest.pools:
        for symbol in (pool.base, pool.quote):
            if symbol not in symbols:
                problem = f"pool {pool.address} trades {symbol!r}, which is not listed"
                raise ManifestError(path, problem, "deploy again to write it anew")

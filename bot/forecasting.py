"""What the keeper knows of prices before it reads its first log: settings, price files, checkpoints."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Final

import structlog
from pydantic import BaseModel, ConfigDict, Field, model_validator

from bot.chain import codec
from bot.domain.volatility import FeedHistory, LiveCovariance
from bot.errors import ConfigFileError, ConfigValueError, InvalidInputError
from bot.ports import Checkpoint, RiskMemory, Rpc
from bot.protocols.sluice.manifest import Manifest
from bot.sim.feed import rounds_of
from bot.sim.prices import Bars, read_bars
from bot.strategy.outlook import OutlookSettings
from bot.strategy.predictions import PredictionSettings

SETTLED_BLOCKS: Final = 64
"""Depth from which a block is taken to stay: a checkpoint below it is never rolled back past."""

WARM_HALF_LIVES: Final = 20
"""Prices older than so many half-lives weigh less than a millionth."""

_log = structlog.get_logger(__name__)


class RiskSettings(BaseModel):
    """How accounts are forecast; volatilities are fractions a year.

    Parameters
    ----------
    horizon_s, distance_horizon_s : int
        Seconds ahead of probabilities and of the cost of waiting; of the distance to default.
    half_life_s : float
        Seconds in which the weight of a price move halves.
    floor, stable_floor, prior, cap, stale_after_s
        See `bot.strategy.outlook.OutlookSettings`.
    jump : float
        Volatility to which one oracle round alone can raise a calm asset.
    warm_start : Path or None
        Folder of price files, one for each asset by its symbol (``WETH.csv``: ts,open,high,low,close), from
        which volatilities are learnt up to the deployment; the feeds' own rounds follow.
    learn
        See `bot.strategy.outlook.OutlookSettings`.
    bar_s : int
        Seconds of the bars in which the feeds' history is kept; those of the price files if they are longer.
    history_bars : int
        Bars that are kept.
    refit_s : int
        Seconds of block time between two refits to the history.
    feed_deviation : float
        Relative move upon which the feeds publish: how price files are read as feeds.
    checkpoint_interval_blocks : int
        Blocks between two times that what was learnt is written to the ledger.
    prediction_interval_blocks, prediction_floor, prediction_likely, prediction_others, prediction_keep
        See `bot.strategy.predictions.PredictionSettings`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    horizon_s: int = Field(default=3_600, gt=0)
    distance_horizon_s: int = Field(default=14_400, gt=0)
    half_life_s: float = Field(default=7_200.0, gt=0, allow_inf_nan=False)
    floor: float = Field(default=0.20, gt=0, allow_inf_nan=False)
    stable_floor: float = Field(default=0.01, gt=0, allow_inf_nan=False)
    prior: float = Field(default=0.80, gt=0, allow_inf_nan=False)
    cap: float = Field(default=5.00, gt=0, allow_inf_nan=False)
    stale_after_s: int = Field(default=4_200, ge=0)
    jump: float = Field(default=2.50, gt=0, allow_inf_nan=False)
    warm_start: Path | None = None
    learn: bool = True
    bar_s: int = Field(default=300, ge=12)
    history_bars: int = Field(default=17_520, gt=0)
    refit_s: int = Field(default=86_400, gt=0)
    feed_deviation: float = Field(default=0.005, gt=0, lt=1)
    checkpoint_interval_blocks: int = Field(default=32, gt=0)
    prediction_interval_blocks: int = Field(default=10, gt=0)
    prediction_floor: float = Field(default=0.01, ge=0, le=1)
    prediction_likely: int = Field(default=32, ge=0)
    prediction_others: int = Field(default=8, ge=0)
    prediction_keep: int = Field(default=200_000, gt=0)

    @model_validator(mode="after")
    def _cap_is_highest(self) -> "RiskSettings":
        if self.cap < max(self.floor, self.stable_floor):
            raise ValueError(f"cap must be at least the floors, {self.floor} and {self.stable_floor}")
        return self

    def require_warm_start(self) -> None:
        """Refuse a folder of price files that is not there, before anything is asked or written.

        Raises
        ------
        ConfigValueError
            If ``warm_start`` is no folder.
        """
        if self.warm_start is not None and not self.warm_start.is_dir():
            fault = "is no folder; name the one that holds the price files, or leave the setting out"
            raise ConfigValueError([("risk.warm_start", repr(str(self.warm_start)), fault)])

    def fresh(self, assets: int, longest_bar: int = 0) -> LiveCovariance:
        """Return a state that has seen nothing, for bars of price files of up to a length, seconds."""
        bar = max(self.bar_s, longest_bar)
        refit = min(max(self.refit_s // bar, 1), self.history_bars)
        history = FeedHistory.fresh(assets, bar, self.history_bars, refit)
        return LiveCovariance.fresh(assets, self.half_life_s, self.jump, history)

    def outlook(self) -> OutlookSettings:
        """Return what `outlook_of` takes."""
        return OutlookSettings(**{entry.name: getattr(self, entry.name) for entry in fields(OutlookSettings)})

    def predictions(self) -> PredictionSettings:
        """Return what `RiskJournal` takes."""
        return PredictionSettings(
            interval_blocks=self.prediction_interval_blocks,
            floor=self.prediction_floor,
            likely=self.prediction_likely,
            others=self.prediction_others,
            keep=self.prediction_keep,
        )


async def learnt(
    settings: RiskSettings, protocol: str, rpc: Rpc, memory: RiskMemory, manifest: Manifest
) -> LiveCovariance:
    """Return what is known of the feeds before their logs are read.

    The newest checkpoint that no reorg can undo, if there is one by the same rules; else what the price files
    tell up to the deployment; else nothing.
    """
    symbols = [asset.symbol for asset in manifest.assets]
    files = {} if settings.warm_start is None else warm_files(settings.warm_start, symbols)
    fresh = settings.fresh(len(symbols), max((bars.step for bars in files.values()), default=0))
    newest = codec.head(await rpc.request("eth_getBlockByNumber", ("latest", False))).number
    for checkpoint in await memory.checkpoints(protocol):
        settled = checkpoint.block_number <= newest - SETTLED_BLOCKS
        if settled and await _block_hash(rpc, checkpoint.block_number) == checkpoint.block_hash:
            known = _restored(checkpoint)
            if known is not None and known.fits(fresh):
                _log.info("covariance_resumed", block=checkpoint.block_number)
                return known
    if not files:
        return fresh
    deployed = codec.head(await rpc.request("eth_getBlockByNumber", (hex(manifest.block), False)))
    _log.info("covariance_warmed", assets=[symbols[index] for index in files])
    return warmed(fresh, files, deployed.timestamp, settings.feed_deviation)


def _restored(checkpoint: Checkpoint) -> LiveCovariance | None:
    """Return what a checkpoint holds; None if it is damaged, which is told."""
    try:
        return LiveCovariance.restored(checkpoint.state)
    except InvalidInputError as error:
        _log.warning("checkpoint_refused", block=checkpoint.block_number, reason=str(error))
        return None


def warm_files(folder: Path, symbols: Sequence[str]) -> dict[int, Bars]:
    """Read the price files of assets, by asset id; those without a file are left out.

    Parameters
    ----------
    folder : Path
        Holds ``SYMBOL.csv`` for some of the assets.
    symbols : sequence of str
        By asset id.

    Raises
    ------
    ConfigFileError
        If no asset has a file.
    PriceFileError
        If a file cannot be used.
    """
    files = {index: folder / f"{symbol}.csv" for index, symbol in enumerate(symbols)}
    found = {index: read_bars(path) for index, path in files.items() if path.is_file()}
    if not found:
        wanted = ", ".join(f"{symbol}.csv" for symbol in symbols)
        raise ConfigFileError(str(folder), f"risk.warm_start holds none of {wanted}")
    return found


def warmed(
    fresh: LiveCovariance, files: Mapping[int, Bars], until: int, deviation: float = 0.005
) -> LiveCovariance:
    """Return a state that has consumed price files.

    The covariances take the closes, each at the end of its bar; the history takes what a feed would have
    published over the bars, because that is what it will be asked to forecast.

    Parameters
    ----------
    fresh : LiveCovariance
        What was known before.
    files : mapping of int to Bars
        By asset id.
    until : int
        Bars that end later are left out, unix seconds: no estimate may know the future.
    deviation : float
        Relative move upon which the feeds publish.
    """
    closes, rounds = [], []
    for index, bars in files.items():
        known = bars.until(until)
        ends = (known.ts + known.step).tolist()
        closes += [(end, index, price) for end, price in zip(ends, known.close.tolist(), strict=True)]
        rounds += [(time, index, price) for time, price in rounds_of(known, deviation)]
    first = until - WARM_HALF_LIVES * fresh.half_life
    state, history = replace(fresh, history=None), fresh.history
    for end, index, price in sorted(close for close in closes if first <= close[0]):
        state = state.after(index, end, price)
    if history is not None:
        for time, index, price in sorted(rounds):
            history = history.after(index, time, price)
    return replace(state, history=history)


async def _block_hash(rpc: Rpc, number: int) -> object:
    answer = await rpc.request("eth_getBlockByNumber", (hex(number), False))
    return None if answer is None else codec.mapping(answer, f"block {number}").get("hash")

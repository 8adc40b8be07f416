"""Settings: a TOML file, the environment over it, and an operator's command line over both.

The only module that reads the environment. Variables begin with ``SLUICE_``; two underscores lead into a
section, so ``SLUICE_CHAIN__ENDPOINT`` is ``endpoint`` in ``[chain]``. Relative paths start at the folder
of the TOML file.
"""

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from bot.chain.client import ClientOptions, RpcClient
from bot.chain.endpoint import Endpoint
from bot.chain.feed import POLL_AFTER_BLOCKS, FeedOptions
from bot.chain.pool import PoolOptions
from bot.errors import ConfigFileError, ConfigValueError, UnknownSettingError
from bot.execution.options import ExecutorOptions
from bot.execution.settings import (
    ExecutionSettings,
    FeeSettings,
    InventorySettings,
    LimitSettings,
    RelaySettings,
    SignerSettings,
)
from bot.forecasting import RiskSettings
from bot.ledger.address import LedgerAddress
from bot.ledger.settings import LedgerSettings
from bot.ops.redaction import HIDDEN
from bot.ops.settings import AlertSettings, OpsSettings
from bot.rfq.desk import DeskSettings
from bot.sections import Section, located, read_toml, refused, unmasked

PREFIX = "SLUICE_"
FILE_VARIABLE = "SLUICE_CONFIG"
DEFAULT_FILE = Path("sluice.toml")

_SECRET = ("chain.endpoint", "ledger.url", "signer.remote_url", "relay.url", "alerts.", "rfq.dealers")
"""Settings whose values no message shows."""
_PUBLIC = (".address",)
"""What is no secret among them."""
_WAD = 10**18


def _usable_url(value: SecretStr) -> SecretStr:
    unmasked(value)
    Endpoint.parse(value.get_secret_value())
    return value


def _host_and_port(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ValueError("must read host:port, such as 127.0.0.1:9000")
    return value


class EndpointSettings(Section):
    """A further endpoint of the chain.

    Parameters
    ----------
    url : SecretStr
        As `ChainSettings.endpoint`.
    requests_per_second : int or None
        Its budget; that of the section if not set.
    """

    url: Annotated[SecretStr, AfterValidator(_usable_url)]
    requests_per_second: int | None = Field(default=None, gt=0)


class ChainSettings(Section):
    """The node, or several.

    Parameters
    ----------
    endpoint : SecretStr
        ws, wss, http, https, or ipc with the path of a local socket. Secret: providers put keys into it.
    endpoints : tuple of EndpointSettings
        Further ones, in order of preference: ``[[chain.endpoints]]`` with ``url``.
    chain_id : int
        The chain that must be served there.
    requests_per_second : int
        Budget; each element of a batch counts. The default suits a node of your own; hosted ones allow less.
    request_timeout_s, connect_timeout_s, poll_interval_s
        See `bot.chain.client.ClientOptions`.
    block_time_s : float
        Seconds between two blocks, as a rule. Calls are tried in a block so much later than the head. Without
        a new head for 2.5 of them the newest is asked for, for 5 another endpoint is turned to, and if none
        has one, nothing that adds risk is started.
    hedge_after_s : float
        Seconds after which a read that has no answer is asked of a second endpoint too.
    wrong_chain_rest_s : float
        Seconds for which an endpoint that serves another chain is left alone while there is a better one.
    start_patience_s : float
        Seconds for which a start that the node refuses is tried again; 0 ends with the first refusal.
    give_up_after_s : float
        Seconds without a node after which the running keeper ends with an error.
    """

    endpoint: Annotated[SecretStr, AfterValidator(_usable_url)] = SecretStr("ws://127.0.0.1:8545")
    endpoints: tuple[EndpointSettings, ...] = ()
    chain_id: int = Field(default=31337, gt=0)
    requests_per_second: int = Field(default=2_000, gt=0)
    request_timeout_s: float = Field(default=10.0, gt=0)
    connect_timeout_s: float = Field(default=5.0, gt=0)
    poll_interval_s: float = Field(default=0.5, gt=0)
    block_time_s: float = Field(default=12.0, gt=0, allow_inf_nan=False)
    hedge_after_s: float = Field(default=0.25, gt=0)
    wrong_chain_rest_s: float = Field(default=600.0, gt=0)
    start_patience_s: float = Field(default=60.0, ge=0, allow_inf_nan=False)
    give_up_after_s: float = Field(default=120.0, ge=0)

    def parsed_endpoint(self) -> Endpoint:
        """Return the endpoint with its printable label."""
        return Endpoint.parse(self.endpoint.get_secret_value())

    def client_options(self, requests_per_second: int | None = None) -> ClientOptions:
        """Return what `RpcClient` takes; its budget, unless it is the section's."""
        return ClientOptions(
            requests_per_second=requests_per_second or self.requests_per_second,
            request_timeout_s=self.request_timeout_s,
            connect_timeout_s=self.connect_timeout_s,
            poll_interval_s=self.poll_interval_s,
            silence_s=POLL_AFTER_BLOCKS * self.block_time_s,
        )

    def clients(self) -> list[RpcClient]:
        """Return a client for each endpoint, in order of preference; none is connected yet."""
        first = RpcClient(self.parsed_endpoint(), self.chain_id, self.client_options())
        return [first, *(self._further(entry) for entry in self.endpoints)]

    def _further(self, entry: EndpointSettings) -> RpcClient:
        endpoint = Endpoint.parse(entry.url.get_secret_value())
        return RpcClient(endpoint, self.chain_id, self.client_options(entry.requests_per_second))

    def pool_options(self) -> PoolOptions:
        """Return what `EndpointPool` takes."""
        return PoolOptions(hedge_after_s=self.hedge_after_s, wrong_chain_rest_s=self.wrong_chain_rest_s)

    def feed_options(self) -> FeedOptions:
        """Return what `ChainHeadFeed` takes."""
        return FeedOptions(give_up_after_s=self.give_up_after_s, block_time_s=self.block_time_s)

    def secrets(self) -> list[str]:
        """Return the URLs that hold more than their label shows."""
        urls = [self.endpoint, *(entry.url for entry in self.endpoints)]
        parsed = [Endpoint.parse(url.get_secret_value()) for url in urls]
        return [endpoint.url for endpoint in parsed if endpoint.url.rstrip("/") != endpoint.label]


class StrategySettings(Section):
    """What is worth doing; see `bot.strategy.settings.StrategySettings`, in the operator's units.

    Parameters
    ----------
    minimum_profit : Decimal
        Least revenue after gas of a settlement, quote units.
    mark_from : Decimal
        Least expected deficit, beyond what is marked, at which an account is marked, quote units; 0 never.
    """

    minimum_profit: Decimal = Decimal(0)
    mark_from: Decimal = Field(default=Decimal(0), ge=0)
    kick_unprofitable: bool = True
    housekeeping: bool = True
    max_slippage_bps: int = Field(default=200, gt=0, lt=10_000)
    price_tolerance_bps: int = Field(default=50, gt=0, lt=10_000)
    max_actions: int = Field(default=32, gt=0)
    max_sales: int = Field(default=4, gt=0)
    gas_asset: str = "WETH"
    block_time_s: int = Field(default=12, gt=0)
    race_bps: int = Field(default=9_000, ge=0, le=10_000)
    care_bps: int = Field(default=10_000, ge=0)


class ReplaySettings(Section):
    """Lockstep with whoever drives the chain.

    Parameters
    ----------
    acknowledge_to : str or None
        ``host:port`` that is told of each head acted on.
    """

    acknowledge_to: Annotated[str, AfterValidator(_host_and_port)] | None = None

    def address(self) -> tuple[str, int] | None:
        """Return host and port."""
        if self.acknowledge_to is None:
            return None
        host, _, port = self.acknowledge_to.rpartition(":")
        return host, int(port)


class LogSettings(Section):
    """Logs, on standard error."""

    format: Literal["console", "json"] = "console"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(BaseSettings):
    """Everything an operator chooses. Make one with `load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        validate_default=True,
    )

    manifest: Path = Path("deployments/local.json")
    chain: ChainSettings = ChainSettings()
    ledger: LedgerSettings = LedgerSettings()
    signer: SignerSettings = SignerSettings()
    fees: FeeSettings = FeeSettings()
    execution: ExecutionSettings = ExecutionSettings()
    relay: RelaySettings = RelaySettings()
    limits: LimitSettings = LimitSettings()
    inventory: InventorySettings = InventorySettings()
    strategy: StrategySettings = StrategySettings()
    risk: RiskSettings = RiskSettings()
    replay: ReplaySettings = ReplaySettings()
    log: LogSettings = LogSettings()
    ops: OpsSettings = OpsSettings()
    alerts: AlertSettings = AlertSettings()
    rfq: DeskSettings = DeskSettings()

    def executor_options(self) -> ExecutorOptions:
        """Return what `TransactionExecutor` takes."""
        return ExecutorOptions(
            chain_id=self.chain.chain_id,
            fees=self.fees.policy(),
            # Down, so that nothing is tried later than it lands; no block shares its parent's second.
            block_time_s=max(int(self.chain.block_time_s), 1),
            **self.execution.model_dump(),
        )

    def secrets(self) -> list[str]:
        """Return the values that no log line may hold."""
        urls = [url for url in (self.signer.remote_url, self.relay.url) if url is not None]
        shown = [url.get_secret_value() for url in urls if HIDDEN in _masked(url.get_secret_value())]
        dealt = self.rfq.secrets()
        return [*self.chain.secrets(), *self.ledger.secrets(), *shown, *self.alerts.secrets(), *dealt]


def load_settings(file: Path | None = None, overrides: Mapping[str, object] | None = None) -> Settings:
    """Read the settings.

    Parameters
    ----------
    file : Path, optional
        TOML file; it must exist. Without it ``SLUICE_CONFIG`` names one, and without that ``sluice.toml``
        is read if it is there.
    overrides : mapping, optional
        Values that outrank file and environment, nested as in the file.

    Raises
    ------
    ConfigFileError
        If the file is missing or no TOML.
    UnknownSettingError
        If the file or the environment names a setting that does not exist.
    ConfigValueError
        If a value is not what its setting takes.
    """
    path = file if file is not None else _default_file()
    given = {} if path is None else read_toml(path)
    _check_names(given, str(path))
    _check_environment()
    folder = Path() if path is None else path.parent
    return _anchored(_validated(given, dict(overrides or {})), folder)


def render(settings: BaseModel) -> str:
    """Return the settings as TOML, secrets hidden."""
    lines: list[str] = []
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            lines += ["", f"[{name}]", *_section(name, value)]
        else:
            lines.append(_line(name, value))
    return "\n".join(lines) + "\n"


def _section(section: str, settings: BaseModel) -> Iterator[str]:
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        members = get_args(field.annotation)
        if value == () and members and isinstance(members[0], type) and issubclass(members[0], BaseModel):
            # Written as [] it could not be added to by tables further down, as TOML has it.
            yield f"# {name} is not set: a table [[{section}.{name}]] for each"
        else:
            yield _line(name, value)


def _line(name: str, value: object) -> str:
    if value is None:
        return f"# {name} is not set"
    return f"{name} = {_toml(value)}"


def _toml(value: object) -> str:
    if isinstance(value, BaseModel):
        given = {name: getattr(value, name) for name in type(value).model_fields}
        pairs = (f"{name} = {_toml(item)}" for name, item in given.items() if item is not None)
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, SecretStr):
        return f'"{_masked(value.get_secret_value())}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | Decimal):
        return str(value)
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _masked(url: str) -> str:
    """Return the part of an endpoint's or a database's URL that may be shown; of anything else, nothing."""
    if "://" not in url:
        return HIDDEN
    label = (LedgerAddress if url.startswith("postgres") else Endpoint).parse(url).label
    return label if url.rstrip("/") == label else f"{label}/{HIDDEN}"


def _default_file() -> Path | None:
    named = os.environ.get(FILE_VARIABLE)
    if named:
        return Path(named)
    return DEFAULT_FILE if DEFAULT_FILE.is_file() else None


def _validated(given: dict[str, Any], overrides: dict[str, Any]) -> Settings:
    class _Sources(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, given)

    try:
        return _Sources(**overrides)
    except ValidationError as error:
        # The cause is cut off on purpose: pydantic quotes the input, which may be secret.
        raise ConfigValueError([_problem(entry) for entry in error.errors()]) from None
    except SettingsError as error:
        raise ConfigValueError([_of_environment(error)]) from None


def _problem(entry: Any) -> tuple[str, str, str]:
    """Return name, value and fault of a value that pydantic refused."""
    holders = {secret.partition(".")[0] for secret in _SECRET}
    whole = isinstance(entry["input"], Mapping)

    def secret(name: str) -> bool:
        return (whole and name in holders) or (name.startswith(_SECRET) and not name.endswith(_PUBLIC))

    return refused(entry, secret=secret)


def _of_environment(error: SettingsError) -> tuple[str, str, str]:
    """Return name, value and fault of a variable that is no JSON; its value may be secret."""
    named = re.search(r'field "(\w+)"', str(error))
    variable = _variable(named[1]) if named else "a variable"
    return variable, "", f"must be JSON; each of its settings has a variable of its own, {variable}__NAME"


def _anchored(settings: Settings, folder: Path) -> Settings:
    """Return the settings with relative paths started at ``folder``."""

    def anchored(section: BaseModel) -> dict[str, object]:
        return {
            name: located(folder, value)
            for name in type(section).model_fields
            if isinstance(value := getattr(section, name), Path)
        }

    signer = settings.signer.anchored(folder)
    ledger = settings.ledger.model_copy(update=anchored(settings.ledger))
    risk = settings.risk.model_copy(update=anchored(settings.risk))
    return settings.model_copy(
        update={**anchored(settings), "signer": signer, "ledger": ledger, "risk": risk}
    )


def _known_names(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _known_names(field.annotation, f"{prefix}{name}.")


def _check_names(given: Mapping[str, object], source: str, prefix: str = "") -> None:
    known = set(_known_names())
    for name, value in given.items():
        full = prefix + name
        if full not in known:
            siblings = {other for other in known if other.rpartition(".")[0] == prefix.rstrip(".")}
            raise UnknownSettingError(full, source, _elsewhere(name, known) or _closest(full, siblings))
        if isinstance(value, Mapping):
            _check_names(value, source, f"{full}.")


def _check_environment() -> None:
    """Refuse variables that look like ours and set nothing, most often a slip of the pen."""
    known = {_variable(name) for name in _known_names()} | {FILE_VARIABLE}
    for variable in os.environ:
        if variable.upper().startswith(PREFIX) and variable.upper() not in known:
            raise UnknownSettingError(variable, "the environment", _closest(variable.upper(), known))


def _variable(name: str) -> str:
    return PREFIX + name.replace(".", "__").upper()


def _closest(name: str, known: Iterable[str]) -> str | None:
    """Return the name whose last part looks most like that of ``name``, or None if none does."""
    by_leaf = {other.rpartition(".")[2]: other for other in sorted(known)}
    matches = difflib.get_close_matches(name.rpartition(".")[2], by_leaf, n=1, cutoff=0.6)
    return by_leaf[matches[0]] if matches else None


def _elsewhere(leaf: str, known: Iterable[str]) -> str | None:
    """Return the setting of that name in another section: the section was forgotten, or is wrong."""
    return next((other for other in sorted(known) if other.rpartition(".")[2] == leaf), None)


def read_password(file: Path) -> str:
    """Return the password in a file, without the line break that editors put at its end.

    Raises
    ------
    ConfigFileError
        If it cannot be read or is empty.
    """
    try:
        password = file.read_text().rstrip("\r\n")
    except OSError as error:
        raise ConfigFileError(str(file), (error.strerror or "it cannot be read").lower()) from None
    except UnicodeDecodeError:
        raise ConfigFileError(str(file), "it is not text") from None
    if not password:
        raise ConfigFileError(str(file), "it is empty, and a keystore's password is not")
    return password

"""What goes wrong, and when: a small TOML file.

::

    seed = 7
    loop = true

    [[phase]]
    name = "calm"
    seconds = 10

    [[phase]]
    name = "bad line"
    seconds = 20
    faults = [
        { kind = "delay", seconds = 0.5, share = 0.2 },
        { kind = "status", status = 429, share = 0.1, methods = ["eth_call"] },
    ]
"""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, ValidationError, model_validator

from bot.errors import ConfigValueError
from bot.sections import Section, faults_of, read_toml


class _Fault(Section):
    """What all faults have.

    Parameters
    ----------
    share : float
        How often it strikes, of the calls that it concerns, above 0 up to 1.
    methods : tuple of str
        The calls that it concerns; all if empty. ``eth_subscription`` stands for what the node sends unasked.
    """

    share: float = Field(default=1.0, gt=0, le=1)
    methods: tuple[str, ...] = ()

    def concerns(self, method: str) -> bool:
        """Whether a call may be struck."""
        return not self.methods or method in self.methods


class Drop(_Fault):
    """The call reaches nobody, and no answer comes; over HTTP the connection then ends."""

    kind: Literal["drop"]


class Cut(_Fault):
    """The connection ends instead of an answer."""

    kind: Literal["cut"]


class Delay(_Fault):
    """The answer comes ``seconds`` late."""

    kind: Literal["delay"]
    seconds: float = Field(gt=0, le=600)


class Slow(_Fault):
    """The answer comes at ``bytes_per_second``: in pieces over HTTP, late as a whole over a WebSocket."""

    kind: Literal["slow"]
    bytes_per_second: int = Field(gt=0)


class Status(_Fault):
    """The call is refused with an HTTP status; over a WebSocket with a JSON-RPC error that says the same."""

    kind: Literal["status"]
    status: Literal[429, 500, 502, 503, 504]


class Truncate(_Fault):
    """The answer ends in its middle."""

    kind: Literal["truncate"]


class Malform(_Fault):
    """The answer is not JSON, or not JSON-RPC, or not of the type that belongs to the method."""

    kind: Literal["malform"]


class Duplicate(_Fault):
    """An answer or notification comes twice; over HTTP only where a batch holds it."""

    kind: Literal["duplicate"]


class Freeze(_Fault):
    """No new head is told of: the node stands still at the height at which the phase began."""

    kind: Literal["freeze"]


class WrongChain(_Fault):
    """The node says that it serves another chain."""

    kind: Literal["wrong_chain"]
    chain_id: int = Field(default=1, gt=0)


class LateReceipt(_Fault):
    """A receipt is not found the first ``times`` times that it is asked for."""

    kind: Literal["late_receipt"]
    times: int = Field(default=3, gt=0)


class LoseLogs(_Fault):
    """Each log is left out of an answer with a chance of ``share``."""

    kind: Literal["lose_logs"]


class ReorderLogs(_Fault):
    """The logs of an answer come in another order."""

    kind: Literal["reorder_logs"]


class Refuse(_Fault):
    """A transaction is refused with an error; with ``delivered`` it reaches the node all the same."""

    kind: Literal["refuse"]
    message: str = "replacement transaction underpriced"
    code: int = -32000
    delivered: bool = False


Fault: TypeAlias = Annotated[
    Drop
    | Cut
    | Delay
    | Slow
    | Status
    | Truncate
    | Malform
    | Duplicate
    | Freeze
    | WrongChain
    | LateReceipt
    | LoseLogs
    | ReorderLogs
    | Refuse,
    Field(discriminator="kind"),
]


class Phase(Section):
    """A stretch of time with the same faults.

    Parameters
    ----------
    name : str
        As logged.
    seconds : float or None
        How long; None until somebody enters another phase, or for ever.
    faults : tuple of Fault
        What may go wrong; none is a rest.
    """

    name: str = Field(min_length=1)
    seconds: float | None = Field(default=None, gt=0)
    faults: tuple[Fault, ...] = ()


class Script(Section):
    """All phases, in order.

    Parameters
    ----------
    seed : int
        With the same seed the same calls are struck.
    loop : bool
        Whether the first phase follows the last; otherwise the last stays.
    phase : tuple of Phase
        At least one; names are unique.
    """

    seed: int = Field(default=1, ge=0)
    loop: bool = False
    phase: tuple[Phase, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _phases_can_be_told_apart(self) -> "Script":
        names = [phase.name for phase in self.phase]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"phases must have different names, {', '.join(sorted(twice))} is there twice")
        return self

    def position(self, name: str) -> int:
        """Return the index of a phase.

        Raises
        ------
        ConfigValueError
            If there is none of that name.
        """
        names = [phase.name for phase in self.phase]
        if name not in names:
            raise ConfigValueError([("phase", repr(name), f"must be one of {', '.join(names)}")])
        return names.index(name)


def load_script(path: Path) -> Script:
    """Read a script.

    Raises
    ------
    ConfigFileError
        If the file is missing or no TOML.
    ConfigValueError
        If a fault does not exist, or a value is not what it takes.
    """
    given = read_toml(path)
    try:
        return Script.model_validate(given)
    except ValidationError as error:
        raise ConfigValueError(faults_of(error, secret=lambda name: False)) from None

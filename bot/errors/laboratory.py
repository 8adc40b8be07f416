"""Input files, processes and set-up of a replay."""

from bot.errors.root import SluiceError


class ReplayError(SluiceError):
    """A replay cannot start, or cannot go on."""


class _RowError(ReplayError):
    """A file holds a value that cannot be used.

    Parameters
    ----------
    file : object
        Path of the file.
    row : int or None
        Line of the file, the header being line 1; None where the file as a whole is wrong.
    value : object
        The offending value.
    problem : str
        Why it cannot be used.
    fix : str
        What to do about it.
    """

    def __init__(self, file: object, row: int | None, value: object, problem: str, fix: str) -> None:
        place = f"{file}" if row is None else f"{file}, line {row}"
        super().__init__(f"{place}: {problem}, got {value!r}; {fix}")
        self.file = file
        self.row = row
        self.value = value
        self.problem = problem
        self.fix = fix


class TapeError(ReplayError):
    """A recording that cannot be written or read.

    Parameters
    ----------
    file : object
        Path of the file.
    problem : str
        What is wrong with it.
    """

    def __init__(self, file: object, problem: str) -> None:
        super().__init__(f"the recording {file} cannot be used: {problem}")
        self.file = file
        self.problem = problem


class DecisionsDivergedError(ReplayError):
    """A replayed recording does not lead to what was recorded: the program decides otherwise now.

    Parameters
    ----------
    what : str
        The first step or decision that differs.
    found, recorded : str
        What it is now, and what it was.
    """

    def __init__(self, what: str, found: str, recorded: str) -> None:
        super().__init__(
            f"{what}: now {found}, recorded {recorded}; record again if the program was meant to change"
        )
        self.what = what
        self.found = found
        self.recorded = recorded


class PriceFileError(_RowError):
    """A price file has a gap, a spike, rows out of order, or a value that is no price."""


class BookFileError(_RowError):
    """A book names an unknown asset, or an amount that no account can have."""


class ReplayOptionError(ReplayError):
    """An option of the replay is outside what it may be.

    Parameters
    ----------
    option : str
        As on the command line.
    value : object
        The offending value.
    requirement : str
        What the value must satisfy.
    """

    def __init__(self, option: str, value: object, requirement: str) -> None:
        super().__init__(f"{option} must be {requirement}, got {value!r}")
        self.option = option
        self.value = value
        self.requirement = requirement


class LocalNodeError(ReplayError):
    """The replay's own node is not installed, cannot have its port, or ended."""


class SetupError(ReplayError):
    """Deploying or seeding did not go through."""


class KeeperProcessError(ReplayError):
    """The keeper's process ended, or never acknowledged a head.

    Parameters
    ----------
    problem : str
        What happened.
    log_tail : str
        The last lines of the keeper's log.
    """

    def __init__(self, problem: str, log_tail: str) -> None:
        shown = log_tail.strip() or "(the log is empty)"
        super().__init__(f"{problem}; the end of the keeper's log:\n{shown}")
        self.problem = problem
        self.log_tail = log_tail


class MeasurementError(ReplayError):
    """The replay's own account of the chain contradicts the chain, so no report is written."""


class ChaosAddressError(ReplayError):
    """The fault-injecting proxy cannot listen where it was to.

    Parameters
    ----------
    host, port : str, int
        Where.
    detail : str
        What the system says.
    """

    def __init__(self, host: str, port: int, detail: str) -> None:
        super().__init__(f"cannot listen on {host}:{port}: {detail}; name another address with --listen")
        self.host = host
        self.port = port
        self.detail = detail

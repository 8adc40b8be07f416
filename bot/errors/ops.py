"""Running the daemon."""

from bot.errors.root import SluiceError


class OpsError(SluiceError):
    """Running the daemon."""


class AcknowledgerUnreachableError(OpsError):
    """Whoever was to be told of each head does not listen."""

    def __init__(self, host: str, port: int, detail: str) -> None:
        super().__init__(
            f"cannot report to {host}:{port}: {detail}; replay.acknowledge_to names the replay that drives "
            "the chain, leave it out where there is none"
        )
        self.host = host
        self.port = port
        self.detail = detail


class MonitorAddressError(OpsError):
    """Metrics and health cannot be served where they were to be."""

    def __init__(self, host: str, port: int, detail: str) -> None:
        super().__init__(
            f"cannot serve metrics on {host}:{port}: {detail}; correct ops.listen, or leave it out"
        )
        self.host = host
        self.port = port
        self.detail = detail


class TerminalMissingError(OpsError):
    """A live view has no terminal to draw on, and nobody to end it."""

    def __init__(self, command: str, instead: str) -> None:
        super().__init__(f"{command} needs a terminal for input and output; {instead}")
        self.command = command


class RehearsalError(OpsError):
    """A rehearsal cannot be staged."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(f"cannot rehearse: {problem}; {fix}")
        self.problem = problem
        self.fix = fix

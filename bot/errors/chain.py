"""Talking to a node."""

from bot.errors.root import SluiceError


class ChainError(SluiceError):
    """Talking to a node went wrong. Messages carry the endpoint's label, never its URL."""


class EndpointInvalidError(ChainError, ValueError):
    """The endpoint's URL cannot be used. The URL itself is not shown: it may hold a key."""

    def __init__(self, fault: str) -> None:
        super().__init__(
            f"the endpoint's URL is not usable: {fault}; "
            "it must read like ws://127.0.0.1:8545 or https://node.example"
        )
        self.fault = fault


class EndpointUnreachableError(ChainError):
    """The endpoint refused the connection, dropped it, or did not answer in time.

    Parameters
    ----------
    endpoint : str
        Label: scheme, host and port.
    detail : str
        What happened.
    setting : str
        What names it.
    """

    def __init__(self, endpoint: str, detail: str, setting: str = "chain.endpoint") -> None:
        what = "the node" if setting == "chain.endpoint" else "it"
        super().__init__(
            f"cannot reach {endpoint}: {detail}; check that {what} runs and that {setting} names it"
        )
        self.endpoint = endpoint
        self.detail = detail
        self.setting = setting


class EndpointBusyError(ChainError):
    """The endpoint turned a request away as often as it was made.

    Parameters
    ----------
    endpoint : str
        Label.
    what : str
        The request.
    attempts : int
        How often it was made.
    last : ChainError
        Why the last attempt failed.
    """

    def __init__(self, endpoint: str, what: str, attempts: int, last: ChainError) -> None:
        super().__init__(
            f"{endpoint} turned {what} away {attempts} times, the last time because {last}; "
            "lower chain.requests_per_second, or name further endpoints"
        )
        self.endpoint = endpoint
        self.what = what
        self.attempts = attempts
        self.last = last


class WrongChainError(ChainError):
    """The endpoint serves another chain than the configuration says."""

    def __init__(self, endpoint: str, expected: int, actual: int) -> None:
        super().__init__(
            f"{endpoint} serves chain {actual}, the configuration wants chain {expected}; "
            "correct chain.endpoint or chain.chain_id"
        )
        self.endpoint = endpoint
        self.expected = expected
        self.actual = actual


class RpcError(ChainError):
    """The node answered a request with an error.

    Parameters
    ----------
    method : str
        The request.
    code : int
        JSON-RPC error code; 3 is a revert on most nodes.
    message : str
        The node's words.
    data : object
        What came with it; for a revert usually the hex revert data.
    """

    def __init__(self, method: str, code: int, message: str, data: object = None) -> None:
        super().__init__(f"{method} was refused with code {code}: {message}")
        self.method = method
        self.code = code
        self.message = message
        self.data = data


class MalformedAnswerError(ChainError):
    """An answer is not what the request asked for.

    Parameters
    ----------
    what : str
        The request or the field.
    value : object
        What came; shortened in the message.
    requirement : str
        What should have come.
    """

    def __init__(self, what: str, value: object, requirement: str) -> None:
        shown = repr(value)
        shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
        super().__init__(f"{what} must be {requirement}, the node sent {shown}")
        self.what = what
        self.value = value
        self.requirement = requirement


class HeadChainBrokenError(ChainError):
    """The node keeps serving headers that do not link to each other."""

    def __init__(self, endpoint: str, number: int, attempts: int) -> None:
        super().__init__(
            f"{endpoint} served {attempts} times headers below block {number} that do not link; "
            "use an endpoint that is one node, or wait until it has synced"
        )
        self.endpoint = endpoint
        self.number = number


class HeadGapError(ChainError):
    """More heads were missed than the feed makes up."""

    def __init__(self, endpoint: str, number: int, largest_gap: int) -> None:
        super().__init__(
            f"{endpoint} is at block {number}, more than {largest_gap} heads ahead of the last one seen; "
            "start the keeper again: it reads its state anew"
        )
        self.endpoint = endpoint
        self.number = number
        self.largest_gap = largest_gap


class ReorgTooDeepError(ChainError):
    """The chain changed below every head that is remembered."""

    def __init__(self, number: int, depth: int) -> None:
        super().__init__(
            f"the chain changed below block {number}, deeper than the {depth} heads remembered; "
            "start the keeper again: it reads its state anew"
        )
        self.number = number
        self.depth = depth


class StartRefusedError(ChainError):
    """The node failed a step of the start until the time for it was over.

    Parameters
    ----------
    step : str
        What was tried.
    attempts : int
        How often.
    patience_s : float
        Seconds that the whole start was given.
    last : ChainError
        Why the last attempt failed.
    """

    def __init__(self, step: str, attempts: int, patience_s: float, last: ChainError) -> None:
        times = "once" if attempts == 1 else f"{attempts} times"
        super().__init__(
            f"could not start within {patience_s:g} s: {step} failed {times}, the last time because {last}; "
            "give it longer by chain.start_patience_s, or name further endpoints"
        )
        self.step = step
        self.attempts = attempts
        self.patience_s = patience_s
        self.last = last

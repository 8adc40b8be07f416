"""Starting although the node refuses at first: trying again, for a bounded time.

A daemon that a busy provider turns away at its start would otherwise end, be started again, and ask for
everything once more.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog

from bot.errors import ChainError, EndpointInvalidError, StartRefusedError, WrongChainError

_log = structlog.get_logger(__name__)

_ResultT = TypeVar("_ResultT")


@dataclass(frozen=True, slots=True)
class StartOptions:
    """How long a start is tried.

    Parameters
    ----------
    patience_s : float
        Seconds from the first attempt to the last, over all steps of the start; 0 tries each once.
    backoff_start_s, backoff_limit_s : float
        Seconds before the second attempt; each further wait is twice the last, up to the limit.
    """

    patience_s: float = 60.0
    backoff_start_s: float = 0.5
    backoff_limit_s: float = 10.0


class PatientStart:
    """Takes the steps of a start one after the other, each again while the node fails it.

    Parameters
    ----------
    options : StartOptions
        How long.
    """

    def __init__(self, options: StartOptions) -> None:
        self._options: Final = options
        self._began: float | None = None

    async def step(self, name: str, attempt: Callable[[], Awaitable[_ResultT]]) -> _ResultT:
        """Take a step, and take it again while the node fails it and time is left.

        Parameters
        ----------
        name : str
            What it does, for the log and the error.
        attempt : callable
            Takes it; called once for each attempt.

        Raises
        ------
        WrongChainError, EndpointInvalidError
            At once: time does not mend these.
        StartRefusedError
            If it fails until the time is over.
        ChainError
            The failure itself, where no step is to be taken twice.
        """
        loop, options = asyncio.get_running_loop(), self._options
        self._began = loop.time() if self._began is None else self._began
        ends, delay_s, attempts = self._began + options.patience_s, options.backoff_start_s, 0
        while True:
            attempts += 1
            try:
                return await attempt()
            except (WrongChainError, EndpointInvalidError):
                raise
            except ChainError as error:
                left_s = ends - loop.time()
                if options.patience_s == 0:
                    raise
                if left_s <= 0:
                    raise StartRefusedError(name, attempts, options.patience_s, error) from error
                wait_s = min(delay_s, left_s)
                _log.warning(
                    "start_delayed",
                    step=name,
                    attempt=attempts,
                    reason=str(error),
                    retry_in_s=round(wait_s, 1),
                    gives_up_in_s=round(left_s, 1),
                )
            await asyncio.sleep(wait_s)
            delay_s = min(2 * delay_s, options.backoff_limit_s)

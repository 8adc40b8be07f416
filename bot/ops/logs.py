"""Structured logs on standard error, one event a line."""

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, Literal, TextIO, cast

import structlog
from structlog.typing import Processor

from bot.ops.redaction import Redactor

LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]

_UNTOLD: Final = Redactor()
"""Knows no secret, and what an URL looks like."""


def configure_logs(
    form: LogFormat, level: LogLevel, secrets: Iterable[str] = (), stream: TextIO | None = None
) -> None:
    """Set up structlog, and the standard library's loggers behind the same redaction.

    Libraries speak from warnings on only: at lower levels some of them print URLs and payloads.

    Parameters
    ----------
    form : {"json", "console"}
        JSON for machines, aligned text for a terminal.
    level : {"debug", "info", "warning", "error"}
        Lowest level of our own events.
    secrets : iterable of str
        Values hidden wherever they occur.
    stream : TextIO, optional
        Where to; standard error by default, so that standard output stays with the command's result.
    """
    target = stream if stream is not None else sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        Redactor(secrets),
    ]
    structlog.configure(
        processors=[*shared, _renderer(form, target)],
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Unfailing(target))),
        cache_logger_on_first_use=False,
    )
    _configure_libraries(shared, _renderer(form, target), target)


def without_secrets(text: str) -> str:
    """Return what may be shown or kept of a text outside the log, by the secrets that the log was told last.

    Where no log was set up, as in a tool, URLs are cut to scheme, host and port all the same.
    """
    for processor in structlog.get_config()["processors"]:
        if isinstance(processor, Redactor):
            return processor.text(text)
    return _UNTOLD.text(text)


class _Unfailing:
    """A stream whose failures end nothing: who has signed must not die of the full disk under its log.

    Parameters
    ----------
    target : TextIO
        Where to; what it refuses is lost.
    """

    def __init__(self, target: TextIO) -> None:
        self._target: Final = target

    def write(self, text: str) -> int:
        """Write what the stream takes."""
        with suppress(OSError):
            return self._target.write(text)
        return 0

    def flush(self) -> None:
        """Hand on what was written."""
        with suppress(OSError):
            self._target.flush()


@contextmanager
def tapped(*taps: Processor) -> Iterator[None]:
    """Let processors see every event of ours, after secrets were hidden, for as long as the context lasts."""
    before = structlog.get_config()["processors"]
    *shared, renderer = before
    structlog.configure(processors=[*shared, *taps, renderer])
    try:
        yield
    finally:
        structlog.configure(processors=before)


def _configure_libraries(shared: list[Processor], renderer: Processor, target: TextIO) -> None:
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def _renderer(form: LogFormat, target: TextIO) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(colors=target.isatty())


def _number(level: LogLevel) -> int:
    return logging.getLevelNamesMapping()[level.upper()]

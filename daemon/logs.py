"""Log lines: fixed event names with bound context, JSON off a terminal, readable on one.

::

    log = structlog.get_logger("intake")
    log.info("decision.executed", decision_id=decision.id, latency_ms=12)

Every event is one line. Control characters are escaped, long values cut, a `Secret` is ``***``, an
exception is one field without the values of local variables. What libraries log comes as
``library.message``.
"""

import atexit
import json
import logging
import os
import sys
from collections.abc import MutableMapping
from datetime import UTC
from typing import Any, Literal, TextIO

import structlog

from otonom_trader.daemon.log_output import LogOutput
from otonom_trader.daemon.log_values import described, one_line, plain_value, printable
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.ports import Clock

LogFormat = Literal["auto", "json", "console"]
Level = Literal["debug", "info", "warning", "error", "critical"]
Event = MutableMapping[str, Any]

_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[1;31m"}
_FAINT, _BOLD, _RESET = "\x1b[2m", "\x1b[1m", "\x1b[0m"


def configure_logging(
    log_format: LogFormat = "auto",
    level: Level = "info",
    stream: TextIO | None = None,
    *,
    clock: Clock | None = None,
) -> LogOutput:
    """Send structlog's events, and what libraries log at WARNING and above, to `stream`.

    `stream` defaults to stdout. Returns the output, which counts lost lines. A later call replaces
    an earlier one.
    """
    stream = sys.stdout if stream is None else stream
    terminal = _is_terminal(stream)
    readable = log_format == "console" or (log_format == "auto" and terminal)
    coloured = readable and terminal and not os.environ.get("NO_COLOR")
    output = LogOutput(stream)
    atexit.register(output.close)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _Stamp(clock or SystemClock(), output),
            _Console(coloured=coloured) if readable else _as_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_names: output,
    )
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, _Libraries):
            root.removeHandler(handler)
    root.addHandler(_Libraries(logging.WARNING))
    return output


class _Stamp:
    """Makes an event plain, and puts its time, level and name first."""

    def __init__(self, clock: Clock, output: LogOutput) -> None:
        self._clock = clock
        self._output = output

    def __call__(self, _logger: object, method: str, event: Event) -> Event:
        at = self._clock.now().astimezone(UTC).isoformat(timespec="milliseconds")
        name = event.pop("event", "")
        error = _error(event.pop("exc_info", None))
        fields = {str(key): plain_value(value) for key, value in event.items()}
        head: dict[str, Any] = {
            "timestamp": at.replace("+00:00", "Z"),
            "level": method,
            "event": plain_value(str(name)),
        }
        if error is not None:
            fields["exception"] = described(error)
        if self._output.lost_since_last_line:
            fields["log_lines_lost"] = self._output.lost_since_last_line
        return head | {f"{key}_" if key in head else key: value for key, value in fields.items()}


class _Console:
    """Renders ``12:00:00.000Z info     decision.executed  symbol=BTC-USDT``, time in UTC."""

    def __init__(self, *, coloured: bool) -> None:
        self._coloured = coloured

    def __call__(self, _logger: object, _method: str, event: Event) -> str:
        at, level, name = event.pop("timestamp")[11:], event.pop("level"), event.pop("event")
        fields = " ".join(f"{printable(key)}={one_line(value)}" for key, value in event.items())
        level, name = f"{level:<8}", f"{printable(name):<24}"
        if self._coloured:
            colour = _COLOURS.get(level.strip(), _BOLD)
            at, level, name = (
                f"{style}{word}{_RESET}"
                for style, word in ((_FAINT, at), (colour, level), (colour, name))
            )
        return f"{at} {level} {name} {fields}".rstrip()


class _Libraries(logging.Handler):
    """Hands what libraries log through the standard library on to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        level = min(record.levelno // 10 * 10, logging.CRITICAL)
        try:
            structlog.get_logger().log(
                level,
                "library.message",
                logger=record.name,
                message=record.getMessage(),
                exc_info=record.exc_info,
            )
        except Exception:  # noqa: BLE001  as every handler: what cannot be told goes to stderr
            self.handleError(record)


def _as_json(_logger: object, _method: str, event: Event) -> str:
    return json.dumps(event)


def _error(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False

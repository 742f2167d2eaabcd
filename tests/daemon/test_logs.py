"""Log lines: one per event, readable by machine and by eye, without secrets, never in the way."""

import io
import json
import logging
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.daemon.log_output import LogOutput
from otonom_trader.daemon.log_values import MAX_TEXT, plain_value
from otonom_trader.daemon.logs import Level, LogFormat, configure_logging
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.secret import Secret

CANARY = "canary-8f14e45fceea167a"


class NoonClock(SystemClock):
    def now(self) -> datetime:
        return datetime(2026, 7, 1, 12, 0, 0, 7_600, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.setLevel(level)
    for handler in root.handlers[:]:
        if type(handler).__module__ == "otonom_trader.daemon.logs":
            root.removeHandler(handler)


class Log:
    """A configured logger and what it wrote."""

    def __init__(self, log_format: LogFormat = "json", level: Level = "info") -> None:
        self.stream = io.StringIO()
        self.output = configure_logging(log_format, level, self.stream, clock=NoonClock())
        self.log = structlog.get_logger()

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    @property
    def event(self) -> dict[str, Any]:
        (line,) = self.lines
        event: dict[str, Any] = json.loads(line)
        return event


def test_an_event_is_a_json_object_with_time_level_and_name_first() -> None:
    log = Log()
    log.log.info("decision.executed", decision_id="d-1", latency_ms=12)
    assert log.stream.getvalue() == (
        '{"timestamp": "2026-07-01T12:00:00.007Z", "level": "info", "event": "decision.executed", '
        '"decision_id": "d-1", "latency_ms": 12}\n'
    )


def test_on_a_terminal_an_event_is_a_readable_line() -> None:
    log = Log("console")
    log.log.warning("order.unknown", qty=Decimal("0.010"), reason="no answer")
    assert log.lines == [
        '12:00:00.007Z warning  order.unknown            qty=0.01 reason="no answer"'
    ]


def test_bound_context_is_merged() -> None:
    log = Log()
    structlog.contextvars.bind_contextvars(decision_id="d-1")
    log.log.bind(symbol="BTC-USDT").info("order.sent")
    assert (log.event["decision_id"], log.event["symbol"]) == ("d-1", "BTC-USDT")


@dataclass(frozen=True, slots=True)
class Holding:
    asset: str
    qty: Decimal
    key: Secret


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal("1E-5"), "0.00001"),
        (Decimal("5E+4"), "50000"),
        (Decimal("NaN"), None),
        (float("nan"), None),
        (Decimal("1E+999999999"), "1E+999999999"),
        (float("inf"), "inf"),
        (0.25, 0.25),
        (None, None),
        (True, True),
        (Mode.SHADOW, "shadow"),
        (datetime(2026, 7, 1, tzinfo=UTC), "2026-07-01T00:00:00+00:00"),
        (datetime(2026, 7, 1, tzinfo=timezone(timedelta(hours=3))), "2026-07-01T00:00:00+03:00"),
        (Path("/var/lib"), "/var/lib"),
        (b"\x00", "b'\\x00'"),
        (ValueError("no"), "ValueError: no"),
        ((1, [Decimal(2)]), [1, ["2"]]),
        ({"a": {"b": Decimal(2)}}, {"a": {"b": "2"}}),
        (10**5000, "an integer of 16610 bits"),
        (Unshowable(), "<Unshowable that cannot be shown>"),
        (Secret(CANARY), "***"),
        (
            Holding("BTC", Decimal("1.50"), Secret(CANARY)),
            {"asset": "BTC", "qty": "1.5", "key": "***"},
        ),
        ("x" * 10_000, "x" * MAX_TEXT + "… (10000 characters)"),
        (list(range(1000)), [*range(100), "… (900 more)"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_are_plain(value: object, shown: object) -> None:
    log = Log()
    log.log.info("shown", value=value)
    assert log.event["value"] == shown


def test_a_value_that_holds_itself_is_shown_to_a_depth() -> None:
    ring: list[object] = []
    ring.append(ring)
    log = Log()
    log.log.info("shown", value=ring)
    assert log.event["value"][0][0][0][0][0][0] == "[[...]]"


def test_a_field_named_as_a_fixed_one_is_kept_beside_it() -> None:
    log = Log()
    log.log.info("shown", level="high", timestamp="then")
    assert (log.event["level"], log.event["level_"], log.event["timestamp_"]) == (
        "info",
        "high",
        "then",
    )


@pytest.mark.parametrize("log_format", ["json", "console"])
@given(text=st.text(), key=st.text(min_size=1))
def test_any_text_stays_on_one_line_and_moves_no_cursor(
    log_format: LogFormat, text: str, key: str
) -> None:
    log = Log(log_format)
    log.log.info(text, value=text, nested={key: [text]}, error=ValueError(text))
    (line,) = log.stream.getvalue().removesuffix("\n").split("\n")
    assert line.isprintable()
    line.encode()


def failing(secret: str) -> None:
    held = secret
    raise ValueError(f"refused after {len(held)} characters")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_an_exception_is_one_field_on_the_same_line_without_local_variables(
    log_format: LogFormat,
) -> None:
    log = Log(log_format)
    try:
        failing(CANARY)
    except ValueError:
        log.log.exception("poll.failed")
    (line,) = log.lines
    assert "ValueError: refused after 23 characters" in line
    assert "in failing" in line
    assert CANARY not in line
    if log_format == "json":
        assert set(log.event) == {"timestamp", "level", "event", "exception"}
        assert log.event["level"] == "error"


def test_a_long_traceback_keeps_its_beginning_and_its_end() -> None:
    log = Log()
    try:
        raise ValueError("x" * 20_000 + " the end")
    except ValueError as error:
        log.log.critical("poll.failed", exc_info=error)
    assert log.event["exception"].startswith("Traceback")
    assert log.event["exception"].endswith("x the end")
    assert len(log.event["exception"]) < 9000


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_secret_is_shown_however_it_is_wrapped(log_format: LogFormat) -> None:
    secret = Secret(CANARY)
    log = Log(log_format)
    log.log.info(
        "shown", a=secret, b=[secret], c={"k": {"k": secret}}, d=(secret,), e=ValueError(secret),
        f=Holding("BTC", Decimal(1), secret), g={secret}, h=f"{secret}", i={secret: 1},
    )  # fmt: skip
    logging.getLogger("aiohttp").warning("with %s and %r", secret, [secret])
    assert CANARY not in log.stream.getvalue()
    assert len(log.lines) == 2


def test_a_level_that_is_off_writes_and_evaluates_nothing() -> None:
    log = Log(level="warning")
    log.log.info("quiet", value=Unshowable())
    log.log.debug("quiet")
    log.log.warning("loud")
    assert log.event["event"] == "loud"


def test_libraries_are_heard_from_warning_up(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    library = logging.getLogger("aiohttp.client")
    monkeypatch.setattr(library, "level", logging.DEBUG)
    library.info("connected")
    library.warning("closed %s", "early\nby peer")
    assert log.event == {
        "timestamp": "2026-07-01T12:00:00.007Z",
        "level": "warning",
        "event": "library.message",
        "logger": "aiohttp.client",
        "message": "closed early\nby peer",
    }


def test_a_librarys_exception_is_told() -> None:
    log = Log()
    try:
        failing("")
    except ValueError:
        logging.getLogger("asyncio").exception("task failed")
    assert log.event["level"] == "error"
    assert "ValueError: refused" in log.event["exception"]


def test_configuring_again_replaces_the_output() -> None:
    first, second = Log(), Log()
    first.log.info("once")
    logging.getLogger("aiohttp").warning("once")
    assert (len(first.lines), len(second.lines)) == (0, 2)


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, no_color: str, *, coloured: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    master, slave = pty.openpty()
    with open(slave, "w") as terminal, open(master, "rb", buffering=0) as screen:  # noqa: PTH123
        output = configure_logging("auto", "info", terminal, clock=NoonClock())
        structlog.get_logger().error("order.unknown", symbol="BTC-USDT")
        shown = screen.read(4096)
        output.close()
    assert (b"\x1b[31m" in shown) is coloured
    assert b"order.unknown" in shown
    assert not shown.startswith(b"{")


@given(st.recursive(st.none() | st.floats() | st.decimals() | st.text() | st.binary(), st.lists))
def test_every_value_becomes_json(value: object) -> None:
    json.loads(json.dumps(plain_value(value), allow_nan=False))


def pipe() -> tuple[io.TextIOWrapper, int]:
    """A stream to log to, and the descriptor its reader has."""
    reader, writer = os.pipe()
    return open(writer, "w"), reader  # noqa: PTH123


def test_a_reader_that_stands_still_delays_nothing_and_hears_how_much_it_missed() -> None:
    stream, reader = pipe()
    output = configure_logging("json", "info", stream)
    log = structlog.get_logger()
    for number in range(20_000):  # more than the pipe and the buffer hold
        log.info("event", number=number)
    assert output.lost_lines > 0
    heard = bytearray()
    draining = threading.Thread(target=lambda: heard.extend(drained(reader)))
    draining.start()
    while output._pending:
        output._flush()
    log.info("event", number=20_000)
    log.info("event", number=20_001)
    output.close()
    stream.close()
    draining.join()
    events = [json.loads(line) for line in heard.splitlines()]
    *before, last, after = events
    assert [event["number"] for event in before] == list(range(len(before)))
    assert last["number"] == 20_000
    assert last["log_lines_lost"] == output.lost_lines == 20_000 - len(before)
    assert "log_lines_lost" not in after


def drained(reader: int) -> bytes:
    with open(reader, "rb") as file:
        return file.read()


def test_a_line_longer_than_a_pipe_is_written_whole_as_it_is_read() -> None:
    stream, reader = pipe()
    output = LogOutput(stream)
    heard = bytearray()
    draining = threading.Thread(target=lambda: heard.extend(drained(reader)))
    output.write("x" * 300_000)
    output.write("next")
    draining.start()
    output.close()
    stream.close()
    draining.join()
    assert heard.decode() == "x" * 300_000 + "\nnext\n"


def test_half_a_line_is_not_carried_on_in_another_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, reader = pipe()
    with (tmp_path / "stderr").open("w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        output = LogOutput(stream)
        output.write("x" * 300_000)
        os.close(reader)
        output.write("next")
        output.close()
    stream.close()
    assert (tmp_path / "stderr").read_text() == "next\n"
    assert output.lost_lines == 1


def test_a_full_disk_loses_lines_and_counts_them() -> None:
    with Path("/dev/full").open("w") as stream:
        output = LogOutput(stream)
        output.write("one")
        output.write("two")
        output.close()
    assert output.lost_lines == 2


def test_a_closed_stream_without_descriptor_is_counted() -> None:
    stream = io.StringIO()
    output = LogOutput(stream)
    stream.close()
    output.write("one")
    assert output.lost_lines == 1


PROGRAM = """
import os, sys, structlog
from otonom_trader.daemon.logs import configure_logging
output = configure_logging("json")
log = structlog.get_logger()
log.info("first")
sys.stdin.readline()
{then}
log.info("second")
log.info("third")
open(sys.argv[1], "w").write(str(output.lost_lines))
"""


@pytest.mark.parametrize("stderr", ["open", "gone"])
def test_when_stdout_is_gone_lines_go_to_stderr_and_the_program_goes_on(
    tmp_path: Path, stderr: str
) -> None:
    report = tmp_path / "lost"
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(then=""), str(report)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if stderr == "open" else subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["event"] == "first"
        process.stdout.close()
        process.stdin.write("\n")
        process.stdin.close()
        heard = process.stderr.read() if process.stderr else ""
    assert process.returncode == 0
    events = [json.loads(line)["event"] for line in heard.splitlines()]
    assert events == (["second", "third"] if stderr == "open" else [])
    assert report.read_text() == ("0" if stderr == "open" else "2")


def test_lines_never_end_up_in_a_file_that_got_the_number_of_a_closed_stdout(
    tmp_path: Path,
) -> None:
    journal = tmp_path / "journal"
    journal.write_text("")
    then = f"os.close(1); opened = os.open({str(journal)!r}, os.O_RDWR); assert opened == 1"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(then=then), str(tmp_path / "lost")],
        input="\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert journal.read_text() == ""
    assert len(done.stdout.splitlines()) == 3

"""Commands reach the running daemon through its control socket."""

import asyncio
import json
import os
import socket
import stat
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from otonom_trader.daemon.control import ControlError, NoDaemon, ask, exit_status
from otonom_trader.daemon.control_server import ControlServer
from otonom_trader.domain.errors import (
    AlreadyRunning,
    ConfigurationError,
    JournalError,
    NotPermitted,
    VenueUnreachable,
)


async def status(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"state": "RUNNING", "equity": Decimal("1E+5"), "asked": arguments}


async def resume(_arguments: dict[str, Any]) -> dict[str, Any]:
    raise NotPermitted("kill_switch is true in broker.yaml: set it to false first")


async def broken(_arguments: dict[str, Any]) -> dict[str, Any]:
    return {"value": object()}


async def started(_arguments: dict[str, Any]) -> dict[str, Any]:
    return {"at": datetime(2026, 7, 1, 12, tzinfo=UTC), "text": "ünï\ncode", "none": None}


HANDLERS = {"status": status, "resume": resume, "broken": broken, "started": started}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


async def exchange(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    async with connected(path) as (reader, writer):
        replies = []
        for line in lines:
            writer.write(line + b"\n")
            replies.append(json.loads(await reader.readline()))
        return replies


async def test_a_command_is_answered_with_its_result(path: Path) -> None:
    async with ControlServer(path, HANDLERS):
        assert await ask(path, "status", limit=5, symbol="BTC-USDT") == {
            "state": "RUNNING",
            "equity": "100000",
            "asked": {"limit": 5, "symbol": "BTC-USDT"},
        }
        assert await ask(path, "started") == {
            "at": "2026-07-01T12:00:00+00:00",
            "text": "ünï\ncode",
            "none": None,
        }


async def test_the_wire_is_one_json_object_per_line(path: Path) -> None:
    async with ControlServer(path, HANDLERS), connected(path) as (reader, writer):
        writer.write(b'{"command": "resume"}\n{"command": "started"}\n')
        assert json.loads(await reader.readline()) == {
            "ok": False,
            "error": "kill_switch is true in broker.yaml: set it to false first",
            "exit_status": 77,
        }
        assert json.loads(await reader.readline())["ok"] is True


async def test_a_refusal_carries_its_sentence_and_exit_status(path: Path) -> None:
    async with ControlServer(path, HANDLERS):
        with pytest.raises(ControlError, match=r"^kill_switch is true in broker") as refused:
            await ask(path, "resume")
    assert refused.value.exit_status == 77


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigurationError("x"), 78),
        (NotPermitted("x"), 77),
        (AlreadyRunning("x"), 75),
        (VenueUnreachable("x"), 69),
        (JournalError("x"), 1),
        (ControlError("x", exit_status=64), 64),
    ],
)
def test_each_error_has_the_exit_status_scripts_rely_on(
    error: ConfigurationError, status: int
) -> None:
    assert exit_status(error) == status


async def test_an_unknown_command_is_named_with_the_known_ones(path: Path) -> None:
    async with ControlServer(path, HANDLERS):
        with pytest.raises(ControlError) as refused:
            await ask(path, "stauts")
    assert str(refused.value) == (
        "unknown command 'stauts'; there are: broken, resume, started, status"
    )
    assert refused.value.exit_status == 64


async def test_a_defect_in_a_handler_is_logged_and_leaves_the_door_open(path: Path) -> None:
    async with ControlServer(path, HANDLERS):
        with capture_logs() as logged, pytest.raises(ControlError, match="by a defect"):
            await ask(path, "broken")
        assert [entry["event"] for entry in logged] == ["control.failed"]
        assert (await ask(path, "status"))["state"] == "RUNNING"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"status", "the request is not JSON"),
        (b"\xff", "the request is not JSON"),
        (b"[" * 50_000, "the request is not JSON"),
        (b"[]", 'the request must be a JSON object such as {"command": "status"}'),
        (b"{}", 'the request must be a JSON object such as {"command": "status"}'),
        (b'{"command": 5}', 'the request must be a JSON object such as {"command": "status"}'),
        (b"x" * 70_000, "the request is longer than 65536 bytes"),
    ],
)
async def test_what_is_no_request_is_refused_in_one_sentence(
    path: Path, line: bytes, error: str
) -> None:
    async with ControlServer(path, HANDLERS):
        assert await exchange(path, line) == [{"ok": False, "error": error, "exit_status": 64}]
        assert (await ask(path, "status"))["state"] == "RUNNING"


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(line=st.binary(max_size=200).filter(lambda line: b"\n" not in line))
async def test_any_bytes_are_answered_with_a_refusal(path: Path, line: bytes) -> None:
    async with ControlServer(path, HANDLERS):
        (reply,) = await exchange(path, line)
    assert reply["ok"] is False


async def test_whoever_sends_nothing_is_disconnected(path: Path) -> None:
    async with ControlServer(path, HANDLERS, timeout_seconds=0.02), connected(path) as (reader, _):
        assert await reader.read() == b""


async def test_whoever_takes_no_reply_is_disconnected(path: Path) -> None:
    async def much(_arguments: dict[str, Any]) -> dict[str, Any]:
        return {"rows": ["x" * 1000] * 5000}

    async with ControlServer(path, {"orders": much}, timeout_seconds=0.05):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b'{"command": "orders"}\n')
            await asyncio.wait_for(served_none(), 5)
        assert len((await ask(path, "orders"))["rows"]) == 5000


async def served_none() -> None:
    """Wait until no task but this test's own is left: the connection was given up."""
    while len(asyncio.all_tasks()) > 2:
        await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()}, timeout=0.01)


async def test_the_socket_is_its_owners_alone_from_the_first_moment(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    bind = socket.socket.bind

    def watched(self: socket.socket, address: Any) -> None:
        bind(self, address)
        modes.append(stat.S_IMODE(path.stat().st_mode))

    monkeypatch.setattr(socket.socket, "bind", watched)
    umask = os.umask(0)
    try:
        async with ControlServer(path, HANDLERS):
            modes.append(stat.S_IMODE(path.stat().st_mode))
    finally:
        os.umask(umask)
    assert modes == [0o600, 0o600]


async def test_a_dead_daemons_socket_is_replaced_and_removed_at_the_end(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(NoDaemon):
        await ask(path, "status")
    async with ControlServer(path, HANDLERS):
        assert (await ask(path, "status"))["state"] == "RUNNING"
    assert not path.exists()


async def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("notes")
    with pytest.raises(ConfigurationError, match=r"control\.sock cannot be made: Address already"):
        await ControlServer(path, HANDLERS).__aenter__()
    assert path.read_text() == "notes"


async def test_anothers_socket_at_the_path_is_not_removed(path: Path) -> None:
    async with ControlServer(path, HANDLERS):
        path.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
    assert path.exists()


async def test_a_path_too_long_for_an_address_is_served(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100) / ("y" * 100)
    folder.mkdir(parents=True)
    path = folder / "control.sock"
    with pytest.raises(NoDaemon):
        await ask(path, "status")
    async with ControlServer(path, HANDLERS):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert (await ask(path, "status"))["state"] == "RUNNING"
    assert not path.exists()


@pytest.mark.parametrize("folder", [".", "missing"])
async def test_without_a_daemon_it_is_said_that_none_answers(tmp_path: Path, folder: str) -> None:
    with pytest.raises(NoDaemon, match="no daemon answers at"):
        await ask(tmp_path / folder / "control.sock", "status")


async def test_a_missing_folder_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be made: No such file or directory"):
        await ControlServer(tmp_path / "missing" / "control.sock", HANDLERS).__aenter__()


async def test_a_daemon_that_stands_still_is_not_taken_for_none(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stalled:
        stalled.bind(str(path))
        stalled.listen()
        with pytest.raises(ControlError, match=r"did not answer 'status' within 0\.05 seconds"):
            await ask(path, "status", timeout_seconds=0.05)


async def test_a_daemon_that_dies_before_its_answer_leaves_the_outcome_open(path: Path) -> None:
    def die(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        dying = threading.Thread(target=die, args=(listener,))
        dying.start()
        with pytest.raises(ControlError, match="whether it was carried out is not known"):
            await ask(path, "kill")
        dying.join()


async def test_leaving_the_server_ends_its_connections(path: Path) -> None:
    running, never = asyncio.Event(), asyncio.Event()

    async def waiting(_arguments: dict[str, Any]) -> dict[str, Any]:
        running.set()
        await never.wait()
        return {}

    async with AsyncExitStack() as clients:
        async with ControlServer(path, {"wait": waiting}):
            busy, writer = await clients.enter_async_context(connected(path))
            idle, _ = await clients.enter_async_context(connected(path))
            writer.write(b'{"command": "wait"}\n')
            await running.wait()
        assert await busy.read() == b""
        assert await idle.read() == b""

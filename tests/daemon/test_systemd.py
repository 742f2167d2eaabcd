"""systemd is told how the daemon does, and is given a unit it accepts."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from otonom_trader.daemon.systemd import Notifier

UNIT = Path(__file__).parents[2] / "systemd" / "otonom-trader.service"
WORST_EXPOSURE = 1.5  # of 10, as systemd-analyze counts

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here"
)


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket as systemd binds it, and how it is written in NOTIFY_SOCKET."""
    path = str(tmp_path / "notify")
    abstract = request.param == "abstract"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + path if abstract else path)
        listener.settimeout(5)
        yield listener, "@" + path if abstract else path


def test_each_state_is_one_datagram(manager: tuple[socket.socket, str]) -> None:
    listener, address = manager
    notifier = Notifier({"NOTIFY_SOCKET": address})
    assert notifier.ready()
    assert notifier.status("RUNNING in\nmode shadow")
    assert notifier.reloading(12_345_678_901)
    assert notifier.watchdog()
    assert notifier.stopping()
    assert [listener.recv(1000) for _ in range(5)] == [
        b"READY=1",
        b"STATUS=RUNNING in mode shadow",
        b"RELOADING=1\nMONOTONIC_USEC=12345678",
        b"WATCHDOG=1",
        b"STOPPING=1",
    ]


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_a_socket_nothing_is_sent(environ: dict[str, str]) -> None:
    assert Notifier(environ).ready() is False


def test_a_manager_that_has_gone_does_not_stop_the_daemon(tmp_path: Path) -> None:
    assert Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready() is False


def test_a_manager_that_does_not_read_does_not_stall_the_daemon(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        notifier = Notifier({"NOTIFY_SOCKET": path})
        assert not all(notifier.watchdog() for _ in range(10_000))


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_pinged_twice_as_often_as_asked(
    environ: dict[str, str], seconds: float | None
) -> None:
    assert Notifier(environ).watchdog_interval_seconds == seconds


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, naming a program that is there."""
    copy = tmp_path / UNIT.name
    text = UNIT.read_text()
    assert "/opt/otonom-trader/bin/otonom-trader" in text
    copy.write_text(text.replace("/opt/otonom-trader/bin/otonom-trader", "/bin/true"))
    return copy


def analyze(*arguments: str) -> str:
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_systemd
def test_the_unit_is_clean_in_systemd_analyze_verify(unit: Path) -> None:
    assert analyze("verify", str(unit)) == ""


@needs_systemd
def test_the_unit_is_hardened(unit: Path) -> None:
    said = analyze("security", "--offline=yes", str(unit))
    exposure = re.search(r"exposure level for \S+: ([0-9.]+)", said)
    assert exposure is not None, said
    assert float(exposure[1]) <= WORST_EXPOSURE


def test_the_unit_keeps_its_promises_to_the_operator() -> None:
    text = UNIT.read_text()
    lines = set(text.splitlines())
    assert lines >= {
        "Type=notify",
        "NotifyAccess=main",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "Restart=on-failure",
        "RestartPreventExitStatus=64 75 77 78 SIGUSR1",
        "KillSignal=SIGTERM",
        "DynamicUser=yes",
        "StateDirectory=otonom-trader",
        "ConfigurationDirectory=otonom-trader",
    }
    assert {line.split(":")[0] for line in lines if line.startswith("LoadCredential=")} == {
        "LoadCredential=api_key",
        "LoadCredential=api_secret",
    }
    longest_drain_seconds = 60  # of daemon.yaml
    stop = re.search(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert stop is not None
    assert int(stop[1]) > longest_drain_seconds
    watchdog = re.search(r"^WatchdogSec=(\d+)$", text, re.MULTILINE)
    assert watchdog is not None

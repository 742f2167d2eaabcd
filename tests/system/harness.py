"""The daemon as a real process, with a configuration and a state directory of its own."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar, overload

import yaml

from otonom_trader.daemon.control import SOCKET_NAME, ask
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import TraderError
from otonom_trader.storage.journal import Journal

CLOCK = SystemClock()
TRADER = (str(Path(sys.executable).with_name("otonom-trader")),)
CANARY = "canary-8f1d0c5e7b9a4d2f-never-to-be-seen"
"""The API secret of every installation: it may stand in its configuration and nowhere else."""

PATIENCE_SECONDS = 40.0
_PAUSE_SECONDS = 0.02
_SECRETS = re.compile(CANARY.encode() + rb"|signature=[0-9a-f]{8}")
_ALL_ROWS = 1_000_000

_Found = TypeVar("_Found")


@overload
async def until(
    found: Callable[[], Coroutine[Any, Any, _Found]], what: str, seconds: float = ...
) -> _Found: ...


@overload
async def until(found: Callable[[], _Found], what: str, seconds: float = ...) -> _Found: ...


async def until(found: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """Return what `found` gives once that is true; fail after `seconds`, naming `what`."""
    deadline_ns = CLOCK.monotonic_ns() + int(seconds * 1e9)
    while True:
        answer = found()
        value = await answer if isinstance(answer, Awaitable) else answer
        if value:
            return value
        assert CLOCK.monotonic_ns() < deadline_ns, f"not within {seconds:g} s: {what}"
        await CLOCK.sleep(_PAUSE_SECONDS)


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.status == 0, f"exit status {self.status}: {self.err}"
        return json.loads(self.out)


@dataclass
class DaemonProcess:
    """A daemon that runs, or ran, and what it logs."""

    process: asyncio.subprocess.Process
    log_path: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def catches(self, number: signal.Signals) -> bool:
        """Whether the process has a handler for a signal by now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(int(caught.split()[1], 16) >> (number - 1) & 1)

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """Return the lines logged so far; those of the event `name` where one is given."""
        whole = self.log_path.read_bytes().rpartition(b"\n")[0].splitlines()
        lines = [json.loads(line) for line in whole if line.startswith(b"{")]
        return [line for line in lines if name in ("", line["event"])]

    async def logged(self, name: str, **fields: object) -> dict[str, Any]:
        """Wait for the event `name` with these fields, and return the first such line."""

        def matching() -> list[dict[str, Any]]:
            assert self.process.returncode is None or self._matching(name, fields), (
                f"ended with {self.process.returncode}: {self.log_path.read_text()[-3000:]}"
            )
            return self._matching(name, fields)

        return (await until(matching, f"{name} {fields} in {self.log_path}"))[0]

    async def in_state(self, state: str) -> Self:
        """Wait for a log line that says the daemon is in `state`."""
        await self.logged("state.changed", state=state)
        return self

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def kill_9(self) -> None:
        self.process.kill()
        await self.process.wait()

    async def ended(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Return the exit status, once there is one."""
        async with asyncio.timeout(seconds):
            return await self.process.wait()

    async def stop(self) -> None:
        """End as systemd would, and see that it ends well."""
        self.send(signal.SIGTERM)
        status = await self.ended()
        assert status == 0, f"exit status {status}: {self.log_path.read_text()[-3000:]}"

    def _matching(self, name: str, fields: Mapping[str, object]) -> list[dict[str, Any]]:
        return [
            line
            for line in self.events(name)
            if all(line.get(field_) == value for field_, value in fields.items())
        ]


@dataclass
class Installation:
    """One configuration folder and one state directory under `root`, and what runs on them.

    `program` is the command line's program; another one stands for a daemon that is broken.
    `broker` and `daemon` are laid over the two files, key by key; `environ` is what its processes
    find in their environment beside ours.
    """

    root: Path
    url: str
    mode: str = "live"
    api_key: str = "trader-key"
    program: tuple[str, ...] = TRADER
    broker: Mapping[str, Any] = field(default_factory=dict)
    daemon: Mapping[str, Any] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config_dir = self.root / "config"
        self.state_dir = self.root / "state"
        self.decisions = self.root / "patron.jsonl"
        self.said: list[str] = []
        self.processes: list[DaemonProcess] = []
        self.config_dir.mkdir(parents=True)
        self.decisions.touch()
        self.write_config()

    @property
    def journal_path(self) -> Path:
        return self.state_dir / "journal.db"

    def write_config(self, broker: Mapping[str, Any] | None = None) -> None:
        """Write both files; `broker` is laid over what the installation has."""
        files = {
            "broker.yaml": _laid_over(self._plain_broker(), self.broker, broker or {}),
            "daemon.yaml": _laid_over(self._plain_daemon(), self.daemon),
        }
        for name, content in files.items():
            beside = self.config_dir / f"{name}.new"
            beside.write_text(yaml.safe_dump(content, sort_keys=False))
            beside.replace(self.config_dir / name)

    def decide(self, *decisions: Mapping[str, object]) -> None:
        """Append decisions to the source ``patron``, dated now unless they say when."""
        now = CLOCK.now().isoformat()
        lines = [json.dumps({"created_at": now} | dict(given)) for given in decisions]
        with self.decisions.open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))

    async def start(self, *options: str) -> DaemonProcess:
        """Start the daemon; it is not waited for."""
        number = len(self.processes)
        log_path = self.root / f"daemon-{number}.log"
        with log_path.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *self.program,
                "run",
                *self._folders(),
                *options,
                stdout=log,
                stderr=log,
                env=os.environ | self.environ,
            )
        started = DaemonProcess(process, log_path)
        self.processes.append(started)
        self.said.append(Path(f"/proc/{process.pid}/cmdline").read_text())
        return started

    async def command(self, *arguments: str, **environ: str) -> Finished:
        """Run a command to its end, with this configuration and state directory."""
        process = await asyncio.create_subprocess_exec(
            *TRADER,
            *arguments,
            *self._folders(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | self.environ | environ,
        )
        out, err = await process.communicate()
        self.said += [out.decode(), err.decode()]
        return Finished(process.returncode or 0, out.decode(), err.decode())

    async def orders(self) -> list[dict[str, Any]]:
        """Return the orders on record: the running daemon's, else those in the journal it left."""
        running = await self.ask("orders", limit=_ALL_ROWS)
        if running:
            return list(running["rows"])
        async with Journal(self.journal_path, clock=CLOCK) as journal:
            return await journal.orders(_ALL_ROWS)

    async def executions(self) -> list[dict[str, Any]]:
        """Return the executions on record, as `orders` does."""
        running = await self.ask("executions", limit=_ALL_ROWS)
        if running:
            return list(running["rows"])
        async with Journal(self.journal_path, clock=CLOCK) as journal:
            return await journal.executions(_ALL_ROWS)

    async def ask(self, command: str, **arguments: object) -> dict[str, Any]:
        """Ask the running daemon over its socket; empty when none answers."""
        path = self.state_dir / SOCKET_NAME
        try:
            return await ask(path, command, timeout_seconds=5, **arguments)
        except TraderError:
            return {}

    async def status(self) -> dict[str, Any]:
        """Return the running daemon's status; empty when none answers."""
        return await self.ask("status")

    async def decided(self, count: int, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until `count` decisions have an outcome that is not unknown."""

        async def all_known() -> bool:
            counts = (await self.status()).get("decisions", {})
            unknown = counts.pop("unknown", 0)
            counts.pop("pending", None)
            counts.pop("waiting", None)
            return not unknown and sum(counts.values()) >= count

        await until(all_known, f"{count} decisions with a known outcome", seconds)

    def logged(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of the event `name` of all runs so far."""
        return [line for started in self.processes for line in started.events(name)]

    async def aclose(self) -> None:
        """End what still runs."""
        for started in self.processes:
            if started.process.returncode is None:
                await started.kill_9()

    def _folders(self) -> tuple[str, ...]:
        return ("--config", str(self.config_dir), "--state-dir", str(self.state_dir))

    def _plain_broker(self) -> dict[str, Any]:
        return {
            "broker": {
                "type": "binance",
                "mode": self.mode,
                "binance": {
                    "use_testnet": True,
                    "base_url": self.url,
                    "api_key": self.api_key,
                    "api_secret": CANARY,
                    "timeout_seconds": 5,
                    "recv_window_ms": 2000,
                },
            },
            "risk_guardrails": {
                "max_notional_per_order": 20000,
                "max_open_risk_pct": 100,
                "max_position_size_pct": 100,
            },
            # Faults that are ordered come in runs, and what is looked at is what follows each.
            "health_breaker": {
                "consecutive_rejections": None,
                "consecutive_unknowns": None,
                "consecutive_errors": None,
                "consecutive_slow_acks": None,
            },
        }

    def _plain_daemon(self) -> dict[str, Any]:
        return {
            "poll_interval_seconds": 0.05,
            "sources": [{"type": "jsonl", "path": "../patron.jsonl", "name": "patron"}],
            "schedule": {"account_refresh_seconds": 1, "heartbeat_seconds": 1},
            "logging": {"format": "json", "level": "debug"},
        }


def epoch_ms(text: str) -> float:
    """Return an ISO 8601 time as epoch milliseconds."""
    return datetime.fromisoformat(text).timestamp() * 1000


def _laid_over(*layers: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            both = isinstance(value, Mapping) and isinstance(below, Mapping)
            result[key] = _laid_over(below, value) if both else value  # type: ignore[arg-type]
    return result


def secret_seen_in(installations: Iterable[Installation]) -> list[str]:
    """Return where the secret, or a signature made with it, stands outside of the configuration."""
    seen = []
    for installation in installations:
        for path in installation.root.rglob("*"):
            in_config = path.is_relative_to(installation.config_dir)
            if path.is_file() and not in_config and _SECRETS.search(path.read_bytes()):
                seen.append(str(path))
        seen += [text[:200] for text in installation.said if _SECRETS.search(text.encode())]
    return seen

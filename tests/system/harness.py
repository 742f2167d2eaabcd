"""A venue on loopback, the daemon as a real process beside it, and ways to watch both."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Self, TypeVar

import yaml

from otonom_trader.daemon.control import SOCKET_NAME, ask
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import TraderError
from otonom_trader.testnet import (
    AccountConfig,
    LocalTestnet,
    MarketSpec,
    RateLimits,
    TestnetConfig,
)

CLOCK = SystemClock()
TRADER = (str(Path(sys.executable).with_name("otonom-trader")),)
EXAMPLES = Path(__file__).parents[2] / "examples"
CANARY = "canary-8f1d0c5e7b9a4d2f-never-to-be-seen"
"""The API secret of every installation: it may stand in its configuration and nowhere else."""

PATIENCE_SECONDS = 40.0
_PAUSE_SECONDS = 0.02
_ALL_ROWS = "1000000"

_Found = TypeVar("_Found")


async def until(
    found: Callable[[], _Found | Awaitable[_Found]], what: str, seconds: float = PATIENCE_SECONDS
) -> _Found:
    """Return what `found` gives once that is true; fail after `seconds`, naming `what`."""
    deadline_ns = CLOCK.monotonic_ns() + int(seconds * 1e9)
    while True:
        answer = found()
        value = await answer if isinstance(answer, Awaitable) else answer
        if value:
            return value
        assert CLOCK.monotonic_ns() < deadline_ns, f"not within {seconds:g} s: {what}"
        await CLOCK.sleep(_PAUSE_SECONDS)


def account(name: str = "trader", **balances: str) -> AccountConfig:
    """Return an account of the testnet whose secret is the canary."""
    return AccountConfig(
        api_key=f"{name}-key",
        api_secret=CANARY,
        name=name,
        balances={
            asset: Decimal(amount)
            for asset, amount in (balances or {"USDT": "100000", "BTC": "1"}).items()
        },
    )


def venue(*accounts: AccountConfig, market: str = "synthetic", speed: int = 60) -> LocalTestnet:
    """Return a testnet that limits nobody: these tests send faster than anyone trades."""
    return LocalTestnet(
        TestnetConfig(
            accounts=accounts or (account(),),
            market=MarketSpec.parse(market),
            speed=Decimal(speed),
            warmup_bars=250 if market.startswith("bars:") else 0,
            limits=RateLimits(10**9, 10**9, 10**9, 10**9),
        )
    )


def made_up_bars(path: Path, bars: int = 900) -> Path:
    """Write one-minute bars of a seeded random walk, for where the recorded day is absent."""
    random, price = Random(7), Decimal("17000.00")  # noqa: S311  a market, not secrets
    lines = ["open_time_ms,open,high,low,close,volume_base"]
    for number in range(bars):
        closes = price + Decimal(random.randint(-2000, 2000)) / 100
        high = max(price, closes) + Decimal(random.randint(0, 500)) / 100
        low = min(price, closes) - Decimal(random.randint(0, 500)) / 100
        volume = Decimal(random.randint(3_000_000, 20_000_000)) / 100_000
        opened = 1_670_889_600_000 + 60_000 * number
        lines.append(f"{opened},{price},{high},{low},{closes},{volume}")
        price = closes
    path.write_text("\n".join(lines) + "\n")
    return path


def recorded_day() -> Path | None:
    """Return the recorded day of BTCBUSD, None where the shared data is absent."""
    default = Path(__file__).parents[3] / "shared" / "data"
    data = Path(os.environ.get("OTONOM_SHARED_DATA") or default)
    day = data / "market" / "BTCBUSD-1m-2022-12-13.csv"
    return day if day.is_file() else None


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
    `broker` and `daemon` are laid over the two files, key by key.
    """

    root: Path
    url: str
    mode: str = "live"
    api_key: str = "trader-key"
    program: tuple[str, ...] = TRADER
    broker: Mapping[str, Any] = field(default_factory=dict)
    daemon: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config_dir = self.root / "config"
        self.state_dir = self.root / "state"
        self.decisions = self.root / "patron.jsonl"
        self.said: list[str] = []
        self._processes: list[DaemonProcess] = []
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
        number = len(self._processes)
        log_path = self.root / f"daemon-{number}.log"
        with log_path.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *self.program, "run", *self._folders(), *options, stdout=log, stderr=log
            )
        started = DaemonProcess(process, log_path)
        self._processes.append(started)
        self.said.append(Path(f"/proc/{process.pid}/cmdline").read_text())
        return started

    async def command(self, *arguments: str, folders: bool = True) -> Finished:
        """Run a command to its end, with this configuration and state directory."""
        extra = self._folders() if folders else ()
        process = await asyncio.create_subprocess_exec(
            *TRADER,
            *arguments,
            *extra,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        self.said += [out.decode(), err.decode()]
        return Finished(process.returncode or 0, out.decode(), err.decode())

    async def orders(self) -> list[dict[str, Any]]:
        """Return what ``orders --json`` prints."""
        rows: list[dict[str, Any]] = (
            await self.command("orders", "--json", "--limit", _ALL_ROWS)
        ).json
        return rows

    async def executions(self) -> list[dict[str, Any]]:
        """Return what ``executions --json`` prints."""
        rows: list[dict[str, Any]] = (
            await self.command("executions", "--json", "--limit", _ALL_ROWS)
        ).json
        return rows

    async def ask(self, command: str) -> dict[str, Any]:
        """Ask the running daemon over its socket; empty when none answers."""
        try:
            return await ask(self.state_dir / SOCKET_NAME, command, timeout_seconds=5)
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
            return not unknown and sum(counts.values()) >= count

        await until(all_known, f"{count} decisions with a known outcome", seconds)

    def logged(self, name: str) -> list[dict[str, Any]]:
        """Return the lines of the event `name` of all runs so far."""
        return [line for started in self._processes for line in started.events(name)]

    async def aclose(self) -> None:
        """End what still runs."""
        for started in self._processes:
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
        }

    def _plain_daemon(self) -> dict[str, Any]:
        return {
            "poll_interval_seconds": 0.05,
            "sources": [{"type": "jsonl", "path": "../patron.jsonl", "name": "patron"}],
            "schedule": {"account_refresh_seconds": 1, "heartbeat_seconds": 1},
            "logging": {"format": "json", "level": "debug"},
        }


@asynccontextmanager
async def decision_maker(
    url: str, out: Path, symbol: str = "BTC-USDT"
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the example decision-maker: one decision into the file `out` on each candle of 1 s."""
    with out.with_suffix(".log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(EXAMPLES / "patron_momentum.py"),
            *("--url", url, "--out", str(out), "--symbol", symbol),
            *("--interval", "1s", "--every", "0.2", "--strength", "0.5"),
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        assert await process.wait() == 0, out.with_suffix(".log").read_text()


def decided_in(file: Path) -> list[str]:
    """Return the ids of the decisions written to `file`."""
    return [json.loads(line)["id"] for line in file.read_text().splitlines()]


def numbered(
    count: int, side: str = "BUY", first: int = 0, **fields: object
) -> list[dict[str, object]]:
    """Return `count` decisions, each of a quantity of its own, from 0.00200 BTC upwards.

    The quantity tells at the venue which decision an order came from, whatever its client id says.
    """
    return [
        {"id": f"d{n}", "symbol": "BTC-USDT", "direction": side, "qty": quantity(n)} | fields
        for n in range(first, first + count)
    ]


def quantity(number: int) -> str:
    """Return the quantity of the decision ``d<number>``."""
    return str(Decimal("0.002") + number * Decimal("0.00001"))


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
    """Return where the secret stands outside of the configuration that was given it."""
    seen = []
    for installation in installations:
        for path in installation.root.rglob("*"):
            in_config = path.is_relative_to(installation.config_dir)
            if path.is_file() and not in_config and CANARY.encode() in path.read_bytes():
                seen.append(str(path))
        seen += [text[:200] for text in installation.said if CANARY in text]
    return seen

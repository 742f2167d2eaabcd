"""The whole of it on one machine: a local testnet, a decision-maker, and the daemon in shadow mode.

`make run` starts this. Nothing outside of loopback is reached and no key is needed.
"""

import argparse
import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import IO, NoReturn

from otonom_trader.domain.clock import SystemClock

ROOT = Path(__file__).resolve().parents[1]
PREFIX = "OTONOM_TRADER__"
KEY, SECRET = "demo-key", "demo-secret"  # play money on loopback
USAGE, FAILED = 64, 1

_PR_SET_PDEATHSIG = 1
_STOP_SECONDS = 15
_READY_SECONDS = 30

Process = asyncio.subprocess.Process


class Demo:
    """Starts the three processes in turn; leaving it stops them, the newest first."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._config = ROOT / "config"
        self._stack = AsyncExitStack()
        self._trader = [sys.executable, "-m", "otonom_trader.daemon.entry"]

    async def __aenter__(self) -> "Demo":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def testnet(self) -> tuple[Process, str]:
        """Start a market in which a minute passes every second; return its URL once it serves."""
        process = await self._start(
            [
                *[*self._trader, "testnet", "--api-key", KEY, "--api-secret", SECRET],
                *["--balance", "USDT=100000", "--balance", "BTC=0.2"],
                *["--market", "synthetic", "--speed", "60", "--warmup", "120"],
            ],
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None  # noqa: S101  it was asked for
        async with asyncio.timeout(_READY_SECONDS):
            ready = (await process.stdout.readline()).decode()
        if "http://" not in ready:
            raise RuntimeError("the testnet did not start; what it says of it is above")
        return process, ready.rpartition(" ")[2].strip()

    async def decision_maker(self, url: str) -> Process:
        """Start the example decision-maker, which writes where the daemon always reads."""
        with (self._state_dir / "patron.log").open("w") as told:
            return await self._start(
                [
                    *[sys.executable, str(ROOT / "examples" / "patron_momentum.py")],
                    *["--url", url, "--out", str(self._state_dir / "decisions.jsonl")],
                    *["--interval", "1s", "--every", "1", "--strength", "0.5"],
                ],
                stdout=told,
                stderr=told,
            )

    async def daemon(self, url: str) -> Process:
        """Start the daemon in shadow mode on the shipped configuration."""
        places = ["--config", str(self._config), "--state-dir", str(self._state_dir)]
        return await self._start([*self._trader, "run", *places], env=environment(url))

    async def show_executions(self) -> None:
        """Print paper against broker."""
        process = await asyncio.create_subprocess_exec(
            *[*self._trader, "executions"],
            *["--config", str(self._config), "--state-dir", str(self._state_dir)],
            env=environment(),
            start_new_session=True,
            preexec_fn=_die_with(os.getpid()),
        )
        await process.wait()

    async def _start(
        self,
        command: list[str],
        *,
        stdout: int | IO[str] | None = None,
        stderr: int | IO[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Process:
        # In a session of its own, a child does not hear the terminal's Ctrl-C: it has its turn.
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=env,
            start_new_session=True,
            preexec_fn=_die_with(os.getpid()),
        )
        self._stack.push_async_callback(_stop, process)
        return process


def environment(url: str | None = None) -> dict[str, str]:
    """Return this process's environment with the demo's settings in place of any of the user's."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    if url is not None:
        ours |= {
            f"{PREFIX}BROKER__SHADOW_MODE": "true",
            f"{PREFIX}BROKER__BINANCE__BASE_URL": url,
            f"{PREFIX}BROKER__BINANCE__API_KEY": KEY,
            f"{PREFIX}BROKER__BINANCE__API_SECRET": SECRET,
            f"{PREFIX}LOGGING__FORMAT": "console",
        }
    return ours


async def run(duration_seconds: float | None, state_dir: Path) -> int:
    """Run the demo until Ctrl-C, SIGTERM or the duration; return the exit status."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    status = 0
    async with Demo(state_dir) as demo:
        testnet, url = await demo.testnet()
        patron = await demo.decision_maker(url)
        daemon = await demo.daemon(url)
        print(f"Local testnet at {url}. Decisions and journal in {state_dir}. Ctrl-C ends it.")
        parts = {"testnet": testnet, "decision-maker": patron, "daemon": daemon}
        ended = await _first_to_end(parts, stop, duration_seconds)
        if ended is not None:
            print(f"The {ended} ended by itself with status {parts[ended].returncode}.")
            status = FAILED
    print()
    async with Demo(state_dir) as demo:
        await demo.show_executions()
    print(summary(state_dir))
    return status


def summary(state_dir: Path) -> str:
    """Return where the state lies and what to try next, in one line."""
    command = Path(sys.executable).with_name("otonom-trader")
    shown = os.path.relpath(command) if command.exists() else "otonom-trader"
    return (
        f"All of it is kept in {state_dir}: try '{shown} orders --state-dir {state_dir}', "
        "then README.md, 'Your own testnet key'."
    )


async def _first_to_end(
    parts: Mapping[str, Process], stop: asyncio.Event, duration_seconds: float | None
) -> str | None:
    """Wait until told to stop or for the duration; a process that ends before is named."""
    async with asyncio.TaskGroup() as tasks:
        stopped = tasks.create_task(stop.wait())
        waits = {tasks.create_task(process.wait()): name for name, process in parts.items()}
        done, pending = await asyncio.wait(
            [stopped, *waits], timeout=duration_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        for task in pending:
            task.cancel()
    if stopped in done:
        return None
    return next((name for task, name in waits.items() if task in done), None)


async def _stop(process: Process) -> None:
    """Stop a child and wait for it; one that does not listen is killed."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _die_with(parent: int) -> Callable[[], None]:
    """Return what a child does first: have the kernel end it when this process is no more."""
    prctl = ctypes.CDLL(None).prctl

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(FAILED)  # the parent died between fork and prctl

    return bind


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def _seconds(text: str) -> float:
    with suppress(ValueError):
        seconds = float(text)
        if 0 < seconds <= 86_400:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")


def main() -> int:
    parser = _Parser(prog="run_demo.py", description="Testnet, decision-maker and daemon at once.")
    parser.add_argument("--duration", type=_seconds, help="end after so many seconds")
    parser.add_argument("--state-dir", type=Path, help="default: a new folder in var/")
    given = parser.parse_args()
    fresh = Path("var") / f"demo-{SystemClock().now():%Y%m%d-%H%M%S}"
    state_dir: Path = given.state_dir or fresh
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The daemon writes to the same terminal or file: each line in its turn.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        return asyncio.run(run(given.duration, state_dir))
    except TimeoutError:
        print(f"the testnet did not start within {_READY_SECONDS} seconds", file=sys.stderr)
    except RuntimeError as failure:
        print(failure, file=sys.stderr)
    return FAILED


if __name__ == "__main__":
    sys.exit(main())

"""An example decision-maker: momentum of closing prices, written to a file the daemon reads.

It knows nothing of accounts, orders or limits. Whatever program decides for you takes its place by
doing what `write` does: one decision, one line, an id that never changes.

    python examples/patron_momentum.py --url https://testnet.binance.vision \
        --out var/decisions.jsonl --symbol BTC-USDT --interval 1m --every 60 --strength 0.5
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NoReturn

import aiohttp

from otonom_trader.daemon.sources.append import append_decision
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.domain.errors import TraderError
from otonom_trader.domain.symbol import Symbol

USAGE = 64
INTERVALS = ("1s", "1m", "5m", "15m", "1h", "4h", "1d")
HOLD_BAND_PCT = Decimal("0.02")
"""Means that lie closer together than this, in percent, say nothing."""

_TIMEOUT = aiohttp.ClientTimeout(total=5)


@dataclass(frozen=True, slots=True)
class Candle:
    """A candle that has closed; times in epoch milliseconds, the close in quote per base."""

    open_ms: int
    close_ms: int
    close: Decimal


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the rule says, and why."""

    direction: Direction
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to follow and how to decide on it.

    Every `bold_every`-th candle is traded at full strength, 0 for none.
    """

    url: str
    out: Path
    symbol: Symbol
    interval: str
    every_seconds: float
    strength: Decimal
    fast: int
    slow: int
    bold_every: int


def decide(closes: Sequence[Decimal], fast: int = 5, slow: int = 20) -> Opinion:
    """Compare the mean of the newest `fast` closes with that of the newest `slow`. Pure.

    BUY where the fast mean is above, SELL where it is below, HOLD where they nearly meet or where
    there are too few closes. `closes` are oldest first.
    """
    if len(closes) < slow:
        return Opinion(Direction.HOLD, f"{len(closes)} closes of the {slow} needed")
    fast_mean, slow_mean = _mean(closes[-fast:]), _mean(closes[-slow:])
    gap_pct = (fast_mean - slow_mean) / slow_mean * 100
    reason = f"mean of {fast} closes is {gap_pct:+.3f} % from the mean of {slow}"
    if abs(gap_pct) < HOLD_BAND_PCT:
        return Opinion(Direction.HOLD, reason)
    return Opinion(Direction.BUY if gap_pct > 0 else Direction.SELL, reason)


def decision_on(candles: Sequence[Candle], plan: Plan) -> Decision:
    """Return the decision on the newest of `candles`. Pure: the same candles, the same decision.

    Its id and its time are the candle's, so that a restart repeats it word for word, which the
    daemon recognises, instead of deciding twice.
    """
    newest = candles[-1]
    opinion = decide([candle.close for candle in candles], plan.fast, plan.slow)
    number = newest.open_ms // (newest.close_ms + 1 - newest.open_ms)
    bold = plan.bold_every > 0 and number % plan.bold_every == 0
    return Decision(
        id=f"momentum-{newest.open_ms}",
        symbol=plan.symbol.canonical,
        direction=opinion.direction,
        strength=Decimal(1) if bold else plan.strength,
        created_at=datetime.fromtimestamp(newest.close_ms / 1000, UTC),
        reason=opinion.reason,
    )


def read_candles(rows: object, now_ms: int) -> list[Candle]:
    """Return the candles of a ``klines`` reply that have closed by `now_ms`, oldest first.

    Raises ``ValueError`` for what is no such reply. Source: Binance Spot, "Kline/Candlestick data".
    """
    if not isinstance(rows, list):
        raise ValueError(f"not a list of candles: {str(rows)[:80]}")
    try:
        candles = [Candle(int(row[0]), int(row[6]), Decimal(row[4])) for row in rows]
    except (InvalidOperation, IndexError, KeyError, TypeError) as wrong:
        raise ValueError(f"not a list of candles: {wrong!r}") from None
    return [candle for candle in candles if candle.close_ms < now_ms]


def write(decision: Decision, out: Path) -> None:
    """Append `decision` to the file at `out`: all there is to the interface with the daemon."""
    append_decision(out, decision.payload())


async def follow(plan: Plan, clock: SystemClock) -> NoReturn:
    """Decide on each candle once it has closed; a venue that cannot be reached is asked again."""
    decided = ""
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        while True:
            try:
                rows = await _fetch(session, plan)
                candles = read_candles(rows, int(clock.now().timestamp() * 1000))
                if candles and (decision := decision_on(candles, plan)).id != decided:
                    write(decision, plan.out)
                    decided = decision.id
                    print(f"{decision.direction:<4} {decision.strength} {decision.reason}")
            except (aiohttp.ClientError, TimeoutError, ValueError, TraderError) as failure:
                why = str(failure) or type(failure).__name__
                print(f"nothing decided: {why}; trying again", file=sys.stderr)
            await clock.sleep(plan.every_seconds)


async def run(plan: Plan, duration_seconds: float | None) -> None:
    """Follow the market until SIGTERM, SIGINT or the duration."""
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError, TimeoutError):
        async with asyncio.timeout(duration_seconds):
            await follow(plan, SystemClock())


async def _fetch(session: aiohttp.ClientSession, plan: Plan) -> Any:
    # One candle more than is needed: the newest is still open.
    query = {"symbol": plan.symbol.joined, "interval": plan.interval, "limit": str(plan.slow + 1)}
    async with session.get(f"{plan.url}/api/v3/klines", params=query) as reply:
        if reply.status != 200:
            raise ValueError(f"HTTP {reply.status} {(await reply.text())[:200]}")
        return await reply.json()


def _mean(closes: Sequence[Decimal]) -> Decimal:
    return sum(closes, Decimal(0)) / len(closes)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def _strength(text: str) -> Decimal:
    with suppress(InvalidOperation):
        strength = Decimal(text)
        if 0 < strength <= 1:
            return strength
    raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0, at most 1")


def _symbol(text: str) -> Symbol:
    try:
        return Symbol.parse(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None


def _url(text: str) -> str:
    if text.startswith(("http://", "https://")):
        return text.rstrip("/")
    raise argparse.ArgumentTypeError(f"{text!r} does not begin with http:// or https://")


def _seconds(text: str) -> float:
    with suppress(ValueError):
        seconds = float(text)
        if 0 < seconds <= 86_400:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= 900:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number up to 900")


def parse_arguments(arguments: Sequence[str]) -> tuple[Plan, float | None]:
    """Read the command line; exits with 64 and a sentence on what is wrong."""
    parser = _Parser(prog="patron_momentum.py", description="An example decision-maker.")
    parser.add_argument("--url", type=_url, required=True, help="the venue's REST host")
    parser.add_argument("--out", type=Path, required=True, help="the JSONL file to append to")
    parser.add_argument("--symbol", type=_symbol, default="BTC-USDT", help="such as BTC-USDT")
    parser.add_argument("--interval", choices=INTERVALS, default="1m", help="length of a candle")
    parser.add_argument("--every", type=_seconds, default="60", help="seconds between two looks")
    parser.add_argument("--strength", type=_strength, default="0.5", help="above 0, at most 1")
    parser.add_argument("--duration", type=_seconds, help="end after so many seconds")
    parser.add_argument("--fast", type=_count, default="5", help="closes of the fast mean")
    parser.add_argument("--slow", type=_count, default="20", help="closes of the slow mean")
    parser.add_argument(
        "--bold-every", type=_count, default="10", help="full strength on every so many candles"
    )
    given = parser.parse_args(arguments)
    if not 0 < given.fast < given.slow:
        parser.error(f"--fast {given.fast} must be above 0 and below --slow {given.slow}")
    plan = Plan(
        url=given.url,
        out=given.out,
        symbol=given.symbol,
        interval=given.interval,
        every_seconds=given.every,
        strength=given.strength,
        fast=given.fast,
        slow=given.slow,
        bold_every=given.bold_every,
    )
    return plan, given.duration


def main() -> int:
    plan, duration_seconds = parse_arguments(sys.argv[1:])
    try:
        plan.out.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        print(f"{plan.out.parent} cannot be made: {error.strerror}", file=sys.stderr)
        return 1
    asyncio.run(run(plan, duration_seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())

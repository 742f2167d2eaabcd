"""Execute the decisions of the decision database with a program of your own, without the daemon.

    config          show what is configured
    simple          send each decision straight to the broker
    advanced        execute each decision on paper and at the broker, side by side
    loop [SECONDS]  the same again and again, every hour unless told otherwise

Reads config/broker.yaml and config/daemon.yaml of the current folder, and the decisions made today
(UTC) in the database that `decisions_db` names. `advanced` and `loop` keep a journal in
$STATE_DIRECTORY, else ./var, and execute nothing twice. `simple` keeps none and orders again when
it is run again; it is refused in mode live.
"""

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from otonom_trader.brokers import OrderRequest, create_broker
from otonom_trader.brokers.config import get_broker_config
from otonom_trader.daemon.broker_integration import create_shadow_executor
from otonom_trader.daemon.control import exit_status
from otonom_trader.daemon.logs import configure_logging
from otonom_trader.daemon.settings import load_settings
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.domain.errors import ConfigurationError, NotPermitted, TraderError
from otonom_trader.storage import get_session

USAGE: Final = 64
COMMANDS: Final = ("config", "simple", "advanced", "loop")
DEFAULT_LOOP_SECONDS: Final = 3600.0
BROKER_CONFIG: Final = "config/broker.yaml"

_clock = SystemClock()


def show_config() -> None:
    """The guide's example 1."""
    config = get_broker_config(BROKER_CONFIG)
    print(f"Broker: {config.broker_type}")
    print(f"Shadow mode: {config.shadow_mode}")
    print(f"Testnet: {config.use_testnet}")
    guardrails = config.get_risk_guardrails()
    print(f"Max notional: {_dollars(guardrails.max_notional_per_order)}")


async def todays_decisions() -> list[Decision]:
    """Return what was decided since midnight UTC, in the order in which it was written."""
    midnight = _clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    async with get_session(load_settings("config").decisions_db) as session:
        decisions = await session.query(Decision).filter(since=midnight).all()
        for defect in session.malformed:
            print(f"Decision {defect.id}: left out, {defect.reason}")
    return decisions


async def run_simple() -> None:
    """The guide's example 3: quantity is the decision's own, else its strength."""
    async with create_broker(BROKER_CONFIG) as broker:
        for decision in await todays_decisions():
            qty = decision.qty or decision.strength
            if decision.direction is Direction.HOLD or qty is None:
                print(f"Decision {decision.id}: nothing to order")
                continue
            result = await broker.place_order(
                OrderRequest(symbol=decision.symbol, side=decision.direction, qty=qty)
            )
            print(f"Decision {decision.id}: {result.ok} {result.message}".rstrip())


async def run_advanced() -> None:
    """The guide's example 4: sized by strength, on paper and at the broker, on record."""
    async with create_shadow_executor(BROKER_CONFIG) as executor:
        for decision in await todays_decisions():
            log = await executor.execute_decision(None, decision)
            print(f"Decision {decision.id}: {log.outcome} {log.broker_message}".rstrip())
            print(f"  Paper: ${log.paper_fill_price:.2f}")
            print(f"  Broker: {log.broker_ok} ({log.latency_ms:.1f}ms)")
            print(f"  Slippage: {log.slippage_estimate:.2f}%")


async def run_loop(seconds: float) -> None:
    """Do `run_advanced` every so many seconds, until SIGINT or SIGTERM ends the pause between two.

    What may pass the next time, such as a venue that is away, is told and the loop goes on.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    while not stop.is_set():
        try:
            await run_advanced()
        except (ConfigurationError, NotPermitted):
            raise
        except TraderError as refusal:
            print(refusal, file=sys.stderr)
        sys.stdout.flush()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stop.wait()


def _dollars(amount: object) -> str:
    return "no limit" if amount is None else f"${amount:,.2f}"


def _loop_seconds(text: str) -> float:
    with suppress(ValueError):
        seconds = float(text)
        if 0 < seconds <= 86_400:
            return seconds
    raise ValueError(f"{text!r} is not a number of seconds above 0 and up to 86400")


def _refuse(reason: str) -> int:
    print(
        f"{reason}\nusage: {Path(sys.argv[0]).name} config | simple | advanced | loop [SECONDS]",
        file=sys.stderr,
    )
    return USAGE


def main(arguments: Sequence[str]) -> int:
    if not arguments:
        return _refuse("a command is missing")
    command, *rest = arguments
    if command not in COMMANDS:
        return _refuse(f"there is no command {command!r}")
    most = 1 if command == "loop" else 0
    if len(rest) > most:
        return _refuse(f"{command} takes {'one number of seconds' if most else 'nothing'} after it")
    try:
        seconds = _loop_seconds(rest[0]) if rest else DEFAULT_LOOP_SECONDS
    except ValueError as wrong:
        return _refuse(str(wrong))
    # What is executed is printed here; of the library's own events only trouble is.
    configure_logging(level="error", stream=sys.stderr)
    try:
        if command == "config":
            show_config()
        elif command == "loop":
            asyncio.run(run_loop(seconds))
        else:
            asyncio.run(run_simple() if command == "simple" else run_advanced())
    except TraderError as refusal:
        print(refusal, file=sys.stderr)
        return exit_status(refusal)
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

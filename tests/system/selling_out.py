"""A kill that sells: a venue with a book, a daemon that has bought, and what was sold since."""

import signal
from decimal import Decimal
from typing import Any

from otonom_trader.testnet import LocalTestnet
from tests.system.conftest import Install
from tests.system.harness import DaemonProcess, Installation, until
from tests.system.markets import Levels, account, venue
from tests.system.scenarios import DEAF, ORDER

DEEP: tuple[Levels, Levels] = ((("20010", "5"),), (("19990", "5"),))
EMPTY: tuple[Levels, Levels] = ((("20010", "5"),), (("19990", "0.01"), ("15000", "5")))
HELD_BEFORE = Decimal(1)
LESS_THE_FEE = Decimal("0.999")  # which is taken of what was bought


def quoted() -> LocalTestnet:
    """A venue where somebody else keeps the book; a coin is there before anything is bought."""
    maker = account("maker", USDT="10000000", BTC="1000")
    return venue(maker, account(USDT="100000", BTC=str(HELD_BEFORE)), market="empty")


def flattening(install: Install, market: LocalTestnet, **given: Any) -> Installation:
    """An installation that closes positions after a kill; limits stand in the way of nothing."""
    limits = {"max_position_size_pct": 100, "max_open_risk_pct": 100}
    broker = {
        "risk_guardrails": limits | given.pop("guardrails", {}),
        "symbols": {"BTC-USD": "BTC-USDT"},  # traded from the start
        "broker": {"binance": given.pop("binance", {})},
    }
    kill = {"kill": {"flatten_positions": True, "cancel_deadline_seconds": 2}}
    return install(market.url, broker=broker, daemon=kill | given.pop("daemon", {}), **given)


async def bought(trader: Installation, *qtys: str) -> DaemonProcess:
    """A daemon that has bought so much."""
    daemon = await (await trader.start()).in_state("RUNNING")
    trader.decide(
        *(
            {"id": f"buy-{number}", "symbol": "BTC-USDT", "direction": "BUY", "qty": qty}
            for number, qty in enumerate(qtys)
        )
    )
    await trader.decided(len(qtys))
    assert {row["outcome"] for row in await trader.executions()} == {"filled"}
    return daemon


def sold(market: LocalTestnet) -> Decimal:
    """How much the venue says that we have sold."""
    return sum(
        (
            Decimal(one["executedQty"])
            for one in market.truth()["orders"]
            if one["account"] == "trader" and one["side"] == "SELL"
        ),
        Decimal(0),
    )


async def sales(trader: Installation) -> list[dict[str, Any]]:
    return [row for row in await trader.executions() if row["source"] == "flatten"]


async def flat(trader: Installation) -> bool:
    return (await trader.status()).get("kill_flat") is True


async def a_sale_is_not_answered(
    trader: Installation, market: LocalTestnet, fault: str
) -> DaemonProcess:
    """Kill a daemon that has bought; its first sale meets `fault`. Nothing is sold twice."""
    daemon = await bought(trader, "0.05")
    market.faults.add(DEAF)
    market.faults.add(ORDER | {"fault": fault, "count": 1})
    market.faults.add(ORDER | {"method": "GET", "fault": "http_503", "seconds": 3})
    daemon.send(signal.SIGUSR1)
    await until(lambda: flat(trader), "flat", seconds=60)
    assert sold(market) == Decimal("0.05") * LESS_THE_FEE, "sold more than was bought"
    return daemon

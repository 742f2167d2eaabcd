"""The comparison of examples is itself to be trusted: it lets the least pass, and no more."""

import pytest

from tests.docs.adaptation import difference

EXAMPLE = """
from otonom_trader.brokers import create_broker

broker = create_broker()
with get_session() as session:
    decisions = session.query(Decision).filter(...).all()
    for decision in decisions:
        result = broker.place_order(decision.symbol, current_price, equity=100000)
        print(f"{result.ok}")
"""

ADAPTED = """
import asyncio
from otonom_trader.brokers import create_broker
from otonom_trader.storage import Decision, get_session

async def main():
    current_price = 50000
    async with create_broker() as broker, get_session() as session:
        decisions = await session.query(Decision).filter(symbol="BTC-USDT").all()
        for decision in decisions:
            result = await broker.place_order(decision.symbol, current_price, equity=100000)
            print(f"{result.ok}")

asyncio.run(main())
"""


def test_awaits_contexts_imports_and_open_values_may_be_added() -> None:
    assert difference(EXAMPLE, ADAPTED) is None
    assert difference(EXAMPLE, EXAMPLE) is None


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ("equity=100000", "equity=200000"),
        ("equity=100000", "equity=100000, retry=True"),
        ("decision.symbol", "decision.id"),
        ("place_order", "send_order"),
        ("create_broker()", "create_broker('other.yaml')"),
        (".all()", ".first()"),
        ('print(f"{result.ok}")', "pass"),
        ('print(f"{result.ok}")', 'print(f"{result.ok}"); print("done")'),
        ('print(f"{result.ok}")', "if result.ok: print(result)"),
        ("current_price = 50000", "current_price = 50000; print(current_price)"),
        ("current_price = 50000", "decisions = []"),
        ("for decision in decisions", "for decision in decisions[:1]"),
        ("asyncio.run(main())", "asyncio.run(main())\nprint('done')"),
    ],
)
def test_anything_else_is_a_difference(what: str, instead: str) -> None:
    assert what in ADAPTED
    assert difference(EXAMPLE, ADAPTED.replace(what, instead)) is not None

"""The kill switch of a running daemon: every door, how fast it shuts, and how it opens again."""

from tests.system.conftest import Install
from tests.system.harness import account, venue
from tests.system.scenarios import (
    signalled_in_the_middle,
    tripped_while_an_order_waits_for_a_connection,
)


async def test_an_order_that_waits_for_a_connection_does_not_leave_after_the_signal(
    install: Install,
) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(
            market.url,
            broker={"broker": {"binance": {"timeout_seconds": 3}}},
            daemon={"max_concurrent_decisions": 30},
        )
        await tripped_while_an_order_waits_for_a_connection(trader, market)


async def test_nothing_is_sent_after_a_signal_in_the_middle_of_trading(install: Install) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        await signalled_in_the_middle(trader, market, daemon)

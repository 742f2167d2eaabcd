"""Each safety of orders that wait for a person is missed when it is taken out.

The scenarios and their oracles are those of ``tests/system``, where the daemon comes through them.
"""

import pytest

from tests.broken.variants import program
from tests.system.approving import (
    NEEDED,
    approved_and_killed_over,
    approved_once_the_market_has_doubled,
    restarted_while_one_waits,
)
from tests.system.conftest import Install
from tests.system.markets import account, venue


async def test_an_approval_that_is_the_last_word_sends_what_a_guardrail_denies(
    install: Install,
) -> None:
    book = account("maker", USDT="10000000", BTC="1000")
    async with venue(book, account(), market="empty") as market:
        trader = install(market.url, program=program("approval_is_the_last_word"), broker=NEEDED)
        with pytest.raises(AssertionError, match="an approved order left that was not judged"):
            await approved_once_the_market_has_doubled(trader, market)


async def test_an_approval_recorded_after_the_send_is_carried_out_twice_over_a_crash(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(
            market.url, program=program("approval_recorded_after_the_send"), broker=NEEDED
        )
        with pytest.raises(AssertionError, match="executed twice, by origClientOrderId"):
            await approved_and_killed_over(trader, market)


async def test_an_approval_that_is_left_open_is_asked_for_again_after_a_crash(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(market.url, program=program("approval_left_open"), broker=NEEDED)
        with pytest.raises(AssertionError, match="it waits for the word that it was sent on"):
            await approved_and_killed_over(trader, market)


@pytest.mark.parametrize(
    ("variant", "caught"),
    [
        ("parked_in_memory_only", "what waited is lost"),
        ("parked_and_not_taken_up", "what waited cannot be approved: no decision"),
    ],
)
async def test_what_is_not_kept_waiting_over_a_restart_is_lost(
    install: Install, variant: str, caught: str
) -> None:
    async with venue() as market:
        trader = install(market.url, program=program(variant), broker=NEEDED)
        with pytest.raises(AssertionError, match=caught):
            await restarted_while_one_waits(trader, market)

"""Each safety test fails when the safety is taken out, and for that reason.

The scenarios and their oracles are those of ``tests/system``, where the daemon comes through them.
"""

import pytest

from tests.broken.variants import program
from tests.system.conftest import Install
from tests.system.harness import CANARY, secret_seen_in
from tests.system.markets import account, venue, write_book
from tests.system.scenarios import (
    a_looser_limit_is_saved,
    decisions_meet_a_fault,
    killed_9_after_the_signal,
    killed_while_an_order_is_unanswered,
    many_at_once_under_one_limit,
    signalled_in_the_middle,
    tripped_while_an_order_waits_for_a_connection,
)
from tests.system.selling_out import DEEP, a_sale_is_not_answered, flattening, quoted

NO_ANSWER = {"fault": "no_answer_after"}
IMPATIENT = {"broker": {"binance": {"timeout_seconds": 0.3, "recv_window_ms": 1000}}}


async def test_without_the_gate_before_the_bytes_a_waiting_order_leaves(install: Install) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(
            market.url,
            program=program("gate_removed"),
            broker={"broker": {"binance": {"timeout_seconds": 3}}},
            daemon={"max_concurrent_decisions": 100},
        )
        with pytest.raises(AssertionError, match="signed after the latch"):
            await tripped_while_an_order_waits_for_a_connection(trader, market)


async def test_with_the_gate_before_the_pool_a_waiting_order_leaves(install: Install) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(
            market.url,
            program=program("gate_before_the_pool"),
            broker={"broker": {"binance": {"timeout_seconds": 3}}},
            daemon={"max_concurrent_decisions": 100},
        )
        with pytest.raises(AssertionError, match="signed after the latch"):
            await tripped_while_an_order_waits_for_a_connection(trader, market)


async def test_with_the_latch_in_memory_only_a_restart_trades(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url, program=program("latch_in_memory_only"))
        with pytest.raises(AssertionError, match="the restart is RUNNING"):
            await killed_9_after_the_signal(trader)


async def test_a_daemon_that_ignores_the_switch_goes_on_sending(install: Install) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url, program=program("switch_ignored"))
        daemon = await (await trader.start()).in_state("RUNNING")
        with pytest.raises(AssertionError, match="signed after the latch"):
            await signalled_in_the_middle(trader, market, daemon)


async def test_resending_what_was_not_answered_executes_decisions_twice(install: Install) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url, program=program("resend_on_timeout"), broker=IMPATIENT)
        with pytest.raises(AssertionError, match="executed twice, by origClientOrderId"):
            await decisions_meet_a_fault(trader, market, NO_ANSWER, 20, deaf=True)


async def test_taking_silence_for_failure_leaves_orders_out_of_the_journal(
    install: Install,
) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url, program=program("timeout_is_failure"), broker=IMPATIENT)
        with pytest.raises(
            AssertionError, match=r"only in the journal: set\(\), only at the venue"
        ):
            await decisions_meet_a_fault(trader, market, NO_ANSWER, 20, deaf=True)


async def test_an_intent_written_after_the_send_is_executed_again_after_a_crash(
    install: Install,
) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url, program=program("intent_after_send"))
        with pytest.raises(AssertionError, match="executed twice, by origClientOrderId"):
            await killed_while_an_order_is_unanswered(trader, market)


async def test_without_reservations_decisions_pass_a_limit_together(install: Install) -> None:
    limits = {"risk_guardrails": {"max_position_size_pct": 10}}
    async with venue(account(USDT="100000")) as market:
        trader = install(
            market.url, program=program("reservation_released_early"), broker=IMPATIENT | limits
        )
        with pytest.raises(AssertionError, match=r"room for 0\.1 BTC, bought were 0\.8"):
            await many_at_once_under_one_limit(trader, market, deaf=True)


async def test_a_reload_that_loosens_lets_through_what_was_denied(install: Install) -> None:
    limits = {"risk_guardrails": {"max_notional_per_order": 10}}
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url, program=program("reload_that_loosens"), broker=limits)
        with pytest.raises(AssertionError, match="a reload has loosened a limit"):
            await a_looser_limit_is_saved(trader, market)


async def test_selling_again_what_was_not_answered_sells_more_than_was_bought(
    install: Install,
) -> None:
    async with quoted() as market:
        write_book(market, *DEEP)
        trader = flattening(install, market, program=program("sells_while_unknown"))
        with pytest.raises(AssertionError, match="sold more than was bought"):
            await a_sale_is_not_answered(trader, market, "drop_after")


async def test_the_search_for_the_secret_finds_it_wherever_it_is_said(install: Install) -> None:
    trader = install("http://127.0.0.1:9")
    assert secret_seen_in([trader]) == []
    leak = trader.root / "daemon-0.log"
    for told in (CANARY, "GET /api/v3/account?timestamp=1&signature=0f9e8d7c6b5a"):
        leak.write_text(told)
        trader.said.append(told)
        assert secret_seen_in([trader]) == [str(leak), told]
        leak.unlink()
        trader.said.clear()

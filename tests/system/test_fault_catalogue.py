"""The faults of the venue's, one by one, as docs/reliability.md lists them.

Each asserts what becomes of the decision, and that the journal is the venue's own truth.
"""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from otonom_trader.brokers.binance.errors import Paused
from otonom_trader.domain.errors import RateLimited, VenueUnreachable
from otonom_trader.domain.execution import Outcome
from otonom_trader.domain.mode import DaemonState
from otonom_trader.testnet import LocalTestnet, RateLimits
from tests.system.harness import until
from tests.system.rig import Jump, Rig, control, quote, rig, venue_config

OVER = {"rest": "/api/v3/order", "ws": "order.place"}
BOTH = pytest.mark.parametrize("transport", OVER)


async def struck(
    folder: Path, transport: str, fault: str, *, heard: bool = False, **more: Any
) -> Outcome:
    """One decision struck by one fault, asked for until it is known, and the oracle."""
    async with rig(folder, order_transport=transport) as one:
        if not heard:
            await one.fault("omit", "user", count=3)
        await one.fault(fault, OVER[transport], **more)
        row = await one.decide()
        assert row.outcome is Outcome.UNKNOWN
        assert one.broker.exposure().pending_buys == {"BTC": Decimal("0.01")}
        await one.resolve()
        assert one.sent() == 1
        assert one.broker.exposure().pending_buys == {}
        await until(lambda: one.state is DaemonState.RUNNING, "the journal caught up", seconds=10)
        await one.agree()
        return await one.outcome(row)


@BOTH
async def test_fault_1_a_timeout_before_the_exchange_acts(tmp_path: Path, transport: str) -> None:
    assert await struck(tmp_path, transport, "no_answer_before") is Outcome.ABSENT


@BOTH
async def test_fault_2_a_timeout_after_it_acted(tmp_path: Path, transport: str) -> None:
    assert await struck(tmp_path, transport, "no_answer_after") is Outcome.FILLED


@BOTH
@pytest.mark.parametrize(("ms", "outcome"), [(500, Outcome.FILLED), (1500, Outcome.ABSENT)])
async def test_fault_3_a_request_that_is_late(
    tmp_path: Path, transport: str, ms: int, outcome: Outcome
) -> None:
    """Given up after 300 ms; within its window of a second it is carried out, later refused."""
    async with rig(tmp_path, order_transport=transport) as one:
        await one.fault("delay_before", OVER[transport], ms=ms)
        row = await one.decide()
        assert row.outcome is Outcome.UNKNOWN

        def arrived() -> bool:
            requests = one.venue.truth()["requests"]
            return any(r["accepted"] or r["code"] == -1021 for r in requests)

        await until(arrived, "the late request at the engine", seconds=10)
        await one.resolve()
        assert await one.outcome(row) is outcome
        assert one.sent() == 1
        await one.agree()


async def test_fault_3_a_request_that_is_late_and_asked_for_before_it_arrives(
    tmp_path: Path,
) -> None:
    """Not there yet proves nothing before the fence. Three seconds on its way, asked for before."""
    async with rig(tmp_path, recv_window_ms=10_000) as one:
        await one.fault("omit", "user", count=10)
        await one.fault("delay_before", ms=3000)
        row = await one.decide()
        assert row.outcome is Outcome.UNKNOWN
        for _ in range(3):
            await one.settle()
        await until(one.accepted, "the late request at the engine", seconds=10)
        one.jump.seconds += 23
        for _ in range(2):
            await one.settle()
        assert await one.outcome(row) is Outcome.FILLED
        await one.agree()


async def test_fault_4_a_connection_reset_in_the_middle_of_a_reply(tmp_path: Path) -> None:
    assert await struck(tmp_path, "rest", "reset_mid_reply") is Outcome.FILLED


@BOTH
async def test_fault_4_a_connection_dropped_after_the_exchange_acted(
    tmp_path: Path, transport: str
) -> None:
    assert await struck(tmp_path, transport, "drop_after") is Outcome.FILLED


async def test_fault_5_a_connection_that_says_nothing_any_more_is_replaced(tmp_path: Path) -> None:
    async with rig(tmp_path, order_transport="ws") as one:
        await one.fault("silence", "user", seconds=600)
        row = await one.decide()
        assert row.outcome is Outcome.UNKNOWN
        await one.mend()
        await one.resolve()
        assert await one.outcome(row) is Outcome.FILLED
        again = await one.decide()
        assert again.outcome is Outcome.FILLED
        await one.agree()


async def test_fault_6_a_connection_that_cannot_be_had_is_tried_on_while_the_price_is_fresh(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path, order_transport="ws") as one:
        await one.fault("drop_before", "/ws-api/v3", method="GET")
        await one.fault("drop", "user")
        row = await one.decide()
        assert row.outcome is Outcome.FILLED
        assert one.accepted() == one.sent() == 1
        await one.agree()


async def test_fault_8_a_reply_that_drips_ends_with_the_deadline(tmp_path: Path) -> None:
    assert await struck(tmp_path, "rest", "slow_drip", ms=30) is Outcome.FILLED


async def test_fault_9_a_firewall_s_page_is_unknown_and_pauses_everything(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.fault("omit", "user", count=3)
        await one.fault("html_403", executed=False)
        row = await one.decide()
        assert (row.outcome, row.broker_code) == (Outcome.UNKNOWN, "blocked")
        with pytest.raises(Paused, match="HTTP 403"):
            await one.broker.venue.get_account()
        one.jump.seconds += 61
        await one.resolve()
        assert await one.outcome(row) is Outcome.ABSENT
        await one.agree()


PAGES = [("rest", "html_502"), ("rest", "http_503")]
ERRORS = [(over, f"error_{code}") for over in OVER for code in (1006, 1007, 1008)]


@pytest.mark.parametrize(("transport", "fault"), PAGES + ERRORS)
@pytest.mark.parametrize("executed", [1, 0])
async def test_fault_10_an_error_that_does_not_say_whether_it_was_carried_out(
    tmp_path: Path, transport: str, fault: str, executed: int
) -> None:
    outcome = await struck(tmp_path, transport, fault, executed=bool(executed))
    assert outcome is (Outcome.FILLED if executed else Outcome.ABSENT)


@BOTH
async def test_fault_11_half_a_reply(tmp_path: Path, transport: str) -> None:
    assert await struck(tmp_path, transport, "truncate_json") is Outcome.FILLED


@BOTH
async def test_fault_12_a_reply_about_another_order_halts(tmp_path: Path, transport: str) -> None:
    async with rig(tmp_path, order_transport=transport) as one:
        await one.decide("0.02")
        await one.fault("omit", "user", count=3)
        await one.fault("wrong_reply", OVER[transport])
        row = await one.decide()
        assert (row.outcome, row.broker_code) == (Outcome.UNKNOWN, "mismatched_reply")
        assert one.state is DaemonState.HALTED
        assert "the reply tells of" in one.switch.reason
        denied = await one.decide()
        assert denied.outcome is Outcome.DENIED
        await one.resolve()
        assert await one.outcome(row) is Outcome.FILLED
        await one.agree()


@BOTH
async def test_fault_13_429_is_a_definite_refusal_and_a_pause_but_for_cancels(
    tmp_path: Path, transport: str
) -> None:
    async with rig(tmp_path, order_transport=transport) as one:
        resting = await one.decide(price=Decimal(19000))
        await one.fault("rate_429", OVER[transport], retry_after_s=7)
        row = await one.decide()
        assert (row.outcome, row.broker_code) == (Outcome.REJECTED, "rate_limited")
        assert one.broker.exposure().pending_buys == {"BTC": Decimal("0.01")}  # the resting one's
        with pytest.raises(Paused, match="HTTP 429"):
            await one.broker.venue.get_account()
        cancelled = await one.broker.cancel_order(resting.client_order_id or "", "BTCUSDT")
        assert cancelled.ok
        await one.becomes(resting, Outcome.CANCELLED)
        one.jump.seconds += 8
        assert (await one.decide()).outcome is Outcome.FILLED
        await one.agree()


async def test_fault_13_429_on_a_market_is_waited_out_and_denies_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.fault("rate_429", "/api/v3/depth", method="GET", retry_after_s=1)
        row = await one.decide()
        assert (row.outcome, one.accepted()) == (Outcome.FILLED, 1)
        await one.agree()


async def test_fault_13_429_on_a_comparison_is_no_agreement(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.decide()
        await one.fault("rate_429", "/api/v3/myTrades", method="GET")
        with pytest.raises(RateLimited):
            await one.floor.reconciler.look_over()


async def test_fault_13_429_at_the_start_is_no_refusal_of_the_account(tmp_path: Path) -> None:
    async with LocalTestnet(venue_config(Jump())) as venue:
        await control(venue, "faults", {"path": "/api/v3/account", "fault": "rate_429", "count": 1})
        with pytest.raises(VenueUnreachable, match=r"the venue cannot be reached: .* HTTP 429"):
            async with rig(tmp_path, venue=venue):
                pass


async def test_fault_14_a_ban_outlives_the_process(tmp_path: Path) -> None:
    jump = Jump()
    async with LocalTestnet(venue_config(jump)) as venue:
        await quote(venue)
        async with rig(tmp_path, venue=venue, jump=jump) as one:
            await one.fault("ban_418", retry_after_s=90)
            row = await one.decide()
            assert (row.outcome, row.broker_code) == (Outcome.REJECTED, "rate_limited")

            async def noted() -> bool:
                return await one.journal.ban_until(one.config.base_url) is not None

            await until(noted, "the ban on record", seconds=10)
        asked = len(venue.truth()["requests"])
        jump.seconds += 60
        with pytest.raises(Exception, match="after HTTP 418 Binance takes no requests"):
            async with rig(tmp_path, venue=venue, jump=jump, stream=False):
                pass
        assert len(venue.truth()["requests"]) == asked
        jump.seconds += 31
        async with rig(tmp_path, venue=venue, jump=jump) as again:
            assert (await again.decide()).outcome is Outcome.FILLED
            await again.agree()


@BOTH
@pytest.mark.parametrize("skew_ms", [5_000, -5_000])
async def test_fault_15_a_clock_that_jumps_is_read_anew_and_the_order_signed_once_more(
    tmp_path: Path, transport: str, skew_ms: int
) -> None:
    async with rig(tmp_path, order_transport=transport) as one:
        await one.ask("clock", {"skew_ms": skew_ms})
        row = await one.decide()
        assert row.outcome is Outcome.FILLED
        codes = [r["code"] for r in one.venue.truth()["requests"] if r["account"] == "trader"]
        assert codes == [-1021, None]
        await one.agree()


async def test_fault_16_a_balance_that_does_not_suffice_is_refused_and_nothing_stays_reserved(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path, stream=False) as one:
        transfer = {"account": "trader", "asset": "USDT", "amount": "-99950"}
        await one.ask("transfers", transfer)
        row = await one.decide()
        assert (row.outcome, row.broker_code) == (Outcome.REJECTED, "new_order_rejected")
        assert "insufficient balance" in row.broker_message
        assert one.broker.exposure().pending_buys == {}
        await one.agree()


async def test_fault_17_a_redirect_is_not_followed(tmp_path: Path) -> None:
    assert await struck(tmp_path, "rest", "redirect") is Outcome.ABSENT


async def resting_and_filled(one: Rig, *events: tuple[str, dict[str, Any]]) -> None:
    """A resting order is filled in two steps, its events spoiled in some way."""
    row = await one.decide("0.03", price=Decimal(19995))
    assert row.outcome is Outcome.RESTING
    for fault, more in events:
        await one.fault(fault, "user", **more)
    sell = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC"}
    for qty in ("0.01", "0.02"):
        await one.ask("orders", sell | {"quantity": qty, "price": "19995"})
    await one.becomes(row, Outcome.FILLED)
    await one.agree()


async def test_fault_18_events_that_come_twice(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await resting_and_filled(one, ("duplicate", {"count": 4}))


async def test_fault_19_events_that_come_late(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await resting_and_filled(one, ("delay", {"count": 2, "ms": 150}))


async def test_fault_19_an_earlier_state_that_comes_last(tmp_path: Path) -> None:
    """Filled in two steps and not answered: the second step is told before the first."""
    async with rig(tmp_path) as one:
        ask = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC"}
        await one.ask("orders", ask | {"quantity": "0.005", "price": "19999"})
        await one.fault("omit", "user")
        await one.fault("reorder", "user")
        await one.fault("no_answer_after")
        row = await one.decide()
        await one.becomes(row, Outcome.FILLED)
        await one.agree()


async def test_fault_20_events_in_another_order_and_before_the_answer(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await resting_and_filled(one, ("reorder", {"count": 1}))
        await one.fault("delay_after", ms=200)
        row = await one.decide()
        assert row.outcome is Outcome.FILLED
        assert row.latency_ms >= 200
        await one.agree()


async def test_fault_21_events_missed_while_the_stream_was_down(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await resting_and_filled(
            one, ("omit", {"count": 3}), ("drop", {"count": 1, "on_event": True})
        )


async def test_fault_22_a_connection_the_venue_ends_is_replaced_first(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await resting_and_filled(one, ("server_shutdown", {"count": 1, "ms": 300}))
        assert one.follower.is_live


async def test_fault_43_a_key_that_is_revoked_halts_and_unknown_stays_unknown(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as one:
        await one.fault("omit", "user", count=3)
        await one.fault("no_answer_after")
        row = await one.decide()
        assert row.outcome is Outcome.UNKNOWN
        await one.ask("keys/trader-key", {"revoked": True})
        asked = len(one.venue.truth()["requests"])
        await one.settle()
        assert one.state is DaemonState.HALTED
        assert one.switch.reason.startswith("the venue refuses the key: ")
        one.jump.seconds += 20
        await one.settle()
        assert await one.outcome(row) is Outcome.UNKNOWN
        assert (await one.decide()).outcome is Outcome.DENIED
        assert len(one.venue.truth()["requests"]) == asked


async def test_fault_44_a_right_to_withdraw_halts_at_the_next_check(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.chores.check_key()
        states = [one.state]
        await one.ask("keys/trader-key", {"can_withdraw": True})
        await one.chores.check_key()
        states.append(one.state)
        assert states == [DaemonState.RUNNING, DaemonState.HALTED]
        assert one.switch.reason.startswith("the key may withdraw")


async def test_what_the_limit_of_orders_holds_back_is_sent_when_there_is_room(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path, limits=RateLimits(orders_per_10_seconds=2)) as one:
        rows = [await one.decide() for _ in range(2)]
        one.jump.seconds += 10
        rows.append(await one.decide())
        assert [row.outcome for row in rows] == [Outcome.FILLED] * 3
        await one.agree()

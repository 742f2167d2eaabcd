"""One daemon per account, how it ends, and the commands beside it, with and without it."""

import asyncio
import re
import signal
from pathlib import Path

from otonom_trader.testnet import AccountConfig
from tests.system import checks
from tests.system.conftest import Install
from tests.system.decisions import numbered
from tests.system.harness import CANARY, Installation, until
from tests.system.markets import account, venue
from tests.system.scenarios import ORDER

NOWHERE = "http://127.0.0.1:9"
PRODUCTION = {
    "broker": {
        "binance": {
            "use_testnet": False,
            "base_url": "https://api.binance.com",
            "api_key": None,
            "api_secret": None,
        }
    }
}


async def test_a_second_daemon_on_the_same_state_directory_is_refused(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        for command in ("run", "once"):
            second = await trader.command(command)
            assert second.status == 75
            assert f"process {daemon.pid} holds the state directory" in second.err
        assert (await trader.status())["state"] == "RUNNING"
        await daemon.stop()


async def test_a_second_daemon_on_the_same_account_is_refused(install: Install) -> None:
    async with venue(account("trader"), account("other")) as market:
        first, second, other = (
            install(market.url),
            install(market.url, mode="shadow"),
            install(market.url, api_key="other-key"),
        )
        daemon = await (await first.start()).in_state("RUNNING")
        refused = await second.command("run")
        assert refused.status == 75
        assert "another process on this host trades the account" in refused.err
        # Another account of the same venue is no business of theirs.
        neighbour = await (await other.start()).in_state("RUNNING")
        await neighbour.stop()
        await daemon.kill_9()
        # The lock ends with its process, however that died.
        await (await (await second.start()).in_state("RUNNING")).stop()


async def test_sigterm_in_the_middle_of_orders_waits_for_their_answers(install: Install) -> None:
    async with venue(account(USDT="1000000")) as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decide(*numbered(150))
        await until(lambda: len(market.truth()["orders"]) > 20, "orders")
        await daemon.stop()
        orders, executions = await trader.orders(), await trader.executions()
        assert 20 < len(executions) < 150, "it was not in the middle"
        # What was on record when the signal came has left, and was waited for.
        assert {row["outcome"] for row in executions} == {"filled"}
        checks.journal_equals_truth(orders, executions, market.truth())

        # What it did not take up is left to the next start.
        again = await (await trader.start()).in_state("RUNNING")
        await trader.decided(150)
        await again.stop()
        executions, truth = await trader.executions(), market.truth()
    checks.every_decision_has_one_execution((f"d{n}" for n in range(150)), executions)
    checks.no_decision_executed_twice(truth)


async def test_sigterm_over_an_order_without_an_answer_ends_well_and_leaves_it_unknown(
    install: Install,
) -> None:
    async with venue() as market:
        trader = install(
            market.url,
            broker={"broker": {"binance": {"timeout_seconds": 30}}},
            daemon={"drain_timeout_seconds": 0.5},
        )
        daemon = await (await trader.start()).in_state("RUNNING")
        market.faults.add(ORDER | {"fault": "no_answer_after", "count": 1})
        trader.decide(*numbered(1))
        await until(lambda: market.truth()["orders"], "the order at the venue")
        await daemon.stop()
        assert daemon.events("drain.unfinished")

        again = await (await trader.start()).in_state("RUNNING")
        await trader.decided(1)
        await again.stop()
        orders, executions = await trader.orders(), await trader.executions()
        truth = market.truth()
    checks.no_decision_executed_twice(truth)
    checks.journal_equals_truth(orders, executions, truth)


async def test_a_venue_that_cannot_be_reached_ends_once_with_69_and_run_keeps_trying(
    install: Install,
) -> None:
    trader = install(NOWHERE)
    refused = await trader.command("once")
    assert refused.status == 69
    assert refused.err.count("\n") == 1
    daemon = await trader.start()
    await daemon.logged("venue.unreachable")
    assert (await trader.status())["state"] == "STARTING"
    await daemon.stop()


async def test_a_venue_that_comes_up_later_is_found(install: Install, tmp_path: Path) -> None:
    async with venue() as market:
        port = int(market.url.rpartition(":")[2])
    trader = install(f"http://127.0.0.1:{port}")
    daemon = await trader.start()
    await daemon.logged("venue.unreachable")
    server = await asyncio.create_subprocess_exec(
        *(trader.program[0], "testnet", "--port", str(port)),
        *("--api-key", "trader-key", "--api-secret", CANARY),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert server.stdout is not None
        assert f"http://127.0.0.1:{port}" in (await server.stdout.readline()).decode()
        await daemon.in_state("RUNNING")
        trader.decide(*numbered(1))
        await trader.decided(1)
        assert [row["outcome"] for row in await trader.executions()] == ["filled"]
        await daemon.stop()
    finally:
        server.terminate()
        assert await server.wait() == 0


async def test_once_executes_what_there_is_and_ends(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url)
        trader.decide(*numbered(3))
        assert (await trader.command("once")).status == 0
        assert [row["outcome"] for row in await trader.executions()] == ["filled"] * 3
        assert (await trader.command("once")).status == 0
        assert len(market.truth()["orders"]) == 3


async def test_live_on_production_is_not_permitted_whatever_is_set(install: Install) -> None:
    keys = {
        "OTONOM_TRADER__BROKER__BINANCE__API_KEY": "k" * 64,
        "OTONOM_TRADER__BROKER__BINANCE__API_SECRET": CANARY,
        "OTONOM_TRADER__LIVE__ACCOUNT": "1000001",
    }
    trader = install("https://api.binance.com", broker=PRODUCTION)
    path = trader.config_dir / "broker.yaml"
    lines = path.read_text().splitlines()
    own = [text for text in lines if not re.search(r"api_(key|secret): null", text)]
    path.write_text("\n".join(own) + "\n")
    for command in ("run", "once"):
        refused = await trader.command(command, **keys)
        assert refused.status == 77, refused
        assert "mode live with use_testnet: false is not permitted" in refused.err
        assert refused.err.count("\n") == 1


async def test_wrong_usage_ends_with_64(install: Install) -> None:
    trader = install(NOWHERE)
    for arguments in (
        ("run", "--no-such-option"),
        ("resume",),
        ("orders", "--limit", "0"),
        ("decide", "BTC-USDT", "BUY", "--id", "a", "--qty", "-1"),
        ("testnet", "--market", "nonsense"),
    ):
        wrong = await trader.command(*arguments)
        assert wrong.status == 64, (arguments, wrong)
        assert "Traceback" not in wrong.err


async def test_decide_takes_one_size(install: Install) -> None:
    trader = install(NOWHERE)
    for sizes in (
        ("--strength", "0.5", "--qty", "1"),
        ("--strength", "0.5", "--notional", "1"),
        ("--qty", "1", "--notional", "1"),
    ):
        wrong = await trader.command("decide", "BTC-USDT", "BUY", "--id", "a", *sizes)
        assert wrong.status == 64
        assert f"{sizes[0]} and {sizes[2]} are two sizes: give one" in wrong.err


async def test_decide_writes_to_no_directory_that_no_daemon_reads(install: Install) -> None:
    trader = install(NOWHERE, daemon={"sources": []})
    decide = ("decide", "BTC-USDT", "BUY", "--id", "a", "--qty", "1")
    lost = await trader.command(*decide)
    assert (lost.status, lost.out) == (64, "")
    assert f"no daemon has used the state directory {trader.state_dir}" in lost.err
    assert not trader.state_dir.exists()
    trader.state_dir.mkdir()
    assert (await trader.command(*decide)).status == 0


async def test_a_duration_ends_the_daemon_by_itself(install: Install) -> None:
    async with venue() as market:
        daemon = await install(market.url).start("--duration", "0.5")
        assert await daemon.ended() == 0
        assert daemon.events("state.changed")[-1]["state"] == "DRAINING"


async def test_commands_tell_the_same_with_and_without_a_daemon(install: Install) -> None:
    async with venue() as market:
        trader = install(market.url)
        assert (await trader.command("orders", "--json")).status == 1  # there is no state yet
        daemon = await (await trader.start()).in_state("RUNNING")
        status = (await trader.command("status", "--json")).json
        assert (status["state"], status["mode"], status["kill_switch"], status["pid"]) == (
            "RUNNING",
            "live",
            False,
            daemon.pid,
        )
        written = await trader.command(
            "decide", "btc/usdt", "buy", "--id", "by-hand", "--qty", "0.01"
        )
        assert written.out == f"decision by-hand written to {trader.config_dir}/../patron.jsonl\n"
        trader.decide(*numbered(2), {"id": "nothing", "symbol": "BTC-USDT", "direction": "HOLD"})
        await trader.decided(4)
        running = await everything(trader)
        await daemon.stop()
        stopped = await everything(trader)
    assert running == stopped
    orders, executions = running
    assert {
        "decision_id", "client_order_id", "order_id", "symbol", "side", "status", "executed_qty",
        "quote_qty",
    } <= orders[0].keys()  # fmt: skip
    assert {
        "decision_id", "symbol", "side", "qty", "paper_fill_price", "broker_ok", "broker_order_id",
        "broker_message", "broker_ack_time", "latency_ms", "slippage_estimate", "outcome",
    } <= executions[0].keys()  # fmt: skip
    assert all(isinstance(order["quote_qty"], str) for order in orders)
    assert [row["outcome"] for row in executions] == ["filled", "filled", "filled", "hold"]

    status = (await trader.command("status", "--json")).json
    assert (status["state"], status["kill_switch"], status["pid"]) == ("STOPPED", False, None)
    for command in ("status", "orders", "executions"):
        shown = await trader.command(command)
        assert shown.status == 0
        assert shown.out


async def test_a_status_dump_is_logged_on_sigusr2(install: Install) -> None:
    async with venue() as market:
        daemon = await (await install(market.url).start()).in_state("RUNNING")
        daemon.send(signal.SIGUSR2)
        dump = await daemon.logged("status.dump")
        assert dump["state"] == "RUNNING"
        await daemon.stop()


async def test_what_is_said_of_a_key_that_is_refused_does_not_tell_the_secret(
    install: Install,
) -> None:
    # The venue knows another secret for this key; the fixture looks for ours in all that is said.
    async with venue(AccountConfig(api_key="trader-key", api_secret="another")) as market:
        trader = install(market.url)
        refused = await trader.command("run")
        assert refused.status == 77
        assert "-1022" in refused.err
        assert (await trader.command("config", "show")).status == 0
        assert (await trader.command("config", "check")).status == 0
        assert (await trader.command("config", "check", "--online")).status != 0
    assert any("***" in text for text in trader.said)


async def everything(trader: Installation) -> tuple[list[dict[str, object]], ...]:
    """Return what the commands print of orders and executions."""
    orders, executions = [
        (await trader.command(command, "--json")).json for command in ("orders", "executions")
    ]
    return orders, executions

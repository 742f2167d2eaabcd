"""Bad input of every kind: recorded with its reason, never guessed at, and nothing stops for it."""

import json
import re
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from tests.system import checks
from tests.system.conftest import Install
from tests.system.decisions import numbered
from tests.system.harness import CLOCK, DaemonProcess, epoch_ms
from tests.system.markets import venue
from tests.system.scenarios import latched_at_ms

REFUSED: dict[str, tuple[str, Callable[[str], str], str]] = {
    "no YAML": (
        "broker.yaml",
        lambda text: text + "broker: [unclosed\n",
        r"broker\.yaml:\d+: ",
    ),
    "a key given twice": (
        "broker.yaml",
        lambda text: text + "broker:\n  type: dummy\n",
        r"broker\.yaml:\d+: broker is given twice",
    ),
    "an unknown key": (
        "broker.yaml",
        lambda text: text.replace("max_open_risk_pct", "max_open_risk_percent"),
        r"broker\.yaml:\d+: .*max_open_risk_percent.*max_open_risk_pct",
    ),
    "a wrong type": (
        "broker.yaml",
        lambda text: text.replace("max_open_risk_pct: 100", "max_open_risk_pct: lots"),
        r"broker\.yaml:\d+: risk_guardrails\.max_open_risk_pct must be a number",
    ),
    "an empty shadow_mode": (
        "broker.yaml",
        lambda text: text.replace("  mode: live", "  shadow_mode:"),
        r"broker\.yaml:\d+: broker\.shadow_mode ",
    ),
    "a broker that is not built": (
        "broker.yaml",
        lambda text: text.replace("type: binance", "type: ibkr"),
        r"broker\.yaml:\d+: broker\.type is ibkr, which is not built yet",
    ),
    "an unknown key of the daemon": (
        "daemon.yaml",
        lambda text: text + "pol_interval_seconds: 1\n",
        r"daemon\.yaml:\d+: .*pol_interval_seconds.*poll_interval_seconds",
    ),
}


@pytest.mark.parametrize(("file", "spoil", "sentence"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_configuration_that_cannot_be_meant_is_refused_in_one_sentence(
    install: Install, file: str, spoil: Callable[[str], str], sentence: str
) -> None:
    trader = install("http://127.0.0.1:9")
    path = trader.config_dir / file
    spoilt = spoil(path.read_text())
    assert spoilt != path.read_text()
    path.write_text(spoilt)

    refused = await trader.command("run")
    assert refused.status == 78
    assert refused.err.count("\n") == 1
    assert refused.err.startswith("otonom-trader: ")
    assert re.search(sentence, refused.err), refused.err


async def test_a_missing_configuration_is_refused_with_the_command_that_writes_one(
    install: Install,
) -> None:
    trader = install("http://127.0.0.1:9")
    (trader.config_dir / "broker.yaml").unlink()
    refused = await trader.command("run")
    assert refused.status == 78
    assert "otonom-trader config init" in refused.err


GOOD = {"symbol": "BTC-USDT", "direction": "BUY", "qty": "0.01"}


def line(id_: str, **fields: object) -> str:
    """Return a decision as a line; it is dated now, and has what is given besides."""
    created = CLOCK.now().isoformat()
    return json.dumps({"id": id_, "created_at": created} | GOOD | fields)


def raw(id_: str, field: str, text: str) -> str:
    """Return a decision whose `field` is written as `text`, JSON or not."""
    return line(id_, **{field: "@"}).replace('"@"', text)


def bad_lines() -> dict[str, tuple[str, str, str]]:
    """Return lines by the id they are recorded under, with outcome and a part of the reason."""
    hour_ago = (CLOCK.now() - timedelta(hours=1)).isoformat()
    hour_ahead = (CLOCK.now() + timedelta(hours=1)).isoformat()
    deep = "[" * 10_000 + "]" * 10_000
    return {
        # Fault 37
        "nan": (raw("nan", "qty", "NaN"), "malformed", "qty must be a finite number"),
        "inf": (raw("inf", "qty", "Infinity"), "malformed", "qty must be a finite number"),
        "-inf": (raw("-inf", "price", "-Infinity"), "malformed", "price must be a finite number"),
        "nan-text": (line("nan-text", qty="nan"), "malformed", "qty must be a finite number"),
        "negative": (raw("negative", "qty", "-0.01"), "malformed", "qty must be above zero"),
        "zero": (raw("zero", "qty", "0"), "malformed", "qty must be above zero"),
        "1e999": (raw("1e999", "qty", "1e999"), "malformed", "qty must lie between"),
        "1e-999": (raw("1e-999", "qty", "1e-999"), "malformed", "qty must lie between"),
        "huge": (raw("huge", "qty", "9" * 400), "malformed", "qty must lie between"),
        "boolean": (raw("boolean", "qty", "true"), "malformed", "qty must be a number"),
        "unlisted": (line("unlisted", symbol="NOPE-USDT"), "denied", "NOPE"),
        "halted": (line("halted", symbol="ETH-USDT"), "denied", "its status is HALT"),
        "no-pair": (line("no-pair", symbol="?"), "denied", "RISK REJECTED: "),
        # Fault 38
        "nul": (line("nul", reason="a\0b"), "malformed", "reason holds a NUL character"),
        "10-kB": (line("10-kB", reason="x" * 10_240), "malformed", "reason has 10240 characters"),
        "symbol": (line("symbol", symbol="B" * 10_240), "malformed", "symbol has 10240 characters"),
        "bidi": (line("bidi", symbol="BTC\u202eUSDT"), "denied", "RISK REJECTED: "),
        "direction": (line("direction", direction="🚀"), "malformed", "direction must be"),
        # What stands elsewhere than in a field
        "sideways": (line("sideways", side="BUY"), "malformed", "unknown field 'side'"),
        "both": (line("both", notional="100"), "malformed", "qty and notional are both given"),
        # Fault 40
        "old": (line("old", created_at=hour_ago), "expired", "old, max 300 s"),
        "over": (line("over", expires_at=hour_ago), "expired", "Expired at "),
        "ahead": (line("ahead", created_at=hour_ahead), "denied", "in the future"),
        "local": (line("local", created_at="2026-07-01T12:00:00"), "malformed", "with its zone"),
        # Lines without an id are known by their place.
        "@text": ("not JSON at all", "malformed", "not JSON: "),
        "@twice": (
            line("twice").replace('"qty"', '"qty": "9", "qty"'),
            "malformed",
            "the key 'qty' is given twice",
        ),
        "@half": ('{"id": "half', "malformed", "not JSON: "),
        "@array": ("[1, 2]", "malformed", "a decision is a JSON object, not an array"),
        "@deep": (deep, "malformed", "nested too deeply"),
        "@id": (json.dumps({"id": "x" * 300} | GOOD), "malformed", "id must be 1 to 200"),
        "@surrogate": ('{"id": "\\ud800"}', "malformed", "surrogate"),
        "@long": ('{"id": "' + "y" * 70_000 + '"}', "malformed", "longer than 65536 bytes"),
    }


async def test_bad_decisions_are_recorded_with_their_reason_and_the_good_ones_executed(
    install: Install,
) -> None:
    bad = bad_lines()
    good = [line("first"), *(text for text, _, _ in bad.values())]
    good.insert(len(good) // 2, line("karar-\u011f\u00fc\u015f-日本-😀"))
    good.append(line("last"))
    async with venue() as market:
        await halt_trading_of_eth(market.url)
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        with trader.decisions.open("ab") as file:
            for text in good:
                file.write(text.encode() + b"\n")
            file.write(b'{"id": "bytes", "symbol": "\xff\xfe"}\n')
        await trader.decided(len(good) + 1)
        await daemon.stop()
        rows = await trader.executions()
        truth = market.truth()
    by_id = {row["decision_id"]: row for row in rows}
    assert len(by_id) == len(rows) == len(good) + 1
    placed = iter(row for row in rows if row["decision_id"].startswith("@"))
    for id_, (_, outcome, reason) in bad.items():
        row = next(placed) if id_.startswith("@") else by_id[id_]
        assert row["outcome"] == outcome, row
        assert reason in row["broker_message"], row
    assert "is not UTF-8" in next(placed)["broker_message"]
    executed = [row["decision_id"] for row in rows if row["outcome"] == "filled"]
    assert executed == ["first", "karar-\u011f\u00fc\u015f-日本-😀", "last"]
    assert len(truth["orders"]) == 3
    printable_lines(daemon)


async def test_a_decision_that_comes_again_is_passed_over_and_a_changed_one_recorded(
    install: Install,
) -> None:
    at = CLOCK.now().isoformat()
    first, changed = line("a", created_at=at), line("a", created_at=at, qty="0.02")
    async with venue() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        trader.decisions.write_text(f"{first}\n{first}\n{changed}\n{changed}\n{line('b')}\n")
        await trader.decided(3)
        await daemon.logged("decision.conflict", decision_id="a")
        await daemon.kill_9()

        again = await (await trader.start()).in_state("RUNNING")
        with trader.decisions.open("a") as file:
            file.write(f"{first}\n{changed}\n{line('c')}\n")
        await trader.decided(4)
        await again.stop()
        rows = await trader.executions()
        orders = market.truth()["orders"]
    assert [row["outcome"] for row in rows] == ["filled", "malformed", "filled", "filled"]
    assert [row["decision_id"].split("#")[0] for row in rows] == ["a", "a", "b", "c"]
    assert "was used before for another decision" in rows[1]["broker_message"]
    assert [order["origQty"] for order in orders] == ["0.01000000"] * 3


async def test_a_backlog_expires_in_bounded_memory_and_the_kill_switch_stays_quick(
    install: Install,
) -> None:
    day_ago = (CLOCK.now() - timedelta(days=1)).isoformat()
    backlog, late = 5000, 1000
    async with venue() as market:
        trader = install(market.url, daemon={"inbox_size": 200})
        daemon = await (await trader.start()).in_state("RUNNING")
        before_kb = memory_kb(daemon)
        trader.decide(*numbered(backlog, created_at=day_ago))
        await trader.decided(backlog, seconds=90)
        assert memory_kb(daemon) - before_kb < 40_000

        trader.decide(*numbered(late, first=backlog, created_at=day_ago))
        signalled_ms = epoch_ms(CLOCK.now().isoformat())
        daemon.send(signal.SIGUSR1)
        assert await latched_at_ms(trader) - signalled_ms < 100
        await trader.decided(backlog + late)
        await daemon.stop()
        rows = await trader.executions()
        assert market.truth()["orders"] == []
    checks.every_decision_has_one_execution((f"d{n}" for n in range(backlog + late)), rows)
    assert {row["outcome"] for row in rows} == {"expired"}


def memory_kb(daemon: DaemonProcess) -> int:
    """Return the most memory the process has held so far, in kilobytes."""
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def printable_lines(daemon: DaemonProcess) -> None:
    """Every line logged is one JSON object, whatever a decision said."""
    text = daemon.log_path.read_text()
    assert all(isinstance(json.loads(logged), dict) for logged in text.splitlines())
    assert not any(ord(char) < 32 and char != "\n" for char in text)
    assert "\u202e" not in text


async def halt_trading_of_eth(url: str) -> None:
    """Have the venue list ETHUSDT as halted."""
    async with aiohttp.ClientSession() as client:
        answer = await client.post(f"{url}/testnet/symbols/ETHUSDT", json={"status": "HALT"})
        assert answer.status == 200, await answer.text()

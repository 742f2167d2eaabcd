"""The example decision-maker: its rule, and the program in its surroundings."""

import json
import signal
import socket
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.daemon.sources.line import read_line
from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.testnet import LocalTestnet
from tests.examples.program import load, run, start

patron = load("patron_momentum.py")
SYMBOL = ["--symbol", "BTC-USDT", "--interval", "1s"]

prices = st.decimals(min_value=1, max_value=100_000, places=2)


@given(st.lists(prices, min_size=20, max_size=60))
def test_the_mirrored_market_gets_the_opposite_decision(closes: list[Decimal]) -> None:
    opposite = {"BUY": "SELL", "SELL": "BUY", "HOLD": "HOLD"}
    top = max(closes) + min(closes)
    mirrored = [top - close for close in closes]
    one, other = patron.decide(closes), patron.decide(mirrored)
    if "HOLD" not in (one.direction, other.direction):
        assert other.direction == opposite[one.direction]


@given(st.lists(prices, min_size=20, max_size=60), st.sampled_from(["0.01", "3", "1000"]))
def test_only_the_shape_of_the_market_counts(closes: list[Decimal], factor: str) -> None:
    scaled = [close * Decimal(factor) for close in closes]
    assert patron.decide(scaled).direction == patron.decide(closes).direction


@pytest.mark.parametrize(
    ("closes", "direction"),
    [
        (range(100, 130), "BUY"),
        (range(130, 100, -1), "SELL"),
        ([100] * 30, "HOLD"),
        (range(100, 119), "HOLD"),  # 19 of the 20 that are needed
        ([100] * 15 + [101] * 5, "BUY"),
        ([100] * 15 + [99] * 5, "SELL"),
    ],
)
def test_it_follows_the_fast_mean(closes: Any, direction: str) -> None:
    opinion = patron.decide([Decimal(close) for close in closes], fast=5, slow=20)
    assert opinion.direction == direction
    assert opinion.reason


def test_the_fast_mean_is_of_the_newest_closes() -> None:
    closes = [Decimal(close) for close in (100, 100, 110, 120)]
    # Means of 115 and of 107.5: 6.977 % apart.
    assert patron.decide(closes, fast=2, slow=4).reason == (
        "mean of 2 closes is +6.977 % from the mean of 4"
    )


def plan_of(out: Path, *more: str) -> Any:
    plan, _ = patron.parse_arguments(["--url", "http://127.0.0.1:1", "--out", str(out), *more])
    return plan


def rising_candles(newest_open_ms: int) -> list[Any]:
    first = newest_open_ms - 20_000
    return [
        patron.Candle(first + 1000 * k, first + 1000 * k + 999, Decimal(100 + k)) for k in range(21)
    ]


def test_the_same_candles_give_the_same_decision_word_for_word(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "out.jsonl")
    candles = rising_candles(1_795_403_279_000)
    decision = patron.decision_on(candles, plan)
    assert decision.payload() == {
        "id": "momentum-1795403279000",
        "symbol": "BTC-USDT",
        "direction": "BUY",
        "strength": "0.5",
        "created_at": "2026-11-23T03:07:59.999000+00:00",
        "reason": decision.reason,
    }
    assert patron.decision_on(candles, plan) == decision


def test_every_tenth_candle_is_traded_at_full_strength(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "out.jsonl")
    decisions = [
        patron.decision_on(rising_candles(1_795_403_000_000 + 1000 * k), plan) for k in range(40)
    ]
    full = [k for k, decision in enumerate(decisions) if decision.strength == 1]
    assert full == [0, 10, 20, 30]
    plain = plan_of(tmp_path / "out.jsonl", "--bold-every", "0")
    timid = patron.decision_on(rising_candles(1_795_403_000_000), plain)
    assert timid.strength == Decimal("0.5")


def test_a_candle_that_is_still_open_is_not_looked_at() -> None:
    rows = [
        [1000, "1", "1", "1", "10.5", "7", 1999],
        [2000, "1", "1", "1", "11.5", "7", 2999],
    ]
    assert patron.read_candles(rows, 2500) == [patron.Candle(1000, 1999, Decimal("10.5"))]
    assert len(patron.read_candles(rows, 3000)) == 2


@pytest.mark.parametrize(
    "reply", [{"code": -1121}, "no", None, [[1, 2]], [[1, "", "", "", "x", "", 2]], [{}], [None]]
)
def test_a_reply_that_holds_no_candles_is_refused(reply: Any) -> None:
    with pytest.raises(ValueError, match="candles"):
        patron.read_candles(reply, 5000)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--strength", "2"], "at most 1"),
        (["--strength", "nan"], "at most 1"),
        (["--symbol", "?"], "--symbol"),
        (["--interval", "7m"], "--interval"),
        (["--every", "0"], "above 0"),
        (["--fast", "20"], "below --slow 20"),
        (["--url", "ftp://venue"], "http"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_wrong_usage_is_named_and_exits_64(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        patron.parse_arguments(["--url", "http://venue", "--out", "x", *arguments])
    assert ended.value.code == 64
    assert complaint in capsys.readouterr().err


async def test_it_writes_a_decision_for_each_closed_candle_and_ends_with_0(
    venue: LocalTestnet, tmp_path: Path
) -> None:
    out = tmp_path / "new folder" / "decisions.jsonl"
    arguments = ["--url", venue.url, "--out", str(out), *SYMBOL, "--every", "0.2"]
    ended = await run("patron_momentum.py", *arguments, "--duration", "2.5", cwd=tmp_path)
    assert (ended.status, ended.stderr) == (0, "")
    decisions = [read_line(line, "patron", "x") for line in out.read_bytes().splitlines()]
    assert len(decisions) >= 2
    assert all(isinstance(decision, Decision) for decision in decisions)
    assert len({decision.id for decision in decisions}) == len(decisions)
    assert len(ended.stdout.splitlines()) == len(decisions)


async def test_it_goes_on_while_the_venue_cannot_be_reached_and_ends_on_sigterm(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    out = tmp_path / "decisions.jsonl"
    arguments = ["--url", f"http://127.0.0.1:{port}", "--out", str(out), *SYMBOL, "--every", "0.1"]
    program = await start("patron_momentum.py", *arguments, cwd=tmp_path)
    assert program.process.stderr is not None
    told = [await program.process.stderr.readline() for _ in range(2)]
    assert all(b"nothing decided: Cannot connect" in line for line in told)
    program.process.send_signal(signal.SIGTERM)
    assert (await program.end()).status == 0
    assert not out.exists()


async def test_a_restart_repeats_its_last_decision_and_makes_no_other_of_it(
    venue: LocalTestnet, tmp_path: Path
) -> None:
    out = tmp_path / "decisions.jsonl"
    arguments = ["--url", venue.url, "--out", str(out), *SYMBOL, "--every", "0.1"]
    for _ in range(2):
        ended = await run("patron_momentum.py", *arguments, "--duration", "0.7", cwd=tmp_path)
        assert ended.status == 0
    written = [json.loads(line) for line in out.read_text().splitlines()]
    by_id: dict[str, Any] = {}
    for decision in written:
        assert by_id.setdefault(decision["id"], decision) == decision
    assert Direction(written[0]["direction"])

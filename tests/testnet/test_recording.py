"""What is read from a recording, and what is refused with its place."""

import json
from pathlib import Path
from typing import Any

import pytest

from otonom_trader.testnet.amounts import SCALE
from otonom_trader.testnet.orders import Side
from otonom_trader.testnet.recording import Diff, RecordedTrade, read_recordings

URL = "https://api.binance.com/api/v3/depth?symbol=NKNUSDT&limit=1000"


def snapshot_line(
    bids: list[list[str]], asks: list[list[str]], update_id: int = 100, symbol: str = "NKNUSDT"
) -> str:
    body = json.dumps({"lastUpdateId": update_id, "bids": bids, "asks": asks})
    return f"{URL.replace('NKNUSDT', symbol)} -> 1000.5: {body}"


def diff_line(first: int, last: int, at_ms: int, **levels: Any) -> str:
    data = {"e": "depthUpdate", "E": at_ms, "s": "NKNUSDT", "U": first, "u": last}
    data |= {"b": levels.get("b", []), "a": levels.get("a", [])}
    return f"{at_ms / 1000}: " + json.dumps({"stream": "nknusdt@depth@100ms", "data": data})


def trade_line(price: str, qty: str, at_ms: int, *, buyer_is_maker: bool) -> str:
    data = {"e": "aggTrade", "E": at_ms, "s": "NKNUSDT", "a": 1, "p": price, "q": qty}
    data |= {"f": 1, "l": 1, "T": at_ms, "m": buyer_is_maker, "M": True}
    return f"{at_ms / 1000}: " + json.dumps({"stream": "nknusdt@aggTrade", "data": data})


def write(folder: Path, snapshots: list[str], frames: list[str]) -> tuple[Path, Path]:
    rest, stream = folder / "rest.txt", folder / "stream.txt"
    rest.write_text("\n\n".join(snapshots) + "\n")
    connection = "wss://stream.binance.com:9443/stream?streams=nknusdt@depth@100ms <-> 999.5"
    stream.write_text("\n" + connection + "\n" + "\n".join(frames) + "\n")
    return rest, stream


BOOK = snapshot_line([["0.35", "10"], ["0.34", "5"]], [["0.36", "7"]])


def test_a_recording_is_a_snapshot_and_what_followed_by_the_venues_time(tmp_path: Path) -> None:
    frames = [
        diff_line(90, 100, 1_000_400, b=[["0.35", "1"]]),
        diff_line(99, 103, 1_000_600, b=[["0.35", "3"]], a=[["0.36", "0"], ["0.37", "4"]]),
        "1000.65: " + json.dumps({"stream": "nknusdt@bookTicker", "data": {"u": 1, "s": "X"}}),
        diff_line(104, 104, 1_000_700, a=[["0.37", "2"]]),
        trade_line("0.35", "7", 1_000_599, buyer_is_maker=True),
    ]
    [recording] = read_recordings(*write(tmp_path, [BOOK], frames))
    cents = SCALE // 100
    assert recording.symbol == "NKNUSDT"
    assert recording.snapshot == Diff(
        1_000_500,
        100,
        100,
        {
            Side.BUY: {35 * cents: 10 * SCALE, 34 * cents: 5 * SCALE},
            Side.SELL: {36 * cents: 7 * SCALE},
        },
    )
    assert recording.steps == (
        RecordedTrade(1_000_599, 35 * cents, 7 * SCALE, buyer_is_maker=True),
        Diff(
            1_000_600,
            99,
            103,
            {Side.BUY: {35 * cents: 3 * SCALE}, Side.SELL: {36 * cents: 0, 37 * cents: 4 * SCALE}},
        ),
        Diff(1_000_700, 104, 104, {Side.BUY: {}, Side.SELL: {37 * cents: 2 * SCALE}}),
    )


@pytest.mark.parametrize(
    ("snapshots", "frames", "problem"),
    [
        ([], [], r"rest\.txt: the file has no depth snapshot"),
        (["nothing"], [], r"rest\.txt: the file has no depth snapshot"),
        ([f"{URL} -> 1: {{}}"], [], r"rest\.txt, line 1: bids is missing"),
        ([f"{URL} -> 1: [1]"], [], r"rest\.txt, line 1: not as recorded"),
        ([BOOK.replace("1000.5", "then")], [], "line 1: 'then' is not a plain decimal"),
        ([snapshot_line([["0.36", "1"]], [["0.36", "1"]])], [], "line 1: the book is crossed"),
        ([BOOK], [diff_line(102, 103, 1_001_000)], "line 3: a gap: update 102 of NKNUSDT"),
        (
            [BOOK],
            [diff_line(101, 101, 1_001_000), diff_line(103, 103, 1_001_100)],
            "line 4: a gap: update 103 of NKNUSDT follows on 101",
        ),
        (
            [BOOK],
            [diff_line(101, 101, 1_001_000, b=[["0.36", "1"]])],
            "line 3: the book is crossed",
        ),
        ([BOOK], [diff_line(101, 101, 1_001_000, b=[["x", "1"]])], "line 3: 'x' is not a plain"),
        ([BOOK], [diff_line(101, 101, 1_001_000, b=["x"])], "line 3: "),
        ([BOOK], ['1.0: {"stream": "x"}'], "line 3: data is missing"),
        ([BOOK], ['1.0: {"stream": '], "line 3: not as recorded"),
        (
            [snapshot_line([], [], symbol="BLZETH")],
            [diff_line(101, 101, 1_001_000)],
            "line 3: .*has no snapshot of NKNUSDT",
        ),
    ],
)
def test_a_recording_that_cannot_be_replayed_is_refused_with_its_line(
    tmp_path: Path, snapshots: list[str], frames: list[str], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        read_recordings(*write(tmp_path, snapshots, frames))


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    rest, stream = write(tmp_path, [BOOK], [])
    stream.unlink()
    with pytest.raises(ValueError, match=r"stream\.txt: No such file"):
        read_recordings(rest, stream)
    rest.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"rest\.txt: not a text file in UTF-8"):
        read_recordings(rest, stream)


def test_the_real_recording_has_every_symbol_and_step(shared_data: Path) -> None:
    folder = shared_data / "market" / "book-2021-10-12"
    recordings = read_recordings(folder / "rest.txt", folder / "stream.txt")
    assert [each.symbol for each in recordings] == ["NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR"]
    diffs = [sum(isinstance(step, Diff) for step in each.steps) for each in recordings]
    assert diffs[0] > 140
    assert all(diffs)
    trades = [sum(isinstance(s, RecordedTrade) for s in each.steps) for each in recordings]
    assert trades == [1, 0, 1, 0]

"""Decisions written by a command are read by the daemon."""

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from otonom_trader.daemon.sources.append import append_decision, holds
from otonom_trader.daemon.sources.base import SourceUnavailable
from otonom_trader.daemon.sources.jsonl import JsonlSource
from otonom_trader.domain.decision import Decision, Malformed

PAYLOAD = {"id": "d-1", "symbol": "BTC-USDT", "direction": "BUY", "qty": Decimal("0.00001")}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "decisions.jsonl"


async def items(path: Path) -> list[Decision | Malformed]:
    batch = await JsonlSource(path, "patron").fetch_new(None, 10_000)
    return [item for item, _ in batch.sightings]


async def test_what_is_appended_is_read_back(path: Path) -> None:
    append_decision(path, PAYLOAD)
    append_decision(path, PAYLOAD | {"id": "d-2", "reason": "two\nlines, ünïcode, \0"})
    first, second = await items(path)
    assert isinstance(first, Decision)
    assert first.qty == Decimal("0.00001")
    assert second.id == "d-2"
    assert path.read_bytes().count(b"\n") == 2


async def test_a_line_left_without_its_end_is_not_added_to(path: Path) -> None:
    path.write_bytes(b'{"id": "torn", "sym')
    append_decision(path, PAYLOAD)
    torn, whole = await items(path)
    assert isinstance(torn, Malformed)
    assert isinstance(whole, Decision)


async def test_concurrent_writers_do_not_mix_their_lines(path: Path) -> None:
    writer = (
        "import sys, pathlib\n"
        "from otonom_trader.daemon.sources.append import append_decision, holds\n"
        "for n in range(50):\n"
        "    append_decision(pathlib.Path(sys.argv[1]), {'id': f'{sys.argv[2]}-{n}', "
        "'symbol': 'BTC-USDT', 'direction': 'HOLD', 'reason': 'x' * 500})\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", writer, str(path), name]) for name in ("a", "b")
    ]
    assert [process.wait() for process in writers] == [0, 0]
    read = await items(path)
    assert all(isinstance(item, Decision) for item in read)
    assert {item.id for item in read} == {f"{name}-{n}" for name in "ab" for n in range(50)}


def test_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="No such file or directory"):
        append_decision(tmp_path / "none" / "decisions.jsonl", PAYLOAD)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "value", [float("nan"), "x" * 70_000, object()], ids=["nan", "70 kB", "object"]
)
def test_what_does_not_fit_on_a_line_is_refused_and_nothing_is_written(
    path: Path, value: object
) -> None:
    with pytest.raises(ValueError, match=r"longer than|not JSON compliant|no value of a decision"):
        append_decision(path, PAYLOAD | {"reason": value})
    assert not path.exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110
def test_a_full_disk_is_one_sentence() -> None:
    with pytest.raises(SourceUnavailable, match="/dev/full cannot be written: No space left"):
        append_decision(Path("/dev/full"), PAYLOAD)


def test_an_id_that_a_file_holds_is_found_whatever_else_is_in_it(path: Path) -> None:
    assert not holds(path, "1")
    path.write_bytes(b'torn {"id"\n[1]\n\xff\n{"id": 1}\n')
    append_decision(path, {"id": "two"})
    assert holds(path, "1")
    assert holds(path, "two")
    assert not holds(path, "three")

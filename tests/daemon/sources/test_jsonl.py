"""Decisions from a JSONL file: each once, in order, whatever happens to the file."""

import json
import os
import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otonom_trader.daemon.sources.base import MAX_BATCH, SourceUnavailable
from otonom_trader.daemon.sources.jsonl import MAX_LINE_BYTES, JsonlSource
from otonom_trader.daemon.sources.line import read_line
from otonom_trader.domain.decision import Decision, Direction, Malformed, malformed


def line(id_: object, **fields: object) -> bytes:
    decision = {"id": id_, "symbol": "BTC-USDT", "direction": "BUY", "strength": 0.5, **fields}
    return json.dumps(decision).encode() + b"\n"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


class Reader:
    """Reads as the daemon does; `restart` forgets all but what would be in the journal."""

    def __init__(self, path: Path, *, limit: int = 100) -> None:
        self.source = JsonlSource(path, "patron")
        self.limit = limit
        self.after: str | None = None
        self.journaled: str | None = None
        self.items: list[Decision | Malformed] = []

    async def read(self, *, claims: int | None = None) -> list[Decision | Malformed]:
        """Read until nothing comes, or until `claims` were journaled."""
        new: list[Decision | Malformed] = []
        while True:
            batch = await self.source.fetch_new(self.after, self.limit)
            assert len(batch.sightings) <= self.limit
            for sighting in batch.sightings:
                if claims is not None and len(new) == claims:
                    return new
                new.append(sighting.item)
                self.items.append(sighting.item)
                self.journaled = sighting.position
            if batch.position == self.after:
                return new
            self.after = batch.position

    def restart(self) -> None:
        self.after = self.journaled

    @property
    def ids(self) -> list[str]:
        return [item.id for item in self.items]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "decisions.jsonl"


@pytest.fixture
def reader(path: Path) -> Reader:
    return Reader(path)


async def only(reader: Reader) -> Decision | Malformed:
    (item,) = await reader.read()
    return item


async def reason(reader: Reader) -> str:
    item = await only(reader)
    assert isinstance(item, Malformed)
    return item.reason


async def test_a_line_becomes_a_decision_with_exact_numbers(path: Path, reader: Reader) -> None:
    path.write_bytes(
        b'{"id": 7, "symbol": "BTC-USDT", "direction": "SELL", "qty": 0.123456789012345678, '
        b'"price": "16850.10", "reason": "trend"}\n'
    )
    assert await only(reader) == Decision(
        id="7",
        symbol="BTC-USDT",
        direction=Direction.SELL,
        qty=Decimal("0.123456789012345678"),
        price=Decimal("16850.10"),
        reason="trend",
        source="patron",
    )


async def test_a_missing_file_holds_no_decisions_yet(path: Path, reader: Reader) -> None:
    assert await reader.read() == []
    path.write_bytes(line("a"))
    await reader.read()
    assert reader.ids == ["a"]


async def test_a_line_is_read_when_its_end_is_written(path: Path, reader: Reader) -> None:
    whole = line("a")
    append(path, whole[:20])
    assert await reader.read() == []
    append(path, whole[20:-1])
    assert await reader.read() == []
    append(path, b"\n" + line("b"))
    await reader.read()
    assert reader.ids == ["a", "b"]


async def test_lines_are_given_once_across_restarts(path: Path, reader: Reader) -> None:
    path.write_bytes(b"".join(line(n) for n in range(10)))
    await reader.read(claims=4)
    reader.restart()
    await reader.read()
    assert reader.ids == [str(n) for n in range(10)]


async def test_windows_line_ends_a_byte_order_mark_and_blank_lines_are_no_content(
    path: Path, reader: Reader
) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + line("a")[:-1] + b"\r\n\r\n  \n\n" + line("b"))
    assert all(isinstance(item, Decision) for item in await reader.read())
    assert reader.ids == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"hello", "not JSON: Expecting value at character 1"),
        (b'{"id": "a"} {"id": "b"}', "not JSON: Extra data at character 13"),
        (b'{"id": "a"', "not JSON: Expecting ',' delimiter at character 11"),
        (b"[1, 2]", "a decision is a JSON object, not an array"),
        (b"null", "a decision is a JSON object, not null"),
        (b'"text"', "a decision is a JSON object, not a text"),
        (b"1", "a decision is a JSON object, not a number"),
        (b"true", "a decision is a JSON object, not true or false"),
        (b'{"id": "a", "id": "b"}', "the key 'id' is given twice"),
        (b'{"id": "\xff"}', "byte 9 is not UTF-8"),
        (b"\0\0\0\0", "not JSON: Expecting value at character 1"),
        (b"[" * 30_000, "the JSON is nested too deeply"),
        (b'{"a":' * 10_000, "the JSON is nested too deeply"),
        (b'{"id": "a", "symbol": "\\ud800"}', "half of a surrogate pair is escaped"),
        (b"x" * 65_537, "the line is longer than 65536 bytes"),
        (b"x" * 500_000, "the line is longer than 65536 bytes"),
    ],
)
async def test_a_line_that_is_no_object_is_malformed_under_its_place(
    path: Path, reader: Reader, text: bytes, why: str
) -> None:
    path.write_bytes(line("before") + text + b"\n" + line("after"))
    _, item, _ = await reader.read()
    assert isinstance(item, Malformed)
    assert item.reason == why
    assert reader.ids == ["before", "@line 2", "after"]
    assert len(item.raw) <= 4000
    item.raw.encode()


@pytest.mark.parametrize(
    ("field", "why"),
    [
        (b'"qty": NaN', "qty must be a finite number, not 'NaN'"),
        (b'"qty": -Infinity', "qty must be a finite number, not '-Infinity'"),
        (b'"qty": 1e999', "qty must lie between 1e-18 and 1e18, not 1E+999"),
        (b'"qty": 1e99999999999999999999', "qty must be a finite number, not '1e99999999"),
        (b'"qty": ' + b"9" * 5000, "qty must lie between 1e-18 and 1e18, not 9999"),
        (b'"qty": {"a": [1]}', "qty must be a number"),
        (b'"qty": true', "qty must be a number, not bool"),
        (b'"qty": 0', "qty must be above zero, not 0"),
        (b'"reason": "' + b"x" * 10_000 + b'"', "reason has 10000 characters; at most 2000"),
        (b'"symbol": "BTC\\u0000USDT"', "symbol holds a NUL character"),
        (b'"notionl": 5', "unknown field 'notionl'; did you mean 'notional'?"),
    ],
)
async def test_an_object_that_is_no_decision_is_malformed_under_its_own_id(
    path: Path, reader: Reader, field: bytes, why: str
) -> None:
    plain = {b"symbol": b'"BTC-USDT"', b"direction": b'"BUY"', b"strength": b"1"}
    name = field[1 : field.index(b'"', 1)]
    others = b", ".join(b'"%s": %s' % item for item in plain.items() if item[0] != name)
    path.write_bytes(b'{"id": "d-1", %s, %s}\n' % (others, field))
    item = await only(reader)
    assert isinstance(item, Malformed)
    assert item.reason.startswith(why)
    assert item.key == ("patron", "d-1")


async def test_an_unfinished_line_that_is_too_long_is_reported_at_once_and_dropped_to_its_end(
    path: Path, reader: Reader
) -> None:
    path.write_bytes(line("a") + b"x" * (MAX_LINE_BYTES + 1))
    await reader.read()
    assert reader.ids == ["a", "@line 2"]
    for _ in range(3):
        append(path, b"y" * 300_000)
        assert await reader.read() == []
    reader.restart()
    append(path, b'{"id": "inside"}\n' + line("b"))
    await reader.read()
    assert reader.ids == ["a", "@line 2", "b"]


async def test_the_longest_allowed_line_is_read(path: Path, reader: Reader) -> None:
    short = line("a")
    path.write_bytes(short[:-1] + b" " * (MAX_LINE_BYTES + 1 - len(short)) + b"\n")
    assert isinstance(await only(reader), Decision)


async def test_a_rotated_file_is_finished_before_the_new_one(path: Path, reader: Reader) -> None:
    path.write_bytes(line("a"))
    await reader.read()
    append(path, line("b"))
    path.rename(f"{path}.1")
    assert [item.id for item in await reader.read()] == ["b"]
    path.write_bytes(line("c"))
    await reader.read()
    assert reader.ids == ["a", "b", "c"]


async def test_several_rotations_while_the_daemon_was_down_lose_nothing(
    path: Path, reader: Reader
) -> None:
    path.write_bytes(line(0) + line(1))
    await reader.read(claims=1)
    for number in range(2, 6):
        for old in range(number, 0, -1):
            if Path(f"{path}.{old}").exists():
                Path(f"{path}.{old}").rename(f"{path}.{old + 1}")
        path.rename(f"{path}.1")
        path.write_bytes(line(number))
    reader.restart()
    await reader.read()
    assert reader.ids == ["0", "1", "2", "3", "4", "5"]


async def test_a_file_copied_and_truncated_is_finished_from_its_copy(
    path: Path, reader: Reader
) -> None:
    path.write_bytes(line("a") + line("b"))
    await reader.read(claims=1)
    reader.restart()
    shutil.copy(path, f"{path}.1")
    os.truncate(path, 0)
    assert [item.id for item in await reader.read()] == ["b"]
    append(path, line("c"))
    await reader.read()
    assert reader.ids == ["a", "b", "c"]


@pytest.mark.parametrize("longer", [True, False])
async def test_a_truncated_file_is_read_from_its_start(
    path: Path, reader: Reader, *, longer: bool
) -> None:
    path.write_bytes(line("a"))
    await reader.read()
    path.write_bytes(b"".join(line(id_) for id_ in (["b", "c"] if longer else ["b"])))
    await reader.read()
    assert reader.ids == (["a", "b", "c"] if longer else ["a", "b"])


async def test_a_file_replaced_by_a_longer_version_of_itself_goes_on_where_it_was(
    path: Path, reader: Reader
) -> None:
    path.write_bytes(line("a") + b"rubbish\n")
    await reader.read()
    new = path.with_suffix(".new")
    new.write_bytes(path.read_bytes() + line("b"))
    new.rename(path)
    assert [item.id for item in await reader.read()] == ["b"]


async def test_malformed_lines_of_two_files_are_told_apart(path: Path, reader: Reader) -> None:
    path.write_bytes(b"rubbish\n" + line("a"))
    await reader.read()
    path.rename(f"{path}.1")
    path.write_bytes(b"rubbish\n")
    await reader.read()
    assert reader.ids == ["@line 1", "a", "@line 1 of file 2"]


async def test_a_new_file_that_begins_like_the_old_one_is_not_taken_for_it(
    path: Path, reader: Reader
) -> None:
    path.write_bytes(b"rubbish\n")
    await reader.read()
    append(path, line("a"))
    path.rename(f"{path}.1")
    path.write_bytes(b"rubbish\n" + line("b"))
    await reader.read()
    assert reader.ids == ["@line 1", "a", "@line 1 of file 2", "b"]


async def test_a_file_rotated_before_its_first_line_was_read_is_found(
    path: Path, reader: Reader
) -> None:
    path.touch()
    await reader.read()
    path.write_bytes(line("a"))
    path.rename(f"{path}.1")
    path.write_bytes(line("b"))
    await reader.read()
    assert reader.ids == ["a", "b"]


async def test_a_rotation_under_way_is_not_taken_for_a_lost_file(
    path: Path, reader: Reader
) -> None:
    path.write_bytes(line("a") + line("b"))
    await reader.read(claims=1)
    reader.restart()
    path.rename(f"{path}.2")
    path.write_bytes(line("c"))  # about to be renamed to .1
    await reader.read()
    assert reader.ids == ["a", "b", "c"]


async def test_the_unfinished_last_line_of_a_rotated_file_is_taken_as_it_is(
    path: Path, reader: Reader
) -> None:
    path.write_bytes(line("a") + line("b")[:-1])
    await reader.read()
    path.rename(f"{path}.1")
    path.touch()
    assert await reader.read() == []  # its writer may still be at it
    path.write_bytes(line("c"))
    await reader.read()
    assert reader.ids == ["a", "b", "c"]
    assert all(isinstance(item, Decision) for item in reader.items)


@pytest.mark.parametrize("kind", ["directory", "pipe"])
async def test_what_is_no_file_is_unavailable(path: Path, reader: Reader, kind: str) -> None:
    path.mkdir() if kind == "directory" else os.mkfifo(path)
    with pytest.raises(SourceUnavailable, match=r"decisions\.jsonl is not a regular file"):
        await reader.read()


async def test_a_position_of_another_kind_of_source_is_refused(reader: Reader) -> None:
    reader.after = '{"before": 1, "at": 2, "id": "a"}'
    with pytest.raises(SourceUnavailable, match="give this source another name"):
        await reader.read()


async def test_one_fetch_of_a_large_backlog_reads_a_bounded_part(path: Path) -> None:
    path.write_bytes(b"".join(line(n) for n in range(20_000)))
    source = JsonlSource(path, "patron")
    batch = await source.fetch_new(None, 1_000_000)
    assert len(batch.sightings) == MAX_BATCH
    reader = Reader(path, limit=700)
    await reader.read()
    assert reader.ids == [str(n) for n in range(20_000)]


contents = st.lists(
    st.one_of(
        st.integers(0, 10**6).map(line),
        st.binary(max_size=60).map(lambda data: data + b"\n"),
        st.just(b"x" * (MAX_LINE_BYTES + 7) + b"\n"),
        st.sampled_from([b"\n", b"\r\n", b"\xef\xbb\xbf\n", b"garbage\n", b"\0\n"]),
    ),
    max_size=12,
).map(b"".join)

steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 70_000)),
        st.tuples(st.just("append"), st.integers(1, 40)),
        st.tuples(st.just("read"), st.integers(0, 3)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=25,
)


def expected(content: bytes) -> list[Decision | Malformed]:
    """What the lines with an end hold, by the plainest reading."""
    *lines, _ = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [
        malformed(f"the line is longer than {MAX_LINE_BYTES} bytes", "patron", "", "x" * 4000)
        if len(text) > MAX_LINE_BYTES
        else read_line(text, "patron", "")
        for text in lines
        if text.strip()
    ]


def without_place(item: Decision | Malformed) -> Decision | Malformed:
    return replace(item, id="@") if item.id.startswith("@") else item


@settings(max_examples=200, deadline=None)
@given(content=contents, steps=steps, limit=st.integers(1, 5))
async def test_any_bytes_appended_in_any_pieces_give_each_whole_line_once_across_restarts(
    tmp_path_factory: pytest.TempPathFactory,
    content: bytes,
    steps: list[tuple[str, int]],
    limit: int,
) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "d.jsonl"
    reader, rest = Reader(path, limit=limit), content
    for step, number in steps:
        if step == "append":
            append(path, rest[:number])
            rest = rest[number:]
        elif step == "read":
            await reader.read(claims=number)
            reader.restart()
        else:
            reader.restart()
    append(path, rest)
    await reader.read()
    assert [without_place(item) for item in reader.items] == [
        without_place(item) for item in expected(content)
    ]
    places = [id_ for id_ in reader.ids if id_.startswith("@")]
    assert len(set(places)) == len(places)


rotations = st.lists(st.sampled_from(["write", "tear", "rotate", "copy", "read", "restart"]))


@settings(max_examples=200, deadline=None)
@given(steps=rotations, limit=st.integers(1, 3))
async def test_rotation_at_any_time_loses_and_repeats_no_line(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], limit: int
) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "d.jsonl"
    path.write_bytes(line(0))
    reader, written, torn = Reader(path, limit=limit), 1, b""
    await reader.read()
    for step in steps:
        match step:
            case "write":
                append(path, torn or line(written))
                written, torn = written + 1, b""
            case "tear" if not torn:
                append(path, line(written)[:-30])
                torn = line(written)[-30:]
            case "rotate" | "copy" if not torn:
                olds = sorted(path.parent.glob("d.jsonl.*"), key=lambda old: -int(old.suffix[1:]))
                for old in olds:
                    old.rename(path.with_name(f"d.jsonl.{int(old.suffix[1:]) + 1}"))
                if step == "rotate":
                    path.rename(f"{path}.1")
                    path.touch()
                else:
                    shutil.copy(path, f"{path}.1")
                    os.truncate(path, 0)
            case "read":
                await reader.read(claims=1)
                reader.restart()
            case "restart":
                reader.restart()
    await reader.read()
    assert reader.ids == [str(number) for number in range(written)]

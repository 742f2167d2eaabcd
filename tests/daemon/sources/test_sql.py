"""Decisions from a SQLite database: each once, in order, and nothing is written to it."""

import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing, suppress
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otonom_trader.daemon.sources.base import SourceUnavailable
from otonom_trader.daemon.sources.sql import SqlSource
from otonom_trader.domain.decision import Decision, Direction, Malformed
from otonom_trader.domain.order import OrderType

SCHEMA = (
    "CREATE TABLE decisions (id TEXT PRIMARY KEY, symbol, direction, strength, qty, notional, "
    "price, created_at, expires_at, reason)"
)


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def insert(path: Path, *ids: object) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executemany(
            "INSERT INTO decisions (id, symbol, direction, strength) "
            "VALUES (?, 'BTC-USDT', 'BUY', 0.5)",
            [(id_,) for id_ in ids],
        )
        database.commit()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "decisions.db"
    execute(path, SCHEMA)
    return path


class Reader:
    def __init__(self, source: SqlSource, limit: int) -> None:
        self.source = source
        self.limit = limit
        self.after: str | None = None
        self.items: list[Decision | Malformed] = []

    async def read(self) -> list[str]:
        new: list[str] = []
        while True:
            batch = await self.source.fetch_new(self.after, self.limit)
            assert len(batch.sightings) <= self.limit
            new += [item.id for item, _ in batch.sightings]
            self.items += [item for item, _ in batch.sightings]
            if batch.position == self.after:
                return new
            self.after = batch.position


@asynccontextmanager
async def reading(
    path: Path,
    limit: int = 100,
    query: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> AsyncIterator[Reader]:
    async with SqlSource(path, "patron", query, columns) as source:
        yield Reader(source, limit)


async def refusal(
    path: Path, query: str, columns: Mapping[str, str] | None = None, limit: int = 100
) -> str:
    with pytest.raises(SourceUnavailable) as refused:
        async with reading(path, limit, query, columns) as reader:
            await reader.read()
    return str(refused.value)


async def test_a_row_becomes_a_decision(path: Path) -> None:
    execute(
        path,
        "INSERT INTO decisions VALUES ('d-1', 'BTC-USDT', 'SELL', NULL, 0.1, NULL, '16850.10', "
        "'2026-07-01T12:00:00Z', NULL, 'trend')",
    )
    async with reading(path) as reader:
        await reader.read()
    (item,) = reader.items
    assert isinstance(item, Decision)
    assert (item.key, item.direction) == (("patron", "d-1"), Direction.SELL)
    assert (item.qty, item.price, item.strength) == (Decimal("0.1"), Decimal("16850.10"), None)


async def test_a_table_with_the_terms_of_orders_gives_them(path: Path) -> None:
    for column in ("order_type", "stop_price", "trailing_delta_bps"):
        execute(path, f"ALTER TABLE decisions ADD COLUMN {column}")
    execute(
        path,
        "INSERT INTO decisions (id, symbol, direction, qty, order_type, stop_price) "
        "VALUES ('1', 'BTC-USDT', 'SELL', '0.5', 'STOP_LOSS', '48000')",
    )
    async with reading(path) as reader:
        assert await reader.read() == ["1"]
    (decision,) = reader.items
    assert isinstance(decision, Decision)
    assert decision.order_type is OrderType.STOP_LOSS
    assert decision.stop_price == 48000


async def test_rows_are_given_once_in_order_across_restarts(path: Path) -> None:
    insert(path, *"fbdac")
    async with reading(path, limit=2) as reader:
        batch = await reader.source.fetch_new(None, 2)
        assert [item.id for item, _ in batch.sightings] == ["f", "b"]
    async with reading(path, limit=2) as later:
        later.after = batch.sightings[0].position
        assert await later.read() == ["b", "d", "a", "c"]
        insert(path, "e")
        assert await later.read() == ["e"]
        assert await later.read() == []


async def test_a_missing_database_holds_no_decisions_yet(tmp_path: Path) -> None:
    late = tmp_path / "late.db"
    async with reading(late) as reader:
        assert await reader.read() == []
        execute(late, SCHEMA)
        insert(late, "a")
        assert await reader.read() == ["a"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["late.db"]


async def test_a_database_is_left_as_it_was(path: Path) -> None:
    insert(path, "a", "b")
    before = sha256(path.read_bytes()).digest()
    async with reading(path) as reader:
        await reader.read()
        reader.source.query = "DELETE FROM decisions WHERE :after < :limit RETURNING *"
        with pytest.raises(SourceUnavailable, match="readonly database"):
            await reader.read()
    assert sha256(path.read_bytes()).digest() == before


async def test_a_database_written_to_in_wal_mode_is_followed(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        async with reading(path) as reader:
            for id_ in "abc":
                writer.execute("INSERT INTO decisions (id) VALUES (?)", (id_,))
                assert await reader.read() == [id_]


async def test_a_locked_database_is_unavailable_and_read_later(path: Path) -> None:
    insert(path, "a")
    async with reading(path) as reader:
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN EXCLUSIVE")
            with pytest.raises(SourceUnavailable, match=r"decisions\.db: database is locked"):
                await reader.read()
            writer.execute("ROLLBACK")
        assert await reader.read() == ["a"]


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "decisions.db"
    path.write_text("id,symbol\n" * 100)
    async with reading(path) as reader:
        with pytest.raises(SourceUnavailable, match="file is not a database"):
            await reader.read()
        path.unlink()
        execute(path, SCHEMA)
        insert(path, "a")
        assert await reader.read() == ["a"]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("qty", "0.30000000000000004", "qty is the float 0.30000000000000004, which has more"),
        ("qty", "-1", "qty must be above zero, not -1"),
        ("qty", "9e999", "qty must be a finite number, not 'inf'"),
        ("qty", "x'3132'", "qty must be a number"),
        ("symbol", "NULL", "symbol must be a text"),
        ("symbol", "CAST(x'ff' AS TEXT)", "symbol must be a text"),
        ("symbol", "'a' || char(0) || 'b'", "symbol holds a NUL character"),
        ("direction", "3", "direction must be BUY, SELL or HOLD, not '3'"),
        ("created_at", "1700000000", "created_at must be an ISO 8601 time with its zone"),
        ("reason", "hex(randomblob(5000))", "reason has 10000 characters; at most 2000"),
        ("reason", "hex(randomblob(50000))", "reason has 100000 characters"),
        ("reason", "zeroblob(70000)", "reason has 70000 characters"),
    ],
)
async def test_a_row_that_is_no_decision_is_malformed_and_the_next_is_read(
    path: Path, column: str, value: str, reason: str
) -> None:
    insert(path, "bad", "good")
    execute(path, f"UPDATE decisions SET {column} = {value} WHERE id = 'bad'")  # noqa: S608
    async with reading(path) as reader:
        await reader.read()
    bad, good = reader.items
    assert isinstance(bad, Malformed)
    assert bad.reason.startswith(reason)
    assert len(bad.raw) <= 4000
    assert isinstance(good, Decision)


@pytest.mark.parametrize("id_", ["NULL", "''", "x'00'", "CAST(x'ff' AS TEXT)", "1.5"])
async def test_a_row_without_a_readable_id_is_malformed_under_its_place(
    path: Path, id_: str
) -> None:
    insert(path, "a")
    execute(path, f"INSERT INTO decisions (id) VALUES ({id_})")  # noqa: S608
    async with reading(path) as reader:
        assert (await reader.read())[0] == "a"
        assert await reader.read() == []
    assert reader.items[1].key[1] in {"@row 2", "1.5"}


async def test_columns_are_mapped(tmp_path: Path) -> None:
    path = tmp_path / "signals.db"
    execute(
        path,
        "CREATE TABLE signals (seq INTEGER PRIMARY KEY, pair, action, size)",
        "INSERT INTO signals VALUES (5, 'BTC-USDT', 'buy', '0.01'), (9, 'ETH-USDT', 'sell', '2')",
    )
    async with reading(
        path,
        query="SELECT seq, seq AS id, pair, action, size FROM signals WHERE seq > :after "
        "ORDER BY seq LIMIT :limit",
        columns={"symbol": "pair", "direction": "action", "qty": "size"},
    ) as reader:
        assert await reader.read() == ["5", "9"]
    assert [item.symbol for item in reader.items if isinstance(item, Decision)] == [
        "BTC-USDT",
        "ETH-USDT",
    ]


@pytest.mark.parametrize("key", ["id", "rowid", "created_at", "d.id", '"d"."id"'])
async def test_the_column_compared_with_after_is_the_position(path: Path, key: str) -> None:
    insert(path, "a", "b", "c")
    execute(path, "UPDATE decisions SET created_at = '2026-07-01T12:00:0' || rowid || 'Z'")
    query = (
        f"SELECT rowid, id, symbol, direction, strength, created_at FROM decisions d "  # noqa: S608
        f"WHERE {key} > :after ORDER BY {key} LIMIT :limit"
    )
    if key != "rowid":
        query = query.replace("SELECT rowid,", "SELECT")
    async with reading(path, limit=2, query=query) as reader:
        assert await reader.read() == ["a", "b", "c"]
        assert all(isinstance(item, Decision) for item in reader.items)


DEFAULTS = "symbol, direction, strength FROM decisions"


@pytest.mark.parametrize(
    ("query", "columns", "sentence"),
    [
        ("DELETE FROM decisions", {}, "must be a SELECT"),
        ("SELECT 1 LIMIT :limit", {}, "must use :after"),
        ("SELECT 1 WHERE id > :after", {}, "must use :limit"),
        (
            "SELECT id, symbol FROM decisions WHERE id > :after LIMIT :limit",
            {},
            "lacks the column 'direction' for direction",
        ),
        (
            f"SELECT id, {DEFAULTS} WHERE id > :after LIMIT :limit",
            {"qty": "strenth"},
            "lacks the column 'strenth' for qty; did you mean 'strength'?",
        ),
        (
            f"SELECT id, {DEFAULTS} WHERE id > :after LIMIT :limit",
            {"quantity": "strength"},
            "maps 'quantity', which is no field of a decision",
        ),
        (
            f"SELECT id, {DEFAULTS} WHERE rowid > :after LIMIT :limit",
            {},
            "must select the column that it compares with > :after: add `rowid AS position`",
        ),
        (
            f"SELECT id, qty AS notionl, {DEFAULTS} WHERE id > :after LIMIT :limit",
            {},
            (
                "selects 'notionl', which is no field of a decision; did you mean 'notional'?; "
                "leave it out or map it under columns"
            ),
        ),
        (
            f"SELECT id, id, {DEFAULTS} WHERE id > :after LIMIT :limit",
            {},
            "selects 'id' twice",
        ),
        (
            f"SELECT 1.5 AS position, id, {DEFAULTS} WHERE id > :after LIMIT :limit",
            {},
            "gives a position that is neither an integer nor a text",
        ),
        (
            (
                f"SELECT rowid AS position, id, {DEFAULTS} WHERE rowid > :after ORDER BY id DESC "
                "LIMIT :limit"
            ),
            {},
            (
                "gives position 1 after 2: positions must be unique and come in ascending "
                "order, such as `WHERE rowid > :after ORDER BY rowid`"
            ),
        ),
        (
            f"SELECT 7 AS position, id, {DEFAULTS} WHERE 7 > :after LIMIT :limit",
            {},
            (
                "gives position 7 after 7: positions must be unique and come in ascending "
                "order, such as `WHERE rowid > :after ORDER BY rowid`"
            ),
        ),
    ],
)
async def test_a_query_that_cannot_be_followed_is_refused_in_one_sentence(
    path: Path, query: str, columns: dict[str, str], sentence: str
) -> None:
    insert(path, "a", "b")
    assert await refusal(path, query, columns=columns) == (
        f"the query of source 'patron' {sentence}"
    )


async def test_a_tie_of_positions_is_refused_also_where_the_limit_cuts_it(path: Path) -> None:
    insert(path, "a", "b")
    query = (
        "SELECT 1 AS position, id, symbol, direction, strength FROM decisions "
        "WHERE 1 > :after ORDER BY id LIMIT :limit"
    )
    assert "gives position 1 after 1" in await refusal(path, query, limit=1)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("SELECT * FROM signals WHERE id > :after LIMIT :limit", "no such table: signals"),
        ("SELECT colour FROM decisions WHERE id > :after LIMIT :limit", "no such column: colour"),
        ("SELECT 1; SELECT :after, :limit", "You can only execute one statement at a time."),
        ("SELECT :who, :after, :limit", "You did not supply a value for binding parameter :who."),
    ],
)
async def test_a_query_that_fails_says_why(path: Path, query: str, sentence: str) -> None:
    assert await refusal(path, query) == f"source 'patron' cannot read {path}: {sentence}"


async def test_a_query_that_takes_too_long_is_stopped(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otonom_trader.daemon.sources.sql._QUERY_SECONDS", 0.05)
    query = (
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n) "
        "SELECT max(i), :after, :limit FROM n"
    )
    assert "took more than 0.05 seconds" in await refusal(path, query)


def cleared(path: Path) -> None:
    execute(path, "DELETE FROM decisions")


def renumbered(path: Path) -> None:
    execute(path, "DELETE FROM decisions WHERE id = 'a'", "VACUUM")


def replaced(path: Path) -> None:
    path.unlink()
    execute(path, SCHEMA)


@pytest.mark.parametrize("change", [cleared, renumbered, replaced])
async def test_rows_added_after_old_ones_were_deleted_are_not_passed_over(
    path: Path, change: Callable[[Path], None]
) -> None:
    insert(path, "a", "b", "c")
    async with reading(path) as reader:
        assert await reader.read() == ["a", "b", "c"]
        change(path)
        insert(path, "d")
        assert (await reader.read())[-1] == "d"
        insert(path, "e")
        assert await reader.read() == ["e"]


async def test_a_position_of_another_kind_of_source_is_refused(path: Path) -> None:
    async with reading(path) as reader:
        reader.after = '{"offset":12}'
        with pytest.raises(SourceUnavailable, match="give this source another name"):
            await reader.read()


async def test_a_writer_in_another_process_is_followed(path: Path) -> None:
    writer = (
        "import sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1])\n"
        "for n in range(200):\n"
        "    database.execute('INSERT INTO decisions (id) VALUES (?)', (str(n),))\n"
        "    database.commit()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", writer, str(path)])
    try:
        async with reading(path, limit=7) as reader:
            while process.poll() is None:
                with suppress(SourceUnavailable):  # locked: the next poll tries again
                    await reader.read()
            await reader.read()
    finally:
        process.wait()
    assert [item.id for item in reader.items] == [str(n) for n in range(200)]


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.sampled_from(["insert", "delete last", "clear", "vacuum", "read"])),
    limit=st.integers(1, 3),
)
async def test_no_row_that_is_there_when_it_is_read_is_missed(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], limit: int
) -> None:
    path = tmp_path_factory.mktemp("sql") / "d.db"
    execute(path, SCHEMA)
    written, must = 0, set()
    async with reading(path, limit=limit) as reader:
        for step in [*steps, "read"]:
            match step:
                case "insert":
                    insert(path, written)
                    written += 1
                case "delete last":
                    execute(
                        path,
                        "DELETE FROM decisions WHERE rowid = (SELECT max(rowid) FROM decisions)",
                    )
                case "clear":
                    cleared(path)
                case "vacuum":
                    execute(path, "VACUUM")
                case "read":
                    with closing(sqlite3.connect(path)) as database:
                        must |= {id_ for (id_,) in database.execute("SELECT id FROM decisions")}
                    await reader.read()
                    assert must <= {item.id for item in reader.items}

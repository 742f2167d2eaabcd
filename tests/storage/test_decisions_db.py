"""The decision database of the guide's `get_session`."""

import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from otonom_trader.domain.decision import Direction
from otonom_trader.storage import Decision, Journal, get_session
from otonom_trader.storage.decisions_db import add_decision, create_decisions_db
from otonom_trader.storage.errors import DecisionDatabaseError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def decision(id_: str, **fields: object) -> Decision:
    known: dict[str, object] = {
        "id": id_,
        "symbol": "BTC-USDT",
        "direction": Direction.BUY,
        "strength": Decimal("0.8"),
        "created_at": NOON,
        "source": "patron",
    }
    return Decision(**(known | fields))  # type: ignore[arg-type]


def contents(directory: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in directory.iterdir()}


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "new" / "patron.db"
    await create_decisions_db(path)
    return path


async def test_a_decision_comes_back_as_it_was_added(path: Path) -> None:
    written = decision(
        "1",
        strength=None,
        qty=Decimal("0.00000001"),
        price=Decimal("50000.10"),
        expires_at=NOON + timedelta(minutes=5),
        reason="momentum",
    )
    await add_decision(path, written)

    async with get_session(path) as session:
        assert await session.query(Decision).all() == [written]


async def test_filters_narrow_together(path: Path) -> None:
    await add_decision(path, decision("1"))
    await add_decision(path, decision("2", direction=Direction.SELL))
    await add_decision(path, decision("3", symbol="ETHUSDT"))
    await add_decision(path, decision("4", created_at=NOON + timedelta(hours=1)))
    await add_decision(path, decision("5", created_at=None))

    async with get_session(path) as session:
        query = session.query(Decision)

        async def ids(**filters: object) -> str:
            found = await query.filter(**filters).all()  # type: ignore[arg-type]
            return "".join(each.id for each in found)

        assert await ids() == "12345"
        assert await ids(symbol="btc/usdt") == "1245"
        assert await ids(symbol="BTCUSDT", direction="sell") == "2"
        assert await ids(since=NOON) == "1234"
        assert await ids(since=NOON, until=NOON + timedelta(hours=1)) == "123"
        assert await ids(since=NOON + timedelta(seconds=1)) == "4"
        narrowed = query.filter(direction="BUY").filter(symbol="ETH-USDT")
        assert [each.id for each in await narrowed.all()] == ["3"]


async def test_rows_that_are_no_decisions_are_left_out_and_told_of(path: Path) -> None:
    await add_decision(path, decision("1"))
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO decisions (id, symbol, direction, strength) VALUES ('2', 'BTC-USDT', 'UP', 1)"
    )
    connection.execute("INSERT INTO decisions (symbol, direction) VALUES ('BTC-USDT', 'BUY')")
    connection.commit()
    connection.close()

    async with get_session(path) as session:
        found = await session.query(Decision).all()
        assert [each.id for each in found] == ["1"]
        assert [(bad.id, bad.source) for bad in session.malformed] == [
            ("2", "patron"),
            ("@row 3", "patron"),
        ]
        assert "direction must be" in session.malformed[0].reason
        await session.query(Decision).all()
        assert len(session.malformed) == 2


async def test_numbers_of_any_column_type_are_read(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TABLE decisions (id TEXT PRIMARY KEY, symbol, direction, strength REAL, qty,"
        " notional, price, created_at, expires_at, reason)"
    )
    connection.execute(
        "INSERT INTO decisions (id, symbol, direction, strength) VALUES (7, 'BTC-USDT', 'BUY', 0.8)"
    )
    connection.commit()
    connection.close()

    async with get_session(path) as session:
        (found,) = await session.query(Decision).all()
    assert (found.id, found.strength) == ("7", Decimal("0.8"))


async def test_the_default_is_the_decision_database_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await create_decisions_db("var/decisions.db")
    await add_decision("var/decisions.db", decision("1"))

    async with get_session() as session:
        (found,) = await session.query(Decision).all()
    assert found.source == "decisions"


async def test_a_session_does_not_write(path: Path) -> None:
    await add_decision(path, decision("1"))
    before = contents(path.parent)

    async with get_session(path) as session:
        await session.query(Decision).all()

    assert contents(path.parent) == before


async def test_creating_again_keeps_what_is_there(path: Path) -> None:
    await add_decision(path, decision("1"))
    await create_decisions_db(path)

    async with get_session(path) as session:
        assert len(await session.query(Decision).all()) == 1


async def test_an_id_is_added_once(path: Path) -> None:
    await add_decision(path, decision("1"))

    with pytest.raises(DecisionDatabaseError, match="holds a decision of that id already"):
        await add_decision(path, decision("1", symbol="ETH-USDT"))


async def test_a_missing_database_is_named_and_not_created(tmp_path: Path) -> None:
    path = tmp_path / "absent.db"

    with pytest.raises(DecisionDatabaseError, match=r"absent.db cannot be used"):
        async with get_session(path):
            pass
    with pytest.raises(DecisionDatabaseError, match=r"absent.db cannot be used"):
        await add_decision(path, decision("1"))

    assert not path.exists()


async def test_a_database_without_the_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    sqlite3.connect(path).close()

    async with get_session(path) as session:
        with pytest.raises(DecisionDatabaseError, match="no such table"):
            await session.query(Decision).all()


async def test_only_decisions_can_be_asked_for(path: Path) -> None:
    with pytest.raises(ValueError, match="holds Decision, not Journal"):
        get_session(path).query(Journal)  # type: ignore[arg-type]


async def test_a_time_without_zone_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="since must carry its zone"):
        get_session(path).query(Decision).filter(since=datetime(2026, 3, 1))  # noqa: DTZ001


async def test_the_configuration_says_where_the_database_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert get_session().path == Path("var/decisions.db")
    (tmp_path / "config").mkdir()
    file = tmp_path / "config" / "daemon.yaml"
    file.write_text("poll_interval_seconds: 1\n")
    assert get_session().path == Path("var/decisions.db")
    file.write_text("decisions_db: ../data/decisions.db\n")
    assert get_session().path == Path("config/../data/decisions.db")


def test_a_configuration_that_cannot_be_read_is_not_guessed_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "daemon.yaml").write_text("decisions_db: [\n")
    with pytest.raises(DecisionDatabaseError, match=r"config/daemon\.yaml does not tell"):
        get_session()

"""What daemon.yaml means, and every sentence that refuses one."""

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.config import DAEMON_KEYS, BrokerConfig, get_broker_config
from otonom_trader.brokers.config_schema import BrokerFile
from otonom_trader.daemon.folders import find_config_dir, find_state_dir
from otonom_trader.daemon.settings import (
    DaemonFile,
    Settings,
    SourceSettings,
    configuration_hash,
    effective_configuration,
    load_settings,
)
from otonom_trader.domain.errors import ConfigurationError

Read = Callable[..., Settings]
OWN = SourceSettings("jsonl", "decide", Path("state/decisions.jsonl"))


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Write a text to config/daemon.yaml and read it with the state directory ``state``."""
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()

    def read(text: str, **environ: str) -> Settings:
        Path("config/daemon.yaml").write_text(text)
        return load_settings("config", "state", environ)

    return read


def test_an_empty_file_means_the_defaults(read: Read) -> None:
    settings = read("")
    assert settings.poll_interval_seconds == 1
    assert settings.sources == (OWN,)
    assert settings.decisions_db == Path("var/decisions.db")
    assert settings.journal_path == Path("state/journal.db")
    assert settings.schedule.account_refresh_seconds == 5
    assert settings.schedule.clock_sync_seconds == 60
    assert settings.schedule.heartbeat_seconds == 30
    assert settings.schedule.equity_snapshot_seconds == 60
    assert (settings.logging.level, settings.logging.format) == ("info", "auto")
    assert settings.paper.balances == {"USDT": Decimal(100_000)}
    assert settings.paper.fee_pct == Decimal("0.1")
    assert settings.max_concurrent_decisions == 8
    assert settings.inbox_size == 1000
    assert settings.drain_timeout_seconds == 5


def test_every_key_is_read(read: Read) -> None:
    settings = read(
        "poll_interval_seconds: 0.25\ndecisions_db: ../d.db\n"
        "schedule: {account_refresh_seconds: 1, clock_sync_seconds: 2, heartbeat_seconds: 3,"
        " equity_snapshot_seconds: 4}\n"
        "storage: {journal: j.db}\nlogging: {level: debug, format: json}\n"
        "paper: {balances: {USDC: 5, BTC: 0.1}, fee_pct: 0}\n"
        "max_concurrent_decisions: 1\ninbox_size: 10\ndrain_timeout_seconds: 2\n"
    )
    assert settings.poll_interval_seconds == 0.25
    assert settings.decisions_db == Path("config/../d.db")
    schedule = settings.schedule
    assert (schedule.account_refresh_seconds, schedule.clock_sync_seconds) == (1, 2)
    assert (schedule.heartbeat_seconds, schedule.equity_snapshot_seconds) == (3, 4)
    assert settings.journal_path == Path("state/j.db")
    assert (settings.logging.level, settings.logging.format) == ("debug", "json")
    assert settings.paper.balances == {"USDC": Decimal(5), "BTC": Decimal("0.1")}
    assert settings.paper.fee_pct == 0
    assert settings.max_concurrent_decisions == 1
    assert settings.inbox_size == 10
    assert settings.drain_timeout_seconds == 2


def test_sources_are_named_by_their_stem_and_relative_to_the_file(read: Read) -> None:
    settings = read(
        "sources:\n"
        "  - {type: jsonl, path: ../in/patron.jsonl}\n"
        "  - {type: sql, path: /srv/research.db, query: 'SELECT 1 WHERE 0 > :after LIMIT :limit',"
        " columns: {symbol: ticker, position: seq}}\n"
        "  - {type: sql, name: guide}\n"
    )
    assert settings.sources == (
        SourceSettings("jsonl", "patron", Path("config/../in/patron.jsonl")),
        SourceSettings(
            "sql",
            "research",
            Path("/srv/research.db"),
            "SELECT 1 WHERE 0 > :after LIMIT :limit",
            {"symbol": "ticker", "position": "seq"},
        ),
        SourceSettings("sql", "guide", Path("var/decisions.db")),
        OWN,
    )


def test_a_file_called_decisions_elsewhere_leaves_the_own_file_its_name(read: Read) -> None:
    settings = read("sources: [{type: jsonl, path: decisions.jsonl}]\n")
    assert [source.name for source in settings.sources] == ["decisions", "decide"]


def test_the_own_file_may_be_listed_and_then_is_not_read_twice(read: Read) -> None:
    assert read("sources: [{type: jsonl, path: ../state/decisions.jsonl}]\n").sources == (
        SourceSettings("jsonl", "decide", Path("config/../state/decisions.jsonl")),
    )
    named = read("sources: [{type: jsonl, path: ../state/decisions.jsonl, name: mine}]\n")
    assert [source.name for source in named.sources] == ["mine"]


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("inbox: 1", 1, "inbox is no valid key; the nearest is inbox_size"),
        ("heartbeat_seconds: 1", 1,
         "heartbeat_seconds is no valid key; the nearest is schedule.heartbeat_seconds"),
        ("poll_interval_seconds: fast", 1,
         "poll_interval_seconds must be a number such as 10 or 0.5, not the text 'fast'"),
        ("poll_interval_seconds: 0", 1, "poll_interval_seconds must be at least 0.01, not 0"),
        ("poll_interval_seconds:", 1,
         "poll_interval_seconds is empty; it must be a number such as 10 or 0.5"),
        ("sources:", 1, "sources is empty; it must be a list, or remove it"),
        ("sources: {type: jsonl}", 1, "sources must be a list, not a section"),
        ("sources: [x]", 1, "sources[0] must be a section of keys, not the text 'x'"),
        ("sources:\n  - path: x", 2,
         "sources[0].type is missing; it must be one of jsonl, sql"),
        ("sources:\n  - type: csv", 2,
         "sources[0].type must be one of jsonl, sql, not the text 'csv'"),
        ("sources:\n  - type: jsonl", 2,
         "sources[0].path is missing; name the file decisions are in"),
        ("sources:\n  - type: jsonl\n    pth: x", 3,
         "sources[0].pth is no valid key; the nearest is sources[0].path"),
        ("sources:\n  - type: jsonl\n    path: x\n    query: y", 4,
         "sources[0].query belongs to a source of type sql; remove it"),
        ("sources:\n  - type: sql\n    query: SELECT 1 LIMIT :limit", 3,
         "sources[0].query must use :after and :limit"),
        ("sources:\n  - type: sql\n    query: SELECT 1 WHERE 1 > :after", 3,
         "sources[0].query must use :after and :limit"),
        ("sources:\n  - type: sql\n    query: SELECT :afterwards, :limits", 3,
         "sources[0].query must use :after and :limit"),
        ("sources:\n  - type: sql\n    columns: {ticker: symbol}", 3,
         ("sources[0].columns.ticker must be one of id, symbol, direction, strength, qty, "
          "notional, price, created_at, expires_at, reason, order_type, stop_price, "
          "trailing_delta_bps, position, not the text 'ticker'")),
        ("sources:\n  - {type: jsonl, path: a/x.jsonl}\n  - {type: sql, path: b/x.db}", 3,
         "sources[1].name is 'x', the name of sources[0]; give each a name of its own"),
        ("sources:\n  - {type: jsonl, path: a}\n  - {type: jsonl, path: b/../a, name: b}", 3,
         "sources[1].path names the file of sources[0]; each decision would execute twice"),
        ("sources:\n  - {type: jsonl, path: a, name: decide}", 2,
         ("sources[0].name is 'decide', the name of decisions.jsonl in the state directory; "
          "choose another")),
        ("sources:\n  - {type: jsonl, path: flatten.jsonl}", 2,
         ("sources[0].name is 'flatten', as the daemon's own decisions are called; "
          "choose another")),
        ("kill: {flatten_positions: sometimes}", 1,
         "kill.flatten_positions must be true or false, not the text 'sometimes'"),
        ("kill: {flatten_within_pct: 101}", 1,
         "kill.flatten_within_pct must be at most 100, not 101"),
        ("sources:\n  - {type: jsonl, path: \"a\\nb\"}", 2,
         "sources[0].path must be one line without control characters"),
        ("storage: {journal: ../j.db}", 1,
         "storage.journal must be the name of a file, without a folder, not the text '../j.db'"),
        ("logging: {level: INFO}", 1,
         "logging.level must be one of debug, info, warning, error, not the text 'INFO'"),
        ("logging: {format: xml}", 1,
         "logging.format must be one of auto, json, console, not the text 'xml'"),
        ("schedule:\n  # nothing\n", 1,
         "schedule is empty; it must be a section of keys, or remove it"),
        ("paper: {balances: {usdt: 1}}", 1,
         "paper.balances.usdt must be an asset in capitals, such as USDT, not the text 'usdt'"),
        ("paper: {balances: {USDT: -1}}", 1, "paper.balances.USDT must be at least 0, not -1"),
        ("paper: {balances: 5}", 1, "paper.balances must be a section of keys, not the number 5"),
        ("paper: {fee_pct: 11}", 1, "paper.fee_pct must be at most 10, not 11"),
        ("max_concurrent_decisions: 2.5", 1,
         "max_concurrent_decisions must be a whole number, not 2.5"),
        ("inbox_size: 0", 1, "inbox_size must be at least 1, not 0"),
        ("drain_timeout_seconds: 61", 1, "drain_timeout_seconds must be at most 60, not 61"),
        ("decisions_db: 5", 1, "decisions_db must be text in quotes, not the number 5"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_in_one_sentence(
    read: Read, text: str, line: int, sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    assert str(caught.value) == f"config/daemon.yaml:{line}: {sentence}"


def test_a_missing_file_names_the_command_that_writes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ={})
    assert str(caught.value) == (
        "config/daemon.yaml does not exist; `otonom-trader config init` writes a default one"
    )


def test_the_environment_overrides_and_an_unknown_variable_is_refused(read: Read) -> None:
    settings = read(
        "decisions_db: a.db\nlogging: {level: info}\n",
        OTONOM_TRADER__LOGGING__LEVEL="debug",
        OTONOM_TRADER__DECISIONS_DB="b.db",
        OTONOM_TRADER__PAPER__BALANCES__BTC="0.5",
        OTONOM_TRADER__BROKER__MODE="off",
    )
    assert settings.logging.level == "debug"
    assert settings.decisions_db == Path("b.db")
    assert settings.paper.balances == {"BTC": Decimal("0.5")}
    with pytest.raises(ConfigurationError) as caught:
        read("", OTONOM_TRADER__LOGGING__LEVL="debug")
    assert str(caught.value) == (
        "environment variable OTONOM_TRADER__LOGGING__LEVL names no setting; "
        "the nearest is OTONOM_TRADER__LOGGING__LEVEL"
    )


def test_no_variable_could_mean_both_files() -> None:
    assert set(DaemonFile.model_fields) == DAEMON_KEYS
    assert not DAEMON_KEYS & set(BrokerFile.model_fields)


def test_the_configuration_is_looked_for_here_and_then_in_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    system = tmp_path / "etc"
    monkeypatch.setattr("otonom_trader.daemon.folders.SYSTEM_CONFIG_DIR", system)
    assert find_config_dir(None) == Path("config")
    system.mkdir()
    assert find_config_dir(None) == system
    Path("config").mkdir()
    assert find_config_dir(None) == Path("config")
    assert find_config_dir("elsewhere") == Path("elsewhere")


def test_the_state_directory_is_given_or_systemds_or_var() -> None:
    assert find_state_dir("here", {"STATE_DIRECTORY": "/run/s"}) == Path("here")
    assert find_state_dir(None, {"STATE_DIRECTORY": "/run/s"}) == Path("/run/s")
    assert find_state_dir(None, {"STATE_DIRECTORY": ""}) == Path("var")
    assert find_state_dir(None, {}) == Path("var")


def broker(tmp_path: Path, text: str) -> BrokerConfig:
    file = tmp_path / "broker.yaml"
    file.write_text(text)
    return get_broker_config(file, environ={})


def test_the_hash_is_of_what_is_in_force_and_not_of_how_it_is_written(
    read: Read, tmp_path: Path
) -> None:
    dummy = broker(tmp_path, "broker: {type: dummy}\n")
    spelled = broker(tmp_path, "# why\nbroker:\n  type: 'dummy'\n  shadow_mode: true\n")
    off = broker(tmp_path, "broker: {type: dummy, mode: off}\n")
    settings, slower = read("poll_interval_seconds: 1.0\n"), read("poll_interval_seconds: 2\n")
    assert configuration_hash(dummy, settings) == configuration_hash(spelled, read(""))
    hashes = {
        configuration_hash(dummy, settings),
        configuration_hash(off, settings),
        configuration_hash(dummy, slower),
    }
    assert len(hashes) == 3


def test_the_record_of_the_configuration_holds_no_key(read: Read, tmp_path: Path) -> None:
    keys = "binance: {api_key: CANARY-key, api_secret: CANARY-secret}"
    text = effective_configuration(
        broker(tmp_path, f"broker: {{type: binance, {keys}}}\n"), read("")
    )
    assert "CANARY" not in text
    assert json.loads(text)["broker.binance.api_key"] == "***"
    assert json.loads(text)["paper.balances.USDT"] == "100000"


@given(st.text())
def test_no_text_does_anything_but_load_or_be_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "daemon.yaml").write_text(text, errors="replace")
    for content in (text, f"sources: [{{type: jsonl, path: {text!r}}}]"):
        (folder / "daemon.yaml").write_text(content, errors="replace")
        try:
            load_settings(folder, "state", {})
        except ConfigurationError as error:
            assert "\n" not in str(error)  # noqa: PT017  any other error is what this looks for

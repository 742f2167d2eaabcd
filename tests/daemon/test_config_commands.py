"""``otonom-trader config check | show | reload | init``, as a user meets them."""

import json
import os
import re
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from otonom_trader.brokers.binance.hosts import TESTNET_URL
from otonom_trader.brokers.config import get_broker_config
from otonom_trader.daemon.config_commands import FILE_NAMES, config_app
from otonom_trader.daemon.settings import load_settings
from otonom_trader.risk.limits import RiskGuardrails

ROOT = Path(__file__).parents[2]
BROKER = "broker: {type: binance, binance: {api_key: CANARY-key, api_secret: CANARY-secret}}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty folder, without any variable of ours."""
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.startswith("OTONOM_TRADER__") or name in {
            "CREDENTIALS_DIRECTORY",
            "STATE_DIRECTORY",
        }:
            monkeypatch.delenv(name)
    return tmp_path


def config(*arguments: str) -> Result:
    return CliRunner().invoke(config_app, arguments)


def write(broker: str = BROKER, daemon: str = "") -> None:
    Path("config").mkdir(exist_ok=True)
    Path("config/broker.yaml").write_text(broker)
    Path("config/daemon.yaml").write_text(daemon)


def test_init_writes_what_check_accepts_once_there_are_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = config("init")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "config/broker.yaml written",
        "config/daemon.yaml written",
        "now edit them, then run: otonom-trader config check --config config",
    ]
    refused = config("check")
    assert refused.exit_code == 78
    assert refused.stdout == ""
    assert refused.stderr == (
        "configuration refused: config/broker.yaml:31: broker.binance.api_key is still the "
        "example's placeholder, not a key; write your own there, or set "
        "OTONOM_TRADER__BROKER__BINANCE__API_KEY, or name a file of mode 0400 in api_key_file, "
        "or pass the systemd credential api_key\n"
    )
    monkeypatch.setenv("OTONOM_TRADER__BROKER__BINANCE__API_KEY", "k")
    monkeypatch.setenv("OTONOM_TRADER__BROKER__BINANCE__API_SECRET", "s")
    assert config("check").exit_code == 0


def test_what_needs_no_key_is_in_order_with_a_placeholder(monkeypatch: pytest.MonkeyPatch) -> None:
    config("init")
    text = Path("config/broker.yaml").read_text()
    Path("config/broker.yaml").write_text(text.replace("shadow_mode: true", "mode: off"))
    assert config("check").exit_code == 0
    assert config("show").exit_code == 0
    Path("config/broker.yaml").write_text(text.replace("type: binance", "type: dummy"))
    assert config("check").exit_code == 0


def test_init_never_overwrites() -> None:
    write(broker="mine\n")
    Path("config/daemon.yaml").unlink()
    result = config("init")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:2] == [
        "config/broker.yaml exists already and was left as it is",
        "config/daemon.yaml written",
    ]
    assert Path("config/broker.yaml").read_text() == "mine\n"


def test_init_makes_the_folder_or_says_why_not() -> None:
    assert config("init", "--config", "a/b").exit_code == 0
    assert config("show", "--config", "a/b").exit_code == 0
    Path("file").touch()
    for name, reason in (
        ("file", "file is not a folder; name another"),
        ("file/x", "file/x/broker.yaml cannot be written: not a directory"),
    ):
        result = config("init", "--config", name)
        assert result.exit_code == 78
        assert result.stderr == f"configuration refused: {reason}\n"


@pytest.mark.parametrize("name", FILE_NAMES)
def test_the_shipped_configuration_is_what_init_writes(name: str) -> None:
    shipped = ROOT / "config" / name
    if not shipped.is_file():
        pytest.skip("the checkout is not at hand")
    assert config("init").exit_code == 0
    assert (Path("config") / name).read_text() == shipped.read_text()


def test_the_defaults_written_are_the_defaults_in_force() -> None:
    config("init")
    written = load_settings("config", "var", {})
    Path("config/daemon.yaml").write_text("")
    empty = load_settings("config", "var", {})
    assert {s.key: s.value for s in written.settings} == {s.key: s.value for s in empty.settings}
    broker = get_broker_config(environ={})
    assert broker.shadow_mode
    assert broker.use_testnet
    for limit in fields(RiskGuardrails):
        if limit.default:  # what is off may be left out
            assert broker.sources[f"risk_guardrails.{limit.name}"] != "default"


def test_every_limit_stands_in_the_defaults_written_and_may_be_set_as_it_stands() -> None:
    config("init")
    file, names = Path("config/broker.yaml"), [limit.name for limit in fields(RiskGuardrails)]
    commented = re.compile(rf"^  # ({'|'.join(names)}):", re.MULTILINE)
    file.write_text(commented.sub(r"  \1:", file.read_text()))
    sources = get_broker_config(environ={}).sources
    assert [name for name in names if sources[f"risk_guardrails.{name}"] == "default"] == []


def test_check_prints_a_line_for_each_thing_verified() -> None:
    write(daemon="sources: [{type: jsonl, path: in.jsonl}, {type: sql, path: r.db}]\n")
    Path("config/in.jsonl").touch()
    Path("state").mkdir()
    result = config("check", "--state-dir", "state")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        f"ok  config/broker.yaml: mode shadow on binance at {TESTNET_URL} (play money)",
        "ok  keys: api_key from config/broker.yaml:1, api_secret from config/broker.yaml:1",
        "ok  limits: 12 in force, 15 off",
        "ok  config/daemon.yaml: polls every 1 s",
        "ok  source in: jsonl config/in.jsonl, readable",
        "ok  source r: sql config/r.db, not there yet",
        "ok  source decide: jsonl state/decisions.jsonl, not there yet",
        "ok  state directory state: writable",
    ]


def test_check_says_what_stops_or_starts_trading() -> None:
    write(broker="broker: {type: dummy, mode: live}\n"
                 "risk_guardrails: {kill_switch: true, max_open_risk_pct: null}\n")  # fmt: skip
    lines = config("check").stdout.splitlines()
    assert lines[:5] == [
        "ok  config/broker.yaml: mode live on dummy",
        "ok  keys: not read: the dummy broker needs no key",
        "ok  limits: 11 in force, 16 off, of which by default on: max_open_risk_pct",
        "ok  limits: kill_switch is true, so nothing will trade",
        "ok  mode live: orders will be executed",
    ]


@pytest.mark.parametrize(
    ("broker", "daemon", "sentence"),
    [
        (
            "broker: {typ: x}\n",
            "",
            "config/broker.yaml:1: broker.typ is no valid key; the nearest is broker.type",
        ),
        (BROKER, "inbox_size: 0\n", "config/daemon.yaml:1: inbox_size must be at least 1, not 0"),
        (
            BROKER,
            "sources: [{type: jsonl, path: .}]\n",
            "source config: config is a directory, not a file",
        ),
    ],
)
def test_check_exits_78_with_the_sentence(broker: str, daemon: str, sentence: str) -> None:
    write(broker, daemon)
    result = config("check")
    assert result.exit_code == 78
    assert result.stderr == f"configuration refused: {sentence}\n"


def test_check_refuses_a_state_directory_that_is_none() -> None:
    write()
    Path("file").touch()
    result = config("check", "--state-dir", "file")
    assert result.exit_code == 78
    assert result.stderr == "configuration refused: state directory file is not a directory\n"


def test_check_exits_77_for_live_on_production(monkeypatch: pytest.MonkeyPatch) -> None:
    write(broker="broker: {type: binance, mode: live, binance: {use_testnet: false}}\n")
    monkeypatch.setenv("OTONOM_TRADER__BROKER__BINANCE__API_KEY", "k")
    monkeypatch.setenv("OTONOM_TRADER__BROKER__BINANCE__API_SECRET", "s")
    result = config("check")
    assert result.exit_code == 77
    assert result.stderr.startswith(
        "not permitted: config/broker.yaml: mode live with use_testnet: false is not permitted"
    )


def test_a_missing_configuration_names_the_command_that_writes_one() -> None:
    for command in ("check", "show"):
        result = config(command)
        assert result.exit_code == 78
        assert result.stderr == (
            "configuration refused: config/broker.yaml does not exist; "
            "`otonom-trader config init` writes a default one\n"
        )


def test_show_prints_each_value_with_its_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    write(daemon="paper:\n  balances:\n    USDT: 500\n")
    monkeypatch.setenv("OTONOM_TRADER__RISK_GUARDRAILS__MAX_OPEN_RISK_PCT", "5.50")
    rows = [line.split("  ", 1) for line in config("show").stdout.splitlines()]
    shown = {row[0]: row[1].split(maxsplit=1) for row in rows if len(row) == 2}
    assert shown["broker.type"] == ["binance", "config/broker.yaml:1"]
    assert shown["broker.mode"] == ["shadow", "default"]
    assert shown["broker.binance.api_key"] == ["***", "config/broker.yaml:1"]
    assert shown["paper.balances.USDT"] == ["500", "config/daemon.yaml:3"]
    assert shown["risk_guardrails.max_open_risk_pct"] == [
        "5.5", "environment variable OTONOM_TRADER__RISK_GUARDRAILS__MAX_OPEN_RISK_PCT",
    ]  # fmt: skip
    assert shown["live.account"] == ["null", "default"]


def test_show_prints_json_with_money_in_strings() -> None:
    write()
    document = json.loads(config("show", "--json").stdout)
    rows = {row["key"]: row for row in document["settings"]}
    assert rows["risk_guardrails.max_notional_per_order"] == {
        "key": "risk_guardrails.max_notional_per_order", "value": "10000", "origin": "default",
    }  # fmt: skip
    assert rows["broker.binance.use_testnet"]["value"] is True
    assert rows["broker.binance.api_secret"]["value"] == "***"
    assert len(document["hash"]) == 64


def test_no_command_shows_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    write()
    monkeypatch.setenv("OTONOM_TRADER__BROKER__BINANCE__API_SECRET", "CANARY-environment")
    for arguments in (("check",), ("show",), ("show", "--json")):
        result = config(*arguments)
        assert result.exit_code == 0
        assert "CANARY" not in result.output


def test_help_tells_a_stranger_what_the_commands_do() -> None:
    text = config("--help").stdout
    assert "Say whether the configuration is in order" in text
    assert "Write commented defaults" in text

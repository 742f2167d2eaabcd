"""The environment over the file, and where the keys of a venue may come from."""

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from otonom_trader.brokers.config import (
    DAEMON_KEYS,
    BrokerConfig,
    get_broker_config,
    require_own_keys,
)
from otonom_trader.domain.errors import ConfigurationError
from otonom_trader.domain.mode import Mode
from tests.brokers.binance.keys import pem

FILE = """\
broker:
  type: binance
  mode: shadow
  binance:
    use_testnet: true
risk_guardrails:
  max_open_risk_pct: 25
"""
KEYS = {
    "OTONOM_TRADER__BROKER__BINANCE__API_KEY": "env-key",
    "OTONOM_TRADER__BROKER__BINANCE__API_SECRET": "env-secret",
}

Read = Callable[..., BrokerConfig]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Write a text to config/broker.yaml and read it under the environment given."""
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()

    def read(text: str = FILE, **environ: str) -> BrokerConfig:
        Path("config/broker.yaml").write_text(text)
        return get_broker_config(environ=environ)

    return read


def refusal(read: Read, text: str = FILE, **environ: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(text, **environ)
    return str(caught.value)


def key_file(path: str, content: str = "file-key\n", mode: int = 0o400) -> Path:
    file = Path(path)
    file.parent.mkdir(exist_ok=True)
    file.write_text(content)
    file.chmod(mode)
    return file


def with_key_files(text: str = FILE) -> str:
    files = "    api_key_file: key\n    api_secret_file: secret\n"
    return text.replace("risk_guardrails:", files + "risk_guardrails:")


def test_the_environment_overrides_the_file(read: Read) -> None:
    config = read(
        **KEYS,
        OTONOM_TRADER__BROKER__MODE="live",
        OTONOM_TRADER__RISK_GUARDRAILS__MAX_OPEN_RISK_PCT="12.5",
        OTONOM_TRADER__RISK_GUARDRAILS__KILL_SWITCH="true",
        OTONOM_TRADER__RISK_GUARDRAILS__MAX_TOTAL_POSITIONS="null",
        OTONOM_TRADER__SIZING__RISK_PER_TRADE_PCT="0.5",
    )
    assert config.mode is Mode.LIVE
    limits = config.get_risk_guardrails()
    assert limits.max_open_risk_pct == Decimal("12.5")
    assert limits.kill_switch
    assert limits.max_total_positions is None
    assert config.risk_per_trade_pct == Decimal("0.5")


def test_entries_of_a_mapping_are_added_to_those_of_the_file(read: Read) -> None:
    config = read(
        FILE + "symbols: {ETH-USD: ETH-USDT}\n",
        **KEYS,
        **{"OTONOM_TRADER__SYMBOLS__BTC-USD": "BTCUSDT"},
    )
    assert config.symbols == {"ETH-USD": "ETH-USDT", "BTC-USD": "BTC-USDT"}


def test_every_value_tells_where_it_came_from(read: Read) -> None:
    sources = read(**KEYS, OTONOM_TRADER__RISK_GUARDRAILS__KILL_SWITCH="false").sources
    assert sources["broker.type"] == "config/broker.yaml:2"
    assert sources["broker.mode"] == "config/broker.yaml:3"
    assert sources["risk_guardrails.max_open_risk_pct"] == "config/broker.yaml:7"
    assert sources["risk_guardrails.max_total_positions"] == "default"
    assert sources["risk_guardrails.kill_switch"] == (
        "environment variable OTONOM_TRADER__RISK_GUARDRAILS__KILL_SWITCH"
    )
    assert sources["broker.binance.api_key"] == (
        "environment variable OTONOM_TRADER__BROKER__BINANCE__API_KEY"
    )


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "BROKER__SHADOW_MOD",
            "true",
            " names no setting; the nearest is OTONOM_TRADER__BROKER__SHADOW_MODE",
        ),
        ("BROKER", "x", " names no setting; the nearest is OTONOM_TRADER__BROKER__TYPE"),
        ("BROKER__TYPE__X", "x", " names no setting; the nearest is OTONOM_TRADER__BROKER__TYPE"),
        ("broker__type", "dummy", " names no setting; the nearest is OTONOM_TRADER__BROKER__TYPE"),
        ("SYMBOLS", "x", " names no setting; the nearest is OTONOM_TRADER__SYMBOLS__<NAME>"),
        ("", "x", " names no setting; the nearest is OTONOM_TRADER__KILL"),
        (
            "RISK_GAURDRAILS__KILL_SWITCH",
            "true",
            " names no setting; the nearest is OTONOM_TRADER__RISK_GUARDRAILS__KILL_SWITCH",
        ),
        (
            "LOGING__LEVEL",
            "debug",
            " names no setting; the nearest is OTONOM_TRADER__LOGGING__LEVEL",
        ),
        ("BROKER__MODE", "no", ": broker.mode must be one of off, shadow, live, not the text 'no'"),
        ("BROKER__SHADOW_MODE", "", ": broker.shadow_mode is empty; it must be true or false"),
        (
            "BROKER__SHADOW_MODE",
            "{a: 1}",
            ": broker.shadow_mode must be a single value; put it in quotes if it is text",
        ),
        (
            "BROKER__MODE",
            "a\nb: c",
            ": broker.mode is no YAML value; put it in quotes",
        ),
        (
            "SIZING__RISK_PER_TRADE_PCT",
            "'2'",
            ": sizing.risk_per_trade_pct must be a number such as 10 or 0.5, not the text '2'",
        ),
        (
            "RISK_GUARDRAILS__SYMBOL_BLACKLIST",
            "LUNA",
            ": risk_guardrails.symbol_blacklist must be a list, not the text 'LUNA'",
        ),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_refused_by_name(
    read: Read, name: str, value: str, sentence: str
) -> None:
    variable = f"OTONOM_TRADER__{name}"
    assert (
        refusal(read, **KEYS, **{variable: value}) == f"environment variable {variable}{sentence}"
    )


@pytest.mark.parametrize(
    "variable",
    ["OTONOM_TRADER_RISK_GUARDRAILS__KILL_SWITCH", "otonom_trader__risk_guardrails__kill_switch"],
)
def test_a_variable_that_would_pass_unread_is_refused(read: Read, variable: str) -> None:
    assert refusal(read, **KEYS, **{variable: "true"}) == (
        f"environment variable {variable} names no setting; "
        "the nearest is OTONOM_TRADER__RISK_GUARDRAILS__KILL_SWITCH"
    )


def test_mode_and_shadow_mode_may_not_disagree_across_file_and_environment(read: Read) -> None:
    assert refusal(read, **KEYS, OTONOM_TRADER__BROKER__SHADOW_MODE="false") == (
        "config/broker.yaml:3: broker.mode is shadow, but broker.shadow_mode is false, "
        "which means live; keep one"
    )


def test_variables_of_daemon_yaml_and_of_others_are_left_alone(read: Read) -> None:
    read(**KEYS, OTONOM_TRADER__LOGGING__LEVEL="debug", OTONOM_TRADER_X="1", PATH="/bin")
    for key in DAEMON_KEYS:
        read(**KEYS, **{f"OTONOM_TRADER__{key.upper()}": "whatever"})


def test_only_variables_with_the_prefix_are_read(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIZING", '{"risk_per_trade_pct": 50}')
    monkeypatch.setenv("account_currency", "EUR")
    Path(".env").write_text("ACCOUNT_CURRENCY=EUR\n")
    config = read(**KEYS)
    assert config.risk_per_trade_pct == 1
    assert config.account_currency == "USDT"


def test_keys_come_from_files_relative_to_the_configuration(read: Read) -> None:
    key_file("config/key")
    key_file("config/secret", "file-secret")
    config = read(with_key_files())
    assert config.api_key.reveal() == "file-key"
    assert config.api_secret.reveal() == "file-secret"
    assert config.sources["broker.binance.api_key"] == "file config/key"


def test_a_file_named_by_the_environment_is_relative_to_the_working_directory(read: Read) -> None:
    key_file("here")
    config = read(
        OTONOM_TRADER__BROKER__BINANCE__API_KEY_FILE="here",
        OTONOM_TRADER__BROKER__BINANCE__API_SECRET="s",
    )
    assert config.api_key.reveal() == "file-key"


def test_keys_come_from_systemd_credentials(read: Read) -> None:
    key_file("credentials/api_key", "cred-key")
    key_file("credentials/api_secret", "cred-secret", mode=0o440)
    config = read(CREDENTIALS_DIRECTORY="credentials")
    assert config.api_key.reveal() == "cred-key"
    assert config.api_secret.reveal() == "cred-secret"
    assert config.sources["broker.binance.api_secret"] == "systemd credential api_secret"


def test_the_environment_wins_over_file_credential_and_yaml_in_this_order(read: Read) -> None:
    key_file("config/key")
    key_file("config/secret", "file-secret")
    key_file("credentials/api_key", "cred-key")
    key_file("credentials/api_secret", "cred-secret")
    in_yaml = "    api_key: yaml-key\n    api_secret: yaml-secret\nrisk_guardrails:"
    in_yaml = FILE.replace("risk_guardrails:", in_yaml)
    credentials = {"CREDENTIALS_DIRECTORY": "credentials"}
    keys = [
        read(with_key_files(), **KEYS, **credentials).api_key,
        read(with_key_files(), **credentials).api_key,
        read(in_yaml, **credentials).api_key,
        read(in_yaml).api_key,
    ]
    assert [key.reveal() for key in keys] == ["env-key", "file-key", "cred-key", "yaml-key"]


@pytest.mark.parametrize("mode", [0o600, 0o440, 0o404, 0o640, 0o644, 0o500])
def test_a_key_file_that_others_may_touch_is_refused(read: Read, mode: int) -> None:
    key_file("config/key", mode=mode)
    assert refusal(read, with_key_files()) == (
        "config/broker.yaml:6: broker.binance.api_key_file is refused: "
        f"config/key has mode {mode:04o}; run chmod 0400 on it"
    )


def test_a_key_file_of_another_user_is_refused(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    key_file("config/key")
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    assert refusal(read, with_key_files()) == (
        "config/broker.yaml:6: broker.binance.api_key_file is refused: "
        f"config/key belongs to the user with uid {mine}, not to uid {mine + 1}"
    )


def test_a_credential_that_everyone_may_read_is_refused(read: Read) -> None:
    key_file("credentials/api_key", mode=0o444)
    assert refusal(read, CREDENTIALS_DIRECTORY="credentials") == (
        "systemd credential api_key is refused: "
        "credentials/api_key may be read by everyone (mode 0444)"
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "the key in config/key is empty"),
        ("\n", "the key in config/key is empty"),
        ("CANARY two", "the key in config/key must not contain spaces"),
        ("CANARY\nX\n", "the key in config/key must be one line of at most 512 plain characters"),
        ("CANARY\0", "the key in config/key must be one line of at most 512 plain characters"),
        ("CANARYé", "config/key does not hold plain text"),
        ("CANARY" * 2000, "config/key cannot be read: it is larger than 8 KiB"),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_key_is_refused_without_showing_it(
    read: Read, content: str, sentence: str
) -> None:
    key_file("config/key", content)
    text = refusal(read, with_key_files())
    assert text == f"config/broker.yaml:6: broker.binance.api_key_file is refused: {sentence}"


PRIVATE_KEY = pem(ed25519.Ed25519PrivateKey.generate())


def test_the_secret_may_be_a_private_key(read: Read) -> None:
    key_file("config/key")
    key_file("config/secret", PRIVATE_KEY)
    assert read(with_key_files()).api_secret.reveal() == PRIVATE_KEY.removesuffix("\n")
    environ = KEYS | {"OTONOM_TRADER__BROKER__BINANCE__API_SECRET": PRIVATE_KEY}
    assert read(**environ).api_secret.reveal().split() == PRIVATE_KEY.split()


def test_a_private_key_that_cannot_be_read_is_refused_without_showing_it(read: Read) -> None:
    spoiled = PRIVATE_KEY.replace("MC4", "CANARY")
    key_file("config/key")
    key_file("config/secret", spoiled)
    assert refusal(read, with_key_files()) == (
        "config/broker.yaml:7: broker.binance.api_secret_file is refused: the key in "
        "config/secret is not a private key in PEM that can be read"
    )
    environ = KEYS | {"OTONOM_TRADER__BROKER__BINANCE__API_SECRET": spoiled}
    assert refusal(read, **environ) == (
        "environment variable OTONOM_TRADER__BROKER__BINANCE__API_SECRET: "
        "broker.binance.api_secret is not a private key in PEM that can be read"
    )


def test_a_key_file_that_is_missing_or_no_file_is_refused(read: Read) -> None:
    assert refusal(read, with_key_files()) == (
        "config/broker.yaml:6: broker.binance.api_key_file names config/key, which does not exist"
    )
    Path("config/key").mkdir()
    assert refusal(read, with_key_files()) == (
        "config/broker.yaml:6: broker.binance.api_key_file is refused: "
        "config/key cannot be read: is a directory"
    )


def test_production_takes_keys_from_everywhere_but_the_file(read: Read) -> None:
    production = FILE.replace("use_testnet: true", "use_testnet: false")
    key_file("config/key")
    key_file("config/secret", "file-secret")
    key_file("credentials/api_key", "cred-key")
    key_file("credentials/api_secret", "cred-secret")
    assert read(production, **KEYS).api_key.reveal() == "env-key"
    assert read(with_key_files(production)).api_key.reveal() == "file-key"
    assert read(production, CREDENTIALS_DIRECTORY="credentials").api_key.reveal() == "cred-key"
    in_yaml = production.replace("risk_guardrails:", "    api_key: x\nrisk_guardrails:")
    assert "may stand in the file for the testnet only" in refusal(read, in_yaml)
    assert "may stand in the file for the testnet only" in refusal(read, in_yaml, **KEYS)


def test_a_placeholder_in_the_file_is_no_production_key(read: Read) -> None:
    text = FILE.replace("use_testnet: true", "use_testnet: false").replace(
        "risk_guardrails:", "    api_key: your_testnet_api_key\nrisk_guardrails:"
    )
    assert read(text, **KEYS).api_key.reveal() == "env-key"
    assert "broker.binance.api_key is needed in mode shadow; set " in refusal(read, text)


@pytest.mark.parametrize("name", ["api_key", "api_secret"])
def test_a_placeholder_in_force_is_told_apart_from_a_key(read: Read, name: str) -> None:
    require_own_keys(read(**KEYS))
    for placeholder in ("your_testnet_api_key", "your_secret", "live_key", "..."):
        keys = KEYS | {f"OTONOM_TRADER__BROKER__BINANCE__{name.upper()}": f"'{placeholder}'"}
        with pytest.raises(ConfigurationError) as caught:
            require_own_keys(read(**keys))
        assert str(caught.value).startswith(
            f"environment variable OTONOM_TRADER__BROKER__BINANCE__{name.upper()}: "
            f"broker.binance.{name} is still the example's placeholder, not a key; "
        )


@pytest.mark.parametrize("name", ["api_key", "api_secret"])
def test_a_missing_key_is_named(read: Read, name: str) -> None:
    keys = {k: v for k, v in KEYS.items() if not k.endswith(name.upper())}
    assert refusal(read, **keys) == (
        f"config/broker.yaml:4: broker.binance.{name} is needed in mode shadow; set "
        f"OTONOM_TRADER__BROKER__BINANCE__{name.upper()}, or name a file of mode 0400 in "
        f"{name}_file, or pass the systemd credential {name}"
    )

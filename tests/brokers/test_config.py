"""What broker.yaml means, and every sentence that refuses one."""

import os
import re
from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pytest

from otonom_trader.brokers.binance.hosts import is_testnet
from otonom_trader.brokers.config import (
    BrokerConfig,
    get_broker_config,
    require_live_permitted,
)
from otonom_trader.brokers.config_layers import load
from otonom_trader.brokers.config_schema import BrokerFile
from otonom_trader.brokers.yaml_source import parse_yaml
from otonom_trader.domain.errors import ConfigurationError, NotPermitted
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.secret import Secret
from otonom_trader.risk.limits import RiskGuardrails

GUIDE = """\
broker:
  type: binance
  shadow_mode: true
  binance:
    use_testnet: true
    api_key: "your_testnet_api_key"
    api_secret: "your_testnet_api_secret"
    base_url: "https://testnet.binance.vision"
risk_guardrails:
  max_notional_per_order: 10000.0
  max_open_risk_pct: 25.0
  max_total_positions: 10
  max_position_size_pct: 10.0
  symbol_blacklist:
    - "LUNA-USD"
    - "FTT-USD"
  require_confirmation_above: 50000.0
  kill_switch: false
"""
PRODUCTION = "broker: {type: binance, mode: live, binance: {use_testnet: false}}\n"
PRODUCTION_KEYS = {
    "OTONOM_TRADER__BROKER__BINANCE__API_KEY": "k",
    "OTONOM_TRADER__BROKER__BINANCE__API_SECRET": "s",
}

Read = Callable[..., BrokerConfig]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Write a text to config/broker.yaml and read it, with no environment but the one given."""
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()

    def read(text: str, **environ: str) -> BrokerConfig:
        Path("config/broker.yaml").write_text(text)
        return get_broker_config(environ=environ)

    return read


def refusal(read: Read, text: str, **environ: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(text, **environ)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_means_what_the_guide_says(config: BrokerConfig) -> None:
    assert config.broker_type == "binance"
    assert config.mode is Mode.SHADOW
    assert config.shadow_mode
    assert config.use_testnet
    assert config.base_url == "https://testnet.binance.vision"
    assert config.api_key == Secret("your_testnet_api_key")
    assert config.api_secret == Secret("your_testnet_api_secret")
    assert config.get_risk_guardrails() == RiskGuardrails(
        max_notional_per_order=Decimal(10000),
        max_open_risk_pct=Decimal(25),
        max_total_positions=10,
        max_position_size_pct=Decimal(10),
        symbol_blacklist=("LUNA-USD", "FTT-USD"),
        require_confirmation_above=Decimal(50000),
        kill_switch=False,
    )


def test_the_guides_file_means_what_the_guide_says(read: Read) -> None:
    assert_means_what_the_guide_says(read(GUIDE))


def test_the_guides_file_loads_word_for_word(read: Read) -> None:
    root = Path(__file__).parents[2]
    shared = Path(os.environ.get("OTONOM_SHARED_DATA") or root.parent / "shared" / "data").parent
    guide = shared / "broker-integration-guide.md"
    if not guide.is_file():
        pytest.skip(f"the guide is not at {guide}")
    blocks = re.findall(r"```yaml\n(.*?)```", guide.read_text(), re.DOTALL)
    assert_means_what_the_guide_says(read(blocks[0]))


def test_what_is_left_out_has_safe_defaults(read: Read) -> None:
    config = read("broker: {type: dummy}\n")
    assert config.mode is Mode.SHADOW
    assert config.use_testnet
    assert config.market_orders == "protected"
    assert config.account_currency == "USDT"
    assert config.risk_per_trade_pct == 1
    assert config.recv_window_ms == 2000
    assert config.timeout_seconds == 5
    assert config.live_account is None
    assert config.get_risk_guardrails() == RiskGuardrails()


def test_every_limit_of_the_guardrails_is_a_key(read: Read) -> None:
    section = "risk_guardrails:\n"
    for limit in fields(RiskGuardrails):
        entry = "daily 08:00-20:00" if limit.name.endswith("_windows") else "LUNA"
        value = {bool: "true", tuple: f"[{entry}]"}.get(type(limit.default), "7")
        section += f"  {limit.name}: {value}\n"
    limits = read("broker: {type: dummy}\n" + section).get_risk_guardrails()
    assert all(getattr(limits, limit.name) != limit.default for limit in fields(limits))


def test_null_switches_an_optional_limit_off(read: Read) -> None:
    limits = read(GUIDE.replace("25.0", "null")).get_risk_guardrails()
    assert limits.max_open_risk_pct is None


def test_the_other_sections_are_read(read: Read) -> None:
    config = read(
        "broker:\n  type: dummy\n  market_orders: plain\n"
        "  dummy: {prices: {btcusdt: 50000, ETH/USDT: 3000.50}}\n"
        "  binance: {timeout_seconds: 2.5, recv_window_ms: 1000}\n"
        "account_currency: USDC\nsymbols: {BTC-USD: BTCUSDT}\n"
        "sizing: {risk_per_trade_pct: 0.5}\nlive: {account: 123456}\n"
    )
    assert config.market_orders == "plain"
    assert config.dummy_prices == {"BTC-USDT": Decimal(50000), "ETH-USDT": Decimal("3000.5")}
    assert (config.timeout_seconds, config.recv_window_ms) == (2.5, 1000)
    assert config.account_currency == "USDC"
    assert config.symbols == {"BTC-USD": "BTC-USDT"}
    assert config.risk_per_trade_pct == Decimal("0.5")
    assert config.live_account == "123456"


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        ("shadow_mode: true", Mode.SHADOW),
        ("shadow_mode: false", Mode.LIVE),
        ("mode: off", Mode.OFF),
        ("mode: shadow", Mode.SHADOW),
        ("mode: live", Mode.LIVE),
        ("mode: live\n  shadow_mode: false", Mode.LIVE),
        ("market_orders: plain", Mode.SHADOW),
    ],
)
def test_shadow_mode_is_short_for_mode(read: Read, said: str, mode: Mode) -> None:
    config = read(GUIDE.replace("shadow_mode: true", said))
    assert config.mode is mode
    assert config.shadow_mode is (mode is Mode.SHADOW)


def test_mode_off_and_the_dummy_hold_no_key(read: Read) -> None:
    off = GUIDE.replace("shadow_mode: true", "mode: off")
    dummy = GUIDE.replace("type: binance", "type: dummy")
    for config in (read(off), read(dummy)):
        assert not config.api_key
        assert not config.api_secret


@pytest.mark.parametrize(
    ("url", "use_testnet"),
    [
        ("https://testnet.binance.vision/", True),
        ("https://api1.testnet.binance.vision", True),
        ("https://demo-api.binance.com", True),
        ("https://TESTNET.binance.vision:443", True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080", True),
        ("http://[::1]:8080", True),
        ("https://api.binance.com", False),
        ("https://api-gcp.binance.com", False),
    ],
)
def test_a_url_of_the_right_environment_is_taken(read: Read, url: str, use_testnet: bool) -> None:  # noqa: FBT001
    def text(flag: bool) -> str:  # noqa: FBT001
        section = f"use_testnet: {str(flag).lower()}, base_url: '{url}'"
        return f"broker: {{type: binance, mode: off, binance: {{{section}}}}}\n"

    assert read(text(use_testnet)).base_url == url.lower().removesuffix("/")
    assert "change one of them" in refusal(read, text(not use_testnet))


def test_without_a_url_the_environment_decides(read: Read) -> None:
    assert read(GUIDE).sources["broker.binance.base_url"] == "config/broker.yaml:8"
    testnet = read(GUIDE.replace('    base_url: "https://testnet.binance.vision"\n', ""))
    assert testnet.base_url == "https://testnet.binance.vision"
    assert testnet.sources["broker.binance.base_url"] == "default for use_testnet: true"
    assert read(PRODUCTION, **PRODUCTION_KEYS).base_url == "https://api.binance.com"


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "binance.vision", "", "127.0.0.1.x.com"])  # noqa: S104
def test_a_host_that_is_not_known_as_testnet_is_production(host: str) -> None:
    assert not is_testnet(host)


def test_live_on_production_is_not_permitted(read: Read) -> None:
    config = read(PRODUCTION, **PRODUCTION_KEYS)
    with pytest.raises(NotPermitted) as caught:
        require_live_permitted(config)
    assert str(caught.value) == (
        "config/broker.yaml: mode live with use_testnet: false is not permitted: it needs "
        "live.account with the account's uid, and the proof of a shadow phase, which this version "
        "cannot give yet; use mode shadow, or live with use_testnet: true"
    )
    armed = read(PRODUCTION + "live: {account: 5}\n", **PRODUCTION_KEYS)
    with pytest.raises(NotPermitted, match="it needs the proof of a shadow phase"):
        require_live_permitted(armed)


@pytest.mark.parametrize(
    "text",
    [
        GUIDE,
        GUIDE.replace("shadow_mode: true", "shadow_mode: false"),
        PRODUCTION.replace("live", "shadow"),
        PRODUCTION.replace("live", "off"),
        "broker: {type: dummy, mode: live}\n",
    ],
)
def test_everything_but_live_on_production_is_permitted(read: Read, text: str) -> None:
    require_live_permitted(read(text, **PRODUCTION_KEYS))


def test_no_key_shows_in_what_can_be_printed(read: Read) -> None:
    canary = "canary" * 10
    config = read(GUIDE.replace("your_testnet_api_key", canary))
    assert config.api_key.reveal() == canary
    for text in (
        repr(config),
        str(config),
        f"{config}",
        repr(config.settings),
        str(config.sources),
    ):
        assert canary not in text


def test_a_key_is_redacted_before_it_is_listed() -> None:
    loaded = load(BrokerFile, parse_yaml(GUIDE, "f"), {}, ())
    values = {setting.key: setting.value for setting in loaded.settings()}
    assert values["broker.binance.api_key"] == "***"
    assert "your_testnet" not in repr(loaded.schema)

"""Every sentence that refuses a broker.yaml."""

from collections.abc import Callable
from pathlib import Path

import pytest

from otonom_trader.brokers.config import BrokerConfig, get_broker_config
from otonom_trader.domain.errors import ConfigurationError

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


def cases() -> list[tuple[str, str, str]]:
    """Return old piece, new piece and sentence of each entry in config_refusals.txt."""
    text = Path(__file__).with_name("config_refusals.txt").read_text()
    entries = [entry.splitlines() for entry in text.split("\n\n")[1:]]
    return [
        (_piece(old), _piece(new), f"config/broker.yaml:{sentence}")
        for old, new, sentence in entries
    ]


def _piece(line: str) -> str:
    return line[2:].encode().decode("unicode_escape")


@pytest.mark.parametrize(("old", "new", "sentence"), cases())
def test_a_wrong_file_is_refused_in_one_sentence(
    read: Read, old: str, new: str, sentence: str
) -> None:
    assert old in GUIDE
    assert refusal(read, GUIDE.replace(old, new, 1)) == sentence


def test_of_several_mistakes_the_first_in_the_file_is_named(read: Read) -> None:
    text = GUIDE.replace("25.0", "x").replace("use_testnet: true", "use_testnet: maybe")
    assert refusal(read, text).startswith("config/broker.yaml:5: broker.binance.use_testnet ")


def test_production_keys_are_refused_in_the_file(read: Read) -> None:
    text = (
        GUIDE.replace("use_testnet: true", "use_testnet: false")
        .replace("https://testnet.binance.vision", "https://api.binance.com")
        .replace("your_testnet_api_key", "k" * 64)
    )
    assert refusal(read, text, **PRODUCTION_KEYS) == (
        "config/broker.yaml:6: broker.binance.api_key may stand in the file for the testnet only; "
        "set OTONOM_TRADER__BROKER__BINANCE__API_KEY, or name a file of mode 0400 in "
        "api_key_file, or pass the systemd credential api_key"
    )


@pytest.mark.parametrize(
    "binance",
    [
        "    api_key:\n      CANARY: x",
        "    api_key: [CANARY]",
        "    api_key: CANARY: x",
        "    api_key: *CANARY",
        "    api_key: &CANARY x",
        "    api_key: !CANARY x",
        "    api_key: !!CANARY x",
        "    api_key: !x!CANARY x",
        "    api_key: 'CANARY",
        '    api_key: "CANARY\\q"',
        '    api_key: "CANARY "',
        "    api_key: CANARY\n    api_key: CANARY",
        "    api_key CANARY",
        "    {api_key:CANARY}",
        "    api_key=CANARY: x",
        "    use_testnet: CANARY",
        "    CANARY",
        "    api_key: x\n    api_secret: CANARYé",
        "    base_url: https://CANARY@testnet.binance.vision",
    ],
)
def test_no_key_shows_in_a_refusal(read: Read, binance: str) -> None:
    canary = "C4n4ry" * 10 + "zzzz"
    text = "broker:\n  type: binance\n  binance:\n" + binance.replace("CANARY", canary) + "\n"
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    assert canary not in str(caught.value)
    assert caught.value.__cause__ is None

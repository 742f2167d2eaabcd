"""The factory: from a file to a guarded broker, or a sentence that says why not."""

from pathlib import Path

import pytest

from otonom_trader.brokers import BinanceBroker, DummyBroker, GuardedBroker, create_broker
from otonom_trader.brokers.binance.market_data import BinanceMarketData, MarketReader
from otonom_trader.brokers.binance.shadow import BinanceShadow
from otonom_trader.brokers.config import get_broker_config
from otonom_trader.brokers.config_schema import BROKER_TYPES, UNBUILT_BROKER_TYPES
from otonom_trader.brokers.factory import BROKERS, build_venue
from otonom_trader.brokers.off import OffVenue
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import ConfigurationError, NotPermitted
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderRequest, OrderState
from otonom_trader.storage.journal import Journal

GUIDE = """\
broker:
  # Broker type: dummy, binance, alpaca, ibkr
  type: binance

  # Shadow mode: log orders without execution
  shadow_mode: true

  # Binance settings
  binance:
    use_testnet: true  # Use testnet for safety
    api_key: "your_testnet_api_key"
    api_secret: "your_testnet_api_secret"
    base_url: "https://testnet.binance.vision"

# Risk Guardrails (enforced before all orders)
risk_guardrails:
  max_notional_per_order: 10000.0     # Max $10k per order
  max_open_risk_pct: 25.0              # Max 25% of equity at risk
  max_total_positions: 10              # Max 10 open positions
  max_position_size_pct: 10.0          # Max 10% per position
  symbol_blacklist:                    # Never trade these
    - "LUNA-USD"
    - "FTT-USD"
  require_confirmation_above: 50000.0  # Require manual confirm > $50k
  kill_switch: false                   # Emergency halt all trading
"""
KEYS = 'binance: {api_key: "k", api_secret: "s"}'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "broker.yaml"
    path.write_text(text)
    return path


def broker_of(type_: str, mode: str, keys: str = KEYS) -> str:
    return f"broker: {{type: {type_}, mode: {mode}, {keys}}}\n"


async def test_the_guides_file_makes_a_guarded_broker_around_shadow(tmp_path: Path) -> None:
    async with create_broker(config_path=written(tmp_path, GUIDE)) as broker:
        assert isinstance(broker, GuardedBroker)
        assert isinstance(broker.venue, BinanceShadow)
        assert broker.mode is Mode.SHADOW
        assert broker.guardrails.max_notional_per_order == 10000
        assert broker.guardrails.symbol_blacklist == ("LUNA-USD", "FTT-USD")


async def test_without_a_path_the_file_is_config_broker_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").mkdir()
    written(tmp_path / "config", GUIDE)
    monkeypatch.chdir(tmp_path)
    async with create_broker() as broker:
        assert broker.mode is Mode.SHADOW


def test_live_without_the_journal_is_refused_with_what_to_do(tmp_path: Path) -> None:
    for type_ in BROKERS:
        with pytest.raises(NotPermitted, match=r"intents=.*create_broker") as refusal:
            create_broker(written(tmp_path, broker_of(type_, "live")))
        assert "otonom-trader run" in str(refusal.value)


async def test_live_with_the_journal_places_real_orders(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db", clock=SystemClock())
    path = written(tmp_path, broker_of("binance", "live"))
    async with create_broker(path, intents=journal) as broker:
        assert isinstance(broker.venue, BinanceBroker)


def test_live_on_production_is_refused_even_with_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("API_KEY", "API_SECRET"):
        monkeypatch.setenv(f"OTONOM_TRADER__BROKER__BINANCE__{name}", "k")
    path = written(tmp_path, broker_of("binance", "live", "binance: {use_testnet: false}"))
    journal = Journal(tmp_path / "journal.db", clock=SystemClock())
    with pytest.raises(NotPermitted, match="use_testnet: false is not permitted"):
        create_broker(path, intents=journal)


@pytest.mark.parametrize("type_", UNBUILT_BROKER_TYPES)
def test_what_is_not_built_yet_is_refused_by_name(tmp_path: Path, type_: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{type_}, which is not built yet"):
        create_broker(written(tmp_path, broker_of(type_, "shadow")))


def test_nothing_falls_back_to_the_dummy(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="must be one of dummy, binance"):
        create_broker(written(tmp_path, broker_of("binanse", "shadow")))
    with pytest.raises(ConfigurationError, match=r"broker\.type is missing"):
        create_broker(written(tmp_path, "broker: {mode: shadow}\n"))


def test_every_broker_that_is_built_is_configurable_and_the_reverse() -> None:
    assert set(BROKERS) == set(BROKER_TYPES)
    assert set(UNBUILT_BROKER_TYPES) == {"alpaca", "ibkr"}


@pytest.mark.parametrize("type_", BROKERS)
@pytest.mark.parametrize("mode", ["off", "shadow"])
async def test_every_broker_works_in_off_and_shadow(tmp_path: Path, type_: str, mode: str) -> None:
    async with create_broker(written(tmp_path, broker_of(type_, mode))) as broker:
        assert broker.mode == mode
        if mode == "off":
            assert isinstance(broker.venue, OffVenue)
            kind = BinanceMarketData if type_ == "binance" else DummyBroker
            assert isinstance(broker.venue._market_data, kind)


async def test_the_guides_simple_order_works_on_the_dummy(tmp_path: Path) -> None:
    async with create_broker(written(tmp_path, "broker: {type: dummy}\n")) as broker:
        result = await broker.place_order(
            OrderRequest(symbol="BTCUSDT", side="BUY", qty=0.001),
            current_price=50000,
            current_equity=100000,
        )
        assert result.ok
        over = await broker.place_order(
            OrderRequest(symbol="BTCUSDT", side="BUY", qty=0.3),
            current_price=50000,
            current_equity=100000,
        )
    assert over.message == "RISK REJECTED: Order notional $15000 exceeds max $10000"


async def test_in_off_an_order_by_hand_is_judged_on_the_callers_figures_and_not_sent(
    tmp_path: Path,
) -> None:
    async with create_broker(written(tmp_path, "broker: {type: dummy, mode: off}\n")) as broker:
        request_ = OrderRequest(symbol="BTCUSDT", side="BUY", qty=0.1)
        result = await broker.place_order(request_, 50000, 100000)
        assert (result.state, result.code) == (OrderState.NOT_SENT, "paper_only")
        denied = await broker.place_order(request_, 50000, 20000)
        assert denied.message == "RISK REJECTED: Position size 25.0% exceeds max 10.0%"


async def test_prices_of_the_dummy_come_from_the_file(tmp_path: Path) -> None:
    text = 'broker: {type: dummy, dummy: {prices: {"BTC-USDT": 40000}}}\n'
    async with create_broker(written(tmp_path, text)) as broker:
        result = await broker.place_order(OrderRequest("BTCUSDT", "BUY", "0.1"))
        assert result.avg_price == 40000


@pytest.mark.parametrize("mode", ["off", "shadow", "live"])
@pytest.mark.parametrize("market_data", ["rest", "streams"])
def test_books_come_from_where_the_file_says_in_every_mode(
    tmp_path: Path, mode: str, market_data: str
) -> None:
    keys = f'binance: {{api_key: "k", api_secret: "s", market_data: {market_data}}}'
    config = get_broker_config(written(tmp_path, broker_of("binance", mode, keys)))
    venue = build_venue(config, SystemClock(), None)
    reader = venue._market_data if isinstance(venue, OffVenue) else venue
    assert isinstance(reader, MarketReader)
    assert (reader._streams is not None) is (market_data == "streams")

"""Amounts are read to the last digit, wherever they stand."""

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.binance import wire
from otonom_trader.brokers.binance.market_data import _book
from otonom_trader.brokers.binance.orders import user_data
from otonom_trader.brokers.binance.orders.replies import fill_of_trade, open_order
from otonom_trader.domain.order import OrderStatus, Side
from otonom_trader.domain.venue_event import BalancesUpdate, OrderUpdate

AMOUNTS = st.decimals(0, 10**19, places=18, allow_nan=False).map(lambda amount: f"{amount:f}")

POSITIVE = AMOUNTS.filter(lambda text: Decimal(text) > 0)


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_an_order_is_read_exactly(price: str, qty: str, quote_qty: str) -> None:
    order = wire.QueriedOrder(
        symbol="BTCUSDT",
        order_id=1,
        client_order_id="a",
        price=price,
        orig_qty=qty,
        executed_qty=qty,
        cummulative_quote_qty=quote_qty,
        status=OrderStatus.FILLED,
        type="LIMIT",
        side=Side.BUY,
        update_time=1,
        stop_price=price,
        iceberg_qty=qty,
    )
    read = open_order(order)
    assert (read.price or 0, read.stop_price or 0) == (Decimal(price), Decimal(price))
    assert (read.qty, read.filled_qty, read.iceberg_qty or 0) == (Decimal(qty),) * 3
    assert read.quote_qty == Decimal(quote_qty)


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_a_trade_is_read_exactly(price: str, qty: str, quote_qty: str, fee: str) -> None:
    trade = wire.Trade("BTCUSDT", 1, 2, price, qty, quote_qty, fee, "BNB", 3, is_maker=True)
    fill = fill_of_trade(trade, "BTCUSDT")
    told = (Decimal(price), Decimal(qty), Decimal(quote_qty), Decimal(fee))
    assert (fill.price, fill.qty, fill.quote_qty, fill.fee) == told


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_an_event_is_read_exactly(price: str, qty: str, quote_qty: str, fee: str) -> None:
    report = {
        "s": "BTCUSDT",
        "c": "a",
        "C": "",
        "S": "BUY",
        "x": "TRADE",
        "X": "FILLED",
        "r": "NONE",
    }
    report |= {"q": qty, "p": price, "l": qty, "L": price, "Y": quote_qty, "z": qty, "Z": quote_qty}
    whole = report | {
        "n": fee,
        "N": "BNB",
        "i": 1,
        "t": 2,
        "T": 3,
        "m": False,
        "g": -1,
        "e": "executionReport",
    }
    update = user_data.read_event(json.dumps(whole).encode())
    assert isinstance(update, OrderUpdate)
    (fill,) = update.result.fills
    told = (Decimal(price), Decimal(qty), Decimal(quote_qty), Decimal(fee))
    assert (fill.price, fill.qty, fill.quote_qty, fill.fee) == told
    assert (update.result.filled_qty, update.result.quote_qty) == (told[1], told[2])


@given(POSITIVE, POSITIVE)
def test_a_book_is_read_exactly(price: str, qty: str) -> None:
    book = _book(wire.Depth(1, [(price, qty)], []))
    assert (book.bids[0].price, book.bids[0].qty) == (Decimal(price), Decimal(qty))


@given(AMOUNTS, AMOUNTS)
def test_balances_are_read_exactly(free: str, locked: str) -> None:
    row = {"a": "BTC", "f": free, "l": locked}
    told = {"e": "outboundAccountPosition", "u": 1, "B": [row]}
    update = user_data.read_event(json.dumps(told).encode())
    assert isinstance(update, BalancesUpdate)
    balance = update.balances["BTC"]
    assert (balance.free, balance.locked) == (Decimal(free), Decimal(locked))

"""The local testnet asked in process, and rules put to it that the adapter then reads from it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from otonom_trader.brokers.binance import wire
from otonom_trader.brokers.binance.errors import FILTER_FAILURE, PRECISION, Reply
from otonom_trader.brokers.binance.orders.replies import Asked, order_params
from otonom_trader.brokers.binance.rules.context import Context, OpenOrders
from otonom_trader.brokers.binance.rules.trading_rules import Rules, Violation, parse_rules
from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.order import OrderRequest
from otonom_trader.testnet import (
    AccountConfig,
    LocalTestnet,
    ManualClock,
    MarketSpec,
    RateLimits,
    TestnetConfig,
)
from otonom_trader.testnet.built_in import BUILT_IN
from otonom_trader.testnet.exchange_info import parse_symbol, symbol_reply
from otonom_trader.testnet.reference_price import ReferencePrice
from otonom_trader.testnet.security import sign

NOW_MS: Final = 1_790_000_000_000
ENDLESS: Final = RateLimits(
    weight_per_minute=10**9,
    orders_per_10_seconds=10**9,
    orders_per_day=10**9,
    raw_requests_per_5_minutes=10**9,
)
TRADER: Final = AccountConfig(
    api_key="trader-key",
    api_secret="trader-secret",
    name="trader",
    balances={asset: Decimal(10**9) for asset in ("USDT", "AAA", "BBB", "CCC")},
)
MAKER: Final = replace(TRADER, api_key="maker-key", api_secret="maker-secret", name="maker")

SYMBOLS: Final = ("AAAUSDT", "BBBUSDT", "CCCUSDT")
"""With a reference price, with one that is null at present, and without."""

_info = msgspec.json.Decoder(wire.ExchangeInfo)
_reference = msgspec.json.Decoder(wire.ReferencePrice)
_average = msgspec.json.Decoder(wire.AveragePrice)
_last = msgspec.json.Decoder(wire.TickerPrice)
_account = msgspec.json.Decoder(wire.Account)
_open_orders = msgspec.json.Decoder(list[wire.QueriedOrder])


class _OfList(msgspec.Struct, rename="camel"):
    symbol: str
    order_list_id: int


_order_lists = msgspec.json.Decoder(list[_OfList])


def config(folder: Path) -> TestnetConfig:
    """Three symbols that nobody makes a market in, and a clock that stands still."""
    listed = []
    for symbol in SYMBOLS:
        entry = symbol_reply(BUILT_IN[0], with_permission_sets=True)
        listed.append(entry | {"symbol": symbol, "baseAsset": symbol[:3], "filters": []})
    path = folder / "exchangeInfo.json"
    path.write_text(json.dumps({"symbols": listed, "exchangeFilters": []}))
    return TestnetConfig(
        accounts=(TRADER, MAKER),
        market=MarketSpec("empty"),
        limits=ENDLESS,
        exchange_info=path,
        clock=ManualClock(NOW_MS),
    )


@dataclass(frozen=True)
class Refusal:
    """What the venue would not have, in its own words."""

    code: int
    msg: str

    @property
    def filter_name(self) -> str:
        return self.msg.removeprefix("Filter failure: ") if "Filter failure: " in self.msg else ""


class Venue:
    """A local testnet in which a few trades have been made."""

    def __init__(self, opened: LocalTestnet) -> None:
        self.opened = opened
        clock = opened.config.clock
        assert isinstance(clock, ManualClock)
        self._clock = clock
        for symbol in SYMBOLS[:2]:
            book = opened.exchange.engine.books[symbol]
            setattr(book, "reference", ReferencePrice(bucket_count=10, bucket_width_ms=1000))  # noqa: B010  Final
        # One at 97 a minute ago, then at 100 and 103 now: average, last and reference differ.
        for symbol in SYMBOLS:
            self._trade(symbol, "97", "3")
        clock.advance(60_000)
        for symbol in (SYMBOLS[0], SYMBOLS[2]):
            self._trade(symbol, "100", "1")
            self._trade(symbol, "103", "1")

    def put(self, symbol: str, **changes: Any) -> Rules:
        """Give a symbol other rules, of its entry in exchangeInfo; return them as they are read."""
        engine = self.opened.exchange.engine
        entry = symbol_reply(engine.rules[symbol], with_permission_sets=True) | changes
        engine.rules[symbol] = parse_symbol(entry)
        return self.rules(symbol)

    def put_exchange_filters(self, filters: list[dict[str, Any]]) -> None:
        setattr(self.opened.exchange, "exchange_filters", tuple(filters))  # noqa: B010  Final

    def rules(self, symbol: str) -> Rules:
        reply = self.get("exchangeInfo", symbol=symbol)
        info = wire.read(_info, reply)
        return parse_rules(info.symbols[0], info.exchange_filters)

    def place(self, order: OrderRequest, client_id: str, *, test: bool = False) -> Refusal | None:
        """Return why the venue would not take `order`, None when it did."""
        params = order_params(Asked(order.symbol, client_id, order))
        return self._refusal("POST", "order/test" if test else "order", dict(params))

    def place_pair(self, above: OrderRequest, below: OrderRequest) -> Refusal | None:
        """The same of a pair to SELL: a limit maker above and a stop loss below."""
        return self._refusal(
            "POST",
            "orderList/oco",
            {
                "symbol": above.symbol,
                "side": above.side.value,
                "quantity": f"{above.qty:f}",
                "aboveType": above.order_type.value,
                "abovePrice": f"{above.price:f}",
                "belowType": below.order_type.value,
                "belowStopPrice": f"{below.stop_price:f}",
            },
        )

    def cancel_all(self) -> None:
        reply = self._signed("GET", "openOrders", {})
        for symbol in {order.symbol for order in wire.read(_open_orders, reply)}:
            assert self._refusal("DELETE", "openOrders", {"symbol": symbol}) is None

    def context(self, symbol: str, mins: int) -> Context:
        """Return all that there is to know, by the venue's own answers."""
        reply = self._signed("GET", "openOrders", {})
        orders, lists = wire.read(_open_orders, reply), wire.read(_order_lists, reply)
        return replace(
            self.prices(symbol, mins),
            here=_counts(
                [order for order in orders if order.symbol == symbol],
                [one for one in lists if one.symbol == symbol],
            ),
            everywhere=_counts(orders, lists),
            position=self._position(symbol, orders),
        )

    def prices(self, symbol: str, mins: int) -> Context:
        reply = self.get("referencePrice", symbol=symbol)
        price = "0" if reply.status == 400 else wire.read(_reference, reply).reference_price
        average = wire.read(_average, self.get("avgPrice", symbol=symbol))
        mins = mins or average.mins  # over 0 the last price counts, and no average
        of_minutes = self.opened.exchange.tapes[symbol].average_price(self._clock.time_ms(), mins)
        if mins == average.mins:
            assert Decimal(of_minutes).scaleb(-8) == wire.number(average.price)
        last = wire.read(_last, self.get("ticker/price", symbol=symbol))
        return Context(
            reference_price=wire.number(price or "0"),
            average_price=Decimal(of_minutes).scaleb(-8),
            average_mins=mins,
            last_price=wire.number(last.price),
        )

    def get(self, path: str, **params: str) -> Reply:
        answer = self.opened.answer("GET", f"/api/v3/{path}", urlencode(params))
        return Reply(path, answer.status, 0, 1, body=answer.body)

    def _position(self, symbol: str, orders: list[wire.QueriedOrder]) -> Decimal:
        account = wire.read(_account, self._signed("GET", "account", {}))
        held = next(row for row in account.balances if row.asset == symbol[:3])
        buying = (
            wire.number(order.orig_qty) - wire.number(order.executed_qty)
            for order in orders
            if order.symbol == symbol and order.side == "BUY"
        )
        return wire.number(held.free) + wire.number(held.locked) + sum(buying, ZERO)

    def _trade(self, symbol: str, price: str, qty: str) -> None:
        for account, side in ((MAKER, "SELL"), (TRADER, "BUY")):
            order = {
                "symbol": symbol, "side": side, "type": "LIMIT", "timeInForce": "GTC",
                "quantity": qty, "price": price,
            }  # fmt: skip
            assert self._signed("POST", "order", order, account).status == 200

    def _refusal(self, method: str, path: str, params: dict[str, str]) -> Refusal | None:
        reply = self._signed(method, path, params)
        if reply.status == 200:
            return None
        told = reply.venue_text
        assert told is not None
        return Refusal(told.code, told.msg)

    def _signed(
        self, method: str, path: str, params: dict[str, str], account: AccountConfig = TRADER
    ) -> Reply:
        query = urlencode(params | {"timestamp": str(self._clock.time_ms())})
        signature = sign(account.api_secret.encode(), query.encode())
        answer = self.opened.answer(
            method,
            f"/api/v3/{path}",
            f"{query}&signature={signature}",
            headers={"X-MBX-APIKEY": account.api_key},
        )
        return Reply(path, answer.status, 0, 1, body=answer.body)


def named(violation: Violation) -> str:
    """Return the filter that a violation names, or its code."""
    if violation.code != FILTER_FAILURE:
        return violation.code
    return violation.message.removeprefix("Filter failure: ").partition(";")[0]


def named_by_venue(refusal: Refusal) -> str:
    """Return the same of the venue's refusal; empty where the rules are not what it names."""
    if refusal.filter_name:
        return refusal.filter_name
    if refusal.code == -1111:
        return PRECISION
    if refusal.code == -2010 and "not supported" in refusal.msg:
        return "order_type"
    closed = ("Market is closed.", "This order type is not possible in this trading phase.")
    return "not_trading" if refusal.msg in closed else ""


def _counts(orders: list[wire.QueriedOrder], lists: list[_OfList]) -> OpenOrders:
    return OpenOrders(
        orders=len(orders),
        algo=sum(order.type.startswith(("STOP", "TAKE")) for order in orders),
        iceberg=sum(wire.number(order.iceberg_qty) > 0 for order in orders),
        lists=len({one.order_list_id for one in lists} - {-1}),
    )


def edges(*values: Decimal, unit: Decimal) -> Iterator[Decimal]:
    """Each value with its neighbours, where they are above zero."""
    for value in values:
        yield from (near for near in (value - unit, value, value + unit) if near > 0)

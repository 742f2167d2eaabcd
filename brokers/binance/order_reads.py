"""Reads of single orders and their trades; live only, for shadow has no orders."""

from typing import Final

import msgspec

from otonom_trader.brokers.binance.account import AccountReader
from otonom_trader.brokers.binance.errors import NO_SUCH_ORDER, Unreadable, check
from otonom_trader.brokers.binance.orders.lists import is_stop, pair, stop_id
from otonom_trader.brokers.binance.orders.outcome import check_client_id
from otonom_trader.brokers.binance.orders.replies import OrderName, fill_of_trade, found_order
from otonom_trader.brokers.binance.transport.weights import MY_TRADES, ORDER
from otonom_trader.brokers.binance.wire import NO_LIST, QueriedOrder, Trade, number, read
from otonom_trader.domain.errors import Rejected
from otonom_trader.domain.order import Fill, OrderResult

_TRADES_PER_PAGE: Final = 1000

_queried = msgspec.json.Decoder(QueriedOrder)
_trades = msgspec.json.Decoder(list[Trade])


class OrderReader(AccountReader):
    """Finds orders by their client id or the venue's."""

    async def find_order(self, symbol: str, client_order_id: str) -> OrderResult | None:
        """Return an order with its fills, None when the venue does not know it (yet).

        A pair is found by the id of its limit. Raises `Unreadable` while order and trades, or the
        two of a pair, which lag separately, do not agree.
        """
        name = OrderName(check_client_id(client_order_id))
        venue_symbol = (await self._listing.rules(symbol)).instrument.venue_symbol
        return await self._query(venue_symbol, name)

    async def get_trades(self, symbol: str, since: str | None) -> list[tuple[str, Fill]]:
        """Return trades of the account with the venue's ids of their orders, oldest first.

        From trade id `since` on, or the newest thousand without one. Raises `Unreadable` for a
        trade of another symbol.
        """
        venue_symbol = (await self._listing.rules(symbol)).instrument.venue_symbol
        params = [("symbol", venue_symbol)]
        if since is None:
            rows = await self._page_of_trades(params)
        else:
            rows = await self._pages_of_trades(params, [*params, ("fromId", since)])
        return [(str(row.order_id), fill_of_trade(row, venue_symbol)) for row in rows]

    async def _query(self, venue_symbol: str, name: OrderName) -> OrderResult | None:
        reply = await self._account_reader.get_signed(ORDER, (("symbol", venue_symbol), name.param))
        try:
            check(reply)
        except Rejected as error:
            if error.venue_code == NO_SUCH_ORDER:
                return None
            raise
        order = read(_queried, reply)
        trades = await self._trades_of(order) if number(order.executed_qty) else []
        found = found_order(order, trades, venue_symbol, name, reply)
        if order.order_list_id == NO_LIST or not name.is_client_id or is_stop(name.text):
            return found
        stop = await self._query(venue_symbol, OrderName(stop_id(name.text)))
        if stop is None:
            # The copies that are asked lag, each in its own time.
            raise Unreadable(f"order {name.text} is one of a list whose stop is not told of")
        return pair(found, stop)

    async def _trades_of(self, order: QueriedOrder) -> list[Trade]:
        params = [("symbol", order.symbol), ("orderId", str(order.order_id))]
        return await self._pages_of_trades(params, params)

    async def _pages_of_trades(
        self, params: list[tuple[str, str]], first: list[tuple[str, str]]
    ) -> list[Trade]:
        """Read on from the page `first` asks for, until one is not full."""
        trades = rows = await self._page_of_trades(first)
        while len(rows) == _TRADES_PER_PAGE:
            rows = await self._page_of_trades([*params, ("fromId", str(rows[-1].id + 1))])
            trades += rows
        return trades

    async def _page_of_trades(self, params: list[tuple[str, str]]) -> list[Trade]:
        reply = await self._account_reader.get_signed(
            MY_TRADES, [*params, ("limit", str(_TRADES_PER_PAGE))]
        )
        check(reply)
        return read(_trades, reply)

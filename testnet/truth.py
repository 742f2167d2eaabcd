"""The engine's own books, for an independent check of what a client believes.

Not part of Binance: ``GET /testnet/truth``. Accounts of clients are shown in full; participants
only by their balances, unless all is asked for.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import format_amount
from otonom_trader.testnet.events import ExecutionType
from otonom_trader.testnet.exchange import Exchange
from otonom_trader.testnet.orders import Fill, Order


@dataclass(frozen=True, slots=True)
class Deed:
    """What the engine did to one order: placed it, cancelled it, amended it."""

    order_id: int
    client_order_id: str
    execution: ExecutionType


@dataclass(slots=True)
class RequestRecord:
    """One request to place or cancel, as it came in; times in epoch milliseconds."""

    arrived_ms: int
    method: str
    path: str
    account: str | None = None
    timestamp_ms: int | None = None
    symbol: str | None = None
    client_order_id: str | None = None
    order_id: int | None = None
    accepted: bool = False
    """Whether the engine took the order, or the cancel; of a cancel-replace, the new order."""
    deeds: list[Deed] = field(default_factory=list)
    """All that the engine did of it."""
    status: int | None = None
    """Of the reply; None where none was given."""
    code: int | None = None
    true_status: int | None = None
    """What the reply would have been without the fault; None for what was not executed."""
    true_code: int | None = None
    fault: str | None = None

    def note(self, order: Order, execution: ExecutionType) -> None:
        """The first of several orders is the one it is known by."""
        self.deeds.append(Deed(order.order_id, order.original_client_id, execution))
        if not self.accepted:
            self.accepted = True
            self.order_id = order.order_id
            self.client_order_id = order.original_client_id

    def turn_to(self, client_order_id: str) -> None:
        """It is known by an order that is yet to come: the new one of a cancel-replace."""
        self.accepted, self.order_id, self.client_order_id = False, None, client_order_id

    def tell(self, status: int, code: int | None) -> None:
        """This is what the client gets."""
        self.status, self.code = status, code


class RequestLog:
    """The newest of them."""

    def __init__(self, cap: int) -> None:
        self.records: Final[deque[RequestRecord]] = deque(maxlen=cap)

    def open(self, arrived_ms: int, method: str, path: str) -> RequestRecord:
        record = RequestRecord(arrived_ms, method, path)
        self.records.append(record)
        return record


def truth(exchange: Exchange, requests: RequestLog, *, everyone: bool = False) -> dict[str, Any]:
    """Orders, fills, balances, requests, and ``issued``: what was ever credited, by asset."""
    accounts = exchange.engine.accounts.values()
    clients = [account for account in accounts if not account.is_participant]
    shown = list(accounts) if everyone else clients
    return {
        "orders": [_order(order) for account in shown for order in _orders_of(account)],
        "fills": [_fill(fill) for account in clients for fill in account.fills.values()],
        "balances": {
            account.name: {
                asset: {"free": format_amount(held.free), "locked": format_amount(held.locked)}
                for asset, held in account.balances.items()
            }
            for account in accounts
        },
        "requests": [_request(record) for record in requests.records],
        "issued": {
            asset: format_amount(amount) for asset, amount in exchange.engine.credited.items()
        },
    }


def _orders_of(account: Account) -> list[Order]:
    return account.working_orders() if account.is_participant else list(account.orders.values())


def _order(order: Order) -> dict[str, Any]:
    return {
        "account": order.account.name,
        "symbol": order.symbol,
        "orderId": order.order_id,
        "clientOrderId": order.client_id,
        "origClientOrderId": order.original_client_id,
        "side": order.side,
        "type": order.type,
        "timeInForce": order.time_in_force,
        "status": order.status,
        "price": format_amount(order.price),
        "origQty": format_amount(order.qty),
        "origQuoteOrderQty": format_amount(order.quote_qty),
        "executedQty": format_amount(order.executed),
        "cummulativeQuoteQty": format_amount(order.cumulative_quote),
        "time": order.time_ms,
        "updateTime": order.update_ms,
    }


def _fill(fill: Fill) -> dict[str, Any]:
    trade, order = fill.trade, fill.order
    return {
        "account": order.account.name,
        "symbol": trade.symbol,
        "tradeId": trade.trade_id,
        "orderId": order.order_id,
        "clientOrderId": order.client_id,
        "origClientOrderId": order.original_client_id,
        "side": order.side,
        "price": format_amount(trade.price),
        "qty": format_amount(trade.qty),
        "quoteQty": format_amount(trade.quote),
        "commission": format_amount(fill.commission),
        "commissionAsset": fill.commission_asset,
        "isMaker": fill.is_maker,
        "time": trade.time_ms,
    }


def _request(record: RequestRecord) -> dict[str, Any]:
    return {
        "time": record.arrived_ms,
        "timestamp": record.timestamp_ms,
        "method": record.method,
        "path": record.path,
        "account": record.account,
        "symbol": record.symbol,
        "clientOrderId": record.client_order_id,
        "orderId": record.order_id,
        "accepted": record.accepted,
        "orders": [
            {
                "orderId": deed.order_id,
                "clientOrderId": deed.client_order_id,
                "execution": deed.execution,
            }
            for deed in record.deeds
        ],
        "status": record.status,
        "code": record.code,
        "trueStatus": record.true_status,
        "trueCode": record.true_code,
        "fault": record.fault,
    }

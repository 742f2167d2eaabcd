"""Signed queries ("Account endpoints" of the REST page, and the key's own permissions)."""

from collections.abc import Iterable
from itertools import takewhile
from typing import Any, Final, TypeVar

from otonom_trader.testnet import account_replies, errors, list_replies, replies
from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import format_amount
from otonom_trader.testnet.call import Call, signed
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.orders import Fill, Order
from otonom_trader.testnet.parameters import Parameters
from otonom_trader.testnet.times import is_within, read_day_span

T = TypeVar("T")

_ARCHIVED_MS: Final = 90 * 86_400_000


def query_order(call: Call) -> Any:
    rules = call.symbol()
    order_id = call.parameters.integer("orderId")
    client_id = call.parameters.text("origClientOrderId")
    order: Order | None = None
    if order_id is not None:
        order = call.queried.orders.get(order_id)
        # The id is looked up first, then the client id must be that order's.
        if order is not None and client_id not in (
            None,
            order.client_id,
            order.original_client_id,
        ):
            raise errors.client_id_mismatch()
    elif client_id is not None:
        order = call.queried.find(rules.symbol, client_id)
    else:
        raise errors.either("origClientOrderId", "orderId")
    if order is None or order.symbol != rules.symbol:
        raise errors.no_such_order()
    if _is_archived(order, call.now_ms):
        raise VenueError(
            -2026,
            "Order was canceled or expired with no executed qty over 90 days ago and has been "
            "archived.",
        )
    return replies.queried(order, call.ticks)


def _is_archived(order: Order, now_ms: int) -> bool:
    """Lists of orders come from the database, which keeps it."""
    return not order.executed and not order.is_open and now_ms - order.update_ms > _ARCHIVED_MS


def open_orders(call: Call) -> Any:
    if "symbol" in call.parameters:
        orders = list(call.queried.working_on(call.symbol().symbol).values())
    else:
        orders = call.queried.working_orders()
    return [replies.listed(order, call.ticks) for order in orders]


def all_orders(call: Call) -> Any:
    rules = call.symbol()
    first_id = call.parameters.integer("orderId")
    span = read_day_span(call.parameters, call.now_ms)
    limit = call.parameters.limit(default=500, largest=1000)
    found = [
        order
        for order in call.queried.orders.values()
        if order.symbol == rules.symbol
        and (first_id is None or order.order_id >= first_id)
        and is_within(order.time_ms, span)
    ]
    found = _page(found, limit, oldest_first=first_id is not None or span[0] is not None)
    return [replies.listed(order, call.ticks) for order in found]


def own_trades(call: Call) -> Any:
    rules, parameters = call.symbol(), call.parameters
    order_id, first_id = parameters.integer("orderId"), parameters.integer("fromId")
    span = read_day_span(parameters, call.now_ms)
    if (first_id is not None or order_id is not None) and span != (None, None):
        raise errors.bad_combination()
    limit = parameters.limit(default=500, largest=1000)
    of_symbol = (
        fill
        for fill in _newest_first(call.queried, order_id)
        if fill.trade.symbol == rules.symbol
        and (order_id is None or fill.order.order_id == order_id)
    )
    # The ids of a symbol's trades grow: what is before the first is not looked at.
    asked = takewhile(lambda fill: first_id is None or fill.trade.trade_id >= first_id, of_symbol)
    found = [fill for fill in asked if is_within(fill.trade.time_ms, span)][::-1]
    found = _page(found, limit, oldest_first=first_id is not None or span[0] is not None)
    return [account_replies.own_trade(fill, call.ticks) for fill in found]


def account(call: Call) -> Any:
    omit_zero = call.parameters.flag("omitZeroBalances", default=False)
    return account_replies.account(call.queried, call.ticks, omit_zero=omit_zero)


def order_rate(call: Call) -> Any:
    return call.limits.order_counts(call.account.uid, call.now_ms)


def commission(call: Call) -> Any:
    return account_replies.commission(call.symbol().symbol, call.account)


def prevented_matches(call: Call) -> Any:
    """By its own id, or those of an order."""
    rules, parameters = call.symbol(), call.parameters
    match_id, order_id = parameters.integer("preventedMatchId"), parameters.integer("orderId")
    first_id = parameters.integer("fromPreventedMatchId")
    if (match_id is None) == (order_id is None) or (match_id is not None and first_id is not None):
        raise errors.bad_combination()
    limit = parameters.limit(default=500, largest=1000)
    found = [
        match
        for match in call.queried.prevented.values()
        if match.symbol == rules.symbol
        and match_id in (None, match.match_id)
        and order_id in (None, match.taker_order_id, match.maker_order_id)
        and (first_id is None or match.match_id >= first_id)
    ]
    group = call.account.trade_group_id
    return [list_replies.prevented_match(match, group, call.ticks) for match in found[:limit]]


def amendments(call: Call) -> Any:
    rules, parameters = call.symbol(), call.parameters
    parameters.required("orderId")
    order = call.queried.orders.get(parameters.integer("orderId") or 0)
    first_id = parameters.integer("fromExecutionId")
    limit = parameters.limit(default=500, largest=1000)
    if order is None or order.symbol != rules.symbol:
        raise errors.no_such_order()
    found = [done for done in order.amendments if first_id is None or done.execution_id >= first_id]
    return [list_replies.amendment(order, done, call.ticks) for done in found[:limit]]


def allocations(call: Call) -> Any:
    """Only orders routed by SOR have any, and none is routed here."""
    call.symbol()
    read_day_span(call.parameters, call.now_ms)
    call.parameters.limit(default=500, largest=1000)
    return []


def own_filters(call: Call) -> Any:
    """Every filter an order of this account in this symbol is held to."""
    rules = call.symbol()
    most_of = call.account.max_asset
    return {
        "exchangeFilters": list(call.exchange.exchange_filters),
        "symbolFilters": list(rules.filters.values()),
        "assetFilters": [
            {"filterType": "MAX_ASSET", "asset": asset, "limit": format_amount(most_of[asset])}
            for asset in (rules.base, rules.quote)
            if asset in most_of
        ],
    }


def key_restrictions(call: Call) -> Any:
    """Wallet endpoint ``apiRestrictions``: what this key may do."""
    key = call.signed_key
    return {
        "ipRestrict": key.ip_restricted,
        "createTime": key.created_ms * call.ticks,
        "enableReading": key.can_read,
        "enableWithdrawals": key.can_withdraw,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": key.can_trade,
        "enablePortfolioMarginTrading": False,
    }


def _newest_first(account: Account, order_id: int | None) -> Iterable[Fill]:
    """The fills that may be of an order, where one is asked for; else all that are remembered."""
    order = None if order_id is None else account.orders.get(order_id)
    return reversed(account.fills.values() if order is None else order.fills)


def _page(found: list[T], limit: int, *, oldest_first: bool) -> list[T]:
    return found[:limit] if oldest_first else found[-limit:]


def _open_orders_weight(parameters: Parameters) -> int:
    return 6 if "symbol" in parameters else 80


def _own_trades_weight(parameters: Parameters) -> int:
    return 5 if "orderId" in parameters else 20


def _prevented_weight(parameters: Parameters) -> int:
    return 20 if "orderId" in parameters else 2


ROUTES: Final = {
    ("GET", "/api/v3/order"): signed(query_order, 4, "symbol orderId origClientOrderId"),
    ("GET", "/api/v3/openOrders"): signed(open_orders, _open_orders_weight, "symbol"),
    ("GET", "/api/v3/allOrders"): signed(all_orders, 20, "symbol orderId startTime endTime limit"),
    ("GET", "/api/v3/myTrades"): signed(
        own_trades, _own_trades_weight, "symbol orderId startTime endTime fromId limit"
    ),
    ("GET", "/api/v3/account"): signed(account, 20, "omitZeroBalances"),
    ("GET", "/api/v3/account/commission"): signed(commission, 20, "symbol"),
    ("GET", "/api/v3/rateLimit/order"): signed(order_rate, 40),
    ("GET", "/api/v3/myPreventedMatches"): signed(
        prevented_matches,
        _prevented_weight,
        "symbol preventedMatchId orderId fromPreventedMatchId limit",
    ),
    ("GET", "/api/v3/order/amendments"): signed(
        amendments, 4, "symbol orderId fromExecutionId limit"
    ),
    ("GET", "/api/v3/myAllocations"): signed(
        allocations, 20, "symbol startTime endTime fromAllocationId limit orderId"
    ),
    ("GET", "/api/v3/myFilters"): signed(own_filters, 40, "symbol"),
    ("GET", "/sapi/v1/account/apiRestrictions"): signed(key_restrictions, 1),
}

"""From the parameters of a request to the order it asks for.

Checked in this order: side and type, pegs, what the type needs and forbids, what the symbol allows,
amounts, self-trade prevention mode. A leg of an order list is read alike, by the names its prefix
gives: ``abovePrice`` is the price of the leg ``above``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from otonom_trader.testnet import errors
from otonom_trader.testnet.amounts import quote_of
from otonom_trader.testnet.call import Call
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.exchange_info import STP_MODES, SymbolRules
from otonom_trader.testnet.orders import (
    STOPS,
    NewOrder,
    OrderType,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from otonom_trader.testnet.parameters import Parameters

ORDER_PARAMETERS: Final = (
    "symbol side type timeInForce quantity quoteOrderQty price newClientOrderId strategyId "
    "strategyType stopPrice trailingDelta icebergQty newOrderRespType selfTradePreventionMode "
    "pegPriceType pegOffsetValue pegOffsetType"
)
_SIDES: Final = frozenset(side.value for side in Side)
_TYPES: Final = frozenset(kind.value for kind in OrderType)
_TIMES_IN_FORCE: Final = frozenset(value.value for value in TimeInForce)
_RESPONSE_TYPES: Final = ("ACK", "RESULT", "FULL")
_SMALLEST_STRATEGY_TYPE: Final = 1_000_000

_NOT_SUPPORTED: Final[Mapping[str, str]] = {
    "LIMIT_MAKER": "Limit maker orders are not supported for this symbol.",
    "LIMIT": "Limit orders are not supported for this symbol.",
    "MARKET": "Market orders are not supported for this symbol.",
    "STOP_LOSS": "Stop loss orders are not supported for this symbol.",
    "STOP_LOSS_LIMIT": "Stop loss limit orders are not supported for this symbol.",
    "TAKE_PROFIT": "Take profit orders are not supported for this symbol.",
    "TAKE_PROFIT_LIMIT": "Take profit limit orders are not supported for this symbol.",
}
_LIMIT_NEEDS: Final = ("timeInForce", "quantity", "price")
_MANDATORY: Final[Mapping[OrderType, tuple[str, ...]]] = {
    OrderType.LIMIT: _LIMIT_NEEDS,
    OrderType.LIMIT_MAKER: ("quantity", "price"),
    OrderType.MARKET: (),
    OrderType.STOP_LOSS: ("quantity",),
    OrderType.STOP_LOSS_LIMIT: _LIMIT_NEEDS,
    OrderType.TAKE_PROFIT: ("quantity",),
    OrderType.TAKE_PROFIT_LIMIT: _LIMIT_NEEDS,
}
_TRIGGER: Final = ("stopPrice", "trailingDelta")
_ALLOWED: Final[Mapping[OrderType, frozenset[str]]] = {
    OrderType.LIMIT: frozenset((*_LIMIT_NEEDS, "icebergQty")),
    OrderType.LIMIT_MAKER: frozenset(("quantity", "price", "icebergQty")),
    OrderType.MARKET: frozenset(("quantity", "quoteOrderQty")),
    OrderType.STOP_LOSS: frozenset(("quantity", *_TRIGGER)),
    OrderType.STOP_LOSS_LIMIT: frozenset((*_LIMIT_NEEDS, *_TRIGGER, "icebergQty")),
    OrderType.TAKE_PROFIT: frozenset(("quantity", *_TRIGGER)),
    OrderType.TAKE_PROFIT_LIMIT: frozenset((*_LIMIT_NEEDS, *_TRIGGER, "icebergQty")),
}
_TYPE_DEPENDENT: Final = (*_LIMIT_NEEDS, "quoteOrderQty", *_TRIGGER, "icebergQty")
_PEGS: Final = ("pegPriceType", "pegOffsetValue", "pegOffsetType")
_LEG_FIELDS: Final = (
    *("type", "clientOrderId", "price", "stopPrice", "trailingDelta", "timeInForce"),
    *("icebergQty", "strategyId", "strategyType", *_PEGS),
)


@dataclass(frozen=True, slots=True)
class Names:
    """What the parameters of one order are called."""

    prefix: str = ""
    side: str = "side"
    quantity: str = "quantity"

    def of(self, field: str) -> str:
        if field == "side":
            return self.side
        if field == "quantity":
            return self.quantity
        if not self.prefix:
            return "newClientOrderId" if field == "clientOrderId" else field
        return f"{self.prefix}{field[0].upper()}{field[1:]}"

    def all(self) -> str:
        """Those of the leg alone, side and quantity left out."""
        return " ".join(self.of(field) for field in _LEG_FIELDS)


PLAIN: Final = Names()


def read_order(call: Call, rules: SymbolRules, names: Names = PLAIN) -> NewOrder:
    """The order a request, or one leg of it, asks for; VenueError where it is malformed."""
    parameters = call.parameters
    side_text = parameters.required(names.of("side"))
    type_text = parameters.required(names.of("type"))
    if side_text not in _SIDES:
        raise VenueError(-1117, "Invalid side.")
    if type_text not in _TYPES:
        raise VenueError(-1116, "Invalid orderType.")
    kind = OrderType(type_text)
    tif_text = parameters.text(names.of("timeInForce"))
    if tif_text is not None and tif_text not in _TIMES_IN_FORCE:
        raise VenueError(-1115, "Invalid timeInForce.")
    if any(names.of(name) in parameters for name in _PEGS):
        # A peg makes the price optional, so that nothing can be missed before it is refused.
        raise errors.rejected("Pegged orders are not supported for this symbol.")
    _check_presence(parameters, kind, names)
    _check_support(parameters, rules, kind, names)
    amounts = _amounts(parameters, rules, names)
    trailing_delta = parameters.integer(names.of("trailingDelta"))
    if trailing_delta == 0:
        raise errors.invalid_data(names.of("trailingDelta"))
    strategy_type = parameters.integer(names.of("strategyType"))
    if strategy_type is not None and strategy_type < _SMALLEST_STRATEGY_TYPE:
        raise VenueError(-1134, f"'{names.of('strategyType')}' was less than 1000000.")
    new = NewOrder(
        symbol=rules.symbol,
        side=Side(side_text),
        type=kind,
        client_id=parameters.text(names.of("clientOrderId")) or call.exchange.new_client_id(),
        qty=amounts["quantity"],
        price=amounts["price"],
        quote_qty=amounts["quoteOrderQty"],
        time_in_force=TimeInForce(tif_text or "GTC"),
        self_trade_prevention=_self_trade_prevention(parameters, rules),
        strategy_id=parameters.integer(names.of("strategyId")),
        strategy_type=strategy_type,
        stop_price=amounts["stopPrice"],
        trailing_delta=trailing_delta or 0,
        iceberg_qty=amounts["icebergQty"],
    )
    _check_composition(new, names)
    return new


def response_type(parameters: Parameters) -> str | None:
    """The newOrderRespType asked for."""
    wanted = parameters.text("newOrderRespType")
    if wanted not in (None, *_RESPONSE_TYPES):
        raise errors.invalid_data("newOrderRespType")
    return wanted


def _check_presence(parameters: Parameters, kind: OrderType, names: Names) -> None:
    for field in _MANDATORY[kind]:
        parameters.required(names.of(field))
    for field in _TYPE_DEPENDENT:
        name = names.of(field)
        # A pair has one quantity for both legs, whatever their types.
        if name in parameters and field not in _ALLOWED[kind]:
            raise errors.not_required(name)
    if kind in STOPS:
        stop, delta = (names.of(field) for field in _TRIGGER)
        if stop not in parameters and delta not in parameters:
            raise errors.either(stop, delta)
    if kind is OrderType.MARKET:
        quantity, quote = names.of("quantity"), names.of("quoteOrderQty")
        if names.prefix:
            parameters.required(quantity)
        elif quantity not in parameters and quote not in parameters:
            raise errors.either(quantity, quote)
        if quantity in parameters and quote in parameters:
            raise errors.not_required(quote)


def _check_support(
    parameters: Parameters, rules: SymbolRules, kind: OrderType, names: Names
) -> None:
    if kind.value not in rules.order_types:
        raise errors.rejected(_NOT_SUPPORTED[kind.value])
    for field, flag, text in (
        ("icebergQty", "icebergAllowed", "Iceberg orders are not supported for this symbol."),
        (
            *("trailingDelta", "allowTrailingStop"),
            "Trailing stop orders are not supported for this symbol.",
        ),
        (
            *("quoteOrderQty", "quoteOrderQtyMarketAllowed"),
            "Quote order qty market orders are not support for this symbol.",
        ),
    ):
        if names.of(field) in parameters and not rules.allows(flag):
            raise errors.rejected(text)


_AMOUNTS: Final = (
    ("quantity", "base", "Invalid quantity."),
    ("price", "quote", "Invalid price."),
    ("quoteOrderQty", "quote", "Invalid quote order quantity."),
    ("stopPrice", "quote", "Invalid stop price."),
    ("icebergQty", "base", "Invalid iceberg quantity."),
)


def _amounts(parameters: Parameters, rules: SymbolRules, names: Names) -> dict[str, int]:
    """By field; 0 for what was not sent, which sent is refused."""
    decimals = {"base": rules.base_decimals, "quote": rules.quote_decimals}
    amounts: dict[str, int] = {}
    for field, asset, _ in _AMOUNTS:
        amounts[field] = parameters.amount(names.of(field), decimals[asset]) or 0
    for field, _, text in _AMOUNTS:
        if not amounts[field] and names.of(field) in parameters:
            raise VenueError(-1013, text)
    return amounts


def _check_composition(new: NewOrder, names: Names) -> None:
    if new.iceberg_qty:
        if new.time_in_force is not TimeInForce.GTC:
            if names.prefix:
                raise VenueError(
                    -1160,
                    f"Parameter '{names.of('icebergQty')}' is not supported if "
                    f"'{names.of('timeInForce')}' is not GTC.",
                )
            raise VenueError(-1014, "Unsupported order combination.")
        if new.iceberg_qty > new.qty:
            raise errors.rejected("IcebergQty exceeds QTY.")
    if new.price and not quote_of(new.price, new.qty):
        raise VenueError(-1013, "Price * QTY is zero or less.")


def _self_trade_prevention(parameters: Parameters, rules: SymbolRules) -> SelfTradePrevention:
    mode = parameters.text("selfTradePreventionMode")
    if mode is None:
        return SelfTradePrevention(rules.info["defaultSelfTradePreventionMode"])
    if mode not in (*STP_MODES, "NONE"):
        raise errors.invalid_data("selfTradePreventionMode")
    if mode not in rules.stp_modes:
        raise VenueError(
            -1013, "This symbol does not allow the specified self-trade prevention mode."
        )
    return SelfTradePrevention(mode)

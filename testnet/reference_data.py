"""What the venue lists and by which rules it trades: exchangeInfo, executionRules, referencePrice.

Choices where the documentation is silent: executionRules leaves out symbols without rules, and
the timestamp of a reference price is the time it is asked for, as it is worked out then.
"""

from typing import Any, Final

from otonom_trader.testnet import errors
from otonom_trader.testnet.amounts import format_amount
from otonom_trader.testnet.call import Call, public
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.exchange_info import symbol_reply
from otonom_trader.testnet.parameters import Parameters
from otonom_trader.testnet.reference_price import ReferencePrice
from otonom_trader.testnet.symbol_selection import selected, symbol_count, wanted_status
from otonom_trader.testnet.ws_request import parse_json

_LISTED_PERMISSIONS: Final = frozenset({"SPOT", "MARGIN", "LEVERAGED"})


def exchange_info(call: Call) -> Any:
    parameters = call.parameters
    selectors = [name for name in ("symbol", "symbols", "permissions") if name in parameters]
    if len(selectors) > 1 or (
        "symbolStatus" in parameters and selectors and selectors != ["permissions"]
    ):
        raise errors.bad_combination()
    listed = selected(call)
    if "symbol" not in parameters and "symbols" not in parameters:
        text = parameters.text("permissions")
        wanted = _LISTED_PERMISSIONS if text is None else _names(text, "permissions")
        listed = [
            rules
            for rules in listed
            if any(not wanted.isdisjoint(one_of) for one_of in rules.permission_sets)
        ]
    with_sets = parameters.flag("showPermissionSets", default=True)
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms * call.ticks,
        "rateLimits": call.limits.rate_limits(),
        "exchangeFilters": list(call.exchange.exchange_filters),
        "symbols": [symbol_reply(rules, with_permission_sets=with_sets) for rules in listed],
    }


def execution_rules(call: Call) -> Any:
    sent = [name for name in ("symbol", "symbols", "symbolStatus") if name in call.parameters]
    if len(sent) > 1:
        raise errors.bad_combination()
    return {
        "symbolRules": [
            {"symbol": rules.symbol, "rules": [rules.price_range.as_json()]}
            for rules in selected(call)
            if rules.price_range is not None
        ]
    }


def reference_price(call: Call) -> Any:
    rules = call.symbol()
    price = _reference(call, rules.symbol).price(call.now_ms)
    return {
        "symbol": rules.symbol,
        "referencePrice": format_amount(price) if price else None,
        "timestamp": call.now_ms * call.ticks,
    }


def reference_price_calculation(call: Call) -> Any:
    rules = call.symbol()
    if wanted_status(call.parameters) not in (None, rules.status):
        raise VenueError(-1220, "The symbol's status does not match the requested symbolStatus.")
    reference = call.exchange.engine.books[rules.symbol].reference
    if reference is None:
        raise _no_reference_price()
    return {
        "symbol": rules.symbol,
        "calculationType": "ARITHMETIC_MEAN",
        "bucketCount": reference.bucket_count,
        "bucketWidthMs": reference.bucket_width_ms,
    }


def _reference(call: Call, symbol: str) -> ReferencePrice:
    reference = call.exchange.engine.books[symbol].reference
    if reference is None or not reference.was_set:
        raise _no_reference_price()
    return reference


def _no_reference_price() -> VenueError:
    return VenueError(-2043, "This symbol doesn't have a reference price.")


def _names(text: str, parameter: str) -> frozenset[str]:
    """``SPOT`` or ``["SPOT","MARGIN"]``."""
    if not text.startswith("["):
        return frozenset({text})
    try:
        names = parse_json(text, exact_numbers=False)
    except ValueError:
        raise errors.invalid_data(parameter) from None
    if not all(isinstance(name, str) for name in names):
        raise errors.invalid_data(parameter)
    return frozenset(names)


def _rules_weight(parameters: Parameters) -> int:
    count = symbol_count(parameters)
    return 40 if count is None else min(2 * count, 40)


ROUTES: Final = {
    ("GET", "/api/v3/exchangeInfo"): public(
        exchange_info, 20, "symbol symbols permissions symbolStatus showPermissionSets"
    ),
    ("GET", "/api/v3/executionRules"): public(
        execution_rules, _rules_weight, "symbol symbols symbolStatus"
    ),
    ("GET", "/api/v3/referencePrice"): public(reference_price, 2, "symbol"),
    ("GET", "/api/v3/referencePrice/calculation"): public(
        reference_price_calculation, 2, "symbol symbolStatus"
    ),
}

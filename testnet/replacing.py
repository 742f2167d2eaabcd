"""Cancel-replace: POST order/cancelReplace of the REST page.

The new order, its filters and the order count are judged before the cancel, as documented; the
count grows by one even where the new order is then not attempted. The statuses follow the table
of that endpoint, also where the account has used up its order count: with STOP_ON_FAILURE 429,
with ALLOW_FAILURE 409 or 400. Over the WebSocket API only its table says so; its text and its
example have 409 wherever the cancel succeeded, and are followed.
"""

from http import HTTPStatus
from typing import Any, Final

from otonom_trader.testnet import errors, replies
from otonom_trader.testnet.call import Call, signed
from otonom_trader.testnet.engine import REJECTIONS
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.events import ExecutionType
from otonom_trader.testnet.order_parameters import ORDER_PARAMETERS, read_order, response_type
from otonom_trader.testnet.orders import NewOrder, Order
from otonom_trader.testnet.trading import (
    cancel,
    check_admission,
    check_restrictions,
    check_static_filters,
    count_orders,
    find_order,
    note,
    restriction_of,
    uncount_orders,
)

_MODES: Final = ("STOP_ON_FAILURE", "ALLOW_FAILURE")
_LIMIT_MODES: Final = ("DO_NOTHING", "CANCEL_ONLY")
_REASONS: Final = {text: reason for reason, text in REJECTIONS.items()}


def replace_order(call: Call) -> Any:
    return _replace(call, half_done=HTTPStatus.TOO_MANY_REQUESTS)


def replace_order_over_websocket(call: Call) -> Any:
    return _replace(call, half_done=HTTPStatus.CONFLICT)


def _replace(call: Call, half_done: HTTPStatus) -> Any:
    """``half_done`` is the status of a cancel without a new order, where those are used up and
    STOP_ON_FAILURE.
    """
    parameters = call.parameters
    rules = call.symbol()
    stops = _one_of(call, "cancelReplaceMode", _MODES) == "STOP_ON_FAILURE"
    limit_mode = _one_of(call, "orderRateLimitExceededMode", _LIMIT_MODES, "DO_NOTHING")
    restriction_of(parameters)
    if "cancelOrderId" not in parameters and "cancelOrigClientOrderId" not in parameters:
        raise errors.either("cancelOrigClientOrderId", "cancelOrderId")
    new = read_order(call, rules)
    wanted = response_type(parameters)
    if not rules.allows("cancelReplaceAllowed"):
        raise errors.rejected("Order cancel-replace is not supported for this symbol.")
    check_static_filters(call, rules, [new])
    exceeded: VenueError | None = None
    try:
        count_orders(call, 1)
    except VenueError as error:
        if limit_mode == "DO_NOTHING":
            raise
        exceeded = error
    call.forward()
    if exceeded is None:
        try:
            check_admission(call, rules, [new])
        except VenueError:
            uncount_orders(call, 1)
            raise
    cancel_failure, cancel_reply = _cancel(call)
    if call.record is not None:
        call.record.turn_to(new.client_id)
    if cancel_failure is not None and stops:
        failed = _failed("FAILURE", "NOT_ATTEMPTED", cancel_failure.content, None)
        raise failed if exceeded is None else _limited(failed, exceeded, exceeded.status)
    new_failure, new_reply = exceeded, None
    if exceeded is None:
        new_failure, new_reply = _place(call, new, wanted)
    if cancel_failure is None and new_failure is None:
        return {
            "cancelResult": "SUCCESS",
            "newOrderResult": "SUCCESS",
            "cancelResponse": cancel_reply,
            "newOrderResponse": new_reply,
        }
    if new_failure is not None and exceeded is None and cancel_failure is None:
        _tell_rejected(call, new, new_failure)
    failed = _failed(
        "SUCCESS" if cancel_failure is None else "FAILURE",
        "SUCCESS" if new_failure is None else "FAILURE",
        cancel_reply if cancel_failure is None else cancel_failure.content,
        new_reply if new_failure is None else new_failure.content,
    )
    raise failed if exceeded is None or not stops else _limited(failed, exceeded, half_done)


def _cancel(call: Call) -> tuple[VenueError | None, Any]:
    try:
        order: Order = find_order(call, "cancelOrderId", "cancelOrigClientOrderId")
        check_restrictions(call, order)
    except VenueError as failure:
        return failure, None
    cancel_id = call.parameters.text("cancelNewClientOrderId") or call.exchange.new_client_id()
    return None, cancel(call, order, cancel_id)


def _place(call: Call, new: NewOrder, wanted: str | None) -> tuple[VenueError | None, Any]:
    try:
        order = call.exchange.place(call.account, new, call.now_ms)
    except VenueError as failure:
        return failure, None
    note(call, order, ExecutionType.NEW)
    return None, replies.by_response_type(order, wanted, call.ticks)


def _failed(cancel_result: str, new_result: str, cancel_reply: Any, new_reply: Any) -> VenueError:
    """-2021 where one half was done, -2022 where nothing was."""
    data = {
        "cancelResult": cancel_result,
        "newOrderResult": new_result,
        "cancelResponse": cancel_reply,
        "newOrderResponse": new_reply,
    }
    if "SUCCESS" in (cancel_result, new_result):
        text = "Order cancel-replace partially failed."
        return VenueError(-2021, text, status=HTTPStatus.CONFLICT, data=data)
    return VenueError(-2022, "Order cancel-replace failed.", data=data)


def _limited(failed: VenueError, exceeded: VenueError, status: int) -> VenueError:
    """The failure of a request whose account may place no order; a 429 tells when it may again."""
    is_429 = status == HTTPStatus.TOO_MANY_REQUESTS
    wait = exceeded.retry_after_seconds if is_429 else None
    return VenueError(
        failed.code, failed.msg, status=status, retry_after_seconds=wait, data=failed.data
    )


def _tell_rejected(call: Call, new: NewOrder, failure: VenueError) -> None:
    reason = _REASONS.get(failure.msg)
    if reason is not None:
        call.exchange.report_rejected(call.account, new, reason, call.now_ms)


def _one_of(call: Call, name: str, values: tuple[str, ...], default: str | None = None) -> str:
    value = call.parameters.text(name) or default
    if value is None:
        raise errors.mandatory(name)
    if value not in values:
        raise errors.invalid_data(name)
    return value


ROUTES: Final = {
    ("POST", "/api/v3/order/cancelReplace"): signed(
        replace_order,
        1,
        ORDER_PARAMETERS + " cancelReplaceMode cancelNewClientOrderId cancelOrigClientOrderId "
        "cancelOrderId cancelRestrictions orderRateLimitExceededMode",
        is_trading=True,
    ),
}

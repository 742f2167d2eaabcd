"""What both doors do with a request: count it, ask who it is from, let its endpoint answer.

REST and the WebSocket API differ in how a request is written down and signed, and in the shape of
a reply; everything between is here, once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Protocol

from otonom_trader.testnet import errors
from otonom_trader.testnet.call import Call, Route, Security
from otonom_trader.testnet.clock import VenueClock
from otonom_trader.testnet.errands import Errands
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.exchange import Exchange
from otonom_trader.testnet.limits import Limits
from otonom_trader.testnet.ordered_faults import Faults
from otonom_trader.testnet.parameters import Parameters
from otonom_trader.testnet.security import Key, check_permission, timestamp_ms
from otonom_trader.testnet.truth import RequestLog, RequestRecord

TIME_UNITS: Final = {"MILLISECOND": 1, "MICROSECOND": 1000}


@dataclass(frozen=True, slots=True)
class Venue:
    """What every door of the venue shares."""

    exchange: Exchange
    keys: Mapping[str, Key]
    limits: Limits
    faults: Faults
    requests: RequestLog
    clock: VenueClock
    errands: Errands = field(default_factory=Errands)


class Request(Protocol):
    """One request as its door understands it. Each method may raise VenueError."""

    @property
    def address(self) -> str: ...

    @property
    def is_raw(self) -> bool:
        """Whether RAW_REQUESTS counts it."""
        ...

    def parameters(self) -> Parameters: ...

    def ticks(self) -> int:
        """Output time units a millisecond: 1, or 1000 for microseconds."""
        ...

    def find_key(self, keys: Mapping[str, Key]) -> Key:
        """The key the request names."""
        ...

    def authenticate(self, key: Key, parameters: Parameters, now_ms: int) -> None:
        """Check its time, and that the key signed it."""
        ...


@dataclass(slots=True)
class Outcome:
    """What came of a request: content to send, and the refusal where it is one."""

    status: int
    content: Any
    error: VenueError | None = None
    headers: dict[str, str] = field(default_factory=dict)
    key: Key | None = None


def dispatch(
    venue: Venue, request: Request, route: Route | None, record: RequestRecord | None
) -> Outcome:
    """Answer one request; a refusal is an outcome, nothing is raised."""
    now_ms = venue.clock.time_ms()
    # Later than it arrived where a fault held it up: then its time is looked at once more.
    arrived_ms = now_ms if record is None else record.arrived_ms
    outcome = Outcome(HTTPStatus.OK, None)
    try:
        weight = 1
        try:
            if route is None:
                raise errors.not_supported()
            parameters = request.parameters()
            weight = route.weight(parameters)
        finally:
            venue.limits.charge(request.address, weight, now_ms, is_raw=request.is_raw)
        ticks = request.ticks()
        if route.security is not Security.NONE:
            outcome.key = request.find_key(venue.keys)
            if record is not None:
                note_caller(record, outcome.key, parameters)
            request.authenticate(outcome.key, parameters, arrived_ms)
            check_permission(outcome.key, trading=route.is_trading or route.is_recorded)
        parameters.check(route.parameters)
        call = Call(
            exchange=venue.exchange,
            limits=venue.limits,
            parameters=parameters,
            now_ms=now_ms,
            ticks=ticks,
            key=outcome.key,
            record=record,
            is_late=now_ms > arrived_ms,
            headers=outcome.headers,
        )
        outcome.content = route.handler(call)
        if route.is_trading and call.is_free:
            venue.limits.refund(request.address, weight, now_ms)
    except VenueError as error:
        outcome = refusal(error, outcome)
    if record is not None:
        code = None if outcome.error is None else outcome.error.code
        record.true_status, record.true_code = outcome.status, code
        record.tell(outcome.status, code)
    return outcome


def refusal(error: VenueError, of: Outcome) -> Outcome:
    """The same request refused."""
    headers = dict(of.headers)
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    return Outcome(error.status, error.content, error, headers, of.key)


def note_caller(record: RequestRecord, key: Key | None, parameters: Parameters) -> None:
    """Put on record who asks for which order, as the request says it."""
    if key is not None:
        record.account = key.account.name
    record.timestamp_ms = timestamp_ms(parameters)
    record.symbol = parameters.text("symbol")
    cancels = record.method == "DELETE" or record.path == "order.cancel"
    record.client_order_id = parameters.text("origClientOrderId" if cancels else "newClientOrderId")

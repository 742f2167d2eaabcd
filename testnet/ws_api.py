"""The WebSocket API, ``/ws-api/v3``: requests in, responses and user data out.

Source: page "WebSocket API". Its endpoints are REST's (``ws_methods.py``); what belongs to the
connection is here: logging on, user data subscriptions, rate limits in responses. Chosen where the
documentation says nothing: logging on with a key that is not Ed25519 is refused with -4056, as
clients report; subscribing without being logged on with -1002; a method that does not exist as an
unknown path is on REST.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import WSCloseCode, web

from otonom_trader.testnet.call import Call, public, signed
from otonom_trader.testnet.dispatch import Outcome, Venue, dispatch, note_caller, refusal
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.faults import Delivery
from otonom_trader.testnet.ordered_faults import OrderedFault
from otonom_trader.testnet.security import Key, find_key, refused_key
from otonom_trader.testnet.sockets import API_DOOR, Sockets
from otonom_trader.testnet.streams import time_unit
from otonom_trader.testnet.strikes import strike
from otonom_trader.testnet.truth import RequestRecord
from otonom_trader.testnet.user_stream import Subscriptions, UserStreams
from otonom_trader.testnet.ws_methods import COUNTING_ORDERS, METHODS
from otonom_trader.testnet.ws_request import (
    FrameError,
    Message,
    WsRequest,
    read,
    returns_rate_limits,
)
from otonom_trader.testnet.ws_session import Session

PATH: Final = "/ws-api/v3"
_CONNECT_WEIGHT: Final = 2
_SESSION_WEIGHT: Final = 2
_RECORDED_AS: Final = "WS"
OWN_METHODS: Final = frozenset(
    {
        "session.logon",
        "session.status",
        "session.logout",
        "session.subscriptions",
        "userDataStream.subscribe",
        "userDataStream.subscribe.signature",
        "userDataStream.unsubscribe",
    }
)
"""What a connection answers itself."""
_NAMING_THEIR_KEY: Final = frozenset({"session.logon", "userDataStream.subscribe.signature"})

_encode = msgspec.json.Encoder().encode


class ApiClient:
    """One connection to the WebSocket API."""

    def __init__(
        self, request: web.BaseRequest, session: Session, venue: Venue, users: UserStreams
    ) -> None:
        query = request.raw_path.partition("?")[2]
        self._session: Final = session
        self._venue: Final = venue
        self._ticks: Final = time_unit(query)
        self._shows_limits: Final = "returnRateLimits=false" not in query.split("&")
        self._subscriptions: Final = Subscriptions(session, self._ticks, users)
        self._key: Key | None = None
        self._rights: frozenset[str] = frozenset()
        self._authorized_ms: int | None = None
        self._own_methods: Final = {
            "session.logon": signed(self._log_on, _SESSION_WEIGHT),
            "session.status": public(self._status, _SESSION_WEIGHT),
            "session.logout": public(self._log_out, _SESSION_WEIGHT),
            "session.subscriptions": public(self._list, _SESSION_WEIGHT),
            "userDataStream.subscribe": public(self._subscribe, _SESSION_WEIGHT),
            "userDataStream.subscribe.signature": signed(self._subscribe_signed, _SESSION_WEIGHT),
            "userDataStream.unsubscribe": public(
                self._unsubscribe, _SESSION_WEIGHT, "subscriptionId"
            ),
        }
        session.farewell = self._farewell

    def started(self) -> None:
        """Nothing is said until the client asks."""

    def ended(self) -> None:
        self._subscriptions.drop_all()

    def received(self, frame: str | bytes | None) -> None:
        if frame is None:
            return
        try:
            message = read(frame)
        except FrameError as error:
            self._refuse_unread(error, error.request_id, is_final=error.is_final)
            return
        try:
            shows_limits = returns_rate_limits(message, default=self._shows_limits)
        except VenueError as error:
            self._refuse_unread(error, message.request_id)
            return
        route = self._own_methods.get(message.method) or METHODS.get(message.method)
        record = None
        if route is not None and route.is_recorded:
            record = self._venue.requests.open(self._now_ms(), _RECORDED_AS, message.method)
        request = WsRequest(message, self._session.address, self._ticks, self._session_key(message))
        ordered = self._venue.faults.take(_RECORDED_AS, message.method)

        def act() -> Outcome:
            return dispatch(self._venue, request, route, record)

        def respond(outcome: Outcome) -> bytes:
            return self._response(message, outcome, shows_limits=shows_limits)

        if ordered is None:
            outcome = act()
            self._session.send(respond(outcome))
            self._subscriptions.welcome()
            self._check_session()
            return
        if record is not None:
            record.fault = ordered.name
            self._note_unexecuted(record, request)
        # What is on its way gets there, whether or not its connection is still open.
        spawn = self._venue.errands.spawn if ordered.is_delay else self._session.spawn
        spawn(self._struck(ordered, act, respond, record))

    async def _struck(
        self,
        ordered: OrderedFault,
        act: Callable[[], Outcome],
        respond: Callable[[Outcome], bytes],
        record: RequestRecord | None,
    ) -> None:
        """Beside other requests: one that is held up does not hold up the next."""
        now_ms = self._now_ms()
        outcome = await strike(ordered, self._session, act, now_ms, record=record)
        if outcome is None:
            return
        if ordered.fault.bans:
            self._venue.limits.ban(self._session.address, now_ms, ordered.retry_after_s)
        response = respond(outcome)
        if ordered.fault.delivery is Delivery.TRUNCATED:
            response = response[: len(response) // 2]
        self._session.send(response)
        self._subscriptions.welcome()
        self._check_session()

    def _response(self, message: Message, outcome: Outcome, *, shows_limits: bool) -> bytes:
        response: dict[str, Any] = {"id": message.request_id, "status": outcome.status}
        if outcome.error is None:
            response["result"] = outcome.content
        else:
            response["error"] = self._error(outcome)
        if shows_limits:
            response["rateLimits"] = self._rate_limits(message.method, outcome.key)
        return _encode(response)

    def _error(self, outcome: Outcome) -> dict[str, Any]:
        error: dict[str, Any] = dict(outcome.content)
        wait = outcome.error.retry_after_seconds if outcome.error is not None else None
        if wait is not None:
            now_ms = self._now_ms()
            if outcome.status == HTTPStatus.IM_A_TEAPOT:
                retry_ms = self._venue.limits.banned_until_ms(self._session.address)
            else:
                # Other waits end on a whole second, as the windows of the limits do.
                retry_ms = (now_ms // 1000 + wait) * 1000
            times = {"serverTime": now_ms * self._ticks, "retryAfter": retry_ms * self._ticks}
            error["data"] = {**error.get("data", {}), **times}
        return error

    def _rate_limits(self, method: str, key: Key | None) -> list[dict[str, Any]]:
        now_ms, limits = self._now_ms(), self._venue.limits
        shown: list[dict[str, Any]] = []
        if method in COUNTING_ORDERS and key is not None:
            shown += limits.order_counts(key.account.uid, now_ms)
        used = limits.used_weight(self._session.address, now_ms)
        shown += [
            entry | {"count": used}
            for entry in limits.rate_limits()
            if entry["rateLimitType"] == "REQUEST_WEIGHT"
        ]
        return shown

    def _refuse_unread(
        self, error: VenueError, request_id: int | str | None, *, is_final: bool = False
    ) -> None:
        """A frame that is no request counts as one of the least weight. Before the venue hangs up
        it tells no rate limits, as in clients' logs.
        """
        try:
            self._venue.limits.charge(self._session.address, 1, self._now_ms(), is_raw=False)
        except VenueError as limited:
            error = limited
        outcome = refusal(error, Outcome(HTTPStatus.OK, None))
        unread = Message(request_id, "", {})
        shows_limits = self._shows_limits and not is_final
        self._session.send(self._response(unread, outcome, shows_limits=shows_limits))
        if is_final:
            self._session.close(WSCloseCode.POLICY_VIOLATION, "disconnected")

    def _session_key(self, message: Message) -> Key | None:
        return None if message.method in _NAMING_THEIR_KEY else self._key

    def _check_session(self) -> None:
        """A key that became invalid, or lost a permission, ends the session after the next
        request.
        """
        if self._key is None:
            return
        try:
            self._valid(self._key)
        except VenueError as error:
            self._forget_key()
            push = {"id": None, "status": error.status, "error": error.content}
            self._session.send(_encode(push))

    def _valid(self, key: Key) -> Key:
        """The key of the session; -2015 where it may do less than when it logged on."""
        valid = find_key(self._venue.keys, key.api_key)
        if not self._rights <= _rights_of(valid):
            raise refused_key()
        return valid

    def _note_unexecuted(self, record: RequestRecord, request: WsRequest) -> None:
        try:
            note_caller(record, request.find_key(self._venue.keys), request.parameters())
        except VenueError as error:
            record.code = error.code

    def _farewell(self) -> bytes:
        event = {"e": "serverShutdown", "E": self._now_ms() * self._ticks}
        return _encode({"event": event})

    def _now_ms(self) -> int:
        return self._venue.clock.time_ms()

    # The methods of the connection itself.

    def _log_on(self, call: Call) -> Any:
        key = call.signed_key
        if not key.is_ed25519:
            raise VenueError(-4056, f"{key.kind} API key is not supported.")
        self._key = key
        self._rights = _rights_of(key)
        self._authorized_ms = call.now_ms
        return self._status(call)

    def _status(self, call: Call) -> Any:
        since = self._authorized_ms
        return {
            "apiKey": None if self._key is None else self._key.api_key,
            "authorizedSince": None if since is None else since * call.ticks,
            "connectedSince": self._session.connected_ms * call.ticks,
            "returnRateLimits": self._shows_limits,
            "serverTime": call.now_ms * call.ticks,
            "userDataStream": not self._subscriptions.is_empty,
        }

    def _log_out(self, call: Call) -> Any:
        self._forget_key()
        return self._status(call)

    def _forget_key(self) -> None:
        self._key = self._authorized_ms = None
        self._subscriptions.end_logon()

    def _list(self, _: Call) -> Any:
        return [{"subscriptionId": each} for each in self._subscriptions.ids()]

    def _subscribe(self, call: Call) -> Any:
        if self._key is None:
            raise VenueError(
                -1002,
                "You are not authorized to execute this request.",
                status=HTTPStatus.UNAUTHORIZED,
            )
        key = self._valid(self._key)
        return {"subscriptionId": self._subscriptions.add(key.account, by_logon=True)}

    def _subscribe_signed(self, call: Call) -> Any:
        return {"subscriptionId": self._subscriptions.add(call.account, by_logon=False)}

    def _unsubscribe(self, call: Call) -> Any:
        self._subscriptions.end(call.parameters.integer("subscriptionId"))
        return {}


class WsApi:
    """The door."""

    def __init__(self, venue: Venue, sockets: Sockets, users: UserStreams) -> None:
        self._venue: Final = venue
        self._sockets: Final = sockets
        self._users: Final = users

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self._sockets.serve(
            request,
            door=API_DOOR,
            weight=_CONNECT_WEIGHT,
            client=lambda session: ApiClient(request, session, self._venue, self._users),
        )


def _rights_of(key: Key) -> frozenset[str]:
    """What a key may do over this door."""
    rights = {"read": key.can_read, "trade": key.can_trade}
    return frozenset(name for name, is_granted in rights.items() if is_granted)

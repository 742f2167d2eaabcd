"""A Binance that costs next to nothing: what is measured against it is the client.

A raw protocol in a process of its own, REST and the WebSocket API on one port. It verifies no
signature and keeps no account: an order is filled at once at one price, and the reply names what
was asked for. Prints its port.
"""

import asyncio
import json
import re
from contextlib import suppress
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from otonom_trader.domain.clock import SystemClock

PRICE = Decimal("50000.00")
_LEVELS = 100
_LENGTH = re.compile(r"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)
_CLOCK = SystemClock()

_ORDERS = {
    "rateLimitType": "ORDERS",
    "interval": "SECOND",
    "intervalNum": 10,
    "limit": 10_000_000,
}
_SYMBOL = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "baseAssetPrecision": 8,
    "quoteAsset": "USDT",
    "quoteAssetPrecision": 8,
    "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
    "icebergAllowed": True,
    "ocoAllowed": True,
    "allowTrailingStop": True,
    "isSpotTradingAllowed": True,
    "filters": [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "0.01000000",
            "maxPrice": "1000000.00000000",
            "tickSize": "0.01000000",
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": "0.00001000",
            "maxQty": "9000.00000000",
            "stepSize": "0.00001000",
        },
        {"filterType": "NOTIONAL", "minNotional": "5.00000000", "maxNotional": "9000000.00000000"},
    ],
}
_RATES = {"maker": "0.0010", "taker": "0.0010", "buyer": "0.0000", "seller": "0.0000"}
_BALANCES = [
    {"asset": "BTC", "free": "1000.00000000", "locked": "0.00000000"},
    {"asset": "USDT", "free": "50000000.00000000", "locked": "0.00000000"},
]


def _http(status: str, body: object) -> bytes:
    content = json.dumps(body, separators=(",", ":")).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def _depth() -> bytes:
    half = Decimal("0.01")
    sides = {
        "bids": [[f"{PRICE - half * n}", "100.00000000"] for n in range(_LEVELS)],
        "asks": [[f"{PRICE + half * n}", "100.00000000"] for n in range(1, _LEVELS + 1)],
    }
    return _http("200 OK", {"lastUpdateId": 1, **sides})


_STANDING = {
    "/api/v3/depth": _depth(),
    "/api/v3/openOrders": _http("200 OK", []),
    "/api/v3/ticker/bookTicker": _http(
        "200 OK",
        [{"symbol": "BTCUSDT", "bidPrice": f"{PRICE}", "askPrice": f"{PRICE + Decimal('0.01')}"}],
    ),
}
_UNKNOWN_SYMBOL = _http("400 Bad Request", {"code": -1121, "msg": "Invalid symbol."})
_UNKNOWN_ORDER = _http("400 Bad Request", {"code": -2013, "msg": "Order does not exist."})
_NOT_FOUND = _http("404 Not Found", {"code": -1, "msg": "not served by this stub"})


class Venue(asyncio.Protocol):
    """One connection."""

    _orders = 0  # of all connections: ids are the venue's

    def __init__(self) -> None:
        self._received = b""
        self._socket: ServerProtocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._socket is not None:
            self._answer_frames(self._socket, data)
            return
        self._received += data
        if self._received.startswith(b"GET /ws-api/v3") and b"\r\n\r\n" in self._received:
            self._socket = ServerProtocol()
            self._answer_frames(self._socket, self._received)
            return
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].decode()
            length = _LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < whole:
                return
            body, self._received = self._received[end + 4 : whole], self._received[whole:]
            method, target, _ = head.partition("\r\n")[0].split(" ")
            path, _, query = target.partition("?")
            self._transport.write(self._reply(method, path, query or body.decode()))

    def _answer_frames(self, socket: ServerProtocol, data: bytes) -> None:
        socket.receive_data(data)
        for event in socket.events_received():
            if isinstance(event, Request):
                socket.send_response(socket.accept(event))
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                socket.send_text(self._respond(json.loads(bytes(event.data))))
        self._transport.write(b"".join(socket.data_to_send()))

    def _respond(self, request: dict[str, Any]) -> bytes:
        is_order = request["method"] == "order.place"
        result = self._filled(request["params"]) if is_order else {"subscriptionId": 0}
        return json.dumps({"id": request["id"], "status": 200, "result": result}).encode()

    def _reply(self, method: str, path: str, query: str) -> bytes:
        if (standing := _STANDING.get(path)) is not None:
            return standing
        match method, path:
            case "POST", "/api/v3/order":
                return _http("200 OK", self._filled(dict(parse_qsl(query))))
            case "GET", "/api/v3/time":
                return _http("200 OK", {"serverTime": _now_ms()})
            case "GET", "/api/v3/account":
                account = {"uid": 1, "updateTime": _now_ms(), "commissionRates": _RATES}
                return _http("200 OK", account | {"balances": _BALANCES})
            case "GET", "/api/v3/exchangeInfo":
                if query and "BTCUSDT" not in query:
                    return _UNKNOWN_SYMBOL
                info = {"rateLimits": [_ORDERS], "exchangeFilters": [], "symbols": [_SYMBOL]}
                return _http("200 OK", info)
            case "GET", "/api/v3/order":
                return _UNKNOWN_ORDER
        return _NOT_FOUND

    def _filled(self, asked: dict[str, Any]) -> dict[str, Any]:
        Venue._orders += 1
        now_ms, qty = _now_ms(), asked["quantity"]
        fill: dict[str, Any] = {
            "price": f"{PRICE}",
            "qty": qty,
            "commission": "0.00000000",
            "commissionAsset": "BNB",
            "tradeId": Venue._orders,
        }
        return {
            "symbol": asked["symbol"],
            "orderId": Venue._orders,
            "orderListId": -1,
            "clientOrderId": asked.get("newClientOrderId", f"stub-{Venue._orders}"),
            "transactTime": now_ms,
            "price": asked.get("price", "0.00000000"),
            "origQty": qty,
            "executedQty": qty,
            "origQuoteOrderQty": "0.00000000",
            "cummulativeQuoteQty": f"{PRICE * Decimal(qty):f}",
            "status": "FILLED",
            "timeInForce": asked.get("timeInForce", "GTC"),
            "type": asked["type"],
            "side": asked["side"],
            "workingTime": now_ms,
            "selfTradePreventionMode": "NONE",
            "fills": [fill],
        }


def _now_ms() -> int:
    return int(_CLOCK.now().timestamp() * 1000)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Venue, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())

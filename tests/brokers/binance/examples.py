"""The examples of the venue's documentation, and recorded pairs of requests and answers.

Taken are those of calls that are made here, with the type that decodes the answers to each.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from otonom_trader.brokers.binance import wire
from otonom_trader.brokers.binance.errors import Reply, Unreadable
from otonom_trader.brokers.binance.transport import ws_frames

READ_BY: Final[dict[str, Any]] = {
    "GET /api/v3/time": wire.ServerTime,
    "GET /api/v3/exchangeInfo": wire.ExchangeInfo,
    "GET /api/v3/executionRules": wire.ExecutionRules,
    "GET /api/v3/depth": wire.Depth,
    "GET /api/v3/avgPrice": wire.AveragePrice,
    "GET /api/v3/ticker/price": wire.TickerPrice,
    "GET /api/v3/ticker/bookTicker": list[wire.BookTicker],
    "GET /api/v3/referencePrice": wire.ReferencePrice,
    "GET /api/v3/account": wire.Account,
    "GET /api/v3/openOrders": list[wire.QueriedOrder],
    "GET /api/v3/order": wire.QueriedOrder,
    "GET /api/v3/myTrades": list[wire.Trade],
    "POST /api/v3/order": wire.PlacedOrder,
    "DELETE /api/v3/order": wire.CancelledOrder,
    "POST /api/v3/orderList/oco": wire.PlacedList,
    # Not called: a cancel of one of a pair is answered in this form.
    "DELETE /api/v3/orderList": wire.CancelledList,
    "POST /api/v3/order/test": dict[str, Any],
    "GET /sapi/v1/account/apiRestrictions": wire.KeyRestrictions,
    # Over the WebSocket API; those that are asked over REST here are answered in the same form.
    "time": wire.ServerTime,
    "exchangeInfo": wire.ExchangeInfo,
    "executionRules": wire.ExecutionRules,
    "depth": wire.Depth,
    "avgPrice": wire.AveragePrice,
    "ticker.price": wire.TickerPrice,
    "ticker.book": list[wire.BookTicker],
    "referencePrice": wire.ReferencePrice,
    "account.status": wire.Account,
    "openOrders.status": list[wire.QueriedOrder],
    "order.status": wire.QueriedOrder,
    "myTrades": list[wire.Trade],
    "order.place": wire.PlacedOrder,
    "order.cancel": wire.CancelledOrder,
    "orderList.place.oco": wire.PlacedList,
    "order.test": dict[str, Any],
    "session.logon": dict[str, Any],
    "userDataStream.subscribe": dict[str, Any],
    "userDataStream.subscribe.signature": dict[str, Any],
}
"""The type of the answer to each call; of some only is read whether it is a refusal."""

IN_ANOTHER_FORM: Final = {
    "rest-api/02204-new-order": ("fills", "ACK; FULL is asked for"),
    "rest-api/02215-new-order": ("fills", "RESULT; FULL is asked for"),
    "rest-api/01726-symbol-price-ticker": ("object", "all symbols; one is asked for"),
    "rest-api/01815-symbol-order-book-ticker": ("array", "one symbol; several are asked for"),
    "web-socket-api/03073-symbol-price-ticker.ws-response": ("object", "all symbols"),
    "web-socket-api/03173-symbol-order-book-ticker.ws-response": ("array", "one symbol"),
    "web-socket-api/03801-place-new-order.ws-response": ("fills", "ACK"),
    "web-socket-api/03840-place-new-order.ws-response": ("fills", "RESULT"),
    "web-socket-api/03284-query-reference-price.ws-response": ("symbol", "a refusal with 200"),
    "web-socket-api/04235-cancel-order.ws-response": ("origClientOrderId", "of an order list"),
    "Endpoints/Spot/ExchangeData/GetBookPrice": ("array", "one symbol"),
    "Socket/Spot/Trading/CancelOrder": ("origClientOrderId", "an answer to order.status"),
}
"""Answers to what is not asked here: the field, or the kind, that they are refused for."""


@dataclass(frozen=True)
class Example:
    """One answer of the venue's: where it stands, what it answers, and what was asked."""

    name: str
    call: str
    reply: Reply

    @property
    def told(self) -> Any:
        return json.loads(self.reply.body)


def documented(shared_data: Path) -> Iterator[Example]:
    """The answers in the documentation of REST and of the WebSocket API."""
    folder = shared_data / "binance-docs-examples"
    index = json.loads((folder / "index.json").read_bytes())
    methods = {}
    for entry in index:
        name, body = entry["file"].removesuffix(".json"), (folder / entry["file"]).read_bytes()
        if entry["doc"] == "rest-api.md" and entry["endpoint"]:
            yield rest(name, entry["endpoint"], body)
        elif name.startswith("web-socket-api/") and name.endswith("-request"):
            methods[entry["heading"]] = json.loads(body)["method"]
        elif name.startswith("web-socket-api/") and name.endswith("-response"):
            yield over_ws(name, methods.get(entry["heading"], ""), body)


def recorded(shared_data: Path) -> Iterator[Example]:
    """The answers in the pairs of requests and answers of another client's tests."""
    folder = shared_data / "binance-request-response"
    for file in sorted((folder / "Endpoints" / "Spot").rglob("*.txt")):
        method, path, _, body = file.read_text(encoding="utf-8-sig").split("\n", 3)
        yield rest(named(file), f"{method.strip()} {path.strip()}", body.encode())
    for file in sorted((folder / "Socket" / "Spot").rglob("*.txt")):
        request, _, body = file.read_text(encoding="utf-8-sig").partition("\n")
        named_method = re.search(r'"method": *"([^"]+)"', request)
        assert named_method is not None
        yield over_ws(named(file), named_method[1], body.strip().removeprefix("=").encode())


def rest(name: str, call: str, body: bytes) -> Example:
    told = json.loads(body)
    status = 400 if isinstance(told, dict) and told.keys() == {"code", "msg"} else 200
    return Example(name, call, Reply(call, status, 0, 1, body=body))


def over_ws(name: str, call: str, body: bytes) -> Example:
    return Example(name, call, ws_frames.reply_of(ws_frames.read_frame(body), call, 0, 1, None, ""))


def named(file: Path) -> str:
    return "/".join((*file.parts[-4:-1], file.stem))


def served(shared_data: Path) -> list[Example]:
    """All answers to calls that are made here."""
    found = [*documented(shared_data), *recorded(shared_data)]
    return [one for one in found if one.call in READ_BY]


def decoded(one: Example, body: bytes | None = None) -> Any:
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(READ_BY[one.call])
    return wire.read(decoder, one.reply if body is None else Reply("", 200, 0, 1, body=body))


def answers(shared_data: Path) -> list[Example]:
    """Those that are no refusals, and in the form that is asked for."""
    return [
        one
        for one in served(shared_data)
        if one.reply.status == 200 and one.name not in IN_ANOTHER_FORM
    ]


def user_events(shared_data: Path) -> Iterator[tuple[str, bytes]]:
    """Every example of an event of an account, by its name."""
    for file in (shared_data / "binance-docs-examples" / "user-data-stream").glob("*.json"):
        yield file.name.partition(".")[0], file.read_bytes()
    folder = shared_data / "binance-request-response" / "Subscriptions" / "Spot" / "Account"
    for file in folder.glob("*.txt"):
        if file.stem in ("Liability", "MarginCall"):
            continue  # of margin accounts, over a stream of their own
        _, _, frame = file.read_text(encoding="utf-8-sig").partition("\n=")
        yield file.stem, frame.strip().encode()


def event_in(frame: bytes) -> bytes:
    return bytes(ws_frames.read_frame(frame).event)


def structs(info: msgspec.inspect.Type, told: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Each message within what was told, outermost first, with what was told of it."""
    if isinstance(info, msgspec.inspect.ListType):
        for each in told:
            yield from structs(info.item_type, each)
    elif isinstance(info, msgspec.inspect.StructType):
        yield info, told
        for field in info.fields:
            if field.encode_name in told:
                yield from structs(field.type, told[field.encode_name])


def assert_mandatory(kind: Any, told: Any, read: Callable[[bytes], object]) -> set[type]:
    """Take each field away that must be there, wherever a message has it; return their types."""
    seen = set()
    for message, at in structs(msgspec.inspect.type_info(kind), told):
        seen.add(message.cls)
        for field in message.fields:
            if not field.required:
                continue
            kept = at.pop(field.encode_name)
            with pytest.raises(Unreadable, match=f"`{field.encode_name}`"):
                read(json.dumps(told).encode())
            at[field.encode_name] = kept
    return seen

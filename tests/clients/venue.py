"""Where the clients trade: the venue the runner started, and what to ask of it.

Nothing here but the standard library, for each client's environment holds that client alone.
"""

import itertools
import json
import os
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

SYMBOL: Final = "BTCUSDT"
QUANTITY: Final = "0.00200"
ANNOUNCED_IN: Final = "OTONOM_CLIENT_VENUE"
"""Environment variable: the file with the venue's addresses and keys."""
_TICK: Final = Decimal("0.01")
_TIMEOUT_SECONDS: Final = 5
_SHOWN_AS: Final = {"quantity": "origQty", "quoteOrderQty": "origQuoteOrderQty"}
_opener: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))

Order = dict[str, str]


@dataclass(frozen=True)
class Key:
    """``secret`` signs by HMAC; the others sign with the private key in the file ``pem``."""

    api_key: str
    secret: str = ""
    pem: str = ""

    @property
    def pem_text(self) -> str:
        return Path(self.pem).read_text(encoding="ascii")


class Venue:
    """The running testnet, with the account of one client."""

    def __init__(self, http: str, account: str, keys: dict[str, Key]) -> None:
        self.http: Final = http
        self.ws: Final = http.replace("http", "ws", 1)
        self.account: Final = account
        self.keys: Final = keys
        self._numbers: Final = itertools.count(1)

    @property
    def hmac(self) -> Key:
        return self.keys["HMAC"]

    @property
    def ed25519(self) -> Key:
        return self.keys["ED25519"]

    def new_id(self) -> str:
        return f"{self.account}-{os.getpid()}-{next(self._numbers)}"

    def price(self, times: str = "1") -> str:
        """The last price, multiplied, on the tick."""
        last = Decimal(self._ask(f"/api/v3/ticker/price?symbol={SYMBOL}")["price"])
        return str((last * Decimal(times)).quantize(_TICK))

    def order(self, client_id: str) -> dict[str, Any]:
        """The engine's own order of this account, by the client id it was placed with."""
        (found,) = self._mine("orders", origClientOrderId=client_id)
        return found

    def confirm(self, client_id: str, sent: Order, reply: Mapping[str, Any], status: str) -> None:
        """The reply and the engine's own books have the order as it was sent, and in that status.

        The books do not show when an order triggers, nor its iceberg quantity.
        """
        engine = self.order(client_id)
        kept = {name: sent[name] for name in sent if _SHOWN_AS.get(name, name) in engine}
        assert not unlike(sent, reply), (sent, reply)
        assert not unlike(kept, engine), (sent, engine)
        assert reply["status"] == engine["status"] == status, (reply, engine)

    def fills(self, client_id: str) -> list[dict[str, Any]]:
        """What the engine filled of that order, in the fields of ``trades``."""
        return trades(self._mine("fills", origClientOrderId=client_id))

    def leg_statuses(self, legs: Iterable[Mapping[str, Any]]) -> list[str]:
        """What the engine's own orders of a list are, in the order they were placed."""
        ids = {leg["orderId"] for leg in legs}
        return [order["status"] for order in self._mine("orders") if order["orderId"] in ids]

    def balances(self) -> dict[str, tuple[str, str]]:
        """Free and locked by asset, in the engine's own books, where there is any."""
        books = self._ask("/testnet/truth")["balances"][self.account]
        return {
            asset: (held["free"], held["locked"])
            for asset, held in books.items()
            if Decimal(held["free"]) or Decimal(held["locked"])
        }

    def deposit(self, asset: str, amount: str) -> None:
        """What comes in; with a minus, what goes out."""
        told = {"account": self.account, "asset": asset, "amount": amount}
        self._ask("/testnet/transfers", json.dumps(told).encode())

    def trade(self, number: int) -> dict[str, Any]:
        """A trade of the market, as REST shows it."""
        (found,) = self._ask(f"/api/v3/historicalTrades?symbol={SYMBOL}&fromId={number}&limit=1")
        return dict(found)

    def depth(self) -> dict[str, Any]:
        """The whole book, as REST shows it."""
        return dict(self._ask(f"/api/v3/depth?symbol={SYMBOL}&limit=5000"))

    def resting(self, kind: str) -> Order:
        """An order of that kind that stays open, as the venue's parameters."""
        return {"symbol": SYMBOL, "quantity": QUANTITY} | RESTING[kind](self.price)

    def oco(self) -> Order:
        return {
            "symbol": SYMBOL,
            "side": "SELL",
            "quantity": QUANTITY,
            "aboveType": "LIMIT_MAKER",
            "abovePrice": self.price("1.2"),
            "belowType": "STOP_LOSS_LIMIT",
            "belowStopPrice": self.price("0.8"),
            "belowPrice": self.price("0.79"),
            "belowTimeInForce": "GTC",
        }

    def oto(self) -> Order:
        return self._working() | {
            "pendingType": "LIMIT",
            "pendingSide": "SELL",
            "pendingQuantity": QUANTITY,
            "pendingPrice": self.price("1.2"),
            "pendingTimeInForce": "GTC",
        }

    def otoco(self) -> Order:
        return self._working() | {
            "pendingSide": "SELL",
            "pendingQuantity": QUANTITY,
            "pendingAboveType": "LIMIT_MAKER",
            "pendingAbovePrice": self.price("1.2"),
            "pendingBelowType": "STOP_LOSS",
            "pendingBelowStopPrice": self.price("0.7"),
        }

    def order_list(self, kind: str) -> Order:
        return {"OCO": self.oco, "OTO": self.oto, "OTOCO": self.otoco}[kind]()

    def _working(self) -> Order:
        return {
            "symbol": SYMBOL,
            "workingType": "LIMIT",
            "workingSide": "BUY",
            "workingPrice": self.price("0.8"),
            "workingQuantity": QUANTITY,
            "workingTimeInForce": "GTC",
        }

    def _mine(self, kind: str, **wanted: Any) -> list[dict[str, Any]]:
        wanted["account"] = self.account
        return [
            each for each in self._ask("/testnet/truth")[kind] if wanted.items() <= each.items()
        ]

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        with _opener.open(self.http + path, body, timeout=_TIMEOUT_SECONDS) as reply:
            return json.load(reply)


def announced() -> Venue:
    """The venue the environment names."""
    told = json.loads(Path(os.environ[ANNOUNCED_IN]).read_text(encoding="utf-8"))
    keys = {kind: Key(**key) for kind, key in told["keys"].items()}
    return Venue(told["http"], told["account"], keys)


def unlike(sent: Order, reply: Mapping[str, Any]) -> dict[str, Any]:
    """What a reply shows of the parameters of an order otherwise than they were sent."""
    shown = {name: reply.get(_SHOWN_AS.get(name, name)) for name in sent}
    return {name: shown[name] for name in sent if not _alike(sent[name], shown[name])}


def _alike(one: str, other: Any) -> bool:
    try:
        return Decimal(one) == Decimal(str(other))
    except InvalidOperation:
        return one == other


def trades(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The trades of ``myTrades``, or the fills of an order, in what both tell."""
    told = ("price", "qty", "commission", "commissionAsset")
    return [
        {"id": row["tradeId"] if "tradeId" in row else row["id"]}
        | {name: row[name] for name in told}
        for row in rows
    ]


Price = Callable[[str], str]
RESTING: Final[dict[str, Callable[[Price], Order]]] = {
    "LIMIT": lambda at: {
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "price": at("0.8"),
    },
    "LIMIT_MAKER": lambda at: {"side": "SELL", "type": "LIMIT_MAKER", "price": at("1.2")},
    "ICEBERG": lambda at: {
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "price": at("0.8"),
        "icebergQty": "0.00050",
    },
    "STOP_LOSS": lambda at: {"side": "SELL", "type": "STOP_LOSS", "stopPrice": at("0.8")},
    "STOP_LOSS_LIMIT": lambda at: {
        "side": "SELL",
        "type": "STOP_LOSS_LIMIT",
        "timeInForce": "GTC",
        "price": at("0.79"),
        "stopPrice": at("0.8"),
    },
    "TAKE_PROFIT": lambda at: {"side": "SELL", "type": "TAKE_PROFIT", "stopPrice": at("1.2")},
    "TAKE_PROFIT_LIMIT": lambda at: {
        "side": "SELL",
        "type": "TAKE_PROFIT_LIMIT",
        "timeInForce": "GTC",
        "price": at("1.19"),
        "stopPrice": at("1.2"),
    },
    "TRAILING_STOP": lambda at: {
        "side": "SELL",
        "type": "STOP_LOSS_LIMIT",
        "timeInForce": "GTC",
        "price": at("0.7"),
        "trailingDelta": "2000",
    },
}
"""Orders that no market of these checks reaches."""

LISTS: Final = {
    "OCO": ["NEW", "NEW"],
    "OTO": ["NEW", "PENDING_NEW"],
    "OTOCO": ["NEW", "PENDING_NEW", "PENDING_NEW"],
}
"""The kinds of order lists, and what their orders are once placed."""

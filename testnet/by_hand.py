"""Orders, transfers and locks by hand: by another participant, or in a client's own account.

Not part of Binance: ``/testnet/orders``, ``/testnet/transfers`` and ``/testnet/locks``. Orders pass
the same endpoint as everybody's, without a key's security and, for another participant, without
the order count; with a reason the venue itself ends one.
"""

from typing import Any, Final

from otonom_trader.testnet import replies
from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import SCALE, parse_amount
from otonom_trader.testnet.call import SIGNED_PARAMETERS, Call
from otonom_trader.testnet.config import RateLimits
from otonom_trader.testnet.dispatch import Venue
from otonom_trader.testnet.limits import Limits
from otonom_trader.testnet.orders import ExpiryReason
from otonom_trader.testnet.parameters import Parameters
from otonom_trader.testnet.routes import ROUTES
from otonom_trader.testnet.security import Key
from otonom_trader.testnet.trading import find_order
from otonom_trader.testnet.ws_request import parse_json, text_of

_PARTICIPANT: Final = "by-hand"
_BASE_ENDOWMENT: Final = 10**6 * SCALE
_QUOTE_ENDOWMENT: Final = 10**12 * SCALE
_OF_A_BALANCE: Final = {"account", "asset", "amount"}
_UNLIMITED: Final = RateLimits(orders_per_10_seconds=10**12, orders_per_day=10**12)


class ByHand:
    """``body`` is what was posted; a ValueError says what is wrong with it, and a VenueError is
    the venue's own refusal.
    """

    def __init__(self, venue: Venue) -> None:
        self._venue: Final = venue
        self._limits: Final = Limits(_UNLIMITED)
        self._endowed: Final[set[str]] = set()

    def order(self, method: str, body: bytes) -> Any:
        """Place (POST) or cancel (DELETE); the fields are the endpoint's, and ``account``. Of a
        DELETE with a ``reason`` it is the venue that ends the order.
        """
        wanted = read_object(body)
        account = self._account(wanted.pop("account", None))
        reason = wanted.pop("reason", None) if method == "DELETE" else None
        if reason not in (None, ExpiryReason.EXCHANGE_CANCELED):
            raise ValueError(f"the only reason is {ExpiryReason.EXCHANGE_CANCELED}")
        texts = {name: text_of(name, value) for name, value in wanted.items()}
        if account.is_participant:
            self._endow(account, texts.get("symbol", ""))
        route = ROUTES[method, "/api/v3/order"]
        parameters = Parameters(texts)
        parameters.check(route.parameters - frozenset(SIGNED_PARAMETERS))
        now_ms = self._venue.clock.time_ms()
        call = Call(
            exchange=self._venue.exchange,
            limits=self._limits if account.is_participant else self._venue.limits,
            parameters=parameters,
            now_ms=now_ms,
            ticks=1,
            key=Key(_PARTICIPANT, account, now_ms, "NONE", lambda _payload, _signature: False),
        )
        return route.handler(call) if reason is None else _end_by_venue(call)

    def transfer(self, body: bytes) -> Any:
        """``{"account": NAME, "asset": "USDT", "amount": "-5"}``: a deposit, or a withdrawal."""
        account, asset, delta = self._asked_of_a_balance(body)
        self._venue.exchange.credit(account, asset, delta, self._venue.clock.time_ms())
        return {}

    def lock(self, body: bytes) -> Any:
        """The same fields: locked for another system, or released."""
        account, asset, delta = self._asked_of_a_balance(body)
        self._venue.exchange.lock(account, asset, delta, self._venue.clock.time_ms())
        return {}

    def _asked_of_a_balance(self, body: bytes) -> tuple[Account, str, int]:
        wanted = read_object(body)
        if wanted.keys() != _OF_A_BALANCE:
            raise ValueError(f"the fields are {', '.join(sorted(_OF_A_BALANCE))}, each once")
        account, asset = self._client(wanted["account"]), wanted["asset"]
        if not isinstance(asset, str) or asset not in account.balances:
            raise ValueError(f"asset {asset!r} is none of account {account.name}'s")
        amount = str(wanted["amount"])
        try:
            size = parse_amount(amount.removeprefix("-"))
        except ValueError as error:
            raise ValueError(f"amount: {error}") from None
        if not size:
            raise ValueError("amount is 0")
        return account, asset, -size if amount.startswith("-") else size

    def _account(self, name: object) -> Account:
        accounts = self._venue.exchange.engine.accounts
        if name is None:
            return accounts.get(_PARTICIPANT) or self._venue.exchange.open_participant(_PARTICIPANT)
        return self._client(name)

    def _client(self, name: object) -> Account:
        accounts = self._venue.exchange.engine.accounts
        account = accounts.get(name) if isinstance(name, str) else None
        if account is None or account.is_participant:
            clients = [each.name for each in accounts.values() if not each.is_participant]
            raise ValueError(f"account {name!r} is unknown; the accounts are {', '.join(clients)}")
        return account

    def _endow(self, account: Account, symbol: str) -> None:
        rules = self._venue.exchange.engine.rules.get(symbol)
        if rules is None or symbol in self._endowed:
            return
        self._endowed.add(symbol)
        now_ms = self._venue.clock.time_ms()
        self._venue.exchange.credit(account, rules.base, _BASE_ENDOWMENT, now_ms)
        self._venue.exchange.credit(account, rules.quote, _QUOTE_ENDOWMENT, now_ms)


def _end_by_venue(call: Call) -> Any:
    order = find_order(call, "orderId", "origClientOrderId")
    call.exchange.expire(order, ExpiryReason.EXCHANGE_CANCELED, call.now_ms)
    return replies.queried(order, call.ticks)


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object with its numbers as they are written; ValueError for anything else."""
    try:
        wanted = parse_json(body, exact_numbers=True)
    except ValueError as error:
        raise ValueError(f"the body is not a JSON object: {error}") from None
    if not isinstance(wanted, dict):
        raise ValueError("the body is not a JSON object")
    return wanted

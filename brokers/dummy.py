"""A broker without a venue: every order meets an endless book at a known price."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Self

from otonom_trader.brokers.base import PositionRow
from otonom_trader.brokers.plan import flat_market
from otonom_trader.domain.account import (
    AccountKey,
    AccountSnapshot,
    Balance,
    KeyRights,
)
from otonom_trader.domain.amount import ZERO, Number, is_multiple, plain, positive
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import NotListed, NotSent
from otonom_trader.domain.execution import Stage
from otonom_trader.domain.market import Instrument, MarketSnapshot
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import (
    Fill,
    OrderRequest,
    OrderResult,
    OrderState,
    OrderStatus,
    Side,
    TimeInForce,
)
from otonom_trader.domain.ports import Clock
from otonom_trader.domain.symbol import Symbol
from otonom_trader.domain.venue_event import VenueEvent

_STEP, _TICK = Decimal("0.00001"), Decimal("0.01")
_MOST_ORDERS = 1_000  # of more, the oldest that have ended are forgotten


class DummyBroker:
    """An exchange in memory: no network, no fees, any symbol whose price was set.

    `prices` are quote per base by symbol; `balances` are what the account starts with. Without
    `prices` an order needs the caller's own price. Source: the guide, "Broker Configuration".
    """

    unknown_fence_seconds = 0.0
    last_order_ns: int | None = None

    def __init__(
        self,
        *,
        mode: Mode = Mode.SHADOW,
        prices: Mapping[str, Number] | None = None,
        balances: Mapping[str, Number] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.mode = mode
        self._clock = clock or SystemClock()
        self._prices: dict[Symbol, Decimal] = {}
        for text, price in (prices or {}).items():
            self.set_price(text, price)
        opening = balances if balances is not None else {"USDT": 100000}
        self._amounts = {asset: positive(amount, asset) for asset, amount in opening.items()}
        self._orders: dict[str, OrderResult] = {}
        self._updated_at = self._clock.now()
        # Microseconds, so that a later run goes on counting: its journal knows this one's ids.
        self._numbers = itertools.count(int(self._updated_at.timestamp() * 1e6))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    async def aclose(self) -> None:
        """Nothing is open."""

    def set_price(self, symbol: str, price: Number) -> None:
        """Let `symbol` trade at `price`, quote per base, from now on."""
        self._prices[Symbol.parse(symbol)] = positive(price, f"price of {symbol}")

    async def get_instrument(self, symbol: str) -> Instrument:
        """Return how any pair trades here; raises `NotListed` for what is no pair."""
        try:
            pair = Symbol.parse(symbol)
        except ValueError as wrong:
            raise NotListed(str(wrong)) from None
        return Instrument(pair, pair.joined, True, _STEP, _STEP, ZERO, _TICK, Decimal(5))

    async def get_market(self, symbol: str) -> MarketSnapshot:
        """Return an endless book; raises `NotSent` where no price was set."""
        pair = (await self.get_instrument(symbol)).symbol
        if pair not in self._prices:
            raise NotSent(f"the dummy broker knows no price for {pair}: set one in broker.yaml")
        return flat_market(pair, self._prices[pair], self._clock.now(), self._clock.monotonic_ns())

    async def get_marks(self, symbols: Iterable[Symbol]) -> dict[Symbol, Decimal]:
        """Return the prices that were set."""
        return {symbol: self._prices[symbol] for symbol in symbols if symbol in self._prices}

    async def sync_clock(self) -> None:
        """Nothing here is signed."""

    async def clock_offset_ms(self) -> float | None:
        """Return None: nothing here is signed."""
        return None

    async def get_account_key(self) -> AccountKey:
        """Return the key of the one account there is."""
        return AccountKey(self.mode, "dummy", "dummy")

    async def get_key_rights(self) -> KeyRights | None:
        """Return None: there is no key."""
        return None

    async def get_account(self) -> AccountSnapshot:
        """Return all balances."""
        return AccountSnapshot(
            await self.get_account_balance(),
            self._updated_at,
            self._clock.monotonic_ns(),
            "dummy",
        )

    async def place_order(self, req: OrderRequest) -> OrderResult:
        """Fill at the known price, else at the request's; a limit that does not cross rests."""
        now, number = self._clock.now(), next(self._numbers)
        result = OrderResult(
            OrderState.ACCEPTED,
            symbol=req.symbol[:40],
            side=req.side,
            order_id=f"dummy-{number}",
            client_order_id=req.client_order_id or f"dummy-client-{number}",
            status=OrderStatus.NEW,
            qty=req.qty,
            price=req.price,
            transact_time=now,
            stages_ns={Stage.SIGN_TO_ACK: 0},
        )
        try:
            pair = Symbol.parse(req.symbol)
        except ValueError as wrong:
            return _refused(result, "not_listed", str(wrong))
        result, price = replace(result, symbol=pair.joined), self._prices.get(pair, req.price)
        if not req.takes_at_once:
            return _refused(result, "order_type", f"{req.order_type} orders are not simulated")
        if not is_multiple(req.qty, _STEP):
            return _refused(result, "off_step", f"qty {req.qty} is off the step {plain(_STEP)}")
        if price is None:
            return _refused(result, "no_price", f"no price is known for {pair}")
        limit = req.limit_price
        if limit is not None and (price - limit) * req.side.sign > 0:
            immediate = req.time_in_force is not TimeInForce.GTC
            status = OrderStatus.EXPIRED if immediate else OrderStatus.NEW
            return self._keep(replace(result, status=status))
        quote_qty = price * req.qty
        base_change, quote_change = req.side.sign * req.qty, -req.side.sign * quote_qty
        for asset, change in ((pair.base, base_change), (pair.quote, quote_change)):
            if self._amounts.get(asset, ZERO) + change < 0:
                return _refused(result, "insufficient_balance", f"not enough {asset}")
        for asset, change in ((pair.base, base_change), (pair.quote, quote_change)):
            self._amounts[asset] = self._amounts.get(asset, ZERO) + change
        self._updated_at = now
        received = pair.base if req.side is Side.BUY else pair.quote
        trade_id = f"{result.order_id}-1"
        fill = Fill(trade_id, price, req.qty, quote_qty, ZERO, received, now)
        return self._keep(
            replace(
                result,
                status=OrderStatus.FILLED,
                filled_qty=req.qty,
                quote_qty=quote_qty,
                fills=(fill,),
            )
        )

    async def cancel_order(self, order_id: str, symbol: str | None = None) -> OrderResult:
        """Cancel a resting order by either of its ids."""
        for id_, order in self._orders.items():
            if order_id in (id_, order.order_id) and order.status is OrderStatus.NEW:
                return self._keep(replace(order, status=OrderStatus.CANCELED))
        return OrderResult(
            OrderState.REJECTED, order_id=order_id, code="unknown_order", message="Unknown order"
        )

    async def get_trades(self, symbol: str, since: str | None) -> list[tuple[str, Fill]]:
        """Return no trades: those there were are told with their orders."""
        return []

    def check_room(self) -> None:
        """Return: there are no limits here."""

    def keep_silent_until(self, moment: datetime) -> None:
        """Do nothing: nobody is banned here."""

    async def run(self, tell: Callable[[VenueEvent], None]) -> None:
        """Return: what it has to tell it answers."""

    async def get_open_orders(self) -> list[OrderResult]:
        """Return all resting orders."""
        return [order for order in self._orders.values() if order.status is OrderStatus.NEW]

    async def find_order(self, symbol: str, client_order_id: str) -> OrderResult | None:
        """Return an order by its client order id."""
        return self._orders.get(client_order_id)

    async def get_positions(self) -> list[PositionRow]:
        """Return every asset held."""
        return [
            PositionRow(asset=asset, qty=amount, free=amount, locked=ZERO)
            for asset, amount in sorted(self._amounts.items())
            if amount
        ]

    async def get_account_balance(self) -> dict[str, Balance]:
        """Return all balances by asset; nothing is ever locked here."""
        return {asset: Balance(asset, amount) for asset, amount in self._amounts.items()}

    def _keep(self, order: OrderResult) -> OrderResult:
        if order.client_order_id is not None:
            self._orders[order.client_order_id] = order
        if len(self._orders) > _MOST_ORDERS:
            ended = (
                id_ for id_, kept in self._orders.items() if kept.status is not OrderStatus.NEW
            )
            self._orders.pop(next(ended, ""), None)
        return order


def _refused(result: OrderResult, code: str, message: str) -> OrderResult:
    return replace(
        result,
        state=OrderState.REJECTED,
        status=OrderStatus.REJECTED,
        order_id=None,
        code=code,
        message=f"Failed to place dummy order: {message}",
    )

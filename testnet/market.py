"""Who makes the market: participants that play bars through the engine.

One time line, and it is the wall clock's. Bar k fills the 60/speed seconds from
``start + k * 60/speed``, where ``start`` is the last multiple of 60/speed seconds at which the
venue was opened; ``warmup_bars`` are bars played before it, at negative k. Candles of every
interval are built from the trades by the wall clock, so their open times are contiguous at every
speed: at speed 1 the ``1m`` candles are the bars, at speed 60 the ``1s`` candles are, and at other
speeds a candle holds the bars that fell into it.

Participants are ordinary accounts without fees, endowed at the start. Between trades one of them
quotes a book around the last price. A trade of the path first takes the clients' orders that are
better than its price, as far as its quantity goes, and prints at exactly that price what is left
of it, first against a client's order that was there: each step of the path trades its quantity
and no more, and a large order of a client holds the price until it is filled. While no client
trades, each bar's open, high, low, close and volume are the file's. After the last bar of a file
the book stays, renewed around the last price.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import count
from random import Random
from typing import Final

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.amounts import SCALE, quote_of
from otonom_trader.testnet.bars import Bar, Print, play
from otonom_trader.testnet.clock import Clock, VenueClock
from otonom_trader.testnet.exchange import Exchange
from otonom_trader.testnet.exchange_info import SymbolRules
from otonom_trader.testnet.orders import (
    NewOrder,
    OrderType,
    SelfTradePrevention,
    Side,
    TimeInForce,
    Trade,
)

_BASE_ENDOWMENT: Final = 10**14 * SCALE
_QUOTE_ENDOWMENT: Final = 10**14 * SCALE
_LEVELS: Final = 20
# A bar is at least its open, both extremes and its close.
_FEWEST_PARTS: Final = 4
_MOST_PARTS: Final = 120
_WARMUP_PARTS: Final = 8
_PART_SECONDS: Final = Fraction(1, 2)
# A market wakes no more often than this, however fast it plays.
SHORTEST_SLEEP_SECONDS: Final = 0.05
IDLE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Due:
    """A trade of the path and the moment it was planned for, in epoch milliseconds."""

    print: Print
    planned_ms: int
    bar: Bar
    clock: VenueClock

    @property
    def time_ms(self) -> int:
        """When it prints, as the venue's clock tells it now: the plan is not changed by setting
        that clock.
        """
        return self.planned_ms + self.clock.skew_ms


class Timeline:
    """The trades of all bars, each at its wall-clock moment."""

    def __init__(
        self,
        bars: Iterator[Bar],
        rules: SymbolRules,
        random: Random,
        *,
        speed: Decimal,
        warmup_bars: int,
        clock: VenueClock,
    ) -> None:
        self._bars = bars
        self._rules = rules
        self._random = random
        self._period_ms = Fraction(60_000) / Fraction(speed)
        self._clock = clock
        self._start_ms = clock.planned_ms() // self._period_ms * self._period_ms
        self._warmup_bars = warmup_bars

    def __iter__(self) -> Iterator[Due]:
        parts = int(self._period_ms / 1000 / _PART_SECONDS)
        parts = min(_MOST_PARTS, max(_FEWEST_PARTS, parts))
        for k, bar in zip(count(-self._warmup_bars), self._bars, strict=False):
            path = play(
                bar,
                _WARMUP_PARTS if k < 0 else parts,
                self._random,
                self._rules.tick,
                self._rules.step,
            )
            for step in path:
                at = self._start_ms + self._period_ms * (k + Fraction(step.part, step.parts))
                yield Due(step, int(at), bar, self._clock)


class Market:
    """Plays one symbol's timeline: ``open`` the past, then ``run`` the rest."""

    def __init__(
        self,
        exchange: Exchange,
        rules: SymbolRules,
        timeline: Timeline,
        participants: tuple[Account, Account],
        random: Random,
        clock: Clock,
    ) -> None:
        self._exchange: Final = exchange
        self._rules: Final = rules
        self._due: Final = iter(timeline)
        self._maker, self._taker = participants
        self._random: Final = random
        self._clock: Final = clock
        self._book: Final = exchange.engine.books[rules.symbol]
        self._tape: Final = exchange.tapes[rules.symbol]
        self._next: Due | None = None
        self._last: Due | None = None

    def open(self) -> None:
        """Write what was due before now on the tape, and quote a first book."""
        for account in (self._maker, self._taker):
            self._exchange.engine.credit(account, self._rules.base, _BASE_ENDOWMENT)
            self._exchange.engine.credit(account, self._rules.quote, _QUOTE_ENDOWMENT)
        now = self._clock.time_ms()
        for due in self._take_due(now):
            self._last = due
            step = due.print
            self._exchange.record_past(
                Trade(
                    self._book.next_trade_id(),
                    self._rules.symbol,
                    step.price,
                    step.qty,
                    quote_of(step.price, step.qty),
                    due.time_ms,
                    buyer_is_maker=not step.buyer_is_taker,
                )
            )
        self._quote(now)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._clock.sleep(self._seconds_to_wait())
            self.advance()

    def advance(self) -> None:
        """Trade what has become due, then quote anew around the last price.

        While the symbol is not trading, what is due goes by and nothing is quoted.
        """
        now = self._clock.time_ms()
        self._withdraw(now)
        is_trading = self._exchange.engine.rules[self._rules.symbol].status == "TRADING"
        for due in self._take_due(now):
            self._last = due
            if is_trading:
                self._print(due)
        if is_trading:
            self._quote(now)

    def _seconds_to_wait(self) -> float:
        if self._next is None:
            return IDLE_SECONDS
        return max(SHORTEST_SLEEP_SECONDS, (self._next.time_ms - self._clock.time_ms()) / 1000)

    def _take_due(self, now_ms: int) -> Iterator[Due]:
        if self._next is None:
            self._next = next(self._due, None)
        while self._next is not None and self._next.time_ms <= now_ms:
            yield self._next
            self._next = next(self._due, None)

    def _print(self, due: Due) -> None:
        """Trade a step's quantity: with the orders that are better than its price, then there."""
        step = due.print
        # A late wake must not move a trade into the next bar; nor may time run backwards.
        last = self._tape.last_trade
        at = max(due.time_ms, last.time_ms if last else 0)
        left = self._sweep(step.price, step.qty, at)
        if not left:
            return
        if self._book.stops.are_waiting:
            # What the trade triggers meets a book.
            self._quote(at)
        taker_side = Side.BUY if step.buyer_is_taker else Side.SELL
        maker_side = Side.SELL if step.buyer_is_taker else Side.BUY
        maker = self._order(self._maker, maker_side, step.price, left, TimeInForce.GTC, at)
        if maker:
            self._order(self._taker, taker_side, step.price, maker, TimeInForce.IOC, at)
        self._withdraw(at)

    def _sweep(self, price: int, qty: int, now_ms: int) -> int:
        """Trade that much with the orders that are better than the price; what is left for the
        price itself, which is nothing while one of them still stands.
        """
        for side, taker_side in ((Side.BUY, Side.SELL), (Side.SELL, Side.BUY)):
            better = 0
            for level in self._book.side(side):
                if not (level.price > price if side is Side.BUY else level.price < price):
                    break
                better += level.total
            if not better:
                continue
            taken = min(better, qty)
            missed = self._order(self._taker, taker_side, price, taken, TimeInForce.IOC, now_ms)
            if missed or better >= qty:
                return 0
            qty -= better
        return qty

    def _withdraw(self, now_ms: int) -> None:
        for order in list(self._maker.working_on(self._rules.symbol).values()):
            self._exchange.cancel(order, order.client_id, now_ms)

    def _quote(self, now_ms: int) -> None:
        """A book around the last price: dense near it, thinner over about one percent. Never
        through an order of a client, whose price is the market's until it is filled.
        """
        if self._last is None:
            return
        tick, step = self._rules.tick, self._rules.step
        price = self._last.print.price
        bid, ask = self._book.bids.best(), self._book.asks.best()
        if bid is not None:
            price = max(price, bid.price)
        if ask is not None:
            price = min(price, ask.price)
        spread_step = max(tick, price // 20_000 // tick * tick)
        typical = max(step, self._last.bar.volume // 60)
        for level in range(_LEVELS):
            offset = tick + spread_step * (level * (level + 1) // 2)
            for side, at in ((Side.BUY, price - offset), (Side.SELL, price + offset)):
                if at > 0:
                    qty = typical * self._random.randint(50, 150) // 100
                    qty = max(step, qty - qty % step)
                    self._order(self._maker, side, at, qty, TimeInForce.GTC, now_ms)

    def _order(
        self,
        account: Account,
        side: Side,
        price: int,
        qty: int,
        time_in_force: TimeInForce,
        now_ms: int,
    ) -> int:
        """Place an order of a participant; what remains of it."""
        symbol = self._rules.symbol
        new = limit_order(self._exchange, symbol, side, price, qty, time_in_force)
        return self._exchange.place(account, new, now_ms).remaining


def limit_order(
    exchange: Exchange, symbol: str, side: Side, price: int, qty: int, time_in_force: TimeInForce
) -> NewOrder:
    """An order of a participant, which may trade with itself."""
    return NewOrder(
        symbol=symbol,
        side=side,
        type=OrderType.LIMIT,
        client_id=exchange.new_participant_id(),
        qty=qty,
        price=price,
        time_in_force=time_in_force,
        self_trade_prevention=SelfTradePrevention.NONE,
    )

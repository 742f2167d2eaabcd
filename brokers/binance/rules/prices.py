"""The prices that filters compare with, read ahead of orders and kept for seconds.

Source: binance-facts.md, section 6. Asked for is only what a symbol's filters need, beside its
book; an order takes what is known when it leaves, and waits for nothing.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Iterable
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from otonom_trader.brokers.binance.errors import MismatchedReply, Reply, check
from otonom_trader.brokers.binance.rules.context import UNKNOWN, Context
from otonom_trader.brokers.binance.rules.kept_answers import KeptAnswers
from otonom_trader.brokers.binance.rules.price_limits import (
    ExecutionRange,
    parse_execution_range,
    price_limits,
)
from otonom_trader.brokers.binance.rules.trading_rules import Rules
from otonom_trader.brokers.binance.transport.rest import PublicTransport
from otonom_trader.brokers.binance.transport.weights import (
    AVERAGE_PRICE,
    EXECUTION_RULES,
    REFERENCE_PRICE,
    TICKER_PRICE,
)
from otonom_trader.brokers.binance.wire import (
    AveragePrice,
    ExecutionRules,
    ReferencePrice,
    TickerPrice,
    number,
    read,
)
from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.market import PriceLimits

_T = TypeVar("_T")

_PRICE_SECONDS: Final = 5.0
_NO_REFERENCE_SECONDS: Final = 60.0  # one may be set at any time
_RULES_SECONDS: Final = 3_600.0
_PATIENCE_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 1.0
_WANTED_FOR_NS: Final = 60 * 1_000_000_000
# How far a price may move while it is used. Orders closer to a bound are the venue's to judge.
_DRIFT: Final = Decimal("0.05")
_NO_REFERENCE_PRICE: Final = -2043

_reference_price = msgspec.json.Decoder(ReferencePrice)
_average_price = msgspec.json.Decoder(AveragePrice)
_ticker_price = msgspec.json.Decoder(TickerPrice)
_execution_rules = msgspec.json.Decoder(ExecutionRules)


class _Wanted(NamedTuple):
    """A symbol whose prices were last wanted at a monotonic time."""

    rules: Rules
    at_ns: int


class FilterPrices:
    """Reference, average and last price and price range of each symbol whose filters compare."""

    def __init__(self, transport: PublicTransport) -> None:
        self._references = KeptAnswers(transport, REFERENCE_PRICE, _reference)
        self._averages = KeptAnswers(transport, AVERAGE_PRICE, _average)
        self._lasts = KeptAnswers(transport, TICKER_PRICE, _last)
        self._ranges = KeptAnswers(transport, EXECUTION_RULES, _range)
        self._clock = transport.clock
        self._is_running = False
        self._wanted: dict[str, _Wanted] = {}
        self._is_wanted = asyncio.Event()

    async def run(self) -> None:
        """Keep fresh what was wanted in the last minute, until cancelled: `beside` then waits less.

        For books that are not asked for, beside which there is nothing to wait for.
        """
        self._is_running = True
        try:
            while True:
                await self._is_wanted.wait()
                for wanted in self._wanted_lately():
                    await _ask(self._needed(wanted), wanted.instrument.venue_symbol)
                await self._clock.sleep(_LOOK_SECONDS)
        finally:
            self._is_running = False

    async def beside(self, rules: Rules, reading: Awaitable[_T]) -> _T:
        """Await `reading`, and meanwhile read what is due; raises what `reading` raises.

        What cannot be read within a second is not waited for.
        """
        name, needed = rules.instrument.venue_symbol, self._needed(rules)
        due = [one for one in needed if one.is_due(name)]
        if self._is_running and needed:
            self._wanted[name] = _Wanted(rules, self._clock.monotonic_ns())
            self._is_wanted.set()
            due = [one for one in due if one.value(name) is None]
        if not due:
            return await reading
        # Both come to their end before one's failure is told: nothing is left running.
        result, asked = await asyncio.gather(reading, _ask(due, name), return_exceptions=True)
        if isinstance(result, BaseException):
            raise result
        if isinstance(asked, BaseException):
            raise asked
        return result

    def context(self, rules: Rules) -> Context:
        """Return what is known of the prices that the filters in `rules` compare with."""
        if not rules.minutes:
            return UNKNOWN
        name = rules.instrument.venue_symbol
        mins, average = self._averages.value(name) or (None, None)
        return Context(
            reference_price=self._references.value(name),
            average_price=average,
            average_mins=mins,
            last_price=self._lasts.value(name),
            drift=_DRIFT,
        )

    def limits(self, rules: Rules) -> PriceLimits | None:
        """Return the limit prices that pass and trade now; None where nothing is known to bound."""
        if not rules.minutes:
            return None
        execution = self._ranges.value(rules.instrument.venue_symbol)
        return price_limits(rules, self.context(rules), execution)

    def forget(self, venue_symbol: str) -> None:
        """Drop what is known of a symbol: the venue has refused an order by its filters."""
        for one in (self._references, self._averages, self._lasts, self._ranges):
            one.forget(venue_symbol)

    def _wanted_lately(self) -> list[Rules]:
        oldest_ns = self._clock.monotonic_ns() - _WANTED_FOR_NS
        self._wanted = {
            name: wanted for name, wanted in self._wanted.items() if wanted.at_ns >= oldest_ns
        }
        if not self._wanted:
            self._is_wanted.clear()
        return [wanted.rules for wanted in self._wanted.values()]

    def _needed(self, rules: Rules) -> list[KeptAnswers[Any]]:
        if not rules.minutes:
            return []
        reference = self._references.last_value(rules.instrument.venue_symbol)
        needed: list[KeptAnswers[Any]] = [self._references]
        if not reference and any(rules.minutes):
            needed.append(self._averages)
        if not reference and 0 in rules.minutes:
            needed.append(self._lasts)
        if reference != ZERO:  # without a reference price the range rule is off
            needed.append(self._ranges)
        return needed


async def _ask(answers: Iterable[KeptAnswers[Any]], venue_symbol: str) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await asyncio.gather(*(one.ask(venue_symbol) for one in answers))


def _reference(reply: Reply, venue_symbol: str) -> tuple[Decimal, float]:
    told = reply.venue_text if reply.status == HTTPStatus.BAD_REQUEST else None
    if told is not None and told.code == _NO_REFERENCE_PRICE:
        return ZERO, _NO_REFERENCE_SECONDS
    check(reply)
    answer = read(_reference_price, reply)
    _check_symbol(answer.symbol, venue_symbol, reply)
    price = answer.reference_price
    return ZERO if price is None else number(price), _PRICE_SECONDS


def _average(reply: Reply, venue_symbol: str) -> tuple[tuple[int, Decimal], float]:
    check(reply)
    answer = read(_average_price, reply)
    return (answer.mins, number(answer.price)), _PRICE_SECONDS


def _last(reply: Reply, venue_symbol: str) -> tuple[Decimal, float]:
    check(reply)
    answer = read(_ticker_price, reply)
    _check_symbol(answer.symbol, venue_symbol, reply)
    return number(answer.price), _PRICE_SECONDS


def _range(reply: Reply, venue_symbol: str) -> tuple[ExecutionRange, float]:
    check(reply)
    symbols = read(_execution_rules, reply).symbol_rules
    rules = [rule for one in symbols if one.symbol == venue_symbol for rule in one.rules]
    return parse_execution_range(rules), _RULES_SECONDS


def _check_symbol(told: str, asked: str, reply: Reply) -> None:
    if told != asked:
        raise MismatchedReply(f"{reply.request} answered for {told}, not {asked}", raw=reply.text)

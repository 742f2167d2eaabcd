"""Which symbols the venue lists, by whatever name they are asked for."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec

from otonom_trader.brokers.binance.errors import (
    UNKNOWN_SYMBOL,
    MismatchedReply,
    check,
)
from otonom_trader.brokers.binance.rules.trading_rules import Rules, parse_rules
from otonom_trader.brokers.binance.transport.rest import PublicTransport
from otonom_trader.brokers.binance.transport.weights import EXCHANGE_INFO
from otonom_trader.brokers.binance.usage import usage_of_limits
from otonom_trader.brokers.binance.wire import ExchangeInfo, read
from otonom_trader.domain.errors import NotListed
from otonom_trader.domain.symbol import Symbol

_SECOND: Final = 1_000_000_000
_RULES_GOOD_FOR_NS: Final = 3_600 * _SECOND
_HALT_GOOD_FOR_NS: Final = 5 * _SECOND
_ABSENCE_GOOD_FOR_NS: Final = 60 * _SECOND
_MOST_NAMES: Final = 1_000  # anyone can make names up
_ILLEGAL_CHARACTERS: Final = -1100

_exchange_info = msgspec.json.Decoder(ExchangeInfo)


@dataclass(frozen=True, slots=True)
class _Listed:
    rules: Rules
    read_ns: int


class Listing:
    """Finds a symbol's rules and keeps them for an hour.

    Asks by symbol: the venue's whole list is megabytes, and decoding it would hold up the loop.
    """

    def __init__(self, transport: PublicTransport, renames: Mapping[str, str] | None) -> None:
        self._transport = transport
        self._renames = {_fold(name): to for name, to in (renames or {}).items()}
        self._listed: dict[str, _Listed] = {}
        self._names: dict[str, str] = {}
        self._absent: dict[str, int] = {}
        self._reading = asyncio.Lock()

    async def rules(self, text: str, slack: int = 1) -> Rules:
        """Return the rules of `text`: ``BTC-USDT``, ``btc/usdt``, ``BTCUSDT`` or a rename.

        `slack` stretches the time they are kept, for whoever cannot wait.

        Raises `NotListed` for what the venue does not list, `VenueError` when it cannot be asked.
        """
        listed = self._listed.get(self._names.get(text, ""))
        if listed is not None and self._is_fresh(listed, slack):
            return listed.rules
        name = self._renames.get(_fold(text), text)
        venue_symbol = _fold(name).replace("-", "")
        listed = self._listed.get(venue_symbol)
        if listed is None or not self._is_fresh(listed, slack):
            async with self._reading:
                listed = self._listed.get(venue_symbol)
                if listed is None or not self._is_fresh(listed, slack):
                    listed = await self._read(venue_symbol, text)
        symbol = listed.rules.instrument.symbol
        if not name.strip().isalnum() and _fold(name) != symbol.canonical:
            raise _not_tradable(text)
        if len(self._names) >= _MOST_NAMES:
            self._names.clear()
        self._names[text] = venue_symbol
        return listed.rules

    def forget(self, venue_symbol: str) -> None:
        """Drop what is known of a symbol: the venue has refused an order by its rules."""
        self._listed.pop(venue_symbol, None)

    def _is_fresh(self, listed: _Listed, slack: int) -> bool:
        tradable = listed.rules.instrument.tradable
        age_ns = self._transport.clock.monotonic_ns() - listed.read_ns
        return age_ns <= slack * (_RULES_GOOD_FOR_NS if tradable else _HALT_GOOD_FOR_NS)

    async def _read(self, venue_symbol: str, text: str) -> _Listed:
        now = self._transport.clock.monotonic_ns()
        absent_ns = self._absent.get(venue_symbol)
        known_absent = absent_ns is not None and now - absent_ns <= _ABSENCE_GOOD_FOR_NS
        if known_absent or not venue_symbol.isalnum() or len(venue_symbol) > 40:
            raise _not_tradable(text)
        self._listed.pop(venue_symbol, None)
        reply = await self._transport.get(EXCHANGE_INFO, (("symbol", venue_symbol),))
        told = reply.venue_text if reply.status == HTTPStatus.BAD_REQUEST else None
        if told is not None and told.code in (UNKNOWN_SYMBOL, _ILLEGAL_CHARACTERS):
            if len(self._absent) >= _MOST_NAMES:
                self._absent.clear()
            self._absent[venue_symbol] = now
            raise _not_tradable(text)
        check(reply)
        info = read(_exchange_info, reply)
        self._transport.governor.learn(usage_of_limits(info.rate_limits))
        symbols = info.symbols
        if [info.symbol for info in symbols] != [venue_symbol]:
            raise MismatchedReply(
                f"{reply.request} answered for another symbol than {venue_symbol}", raw=reply.text
            )
        listed = self._listed[venue_symbol] = _Listed(
            parse_rules(symbols[0], info.exchange_filters), now
        )
        return listed


def _fold(text: str) -> str:
    """Return the canonical name where `text` is a pair, else `text` in capitals."""
    try:
        return Symbol.parse(text).canonical
    except ValueError:
        return text.strip().upper()


def _not_tradable(text: str) -> NotListed:
    return NotListed(f"{text[:40]!r} is not tradable here")

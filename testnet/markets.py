"""Which market each symbol of a venue gets, and what plays it."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Final, Protocol

from otonom_trader.testnet.bars import Bar, check_bars, read_bars, synthetic_bars
from otonom_trader.testnet.book_replay import BookReplay, Pace
from otonom_trader.testnet.built_in import LISTING, RECORDED_LISTING
from otonom_trader.testnet.clock import VenueClock
from otonom_trader.testnet.config import TestnetConfig
from otonom_trader.testnet.exchange import Exchange
from otonom_trader.testnet.exchange_info import Listing, SymbolRules, read_listing
from otonom_trader.testnet.market import Market, Timeline
from otonom_trader.testnet.recording import read_recordings


class Player(Protocol):
    """What moves one symbol."""

    def open(self) -> None:
        """Put up what is there when the venue opens."""
        ...

    def advance(self) -> None:
        """Play what has become due by the clock."""
        ...

    async def run(self) -> None:
        """``advance`` whenever something is due, until cancelled."""
        ...


class FirstDay:
    """Keeps the market of a symbol back until the symbol trades for the first time."""

    def __init__(self, exchange: Exchange, symbol: str, make: Callable[[], Player]) -> None:
        self._exchange: Final = exchange
        self._symbol: Final = symbol
        self._make: Final = make
        self._market: Player | None = None
        self._has_come: Final = asyncio.Event()
        exchange.on_symbol_changed.append(self._on_changed)

    def open(self) -> None:
        self._on_changed(self._symbol)

    def advance(self) -> None:
        if self._market is not None:
            self._market.advance()

    async def run(self) -> None:
        await self._has_come.wait()
        if self._market is not None:
            await self._market.run()

    def _on_changed(self, symbol: str) -> None:
        is_trading = self._exchange.engine.rules[self._symbol].status == "TRADING"
        if symbol == self._symbol and is_trading and self._market is None:
            self._market = self._make()
            self._market.open()
            self._has_come.set()


def choose_listing(config: TestnetConfig) -> Listing:
    """The symbols of the venue; ValueError where the exchangeInfo file cannot be used."""
    if config.exchange_info is not None:
        return read_listing(config.exchange_info)
    return RECORDED_LISTING if config.market.kind == "book" else LISTING


def open_markets(config: TestnetConfig, exchange: Exchange, clock: VenueClock) -> list[Player]:
    """A market in each symbol, open where it trades; ValueError where one cannot be played."""
    if config.market.kind == "empty":
        return []
    replays = _replays(config, exchange, clock) if config.market.kind == "book" else {}
    bars_of = _bars_symbol(config, exchange)
    players: list[Player] = []
    participants = (
        exchange.open_participant("market-maker"),
        exchange.open_participant("market-taker"),
    )

    def make(symbol: str, number: int) -> Player:
        rules = exchange.engine.rules[symbol]
        # Each symbol draws from its own source, so that one cannot disturb the other.
        random = Random(config.seed * 1000 + number)  # noqa: S311  a market, not secrets
        timeline = Timeline(
            _bars(rules, random, config.market.path if symbol == bars_of else None),
            rules,
            random,
            speed=config.speed,
            warmup_bars=config.warmup_bars,
            clock=clock,
        )
        quotes = Random(config.seed * 1000 + 500 + number)  # noqa: S311
        return Market(exchange, rules, timeline, participants, quotes, clock)

    for number, symbol in enumerate(exchange.engine.rules):
        player = replays.get(symbol) or FirstDay(exchange, symbol, partial(make, symbol, number))
        player.open()
        players.append(player)
    return players


def _replays(config: TestnetConfig, exchange: Exchange, clock: VenueClock) -> dict[str, BookReplay]:
    spec = config.market
    if spec.path is None or spec.stream_path is None:
        raise ValueError("a book market needs the files of a recording: book:REST,STREAM")
    recordings = read_recordings(spec.path, spec.stream_path)
    pace = Pace.of(recordings, clock.planned_ms(), speed=config.speed, is_looped=spec.is_looped)
    participant = exchange.open_participant("market-replay")
    return {
        recording.symbol: BookReplay(
            exchange,
            _listed(exchange, recording.symbol),
            recording,
            participant,
            pace,
            clock,
        )
        for recording in recordings
    }


def _bars_symbol(config: TestnetConfig, exchange: Exchange) -> str | None:
    """The symbol that plays a file of bars."""
    spec = config.market
    if spec.kind == "book":
        return None
    _listed(exchange, spec.symbol)
    if spec.path is None:
        return None
    bars = check_bars(spec.path)
    if config.warmup_bars >= bars:
        raise ValueError(
            f"{spec.path}: {bars} bars leave none to play after {config.warmup_bars} of warmup"
        )
    return spec.symbol


def _listed(exchange: Exchange, symbol: str) -> SymbolRules:
    rules = exchange.engine.rules
    if symbol not in rules:
        raise ValueError(f"market symbol {symbol} is not listed here; listed: {', '.join(rules)}")
    return rules[symbol]


def _bars(rules: SymbolRules, random: Random, path: Path | None) -> Iterator[Bar]:
    if path is not None:
        return read_bars(path)
    return synthetic_bars(random, rules.first_price, rules.tick, rules.step)

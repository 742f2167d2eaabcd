"""Which market each symbol of a venue gets, and what plays it."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Protocol

from otonom_trader.testnet.bars import Bar, check_bars, read_bars, synthetic_bars
from otonom_trader.testnet.book_replay import BookReplay, Pace
from otonom_trader.testnet.built_in import LISTING, RECORDED_LISTING
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


def choose_listing(config: TestnetConfig) -> Listing:
    """The symbols of the venue; ValueError where the exchangeInfo file cannot be used."""
    if config.exchange_info is not None:
        return read_listing(config.exchange_info)
    return RECORDED_LISTING if config.market.kind == "book" else LISTING


def open_markets(config: TestnetConfig, exchange: Exchange) -> list[Player]:
    """Open a market in each symbol that trades; ValueError where one cannot be played."""
    if config.market.kind == "empty":
        return []
    replays = _replays(config, exchange) if config.market.kind == "book" else {}
    bars_of = _bars_symbol(config, exchange)
    players: list[Player] = []
    participants = (
        exchange.open_participant("market-maker"),
        exchange.open_participant("market-taker"),
    )
    for number, rules in enumerate(exchange.engine.rules.values()):
        player: Player | None = replays.get(rules.symbol)
        if player is None:
            if rules.status != "TRADING":
                continue
            # Each symbol draws from its own source, so that one cannot disturb the other.
            random = Random(config.seed * 1000 + number)  # noqa: S311  a market, not secrets
            timeline = Timeline(
                _bars(rules, random, config.market.path if rules.symbol == bars_of else None),
                rules,
                random,
                speed=config.speed,
                warmup_bars=config.warmup_bars,
                opened_ms=config.clock.time_ms(),
            )
            quotes = Random(config.seed * 1000 + 500 + number)  # noqa: S311
            player = Market(exchange, rules, timeline, participants, quotes, config.clock)
        player.open()
        players.append(player)
    return players


def _replays(config: TestnetConfig, exchange: Exchange) -> dict[str, BookReplay]:
    spec = config.market
    if spec.path is None or spec.stream_path is None:
        raise ValueError("a book market needs the files of a recording: book:REST,STREAM")
    recordings = read_recordings(spec.path, spec.stream_path)
    pace = Pace.of(recordings, config.clock.time_ms(), speed=config.speed, is_looped=spec.is_looped)
    participant = exchange.open_participant("market-replay")
    return {
        recording.symbol: BookReplay(
            exchange,
            _listed(exchange, recording.symbol),
            recording,
            participant,
            pace,
            config.clock,
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

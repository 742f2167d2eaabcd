"""The venue as a process: a listening socket on loopback and the markets that play behind it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from random import Random
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from otonom_trader.testnet.bars import Bar, check_bars, read_bars, synthetic_bars
from otonom_trader.testnet.config import HOST, TestnetConfig
from otonom_trader.testnet.exchange import Exchange
from otonom_trader.testnet.exchange_info import SymbolRules
from otonom_trader.testnet.faults import Faults
from otonom_trader.testnet.limits import Limits
from otonom_trader.testnet.market import Market, Timeline
from otonom_trader.testnet.rest import RestApi
from otonom_trader.testnet.security import Key
from otonom_trader.testnet.truth import RequestLog, truth

# A held request is cut off this soon after the venue is told to stop.
_SHUTDOWN_SECONDS: Final = 0.2


class LocalTestnet:
    """``async with LocalTestnet(config) as venue`` serves at ``venue.url`` until the block ends.

    Opening raises ValueError where the configuration cannot be played (a malformed bars file, an
    unknown symbol) and OSError where the port is taken.
    """

    def __init__(self, config: TestnetConfig | None = None) -> None:
        self.config: Final = config or TestnetConfig()
        self.exchange: Final = Exchange(seed=self.config.seed, history=self.config.history)
        self.faults: Final = Faults(self.config.clock, self.config.seed)
        self.requests: Final = RequestLog(self.config.history.requests)
        self.markets: Final[list[Market]] = []
        self._port = 0
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``; known once the venue is open."""
        if not self._port:
            raise RuntimeError("the testnet is not open: enter it with async with")
        return f"http://{HOST}:{self._port}"

    def truth(self, *, everyone: bool = False) -> dict[str, Any]:
        """As GET /testnet/truth."""
        return truth(self.exchange, self.requests, everyone=everyone)

    async def __aenter__(self) -> Self:
        limits = Limits(self.config.limits)
        self.exchange.listeners.append(limits.on_event)
        now_ms = self.config.clock.time_ms()
        keys = {
            account.api_key: Key(
                account.api_key,
                account.api_secret.encode(),
                self.exchange.open_account(account),
                now_ms,
            )
            for account in self.config.accounts
        }
        self._open_markets(now_ms)
        api = RestApi(
            exchange=self.exchange,
            keys=keys,
            limits=limits,
            faults=self.faults,
            requests=self.requests,
            clock=self.config.clock,
        )
        async with AsyncExitStack() as stack:
            runner = web.ServerRunner(
                web.Server(api.handle, access_log=None),
                handler_cancellation=True,
                shutdown_timeout=_SHUTDOWN_SECONDS,
            )
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            site = web.TCPSite(runner, HOST, self.config.port)
            await site.start()
            self._port = int(runner.addresses[0][1])
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            for market in self.markets:
                task = tasks.create_task(market.run())
                stack.callback(task.cancel)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What the block raises is its own, and must not come out wrapped in a group of tasks.
        await self._stack.aclose()

    def _open_markets(self, now_ms: int) -> None:
        spec = self.config.market
        if spec.kind == "empty":
            return
        rules_of = self.exchange.engine.rules
        if spec.symbol not in rules_of:
            raise ValueError(
                f"market symbol {spec.symbol} is not listed here; listed: {', '.join(rules_of)}"
            )
        if spec.path is not None:
            bars = check_bars(spec.path)
            if self.config.warmup_bars >= bars:
                raise ValueError(
                    f"{spec.path}: {bars} bars leave none to play after "
                    f"{self.config.warmup_bars} of warmup"
                )
        participants = (
            self.exchange.open_participant("market-maker"),
            self.exchange.open_participant("market-taker"),
        )
        for number, rules in enumerate(rules_of.values()):
            # Each symbol draws from its own source, so that one cannot disturb the other.
            random = Random(self.config.seed * 1000 + number)  # noqa: S311  a market, not secrets
            timeline = Timeline(
                self._bars(rules, random),
                rules,
                random,
                speed=self.config.speed,
                warmup_bars=self.config.warmup_bars,
                opened_ms=now_ms,
            )
            quotes = Random(self.config.seed * 1000 + 500 + number)  # noqa: S311
            market = Market(self.exchange, rules, timeline, participants, quotes, self.config.clock)
            market.open()
            self.markets.append(market)

    def _bars(self, rules: SymbolRules, random: Random) -> Iterator[Bar]:
        spec = self.config.market
        if spec.path is not None and spec.symbol == rules.symbol:
            return read_bars(spec.path)
        return synthetic_bars(random, rules.first_price, rules.tick, rules.step)


async def serve(config: TestnetConfig, announce: Callable[[str], None]) -> None:
    """Run a venue until cancelled; ``announce`` is given one line with its URL when it is ready.

    Raises as ``LocalTestnet`` does when it cannot open.
    """
    async with LocalTestnet(config) as venue:
        announce(f"Local Binance Spot testnet ready at {venue.url}")
        await asyncio.get_running_loop().create_future()

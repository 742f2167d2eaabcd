"""The venue as a process: a listening socket on loopback and the markets that play behind it."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from otonom_trader.testnet.certificate import make_context
from otonom_trader.testnet.clock import VenueClock
from otonom_trader.testnet.config import HOST, KeyConfig, TestnetConfig
from otonom_trader.testnet.delivery import Reply
from otonom_trader.testnet.dispatch import Venue
from otonom_trader.testnet.exchange import Exchange
from otonom_trader.testnet.front import Front
from otonom_trader.testnet.limits import Limits
from otonom_trader.testnet.listener import Listener
from otonom_trader.testnet.markets import Player, choose_listing, open_markets
from otonom_trader.testnet.ordered_faults import Faults
from otonom_trader.testnet.replica import Replica
from otonom_trader.testnet.rest import Incoming
from otonom_trader.testnet.security import Key, make_key
from otonom_trader.testnet.strike_log import StrikeLog
from otonom_trader.testnet.truth import RequestLog, truth

# A held request is cut off this soon after the venue is told to stop.
_SHUTDOWN_SECONDS: Final = 0.2


class LocalTestnet:
    """``async with LocalTestnet(config) as venue`` serves at ``venue.url`` until the block ends.

    Making one raises ValueError where the exchangeInfo file cannot be used. Opening raises
    ValueError where the configuration cannot be played (a malformed file, an unknown symbol, a
    certificate that cannot be written) and OSError where the port is taken.
    """

    def __init__(self, config: TestnetConfig | None = None) -> None:
        self.config: Final = config or TestnetConfig()
        self._clock: Final = VenueClock(self.config.clock)
        lag_ms = self.config.query_lag_ms
        self.exchange: Final = Exchange(
            seed=self.config.seed,
            history=self.config.history,
            listing=choose_listing(self.config),
            replica=Replica(lag_ms, self._clock) if lag_ms else None,
        )
        self.faults: Final = Faults(self._clock, self.config.seed)
        self.requests: Final = RequestLog(self.config.history.requests)
        self.markets: Final[list[Player]] = []
        self.certificate = ""
        """With TLS and once open: what the venue shows, as PEM."""
        self._front: Front | None = None
        self._port = 0
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``, or https with TLS; known once the venue is open."""
        if not self._port:
            raise RuntimeError("the testnet is not open: enter it with async with")
        return f"http{'s' if self.config.tls else ''}://{HOST}:{self._port}"

    def truth(self, *, everyone: bool = False) -> dict[str, Any]:
        """As GET /testnet/truth."""
        return truth(self.exchange, self.requests, everyone=everyone)

    def answer(
        self,
        method: str,
        path: str,
        query: str = "",
        body: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Answer a request in process: what REST would answer, without wire and faults.

        Query and body are the undecoded bytes a client would send.
        """
        if self._front is None:
            raise RuntimeError("the testnet is not open: enter it with async with")
        return self._front.rest.answer(Incoming(method, path, query, body, headers or {}, HOST))

    async def __aenter__(self) -> Self:
        limits = Limits(self.config.limits)
        self.exchange.listeners.append(limits.on_event)
        now_ms = self._clock.time_ms()
        keys: dict[str, Key] = {}
        for config in self.config.accounts:
            account = self.exchange.open_account(config)
            for key in (KeyConfig(config.api_key, config.api_secret), *config.keys):
                keys[key.api_key] = make_key(key, account, now_ms)
        self.markets.extend(open_markets(self.config, self.exchange, self._clock))
        venue = Venue(
            exchange=self.exchange,
            keys=keys,
            limits=limits,
            faults=self.faults,
            requests=self.requests,
            clock=self._clock,
        )
        self._front = front = Front(venue)
        async with AsyncExitStack() as stack:
            runner = web.ServerRunner(
                Listener(front.handle, access_log=None, handler_cancellation=True),
                shutdown_timeout=_SHUTDOWN_SECONDS,
            )
            stack.push_async_callback(runner.cleanup)
            await runner.setup()
            site = web.TCPSite(runner, HOST, self.config.port, ssl_context=self._secured())
            await site.start()
            self._port = int(runner.addresses[0][1])
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            for market in self.markets:
                task = tasks.create_task(market.run())
                stack.callback(task.cancel)
            stack.callback(tasks.create_task(front.feed.run()).cancel)
            stack.callback(tasks.create_task(venue.errands.run()).cancel)
            stack.push_async_callback(front.sockets.shut_down, _SHUTDOWN_SECONDS)
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

    def _secured(self) -> ssl.SSLContext | None:
        if not self.config.tls:
            return None
        context, self.certificate = make_context()
        if self.config.certificate is not None:
            try:
                self.config.certificate.write_text(self.certificate)
            except OSError as error:
                raise ValueError(f"{self.config.certificate}: {error.strerror}") from error
        return context


async def serve(
    config: TestnetConfig,
    announce: Callable[[str], None],
    tell: Callable[[str], None] | None = None,
) -> None:
    """Run a venue until cancelled; ``announce`` is given one line with its URL when it is ready,
    ``tell`` a line for each strike of a fault.

    Raises as ``LocalTestnet`` does when it cannot open.
    """
    venue = LocalTestnet(config)
    if tell is not None:
        venue.faults.witnesses.append(StrikeLog(config.clock, tell).note)
    async with venue:
        announce(f"Local Binance Spot testnet ready at {venue.url}")
        await asyncio.get_running_loop().create_future()

"""The one port of the venue: which path goes to which door."""

from typing import Final

from aiohttp import web

from otonom_trader.testnet.control import Control
from otonom_trader.testnet.dispatch import Venue
from otonom_trader.testnet.market_feed import MarketFeed
from otonom_trader.testnet.outlets import Outlets
from otonom_trader.testnet.rest import RestApi
from otonom_trader.testnet.sockets import Sockets
from otonom_trader.testnet.streams import Streams, is_stream_path
from otonom_trader.testnet.user_stream import UserStreams
from otonom_trader.testnet.ws_api import PATH, WsApi


class Front:
    """For aiohttp: every request comes in by ``handle``. ``feed.run`` is to be run beside it."""

    def __init__(self, venue: Venue) -> None:
        outlets = Outlets(venue.faults, venue.clock)
        users = UserStreams(outlets, venue.clock)
        self.sockets: Final = Sockets(venue)
        self.rest: Final = RestApi(venue)
        self._ws_api: Final = WsApi(venue, self.sockets, users)
        self._streams: Final = Streams(venue, self.sockets, outlets)
        self._control: Final = Control(venue)
        self.feed: Final = MarketFeed(venue.exchange, self._streams.audiences, venue.clock)
        venue.exchange.listeners.extend((users.on_event, self.feed.on_event))
        venue.exchange.settled.append(self.feed.on_settled)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        if path.startswith("/testnet/"):
            body = await request.read() if request.can_read_body else b""
            return self._control.answer(request.method, path, query, body).written()
        if path == PATH:
            return await self._ws_api.handle(request)
        if is_stream_path(path):
            return await self._streams.handle(request)
        return await self.rest.handle(request)

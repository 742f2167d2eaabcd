"""What an order costs without any of ours: the floor the table stands on."""

import asyncio
import hmac
import json
from types import TracebackType
from typing import Self
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from benchmarks.measure import CLOCK

_KEY, _SECRET = "bench-key", b"bench-secret"
_ORDER = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "price": "50000.00",
    "quantity": "0.001",
    "newOrderRespType": "FULL",
    "recvWindow": "2000",
}
_numbers = iter(range(10**9))  # every order is another: no address is found in a cache


def signed_query() -> str:
    """The query of a signed order, as the venue's documentation shows it."""
    timestamp_ms = int(CLOCK.now().timestamp() * 1000)
    own = {"newClientOrderId": f"bare-{next(_numbers)}", "timestamp": str(timestamp_ms)}
    query = urlencode(_ORDER | own)
    return f"{query}&signature={hmac.digest(_SECRET, query.encode(), 'sha256').hex()}"


class BareHttp:
    """A signed order over aiohttp, its reply decoded: no checks, no types, no errors."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/v3/order"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers={"X-MBX-APIKEY": _KEY})
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def place(self) -> object:
        """Place one order and return the reply."""
        url = URL(f"{self._url}?{signed_query()}", encoded=True)
        async with self._session.post(url) as response:
            return json.loads(await response.read())


class BareStream:
    """The same bytes over an asyncio stream: what the loop and the kernel take."""

    def __init__(self, url: str) -> None:
        self._address = URL(url)

    async def __aenter__(self) -> Self:
        host, port = self._address.host, self._address.port
        self._reader, self._writer = await asyncio.open_connection(host, port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def place(self) -> object:
        """Place one order and return the reply."""
        request = (
            f"POST /api/v3/order?{signed_query()} HTTP/1.1\r\n"
            f"Host: {self._address.authority}\r\nX-MBX-APIKEY: {_KEY}\r\nContent-Length: 0\r\n\r\n"
        )
        self._writer.write(request.encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].partition("\r\n")[0])
        return json.loads(await self._reader.readexactly(length))

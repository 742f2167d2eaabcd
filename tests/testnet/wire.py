"""A WebSocket client that sends what it is told and shows what it gets."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from yarl import URL

from otonom_trader.testnet import AccountConfig, KeyConfig, ManualClock
from otonom_trader.testnet.security import sign

PATIENCE_SECONDS = 5
_PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ED25519 = KeyConfig(
    "alice-ed25519",
    public_key=_PRIVATE.public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode(),
)
"""A key of Alice's that may log on."""


class Wire:
    """``events`` collects what came while a response was awaited."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.events: list[Any] = []

    async def say(self, frame: Any) -> None:
        await self.socket.send_str(frame if isinstance(frame, str) else json.dumps(frame))

    async def hear(self) -> Any:
        """The next frame that is not a response already heard."""
        if self.events:
            return self.events.pop(0)
        return await self._receive()

    async def ask(self, frame: Any) -> Any:
        """Send a request and return its response."""
        await self.say(frame)
        while True:
            heard = await self._receive()
            if not isinstance(heard, dict) or ("id" not in heard and "code" not in heard):
                self.events.append(heard)
            else:
                return heard

    async def call(self, method: str, /, **params: Any) -> Any:
        return await self.ask({"id": 1, "method": method, "params": params})

    async def heard(self) -> list[Any]:
        """All events so far; asking something harmless makes sure that there are no more."""
        await self.ask({"id": 0, "method": "LIST_SUBSCRIPTIONS"})
        events, self.events = self.events, []
        return events

    async def ending(self) -> tuple[int | None, str]:
        """Code and reason of the close; what comes before it is kept as events."""
        while True:
            message = await self.socket.receive(timeout=PATIENCE_SECONDS)
            if message.type is aiohttp.WSMsgType.TEXT:
                self.events.append(json.loads(message.data))
            elif message.type in (aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG):
                continue
            else:
                reason = message.extra if message.type is aiohttp.WSMsgType.CLOSE else ""
                return self.socket.close_code, reason or ""

    async def _receive(self) -> Any:
        message = await self.socket.receive(timeout=PATIENCE_SECONDS)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return json.loads(message.data)


async def turn() -> None:
    """Let everything that is ready run once."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_soon(passed.set)
    await passed.wait()


@asynccontextmanager
async def wire(
    session: aiohttp.ClientSession, url: str, path: str, **options: Any
) -> AsyncIterator[Wire]:
    target = URL(url.replace("http", "ws", 1) + path, encoded=True)
    async with session.ws_connect(target, **options) as socket:
        yield Wire(socket)


class Signer:
    """Signs requests of the WebSocket API with one HMAC key."""

    def __init__(self, account: AccountConfig, clock: ManualClock) -> None:
        self.account = account
        self.clock = clock

    def params(self, **params: Any) -> dict[str, Any]:
        complete = {"apiKey": self.account.api_key, "timestamp": self.clock.time_ms()} | params
        payload = "&".join(f"{name}={complete[name]}" for name in sorted(complete))
        proof = sign(self.account.api_secret.encode(), payload.encode())
        return complete | {"signature": proof}

    def request(self, method: str, /, request_id: Any = 1, **params: Any) -> dict[str, Any]:
        return {"id": request_id, "method": method, "params": self.params(**params)}

    def buy(self, quantity: str, price: str, **more: Any) -> dict[str, Any]:
        return self.request(
            "order.place",
            symbol="BTCUSDT",
            side="BUY",
            type="LIMIT",
            timeInForce="GTC",
            quantity=quantity,
            price=price,
            **more,
        )


def logon(clock: ManualClock) -> dict[str, Any]:
    """A request to log on with ``ED25519``."""
    params: dict[str, Any] = {"apiKey": ED25519.api_key, "timestamp": clock.time_ms()}
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params))
    proof = base64.b64encode(_PRIVATE.sign(payload.encode())).decode()
    return {"id": 1, "method": "session.logon", "params": params | {"signature": proof}}

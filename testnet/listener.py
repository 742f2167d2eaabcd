"""The HTTP of the one port, where aiohttp would answer by itself and in words of its own.

A URL with bytes outside ASCII is not HTTP and reaches no endpoint; the venue refuses it as one
whose signature cannot be valid, since such text must be percent-encoded before it is signed. What
it says of an unsigned one is not documented: here that it has illegal characters.
"""

import asyncio
from http import HTTPStatus

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage, InvalidURLError

from otonom_trader.testnet.delivery import JSON_TYPE, Reply
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.faults import plain_page


class Listener(web.Server):
    """As ``web.Server``, with the venue's own refusals."""

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=asyncio.get_running_loop(), **self._kwargs)


class _Connection(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, InvalidURLError):
            reply = _refusal(_of_url(str(message)))
        elif isinstance(exc, BadHttpMessage):
            reply = Reply(status, plain_page(status, "Bad Request"), {}, "text/html")
        else:
            # It is on the log; the client is told what the venue tells.
            super().handle_error(request, status, exc, message)
            unknown = "An unknown error occurred while processing the request."
            reply = _refusal(VenueError(-1000, unknown, status=HTTPStatus.INTERNAL_SERVER_ERROR))
        response = reply.written()
        response.force_close()
        return response


def _of_url(line: str) -> VenueError:
    if "signature=" in line:
        return VenueError(-1022, "Signature for this request is not valid.")
    return VenueError(-1100, "Illegal characters found in a parameter.")


def _refusal(error: VenueError) -> Reply:
    return Reply(error.status, msgspec.json.encode(error.content), {}, JSON_TYPE)

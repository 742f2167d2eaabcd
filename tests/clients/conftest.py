"""For the suites of the clients: the venue they are pointed at, and no way anywhere else."""

import ipaddress
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.venue import Venue, announced

# A resolver in C would escape the watch below; aiohttp falls back to the one of Python.
sys.modules["aiodns"] = None  # type: ignore[assignment]

_strayed: list[str] = []


class ForeignHostError(RuntimeError):
    """A client tried to reach something that is not this machine."""


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    if not _is_loopback(host):
        _strayed.append(f"{event} {host}")
        raise ForeignHostError(f"{event}: {host} is not this machine")


def _is_loopback(host: object) -> bool:
    text = host.decode() if isinstance(host, bytes) else host
    if not text or text == "localhost":
        return True
    try:
        return ipaddress.ip_address(str(text)).is_loopback
    except ValueError:
        return False


sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def _only_this_machine() -> Iterator[None]:
    """A client may swallow the refusal; the check fails all the same."""
    _strayed.clear()
    yield
    assert not _strayed


@pytest.fixture(scope="session")
def venue() -> Venue:
    return announced()

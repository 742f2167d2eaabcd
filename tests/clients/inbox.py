"""What a socket heard, for a check that waits for something in particular."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any, Final

PATIENCE_SECONDS: Final = 8.0
_GLANCE_SECONDS: Final = 0.02


class Inbox:
    """Filled from the client's own thread or from callbacks of the same event loop."""

    def __init__(self) -> None:
        self.messages: Final[list[Any]] = []
        self._arrived: Final = threading.Condition()

    def put(self, message: Any) -> None:
        with self._arrived:
            self.messages.append(json.loads(message) if isinstance(message, str) else message)
            self._arrived.notify_all()

    def wait(self, wanted: Callable[[Any], bool]) -> Any:
        """The first message like that; AssertionError with all that came instead."""
        with self._arrived:
            self._arrived.wait_for(lambda: any(map(wanted, self.messages)), PATIENCE_SECONDS)
        return self._found(wanted)

    async def listen(self, wanted: Callable[[Any], bool]) -> Any:
        """As ``wait``, without holding up the event loop."""
        from asyncio import sleep  # noqa: PLC0415, TID251  a real socket is waited for

        deadline = time.monotonic() + PATIENCE_SECONDS  # noqa: TID251
        while (  # noqa: ASYNC110  several threads of clients fill it
            not any(map(wanted, self.messages)) and time.monotonic() < deadline  # noqa: TID251
        ):
            await sleep(_GLANCE_SECONDS)
        return self._found(wanted)

    def _found(self, wanted: Callable[[Any], bool]) -> Any:
        for message in self.messages:
            if wanted(message):
                return message
        raise AssertionError(f"did not come; what came: {self.messages[-5:]}")

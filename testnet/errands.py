"""Work that goes on when the request it came of is answered, until the venue closes."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")


class Errands:
    """``run`` beside the doors; a coroutine spawned when it does not run is closed unstarted."""

    def __init__(self) -> None:
        self._tasks: Final = asyncio.TaskGroup()
        self._running: Final[set[asyncio.Task[None]]] = set()
        self._is_open = False

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if not self._is_open:
            work.close()
            return
        task = self._tasks.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def see_through(self, work: Coroutine[Any, Any, T]) -> T:
        """What ``work`` comes to; it is carried on with though whoever asked is cancelled."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        async def carry_on() -> None:
            try:
                result = await work
            except Exception as error:
                if done.done():
                    raise
                done.set_exception(error)
            else:
                if not done.done():
                    done.set_result(result)

        self.spawn(carry_on())
        return await done

    async def run(self) -> None:
        """Until cancelled, and all of it with it."""
        async with self._tasks:
            self._is_open = True
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._is_open = False
                for task in list(self._running):
                    task.cancel()

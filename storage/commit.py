"""Group commit: transactions that wait while one is being made durable share the next one."""

import sqlite3
from collections import deque
from collections.abc import Callable
from typing import TypeVar, cast

from otonom_trader.domain.errors import JournalError
from otonom_trader.storage.connection import ThreadedConnection
from otonom_trader.storage.errors import JournalConflict, JournalFailed

_Result = TypeVar("_Result")

_MOST_TOGETHER = 256  # bounds how long the first of them waits
_DISK_FAULTS = ("SQLITE_IOERR", "SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_CANTOPEN")


class _Job:
    """One caller's transaction, and what came of it."""

    __slots__ = ("done", "error", "result", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], object]) -> None:
        self.work = work
        self.done = False
        self.result: object = None
        self.error: Exception | None = None

    def finish(self, error: Exception | None) -> None:
        self.error = error
        self.done = True


class GroupCommit:
    """Durable writes over one connection; several that wait are committed together.

    `forget` is called after a rollback, on the connection's thread: what was remembered of the
    rows written since may be gone.
    """

    def __init__(self, connection: ThreadedConnection, forget: Callable[[], None]) -> None:
        self._connection = connection
        self._forget = forget
        self._waiting: deque[_Job] = deque()
        self.failure: str | None = None
        """Why nothing can be written any more; None while all is well."""

    async def write(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Run `work` in a transaction and return its result once that is durable.

        Cancelling the awaiter stops neither the work nor the commit. `work` may be run a second
        time, after a rollback. Raises what `work` raises, `JournalError` when nothing was written,
        and `JournalFailed` from the first disk fault on.
        """
        if self.failure is not None:
            raise JournalFailed(self.failure)
        if not self._connection.is_open:
            raise JournalError("the journal is closed: nothing was written")
        job = _Job(work)
        self._waiting.append(job)
        await self._connection.run(self._finish, job)
        return cast("_Result", job.result)

    def _finish(self, connection: sqlite3.Connection, job: _Job) -> None:
        while not job.done:
            count = min(len(self._waiting), _MOST_TOGETHER)
            self._commit(connection, [self._waiting.popleft() for _ in range(count)])
        if job.error is not None:
            raise job.error

    def _commit(self, connection: sqlite3.Connection, jobs: list[_Job]) -> None:
        """Commit `jobs` together; where one of them fails, each by itself instead."""
        error = self._transact(connection, jobs)
        if error is not None and len(jobs) > 1 and self.failure is None:
            for job in jobs:
                job.finish(self._transact(connection, [job]))
            return
        for job in jobs:
            # An error is one caller's: raised in two tasks it would collect both their frames.
            job.finish(error if len(jobs) == 1 or error is None else JournalFailed(str(error)))

    def _transact(self, connection: sqlite3.Connection, jobs: list[_Job]) -> Exception | None:
        if self.failure is not None:
            return JournalFailed(self.failure)
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job in jobs:
                job.result = job.work(connection)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001  whatever it is belongs to the caller of the job
            return self._undone(connection, error)
        return None

    def _undone(self, connection: sqlite3.Connection, error: Exception) -> Exception:
        explained = self._explained(error)
        self._forget()
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error as failed:
            self.failure = f"the journal could not undo a failed write ({failed}); end the process"
        return explained

    def _explained(self, error: Exception) -> Exception:
        if not isinstance(error, sqlite3.Error):
            return error
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(_DISK_FAULTS):
            self.failure = (
                f"the journal's disk failed ({name}: {error}); nothing more is written: end the "
                "process and check the disk"
            )
            return JournalFailed(self.failure)
        if isinstance(error, sqlite3.IntegrityError):
            return JournalConflict(f"the journal holds something else already ({error})")
        if name == "SQLITE_FULL":
            return JournalError("the journal's disk is full; nothing was written: free some space")
        return JournalError(f"the journal could not be written ({name}: {error})")

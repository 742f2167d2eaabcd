"""What the journal says when it cannot do what it was asked; each is a `JournalError`."""

from otonom_trader.domain.errors import JournalError, TraderError


class DuplicateDecision(JournalError):
    """The decision is claimed already: nothing was written, and nothing may be sent for it."""


class JournalConflict(JournalError):
    """What was given contradicts what is written: nothing was written, the truth is in doubt."""


class JournalFailed(JournalError):
    """The disk failed under a write: what is stored is no longer known. End the process.

    SQLite reports a failed fsync once and lets the next commit succeed, so every later write
    raises this at once. Source: promises.md, P13.
    """


class DecisionDatabaseError(TraderError):
    """The decision database could not be opened, read or written."""

"""Errors named by what the caller may do next."""


class TraderError(Exception):
    """Base of all errors that are answers, not bugs: its text is one sentence for the user."""


class ConfigurationError(TraderError):
    """The configuration is refused; the text names file, line, key and remedy. Exit status 78."""


class NotPermitted(TraderError):
    """What was asked is not allowed as things stand. Exit status 77."""


class NotWaiting(NotPermitted):
    """The decision does not wait for a person: nothing was written, nothing may be sent for it."""


class AlreadyRunning(TraderError):
    """Another instance holds the state directory or the account. Exit status 75."""


class JournalError(TraderError):
    """The journal could not be read or written: nothing may be sent."""


class TradeConflict(JournalError):
    """The venue tells of another trade under the id of one on record: nothing was written."""


class TradingHalted(TraderError):
    """The kill gate is shut: nothing was sent and nothing will be."""


class NotReady(TradingHalted):
    """The daemon is starting, reconciling or draining: the decision is left where it is."""


class PaperOnly(TradingHalted):
    """Only the paper leg may go on: nothing was sent and nothing will be until resumed."""


class VenueError(TraderError):
    """Base of what can go wrong between us and a venue.

    `code` is a stable machine code. `status` is the HTTP status where one came, `venue_code` the
    venue's own code, `raw` its reply.
    """

    code: str = "venue"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        venue_code: int | None = None,
        raw: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.venue_code = venue_code
        self.raw = raw


class Rejected(VenueError):
    """The venue refused, finally: the same request will be refused again."""

    code = "rejected"


class NotListed(Rejected):
    """The venue does not list the symbol."""

    code = "not_tradable"


class RateLimited(Rejected):
    """The venue refused for want of rate limit; it will listen again in `retry_after_seconds`."""

    code = "rate_limited"
    retry_after_seconds: float = 0.0


class NotSent(VenueError):
    """The request certainly did not reach the venue: it is safe to try again."""

    code = "not_sent"


class OutcomeUnknown(VenueError):
    """The request may have been carried out: ask, never send again."""

    code = "unknown"


class VenueUnreachable(NotSent):
    """No connection to the venue could be made. Exit status 69 of `once`."""

    code = "unreachable"


class StaleTimestamp(Rejected):
    """The venue refused the timestamp: synchronise the clock, then sign anew."""

    code = "clock"

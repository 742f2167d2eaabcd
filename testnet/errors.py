"""The venue's refusals: code, text and HTTP status as documented (Error codes for Binance)."""

from collections.abc import Mapping
from typing import Any


class VenueError(Exception):
    """A refusal in the venue's own form, ``{"code": int, "msg": str}``, with its HTTP status.

    ``data`` is the third field of the few refusals that have one.
    """

    def __init__(
        self,
        code: int,
        msg: str,
        *,
        status: int = 400,
        retry_after_seconds: int | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{code} {msg}")
        self.code = code
        self.msg = msg
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.data = data

    @property
    def content(self) -> dict[str, Any]:
        """As the client gets it."""
        content: dict[str, Any] = {"code": self.code, "msg": self.msg}
        if self.data is not None:
            content["data"] = self.data
        return content


def mandatory(name: str) -> VenueError:
    return VenueError(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def either(first: str, second: str) -> VenueError:
    return VenueError(
        -1102, f"Param '{first}' or '{second}' must be sent, but both were empty/null!"
    )


def illegal(name: str, legal: str) -> VenueError:
    return VenueError(
        -1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    )


def empty(name: str) -> VenueError:
    return VenueError(-1105, f"Parameter '{name}' was empty.")


def not_required(name: str) -> VenueError:
    return VenueError(-1106, f"Parameter '{name}' sent when not required.")


def invalid_data(name: str) -> VenueError:
    return VenueError(-1130, f"Data sent for parameter '{name}' is not valid.")


def filter_failure(name: str, *, code: int = -1013) -> VenueError:
    return VenueError(code, f"Filter failure: {name}")


def rejected(msg: str) -> VenueError:
    return VenueError(-2010, msg)


def bad_combination() -> VenueError:
    return VenueError(-1128, "Combination of optional parameters invalid.")


def invalid_symbol() -> VenueError:
    return VenueError(-1121, "Invalid symbol.")


def unknown_order() -> VenueError:
    return VenueError(-2011, "Unknown order sent.")


def no_such_order() -> VenueError:
    return VenueError(-2013, "Order does not exist.")


def client_id_mismatch() -> VenueError:
    return VenueError(-2039, "Client order ID is not correct for this order ID.")


def too_many_hours(hours: int) -> VenueError:
    return VenueError(-1127, f"More than {hours} hours between startTime and endTime.")


def not_supported() -> VenueError:
    return VenueError(-1020, "This operation is not supported.")

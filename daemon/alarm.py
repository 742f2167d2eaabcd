"""What forbids to go on, among all that the venue answers.

Source: promises.md, P7 and faults 7, 12, 15, 43 and 44.
"""

from collections.abc import Callable

from otonom_trader.domain.account import KeyRights

_TLS_FAILURES = 3

KEY_REFUSED = "auth"
_MISMATCHED = "mismatched_reply"
_STALE = "clock"
_TLS = "tls"


class Alarm:
    """Hears the code of each of the venue's answers and failures, and halts on the fatal ones.

    `doubt` halts for a contradiction, `trip` for everything else; both are given the reason.
    """

    def __init__(self, doubt: Callable[[str], None], trip: Callable[[str], None]) -> None:
        self._doubt = doubt
        self._trip = trip
        self._tls_failures = 0

    def heed(self, code: str | None, message: str) -> None:
        """Take note of an answer; None is the code of one that was in order."""
        self._tls_failures = self._tls_failures + 1 if code == _TLS else 0
        if code == _MISMATCHED:
            self._doubt(message)
        elif code == KEY_REFUSED:
            self._trip(f"the venue refuses the key: {message}")
        elif code == _STALE:
            self._trip(f"the venue refuses our time although it was read anew: {message}")
        elif self._tls_failures >= _TLS_FAILURES:
            self._trip(f"no secure connection, {_TLS_FAILURES} times in a row: {message}")


def objection(rights: KeyRights | None, *, require_ip_restriction: bool) -> str | None:
    """Return why a key is not to be traded with, None where nothing speaks against it."""
    if rights is None:
        return None
    if rights.may_withdraw:
        return "the key may withdraw: take that right from it at the venue"
    if rights.may_transfer:
        return "the key may transfer assets away: take that right from it at the venue"
    if require_ip_restriction and not rights.is_ip_restricted:
        return (
            "the key works from any address: restrict it to yours at the venue, "
            "or set broker.binance.require_ip_restriction to false"
        )
    return None

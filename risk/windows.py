"""Times at which trading may, or may not, take place: written as people say them, in UTC.

Three forms: ``mon-fri 08:00-20:00`` and ``sat,sun 10:00-12:00`` come again every week,
``daily 23:55-00:05`` every day, ``2026-12-24T00:00Z/2026-12-26T00:00Z`` once. A window begins with
its first minute and ends before its last; one that ends before it begins ends the next day.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_EXAMPLES = "'mon-fri 08:00-20:00', 'daily 23:55-00:05' or '2026-12-24T00:00Z/2026-12-26T00:00Z'"
_WEEKLY = re.compile(r"(?P<days>\S+) +(?P<begin>\d\d:\d\d)-(?P<end>\d\d:\d\d)", re.ASCII)
_MINUTE = r"\d{4}-\d\d-\d\dT\d\d:\d\dZ"
_ONCE = re.compile(rf"(?P<begin>{_MINUTE})/(?P<end>{_MINUTE})", re.ASCII)
_DAY_MINUTES = 24 * 60
_MOST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class WeeklyWindow:
    """From minute `begin` to before minute `end` of the given days, 0 being Monday.

    An `end` beyond the day's last minute lies in the day after.
    """

    days: frozenset[int]
    begin: int
    end: int

    def contains(self, moment: datetime) -> bool:
        """Return whether `moment`, aware, lies inside."""
        moment = moment.astimezone(UTC)
        minute, day = moment.hour * 60 + moment.minute, moment.weekday()
        if day in self.days and self.begin <= minute < self.end:
            return True
        return (day - 1) % 7 in self.days and minute < self.end - _DAY_MINUTES


@dataclass(frozen=True, slots=True)
class SingleWindow:
    """From `begin` to before `end`, both aware."""

    begin: datetime
    end: datetime

    def contains(self, moment: datetime) -> bool:
        """Return whether `moment`, aware, lies inside."""
        return self.begin <= moment < self.end


Window = WeeklyWindow | SingleWindow


def parse_window(text: str) -> Window:
    """Read a window; raises ``ValueError`` with what is wrong with it."""
    shown = text[:_MOST_SHOWN]
    if match := _ONCE.fullmatch(text):
        begin, end = _moment(match["begin"]), _moment(match["end"])
        if begin >= end:
            raise ValueError(f"'{shown}' must end after it begins")
        return SingleWindow(begin, end)
    if match := _WEEKLY.fullmatch(text):
        begin_minute, end_minute = _minute(match["begin"]), _minute(match["end"])
        if begin_minute == end_minute:
            raise ValueError(f"'{shown}' ends as it begins; a whole day is 00:00-24:00")
        if begin_minute == _DAY_MINUTES:
            raise ValueError(f"'{shown}' begins at 24:00, which is 00:00 of the next day")
        if end_minute < begin_minute:
            end_minute += _DAY_MINUTES
        return WeeklyWindow(_days(match["days"]), begin_minute, end_minute)
    raise ValueError(f"'{shown}' is no window such as {_EXAMPLES} (UTC)")


def _days(text: str) -> frozenset[int]:
    if text == "daily":
        return frozenset(range(7))
    days: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        begin, end = _day(first, text), _day(last if dash else first, text)
        days |= {(begin + step) % 7 for step in range((end - begin) % 7 + 1)}
    return frozenset(days)


def _day(name: str, among: str) -> int:
    if name not in DAYS:
        raise ValueError(
            f"'{among[:_MOST_SHOWN]}' names no days; they are {', '.join(DAYS)} and daily"
        )
    return DAYS.index(name)


def _minute(text: str) -> int:
    hour, minute = int(text[:2]), int(text[3:])
    if minute > 59 or hour * 60 + minute > _DAY_MINUTES:
        raise ValueError(f"'{text}' is no time of a day")
    return hour * 60 + minute


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' is no time") from None

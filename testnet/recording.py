"""A recorded order book: snapshots of GET depth, and the stream that followed them.

Two text files. Of the first each line is ``URL -> TIME: BODY`` with a depth request and its reply;
of the second ``TIME: FRAME`` with a combined-stream frame. ``TIME`` is in epoch seconds; lines of
another form name the connection and say nothing. Used are ``depthUpdate`` and ``aggTrade``.
Amounts are integers of 10**-8.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from sortedcontainers import SortedDict

from otonom_trader.testnet.amounts import SCALE, parse_amount
from otonom_trader.testnet.orders import Side

Levels = Mapping[int, int]
"""Quantity by price."""


@dataclass(frozen=True, slots=True)
class Diff:
    """Levels as they stand after the updates ``first_id`` to ``last_id``; quantity 0 is none."""

    time_ms: int
    first_id: int
    last_id: int
    levels: Mapping[Side, Levels]


@dataclass(frozen=True, slots=True)
class RecordedTrade:
    """An aggregate trade: one taker at one price."""

    time_ms: int
    price: int
    qty: int
    buyer_is_maker: bool


@dataclass(frozen=True, slots=True)
class Recording:
    """One symbol: a snapshot, and what came after it in the order of the venue's own times.

    The diffs follow on the snapshot and on each other without a gap, and never cross the book.
    """

    symbol: str
    snapshot: Diff
    steps: tuple[Diff | RecordedTrade, ...]


def read_recordings(snapshots: Path, stream: Path) -> tuple[Recording, ...]:
    """The symbols of a recording, in the order of their snapshots.

    ValueError names the file, the line and what is wrong with it.
    """
    drafts: dict[str, _Draft] = {}
    for where, line in _lines(snapshots):
        url, arrow, reply = line.partition(" -> ")
        if not arrow:
            continue
        with _told(where):
            symbol = parse_qs(urlsplit(url).query)["symbol"][0]
            time_text, _, body = reply.partition(": ")
            shown = msgspec.json.decode(body, type=dict[str, Any])
            levels = {Side.BUY: _levels(shown["bids"]), Side.SELL: _levels(shown["asks"])}
            update_id = int(shown["lastUpdateId"])
            snapshot = Diff(_milliseconds(time_text), update_id, update_id, levels)
            # A later snapshot of the same connection says nothing that the diffs do not.
            if symbol not in drafts:
                drafts[symbol] = _Draft(snapshot)
    if not drafts:
        raise ValueError(f"{snapshots}: the file has no depth snapshot")
    for where, line in _lines(stream):
        time_text, colon, frame = line.partition(": ")
        if not colon or not frame.startswith("{"):
            continue
        with _told(where):
            _milliseconds(time_text)
            event = msgspec.json.decode(frame, type=dict[str, Any])["data"]
            if event.get("e") in ("depthUpdate", "aggTrade"):
                if event["s"] not in drafts:
                    raise ValueError(f"{snapshots} has no snapshot of {event['s']}")
                drafts[event["s"]].add(event)
    return tuple(draft.finished(symbol) for symbol, draft in drafts.items())


@dataclass(slots=True)
class _Draft:
    """A recording while it is read, with the book as a client would keep it."""

    snapshot: Diff
    steps: list[Diff | RecordedTrade] = field(default_factory=list)
    _update_id: int = field(init=False)
    _book: Mapping[Side, SortedDict[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        self._update_id = self.snapshot.last_id
        self._book = {side: SortedDict(self.snapshot.levels[side]) for side in Side}
        self._check_crossed()

    def add(self, event: Mapping[str, Any]) -> None:
        if event["e"] == "aggTrade":
            self.steps.append(
                RecordedTrade(
                    int(event["T"]),
                    parse_amount(event["p"]),
                    parse_amount(event["q"]),
                    buyer_is_maker=bool(event["m"]),
                )
            )
            return
        diff = Diff(
            int(event["E"]),
            int(event["U"]),
            int(event["u"]),
            {Side.BUY: _levels(event["b"]), Side.SELL: _levels(event["a"])},
        )
        if diff.last_id <= self._update_id:
            return
        if diff.first_id > self._update_id + 1:
            raise ValueError(
                f"a gap: update {diff.first_id} of {event['s']} follows on {self._update_id}"
            )
        self._update_id = diff.last_id
        for side, book in self._book.items():
            for price, qty in diff.levels[side].items():
                if qty:
                    book[price] = qty
                else:
                    book.pop(price, None)
        self._check_crossed()
        self.steps.append(diff)

    def finished(self, symbol: str) -> Recording:
        # A trade may arrive after the diff that holds what came of it: the venue's times decide.
        self.steps.sort(key=lambda step: step.time_ms)
        return Recording(symbol, self.snapshot, tuple(self.steps))

    def _check_crossed(self) -> None:
        bids, asks = self._book[Side.BUY], self._book[Side.SELL]
        if bids and asks and bids.peekitem(-1)[0] >= asks.peekitem(0)[0]:
            raise ValueError("the book is crossed")


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Says of whatever is wrong in its block where it is wrong."""
    try:
        yield
    except KeyError as error:
        raise ValueError(f"{where}: {error.args[0]} is missing") from None
    except (msgspec.MsgspecError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"{where}: not as recorded from the venue: {error}") from None
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Each line that says something, and where it is."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield f"{path}, line {number}", line.strip()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a text file in UTF-8") from None


def _milliseconds(seconds: str) -> int:
    return parse_amount(seconds) // (SCALE // 1000)


def _levels(rows: Any) -> dict[int, int]:
    return {parse_amount(price): parse_amount(qty) for price, qty in rows}

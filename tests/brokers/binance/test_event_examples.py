"""Every documented and every recorded event is read for what it is."""

import json
from pathlib import Path
from typing import Final

import pytest

from otonom_trader.brokers.binance.books.stream_frames import read_depth_update, read_frame
from otonom_trader.brokers.binance.errors import Unreadable
from otonom_trader.brokers.binance.orders import user_data
from otonom_trader.domain.venue_event import BalancesUpdate, OrderUpdate, StreamLost
from tests.brokers.binance.examples import assert_mandatory, event_in, user_events

EVENTS: Final[dict[str, type | None]] = {
    "00033-account-update": BalancesUpdate,
    "00060-balance-update": None,
    "00078-order-update": OrderUpdate,
    "00279-order-reject-reason": None,
    "00334-event-stream-terminated": StreamLost,
    "00350-external-lock-update": None,
    "AccountPosition": BalancesUpdate,
    "Balance": None,
    "OcoOrder": None,
    "Order": OrderUpdate,
}


def test_every_event_of_an_account_is_read_for_what_it_is(shared_data: Path) -> None:
    events = dict(user_events(shared_data))
    assert events.keys() == EVENTS.keys()
    for name, kind in EVENTS.items():
        event = user_data.read_event(event_in(events[name]))
        assert type(event) is (kind or type(None)), name


def test_each_field_of_an_event_that_is_read_is_mandatory(shared_data: Path) -> None:
    read_as = {OrderUpdate: user_data.ExecutionReport, BalancesUpdate: user_data.AccountPosition}
    for name, frame in user_events(shared_data):
        told, kind = json.loads(event_in(frame)), EVENTS[name]
        if kind in read_as:
            assert_mandatory(read_as[kind], told, user_data.read_event)
        unnamed = {field: value for field, value in told.items() if field != "e"}
        with pytest.raises(Unreadable, match="`e`"):
            user_data.read_event(json.dumps(unnamed).encode())


def test_a_recorded_change_of_a_book_is_read_with_its_stream(shared_data: Path) -> None:
    """Thirty seconds of four books, as the venue sent them."""
    lines = (shared_data / "market" / "book-2021-10-12" / "stream.txt").read_text().splitlines()
    texts = [
        text for _, _, text in (line.partition(": ") for line in lines) if "depthUpdate" in text
    ]
    assert len(texts) > 100
    for text in texts:
        frame, told = read_frame(text.encode()), json.loads(text)
        update = read_depth_update(frame.data)
        assert (frame.stream, update.symbol) == (told["stream"], told["data"]["s"])
        assert [list(level) for level in update.bids] == told["data"]["b"]
        assert [list(level) for level in update.asks] == told["data"]["a"]

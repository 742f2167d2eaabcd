"""Frames of the market streams: the documentation's own examples, and what must not be read."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from otonom_trader.brokers.binance.books.stream_frames import (
    DepthUpdate,
    Refusal,
    command_frame,
    read_depth_update,
    read_frame,
    read_names,
)
from otonom_trader.brokers.binance.errors import Unreadable

DEPTH = "00607-diff-depth-stream.ws-event"


def example(shared_data: Path, name: str) -> bytes:
    return (
        shared_data / "binance-docs-examples" / "web-socket-streams" / f"{name}.json"
    ).read_bytes()


def test_the_documented_update_of_a_book_is_read(shared_data: Path) -> None:
    assert read_depth_update(example(shared_data, DEPTH)) == DepthUpdate(
        1672515782136, "BNBBTC", 157, 160, [("0.0024", "10")], [("0.0026", "100")]
    )


def test_each_field_of_an_update_that_is_read_is_mandatory(shared_data: Path) -> None:
    whole = json.loads(example(shared_data, DEPTH))
    for field in msgspec.structs.fields(DepthUpdate):
        rest = {key: value for key, value in whole.items() if key != field.encode_name}
        with pytest.raises(Unreadable, match=field.encode_name):
            read_depth_update(json.dumps(rest).encode())


@pytest.mark.parametrize(
    "change", [{"u": 156}, {"U": "157"}, {"u": 160.5}, {"b": [["1"]]}, {"a": [[1, "2"]]}, {"a": 1}]
)
def test_an_update_that_is_not_as_documented_is_not_read(
    shared_data: Path, change: dict[str, Any]
) -> None:
    whole = json.loads(example(shared_data, DEPTH))
    with pytest.raises(Unreadable):
        read_depth_update(json.dumps(whole | change).encode())


def test_an_event_comes_with_its_stream() -> None:
    frame = read_frame(b'{"stream":"btcusdt@depth@100ms","data":{"u":1},"new":2}')
    assert (frame.is_event, frame.is_answer, frame.is_shutdown) == (True, False, False)
    assert (frame.stream, bytes(frame.data)) == ("btcusdt@depth@100ms", b'{"u":1}')


@pytest.mark.parametrize(
    "name", ["00071-server-shutdown.ws-event", "00080-server-shutdown.ws-event"]
)
def test_a_shutdown_is_understood_in_both_its_forms(shared_data: Path, name: str) -> None:
    assert read_frame(example(shared_data, name)).is_shutdown


def test_answers_are_understood(shared_data: Path) -> None:
    done = read_frame(example(shared_data, "00112-subscribe-to-a-stream"))
    assert (done.is_answer, done.id, done.refusal) == (True, 1, None)
    listed = read_frame(example(shared_data, "00148-listing-subscriptions"))
    assert read_names(listed.result) == ["btcusdt@aggTrade"]


@pytest.mark.parametrize(
    "text",
    [
        '{"code":2,"msg":"Invalid request: no"}',
        '{"code":2,"msg":"Invalid request: no","id":7}',
        '{"error":{"code":2,"msg":"Invalid request: no"},"id":7}',
    ],
)
def test_refusals_are_understood(text: str) -> None:
    frame = read_frame(text.encode())
    assert frame.is_answer
    assert frame.refusal == Refusal(2, "Invalid request: no")


def test_a_command_is_written_as_documented(shared_data: Path) -> None:
    for name, streams in (
        ("00103-subscribe-to-a-stream.ws-request", ["btcusdt@aggTrade", "btcusdt@depth"]),
        ("00140-listing-subscriptions.ws-request", []),
    ):
        documented = json.loads(example(shared_data, name))
        written = command_frame(documented["id"], documented["method"], streams)
        assert json.loads(written) == documented


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'{"id":1}',
        b'{"stream":"btcusdt@depth"}',
        b'{"data":{}}',
        b'{"stream":1,"data":{}}',
        b'{"error":{"code":2}}',
        b'{"code":"2","msg":"x"}',
        b'{"stream":"a","data":{}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"stream":"a","data":' + b"[" * 100_000,
    ],
    ids=range(13),
)
def test_a_frame_that_is_not_as_documented_is_unreadable(text: bytes) -> None:
    with pytest.raises(Unreadable, match="a frame of the market streams"):
        read_frame(text)


@pytest.mark.parametrize("text", [b"null", b"[1]", b'"btcusdt@depth"'])
def test_a_list_of_streams_that_is_none_is_unreadable(text: bytes) -> None:
    with pytest.raises(Unreadable):
        read_names(text)

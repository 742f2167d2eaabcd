"""Every documented and every recorded answer to a call that is made here is decoded.

Each field that is read is what was told, and must be there; what else is there is ignored.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from otonom_trader.brokers.binance import wire
from otonom_trader.brokers.binance.errors import Reply, Unreadable, check
from otonom_trader.brokers.binance.transport import ws_frames
from otonom_trader.brokers.binance.transport.signed_rest import (
    LiveRequest,
    LiveTransport,
    ShadowRequest,
)
from otonom_trader.brokers.binance.transport.ws_api import SESSION_METHODS
from otonom_trader.domain.errors import Rejected
from tests.brokers.binance.examples import (
    IN_ANOTHER_FORM,
    READ_BY,
    answers,
    assert_mandatory,
    decoded,
    served,
)


def test_every_call_that_can_be_made_is_known_here() -> None:
    endpoints = LiveRequest.allowed | ShadowRequest.allowed
    methods = LiveTransport.ws_methods | SESSION_METHODS
    assert {f"{method} {path}" for method, path in endpoints} | methods <= READ_BY.keys()


def test_examples_of_every_call_are_found(shared_data: Path) -> None:
    without = READ_BY.keys() - {one.call for one in answers(shared_data)}
    assert without == {"GET /sapi/v1/account/apiRestrictions"}  # of another document
    assert {one.name for one in served(shared_data)} >= IN_ANOTHER_FORM.keys()


def test_what_is_read_of_an_answer_is_what_it_says(shared_data: Path) -> None:
    for one in answers(shared_data):
        check(one.reply)
        assert_told(msgspec.to_builtins(decoded(one)), one.told, one.name)


def assert_told(read: Any, told: Any, where: str) -> None:
    """All of `read` stands in `told`; of an object only what is there is compared."""
    if isinstance(read, dict):
        for name, value in read.items():
            if name in told:
                assert_told(value, told[name], f"{where}.{name}")
    elif isinstance(read, list | tuple):
        assert len(read) == len(told), where
        for number, (value, raw) in enumerate(zip(read, told, strict=True)):
            assert_told(value, raw, f"{where}[{number}]")
    else:
        assert (read, type(read)) == (told, type(told)), where


def test_what_the_venue_adds_is_ignored(shared_data: Path) -> None:
    for one in answers(shared_data):
        if READ_BY[one.call] != dict[str, Any]:
            body = json.dumps(added_to(one.told)).encode()
            assert decoded(one, body) == decoded(one), one.name


def added_to(told: Any) -> Any:
    """What was told with an unknown field in each object, but for filters, which are kept whole."""
    if isinstance(told, list):
        return [added_to(each) for each in told]
    if isinstance(told, dict) and "filterType" not in told:
        return {name: added_to(value) for name, value in told.items()} | {"added": [{"new": 1}]}
    return told


def test_refusals_are_told_by_their_code(shared_data: Path) -> None:
    refusals = [one for one in served(shared_data) if one.reply.status >= 400]
    assert len(refusals) == 3
    for one in refusals:
        with pytest.raises(Rejected) as refused:
            check(one.reply)
        assert refused.value.venue_code == one.told["code"], one.name


def test_an_answer_in_a_form_that_was_not_asked_for_is_refused(shared_data: Path) -> None:
    for one in served(shared_data):
        if one.name in IN_ANOTHER_FORM:
            with pytest.raises(Unreadable, match=IN_ANOTHER_FORM[one.name][0]):
                decoded(one)


def test_every_frame_of_the_web_socket_api_is_read(shared_data: Path) -> None:
    folder = shared_data / "binance-docs-examples" / "web-socket-api"
    frames = [*folder.glob("*.ws-response.json"), *folder.glob("*.ws-event.json")]
    assert len(frames) > 80
    for file in frames:
        told, frame = json.loads(file.read_bytes()), ws_frames.read_frame(file.read_bytes())
        assert (frame.status, frame.id) == (told.get("status"), told.get("id")), file.name
        assert ws_frames.is_shutdown(frame) is ("shutdown" in file.name), file.name


KEY_RIGHTS = {
    "ipRestrict": True,
    "createTime": 1_698_645_219_000,
    "enableReading": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "enableSpotAndMarginTrading": True,
    "permitsUniversalTransfer": False,
}


def test_each_field_that_is_read_is_mandatory_in_every_answer(shared_data: Path) -> None:
    seen: set[type] = set()
    for one in answers(shared_data):
        seen |= assert_mandatory(READ_BY[one.call], shortened(one.told), reader(one.call))
    call = "GET /sapi/v1/account/apiRestrictions"
    seen |= assert_mandatory(READ_BY[call], KEY_RIGHTS.copy(), reader(call))
    messages = {kind for kind in vars(wire).values() if is_message(kind)}
    assert messages - seen == {wire.Order}  # what the replies about orders have in common


def reader(call: str) -> Callable[[bytes], object]:
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(READ_BY[call])
    return lambda body: wire.read(decoder, Reply(call, 200, 0, 1, body=body))


def is_message(kind: object) -> bool:
    is_struct = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    return is_struct and kind.__module__ == wire.__name__ and kind is not wire._Wire


def shortened(told: Any) -> Any:
    """What was told with three of each list: exchangeInfo is long."""
    if isinstance(told, list):
        return [shortened(each) for each in told[:3]]
    if isinstance(told, dict):
        return {name: shortened(value) for name, value in told.items()}
    return told


def test_every_number_of_every_example_is_read_digit_by_digit(shared_data: Path) -> None:
    seen = 0
    for one in answers(shared_data):
        for text in texts_in(msgspec.to_builtins(decoded(one))):
            if re.fullmatch(r"-?\d+\.\d+", text):
                assert f"{wire.number(text):f}" == text, one.name
                seen += 1
    assert seen > 200


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts_in(each)

"""What the suites of binance-sdk-spot share."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

_DOUBTS = ("did not match the declared types", "Failed to parse", "Unknown user data event")


@pytest.fixture(autouse=True)
def _replies_are_of_the_declared_types(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """This client checks each reply and event against its model, and only logs what differs."""
    yield
    messages = [record.getMessage() for record in caplog.get_records("call")]
    assert [text for text in messages if any(doubt in text for doubt in _DOUBTS)] == []


def raw(data: Any) -> Any:
    """The venue's JSON again, out of this client's models."""
    told = getattr(data, "actual_instance", data)
    if isinstance(told, list):
        return [raw(each) for each in told]
    if isinstance(told, BaseModel):
        return told.model_dump(mode="json", by_alias=True, exclude_none=True)
    return told


def snake(parameters: dict[str, Any]) -> dict[str, Any]:
    """The venue's names as this client spells them."""
    return {re.sub("(?=[A-Z])", "_", name).lower(): parameters[name] for name in parameters}

"""Every documented filter is read with its figures, none of which may be missing."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from otonom_trader.brokers.binance.errors import Unreadable
from otonom_trader.brokers.binance.rules.parsing import count_filters, most_amends, order_filters


def filters(shared_data: Path) -> Iterator[dict[str, Any]]:
    for file in sorted((shared_data / "binance-docs-examples" / "filters").glob("*.json")):
        yield json.loads(file.read_bytes())


def test_every_filter_that_is_documented_is_read_with_its_figures(shared_data: Path) -> None:
    unread = []
    for entry in filters(shared_data):
        found = [*order_filters([entry]), *count_filters([entry])]
        if not found and most_amends([entry]) is None:
            unread.append(entry["filterType"])
            continue
        figures = set(numbers_in(found)) | {most_amends([entry])}
        told = {Decimal(value) for value in entry.values() if is_figure(value)}
        assert told <= figures, entry["filterType"]
    assert unread == ["MAX_ASSET"]  # of another call


def test_each_figure_of_a_filter_is_mandatory(shared_data: Path) -> None:
    for entry in filters(shared_data):
        if entry["filterType"] == "MAX_ASSET":
            continue
        for name, value in entry.items():
            if is_figure(value) and name != "avgPriceMins":
                rest = [{field: other for field, other in entry.items() if field != name}]
                with pytest.raises(Unreadable, match=f"without its {name}"):
                    (order_filters(rest), count_filters(rest), most_amends(rest))


def is_figure(value: object) -> bool:
    is_text = isinstance(value, str) and value[0].isdigit()
    return is_text or (isinstance(value, int) and not isinstance(value, bool))


def numbers_in(value: object) -> Iterator[Decimal]:
    """Every number anywhere within a value."""
    if isinstance(value, Decimal | int):
        yield Decimal(value)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from numbers_in(each)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            yield from numbers_in(getattr(value, name))

"""startTime and endTime: milliseconds or microseconds, and moved into what there can be."""

from typing import Any

import pytest

from otonom_trader.testnet import LocalTestnet
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.parameters import Parameters
from otonom_trader.testnet.times import read_day_span, read_span
from tests.testnet.conftest import NOON_MS, Client
from tests.testnet.test_reply_shapes import BTC, OCO

MINUTE = BTC | {"interval": "1m"}
PUBLIC = [("klines", MINUTE), ("uiKlines", MINUTE), ("aggTrades", BTC)]
SIGNED: list[tuple[str, dict[str, str]]] = [
    *(("myTrades", BTC), ("allOrders", BTC), ("allOrderList", {}), ("myAllocations", BTC))
]
IN_2017_MS = 1_483_228_800_000
DAY_MS = 86_400_000


async def ask(client: Client, path: str, **parameters: Any) -> list[Any]:
    is_signed = path in dict(SIGNED)
    full = f"/api/v3/{path}"
    answer = await (
        client.signed("GET", full, **parameters) if is_signed else client.get(full, **parameters)
    )
    assert answer.status == 200, answer.content
    return list(answer.content)


@pytest.fixture
async def traded(alice: Client, bob: Client) -> Client:
    """Alice traded and placed a list now, and again two minutes later."""
    for seconds in (120, 0):
        await bob.limit("SELL", "0.1", "20000")
        await alice.limit("BUY", "0.1", "20000")
        await alice.signed("POST", "/api/v3/orderList/oco", **OCO)
        alice.clock.advance(seconds)
    return alice


@pytest.mark.parametrize(("path", "parameters"), PUBLIC + SIGNED)
async def test_microseconds_select_what_milliseconds_do(
    traded: Client, path: str, parameters: dict[str, str]
) -> None:
    first, later = NOON_MS, NOON_MS + 60_000
    found = [
        [
            await ask(traded, path, **parameters, startTime=first * unit),
            await ask(traded, path, **parameters, startTime=later * unit),
            await ask(traded, path, **parameters, endTime=first * unit),
            await ask(traded, path, **parameters, startTime=first * unit, endTime=later * unit),
        ]
        for unit in (1, 1000)
    ]
    assert found[0] == found[1]
    if path != "myAllocations":
        everything, after, before, between = found[1]
        assert len(everything) > len(after) > 0
        assert len(everything) > len(before) > 0
        assert len(everything) > len(between) > 0


@pytest.mark.parametrize(("path", "parameters"), PUBLIC + SIGNED)
async def test_a_time_that_cannot_be_is_moved_to_the_nearest_that_can(
    traded: Client, path: str, parameters: dict[str, str]
) -> None:
    hour_ago, far = NOON_MS - 3_600_000, 4_102_444_800_000
    near = NOON_MS + 120_000 + 10_000
    assert await ask(traded, path, **parameters, startTime=hour_ago, endTime=far) == await ask(
        traded, path, **parameters, startTime=hour_ago, endTime=near
    )
    assert await ask(traded, path, **parameters, startTime=far) == []
    assert await ask(traded, path, **parameters, startTime=0, endTime=5) == []


@pytest.mark.parametrize(("path", "parameters"), SIGNED)
async def test_more_than_a_day_between_them_is_refused(
    traded: Client, path: str, parameters: dict[str, str]
) -> None:
    now = traded.clock.time_ms()
    for start in (now - DAY_MS - 1, (now - DAY_MS - 1) * 1000, 0):
        answer = await traded.signed(
            "GET", f"/api/v3/{path}", **parameters, startTime=start, endTime=now
        )
        text = "More than 24 hours between startTime and endTime."
        assert answer.refusal == (400, -1127, text)
    await ask(traded, path, **parameters, startTime=now - DAY_MS, endTime=now)


def span(start: object, end: object) -> tuple[int | None, int | None]:
    return read_span(Parameters({"startTime": str(start), "endTime": str(end)}), NOON_MS)


def test_a_part_of_a_millisecond_leaves_out_what_lies_before_it() -> None:
    assert span(NOON_MS * 1000 + 1, NOON_MS * 1000 + 999) == (NOON_MS + 1, NOON_MS)


@pytest.mark.parametrize("unit", [1, 1000])
def test_times_lie_between_2017_and_ten_seconds_from_now(unit: int) -> None:
    latest = NOON_MS + 10_000
    assert span(IN_2017_MS * unit, latest * unit) == (IN_2017_MS, latest)
    assert span((IN_2017_MS - 1) * unit, (latest + 1) * unit) == (IN_2017_MS, latest)


def test_an_end_before_the_start_is_refused() -> None:
    swapped = Parameters({"startTime": str(NOON_MS), "endTime": str(NOON_MS - 1)})
    with pytest.raises(VenueError, match="-1128"):
        read_day_span(swapped, NOON_MS)


async def test_what_does_not_fit_64_bits_overflows(venue: LocalTestnet, alice: Client) -> None:
    answer = await alice.get("/api/v3/aggTrades", **BTC, startTime="9" * 20)
    assert answer.refusal == (400, -1108, "Parameter 'startTime' overflowed.")

import json

import pytest

from otonom_trader.brokers.binance.errors import Paused, Reply
from otonom_trader.brokers.binance.limits import RatePause
from tests.brokers.binance.conftest import ManualClock


def reply(status: int, *, retry_after: float | None = None, code: int = -1003) -> Reply:
    body = json.dumps({"code": code, "msg": "text"}).encode()
    return Reply("GET /x", status, 0, 1, body=body, retry_after_seconds=retry_after)


def test_an_ordinary_reply_pauses_nothing() -> None:
    pause = RatePause(ManualClock())
    for status in (200, 400, 401, 500, 503):
        pause.observe(reply(status))
    pause.check_order()


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (reply(429, retry_after=7), 7),
        (reply(418, retry_after=180), 180),
        (reply(429), 60),
        (reply(418), 120),
        (reply(403), 60),
    ],
    ids=lambda value: str(getattr(value, "status", value)),
)
def test_everything_pauses_until_the_venue_listens_again(answer: Reply, seconds: int) -> None:
    clock = ManualClock()
    pause = RatePause(clock)
    pause.observe(answer)
    clock.advance(seconds - 1)
    with pytest.raises(Paused, match=f"HTTP {answer.status} .* another 1 s"):
        pause.check_request()
    with pytest.raises(Paused):
        pause.check_order()
    clock.advance(1)
    pause.check_request()
    pause.check_order()


@pytest.mark.parametrize(("retry_after", "seconds"), [(4.0, 4), (None, 10)])
def test_a_used_up_order_limit_pauses_new_orders_only(
    retry_after: float | None, seconds: int
) -> None:
    clock = ManualClock()
    pause = RatePause(clock)
    pause.observe(reply(429, retry_after=retry_after, code=-1015))
    pause.check_request()
    clock.advance(seconds - 1)
    with pytest.raises(Paused, match="order rate limit"):
        pause.check_order()
    clock.advance(1)
    pause.check_order()


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    clock = ManualClock()
    pause = RatePause(clock)
    pause.observe(reply(418, retry_after=100))
    pause.observe(reply(429, retry_after=1))
    clock.advance(50)
    with pytest.raises(Paused):
        pause.check_request()

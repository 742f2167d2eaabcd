"""binance-facts.md, sections 4 and 11: what proves that nothing was carried out, and what not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.binance.errors import (
    Blocked,
    Reply,
    check,
)
from otonom_trader.domain.errors import (
    OutcomeUnknown,
    RateLimited,
    Rejected,
    StaleTimestamp,
    VenueError,
)


def reply(status: int, body: object = b"", *, lost: str = "", retry_after: float = 0) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(
        request="POST /api/v3/order",
        status=status,
        sent_ns=0,
        received_ns=1,
        body=raw,
        retry_after_seconds=retry_after or None,
        lost=lost,
    )


def told(code: int, msg: str = "text") -> dict[str, object]:
    return {"code": code, "msg": msg}


def error_of(answer: Reply, failed: str = "") -> VenueError:
    with pytest.raises(VenueError) as caught:
        check(answer, failed)
    return caught.value


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, -1013),
        (400, -1100),
        (400, -1111),
        (400, -1121),
        (400, -2010),
        (400, -2011),
        (400, -2013),
        (401, -2014),
        (401, -2015),
        (400, -1022),
        (429, -1003),
        (418, -1003),
        (429, -1015),
    ],
)
def test_a_refusal_with_a_code_is_final(status: int, code: int) -> None:
    error = error_of(reply(status, told(code)))
    assert isinstance(error, Rejected)
    assert (error.status, error.venue_code) == (status, code)


@pytest.mark.parametrize("code", [-1000, -1001, -1006, -1007, -1008])
@pytest.mark.parametrize("status", [400, 500, 503])
def test_the_venues_own_doubt_is_unknown_whatever_the_status(status: int, code: int) -> None:
    assert isinstance(error_of(reply(status, told(code))), OutcomeUnknown)


@given(status=st.integers(500, 599), code=st.integers(-3000, -1))
def test_every_5xx_is_unknown_whatever_the_body_says(status: int, code: int) -> None:
    assert isinstance(error_of(reply(status, told(code))), OutcomeUnknown)


@pytest.mark.parametrize(
    "answer",
    [
        reply(403, b"<html>Request blocked</html>"),
        reply(403, told(-2015)),
        reply(409, told(-2021)),
        reply(408),
        reply(404, b"\n <!DOCTYPE html><html></html>"),
        reply(301),
        reply(302, told(-2010)),
        reply(307),
        reply(0, lost="was not answered within 5 s"),
        reply(200, b"{}", lost="lost its connection before a complete answer"),
        reply(400, told(-2010), lost="lost its connection before a complete answer"),
    ],
    ids=lambda answer: f"{answer.status}-{answer.lost or answer.body[:12].decode()}",
)
def test_what_proves_nothing_is_unknown(answer: Reply) -> None:
    assert isinstance(error_of(answer), OutcomeUnknown)


def test_a_firewall_is_told_apart() -> None:
    error = error_of(reply(403, b"<html></html>"))
    assert isinstance(error, Blocked)
    assert error.code == "blocked"


def test_a_stale_timestamp_is_a_refusal_of_its_own() -> None:
    answer = reply(400, told(-1021))
    assert answer.is_stale_timestamp
    assert isinstance(error_of(answer), StaleTimestamp)


def test_a_stale_timestamp_in_a_5xx_proves_nothing() -> None:
    answer = reply(500, told(-1021))
    assert not answer.is_stale_timestamp
    assert isinstance(error_of(answer), OutcomeUnknown)


@pytest.mark.parametrize(
    "answer",
    [
        reply(429, told(-1003), retry_after=7),
        reply(418, b"<html></html>", retry_after=7),
        reply(429, b"", retry_after=7),
    ],
)
def test_a_rate_limit_is_a_refusal_that_says_when_to_come_back(answer: Reply) -> None:
    error = error_of(answer)
    assert isinstance(error, RateLimited)
    assert error.retry_after_seconds == 7


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            reply(401, told(-2015, "Invalid API-key, IP, or permissions for action.")),
            "401 Unauthorized (-2015 Invalid API-key, IP, or permissions for action.)",
        ),
        (
            reply(400, told(-2010, "Account has insufficient balance for requested action.")),
            "400 Bad Request (-2010 Account has insufficient balance for requested action.)",
        ),
        (
            reply(400, told(-1022, "Signature for this request is not valid.")),
            (
                "400 Bad Request (-1022 Signature for this request is not valid.); the secret "
                "(api_secret) is not the one that belongs to this api_key"
            ),
        ),
        (
            reply(418, told(-1003, "Way too much; IP banned until 1. Please use streams.")),
            "418 I'm a Teapot (-1003 Way too much; IP banned until 1)",
        ),
        (reply(401), "401 Unauthorized"),
    ],
)
def test_a_refusal_tells_status_code_and_text(answer: Reply, reason: str) -> None:
    error = error_of(answer, "Failed to place Binance order")
    assert str(error) == f"Failed to place Binance order: HTTP {reason}"


def test_the_venues_text_is_kept_to_one_readable_line() -> None:
    error = error_of(reply(400, told(-1100, "x\n\x1b[31m" + "y" * 10_000)))
    assert str(error).isprintable()
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    ("status", "code", "msg", "expected"),
    [
        (400, -1013, "Filter failure: LOT_SIZE", "filter_failure"),
        (400, -2010, "Filter failure: MAX_NUM_ALGO_ORDERS", "filter_failure"),
        (400, -1013, "Invalid quantity.", "invalid_order"),
        (400, -2010, "Account has insufficient balance.", "new_order_rejected"),
        (400, -2010, "Market is closed.", "market_closed"),
        (
            *(400, -2010, "This order type is not possible in this trading phase."),
            "market_closed",
        ),
        (400, -2011, "Unknown order sent.", "unknown_order"),
        (401, -2015, "Invalid API-key.", "auth"),
        (400, -1021, "Timestamp ...", "clock"),
        (429, -1015, "Too many new orders.", "rate_limited"),
        (400, -1102, "Mandatory parameter ...", "rejected"),
        (503, -1007, "Timeout.", "unknown"),
    ],
)
def test_programs_tell_errors_apart_by_a_code(
    status: int, code: int, msg: str, expected: str
) -> None:
    assert error_of(reply(status, told(code, msg))).code == expected


@given(status=st.integers(0, 599), body=st.binary(max_size=200))
def test_no_reply_whatsoever_raises_anything_else(status: int, body: bytes) -> None:
    answer = reply(status, body)
    if 200 <= status < 300:
        check(answer)
    else:
        assert isinstance(error_of(answer), Rejected | OutcomeUnknown)

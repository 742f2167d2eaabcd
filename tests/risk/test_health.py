"""The health breaker's counting: what makes a run longer, what ends it, and when it is too long."""

from collections.abc import Sequence
from dataclasses import fields, replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.domain.execution import Stage
from otonom_trader.domain.order import OrderResult, OrderState
from otonom_trader.risk.health import (
    Health,
    HealthLimits,
    Sign,
    after,
    ailment,
    sign_of_order,
    sign_of_request,
)

LIMITS = HealthLimits()
ALL_OFF = HealthLimits(None, None, None, None)
RUNS = [run.name for run in fields(Health)]
LENGTHENS = {
    Sign.REJECTED: "rejections",
    Sign.UNKNOWN: "unknowns",
    Sign.ERROR: "errors",
    Sign.SLOW: "slow_acks",
}
ENDS = {
    Sign.ACCEPTED: set(RUNS),
    Sign.SLOW: {"rejections", "unknowns", "errors"},
    Sign.REJECTED: {"unknowns", "errors"},
    Sign.READ: {"errors"},
    Sign.UNKNOWN: set(),
    Sign.ERROR: set(),
}
signs = st.lists(st.sampled_from(Sign), max_size=60)
limits = st.builds(
    HealthLimits,
    *(st.none() | st.integers(1, 12) for _ in range(4)),
    slow_ack_ms=st.integers(1, 9999),
)


def health_after(signs: Sequence[Sign]) -> Health:
    return reduce(after, signs, Health())


@given(signs)
def test_a_run_is_as_long_as_the_signs_since_the_last_that_ends_it(signs: list[Sign]) -> None:
    health = health_after(signs)
    for sign, run in LENGTHENS.items():
        ending = [at for at, seen in enumerate(signs) if run in ENDS[seen]]
        since = signs[ending[-1] + 1 if ending else 0 :]
        assert getattr(health, run) == since.count(sign), run


@given(signs, limits)
def test_it_trips_when_a_run_reaches_its_limit_and_not_before(
    signs: list[Sign], limits: HealthLimits
) -> None:
    health = health_after(signs)
    reached = [
        run
        for run in RUNS
        if (limit := getattr(limits, f"consecutive_{run}")) is not None
        and getattr(health, run) >= limit
    ]
    told = ailment(health, limits)
    assert (told is not None) is bool(reached)
    if told is not None:
        assert told.split()[0] in {str(getattr(health, run)) for run in reached}


@given(signs, limits)
def test_a_lower_limit_never_trips_later(signs: list[Sign], limits: HealthLimits) -> None:
    health = health_after(signs)
    if ailment(health, limits) is not None:
        for run in RUNS:
            name = f"consecutive_{run}"
            limit = getattr(limits, name)
            lower = 1 if limit is None else max(1, limit - 1)
            assert ailment(health, replace(limits, **{name: lower})) is not None


@given(signs)
def test_with_every_run_switched_off_nothing_trips(signs: list[Sign]) -> None:
    assert ailment(health_after(signs), ALL_OFF) is None


@pytest.mark.parametrize(
    ("sign", "times", "sentence"),
    [
        (Sign.REJECTED, 5, "5 orders in a row were rejected"),
        (Sign.UNKNOWN, 3, "3 orders in a row were not answered"),
        (Sign.ERROR, 10, "10 requests in a row failed"),
        (Sign.SLOW, 5, "5 orders in a row were acknowledged later than 2000 ms"),
    ],
)
def test_the_defaults(sign: Sign, times: int, sentence: str) -> None:
    assert ailment(health_after([sign] * (times - 1)), LIMITS) is None
    assert ailment(health_after([sign] * times), LIMITS) == sentence


def answer(state: OrderState, code: str | None = None, *, signed: bool = True) -> OrderResult:
    return OrderResult(state, code=code, signed_at_ms=1 if signed else None)


@pytest.mark.parametrize(
    ("result", "sign"),
    [
        (answer(OrderState.ACCEPTED), Sign.ACCEPTED),
        (answer(OrderState.REJECTED, "new_order_rejected"), Sign.REJECTED),
        (answer(OrderState.REJECTED, "rate_limited"), Sign.REJECTED),
        (answer(OrderState.REJECTED, "filter_failure"), Sign.REJECTED),
        (answer(OrderState.REJECTED, "filter_failure", signed=False), None),
        (answer(OrderState.UNKNOWN, "unknown"), Sign.UNKNOWN),
        (answer(OrderState.NOT_SENT, "unreachable", signed=False), Sign.ERROR),
        (answer(OrderState.NOT_SENT, "tls", signed=False), Sign.ERROR),
        (answer(OrderState.NOT_SENT, "kill_switch", signed=False), None),
        (answer(OrderState.NOT_SENT, "paper_only", signed=False), None),
        (answer(OrderState.NOT_SENT, "not_ready", signed=False), None),
        (answer(OrderState.NOT_SENT, "paused", signed=False), None),
        (answer(OrderState.NOT_SENT, "clock_unsure", signed=False), None),
    ],
)
def test_what_an_answer_to_an_order_says(result: OrderResult, sign: Sign | None) -> None:
    assert sign_of_order(result, LIMITS) is sign


@pytest.mark.parametrize(("ms", "sign"), [(2000, Sign.ACCEPTED), (2001, Sign.SLOW)])
def test_an_acknowledgement_is_slow_above_its_limit(ms: int, sign: Sign) -> None:
    stages = {Stage.SIGN_TO_ACK.value: ms * 1_000_000}
    result = OrderResult(OrderState.ACCEPTED, signed_at_ms=1, stages_ns=stages)
    assert sign_of_order(result, LIMITS) is sign


@pytest.mark.parametrize(
    ("code", "sign"),
    [
        (None, Sign.READ),
        ("unreachable", Sign.ERROR),
        ("unknown", Sign.ERROR),
        ("rate_limited", Sign.ERROR),
        ("paused", None),
        ("clock_unsure", None),
        ("not_tradable", None),
        ("unknown_order", None),
    ],
)
def test_what_an_answer_to_another_request_says(code: str | None, sign: Sign | None) -> None:
    assert sign_of_request(code) is sign

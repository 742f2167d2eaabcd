"""What was lost already."""

from dataclasses import replace

import pytest

from tests.risk.samples import ACCOUNT, EVERY, QUIET, Change, D, denied, verdict_of


@pytest.mark.parametrize(
    ("code", "then", "equity", "beyond", "sentence"),
    [
        ("max_daily_loss_pct", {"day_start_equity": D(100000)}, 95000, 94999, "Daily loss 5.1%"),
        ("max_drawdown_pct", {"highest_equity": D(100000)}, 80000, 70000, "Drawdown 30.0%"),
    ],
)
def test_a_loss_beyond_its_limit_denies(
    code: str, then: Change, equity: int, beyond: int, sentence: str
) -> None:
    past = replace(QUIET, **then)
    at_the_limit = replace(ACCOUNT, equity=D(equity))
    assert verdict_of(code, exposure=at_the_limit, limits=EVERY, activity=past).allowed
    verdict = verdict_of(
        code, exposure=replace(ACCOUNT, equity=D(beyond)), limits=EVERY, activity=past
    )
    assert not verdict.allowed
    assert verdict.code == code
    assert verdict.message == f"{sentence} exceeds max {verdict.limit}%"


def test_a_gain_is_no_loss() -> None:
    rich = replace(ACCOUNT, equity=D(110000))
    assert verdict_of("max_daily_loss_pct", exposure=rich, limits=EVERY).value_text == "-10.0"


@pytest.mark.parametrize(
    ("code", "name"), [("max_daily_loss_pct", "Daily loss"), ("max_drawdown_pct", "Drawdown")]
)
def test_a_loss_that_cannot_be_told_denies(code: str, name: str) -> None:
    nothing = replace(QUIET, day_start_equity=None, highest_equity=None)
    for activity in (None, nothing):
        assert verdict_of(code, limits=EVERY, activity=activity) == denied(
            code, f"{name} cannot be told: equity now or then is not known"
        )


def test_as_many_losses_in_a_row_as_are_allowed_end_it() -> None:
    code = "max_consecutive_losses"
    two = replace(QUIET, losses_in_a_row=2)
    assert verdict_of(code, limits=EVERY, activity=two).allowed
    three = replace(QUIET, losses_in_a_row=3)
    assert verdict_of(code, limits=EVERY, activity=three) == denied(
        code, "Consecutive losses 3 reached max 3", "3", "3"
    )
    assert not verdict_of(code, limits=EVERY, activity=None).allowed

"""A verdict writes what it measured when it is read."""

from decimal import Decimal

import pytest

from otonom_trader.domain.verdict import Verdict


def two_places(value: Decimal) -> str:
    return str(value.quantize(Decimal("0.01")))


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        (Verdict("code", allowed=True), ""),
        (Verdict("code", allowed=True, value="wed 2026-07-01T12:00Z"), "wed 2026-07-01T12:00Z"),
        (Verdict("code", allowed=True, value=7), "7"),
        (Verdict("code", allowed=True, value=Decimal("1.5"), show=two_places), "1.50"),
    ],
)
def test_a_value_is_written_as_its_guardrail_shows_it(verdict: Verdict, text: str) -> None:
    assert verdict.value_text == text


def test_a_number_of_too_many_digits_to_be_rounded_is_written_as_it_is() -> None:
    huge = Verdict("code", allowed=True, value=Decimal("-1E+40"), show=two_places)
    assert huge.value_text == "-1E+40"

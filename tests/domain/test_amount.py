"""Numbers: what is taken, what is refused by name, and how they are rounded and shown."""

import math
import string
from decimal import Decimal

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from otonom_trader.domain.amount import (
    Number,
    exact,
    is_multiple,
    plain,
    positive,
    round_down,
    round_up,
)

amounts = st.decimals("1e-12", "1e18", allow_nan=False, places=12)
# Results of a division carry 28 digits, which no step divides evenly.
computed = st.tuples(amounts, amounts).map(lambda pair: pair[0] / pair[1])
steps = st.sampled_from([Decimal(f"1e-{n}") for n in range(13)] + [Decimal(3), Decimal("0.25")])


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, "1"),
        (-7, "-7"),
        ("0.001", "0.001"),
        ("1e-05", "0.00001"),
        ("+2.50", "2.50"),
        (0.1, "0.1"),
        (1e-05, "0.00001"),
        (50000.0, "50000.0"),
        (0.123456789012345, "0.123456789012345"),
        (Decimal("1E+3"), "1000"),
        ("1e18", "1000000000000000000"),
        ("1e-18", "0.000000000000000001"),
        (0, "0"),
    ],
)
def test_a_number_is_taken_from_its_text(value: Number, number: str) -> None:
    assert exact(value, "qty") == Decimal(number)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (math.nan, "qty must be a finite number, not 'nan'"),
        (-math.inf, "qty must be a finite number, not '-inf'"),
        (Decimal("NaN"), "qty must be a finite number, not 'NaN'"),
        (Decimal("sNaN"), "qty must be a finite number, not 'sNaN'"),
        ("Infinity", "qty must be a finite number, not 'Infinity'"),
        ("", "qty must be a finite number, not ''"),
        ("1,5", "qty must be a finite number, not '1,5'"),
        ("1_000", "qty must be a finite number, not '1_000'"),
        (" 1", "qty must be a finite number, not ' 1'"),
        ("1\n", "qty must be a finite number, not '1\\n'"),
        ("٣", "qty must be a finite number, not '٣'"),
        ("0x10", "qty must be a finite number, not '0x10'"),
        ("1" * 50 + "!", f"qty must be a finite number, not '{'1' * 40}'"),
        ("1e999", "qty must lie between 1e-18 and 1e18, not 1e999"),
        ("1e-19", "qty must lie between 1e-18 and 1e18, not 1e-19"),
        ("1e9999", "qty must be a finite number, not '1e9999'"),
        (10**30, "qty must lie between 1e-18 and 1e18"),
        ("1234567890123456789.0000000000000000001", "qty must lie between 1e-18 and 1e18"),
        (True, "qty must be a number, not bool"),
        (None, "qty must be a number, not NoneType"),
        (b"1", "qty must be a number, not bytes"),
        ([1], "qty must be a number, not list"),
    ],
)
def test_what_is_no_amount_is_refused_by_the_name_of_its_field(
    value: Number, sentence: str
) -> None:
    with pytest.raises(ValueError, match=r"^qty ") as refusal:
        exact(value, "qty")
    assert str(refusal.value).startswith(sentence)


def test_a_number_too_long_for_python_to_print_is_refused_by_the_name_of_its_field() -> None:
    with pytest.raises(ValueError, match=r"^qty must lie between 1e-18 and 1e18$"):
        exact(10**5000, "qty")


@pytest.mark.parametrize("noise", [0.1 + 0.2, 1 / 3, 0.1234567890123456])
def test_a_float_of_more_than_15_digits_is_refused_with_the_way_out(noise: float) -> None:
    with pytest.raises(ValueError, match="more than 15 significant digits") as refusal:
        exact(noise, "price")
    assert str(refusal.value) == (
        f"price is the float {noise}, which has more than 15 significant digits; "
        "give it as text or Decimal"
    )
    assert exact(str(noise), "price") == Decimal(str(noise))


@given(st.floats())
def test_a_float_is_taken_as_it_reads_or_refused(value: float) -> None:
    try:
        number = exact(value, "qty")
    except ValueError as refusal:
        assert str(refusal).startswith("qty ")  # noqa: PT017  both endings are right
    else:
        assert float(number) == value
        assert len(number.normalize().as_tuple().digits) <= 15


@given(st.text(string.printable) | st.text())
@example("1e400")
@example("0e999")
def test_no_text_does_anything_but_become_a_number_or_a_refusal(text: str) -> None:
    try:
        number = exact(text, "qty")
    except ValueError as refusal:
        assert str(refusal).startswith("qty ")  # noqa: PT017  both endings are right
    else:
        assert number == Decimal(text)


@pytest.mark.parametrize("value", [0, -1, "0.0", "-0", "-1e-8"])
def test_what_must_be_positive_is_neither_zero_nor_below(value: Number) -> None:
    with pytest.raises(ValueError, match=r"^qty must be above zero, not -?[01]"):
        positive(value, "qty")


@given(amounts | computed)
def test_a_plain_number_reads_back_and_never_shows_an_exponent(value: Decimal) -> None:
    text = plain(value)
    assert Decimal(text) == value
    assert set(text) <= set(string.digits + ".")
    assert not ("." in text and text.endswith(("0", ".")))


@pytest.mark.parametrize(
    ("value", "text"),
    [("0.00001000", "0.00001"), ("5E+4", "50000"), ("1e-18", "0.000000000000000001"), ("0", "0")],
)
def test_plain_numbers_are_written_out(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


@given(amounts | computed, steps)
@example(Decimal("0.8999999999999999999999999999"), Decimal("0.3"))
@example(Decimal("1e18"), Decimal("1e-12"))
def test_rounding_meets_the_nearest_steps_on_either_side(value: Decimal, step: Decimal) -> None:
    below, above = round_down(value, step), round_up(value, step)
    assert is_multiple(below, step)
    assert is_multiple(above, step)
    assert below <= value <= above
    assert value - below < step
    assert above - value < step
    assert (below == above == value) is is_multiple(value, step)


@given(amounts)
def test_a_step_of_zero_sets_no_rule(value: Decimal) -> None:
    zero = Decimal(0)
    assert round_down(value, zero) == round_up(value, zero) == value
    assert is_multiple(value, zero)


@given(amounts, steps)
def test_rounding_twice_changes_nothing(value: Decimal, step: Decimal) -> None:
    below = round_down(value, step)
    assume(below)
    assert round_down(below, step) == round_up(below, step) == below

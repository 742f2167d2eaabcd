"""What is worked out once for all guardrails."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.domain.order import Side
from otonom_trader.risk.case import Case
from otonom_trader.risk.soundness import sound, sound_or_zero
from tests.risk.samples import ACCOUNT, BUY, GUIDE, Change, D

numbers = st.decimals(allow_nan=True, allow_infinity=True)


@given(numbers | st.none() | st.integers() | st.text(max_size=2) | st.booleans())
def test_sound_is_a_finite_decimal_above_zero_and_nothing_else(number: Any) -> None:
    is_finite = isinstance(number, Decimal) and number.is_finite()
    assert sound(number) is (number if is_finite and number > 0 else None)
    assert sound_or_zero(number) is (number if is_finite and number >= 0 else None)


def case(proposal: Change | None = None, exposure: Change | None = None) -> Case:
    return Case(replace(BUY, **proposal or {}), replace(ACCOUNT, **exposure or {}), GUIDE)


def test_a_case_holds_what_is_sound_of_an_order_and_its_account() -> None:
    known = case()
    assert (known.equity, known.mark, known.reference) == (D(100000), D(50000), D(50000))
    assert (known.qty, known.price, known.notional) == (D("0.1"), D(50000), BUY.notional)


@pytest.mark.parametrize("bad", [None, D("NaN"), D("sNaN"), D("Infinity"), D(0), D(-1), "1", 1])
@pytest.mark.parametrize("field", ["mark", "reference", "price", "qty"])
def test_what_is_not_sound_is_none(field: str, bad: object) -> None:
    assert getattr(case({field: bad}), field) is None
    assert case(exposure={"equity": bad}).equity is None


@given(numbers, numbers, numbers)
def test_a_notional_is_that_of_the_proposal_or_none(
    qty: Decimal, price: Decimal, rate: Decimal
) -> None:
    notional = case({"qty": qty, "price": price, "rate": rate}).notional
    if all(sound(number) for number in (qty, price, rate)) and notional is not None:
        assert notional == replace(BUY, qty=qty, price=price, rate=rate).notional
        assert sound(notional) is notional
    else:
        assert notional is None


@pytest.mark.parametrize("factor", [D("1E+600000"), D("1E-600000")])
def test_a_notional_too_large_or_too_small_to_be_told_is_none(factor: Decimal) -> None:
    assert case({"qty": factor, "price": factor}).notional is None


def test_two_wrongs_make_no_notional() -> None:
    assert case({"qty": D(-1), "rate": D(-1)}).notional is None


def test_only_a_sell_of_a_sound_quantity_from_a_sound_holding_is_an_exit() -> None:
    sell: Change = {"side": Side.SELL}
    held: Change = {"holdings": {"BTC": D(1)}}
    assert case(sell, held).is_exit
    assert not case({}, held).is_exit
    for bad in (D("NaN"), D("-0.1")):
        assert not case(sell | {"qty": bad}, held).is_exit
        assert not case(sell, {"holdings": {"BTC": bad}}).is_exit
        with pytest.raises(ValueError, match="what is being sold of BTC cannot be told"):
            _ = case(sell, held | {"pending_sells": {"BTC": bad}}).is_exit

"""What a person confirms, and what no person can."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.checks import CHECKS
from otonom_trader.risk.exposure import Confirmed, Proposal
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.pipeline import GUARDRAILS, judge, lacks_confirmation_alone
from tests.risk.samples import ACCOUNT, BUY, OFF, QUIET, D, verdict_of

CODE = "require_confirmation_above"
NEEDED = replace(OFF, require_confirmation_above=D(4000))
"""Less than the $5000 of the order."""

amounts = st.decimals(allow_nan=True, allow_infinity=True)


def lacks(proposal: Proposal = BUY, limits: RiskGuardrails = NEEDED) -> bool:
    return lacks_confirmation_alone(judge(proposal, ACCOUNT, limits, None, QUIET))


@pytest.mark.parametrize(
    ("least", "most", "allowed"),
    [(5000, 5000, True), (4950, 5050, True), (5001, 9000, False), (4500, 4999, False)],
)
def test_an_order_passes_whose_notional_a_person_has_confirmed(
    least: int, most: int, *, allowed: bool
) -> None:
    confirmed = replace(BUY, confirmed=Confirmed(D(least), D(most)))
    assert verdict_of(CODE, confirmed, limits=NEEDED).allowed is allowed


def test_what_has_become_smaller_than_needs_a_confirmation_passes_without() -> None:
    small = replace(BUY, qty=D("0.08"), confirmed=Confirmed(D(4950), D(5050)))
    assert verdict_of(CODE, small, limits=NEEDED).allowed


@given(qty=amounts, price=amounts, least=amounts, most=amounts)
def test_a_confirmation_changes_no_other_verdict_and_passes_no_unknown_notional(
    qty: Decimal, price: Decimal, least: Decimal, most: Decimal
) -> None:
    plain = replace(BUY, qty=qty, price=price)
    confirmed = replace(plain, confirmed=Confirmed(least, most))
    before, after = (
        dict(zip(GUARDRAILS, judge(one, ACCOUNT, NEEDED, None, QUIET), strict=True))
        for one in (plain, confirmed)
    )
    mine = after.pop(CODE)
    del before[CODE]
    assert after == before
    if mine.allowed:
        assert confirmed.notional is not None
        assert confirmed.notional.is_finite()


def test_only_an_order_that_nothing_else_is_against_lacks_a_confirmation_alone() -> None:
    assert lacks()
    assert not lacks(replace(BUY, qty=D("0.08")))
    assert not lacks(limits=replace(NEEDED, symbol_blacklist=("BTC",)))
    assert not lacks_confirmation_alone(judge(BUY, ACCOUNT, NEEDED, "fat finger", QUIET))


def test_where_the_check_itself_fails_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> Verdict:
        raise KeyError("notional")

    monkeypatch.setitem(CHECKS, CODE, broken)
    assert not verdict_of(CODE, limits=NEEDED).allowed
    assert not lacks()

"""What holds of the guardrails whatever they are given.

Examples are made from the fields of the values that are judged, so that a new field is tried as it
is added; what may be missing, zero or below zero is named here.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime
from decimal import Decimal
from types import NoneType
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.domain.market import Instrument, Walk
from otonom_trader.domain.order import Side
from otonom_trader.domain.symbol import Symbol
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.activity import Activity
from otonom_trader.risk.checks import CHECKS
from otonom_trader.risk.exposure import Exposure, Proposal
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.pipeline import GUARDRAILS, denial, judge
from tests.risk.samples import ACCOUNT, BUY, EVERY, GUIDE, NOON, QUIET, Change, D

NO_NUMBER = [D("NaN"), D("sNaN"), D("Infinity"), D("-Infinity")]

# A limit order on a decision, with money and coins to pay for either side, so that every field is
# looked at.
ORDER = replace(BUY, limit_price=D(50000), decision_age_seconds=D(1))
OWNED = replace(ACCOUNT, balances={"USDT": D(100000), "BTC": D(9)})
BUSY = replace(QUIET, seconds_since_order=D(60))

# Of the values that are judged. All other fields may be none of it.
MAY_BE_ZERO = {
    *("price_age_seconds", "decision_age_seconds", "age_seconds"),
    *("positions_value", "holdings"),
    *("pending_buy_value", "pending_buy_values", "pending_buys", "pending_sells", "pending_costs"),
    *("orders_last_minute", "orders_today", "notional_today", "losses_in_a_row"),
    *("qty_step", "min_qty", "max_qty", "min_notional"),  # no rule
    "Walk.qty",  # nothing is taken at once
}
MAY_BE_BELOW_ZERO = {"decision_age_seconds"}  # a clock that is ahead: the executor looks at it
MAY_BE_MISSING = {
    "limit_price",  # a market order
    "decision_age_seconds",  # placed by hand
    "seconds_since_order",  # the first of its symbol
    "confirmed",  # nobody was asked
}
ONLY_FOR = {"pending_costs": Side.BUY, "pending_sells": Side.SELL}
NOT_JUDGED = {
    *("Instrument.symbol", "venue_symbol", "tradable", "status", "price_tick"),
    *("levels", "Walk.worst_price"),
}


def named(owner: type, field: str, names: set[str]) -> bool:
    return field in names or f"{owner.__name__}.{field}" in names


def bad_values(owner: type, field: str, kind: Any) -> list[Any]:
    """What must be denied in a field of type `kind`."""
    kinds = {*get_args(kind)} or {kind}
    bad: list[Any] = [] if named(owner, field, MAY_BE_MISSING) else [None]
    if Decimal in kinds:
        bad += NO_NUMBER
    if Decimal in kinds or int in kinds:
        bad += [] if named(owner, field, MAY_BE_ZERO) else [D(0)]
        bad += [] if named(owner, field, MAY_BE_BELOW_ZERO) else [D(-1)]
    return bad


def bad_inputs() -> Iterator[Any]:
    """Every field of every value that is judged, with everything that must be denied in it."""
    for sample in (ORDER, OWNED, BUSY, BUY.instrument, BUY.walk):
        owner = type(sample)
        for field, kind in get_type_hints(owner).items():
            if named(owner, field, NOT_JUDGED):
                continue
            for side in [ONLY_FOR[field]] if field in ONLY_FOR else Side:
                values = bad_values(owner, field, kind)
                if "Mapping" in str(kind):
                    asset = "USDT" if field in ("balances", "pending_costs") else "BTC"
                    if field == "balances" and side is Side.SELL:
                        asset = "BTC"
                    of_one = bad_values(owner, field, get_args(kind)[1])
                    values = [None, *({asset: value} for value in of_one)]
                for value in values:
                    case = f"{side} {owner.__name__}.{field}={value}"
                    yield pytest.param(sample, {field: value}, side, id=case)


@pytest.mark.parametrize(("sample", "change", "side"), list(bad_inputs()))
def test_what_is_missing_zero_below_zero_or_no_number_is_denied(
    sample: Any, change: Change, side: Side
) -> None:
    # One that is larger than the holding, so that a sell is judged as a buy is.
    order = replace(ORDER, side=side)
    assert denial(judge(order, OWNED, EVERY, None, BUSY)) is None
    given: dict[type, Any] = {Proposal: order, Exposure: OWNED, Activity: BUSY}
    changed = replace(sample if sample is not ORDER else order, **change)
    if isinstance(changed, Instrument):
        changed = replace(order, instrument=changed)
    elif isinstance(changed, Walk):
        changed = replace(order, walk=changed)
    given[type(changed)] = changed
    verdicts = judge(given[Proposal], given[Exposure], EVERY, None, given[Activity])
    assert denial(verdicts) is not None


@pytest.mark.parametrize("field", [f.name for f in fields(Activity)])
def test_without_a_past_nothing_passes_what_is_judged_by_it(field: str) -> None:
    assert denial(judge(ORDER, OWNED, EVERY, None, None)) is not None
    assert denial(judge(ORDER, OWNED, GUIDE, None, None)) is None, "the guide's limits need none"


@pytest.mark.parametrize("value", [*NO_NUMBER[:2], "10", None])
@pytest.mark.parametrize(
    "name", [name for name, kind in get_type_hints(RiskGuardrails).items() if kind is Decimal]
)
def test_a_limit_that_is_no_number_denies(name: str, value: Any) -> None:
    limits = replace(EVERY, **{name: value})
    assert denial(judge(ORDER, OWNED, limits, None, BUSY)) is not None


@pytest.mark.parametrize("bad", [None, *NO_NUMBER, D(-1)])
def test_what_is_being_sold_must_be_known_under_the_guides_limits_too(bad: Decimal | None) -> None:
    sell = replace(ORDER, side=Side.SELL)
    account = replace(OWNED, holdings={"BTC": D(1)})
    assert denial(judge(sell, account, GUIDE, None, BUSY)) is None
    unknown: Change = {"pending_sells": {"BTC": bad}}
    assert denial(judge(sell, replace(account, **unknown), GUIDE, None, BUSY)) is not None


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_without_an_order_an_account_or_limits_every_guardrail_denies(missing: int) -> None:
    given: list[Any] = [ORDER, OWNED, EVERY]
    given[missing] = None
    order, account, limits = given
    verdicts = judge(order, account, limits, None, BUSY)
    assert len(verdicts) == len(GUARDRAILS)
    assert not any(verdict.allowed for verdict in verdicts)


# Anything at all.

numbers = st.decimals(allow_nan=True, allow_infinity=True)
anything = st.one_of(
    st.none(),
    numbers,
    st.sampled_from([*NO_NUMBER, D(0), D(-1), D("1e9999"), D("1e-9999"), D(1), D(50000)]),
    st.integers(-1000, 1000),  # a text is multiplied by it, and must fit into memory
    st.text(max_size=3),
    st.booleans(),
)
assets = st.dictionaries(st.sampled_from(["BTC", "ETH", "USDT"]), anything, max_size=2)


def field_values(name: str, kind: Any) -> st.SearchStrategy[Any]:
    kinds = {*get_args(kind)} or {kind}
    if "Mapping" in str(kind):
        return assets
    if "Set" in str(kind):
        return st.frozensets(st.text(max_size=3), max_size=3)
    if kind == tuple[str, ...]:
        return st.lists(st.text(max_size=5) | st.just("daily 00:00-24:00"), max_size=2).map(tuple)
    for owner, strategy in KINDS.items():
        if owner in kinds:
            return st.none() | strategy if NoneType in kinds else strategy
    return anything


def anything_of(owner: type[Any]) -> st.SearchStrategy[Any]:
    """An `owner` with garbage in every field."""
    kinds = get_type_hints(owner)
    return st.builds(owner, **{f.name: field_values(f.name, kinds[f.name]) for f in fields(owner)})


def walks() -> st.SearchStrategy[Any]:
    return st.builds(
        Walk, qty=anything, quote_qty=anything, worst_price=anything, levels=st.just(())
    )


KINDS: dict[type, st.SearchStrategy[Any]] = {
    Symbol: st.sampled_from([BUY.symbol, Symbol("ETH", "BTC")]),
    Side: st.sampled_from(Side),
    datetime: st.datetimes() | st.just(NOON),
    Walk: walks(),
    bool: st.booleans(),
}
KINDS[Instrument] = anything_of(Instrument)
proposals, exposures = anything_of(Proposal), anything_of(Exposure)
activities = st.none() | anything_of(Activity)
guardrails = anything_of(RiskGuardrails)


@given(proposals, exposures, guardrails, st.none() | st.text(), activities)
def test_judging_never_raises_and_never_passes_what_cannot_be_priced(
    proposal: Proposal,
    exposure: Exposure,
    limits: RiskGuardrails,
    halted: str | None,
    activity: Activity | None,
) -> None:
    verdicts = judge(proposal, exposure, limits, halted, activity)
    assert len(verdicts) == len(GUARDRAILS)
    assert all(bool(verdict.message) is not verdict.allowed for verdict in verdicts)
    assert all(isinstance(verdict.value_text, str) for verdict in verdicts), "all can be recorded"
    if denial(verdicts) is None:
        for number in (proposal.qty, proposal.price, proposal.rate, exposure.equity):
            assert number is not None
            assert Decimal(number).is_finite()
        assert proposal.notional is not None
        assert proposal.notional > 0
        assert halted is None


@given(proposals, exposures, activities)
def test_adding_a_check_never_turns_a_denial_into_an_allowance(
    proposal: Proposal, exposure: Exposure, activity: Activity | None
) -> None:
    before = denial(judge(proposal, exposure, GUIDE, None, activity))

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CHECKS, "new", lambda _: Verdict("new", allowed=True))
        after = denial(judge(proposal, exposure, GUIDE, None, activity))
    assert (after is None) is (before is None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CHECKS, "new", lambda _: Verdict("new", allowed=False, message="No"))
        assert denial(judge(proposal, exposure, GUIDE, None, activity)) is not None


# More.

sound = st.decimals("0.01", "200", places=2)


@given(sound, sound, sound, sound)
def test_a_larger_order_or_a_smaller_equity_never_passes_where_less_did_not(
    qty: Decimal, more: Decimal, equity: Decimal, less: Decimal
) -> None:
    small, large = sorted((qty, more))
    poor, rich = sorted((equity * 1000, less * 1000))
    limits = replace(EVERY, max_notional_per_order=D(2000000), max_notional_per_day=D(3000000))
    strict = judge(replace(BUY, qty=large), replace(ACCOUNT, equity=poor), limits, None, QUIET)
    lenient = judge(replace(BUY, qty=small), replace(ACCOUNT, equity=rich), limits, None, QUIET)
    for tight, loose in zip(strict, lenient, strict=True):
        if tight.code not in ("venue_minimums", "max_expected_slippage_pct"):
            assert loose.allowed or not tight.allowed

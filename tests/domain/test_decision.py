"""Decisions: what a source may give, and the sentence for everything else."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.domain.decision import (
    FIELDS,
    Decision,
    DecisionKey,
    Direction,
    Malformed,
    parse_decision,
)
from otonom_trader.domain.order import OrderType

BUY: dict[str, object] = {"id": "1", "symbol": "BTC-USDT", "direction": "BUY", "strength": 0.5}


def parse(**given: object) -> Decision | Malformed:
    return parse_decision(BUY | given, "patron", "line 7")


def reason_of(**given: object) -> str:
    answer = parse(**given)
    assert isinstance(answer, Malformed)
    return answer.reason


def test_a_decision_is_read_with_every_field() -> None:
    decision = parse(
        direction="sell",
        strength=None,
        qty="0.5",
        price=50000,
        created_at="2026-07-01T14:00:00+02:00",
        expires_at="2026-07-01T12:05:00Z",
        reason="momentum",
    )
    assert decision == Decision(
        id="1",
        symbol="BTC-USDT",
        direction=Direction.SELL,
        qty=Decimal("0.5"),
        price=Decimal(50000),
        created_at=datetime(2026, 7, 1, 12, 0, tzinfo=UTC),
        expires_at=datetime(2026, 7, 1, 12, 5, tzinfo=UTC),
        reason="momentum",
        source="patron",
    )
    assert decision.key == DecisionKey("patron", "1")


def test_a_decision_carries_strength_or_quantity_or_notional() -> None:
    assert isinstance(parse(), Decision)
    assert isinstance(parse(strength=None, qty=1), Decision)
    assert isinstance(parse(strength=None, notional="100"), Decision)
    assert isinstance(parse(strength=0, qty=1), Decision)


def test_the_longest_texts_are_taken() -> None:
    decision = parse(id="i" * 200, symbol="s" * 40, reason="r" * 2000)
    assert isinstance(decision, Decision)
    assert isinstance(parse(id=10**199), Decision)


def test_hold_needs_nothing_but_a_symbol() -> None:
    decision = parse_decision({"id": 7, "symbol": "BTC", "direction": "hold"}, "patron", "")
    assert isinstance(decision, Decision)
    assert decision.direction is Direction.HOLD
    assert decision.id == "7"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"direction": "LONG"}, "direction must be BUY, SELL or HOLD, not 'LONG'"),
        ({"direction": None}, "direction must be BUY, SELL or HOLD, not NoneType"),
        ({"direction": 1}, "direction must be BUY, SELL or HOLD, not '1'"),
        ({"direction": ["BUY"]}, "direction must be BUY, SELL or HOLD, not list"),
        ({"symbol": None}, "symbol must be a text"),
        ({"symbol": "  "}, "symbol must be a text"),
        ({"symbol": 5}, "symbol must be a text"),
        ({"symbol": "X" * 41}, "symbol has 41 characters; at most 40 are taken"),
        ({"symbol": "BTC\0USDT"}, "symbol holds a NUL character"),
        (
            {"symbol": "\ud800"},
            "symbol holds half of a surrogate pair, which cannot be stored",
        ),
        ({"strength": 1.01}, "strength must be between 0 and 1, not 1.01"),
        ({"strength": -0.1}, "strength must be between 0 and 1, not -0.1"),
        ({"strength": 0}, "strength must be above zero, not 0"),
        ({"strength": "NaN"}, "strength must be a finite number, not 'NaN'"),
        ({"strength": float("nan")}, "strength must be a finite number, not 'nan'"),
        ({"strength": True}, "strength must be a number, not bool"),
        ({"strength": {}}, "strength must be a number"),
        ({"strength": None}, "one of strength, qty and notional is needed"),
        ({"qty": 1, "notional": 1}, "qty and notional are both given; give one"),
        ({"qty": 0}, "qty must be above zero, not 0"),
        ({"qty": -2}, "qty must be above zero, not -2"),
        ({"qty": "1e999"}, "qty must lie between 1e-18 and 1e18, not 1e999"),
        ({"qty": "Infinity"}, "qty must be a finite number, not 'Infinity'"),
        ({"notional": 0}, "notional must be above zero, not 0"),
        ({"price": 0}, "price must be above zero, not 0"),
        ({"price": "12a"}, "price must be a finite number, not '12a'"),
        ({"reason": 5}, "reason must be a text"),
        ({"reason": "x" * 2001}, "reason has 2001 characters; at most 2000 are taken"),
        ({"reason": "a\0b"}, "reason holds a NUL character"),
        ({"stregth": 1}, "unknown field 'stregth'; did you mean 'strength'?"),
        ({"source": "x"}, "unknown field 'source'"),
        (
            {"order_type": "OTO"},
            f"order_type must be one of {', '.join(OrderType)}, not 'OTO'",
        ),
        ({"order_type": "OCO", "stop_price": 3}, "price is needed for an OCO order"),
        (
            {"order_type": "OCO", "price": 3, "trailing_delta_bps": 9},
            "an OCO order has a stop_price, and does not trail",
        ),
        (
            {"order_type": "OCO", "price": 5, "stop_price": 3},
            "price must be below stop_price for a BUY OCO order",
        ),
        ({"order_type": "LIMIT"}, "price is needed for a LIMIT order"),
        (
            {"order_type": "MARKET", "price": 3},
            "price belongs to limit orders, not to a MARKET order",
        ),
        ({"stop_price": 3}, "stop_price belongs to stop orders, not to a MARKET order"),
        ({"stop_price": -3}, "stop_price must be above zero, not -3"),
        (
            {"order_type": "STOP_LOSS"},
            "stop_price or trailing_delta_bps is needed for a STOP_LOSS order",
        ),
        (
            {"trailing_delta_bps": "1.5"},
            "trailing_delta_bps must be a whole number from 1 to 9999, not 1.5",
        ),
        ({"leverage": 20}, "unknown field 'leverage'"),
        ({"q" * 10_000: 1}, f"unknown field '{'q' * 40}'"),
        ({"id": None}, "id must be 1 to 200 printable characters"),
        ({"id": ""}, "id must be 1 to 200 printable characters"),
        ({"id": True}, "id must be 1 to 200 printable characters"),
        ({"id": 1.5}, "id must be 1 to 200 printable characters"),
        ({"id": "x" * 201}, "id must be 1 to 200 printable characters"),
        ({"id": "a\nb"}, "id must be 1 to 200 printable characters"),
        ({"id": "\ud800"}, "id must be 1 to 200 printable characters"),
    ],
)
def test_a_malformed_decision_says_what_is_wrong(given: dict[str, object], sentence: str) -> None:
    assert reason_of(**given) == sentence


def test_a_number_too_long_for_python_to_print_is_malformed_like_any_other() -> None:
    endless = 10**5000
    assert reason_of(id=endless) == "id must be 1 to 200 printable characters"
    assert reason_of(qty=endless) == "qty must lie between 1e-18 and 1e18"
    assert reason_of(direction=endless).endswith("not a number of that size")


@pytest.mark.parametrize("field", ["created_at", "expires_at"])
@pytest.mark.parametrize(
    "moment",
    ["yesterday", "2026-07-01", "2026-07-01T12:00:00", "2026-13-01T12:00:00Z", 1782000000, "",
     "0001-01-01T00:00:00+23:59"],
)  # fmt: skip
def test_a_time_needs_its_zone(field: str, moment: object) -> None:
    assert reason_of(**{field: moment}).startswith(
        f"{field} must be an ISO 8601 time with its zone, such as 2026-07-01T12:00:00Z, not "
    )


def test_a_malformed_decision_keeps_its_id_or_is_known_by_its_place() -> None:
    named, nameless = parse(direction="LONG"), parse(id=None)
    assert isinstance(named, Malformed)
    assert isinstance(nameless, Malformed)
    assert named.key == DecisionKey("patron", "1")
    assert nameless.key == DecisionKey("patron", "@line 7")
    assert "'direction': 'LONG'" in named.raw


def test_what_is_kept_of_a_malformed_decision_is_cut() -> None:
    answer = parse(reason="x" * 100_000)
    assert isinstance(answer, Malformed)
    assert len(answer.raw) == 4000


surrogates = st.sampled_from(["\ud800", "x\udfff", "\0", "BUY"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | surrogates,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
field_values = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, json_values))


def test_a_value_nested_without_end_is_malformed() -> None:
    nested: object = []
    for _ in range(5000):
        nested = [nested]
    assert reason_of(id=nested) == "id must be 1 to 200 printable characters"
    assert reason_of(qty=nested) == "qty must be a number"
    assert reason_of(direction=nested) == "direction must be BUY, SELL or HOLD, not list"


@given(field_values | st.dictionaries(st.text() | surrogates, json_values))
def test_reading_never_raises(raw: dict[str, object]) -> None:
    answer = parse_decision(raw, "patron", "line 7")
    if isinstance(answer, Malformed):
        assert answer.reason
        assert len(answer.raw) <= 4000
        answer.reason.encode()
        answer.raw.encode()
    else:
        assert all(text == text.strip("\0") for text in answer.payload().values())


numbers = st.decimals("0.00000001", "1000000", places=8)
texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)
decisions = st.builds(
    Decision,
    id=st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=30),
    symbol=texts.filter(str.strip),
    direction=st.sampled_from(Direction),
    qty=numbers,
    price=st.none() | numbers,
    created_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    reason=st.just("") | texts.filter(str.strip),
    source=st.just("patron"),
)


@given(decisions)
def test_a_decision_reads_back_from_what_the_journal_keeps_of_it(decision: Decision) -> None:
    assert parse_decision(decision.payload(), "patron", "") == decision

"""Each guardrail: the last order it allows, the first it denies, and the words it does that in."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from otonom_trader.domain.order import Side
from otonom_trader.domain.symbol import Symbol
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.checks import CHECKS
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.pipeline import GUARDRAILS, denial, judge, rejection_message
from tests.risk.samples import (
    ACCOUNT,
    BUY,
    EVERY,
    GUIDE,
    OFF,
    QUIET,
    Change,
    D,
    selling,
    verdict_of,
)

EXIT_EXEMPT = {
    "max_position_size_pct",
    "max_open_risk_pct",
    "max_total_positions",
    "max_exposure_per_base_asset_pct",
}


def test_an_order_within_all_limits_is_allowed_by_every_check() -> None:
    for limits in (GUIDE, EVERY):
        verdicts = judge(BUY, ACCOUNT, limits, None, QUIET)
        assert [verdict.code for verdict in verdicts] == list(GUARDRAILS)
        assert all(verdict.allowed and not verdict.message for verdict in verdicts)
        assert denial(verdicts) is None


def test_what_an_allowed_order_was_measured_at_is_kept_with_its_limit() -> None:
    busy = replace(
        QUIET, orders_today=3, notional_today=D("15.017"), seconds_since_order=D("30.16")
    )
    losing = replace(busy, day_start_equity=D(101000), highest_equity=D(99000))
    order = replace(BUY, limit_price=D(50250), decision_age_seconds=D("0.04"))
    verdicts = judge(order, ACCOUNT, EVERY, None, losing, monotonic_ns=lambda: 0)
    assert denial(verdicts) is None
    assert [(verdict.code, verdict.limit, verdict.value_text) for verdict in verdicts] == [
        ("kill_switch", "", ""),
        ("symbol_blacklist", "", ""),
        ("symbol_whitelist", "", ""),
        ("trading_windows", "mon-fri 08:00-20:00", "wed 2026-07-01T12:00Z"),
        ("blackout_windows", "daily 23:55-00:05", "wed 2026-07-01T12:00Z"),
        ("max_price_age_seconds", "5", "1"),
        ("max_account_age_seconds", "60", "1"),
        ("max_decision_age_seconds", "300", "0.1"),
        ("max_daily_loss_pct", "5.0", "1.0"),
        ("max_drawdown_pct", "20.0", "-1.0"),
        ("max_consecutive_losses", "3", "0"),
        ("max_notional_per_order", "10000", "5000"),
        ("require_confirmation_above", "50000", "5000"),
        ("max_position_size_pct", "10.0", "5.0"),
        ("max_exposure_per_base_asset_pct", "10.0", "5.0"),
        ("max_open_risk_pct", "25.0", "5.0"),
        ("max_total_positions", "10", "1"),
        ("price_collar_pct", "1.0", "0.5"),
        ("max_expected_slippage_pct", "2.0", "0.0"),
        ("max_spread_pct", "0.5", "0.0"),
        ("max_orders_per_minute", "5", "1"),
        ("max_orders_per_day", "100", "4"),
        ("max_notional_per_day", "20000", "5015.02"),
        ("min_seconds_between_orders", "30", "30.1"),
        ("balance_after_fees", "100000", "5055"),
        ("venue_minimums", "5", "5000"),
        ("max_judging_seconds", "1", "0"),
    ]


def test_the_same_order_judged_twice_is_judged_equal() -> None:
    busy = replace(QUIET, seconds_since_order=D(31))
    once, again = (judge(BUY, ACCOUNT, EVERY, None, busy) for _ in range(2))
    assert once == again


def test_every_limit_has_its_check() -> None:
    assert sorted(GUARDRAILS) == sorted(limit.name for limit in fields(RiskGuardrails))


def test_all_verdicts_are_kept_and_the_first_denial_speaks() -> None:
    limits = replace(GUIDE, kill_switch=True, symbol_blacklist=("BTC",))
    verdicts = judge(BUY, ACCOUNT, limits)
    assert [verdict.code for verdict in verdicts if not verdict.allowed] == [
        "kill_switch",
        "symbol_blacklist",
    ]
    first = denial(verdicts)
    assert first is not None
    assert first.code == "kill_switch"
    assert len(verdicts) == len(GUARDRAILS)


# The edges. Each case: the check, what is just allowed, what is just denied, and the sentence.
EDGES: list[tuple[str, Callable[[Any], Change], Any, Any, str, str, str]] = [
    (
        "max_notional_per_order",
        lambda qty: {"proposal": replace(BUY, qty=qty)},
        D("0.2"),
        D("0.3"),
        "Order notional $15000 exceeds max $10000",
        "10000",
        "15000",
    ),
    (
        "max_notional_per_order",  # a hair above its limit never reads as equal to it
        lambda price: {"proposal": replace(BUY, qty=D(1), price=price)},
        D(10000),
        D("10000.000001"),
        "Order notional $10000.01 exceeds max $10000",
        "10000",
        "10000.01",
    ),
    (
        "require_confirmation_above",
        lambda limit: {"limits": replace(GUIDE, require_confirmation_above=limit)},
        D(5000),
        D("4999.5"),
        "Order notional $5000 requires confirmation above $4999.5",
        "4999.5",
        "5000",
    ),
    (
        "max_position_size_pct",
        lambda held: {"exposure": replace(ACCOUNT, holdings={"BTC": held})},
        D("0.1"),
        D("0.2"),
        "Position size 15.0% exceeds max 10.0%",
        "10.0",
        "15.0",
    ),
    (
        "max_position_size_pct",
        lambda pending: {"exposure": replace(ACCOUNT, pending_buys={"BTC": pending})},
        D("0.1"),
        D("0.100001"),
        "Position size 10.1% exceeds max 10.0%",
        "10.0",
        "10.1",
    ),
    (
        "max_position_size_pct",  # a limit is shown rounded down, a value rounded up
        lambda limit: {"limits": replace(GUIDE, max_position_size_pct=limit)},
        D(5),
        D("4.99"),
        "Position size 5.0% exceeds max 4.9%",
        "4.9",
        "5.0",
    ),
    (
        "max_open_risk_pct",
        lambda value: {"exposure": replace(ACCOUNT, positions_value=value)},
        D(20000),
        D(25000),
        "Open risk 30.0% exceeds max 25.0%",
        "25.0",
        "30.0",
    ),
    (
        "max_open_risk_pct",
        lambda value: {"exposure": replace(ACCOUNT, pending_buy_value=value)},
        D(20000),
        D("20000.01"),
        "Open risk 25.1% exceeds max 25.0%",
        "25.0",
        "25.1",
    ),
    (
        "max_total_positions",
        lambda held: {
            "exposure": replace(ACCOUNT, positions={f"A{number}" for number in range(held)})
        },
        9,
        10,
        "Total positions 11 exceeds max 10",
        "10",
        "11",
    ),
    (
        "max_total_positions",
        lambda pending: {
            "exposure": replace(
                ACCOUNT,
                positions={f"A{number}" for number in range(5)},
                pending_buys={f"B{number}": D(1) for number in range(pending)},
            )
        },
        4,
        5,
        "Total positions 11 exceeds max 10",
        "10",
        "11",
    ),
    (
        "price_collar_pct",
        lambda price: {"proposal": replace(BUY, limit_price=price)},
        D(50500),
        D(51000),
        "Price reaches 2.0% through the market, max 1.0%",
        "1.0",
        "2.0",
    ),
    (
        "price_collar_pct",
        lambda price: {"proposal": replace(BUY, side=Side.SELL, limit_price=price)},
        D(49500),
        D(49250),
        "Price reaches 1.5% through the market, max 1.0%",
        "1.0",
        "1.5",
    ),
    (
        "max_price_age_seconds",
        lambda age: {"proposal": replace(BUY, price_age_seconds=age)},
        D(5),
        D("5.01"),
        "Price is 5.1 s old, max 5 s",
        "5",
        "5.1",
    ),
    (
        "max_account_age_seconds",
        lambda age: {"exposure": replace(ACCOUNT, age_seconds=age)},
        D(60),
        D(61),
        "Account balances are 61 s old, max 60 s",
        "60",
        "61",
    ),
    (
        "max_decision_age_seconds",
        lambda age: {"proposal": replace(BUY, decision_age_seconds=age)},
        D(300),
        D("300.5"),
        "Decision is 300.5 s old, max 300 s",
        "300",
        "300.5",
    ),
]


@pytest.mark.parametrize(("code", "change", "most", "beyond", "sentence", "limit", "value"), EDGES)
def test_a_limit_allows_up_to_itself_and_denies_beyond(
    code: str,
    change: Callable[[Any], Change],
    most: object,
    beyond: object,
    sentence: str,
    limit: str,
    value: str,
) -> None:
    assert verdict_of(code, **change(most)).allowed
    denied = verdict_of(code, **change(beyond))
    assert denied == Verdict(code, allowed=False, message=sentence, limit=limit, value=value)
    assert rejection_message(denied) == f"RISK REJECTED: {sentence}"


def test_the_guides_rejection_is_word_for_word() -> None:
    verdicts = judge(replace(BUY, qty=D("0.3")), ACCOUNT, GUIDE)
    denied = denial(verdicts)
    assert denied is not None
    assert rejection_message(denied) == ("RISK REJECTED: Order notional $15000 exceeds max $10000")


def test_amounts_are_shown_without_trailing_zeros() -> None:
    limits = replace(GUIDE, max_notional_per_order=D("1000.50"))
    denied = verdict_of("max_notional_per_order", limits=limits)
    assert denied.message == "Order notional $5000 exceeds max $1000.5"


@pytest.mark.parametrize(
    ("limits", "halted", "sentence"),
    [
        (
            replace(GUIDE, kill_switch=True),
            None,
            "Kill switch is active: kill_switch is true in broker.yaml",
        ),
        (GUIDE, "drawdown 9 %", "Kill switch is active: drawdown 9 %"),
        (GUIDE, "", "Kill switch is active: "),
    ],
)
def test_the_kill_switch_denies_entries_and_exits_alike(
    limits: RiskGuardrails, halted: str | None, sentence: str
) -> None:
    held = replace(ACCOUNT, holdings={"BTC": D(1)})
    for side in Side:
        verdict = verdict_of("kill_switch", replace(BUY, side=side), held, limits, halted)
        assert verdict == Verdict("kill_switch", allowed=False, message=sentence)


@pytest.mark.parametrize("entry", ["LUNA-USD", "LUNAUSDT", "luna/usdt", "LUNA"])
def test_a_blacklisted_asset_never_trades_under_any_of_its_names(entry: str) -> None:
    luna = replace(BUY, symbol=Symbol("LUNA", "USDT"))
    limits = replace(GUIDE, symbol_blacklist=("FTT-USD", entry))
    assert verdict_of("symbol_blacklist", luna, limits=limits) == Verdict(
        "symbol_blacklist",
        allowed=False,
        message="Symbol LUNA-USDT is blacklisted",
        limit=entry,
        value="LUNA-USDT",
    )
    assert verdict_of("symbol_blacklist", limits=limits).allowed


@pytest.mark.parametrize(
    ("proposal", "code", "denied_as", "sentence"),
    [
        ({"price": None}, "max_price_age_seconds", "no_price", "No price for BTC-USDT"),
        ({"price_age_seconds": None}, "max_price_age_seconds", "no_price", "No price for BTC-USDT"),
        (
            {"rate": None},
            "max_notional_per_order",
            "no_conversion",
            "No conversion from USDT into the account currency",
        ),
        (
            {"price": None},
            "max_notional_per_order",
            "max_notional_per_order",
            "Order notional cannot be told: no price for BTC-USDT",
        ),
        (
            {"mark": None},
            "max_position_size_pct",
            "max_position_size_pct",
            "Position size cannot be told: equity or mark missing",
        ),
        (
            {"limit_price": D(50000), "reference": None},
            "price_collar_pct",
            "price_collar_pct",
            "No opposite quote for BTC-USDT",
        ),
    ],
)
def test_what_is_not_known_of_the_market_denies_in_its_own_words(
    proposal: Change, code: str, denied_as: str, sentence: str
) -> None:
    verdict = verdict_of(code, replace(BUY, **proposal))
    assert verdict == Verdict(denied_as, allowed=False, message=sentence)


@pytest.mark.parametrize(
    ("exposure", "code", "denied_as", "sentence"),
    [
        (
            {"age_seconds": None},
            "max_account_age_seconds",
            "no_account",
            "Account balances are not known",
        ),
        ({"equity": None}, "max_account_age_seconds", "no_equity", "Equity is not known"),
        (
            {"equity": D(0), "age_seconds": GUIDE.max_account_age_seconds},
            "max_account_age_seconds",
            "no_equity",
            "Equity is not known",
        ),
        (
            {"equity": None},
            "max_position_size_pct",
            "max_position_size_pct",
            "Position size cannot be told: equity or mark missing",
        ),
        (
            {"equity": None},
            "max_open_risk_pct",
            "max_open_risk_pct",
            "Open risk cannot be told: equity or price missing",
        ),
        (
            {"pending_buy_value": None},
            "max_open_risk_pct",
            "max_open_risk_pct",
            "Open risk cannot be told: a holding or working order has no value",
        ),
        (
            {"equity": None},
            "max_total_positions",
            "max_total_positions",
            "Positions cannot be told: account or mark missing",
        ),
    ],
)
def test_what_is_not_known_of_the_account_denies_in_its_own_words(
    exposure: Change, code: str, denied_as: str, sentence: str
) -> None:
    verdict = verdict_of(code, exposure=replace(ACCOUNT, **exposure))
    assert verdict == Verdict(denied_as, allowed=False, message=sentence)


def test_a_limit_that_is_switched_off_denies_nothing() -> None:
    huge = replace(BUY, qty=D(1000))
    crowded = replace(
        ACCOUNT, positions={f"A{number}" for number in range(99)}, positions_value=D(99999999)
    )
    assert denial(judge(huge, crowded, OFF)) is None


def test_without_limits_an_order_still_needs_price_conversion_and_account() -> None:
    for change in ({"price": None}, {"rate": None}, {"qty": D(0)}, {"qty": D("-1")}):
        assert denial(judge(replace(BUY, **change), ACCOUNT, OFF)) is not None
    assert denial(judge(BUY, replace(ACCOUNT, equity=None), OFF)) is not None


def test_an_order_without_a_limit_price_has_nothing_to_collar() -> None:
    assert verdict_of("price_collar_pct").allowed


def test_a_passive_limit_price_is_free() -> None:
    assert verdict_of("price_collar_pct", replace(BUY, limit_price=D(1))).allowed
    far = replace(BUY, side=Side.SELL, limit_price=D(500000))
    assert verdict_of("price_collar_pct", far).allowed


def test_an_order_placed_by_hand_has_no_age() -> None:
    assert verdict_of("max_decision_age_seconds").allowed


# Exits.


def test_a_sell_within_the_holding_is_exempt_from_exactly_four_checks() -> None:
    # 1 BTC of $50000 on $60000: over every limit of size, and the only way is out.
    crowded = replace(
        ACCOUNT,
        equity=D(60000),
        holdings={"BTC": D(1)},
        balances={"BTC": D(1)},
        positions_value=D(50000),
        positions={"BTC", *(f"A{number}" for number in range(20))},
    )
    sell = selling()
    before = replace(QUIET, day_start_equity=D(60000), highest_equity=D(60000))
    assert denial(judge(sell, crowded, EVERY, None, before)) is None

    # One check at a time is made to deny a sell; those that then still allow are the exempt ones.
    proposals: dict[str, Change] = {
        "max_price_age_seconds": {"price_age_seconds": D(99)},
        "max_decision_age_seconds": {"decision_age_seconds": D(999)},
        "price_collar_pct": {"limit_price": D(1)},
        "max_spread_pct": {"ask": D(51000)},
        "max_expected_slippage_pct": {"walk": None},
        "balance_after_fees": {"qty": D(2)},
        "venue_minimums": {"qty": D("0.000001")},
    }
    limits: dict[str, Change] = {
        "kill_switch": {"kill_switch": True},
        "symbol_blacklist": {"symbol_blacklist": ("BTC",)},
        "symbol_whitelist": {"symbol_whitelist": ("ETH",)},
        "trading_windows": {"trading_windows": ("sun 10:00-11:00",)},
        "blackout_windows": {"blackout_windows": ("daily 11:00-13:00",)},
        "max_notional_per_order": {"max_notional_per_order": D(1)},
        "require_confirmation_above": {"require_confirmation_above": D(1)},
        "max_notional_per_day": {"max_notional_per_day": D(1)},
        "max_position_size_pct": {"max_position_size_pct": D(1)},
        "max_exposure_per_base_asset_pct": {"max_exposure_per_base_asset_pct": D(1)},
        "max_open_risk_pct": {"max_open_risk_pct": D(1)},
        "max_total_positions": {"max_total_positions": 1},
    }
    past: dict[str, Change] = {
        "max_orders_per_minute": {"orders_last_minute": 99},
        "max_orders_per_day": {"orders_today": 999},
        "min_seconds_between_orders": {"seconds_since_order": D(1)},
        "max_daily_loss_pct": {"day_start_equity": D(99999)},
        "max_drawdown_pct": {"highest_equity": D(99999)},
        "max_consecutive_losses": {"losses_in_a_row": 9},
    }
    cases = {
        code: (
            code,
            replace(sell, **proposals.get(code, {})),
            crowded if code != "max_account_age_seconds" else replace(crowded, age_seconds=D(99)),
            replace(EVERY, **limits.get(code, {})),
            None,
            replace(before, **past.get(code, {})),
        )
        for code in CHECKS
    }
    assert {code for code, case in cases.items() if verdict_of(*case).allowed} == EXIT_EXEMPT

    # The same cases deny a buy, so it is the exit that is exempt.
    for code in EXIT_EXEMPT:
        assert not verdict_of(code, BUY, *cases[code][2:]).allowed


@pytest.mark.parametrize(
    ("held", "selling", "is_exit"),
    [("0.1", "0", True), ("0.2", "0.1", True), ("0.0999", "0", False), ("0.2", "0.11", False)],
)
def test_a_sell_beyond_what_is_held_and_not_yet_being_sold_is_no_exit(
    held: str, selling: str, *, is_exit: bool
) -> None:
    account = replace(ACCOUNT, holdings={"BTC": D(held)}, pending_sells={"BTC": D(selling)})
    limits = replace(
        EVERY,
        max_position_size_pct=D("0.1"),
        max_exposure_per_base_asset_pct=D("0.1"),
        max_open_risk_pct=D("0.1"),
        max_total_positions=0,
    )
    for code in EXIT_EXEMPT:
        verdict = verdict_of(code, replace(BUY, side=Side.SELL), account, limits)
        assert verdict.allowed is is_exit


def test_a_holding_of_another_asset_makes_no_exit() -> None:
    account = replace(ACCOUNT, holdings={"ETH": D(9)})
    limits = replace(GUIDE, max_position_size_pct=D("0.1"))
    sell = replace(BUY, side=Side.SELL)
    assert not verdict_of("max_position_size_pct", sell, account, limits).allowed


# What is no answer.


def test_a_check_that_fails_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> Verdict:
        raise KeyError("mark")

    monkeypatch.setitem(CHECKS, "price_collar_pct", broken)
    denied = denial(judge(BUY, ACCOUNT, GUIDE))
    assert denied == Verdict(
        "price_collar_pct",
        allowed=False,
        message="Guardrail price_collar_pct failed: KeyError('mark')",
    )


def test_judging_that_takes_too_long_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = 0

    def slow(_: object) -> Verdict:
        nonlocal now_ns
        now_ns += 1_000_000_001
        return Verdict("price_collar_pct", allowed=True)

    assert denial(judge(BUY, ACCOUNT, GUIDE, monotonic_ns=lambda: now_ns)) is None
    monkeypatch.setitem(CHECKS, "price_collar_pct", slow)
    assert denial(judge(BUY, ACCOUNT, GUIDE, monotonic_ns=lambda: now_ns)) == Verdict(
        "max_judging_seconds",
        allowed=False,
        message="Judging took 1.00000001 s, max 1 s",
        limit="1",
        value="1.00000001",
    )

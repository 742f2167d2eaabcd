"""Exposure to one asset, what there is to pay with, and what the venue takes at all."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.risk.samples import ACCOUNT, BUY, EVERY, Change, D, denied, selling, verdict_of


def test_exposure_to_an_asset_is_its_holding_what_may_be_paid_for_it_and_this_order() -> None:
    code = "max_exposure_per_base_asset_pct"
    account = replace(ACCOUNT, holdings={"BTC": D("0.06")}, pending_buy_values={"BTC": D(2000)})
    assert verdict_of(code, exposure=account, limits=EVERY).value_text == "10.0"
    more = replace(account, pending_buy_values={"BTC": D("2000.01"), "ETH": D(1)})
    assert verdict_of(code, exposure=more, limits=EVERY) == denied(
        code, "Exposure to BTC 10.1% exceeds max 10.0%", "10.0", "10.1"
    )


def test_exposure_to_an_asset_that_cannot_be_valued_denies() -> None:
    code = "max_exposure_per_base_asset_pct"
    unknown = replace(ACCOUNT, pending_buy_values={"BTC": None})
    assert verdict_of(code, exposure=unknown, limits=EVERY) == denied(
        code, "Asset exposure cannot be told: a holding or working order has no value"
    )
    assert verdict_of(code, replace(BUY, mark=None), limits=EVERY) == denied(
        code, "Asset exposure cannot be told: equity, mark or price missing"
    )


@pytest.mark.parametrize(
    ("owned", "spoken_for", "sentence"),
    [
        ("5055", "0", None),
        ("6000", "945", None),
        ("5054.99", "0", "Order needs 5055 USDT with fees, 5054.99 USDT are free"),
        ("6000", "945.00000001", "Order needs 5055 USDT with fees, 5054.99999999 USDT are free"),
    ],
)
def test_a_buy_needs_its_worst_cost_with_fees(
    owned: str, spoken_for: str, sentence: str | None
) -> None:
    account = replace(
        ACCOUNT, balances={"USDT": D(owned)}, pending_costs={"USDT": D(spoken_for), "EUR": D(99999)}
    )
    verdict = verdict_of("balance_after_fees", exposure=account, limits=EVERY)
    assert (verdict.message or None) == sentence


def test_a_sell_needs_what_is_not_being_sold_yet() -> None:
    account = replace(ACCOUNT, balances={"BTC": D("0.5")}, pending_sells={"BTC": D("0.4")})
    assert verdict_of("balance_after_fees", selling(), account, EVERY).allowed
    more = replace(account, pending_sells={"BTC": D("0.41")})
    assert verdict_of("balance_after_fees", selling(), more, EVERY) == denied(
        "balance_after_fees", "Order needs 0.1 BTC, 0.09 BTC are free", "0.09", "0.1"
    )


@pytest.mark.parametrize(
    ("change", "sentence", "limit", "value"),
    [
        (
            {"qty": D("0.100001")},
            "Quantity 0.100001 is off the step 0.00001",
            "0.00001",
            "0.100001",
        ),
        ({"qty": D(9001)}, "Quantity 9001 is above the venue's 9000", "9000", "9001"),
        (
            {"qty": D("0.00009")},
            "Notional 4.5 USDT is below the venue's 5",
            "5",
            "4.5",
        ),
        (  # the venue goes by the limit, however well the order would fill
            {"limit_price": D(49)},
            "Notional 4.9 USDT is below the venue's 5",
            "5",
            "4.9",
        ),
    ],
)
def test_what_the_venue_would_not_take_is_denied(
    change: Change, sentence: str, limit: str, value: str
) -> None:
    assert verdict_of("venue_minimums", replace(BUY, **change), limits=EVERY) == denied(
        "venue_minimums", sentence, limit, value
    )


def test_a_quantity_below_the_least_is_denied() -> None:
    assert BUY.instrument is not None
    coarse = replace(BUY.instrument, min_qty=D("0.2"))
    assert verdict_of("venue_minimums", replace(BUY, instrument=coarse), limits=EVERY) == denied(
        "venue_minimums", "Quantity 0.1 is below the venue's 0.2", "0.2", "0.1"
    )


@pytest.mark.parametrize("rule", ["qty_step", "min_qty", "max_qty", "min_notional"])
def test_a_rule_of_zero_is_none_and_one_that_is_no_number_denies(rule: str) -> None:
    assert BUY.instrument is not None

    def with_rule(value: Decimal) -> bool:
        changed = replace(BUY.instrument, **{rule: value})  # type: ignore[type-var]
        return verdict_of("venue_minimums", replace(BUY, instrument=changed), limits=EVERY).allowed

    assert with_rule(D(0))
    assert not with_rule(D("NaN"))
    assert not with_rule(D(-1))

"""Simulated accounts: amounts, average cost and realised result, worked out by hand."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.domain.ledger import Cost, Ledger, Payment
from otonom_trader.domain.order import Side
from otonom_trader.domain.symbol import Symbol

BTC = Symbol("BTC", "USDT")


def pay(side: Side, qty: str, price: str, fee: str = "0") -> Payment:
    amount = Decimal(qty)
    return Payment.of_fill(BTC, side, amount, amount * Decimal(price), Decimal(fee))


def test_a_buy_pays_quote_and_its_fee_from_the_base_received() -> None:
    payment = pay(Side.BUY, "2", "100", fee="0.002")
    assert payment.changes == {"BTC": Decimal("1.998"), "USDT": Decimal(-200)}
    assert (payment.symbol, payment.base_change, payment.quote_change) == (
        "BTC-USDT",
        Decimal("1.998"),
        Decimal(-200),
    )


def test_a_sell_pays_base_and_its_fee_from_the_quote_received() -> None:
    payment = pay(Side.SELL, "2", "100", fee="0.2")
    assert payment.changes == {"BTC": Decimal(-2), "USDT": Decimal("199.8")}


def test_average_cost_and_realised_result_by_hand() -> None:
    ledger = Ledger({"USDT": Decimal(1000)})

    # 2 BTC at 100, then 2 at 200: 600 paid for 4, 150 each.
    ledger = ledger.apply(pay(Side.BUY, "2", "100")).apply(pay(Side.BUY, "2", "200"))
    assert ledger.amounts == {"USDT": Decimal(400), "BTC": Decimal(4)}
    assert ledger.costs["BTC-USDT"] == Cost(Decimal(4), Decimal(600), Decimal(0))
    assert ledger.costs["BTC-USDT"].average == 150

    # 1 BTC sold at 180 with a fee of 0.18: 179.82 received for what cost 150.
    ledger = ledger.apply(pay(Side.SELL, "1", "180", fee="0.18"))
    assert ledger.amounts == {"USDT": Decimal("579.82"), "BTC": Decimal(3)}
    assert ledger.costs["BTC-USDT"] == Cost(Decimal(3), Decimal(450), Decimal("29.82"))

    # The other 3 at 140 lose 10 each; nothing is left that could cost anything.
    ledger = ledger.apply(pay(Side.SELL, "3", "140"))
    assert ledger.amounts == {"USDT": Decimal("999.82"), "BTC": Decimal(0)}
    assert ledger.costs["BTC-USDT"] == Cost(Decimal(0), Decimal(0), Decimal("-0.18"))
    assert ledger.costs["BTC-USDT"].average is None


def test_a_fee_taken_in_base_raises_the_cost_of_what_is_left() -> None:
    ledger = Ledger({"USDT": Decimal(100)}).apply(pay(Side.BUY, "1", "100", fee="0.2"))
    assert ledger.costs["BTC-USDT"].average == 125  # 100 paid for 0.8


def test_nothing_is_realised_on_what_was_held_before_the_ledger_began() -> None:
    ledger = Ledger({"BTC": Decimal(5), "USDT": Decimal(100)})
    sold = ledger.apply(pay(Side.SELL, "1", "300"))
    assert sold.costs["BTC-USDT"] == Cost()

    # Of 3 sold at 300 only 1 was bought here, for 100: 200 are realised on that one.
    bought = ledger.apply(pay(Side.BUY, "1", "100"))
    mixed = bought.apply(pay(Side.SELL, "3", "300"))
    assert mixed.costs["BTC-USDT"] == Cost(Decimal(0), Decimal(0), Decimal(200))


def test_an_account_cannot_be_overdrawn() -> None:
    ledger = Ledger({"USDT": Decimal(100)})
    assert ledger.can_pay(pay(Side.BUY, "1", "100"))
    assert not ledger.can_pay(pay(Side.BUY, "1", "100.01"))
    assert not ledger.can_pay(pay(Side.SELL, "0.00001", "100"))
    with pytest.raises(ValueError, match="the account cannot pay for BTC-USDT"):
        ledger.apply(pay(Side.SELL, "1", "100"))


def test_applying_a_payment_leaves_the_earlier_ledger_as_it_was() -> None:
    before = Ledger({"USDT": Decimal(100)})
    before.apply(pay(Side.BUY, "1", "100"))
    assert before == Ledger({"USDT": Decimal(100)})


trades = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.decimals("0.001", "5", places=3),
        st.decimals("1", "100", places=2),
        st.decimals("0", "0.001", places=6),
    ),
    max_size=25,
)


@given(trades)
def test_no_amount_turns_negative_and_cost_explains_every_quote_moved(
    fills: list[tuple[Side, Decimal, Decimal, Decimal]],
) -> None:
    ledger = opening = Ledger({"USDT": Decimal(500)})
    for side, qty, price, fee in fills:
        payment = Payment.of_fill(BTC, side, qty, qty * price, fee)
        if ledger.can_pay(payment):
            ledger = ledger.apply(payment)
    assert all(amount >= 0 for amount in ledger.amounts.values())
    cost = ledger.costs.get("BTC-USDT", Cost())
    # All BTC was bought here: what was spent is what is held plus what was lost.
    assert cost.qty == ledger.amount("BTC")
    spent = opening.amount("USDT") - ledger.amount("USDT")
    assert abs(spent - (cost.total - cost.realised)) < Decimal("1e-18")


@given(st.decimals(0, 10, places=3), st.decimals(0, 10, places=3), st.decimals(0, 10, places=3))
def test_what_goes_by_another_way_takes_its_cost_along(
    qty: Decimal, price: Decimal, gone: Decimal
) -> None:
    cost = Cost(qty, qty * price, Decimal(7))
    left = cost.without(gone)
    assert left.qty == max(qty - gone, 0)
    assert left.realised == cost.realised
    assert abs(left.total - left.qty * price) < Decimal("1e-20")

"""What was ordered and owned before, as a journal tells it at the next start."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.activity import EarlierActivity, EquityMarks
from otonom_trader.domain.compare import ABSENT
from otonom_trader.domain.execution import Outcome
from otonom_trader.domain.intent import Entry, Intent
from otonom_trader.domain.order import (
    Fill,
    OrderRequest,
    OrderResult,
    OrderState,
    OrderStatus,
    Side,
)
from otonom_trader.domain.symbol import Symbol
from otonom_trader.storage import Journal
from otonom_trader.storage.events import KillEvent

D = Decimal
OTHER = AccountKey("live", "elsewhere", "8")


def worth(samples: Any, number: int, notional: str = "50", **changes: Any) -> Entry:
    """The entry of an order of so much in the account currency."""
    intent: Intent = replace(samples.intent(number), notional=D(notional), **changes)
    entry: Entry = replace(samples.entry(number), intent=intent)
    return entry


async def ordered(journal: Journal, samples: Any, *entries: Entry) -> None:
    for entry in entries:
        await journal.record(entry)


async def test_an_account_that_never_ordered_has_no_past(journal: Journal, samples: Any) -> None:
    assert await journal.earlier_activity(samples.account) == EarlierActivity()


async def test_orders_of_the_day_and_of_the_last_minute_are_counted(
    journal: Journal, samples: Any, clock: Any
) -> None:
    long_ago, before = clock.now() - timedelta(seconds=61), clock.now() - timedelta(seconds=59)
    yesterday = clock.now() - timedelta(days=1)
    await ordered(
        journal,
        samples,
        worth(samples, 0, recorded_at=yesterday),
        worth(samples, 1, recorded_at=long_ago),
        worth(samples, 2, "0.5", recorded_at=before),
        worth(samples, 3, account=OTHER),
    )
    earlier = await journal.earlier_activity(samples.account)
    assert earlier.recent == {samples.intent(2).client_order_id: before}
    assert (earlier.orders_today, earlier.notional_today) == (2, D("50.5"))
    assert earlier.last_orders == {"BTC-USDT": before}


async def test_the_day_begins_at_midnight_utc(journal: Journal, samples: Any, clock: Any) -> None:
    clock.time = datetime(2026, 3, 2, 0, 0, 1, tzinfo=UTC)
    last_second = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
    await ordered(journal, samples, worth(samples, 0, recorded_at=last_second))
    earlier = await journal.earlier_activity(samples.account)
    assert (earlier.orders_today, earlier.notional_today) == (0, D(0))
    assert list(earlier.recent.values()) == [last_second]


@pytest.mark.parametrize(
    ("outcome", "state", "ended", "filled", "orders", "notional"),
    [
        (Outcome.FILLED, OrderState.ACCEPTED, True, "0.001", 1, "50"),
        (Outcome.PARTLY_FILLED, OrderState.ACCEPTED, True, "0.0004", 1, "20"),
        (Outcome.UNFILLED, OrderState.ACCEPTED, True, "0", 1, "0"),
        (Outcome.REJECTED, OrderState.REJECTED, True, "0", 1, "0"),
        (Outcome.ABSENT, OrderState.NOT_SENT, True, "0", 1, "0"),
        (Outcome.RESTING, OrderState.ACCEPTED, False, "0.0004", 1, "50"),
        (Outcome.UNKNOWN, OrderState.UNKNOWN, False, "0", 1, "50"),
        (Outcome.NOT_SENT, OrderState.NOT_SENT, True, "0", 0, "0"),
    ],
)
async def test_an_order_counts_by_what_became_of_it(
    journal: Journal,
    samples: Any,
    outcome: Outcome,
    state: OrderState,
    *,
    ended: bool,
    filled: str,
    orders: int,
    notional: str,
) -> None:
    entry = worth(samples, 0)
    assert entry.intent is not None
    await ordered(journal, samples, entry)
    trades = [("1", filled)] if D(filled) else []
    status = OrderStatus.CANCELED if state is OrderState.ACCEPTED else None
    result = samples.result(*trades, state=state, status=status)
    result = replace(result, code=ABSENT if outcome is Outcome.ABSENT else None)
    row = samples.execution(outcome, terminal=ended, broker_qty=filled)
    for _ in range(2):  # told again it counts as before
        await journal.settle(entry.intent, result, row)
    earlier = await journal.earlier_activity(samples.account)
    assert (earlier.orders_today, earlier.notional_today) == (orders, D(notional))
    assert len(earlier.recent) == orders


async def test_marks_are_kept_until_they_are_forgotten(journal: Journal, samples: Any) -> None:
    marks = EquityMarks(date(2026, 3, 1), D("99.5"), D(120))
    await journal.record_equity_marks(samples.account, replace(marks, highest=D(100)))
    await journal.record_equity_marks(samples.account, marks)
    assert (await journal.earlier_activity(samples.account)).marks == marks
    assert (await journal.earlier_activity(OTHER)).marks is None
    await journal.forget_equity_marks()
    assert (await journal.earlier_activity(samples.account)).marks is None


# Losses in a row.


class Seller:
    """Buys one coin for each sale and sells it at a price, in orders that end."""

    def __init__(self, journal: Journal, samples: Any, fee_asset: str = "USDT") -> None:
        self.journal = journal
        self.samples = samples
        self.fee_asset = fee_asset
        self.number = 0

    async def trade(
        self, side: Side, price: str, qty: str = "1", fee: str = "0", quote: str = "USDT"
    ) -> None:
        """One order that fills at once."""
        samples, number = self.samples, self.number
        self.number += 1
        id_ = f"otn-{number}"
        order = OrderRequest("BTCUSDT", side, qty, price, "LIMIT", "IOC", client_order_id=id_)
        intent: Intent = replace(
            samples.intent(number),
            client_order_id=id_,
            order=order,
            symbol=Symbol("BTC", quote),
            reservation=replace(
                samples.intent().reservation, side=side, symbol=Symbol("BTC", quote)
            ),
            fee_pct=D("0.1"),
        )
        await self.journal.record(replace(samples.entry(number), intent=intent))
        amount = D(qty) * D(price)
        fill = Fill(
            f"t{number}", D(price), D(qty), amount, D(fee), self.fee_asset, samples.clock().now()
        )
        result = OrderResult(
            OrderState.ACCEPTED,
            order_id=str(number),
            client_order_id=id_,
            status=OrderStatus.FILLED,
            filled_qty=D(qty),
            quote_qty=amount,
            fills=(fill,),
        )
        row = replace(samples.execution(number=number, broker_qty=qty), side=side)
        await self.journal.settle(intent, result, row)

    async def sell_at(self, price: str, fee: str = "0") -> None:
        """A coin that was bought at 100."""
        await self.trade(Side.BUY, "100")
        await self.trade(Side.SELL, price, fee=fee)

    async def losses(self) -> int:
        return await self.journal.losses_in_a_row(self.samples.account)


async def test_orders_that_sell_below_cost_are_losses_until_one_does_not(
    journal: Journal, samples: Any
) -> None:
    seller = Seller(journal, samples)
    for price, losses in (("99", 1), ("98", 2), ("101", 0), ("99", 1), ("100", 0)):
        await seller.sell_at(price)
        assert await seller.losses() == losses
    assert (await journal.earlier_activity(samples.account)).losses_in_a_row == 0


async def test_cost_is_the_average_of_what_was_bought(journal: Journal, samples: Any) -> None:
    seller = Seller(journal, samples)
    await seller.trade(Side.BUY, "100")
    await seller.trade(Side.BUY, "200")
    await seller.trade(Side.SELL, "149", "0.5")
    assert await seller.losses() == 1
    await seller.trade(Side.SELL, "151", "0.5")
    assert await seller.losses() == 0


@pytest.mark.parametrize(
    ("asset", "fee", "losses"),
    [("USDT", "0.5", 0), ("USDT", "1.5", 1), ("BNB", "0.0001", 0)],
)
async def test_a_fee_belongs_to_what_selling_brings(
    journal: Journal, samples: Any, asset: str, fee: str, losses: int
) -> None:
    seller = Seller(journal, samples, asset)
    await seller.sell_at("101", fee)
    assert await seller.losses() == losses


async def test_a_fee_in_a_third_asset_counts_at_the_taker_fee(
    journal: Journal, samples: Any
) -> None:
    seller = Seller(journal, samples, "BNB")
    await seller.sell_at("100.05", "0.0001")  # 0.1 % of it are 0.10005
    assert await seller.losses() == 1


async def test_what_was_held_before_has_no_cost_and_is_no_loss(
    journal: Journal, samples: Any
) -> None:
    seller = Seller(journal, samples)
    await seller.trade(Side.SELL, "1")
    assert await seller.losses() == 0


async def test_losses_are_counted_anew_once_trading_was_resumed(
    journal: Journal, samples: Any, clock: Any
) -> None:
    seller = Seller(journal, samples)
    await seller.sell_at("99")
    await journal.record_kill(KillEvent(clock.now(), "resume", "looked at it", "test"))
    assert await seller.losses() == 0
    clock.time += timedelta(seconds=1)
    await seller.sell_at("99")
    assert await seller.losses() == 1


async def test_the_past_is_there_after_a_restart(path: Path, samples: Any, clock: Any) -> None:
    async with Journal(path, clock=clock) as journal:
        await Seller(journal, samples).sell_at("99")
        before = await journal.earlier_activity(samples.account)
    async with Journal(path, clock=clock) as journal:
        assert await journal.earlier_activity(samples.account) == before
    assert before.losses_in_a_row == 1
    assert before.orders_today == 2


# What own fills have bought and not sold.


async def test_what_was_bought_is_less_what_was_sold_and_the_fee_in_base(
    journal: Journal, samples: Any
) -> None:
    assert await journal.bought(samples.account) == {}
    seller = Seller(journal, samples, fee_asset="BTC")
    await seller.trade(Side.BUY, "100", "2", fee="0.002")
    assert await journal.bought(samples.account) == {"BTC-USDT": D("1.998")}
    await seller.trade(Side.SELL, "100", "1.998")
    assert await journal.bought(samples.account) == {}
    assert await journal.bought(OTHER) == {}


async def test_what_is_sold_for_another_quote_is_not_left(journal: Journal, samples: Any) -> None:
    seller = Seller(journal, samples)
    await seller.trade(Side.BUY, "100", "2")
    await seller.trade(Side.BUY, "90", "1", quote="EUR")
    await seller.trade(Side.SELL, "91", "1.5", quote="EUR")
    assert await journal.bought(samples.account) == {"BTC-USDT": D("1.5")}
    await seller.trade(Side.SELL, "100", "1.5")
    assert await journal.bought(samples.account) == {}


async def test_what_is_held_no_more_is_forgotten_and_never_remembered(
    journal: Journal, samples: Any
) -> None:
    seller = Seller(journal, samples)
    await seller.trade(Side.BUY, "100", "2")
    await seller.trade(Side.BUY, "90", "1", quote="EUR")
    await journal.forget_gone(samples.account, {"BTC": D(5)})
    assert await journal.bought(samples.account) == {"BTC-EUR": D(1), "BTC-USDT": D(2)}
    await journal.forget_gone(samples.account, {"BTC": D("0.5")})
    assert sum((await journal.bought(samples.account)).values()) == D("0.5")
    await journal.forget_gone(samples.account, {"BTC": D(5)})
    assert sum((await journal.bought(samples.account)).values()) == D("0.5")
    await journal.forget_gone(samples.account, {})
    assert await journal.bought(samples.account) == {}

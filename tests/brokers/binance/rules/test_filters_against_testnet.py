"""What the adapter refuses by itself is what the local venue refuses, and nothing else.

The venue was written from the documentation without the adapter. Both are given random rules and
random orders; where the adapter knows everything, the two must agree to the name of the filter.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otonom_trader.brokers.binance.rules.context import Context
from otonom_trader.brokers.binance.rules.filters import PercentPrice
from otonom_trader.brokers.binance.rules.trading_rules import (
    Rules,
    find_list_violation,
    find_violation,
)
from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.order import OrderRequest, OrderType, Side
from otonom_trader.testnet import LocalTestnet
from tests.brokers.binance.local_venue import (
    SYMBOLS,
    Venue,
    config,
    edges,
    named,
    named_by_venue,
)

D = Decimal
SINGLE = [kind for kind in OrderType if kind is not OrderType.OCO]
CENT = D("0.01")
UNIT = D("0.00000001")

# One drawn number makes many orders: many more of them than if Hypothesis drew each field.
randoms = st.integers(0, 2**32).map(Random)


@pytest.fixture
async def venue(tmp_path: Path) -> AsyncIterator[Venue]:
    async with LocalTestnet(config(tmp_path)) as opened:
        yield Venue(opened)


KINDS: dict[str, dict[str, tuple[Any, ...]]] = {
    "PRICE_FILTER": {
        "minPrice": ("0", "50", "95.5"),
        "maxPrice": ("0", "110", "1000"),
        "tickSize": ("0", "0.01", "0.05", "0.3", "5"),
    },
    "PERCENT_PRICE": {
        "multiplierUp": ("5", "1.1", "1.0303"),
        "multiplierDown": ("0.2", "0.9", "0.97"),
    },
    "PERCENT_PRICE_BY_SIDE": {
        "bidMultiplierUp": ("5", "1.2", "1"),
        "bidMultiplierDown": ("0.2", "0.85"),
        "askMultiplierUp": ("5", "1.15"),
        "askMultiplierDown": ("0.8", "0.9999"),
    },
    "LOT_SIZE": {
        "minQty": ("0", "0.01", "1"),
        "maxQty": ("0", "5", "9000"),
        "stepSize": ("0", "0.00000001", "0.001", "0.03"),
    },
    "MARKET_LOT_SIZE": {
        "minQty": ("0", "0.02"),
        "maxQty": ("0", "3.5"),
        "stepSize": ("0", "0.02"),
    },
    "MIN_NOTIONAL": {"minNotional": ("0", "10", "99.5"), "applyToMarket": (False, True)},
    "NOTIONAL": {
        "minNotional": ("0", "5", "100"),
        "applyMinToMarket": (False, True),
        "maxNotional": ("200", "5000"),
        "applyMaxToMarket": (False, True),
    },
    "ICEBERG_PARTS": {"limit": (1, 2, 10)},
    "TRAILING_DELTA": {
        "minTrailingAboveDelta": (1, 10),
        "maxTrailingAboveDelta": (100, 2000),
        "minTrailingBelowDelta": (1, 20),
        "maxTrailingBelowDelta": (50, 2000),
    },
}
"""Filters on single orders, with figures for each field; the market is around 100."""
AVERAGING = ("PERCENT_PRICE", "PERCENT_PRICE_BY_SIDE", "MIN_NOTIONAL", "NOTIONAL")


@st.composite
def filter_sets(draw: st.DrawFn, target: str, mins: int) -> list[dict[str, Any]]:
    """The target and a few others, in any order."""
    others = draw(st.lists(st.sampled_from(list(KINDS)), unique=True, max_size=4))
    filters = []
    for name in draw(st.permutations(sorted({target, *others}))):
        entry = {field: draw(st.sampled_from(values)) for field, values in KINDS[name].items()}
        if name in AVERAGING:
            entry["avgPriceMins"] = mins
        filters.append({"filterType": name} | entry)
    return filters


class Orders:
    """Makes orders on both sides of every bound that the rules set."""

    def __init__(self, symbol: str, rules: Rules, context: Context) -> None:
        self._symbol = symbol
        self._bounds = {side: [D(50), D("95.5"), D(100), D(110), D(1000)] for side in Side}
        for one in rules.filters:
            for side in Side:
                if isinstance(one, PercentPrice):
                    self._bounds[side] += [end for end in one.allowed(side, context) if end]
        price = context.price_over(next(iter(rules.minutes), None)).low or D(100)
        self._compared = price

    def make(self, random: Random) -> OrderRequest:
        kind, side = random.choice(SINGLE), random.choice(list(Side))
        unit = random.choice((CENT, CENT, UNIT, UNIT / 10))
        price = self._price(random, side, unit) if kind.has_limit else None
        qty = self._qty(random, price or self._compared)
        terms: dict[str, Any] = {}
        if kind.is_stop:
            trails = random.randrange(3)
            if trails != 1:
                terms["stop_price"] = self._price(random, side, unit)
            if trails:
                deltas = (1, 9, 10, 19, 20, 50, 51, 100, 101, 2000, 2001)
                terms["trailing_delta_bps"] = random.choice(deltas)
        finest = random.choice((CENT, UNIT, UNIT, UNIT / 10))
        part = (qty / random.choice((1, 2, 3, 10, 11))).quantize(finest)
        if kind.has_limit and 0 < part <= qty and random.randrange(3) == 0:
            terms["iceberg_qty"] = part
        elif kind is OrderType.LIMIT:
            terms["time_in_force"] = random.choice(("GTC", "IOC", "FOK"))
        return OrderRequest(self._symbol, side, qty, price, kind, **terms)

    def _price(self, random: Random, side: Side, unit: D) -> D:
        bound = random.choice(self._bounds[side]).quantize(unit)
        return random.choice(list(edges(bound, unit=unit)))

    def _qty(self, random: Random, price: D) -> D:
        unit = random.choice((CENT, CENT, UNIT, UNIT / 10))
        size = random.choice((D(1), D(5), D("3.5"), D("0.02"), D("0.03"), None))
        if size is None:
            size = D(random.choice(("5", "10", "99.5", "100", "200", "5000"))) / price
        return random.choice(list(edges(size.quantize(unit), unit=unit)))


def is_left_to_the_venue(order: OrderRequest, name: str) -> bool:
    """What is not documented well enough to be decided here."""
    is_stop_market = order.order_type.is_stop and order.limit_price is None
    return is_stop_market and name in ("MIN_NOTIONAL", "NOTIONAL")


@pytest.mark.parametrize("target", KINDS)
async def test_single_orders_are_judged_as_the_venue_judges_them(venue: Venue, target: str) -> None:
    seen: set[str] = set()

    @settings(max_examples=30, deadline=None)
    @given(st.data())
    def agree(data: st.DataObject) -> None:
        symbol = data.draw(st.sampled_from(SYMBOLS))
        mins = data.draw(st.sampled_from((0, 1, 5)))
        filters = data.draw(filter_sets(target, mins))
        random = data.draw(randoms)
        rules = venue.put(
            symbol,
            filters=filters,
            icebergAllowed=random.randrange(8) > 0,
            allowTrailingStop=random.randrange(8) > 0,
            orderTypes=["LIMIT", "STOP_LOSS"] if random.randrange(9) == 0 else SINGLE,
        )
        context = venue.prices(symbol, mins)
        orders = Orders(symbol, rules, context)
        for _ in range(25):
            order = orders.make(random)
            refusal = venue.place(order, "one", test=True)
            theirs = "" if refusal is None else named_by_venue(refusal)
            assert refusal is None or theirs, refusal
            seen.add(theirs)
            ours = find_violation(rules, order, context)
            if not is_left_to_the_venue(order, theirs):
                assert (named(ours) if ours else "") == theirs, (order, ours, refusal)
            if refusal is None:
                assert_nothing_less_known_is_held_against(order, rules, context, random)

    agree()
    assert {"", target} <= seen


def assert_nothing_less_known_is_held_against(
    order: OrderRequest, rules: Rules, context: Context, random: Random
) -> None:
    """An order that the venue takes passes whatever is not known, or has moved since."""
    prices: dict[str, Any] = {
        name: getattr(context, name) for name in ("reference_price", "average_price", "last_price")
    }
    blank: dict[str, Any] = dict.fromkeys(random.sample(list(prices), random.randrange(4)))
    assert find_violation(rules, order, replace(context, **blank)) is None
    over_others = replace(context, average_price=D(1), average_mins=7)
    assert find_violation(rules, order, over_others) is None
    drift = random.choice((D("0.001"), D("0.05")))
    moved = 1 + random.choice((-1, 0, 1)) * drift / (1 + drift)
    older: dict[str, Any] = {name: (price or ZERO) * moved for name, price in prices.items()}
    assert find_violation(rules, order, replace(context, drift=drift, **older)) is None


COUNTS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "MAX_NUM_ORDERS": ("maxNumOrders", (0, 1, 3)),
    "MAX_NUM_ALGO_ORDERS": ("maxNumAlgoOrders", (0, 1, 2)),
    "MAX_NUM_ICEBERG_ORDERS": ("maxNumIcebergOrders", (0, 1)),
    "MAX_NUM_ORDER_LISTS": ("maxNumOrderLists", (0, 1)),
    # Five were bought at the start, for a fee of 0.005.
    "MAX_POSITION": (
        "maxPosition",
        ("1000000004", "1000000005.995", "1000000007.994", "1000000007.995"),
    ),
}
"""Filters on what works already, tight enough to be met."""


@st.composite
def count_filters(draw: st.DrawFn, target: str) -> tuple[list[dict[str, Any]], ...]:
    """Those of a symbol and of the exchange, with the target among them."""
    drawn = []
    for prefix in ("", "EXCHANGE_"):
        names = draw(st.sets(st.sampled_from(list(COUNTS)), max_size=2))
        if target.startswith("EXCHANGE_") is bool(prefix):
            names = {*names, target.removeprefix(prefix)}
        drawn.append(
            [
                {"filterType": prefix + name, field: draw(st.sampled_from(values))}
                for name in draw(st.permutations(sorted(names)))
                for field, values in [COUNTS[name]]
                if prefix + name != "EXCHANGE_MAX_POSITION"
            ]
        )
    return tuple(drawn)


def passive(random: Random, symbol: str, kind: OrderType | None = None) -> OrderRequest:
    """An order that does not trade: far from the market, which is at 97 to 103."""
    kind = kind or random.choice([kind for kind in SINGLE if kind is not OrderType.MARKET])
    side = random.choice(list(Side))
    price = (D(80) if side is Side.BUY else D(130)) if kind.has_limit else None
    terms: dict[str, Any] = {}
    if kind.is_stop:
        is_loss = kind in (OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT)
        terms["stop_price"] = D(140) if is_loss is (side is Side.BUY) else D(70)
    extra = random.randrange(3)
    if kind.has_limit and extra == 1:
        terms["iceberg_qty"] = D(1)
    elif kind is OrderType.LIMIT and extra == 2:
        terms["time_in_force"] = "IOC"
    return OrderRequest(symbol, side, random.choice((D(1), D("2.5"), D(3))), price, kind, **terms)


def pair_to_sell(random: Random, symbol: str) -> list[OrderRequest]:
    qty = random.choice((D(1), D(2)))
    return [
        OrderRequest(symbol, "SELL", qty, 130, "LIMIT_MAKER"),
        OrderRequest(symbol, "SELL", qty, None, "STOP_LOSS", stop_price=70),
    ]


@pytest.mark.parametrize(
    "target", [*COUNTS, *(f"EXCHANGE_{name}" for name in COUNTS if name != "MAX_POSITION")]
)
async def test_what_works_already_is_counted_as_the_venue_counts_it(
    venue: Venue, target: str
) -> None:
    seen: set[str] = set()
    numbers = iter(range(10**9))

    @settings(max_examples=12, deadline=None)
    @given(count_filters(target), randoms, st.integers(0, 5))
    def agree(filters: tuple[list[dict[str, Any]], ...], random: Random, closed: int) -> None:
        venue.cancel_all()
        venue.put_exchange_filters(filters[1])
        status = {1: "HALT", 2: "CANCEL_ONLY"}.get(closed, "TRADING")
        venue.put(SYMBOLS[0], filters=filters[0], status=status)
        venue.put(SYMBOLS[1], filters=[])
        for _ in range(10):
            symbol = SYMBOLS[random.randrange(5) == 0]
            rules, context = venue.rules(symbol), venue.context(symbol, 5)
            placed = [passive(random, symbol)]
            if random.randrange(5) == 0:
                placed = pair_to_sell(random, symbol)
                ours = find_list_violation(rules, placed, context)
                refusal = venue.place_pair(*placed)
            else:
                ours = find_violation(rules, placed[0], context)
                refusal = venue.place(placed[0], f"n{next(numbers)}")
            theirs = "" if refusal is None else named_by_venue(refusal)
            assert refusal is None or theirs, refusal
            seen.add(theirs)
            counts_what_never_rests = not placed[0].may_rest and theirs.endswith("MAX_NUM_ORDERS")
            if not counts_what_never_rests:
                assert (named(ours) if ours else "") == theirs, (placed, ours, refusal)
            unknown = find_violation(rules, placed[0])
            assert unknown is None or status != "TRADING"

    agree()
    assert {"", target} <= seen

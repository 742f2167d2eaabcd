"""Between which prices a venue takes a limit order, and trades it. Pure.

Source: binance-facts.md, section 6 (PERCENT_PRICE, PERCENT_PRICE_BY_SIDE, executionRules).
"""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from otonom_trader.brokers.binance.rules.context import Context
from otonom_trader.brokers.binance.rules.filters import PercentPrice
from otonom_trader.brokers.binance.rules.trading_rules import Rules
from otonom_trader.brokers.binance.wire import ExecutionRule, number
from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.market import PriceLimits, PriceRange
from otonom_trader.domain.order import Side

PRICE_RANGE = "PRICE_RANGE"


class ExecutionRange(NamedTuple):
    """How far from the reference price a symbol trades, by the taker's side, as multiples of it.

    An end that is None is open.
    """

    bid: PriceRange = PriceRange()
    ask: PriceRange = PriceRange()

    def around(self, reference_price: Decimal, side: Side) -> PriceRange:
        """Return at which prices an order of `side` trades."""
        down, up = self.bid if side is Side.BUY else self.ask
        return PriceRange(
            None if down is None else reference_price * down,
            None if up is None else reference_price * up,
        )


def parse_execution_range(rules: Iterable[ExecutionRule]) -> ExecutionRange:
    """Read the rule of type PRICE_RANGE; without one nothing is bounded."""
    for rule in rules:
        if rule.rule_type == PRICE_RANGE:
            return ExecutionRange(
                bid=PriceRange(_factor(rule.bid_limit_mult_down), _factor(rule.bid_limit_mult_up)),
                ask=PriceRange(_factor(rule.ask_limit_mult_down), _factor(rule.ask_limit_mult_up)),
            )
    return ExecutionRange()


def price_limits(
    rules: Rules, context: Context, execution: ExecutionRange | None
) -> PriceLimits | None:
    """Return the limit prices that pass the filters and then trade; None where nothing bounds them.

    By the prices as they were read, whatever they may have moved since.
    """
    exact = replace(context, drift=ZERO)
    filters = [one for one in rules.filters if isinstance(one, PercentPrice)]
    reference = context.reference_price

    def of(side: Side) -> PriceRange:
        ranges = [one.allowed(side, exact) for one in filters]
        if reference and execution is not None:
            ranges.append(execution.around(reference, side))
        return PriceRange(
            low=max((low for low, _ in ranges if low is not None), default=None),
            high=min((high for _, high in ranges if high is not None), default=None),
        )

    limits = PriceLimits(of(Side.BUY), of(Side.SELL))
    return None if limits == (PriceRange(), PriceRange()) else limits


def _factor(text: str | None) -> Decimal | None:
    return None if text is None else number(text)

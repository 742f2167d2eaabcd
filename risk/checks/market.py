"""What the market would make of an order."""

from decimal import Decimal

from otonom_trader.domain.amount import HUNDRED
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.case import Case
from otonom_trader.risk.soundness import sound, sound_or_zero
from otonom_trader.risk.verdicts import allow, at_most, deny, shown_limit, tenths, within


def price_collar_pct(case: Case) -> Verdict:
    """How far through the market a limit price may reach; passive prices are free."""
    code, limit = "price_collar_pct", case.limits.price_collar_pct
    if case.proposal.limit_price is None:
        return within(code, shown_limit(tenths, limit))
    price, reference = sound(case.proposal.limit_price), case.reference
    if price is None:
        return deny(code, "The limit price is not above zero")
    if reference is None:
        return deny(code, f"No opposite quote for {case.proposal.symbol}")
    reach = _worse_pct(case, price, reference)
    return at_most(code, reach, limit, "Price reaches {}% through the market, max {}%", tenths)


def max_expected_slippage_pct(case: Case) -> Verdict:
    """How much worse than the best quote the order would fill, by what it would take at once."""
    code, limit = "max_expected_slippage_pct", case.limits.max_expected_slippage_pct
    if limit is None:
        return allow(code)
    proposal, walk, reference = case.proposal, case.proposal.walk, case.reference
    if walk is None or reference is None:
        return deny(code, f"Expected slippage cannot be told: no book of {proposal.symbol}")
    taken = sound_or_zero(walk.qty)
    if taken is None or sound_or_zero(walk.quote_qty) is None:
        return deny(code, f"Expected slippage cannot be told: no price for {proposal.symbol}")
    if not taken:
        return within(code, shown_limit(tenths, limit), "0.0")
    price = sound(walk.avg_price)
    if price is None:
        return deny(code, f"Expected slippage cannot be told: no price for {proposal.symbol}")
    if taken < proposal.qty and proposal.limit_price is None:
        text = f"Expected slippage cannot be told: the book of {proposal.symbol} is too thin"
        return deny(code, text, shown_limit(tenths, limit))
    slippage = _worse_pct(case, price, reference)
    return at_most(code, slippage, limit, "Expected slippage {}% exceeds max {}%", tenths)


def max_spread_pct(case: Case) -> Verdict:
    """How far apart the best bid and the best ask may be, in percent of their middle."""
    code, limit = "max_spread_pct", case.limits.max_spread_pct
    if limit is None:
        return allow(code)
    bid, ask = sound(case.proposal.bid), sound(case.proposal.ask)
    if bid is None or ask is None or ask < bid:
        return deny(code, f"No spread can be told for {case.proposal.symbol}")
    spread = (ask - bid) / (ask + bid) * 200
    return at_most(code, spread, limit, "Spread {}% exceeds max {}%", tenths)


def _worse_pct(case: Case, price: Decimal, reference: Decimal) -> Decimal:
    """Return how much worse an order is off at `price` than at `reference`, in percent of it."""
    return case.proposal.side.sign * (price - reference) / reference * HUNDRED

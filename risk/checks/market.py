"""What the market would make of an order."""

from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.case import Case
from otonom_trader.risk.verdicts import allow, at_most, deny, is_sound, tenths


def price_collar_pct(case: Case) -> Verdict:
    """How far through the market a limit price may reach; passive prices are free."""
    limit, price = case.limits.price_collar_pct, case.proposal.limit_price
    reference, side = case.proposal.reference, case.proposal.side
    if price is None:
        return allow("price_collar_pct", tenths(limit))
    if not is_sound(price):
        return deny("price_collar_pct", "The limit price is not above zero")
    if reference is None or not is_sound(reference):
        return deny("price_collar_pct", f"No opposite quote for {case.proposal.symbol}")
    reach = side.sign * (price - reference) / reference * 100
    sentence = "Price reaches {}% through the market, max {}%"
    return at_most("price_collar_pct", reach, limit, sentence, tenths)


def max_expected_slippage_pct(case: Case) -> Verdict:
    """How much worse than the best quote the order would fill, by what it would take at once."""
    code, limit = "max_expected_slippage_pct", case.limits.max_expected_slippage_pct
    if limit is None:
        return allow(code)
    proposal, walk, reference = case.proposal, case.proposal.walk, case.proposal.reference
    if walk is None or reference is None or not is_sound(reference):
        return deny(code, f"Expected slippage cannot be told: no book of {proposal.symbol}")
    if not (is_sound(walk.qty, ZERO) and is_sound(walk.quote_qty, ZERO)):
        return deny(code, f"Expected slippage cannot be told: no price for {proposal.symbol}")
    price = walk.avg_price
    if price is None:
        return allow(code, tenths(limit), tenths(ZERO))
    if not is_sound(price):
        return deny(code, f"Expected slippage cannot be told: no price for {proposal.symbol}")
    if walk.qty < proposal.qty and proposal.limit_price is None:
        text = f"Expected slippage cannot be told: the book of {proposal.symbol} is too thin"
        return deny(code, text, tenths(limit))
    slippage = proposal.side.sign * (price - reference) / reference * 100
    return at_most(code, slippage, limit, "Expected slippage {}% exceeds max {}%", tenths)


def max_spread_pct(case: Case) -> Verdict:
    """How far apart the best bid and the best ask may be, in percent of their middle."""
    limit, bid, ask = case.limits.max_spread_pct, case.proposal.bid, case.proposal.ask
    if limit is None:
        return allow("max_spread_pct")
    if bid is None or ask is None or not (is_sound(bid) and is_sound(ask, least=bid)):
        return deny("max_spread_pct", f"No spread can be told for {case.proposal.symbol}")
    spread = (ask - bid) / (ask + bid) * 200
    return at_most("max_spread_pct", spread, limit, "Spread {}% exceeds max {}%", tenths)

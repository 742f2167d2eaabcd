"""How much: of one order, of one asset, of all together, and of what is there to pay with."""

from otonom_trader.domain.amount import ZERO, is_multiple, plain
from otonom_trader.domain.order import Side
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.case import Case
from otonom_trader.risk.verdicts import (
    allow,
    at_most,
    at_most_count,
    cents,
    deny,
    fine,
    is_sound,
    shown_limit,
    tenths,
)


def max_notional_per_order(case: Case) -> Verdict:
    """The order's notional, in the account currency; it must be known even without a limit."""
    limit, notional = case.limits.max_notional_per_order, case.proposal.notional
    if notional is None or not is_sound(notional):
        return no_notional(case, "max_notional_per_order")
    if limit is None:
        return allow("max_notional_per_order")
    sentence = "Order notional ${} exceeds max ${}"
    return at_most("max_notional_per_order", notional, limit, sentence, cents)


def require_confirmation_above(case: Case) -> Verdict:
    """Orders above this notional need a person's confirmation of about that notional."""
    limit, notional = case.limits.require_confirmation_above, case.proposal.notional
    if limit is None:
        return allow("require_confirmation_above")
    if notional is None or not is_sound(notional):
        return no_notional(case, "require_confirmation_above")
    confirmed = case.proposal.confirmed
    if confirmed is not None and confirmed.least <= notional <= confirmed.most:
        return allow("require_confirmation_above", cents(limit), cents(notional))
    sentence = "Order notional ${} requires confirmation above ${}"
    return at_most("require_confirmation_above", notional, limit, sentence, cents)


def max_position_size_pct(case: Case) -> Verdict:
    """Holding, orders that may still buy and this order, at the mark, in percent of equity."""
    limit = case.limits.max_position_size_pct
    if limit is None or case.is_exit:
        return allow("max_position_size_pct")
    equity, mark = case.exposure.equity, case.proposal.mark
    if equity is None or mark is None or not (is_sound(equity) and is_sound(mark)):
        return deny("max_position_size_pct", "Position size cannot be told: equity or mark missing")
    base = case.proposal.symbol.base
    held = case.exposure.holdings.get(base, ZERO)
    pending = case.exposure.pending_buys.get(base, ZERO)
    if not (is_sound(held, least=ZERO) and is_sound(pending, least=ZERO)):
        return deny("max_position_size_pct", "Position size cannot be told: holding unsound")
    size = (held + pending + case.proposal.qty) * mark / equity * 100
    sentence = "Position size {}% exceeds max {}%"
    return at_most("max_position_size_pct", size, limit, sentence, tenths)


def max_exposure_per_base_asset_pct(case: Case) -> Verdict:
    """A base asset's holding at the mark, what may still be paid for it in any quote, this order.

    Position size counts quantities at the mark; this counts money at its worst.
    """
    code, limit = "max_exposure_per_base_asset_pct", case.limits.max_exposure_per_base_asset_pct
    if limit is None or case.is_exit:
        return allow(code)
    equity, mark, notional = case.exposure.equity, case.proposal.mark, case.proposal.notional
    if equity is None or mark is None or notional is None:
        return deny(code, "Asset exposure cannot be told: equity, mark or price missing")
    base = case.proposal.symbol.base
    held = case.exposure.holdings.get(base, ZERO)
    pending = case.exposure.pending_buy_values.get(base, ZERO)
    sound = is_sound(equity) and is_sound(mark) and is_sound(notional)
    if pending is None or not (sound and is_sound(held, ZERO) and is_sound(pending, ZERO)):
        return deny(code, "Asset exposure cannot be told: a holding or working order has no value")
    exposure = (held * mark + pending + notional) / equity * 100
    return at_most(code, exposure, limit, f"Exposure to {base} {{}}% exceeds max {{}}%", tenths)


def max_open_risk_pct(case: Case) -> Verdict:
    """All positions, orders that may still buy and this order, in percent of equity."""
    limit = case.limits.max_open_risk_pct
    if limit is None or case.is_exit:
        return allow("max_open_risk_pct")
    equity, notional = case.exposure.equity, case.proposal.notional
    if equity is None or notional is None or not (is_sound(equity) and is_sound(notional)):
        return deny("max_open_risk_pct", "Open risk cannot be told: equity or price missing")
    held, pending = case.exposure.positions_value, case.exposure.pending_buy_value
    if pending is None or not (is_sound(held, least=ZERO) and is_sound(pending, least=ZERO)):
        text = "Open risk cannot be told: a holding or working order has no value"
        return deny("max_open_risk_pct", text)
    risk = (held + pending + notional) / equity * 100
    return at_most("max_open_risk_pct", risk, limit, "Open risk {}% exceeds max {}%", tenths)


def max_total_positions(case: Case) -> Verdict:
    """Positions held, being bought, and opened by this order."""
    limit = case.limits.max_total_positions
    if limit is None or case.is_exit:
        return allow("max_total_positions")
    if not is_sound(case.exposure.equity):
        return deny("max_total_positions", "Positions cannot be told: account or mark missing")
    held, bought = case.exposure.positions, {*case.exposure.pending_buys, case.proposal.symbol.base}
    total = len(held) + len(bought - held)
    return at_most_count("max_total_positions", total, limit, "Total positions {} exceeds max {}")


def balance_after_fees(case: Case) -> Verdict:
    """What an order pays at its worst, fees included, must be there and not be spoken for."""
    code, proposal, exposure = "balance_after_fees", case.proposal, case.exposure
    if not case.limits.balance_after_fees:
        return allow(code)
    buys = proposal.side is Side.BUY
    asset = proposal.symbol.quote if buys else proposal.symbol.base
    spoken_for = exposure.pending_costs if buys else exposure.pending_sells
    owned, pending = exposure.balances.get(asset, ZERO), spoken_for.get(asset, ZERO)
    price = proposal.worst_price
    if not (is_sound(owned, ZERO) and is_sound(pending, ZERO)):
        return deny(code, f"The balance of {asset} cannot be told")
    if price is None or not (is_sound(price) and is_sound(proposal.qty)):
        return deny(code, f"What the order needs of {asset} cannot be told")
    needed = proposal.qty * price if buys else proposal.qty
    kind = f"Order needs {{}} {asset}{' with fees' if buys else ''}, {{}} {asset} are free"
    return at_most(code, needed, owned - pending, kind, fine)


def venue_minimums(case: Case) -> Verdict:
    """Quantity and notional must be what the venue takes at all."""
    code, proposal, rules = "venue_minimums", case.proposal, case.proposal.instrument
    if not case.limits.venue_minimums:
        return allow(code)
    qty, price = proposal.qty, proposal.price
    if rules is None or not (
        is_sound(rules.qty_step, ZERO)
        and is_sound(rules.min_qty, ZERO)
        and is_sound(rules.max_qty, ZERO)
        and is_sound(rules.min_notional, ZERO)
    ):
        return deny(code, f"The venue's rules for {proposal.symbol} are not known")
    if price is None or not (is_sound(qty) and is_sound(price)):
        return deny(code, f"Order notional cannot be told: no price for {proposal.symbol}")
    if not is_multiple(qty, rules.qty_step):
        step = plain(rules.qty_step)
        return deny(code, f"Quantity {plain(qty)} is off the step {step}", step, plain(qty))
    if qty < rules.min_qty:
        least = plain(rules.min_qty)
        return deny(code, f"Quantity {plain(qty)} is below the venue's {least}", least, plain(qty))
    if rules.max_qty and qty > rules.max_qty:
        most = plain(rules.max_qty)
        return deny(code, f"Quantity {plain(qty)} is above the venue's {most}", most, plain(qty))
    notional = qty * min(price, proposal.limit_price or price)
    least = shown_limit(fine, rules.min_notional)
    if notional < rules.min_notional:
        text = f"Notional {fine(notional)} {proposal.symbol.quote} is below the venue's {least}"
        return deny(code, text, least, fine(notional))
    return allow(code, least, fine(notional))


def no_notional(case: Case, code: str) -> Verdict:
    """Return the verdict on an order of which it is not known what it is worth."""
    if case.proposal.rate is None:
        quote = case.proposal.symbol.quote
        return deny("no_conversion", f"No conversion from {quote} into the account currency")
    return deny(code, f"Order notional cannot be told: no price for {case.proposal.symbol}")

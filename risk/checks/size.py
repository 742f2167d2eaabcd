"""How much: of one order, of one asset, of all together, and of what is there to pay with."""

from decimal import ROUND_FLOOR

from otonom_trader.domain.amount import HUNDRED, ZERO, is_multiple, plain
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.case import Case
from otonom_trader.risk.soundness import sound, sound_or_zero
from otonom_trader.risk.verdicts import (
    allow,
    at_least,
    at_most,
    at_most_count,
    cents,
    deny,
    fine,
    shown_limit,
    tenths,
    within,
)


def max_notional_per_order(case: Case) -> Verdict:
    """The order's notional, in the account currency; it must be known even without a limit."""
    code, limit = "max_notional_per_order", case.limits.max_notional_per_order
    if case.notional is None:
        return no_notional(case, code)
    if limit is None:
        return allow(code)
    return at_most(code, case.notional, limit, "Order notional ${} exceeds max ${}", cents)


def require_confirmation_above(case: Case) -> Verdict:
    """Orders above this notional need a person's confirmation of about that notional."""
    code, limit = "require_confirmation_above", case.limits.require_confirmation_above
    if limit is None:
        return allow(code)
    notional, confirmed = case.notional, case.proposal.confirmed
    if notional is None:
        return no_notional(case, code)
    if confirmed is not None and confirmed.least <= notional <= confirmed.most:
        return within(code, shown_limit(cents, limit), notional, cents)
    sentence = "Order notional ${} requires confirmation above ${}"
    return at_most(code, notional, limit, sentence, cents)


def max_position_size_pct(case: Case) -> Verdict:
    """Holding, orders that may still buy and this order, at the mark, in percent of equity."""
    code, limit = "max_position_size_pct", case.limits.max_position_size_pct
    if limit is None or case.is_exit:
        return allow(code)
    if case.equity is None or case.mark is None:
        return deny(code, "Position size cannot be told: equity or mark missing")
    base = case.proposal.symbol.base
    held = sound_or_zero(case.exposure.holdings.get(base, ZERO))
    pending = sound_or_zero(case.exposure.pending_buys.get(base, ZERO))
    if case.qty is None or held is None or pending is None:
        return deny(code, "Position size cannot be told: quantity or holding unsound")
    size = (held + pending + case.qty) * case.mark / case.equity * HUNDRED
    return at_most(code, size, limit, "Position size {}% exceeds max {}%", tenths)


def max_exposure_per_base_asset_pct(case: Case) -> Verdict:
    """A base asset's holding at the mark, what may still be paid for it in any quote, this order.

    Position size counts quantities at the mark; this counts money at its worst.
    """
    code, limit = "max_exposure_per_base_asset_pct", case.limits.max_exposure_per_base_asset_pct
    if limit is None or case.is_exit:
        return allow(code)
    if case.equity is None or case.mark is None or case.notional is None:
        return deny(code, "Asset exposure cannot be told: equity, mark or price missing")
    base = case.proposal.symbol.base
    held = sound_or_zero(case.exposure.holdings.get(base, ZERO))
    pending = sound_or_zero(case.exposure.pending_buy_values.get(base, ZERO))
    if held is None or pending is None:
        return deny(code, "Asset exposure cannot be told: a holding or working order has no value")
    exposure = (held * case.mark + pending + case.notional) / case.equity * HUNDRED
    sentence = "Exposure to {2} {0}% exceeds max {1}%"
    return at_most(code, exposure, limit, sentence, tenths, base)


def max_open_risk_pct(case: Case) -> Verdict:
    """All positions, orders that may still buy and this order, in percent of equity."""
    code, limit = "max_open_risk_pct", case.limits.max_open_risk_pct
    if limit is None or case.is_exit:
        return allow(code)
    if case.equity is None or case.notional is None:
        return deny(code, "Open risk cannot be told: equity or price missing")
    held = sound_or_zero(case.exposure.positions_value)
    pending = sound_or_zero(case.exposure.pending_buy_value)
    if held is None or pending is None:
        return deny(code, "Open risk cannot be told: a holding or working order has no value")
    risk = (held + pending + case.notional) / case.equity * HUNDRED
    return at_most(code, risk, limit, "Open risk {}% exceeds max {}%", tenths)


def max_total_positions(case: Case) -> Verdict:
    """Positions held, being bought, and opened by this order."""
    code, limit = "max_total_positions", case.limits.max_total_positions
    if limit is None or case.is_exit:
        return allow(code)
    if case.equity is None:
        return deny(code, "Positions cannot be told: account or mark missing")
    held, bought = case.exposure.positions, {*case.exposure.pending_buys, case.proposal.symbol.base}
    total = len(held) + len(bought - held)
    return at_most_count(code, total, limit, "Total positions {} exceeds max {}")


def balance_after_fees(case: Case) -> Verdict:
    """What an order pays at its worst, fees included, must be there and not be spoken for."""
    code, symbol, exposure = "balance_after_fees", case.proposal.symbol, case.exposure
    if not case.limits.balance_after_fees:
        return allow(code)
    if case.sells:
        asset, spoken_for, fees = symbol.base, exposure.pending_sells, ""
    else:
        asset, spoken_for, fees = symbol.quote, exposure.pending_costs, " with fees"
    owned = sound_or_zero(exposure.balances.get(asset, ZERO))
    pending = sound_or_zero(spoken_for.get(asset, ZERO))
    if owned is None or pending is None:
        return deny(code, f"The balance of {asset} cannot be told")
    price, qty = sound(case.proposal.worst_price), case.qty
    if price is None or qty is None:
        return deny(code, f"What the order needs of {asset} cannot be told")
    needed, free = qty if case.sells else qty * price, owned - pending
    most = fine(free, ROUND_FLOOR)
    if needed <= free:
        return within(code, most, needed, fine)
    got = fine(needed)
    return deny(code, f"Order needs {got} {asset}{fees}, {most} {asset} are free", most, got)


def venue_minimums(case: Case) -> Verdict:
    """Quantity and notional must be what the venue takes at all."""
    code, symbol, rules = "venue_minimums", case.proposal.symbol, case.proposal.instrument
    if not case.limits.venue_minimums:
        return allow(code)
    if rules is None or (
        sound_or_zero(rules.qty_step) is None
        or sound_or_zero(rules.min_qty) is None
        or sound_or_zero(rules.max_qty) is None
        or sound_or_zero(rules.min_notional) is None
    ):
        return deny(code, f"The venue's rules for {symbol} are not known")
    qty, price = case.qty, case.price
    if qty is None or price is None:
        return deny(code, f"Order notional cannot be told: no price for {symbol}")
    if not is_multiple(qty, rules.qty_step):
        step = plain(rules.qty_step)
        return deny(code, f"Quantity {plain(qty)} is off the step {step}", step, plain(qty))
    if qty < rules.min_qty:
        least = plain(rules.min_qty)
        return deny(code, f"Quantity {plain(qty)} is below the venue's {least}", least, plain(qty))
    if rules.max_qty and qty > rules.max_qty:
        most = plain(rules.max_qty)
        return deny(code, f"Quantity {plain(qty)} is above the venue's {most}", most, plain(qty))
    notional = qty * min(price, case.proposal.limit_price or price)
    sentence = "Notional {0} {2} is below the venue's {1}"
    return at_least(code, notional, rules.min_notional, sentence, fine, symbol.quote)


def no_notional(case: Case, code: str) -> Verdict:
    """Return the verdict on an order of which it is not known what it is worth."""
    if case.proposal.rate is None:
        quote = case.proposal.symbol.quote
        return deny("no_conversion", f"No conversion from {quote} into the account currency")
    return deny(code, f"Order notional cannot be told: no price for {case.proposal.symbol}")

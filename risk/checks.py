"""The guardrails: each a small pure function, and the list of them.

To add one: write the function here, name it in `CHECKS` after the limit it enforces.
Source: the guide, "Risk Guardrails"; contract.md, "Formulas" and "Messages kept word for word".
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from otonom_trader.domain.amount import ZERO, plain
from otonom_trader.domain.order import Side
from otonom_trader.domain.symbol import names_symbol
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.exposure import Exposure, Proposal
from otonom_trader.risk.limits import RiskGuardrails

_CENT, _TENTH = Decimal("0.01"), Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Case:
    """All that a guardrail may look at; `halted` is why trading is stopped, None when it is not."""

    proposal: Proposal
    exposure: Exposure
    limits: RiskGuardrails
    halted: str | None = None

    @property
    def is_exit(self) -> bool:
        """Whether the order only sells what is held and not yet being sold."""
        base, held = self.proposal.symbol.base, self.exposure.holdings
        selling = self.exposure.pending_sells.get(base, ZERO) + self.proposal.qty
        return self.proposal.side is Side.SELL and selling <= held.get(base, ZERO)


Check = Callable[[Case], Verdict]


def kill_switch(case: Case) -> Verdict:
    """Nothing passes while trading is halted."""
    if case.limits.kill_switch:
        return _deny("kill_switch", "Kill switch is active: kill_switch is true in broker.yaml")
    if case.halted is not None:
        return _deny("kill_switch", f"Kill switch is active: {case.halted}")
    return _allow("kill_switch")


def symbol_blacklist(case: Case) -> Verdict:
    """A listed symbol, or any symbol of a listed base asset, never trades."""
    symbol = case.proposal.symbol
    for entry in case.limits.symbol_blacklist:
        if names_symbol(entry, symbol):
            return _deny("symbol_blacklist", f"Symbol {symbol} is blacklisted", entry, str(symbol))
    return _allow("symbol_blacklist")


def max_price_age_seconds(case: Case) -> Verdict:
    """The price must be known and fresh."""
    limit, age = case.limits.max_price_age_seconds, case.proposal.price_age_seconds
    price = case.proposal.price
    if age is None or not _sound(price) or not _sound(age, least=ZERO):
        return _deny("no_price", f"No price for {case.proposal.symbol}")
    return _at_most("max_price_age_seconds", age, limit, "Price is {} s old, max {} s", _seconds)


def max_account_age_seconds(case: Case) -> Verdict:
    """Balances and equity must be known and fresh."""
    limit, age = case.limits.max_account_age_seconds, case.exposure.age_seconds
    if age is None or not _sound(age, least=ZERO):
        return _deny("no_account", "Account balances are not known")
    if age <= limit and not _sound(case.exposure.equity):
        return _deny("no_equity", "Equity is not known")
    sentence = "Account balances are {} s old, max {} s"
    return _at_most("max_account_age_seconds", age, limit, sentence, _seconds)


def max_decision_age_seconds(case: Case) -> Verdict:
    """A decision must be young; an order placed by hand has no age."""
    limit, age = case.limits.max_decision_age_seconds, case.proposal.decision_age_seconds
    if age is None:
        return _allow("max_decision_age_seconds", _seconds(limit))
    if not age.is_finite():
        return _deny("max_decision_age_seconds", "The age of the decision cannot be told")
    sentence = "Decision is {} s old, max {} s"
    return _at_most("max_decision_age_seconds", age, limit, sentence, _seconds)


def max_notional_per_order(case: Case) -> Verdict:
    """The order's notional, in the account currency; it must be known even without a limit."""
    limit, notional = case.limits.max_notional_per_order, case.proposal.notional
    if notional is None or not _sound(notional):
        return _no_notional(case, "max_notional_per_order")
    if limit is None:
        return _allow("max_notional_per_order")
    sentence = "Order notional ${} exceeds max ${}"
    return _at_most("max_notional_per_order", notional, limit, sentence, _cents)


def require_confirmation_above(case: Case) -> Verdict:
    """Orders above this notional need a person's confirmation, which cannot be given yet."""
    limit, notional = case.limits.require_confirmation_above, case.proposal.notional
    if limit is None:
        return _allow("require_confirmation_above")
    if notional is None or not _sound(notional):
        return _no_notional(case, "require_confirmation_above")
    sentence = "Order notional ${} requires confirmation above ${}"
    return _at_most("require_confirmation_above", notional, limit, sentence, _cents)


def max_position_size_pct(case: Case) -> Verdict:
    """Holding, orders that may still buy and this order, at the mark, in percent of equity."""
    limit = case.limits.max_position_size_pct
    if limit is None or case.is_exit:
        return _allow("max_position_size_pct")
    equity, mark = case.exposure.equity, case.proposal.mark
    if equity is None or mark is None or not (_sound(equity) and _sound(mark)):
        return _deny(
            "max_position_size_pct", "Position size cannot be told: equity or mark missing"
        )
    base = case.proposal.symbol.base
    held = case.exposure.holdings.get(base, ZERO)
    pending = case.exposure.pending_buys.get(base, ZERO)
    if not (_sound(held, least=ZERO) and _sound(pending, least=ZERO)):
        return _deny("max_position_size_pct", "Position size cannot be told: holding unsound")
    size = (held + pending + case.proposal.qty) * mark / equity * 100
    sentence = "Position size {}% exceeds max {}%"
    return _at_most("max_position_size_pct", size, limit, sentence, _tenths)


def max_open_risk_pct(case: Case) -> Verdict:
    """All positions, orders that may still buy and this order, in percent of equity."""
    limit = case.limits.max_open_risk_pct
    if limit is None or case.is_exit:
        return _allow("max_open_risk_pct")
    equity, notional = case.exposure.equity, case.proposal.notional
    if equity is None or notional is None or not (_sound(equity) and _sound(notional)):
        return _deny("max_open_risk_pct", "Open risk cannot be told: equity or price missing")
    held, pending = case.exposure.positions_value, case.exposure.pending_buy_value
    if pending is None or not (_sound(held, least=ZERO) and _sound(pending, least=ZERO)):
        text = "Open risk cannot be told: a holding or working order has no value"
        return _deny("max_open_risk_pct", text)
    risk = (held + pending + notional) / equity * 100
    return _at_most("max_open_risk_pct", risk, limit, "Open risk {}% exceeds max {}%", _tenths)


def max_total_positions(case: Case) -> Verdict:
    """Positions held, being bought, and opened by this order."""
    limit = case.limits.max_total_positions
    if limit is None or case.is_exit:
        return _allow("max_total_positions")
    if not _sound(case.exposure.equity):
        return _deny("max_total_positions", "Positions cannot be told: account or mark missing")
    held, bought = case.exposure.positions, {*case.exposure.pending_buys, case.proposal.symbol.base}
    total = len(held) + len(bought - held)
    if total > limit:
        text = f"Total positions {total} exceeds max {limit}"
        return _deny("max_total_positions", text, str(limit), str(total))
    return _allow("max_total_positions", str(limit), str(total))


def price_collar_pct(case: Case) -> Verdict:
    """How far through the market a limit price may reach; passive prices are free."""
    limit, price = case.limits.price_collar_pct, case.proposal.limit_price
    reference, side = case.proposal.reference, case.proposal.side
    if price is None:
        return _allow("price_collar_pct", _tenths(limit))
    if not _sound(price):
        return _deny("price_collar_pct", "The limit price is not above zero")
    if reference is None or not _sound(reference):
        return _deny("price_collar_pct", f"No opposite quote for {case.proposal.symbol}")
    reach = side.sign * (price - reference) / reference * 100
    sentence = "Price reaches {}% through the market, max {}%"
    return _at_most("price_collar_pct", reach, limit, sentence, _tenths)


CHECKS: dict[str, Check] = {
    check.__name__: check
    for check in (
        kill_switch,
        symbol_blacklist,
        max_price_age_seconds,
        max_account_age_seconds,
        max_decision_age_seconds,
        max_notional_per_order,
        require_confirmation_above,
        max_position_size_pct,
        max_open_risk_pct,
        max_total_positions,
        price_collar_pct,
    )
}
"""Every guardrail by the limit it enforces, in the order their messages are preferred."""


def _allow(code: str, limit: str = "", value: str = "") -> Verdict:
    return Verdict(code, allowed=True, limit=limit, value=value)


def _deny(code: str, message: str, limit: str = "", value: str = "") -> Verdict:
    return Verdict(code, allowed=False, message=message, limit=limit, value=value)


def _at_most(
    code: str, value: Decimal, limit: Decimal, sentence: str, show: Callable[[Decimal, str], str]
) -> Verdict:
    """Deny above `limit` with `sentence`, which takes value and limit.

    The value is shown rounded up and the limit down: one a hair above it never reads as equal.
    """
    got, most = show(value, ROUND_CEILING), show(limit, ROUND_FLOOR)
    if value > limit:
        return _deny(code, sentence.format(got, most), most, got)
    return _allow(code, most, got)


def _no_notional(case: Case, code: str) -> Verdict:
    if case.proposal.rate is None:
        quote = case.proposal.symbol.quote
        return _deny("no_conversion", f"No conversion from {quote} into the account currency")
    return _deny(code, f"Order notional cannot be told: no price for {case.proposal.symbol}")


def _sound(number: Decimal | None, least: Decimal | None = None) -> bool:
    if number is None or not number.is_finite():
        return False
    return number > 0 if least is None else number >= least


def _cents(value: Decimal, rounding: str = ROUND_FLOOR) -> str:
    return plain(value.quantize(_CENT, rounding))


def _seconds(value: Decimal, rounding: str = ROUND_FLOOR) -> str:
    return plain(value.quantize(_TENTH, rounding))


def _tenths(value: Decimal, rounding: str = ROUND_FLOOR) -> str:
    return f"{value.quantize(_TENTH, rounding) + ZERO:f}"  # + 0 turns -0.0 into 0.0

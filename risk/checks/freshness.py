"""How old what an order is judged on may be."""

from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.case import Case
from otonom_trader.risk.soundness import sound_or_zero
from otonom_trader.risk.verdicts import at_most, deny, seconds, shown_limit, within


def max_price_age_seconds(case: Case) -> Verdict:
    """The price must be known and fresh."""
    limit, age = case.limits.max_price_age_seconds, sound_or_zero(case.proposal.price_age_seconds)
    if age is None or case.price is None:
        return deny("no_price", f"No price for {case.proposal.symbol}")
    return at_most("max_price_age_seconds", age, limit, "Price is {} s old, max {} s", seconds)


def max_account_age_seconds(case: Case) -> Verdict:
    """Balances and equity must be known and fresh."""
    limit, age = case.limits.max_account_age_seconds, sound_or_zero(case.exposure.age_seconds)
    if age is None:
        return deny("no_account", "Account balances are not known")
    if case.equity is None and age <= limit:
        return deny("no_equity", "Equity is not known")
    sentence = "Account balances are {} s old, max {} s"
    return at_most("max_account_age_seconds", age, limit, sentence, seconds)


def max_decision_age_seconds(case: Case) -> Verdict:
    """A decision must be young; an order placed by hand has no age."""
    limit, age = case.limits.max_decision_age_seconds, case.proposal.decision_age_seconds
    if age is None:
        return within("max_decision_age_seconds", shown_limit(seconds, limit))
    if not age.is_finite():
        return deny("max_decision_age_seconds", "The age of the decision cannot be told")
    sentence = "Decision is {} s old, max {} s"
    return at_most("max_decision_age_seconds", age, limit, sentence, seconds)

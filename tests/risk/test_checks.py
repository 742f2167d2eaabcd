"""Each guardrail: the last order it allows, the first it denies, and the words it does that in."""

from collections.abc import Callable
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.domain.order import Side
from otonom_trader.domain.symbol import Symbol
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.checks import CHECKS
from otonom_trader.risk.exposure import Exposure, Proposal
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.risk.pipeline import denial, judge, rejection_message

D = Decimal
BUY = Proposal(
    symbol=Symbol("BTC", "USDT"),
    side=Side.BUY,
    qty=D("0.1"),
    price=D(50000),
    reference=D(50000),
    mark=D(50000),
    rate=D(1),
    price_age_seconds=D(1),
)
ACCOUNT = Exposure(equity=D(100000), age_seconds=D(1))
GUIDE = RiskGuardrails()
"""An order of $5000 on an account of $100000 under the guide's limits: allowed by all."""

EXIT_EXEMPT = {"max_position_size_pct", "max_open_risk_pct", "max_total_positions"}


def verdict_of(
    code: str,
    proposal: Proposal = BUY,
    exposure: Exposure = ACCOUNT,
    limits: RiskGuardrails = GUIDE,
    halted: str | None = None,
) -> Verdict:
    """What the check called `code` says, asked together with all others."""
    verdicts = judge(proposal, exposure, limits, halted)
    return verdicts[list(CHECKS).index(code)]


def test_an_order_within_all_limits_is_allowed_by_every_check() -> None:
    verdicts = judge(BUY, ACCOUNT, GUIDE)
    assert [verdict.code for verdict in verdicts] == list(CHECKS)
    assert all(verdict.allowed and not verdict.message for verdict in verdicts)
    assert denial(verdicts) is None


def test_every_limit_has_its_check() -> None:
    assert set(CHECKS) == {limit.name for limit in fields(RiskGuardrails)}


def test_all_verdicts_are_kept_and_the_first_denial_speaks() -> None:
    limits = replace(GUIDE, kill_switch=True, symbol_blacklist=("BTC",))
    verdicts = judge(BUY, ACCOUNT, limits)
    assert [verdict.code for verdict in verdicts if not verdict.allowed] == [
        "kill_switch",
        "symbol_blacklist",
    ]
    first = denial(verdicts)
    assert first is not None
    assert first.code == "kill_switch"
    assert len(verdicts) == len(CHECKS)


# The edges. Each case: the check, what is just allowed, what is just denied, and the sentence.
Change = dict[str, Any]
EDGES: list[tuple[str, Callable[[Any], Change], Any, Any, str, str, str]] = [
    (
        "max_notional_per_order",
        lambda qty: {"proposal": replace(BUY, qty=qty)},
        D("0.2"),
        D("0.3"),
        "Order notional $15000 exceeds max $10000",
        "10000",
        "15000",
    ),
    (
        "max_notional_per_order",  # a hair above its limit never reads as equal to it
        lambda price: {"proposal": replace(BUY, qty=D(1), price=price)},
        D(10000),
        D("10000.000001"),
        "Order notional $10000.01 exceeds max $10000",
        "10000",
        "10000.01",
    ),
    (
        "require_confirmation_above",
        lambda limit: {"limits": replace(GUIDE, require_confirmation_above=limit)},
        D(5000),
        D("4999.5"),
        "Order notional $5000 requires confirmation above $4999.5",
        "4999.5",
        "5000",
    ),
    (
        "max_position_size_pct",
        lambda held: {"exposure": replace(ACCOUNT, holdings={"BTC": held})},
        D("0.1"),
        D("0.2"),
        "Position size 15.0% exceeds max 10.0%",
        "10.0",
        "15.0",
    ),
    (
        "max_position_size_pct",
        lambda pending: {"exposure": replace(ACCOUNT, pending_buys={"BTC": pending})},
        D("0.1"),
        D("0.100001"),
        "Position size 10.1% exceeds max 10.0%",
        "10.0",
        "10.1",
    ),
    (
        "max_position_size_pct",  # a limit is shown rounded down, a value rounded up
        lambda limit: {"limits": replace(GUIDE, max_position_size_pct=limit)},
        D(5),
        D("4.99"),
        "Position size 5.0% exceeds max 4.9%",
        "4.9",
        "5.0",
    ),
    (
        "max_open_risk_pct",
        lambda value: {"exposure": replace(ACCOUNT, positions_value=value)},
        D(20000),
        D(25000),
        "Open risk 30.0% exceeds max 25.0%",
        "25.0",
        "30.0",
    ),
    (
        "max_open_risk_pct",
        lambda value: {"exposure": replace(ACCOUNT, pending_buy_value=value)},
        D(20000),
        D("20000.01"),
        "Open risk 25.1% exceeds max 25.0%",
        "25.0",
        "25.1",
    ),
    (
        "max_total_positions",
        lambda held: {
            "exposure": replace(ACCOUNT, positions={f"A{number}" for number in range(held)})
        },
        9,
        10,
        "Total positions 11 exceeds max 10",
        "10",
        "11",
    ),
    (
        "max_total_positions",
        lambda pending: {
            "exposure": replace(
                ACCOUNT,
                positions={f"A{number}" for number in range(5)},
                pending_buys={f"B{number}": D(1) for number in range(pending)},
            )
        },
        4,
        5,
        "Total positions 11 exceeds max 10",
        "10",
        "11",
    ),
    (
        "price_collar_pct",
        lambda price: {"proposal": replace(BUY, limit_price=price)},
        D(50500),
        D(51000),
        "Price reaches 2.0% through the market, max 1.0%",
        "1.0",
        "2.0",
    ),
    (
        "price_collar_pct",
        lambda price: {"proposal": replace(BUY, side=Side.SELL, limit_price=price)},
        D(49500),
        D(49250),
        "Price reaches 1.5% through the market, max 1.0%",
        "1.0",
        "1.5",
    ),
    (
        "max_price_age_seconds",
        lambda age: {"proposal": replace(BUY, price_age_seconds=age)},
        D(5),
        D("5.01"),
        "Price is 5.1 s old, max 5 s",
        "5",
        "5.1",
    ),
    (
        "max_account_age_seconds",
        lambda age: {"exposure": replace(ACCOUNT, age_seconds=age)},
        D(60),
        D(61),
        "Account balances are 61 s old, max 60 s",
        "60",
        "61",
    ),
    (
        "max_decision_age_seconds",
        lambda age: {"proposal": replace(BUY, decision_age_seconds=age)},
        D(300),
        D("300.5"),
        "Decision is 300.5 s old, max 300 s",
        "300",
        "300.5",
    ),
]


@pytest.mark.parametrize(("code", "change", "most", "beyond", "sentence", "limit", "value"), EDGES)
def test_a_limit_allows_up_to_itself_and_denies_beyond(
    code: str,
    change: Callable[[Any], Change],
    most: object,
    beyond: object,
    sentence: str,
    limit: str,
    value: str,
) -> None:
    assert verdict_of(code, **change(most)).allowed
    denied = verdict_of(code, **change(beyond))
    assert denied == Verdict(code, allowed=False, message=sentence, limit=limit, value=value)
    assert rejection_message(denied) == f"RISK REJECTED: {sentence}"


def test_the_guides_rejection_is_word_for_word() -> None:
    verdicts = judge(replace(BUY, qty=D("0.3")), ACCOUNT, GUIDE)
    denied = denial(verdicts)
    assert denied is not None
    assert rejection_message(denied) == ("RISK REJECTED: Order notional $15000 exceeds max $10000")


def test_amounts_are_shown_without_trailing_zeros() -> None:
    limits = replace(GUIDE, max_notional_per_order=D("1000.50"))
    denied = verdict_of("max_notional_per_order", limits=limits)
    assert denied.message == "Order notional $5000 exceeds max $1000.5"


@pytest.mark.parametrize(
    ("limits", "halted", "sentence"),
    [
        (
            replace(GUIDE, kill_switch=True),
            None,
            "Kill switch is active: kill_switch is true in broker.yaml",
        ),
        (GUIDE, "drawdown 9 %", "Kill switch is active: drawdown 9 %"),
        (GUIDE, "", "Kill switch is active: "),
    ],
)
def test_the_kill_switch_denies_entries_and_exits_alike(
    limits: RiskGuardrails, halted: str | None, sentence: str
) -> None:
    held = replace(ACCOUNT, holdings={"BTC": D(1)})
    for side in Side:
        verdict = verdict_of("kill_switch", replace(BUY, side=side), held, limits, halted)
        assert verdict == Verdict("kill_switch", allowed=False, message=sentence)


@pytest.mark.parametrize("entry", ["LUNA-USD", "LUNAUSDT", "luna/usdt", "LUNA"])
def test_a_blacklisted_asset_never_trades_under_any_of_its_names(entry: str) -> None:
    luna = replace(BUY, symbol=Symbol("LUNA", "USDT"))
    limits = replace(GUIDE, symbol_blacklist=("FTT-USD", entry))
    assert verdict_of("symbol_blacklist", luna, limits=limits) == Verdict(
        "symbol_blacklist",
        allowed=False,
        message="Symbol LUNA-USDT is blacklisted",
        limit=entry,
        value="LUNA-USDT",
    )
    assert verdict_of("symbol_blacklist", limits=limits).allowed


@pytest.mark.parametrize(
    ("proposal", "code", "denied_as", "sentence"),
    [
        ({"price": None}, "max_price_age_seconds", "no_price", "No price for BTC-USDT"),
        ({"price_age_seconds": None}, "max_price_age_seconds", "no_price", "No price for BTC-USDT"),
        (
            {"rate": None},
            "max_notional_per_order",
            "no_conversion",
            "No conversion from USDT into the account currency",
        ),
        (
            {"price": None},
            "max_notional_per_order",
            "max_notional_per_order",
            "Order notional cannot be told: no price for BTC-USDT",
        ),
        (
            {"mark": None},
            "max_position_size_pct",
            "max_position_size_pct",
            "Position size cannot be told: equity or mark missing",
        ),
        (
            {"limit_price": D(50000), "reference": None},
            "price_collar_pct",
            "price_collar_pct",
            "No opposite quote for BTC-USDT",
        ),
    ],
)
def test_what_is_not_known_of_the_market_denies_in_its_own_words(
    proposal: Change, code: str, denied_as: str, sentence: str
) -> None:
    verdict = verdict_of(code, replace(BUY, **proposal))
    assert verdict == Verdict(denied_as, allowed=False, message=sentence)


@pytest.mark.parametrize(
    ("exposure", "code", "denied_as", "sentence"),
    [
        (
            {"age_seconds": None},
            "max_account_age_seconds",
            "no_account",
            "Account balances are not known",
        ),
        ({"equity": None}, "max_account_age_seconds", "no_equity", "Equity is not known"),
        (
            {"equity": D(0), "age_seconds": GUIDE.max_account_age_seconds},
            "max_account_age_seconds",
            "no_equity",
            "Equity is not known",
        ),
        (
            {"equity": None},
            "max_position_size_pct",
            "max_position_size_pct",
            "Position size cannot be told: equity or mark missing",
        ),
        (
            {"equity": None},
            "max_open_risk_pct",
            "max_open_risk_pct",
            "Open risk cannot be told: equity or price missing",
        ),
        (
            {"pending_buy_value": None},
            "max_open_risk_pct",
            "max_open_risk_pct",
            "Open risk cannot be told: a holding or working order has no value",
        ),
        (
            {"equity": None},
            "max_total_positions",
            "max_total_positions",
            "Positions cannot be told: account or mark missing",
        ),
    ],
)
def test_what_is_not_known_of_the_account_denies_in_its_own_words(
    exposure: Change, code: str, denied_as: str, sentence: str
) -> None:
    verdict = verdict_of(code, exposure=replace(ACCOUNT, **exposure))
    assert verdict == Verdict(denied_as, allowed=False, message=sentence)


OFF = RiskGuardrails(
    max_notional_per_order=None,
    max_open_risk_pct=None,
    max_total_positions=None,
    max_position_size_pct=None,
    require_confirmation_above=None,
)


def test_a_limit_that_is_switched_off_denies_nothing() -> None:
    huge = replace(BUY, qty=D(1000))
    crowded = replace(
        ACCOUNT, positions={f"A{number}" for number in range(99)}, positions_value=D(99999999)
    )
    assert denial(judge(huge, crowded, OFF)) is None


def test_without_limits_an_order_still_needs_price_conversion_and_account() -> None:
    for change in ({"price": None}, {"rate": None}, {"qty": D(0)}, {"qty": D("-1")}):
        assert denial(judge(replace(BUY, **change), ACCOUNT, OFF)) is not None
    assert denial(judge(BUY, replace(ACCOUNT, equity=None), OFF)) is not None


def test_an_order_without_a_limit_price_has_nothing_to_collar() -> None:
    assert verdict_of("price_collar_pct").allowed


def test_a_passive_limit_price_is_free() -> None:
    assert verdict_of("price_collar_pct", replace(BUY, limit_price=D(1))).allowed
    far = replace(BUY, side=Side.SELL, limit_price=D(500000))
    assert verdict_of("price_collar_pct", far).allowed


def test_an_order_placed_by_hand_has_no_age() -> None:
    assert verdict_of("max_decision_age_seconds").allowed


# Exits.


def test_a_sell_within_the_holding_is_exempt_from_exactly_three_checks() -> None:
    # 1 BTC of $50000 on $60000: over every limit of size, and the only way is out.
    crowded = replace(
        ACCOUNT,
        equity=D(60000),
        holdings={"BTC": D(1)},
        positions_value=D(50000),
        positions={"BTC", *(f"A{number}" for number in range(20))},
    )
    sell = replace(BUY, side=Side.SELL)
    assert denial(judge(sell, crowded, GUIDE)) is None

    # One check at a time is made to deny a sell; those that then still allow are the exempt ones.
    denying = {
        "kill_switch": (sell, crowded, replace(GUIDE, kill_switch=True)),
        "symbol_blacklist": (sell, crowded, replace(GUIDE, symbol_blacklist=("BTC",))),
        "max_price_age_seconds": (replace(sell, price_age_seconds=D(99)), crowded, GUIDE),
        "max_account_age_seconds": (sell, replace(crowded, age_seconds=D(99)), GUIDE),
        "max_decision_age_seconds": (replace(sell, decision_age_seconds=D(999)), crowded, GUIDE),
        "max_notional_per_order": (sell, crowded, replace(GUIDE, max_notional_per_order=D(1))),
        "require_confirmation_above": (
            sell,
            crowded,
            replace(GUIDE, require_confirmation_above=D(1)),
        ),
        "max_position_size_pct": (sell, crowded, replace(GUIDE, max_position_size_pct=D(1))),
        "max_open_risk_pct": (sell, crowded, replace(GUIDE, max_open_risk_pct=D(1))),
        "max_total_positions": (sell, crowded, replace(GUIDE, max_total_positions=1)),
        "price_collar_pct": (replace(sell, limit_price=D(1)), crowded, GUIDE),
    }
    assert set(denying) == set(CHECKS)
    allowed = {code for code, case in denying.items() if verdict_of(code, *case).allowed}
    assert allowed == EXIT_EXEMPT

    # The same cases deny a buy, so it is the exit that is exempt.
    for code in EXIT_EXEMPT:
        _, exposure, limits = denying[code]
        assert not verdict_of(code, BUY, exposure, limits).allowed


@pytest.mark.parametrize(
    ("held", "selling", "is_exit"),
    [("0.1", "0", True), ("0.2", "0.1", True), ("0.0999", "0", False), ("0.2", "0.11", False)],
)
def test_a_sell_beyond_what_is_held_and_not_yet_being_sold_is_no_exit(
    held: str, selling: str, *, is_exit: bool
) -> None:
    account = replace(ACCOUNT, holdings={"BTC": D(held)}, pending_sells={"BTC": D(selling)})
    limits = replace(
        GUIDE, max_position_size_pct=D("0.1"), max_open_risk_pct=D("0.1"), max_total_positions=0
    )
    for code in EXIT_EXEMPT:
        verdict = verdict_of(code, replace(BUY, side=Side.SELL), account, limits)
        assert verdict.allowed is is_exit


def test_a_holding_of_another_asset_makes_no_exit() -> None:
    account = replace(ACCOUNT, holdings={"ETH": D(9)})
    limits = replace(GUIDE, max_position_size_pct=D("0.1"))
    sell = replace(BUY, side=Side.SELL)
    assert not verdict_of("max_position_size_pct", sell, account, limits).allowed


# Anything at all.

UNSOUND = [None, D("NaN"), D("sNaN"), D("Infinity"), D("-Infinity"), D(0), D(-1)]
NEEDED = ["price", "mark", "rate", "qty"]


@pytest.mark.parametrize("field", NEEDED)
@pytest.mark.parametrize("value", UNSOUND)
@pytest.mark.parametrize("side", Side)
def test_a_proposal_with_an_unsound_number_is_denied(
    field: str, value: Decimal | None, side: Side
) -> None:
    change: Change = {"side": side, field: value}
    assert denial(judge(replace(BUY, **change), ACCOUNT, GUIDE)) is not None


@pytest.mark.parametrize("field", ["limit_price", "reference"])
@pytest.mark.parametrize("value", UNSOUND)
def test_a_limit_order_with_an_unsound_price_or_reference_is_denied(
    field: str, value: Decimal | None
) -> None:
    if (field, value) == ("limit_price", None):
        return  # a market order
    change: Change = {"limit_price": D(50000)} | {field: value}
    assert denial(judge(replace(BUY, **change), ACCOUNT, GUIDE)) is not None


@pytest.mark.parametrize("field", ["price_age_seconds", "decision_age_seconds"])
@pytest.mark.parametrize("value", [D("NaN"), D("sNaN"), D("Infinity"), D("-Infinity")])
def test_an_age_that_is_no_number_is_denied(field: str, value: Decimal) -> None:
    change: Change = {field: value}
    assert denial(judge(replace(BUY, **change), ACCOUNT, GUIDE)) is not None


@pytest.mark.parametrize("value", UNSOUND)
@pytest.mark.parametrize("side", Side)
def test_an_account_without_a_sound_equity_is_denied(value: Decimal | None, side: Side) -> None:
    exposure = replace(ACCOUNT, equity=value, holdings={"BTC": D(5)})
    assert denial(judge(replace(BUY, side=side), exposure, GUIDE)) is not None


@pytest.mark.parametrize("value", [D("NaN"), D("sNaN"), D("Infinity"), D("-Infinity"), D(-1)])
@pytest.mark.parametrize(
    "field", ["age_seconds", "positions_value", "pending_buy_value", "holdings", "pending_buys"]
)
def test_an_account_with_an_unsound_figure_is_denied(field: str, value: Decimal) -> None:
    given: Any = {"BTC": value} if field in ("holdings", "pending_buys") else value
    assert denial(judge(BUY, replace(ACCOUNT, **{field: given}), GUIDE)) is not None


@pytest.mark.parametrize("value", [D("NaN"), D("sNaN")])
def test_a_sell_of_an_unsound_holding_is_denied(value: Decimal) -> None:
    sell = replace(BUY, side=Side.SELL)
    for field in ("holdings", "pending_sells"):
        change: Change = {field: {"BTC": value}}
        assert denial(judge(sell, replace(ACCOUNT, **change), GUIDE)) is not None


numbers = st.none() | st.decimals(allow_nan=True, allow_infinity=True)
anything = numbers | st.sampled_from([*UNSOUND, D("1e9999"), D("1e-9999"), D(1), D(50000)])
assets = st.dictionaries(st.sampled_from(["BTC", "ETH", "USDT"]), anything, max_size=2)
proposals = st.builds(
    Proposal,
    symbol=st.just(BUY.symbol),
    side=st.sampled_from(Side),
    qty=anything,
    price=anything,
    reference=anything,
    mark=anything,
    rate=anything,
    price_age_seconds=anything,
    limit_price=anything,
    decision_age_seconds=anything,
)
exposures = st.builds(
    Exposure,
    equity=anything,
    age_seconds=anything,
    positions_value=anything,
    positions=st.frozensets(st.text(max_size=3), max_size=3),
    holdings=assets,
    pending_buy_value=anything,
    pending_buys=assets,
    pending_sells=assets,
)
guardrails = st.builds(
    RiskGuardrails,
    max_notional_per_order=anything,
    max_open_risk_pct=anything,
    max_total_positions=st.none() | st.integers(),
    max_position_size_pct=anything,
    symbol_blacklist=st.lists(st.text(max_size=5), max_size=2).map(tuple),
    require_confirmation_above=anything,
    max_price_age_seconds=anything,
    max_account_age_seconds=anything,
    max_decision_age_seconds=anything,
    price_collar_pct=anything,
)


@given(proposals, exposures, guardrails, st.none() | st.text())
def test_judging_never_raises_and_never_passes_what_cannot_be_priced(
    proposal: Proposal, exposure: Exposure, limits: RiskGuardrails, halted: str | None
) -> None:
    verdicts = judge(proposal, exposure, limits, halted)
    assert len(verdicts) == len(CHECKS)
    assert all(bool(verdict.message) is not verdict.allowed for verdict in verdicts)
    if denial(verdicts) is None:
        for number in (proposal.qty, proposal.price, proposal.rate, exposure.equity):
            assert number is not None
            assert number.is_finite()
        assert proposal.notional is not None
        assert proposal.notional > 0
        assert halted is None


@given(st.data())
def test_adding_a_check_never_turns_a_denial_into_an_allowance(data: st.DataObject) -> None:
    proposal, exposure = data.draw(proposals), data.draw(exposures)
    before = denial(judge(proposal, exposure, GUIDE))

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CHECKS, "new", lambda _: Verdict("new", allowed=True))
        after = denial(judge(proposal, exposure, GUIDE))
    assert (after is None) is (before is None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CHECKS, "new", lambda _: Verdict("new", allowed=False, message="No"))
        assert denial(judge(proposal, exposure, GUIDE)) is not None


def test_a_check_that_fails_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> Verdict:
        raise KeyError("mark")

    monkeypatch.setitem(CHECKS, "price_collar_pct", broken)
    denied = denial(judge(BUY, ACCOUNT, GUIDE))
    assert denied == Verdict(
        "price_collar_pct",
        allowed=False,
        message="Guardrail price_collar_pct failed: KeyError('mark')",
    )


sound = st.decimals("0.01", "100000", places=2)


@given(sound, sound, sound, sound)
def test_a_larger_order_or_a_smaller_equity_never_passes_where_less_did_not(
    qty: Decimal, more: Decimal, equity: Decimal, less: Decimal
) -> None:
    small, large = sorted((qty, more))
    poor, rich = sorted((equity, less))
    limits = replace(GUIDE, max_notional_per_order=D(2000000))
    strict = judge(replace(BUY, qty=large), replace(ACCOUNT, equity=poor), limits)
    lenient = judge(replace(BUY, qty=small), replace(ACCOUNT, equity=rich), limits)
    for tight, loose in zip(strict, lenient, strict=True):
        assert loose.allowed or not tight.allowed

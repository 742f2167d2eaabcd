"""An order on its way to be judged, and what follows from it alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from otonom_trader.brokers.paper import PaperBroker, taken_at_once
from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.activity import counted_notional
from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.approval import Ruling
from otonom_trader.domain.compare import paper_outcome, with_paper
from otonom_trader.domain.decision import Decision
from otonom_trader.domain.execution import (
    Outcome,
    PaperStatus,
    SimulatedFill,
    TradeExecutionLog,
)
from otonom_trader.domain.intent import Claim, Intent, Reservation
from otonom_trader.domain.market import Book, Instrument, Level, MarketSnapshot, Walk
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderRequest, OrderResult, OrderState, OrderType, Side
from otonom_trader.domain.resting import Leg, RestingOrder, worst_price
from otonom_trader.domain.symbol import Symbol
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.exposure import Confirmed, Proposal
from otonom_trader.risk.pipeline import rejection_message

_NS = 1_000_000_000
_ENDLESS = Decimal(10) ** 12  # base quantity of a book made up from one price


@dataclass(frozen=True, slots=True)
class Plan:
    """An order, the decision it came from, and the one snapshot both legs are priced on.

    `order` carries its client order id. `protected` marks a market decision that goes out as LIMIT
    IOC: it is judged on the book walk and only reserved at its limit. `current_price` is the
    caller's own and only makes the price worse. `started_ns` is when the decision was taken up,
    `snapshot_ns` how long reading the market took. `may_wait` says that it is to wait for a person
    rather than be denied for want of one; having waited it comes with the `ruling` that approved
    it, and with what was `confirmed`. `flattens` says that it closes a position after a halt.
    """

    claim: Claim
    order: OrderRequest
    instrument: Instrument
    market: MarketSnapshot | None
    requested_qty: Decimal
    started_ns: int
    snapshot_ns: int = 0
    protected: bool = False
    current_price: Decimal | None = None
    decision_age_seconds: Decimal | None = None
    may_wait: bool = False
    ruling: Ruling | None = None
    confirmed: Confirmed | None = None
    flattens: bool = False

    @property
    def symbol(self) -> Symbol:
        """The pair as the venue lists it."""
        return self.instrument.symbol

    def fresh_until_ns(self, max_price_age_seconds: Decimal) -> int:
        """Return until when (monotonic) its price is one to send an order on; 0 without one."""
        if self.market is None:
            return 0
        return self.market.taken_ns + int(max_price_age_seconds * _NS)


def executable_price(plan: Plan, walk: Walk | None = None) -> Decimal | None:
    """Return the price the order can execute at, quote per base.

    The limit price or the stop price, the higher where there are both, else the book walk, else
    the best opposite quote; None without a market. `walk` is what the order takes at once, where
    that is known already. Source: contract.md, "Formulas" (notional).
    """
    order, market = plan.order, plan.market
    if market is None:
        return None
    price = worst_price(order) or None
    if price is None or plan.protected:
        walk = walk or taken_at_once(order, market)
        price = walk.avg_price or market.reference(order.side)
    if price is not None and plan.current_price is not None:
        price = max(price, plan.current_price)
    return price


def _reference(plan: Plan) -> Decimal | None:
    """Return what a limit is held against: the market, or for a stop where it will then be."""
    if plan.market is None:
        return None
    return plan.order.stop_price or plan.market.reference(plan.order.side)


def proposal_of(
    plan: Plan,
    rate: Decimal | None,
    now_ns: int,
    now: datetime | None = None,
    reservation: Reservation | None = None,
) -> Proposal:
    """Return what the guardrails judge; `rate` turns the quote asset into the account currency.

    `reservation` is what the order may do at its worst.
    """
    market = plan.market
    quote = market.book.quote if market else None
    mark = quote.mid if quote else None
    walk = taken_at_once(plan.order, market) if market else None
    return Proposal(
        symbol=plan.symbol,
        side=plan.order.side,
        qty=plan.order.qty,
        price=executable_price(plan, walk),
        reference=_reference(plan),
        mark=None if mark is None or rate is None else mark * rate,
        rate=rate,
        price_age_seconds=Decimal(now_ns - market.taken_ns) / _NS if market else None,
        limit_price=plan.order.limit_price,
        decision_age_seconds=plan.decision_age_seconds,
        worst_price=reservation.price if reservation else None,
        bid=quote.bid.price if quote else None,
        ask=quote.ask.price if quote else None,
        walk=walk,
        instrument=plan.instrument,
        judged_at=now,
        confirmed=plan.confirmed,
    )


def reservation_of(plan: Plan, collar_pct: Decimal, taker_fee_pct: Decimal) -> Reservation:
    """Return the worst the order may do: its limit, or twice the collar where it has none.

    Source: contract.md, "Formulas" (market decisions).
    """
    order = plan.order
    price = order.limit_price
    if price is None or order.order_type is OrderType.OCO:
        price = (_reference(plan) or ZERO) * (1 + order.side.sign * 2 * collar_pct / 100)
    if order.side is Side.BUY:
        price *= 1 + taker_fee_pct / 100
    return Reservation(plan.symbol, order.side, order.qty, price)


def flat_market(symbol: Symbol, price: Decimal, now: datetime, now_ns: int) -> MarketSnapshot:
    """Return a market that trades any quantity at `price`: what a caller's own price stands for."""
    level = (Level(price, _ENDLESS),)
    return MarketSnapshot(symbol, Book(level, level), now, now_ns)


def intent_of(
    plan: Plan,
    account: AccountKey,
    reservation: Reservation,
    paper: SimulatedFill | None,
    now: datetime,
    notional: Decimal | None = None,
    taker_fee_pct: Decimal = ZERO,
) -> Intent:
    """Return what is written down before the order of `plan` leaves.

    `notional` is what it was judged to be worth, in the account currency.
    """
    decision = plan.claim.item
    return Intent(
        client_order_id=plan.order.client_order_id or "",
        account=account,
        decision=plan.claim.key,
        order=plan.order,
        symbol=plan.symbol,
        reservation=reservation,
        paper=paper,
        requested_qty=plan.requested_qty,
        recorded_at=now,
        expires_at=decision.expires_at if isinstance(decision, Decision) else None,
        notional=counted_notional(notional or ZERO),
        fee_pct=taker_fee_pct,
    )


def resting_of(
    plan: Plan, fill: SimulatedFill, paper: PaperBroker, *, decides: bool
) -> RestingOrder | None:
    """Return the paper order of which `fill` is what it met at once, None where it has ended."""
    if fill.status is not PaperStatus.RESTING:
        return None
    decision = plan.claim.item
    return RestingOrder(
        decision=plan.claim.key,
        leg=Leg.PAPER,
        ledger=paper.account.name,
        symbol=plan.symbol,
        order=plan.order,
        fee_pct=paper.fee_pct,
        so_far=fill,
        decides=decides,
        expires_at=decision.expires_at if isinstance(decision, Decision) else None,
    )


def expected_of(
    intent: Intent, result: OrderResult, ledger: str, fee_pct: Decimal
) -> RestingOrder | None:
    """Return the order that shadow expects to rest at the venue, None where it has ended."""
    if not result.ok or result.status is None or result.status.terminal:
        return None
    symbol, order = intent.symbol, intent.order
    fee = sum((fill.fee for fill in result.fills), ZERO)
    asset = symbol.base if order.side is Side.BUY else symbol.quote
    return RestingOrder(
        decision=intent.decision,
        leg=Leg.EXPECTED,
        ledger=ledger,
        symbol=symbol,
        order=order,
        fee_pct=fee_pct,
        so_far=SimulatedFill(PaperStatus.RESTING, result.filled_qty, result.quote_qty, fee, asset),
        decides=True,
        expires_at=intent.expires_at,
    )


def unsent_row(
    plan: Plan,
    mode: Mode,
    denied: Verdict | None,
    only_paper: str | None,
    paper: SimulatedFill | None,
    stages_ns: Mapping[str, int],
    now: datetime,
) -> TradeExecutionLog:
    """Return the execution row of a plan that is not sent: denied, or with its paper leg alone.

    `only_paper` is why that is so; in off it goes without saying.
    """
    code = denied.code if denied else None
    if paper is not None:
        outcome, message = paper_outcome(paper), ""
    elif denied is not None:
        outcome, message = Outcome.DENIED, ""
    else:
        outcome, message = Outcome.NOT_SENT, "nothing is sent now, and there is no paper leg here"
    if denied is not None:
        message = rejection_message(denied)
    elif only_paper is not None and mode is not Mode.OFF:
        message, code = f"Not sent: {only_paper}", "paper_only"
    row = TradeExecutionLog(
        decision_id=plan.claim.key.id,
        source=plan.claim.key.source,
        symbol=plan.symbol.canonical,
        side=plan.order.side,
        qty=plan.order.qty,
        requested_qty=plan.requested_qty,
        outcome=outcome,
        terminal=outcome is not Outcome.RESTING,
        mode=mode,
        client_order_id=plan.order.client_order_id,
        broker_message=message,
        broker_code=code,
        stages_ns=dict(stages_ns),
        recorded_at=now,
    )
    return with_paper(row, paper)


def unsent(
    order: OrderRequest,
    message: str,
    code: str | None,
    state: OrderState = OrderState.NOT_SENT,
) -> OrderResult:
    """Return the answer for an order that did not leave, or of which no answer came."""
    return OrderResult(
        state,
        symbol=order.symbol,
        side=order.side,
        client_order_id=order.client_order_id,
        message=message,
        code=code,
        qty=order.qty,
        price=order.price,
    )

"""Shadow on Binance Spot: orders are validated by the venue and filled on its book, never placed.

Source: contract.md, "Modes" (shadow).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

from otonom_trader.brokers.binance.account import AccountReader
from otonom_trader.brokers.binance.choices import ASKED
from otonom_trader.brokers.binance.errors import Reply, check
from otonom_trader.brokers.binance.hosts import choose_base_url
from otonom_trader.brokers.binance.market_data import DEFAULT_DEPTH, MAX_DEPTH
from otonom_trader.brokers.binance.orders.lists import find_problem, orders_of
from otonom_trader.brokers.binance.orders.outcome import (
    FAILED_TO_CANCEL,
    FAILED_TO_PLACE,
    check_client_id,
    client_id_for,
    draft,
    not_sent,
    refused,
    rejected,
    unknown,
)
from otonom_trader.brokers.binance.orders.replies import Asked, order_params
from otonom_trader.brokers.binance.transport.signed_rest import ShadowTransport
from otonom_trader.brokers.binance.transport.signing import Credentials
from otonom_trader.domain.amount import ZERO
from otonom_trader.domain.clock import SystemClock
from otonom_trader.domain.errors import OutcomeUnknown, Rejected, VenueError
from otonom_trader.domain.market import Instrument, Walk
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import (
    Fill,
    OrderRequest,
    OrderResult,
    OrderState,
    OrderStatus,
    OrderType,
    Side,
    TimeInForce,
)
from otonom_trader.domain.ports import Clock
from otonom_trader.domain.secret import Secret
from otonom_trader.domain.symbol import Symbol

_NOTHING: Final = Walk(ZERO, ZERO, None, ())


class BinanceShadow(AccountReader):
    """Real markets, real account reads, expected fills.

    An order goes to ``POST /api/v3/order/test``; the fill that is answered is the book walked right
    after the acknowledgement, with the account's own taker fee.
    """

    mode = Mode.SHADOW
    unknown_fence_seconds = 0.0
    """A validation leaves nothing behind that could be asked for."""
    last_order_ns: int | None = None

    def __init__(
        self,
        api_key: Secret | str,
        api_secret: Secret | str,
        base_url: str | None = None,
        use_testnet: bool = True,  # noqa: FBT001, FBT002  as of BinanceBroker
        *,
        clock: Clock | None = None,
        recv_window_ms: int = 2_000,
        timeout_seconds: float = 5.0,
        renames: Mapping[str, str] | None = None,
        depth_limit: int = DEFAULT_DEPTH,
        market_data: str = ASKED,
    ) -> None:
        """Raises ``ValueError`` as `BinanceBroker` does."""
        self._transport = ShadowTransport(
            choose_base_url(base_url, use_testnet=use_testnet),
            clock or SystemClock(),
            timeout_seconds,
            Credentials.of(api_key, api_secret, recv_window_ms),
        )
        super().__init__(self._transport, renames, depth_limit, market_data)

    async def place_order(self, req: OrderRequest) -> OrderResult:
        """Validate an order and answer with the fill to be expected of it.

        REJECTED is the venue's own refusal. UNKNOWN, when it did not answer, moves nothing and
        leaves nothing to ask for.
        """
        asked = Asked(req.symbol[:40], client_id_for(req), req)
        try:
            rules = await self._listing.rules(req.symbol, slack=2)
            instrument = rules.instrument
            asked = Asked(instrument.venue_symbol, asked.client_order_id, req)
            violation = find_problem(rules, asked, self._prices.context(rules))
            if violation:
                return refused(asked, violation)
            fee_rate = await self._taker_rate(req.side)
            reply = await self._validate(asked)
        except VenueError as error:
            return not_sent(draft(asked), error, FAILED_TO_PLACE)
        known = draft(asked, reply)
        self._forget_unknown(reply, [asked.venue_symbol])
        try:
            check(reply, FAILED_TO_PLACE)
        except Rejected as error:
            return rejected(known, error)
        except OutcomeUnknown as error:
            return unknown(known, error)
        try:
            walk = _NOTHING
            if not req.order_type.is_stop:
                walk = await self._walk(instrument, req, reply.received_ns)
        except VenueError as error:
            return replace(unknown(known, error), code="no_book")
        return expected_result(known, req, instrument.symbol, walk, fee_rate, self._clock.now())

    async def cancel_order(self, order_id: str, symbol: str | None = None) -> OrderResult:
        """Refuse: shadow places nothing that could be cancelled."""
        return OrderResult(
            state=OrderState.NOT_SENT,
            symbol=symbol or "",
            client_order_id=check_client_id(order_id),
            message=f"{FAILED_TO_CANCEL}: shadow mode places no orders and cancels none",
            code="shadow",
        )

    async def get_trades(self, symbol: str, since: str | None) -> list[tuple[str, Fill]]:
        """Return no trades: nothing of ours is ever executed."""
        return []

    def check_room(self) -> None:
        """Return: a validation counts against no limit of orders."""

    async def find_order(self, symbol: str, client_order_id: str) -> OrderResult | None:
        """Return None: nothing was ever there."""
        return None

    async def _validate(self, asked: Asked) -> Reply:
        """Have an order checked; of a pair, which no test endpoint takes, each of the two."""
        first, *others = orders_of(asked.order)
        reply = await self._transport.validate(order_params(replace(asked, order=first)))
        for order in others:
            if 200 <= reply.status < 300:
                reply = await self._transport.validate(order_params(replace(asked, order=order)))
        return reply

    async def _walk(self, instrument: Instrument, req: OrderRequest, since_ns: int) -> Walk:
        """Walk a book that was the venue's at `since_ns` or later."""
        book = (await self._market_since(instrument, since_ns)).book
        walk = book.walk(req.side, req.qty, req.limit_price)
        if walk.qty < req.qty and len(walk.levels) == self._depth_limit < MAX_DEPTH:
            # All levels that were sent are taken: there may be more below them.
            book = (await self._read_market(instrument, MAX_DEPTH)).book
            walk = book.walk(req.side, req.qty, req.limit_price)
        return walk


def expected_result(
    known: OrderResult,
    req: OrderRequest,
    symbol: Symbol,
    walk: Walk,
    fee_rate: Decimal,
    at: datetime,
) -> OrderResult:
    """Return what an order would have come to, had it met the levels of `walk`. Pure.

    The fee is taken from what is received. Source: binance-facts.md, section 5 (commission).
    """
    if req.order_type is OrderType.LIMIT_MAKER and walk.qty:
        text = f"{FAILED_TO_PLACE}: it would match at once, which LIMIT_MAKER must not"
        return replace(known, state=OrderState.REJECTED, message=text, code="would_match")
    if req.time_in_force is TimeInForce.FOK and walk.qty < req.qty:
        walk = _NOTHING
    buying = req.side is Side.BUY
    fills = tuple(
        Fill(
            trade_id=f"expected:{known.client_order_id}:{number}",
            price=level.price,
            qty=level.qty,
            quote_qty=level.price * level.qty,
            fee=(level.qty if buying else level.price * level.qty) * fee_rate,
            fee_asset=symbol.base if buying else symbol.quote,
            at=at,
        )
        for number, level in enumerate(walk.levels, 1)
    )
    status = _status(req, walk.qty)
    return replace(
        known,
        state=OrderState.ACCEPTED,
        order_id=f"test:{known.client_order_id}",
        status=status,
        message=f"validated by Binance, expected to be {status}",
        filled_qty=walk.qty,
        quote_qty=walk.quote_qty,
        fills=fills,
        transact_time=at,
    )


def _status(req: OrderRequest, filled_qty: Decimal) -> OrderStatus:
    if filled_qty == req.qty:
        return OrderStatus.FILLED
    if not req.may_rest:
        return OrderStatus.EXPIRED
    return OrderStatus.PARTIALLY_FILLED if filled_qty else OrderStatus.NEW

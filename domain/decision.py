"""Decisions: what the decision-maker wants done."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from otonom_trader.domain.amount import exact, plain, positive
from otonom_trader.domain.order import OrderRequest, OrderType, Side


class Direction(StrEnum):
    """What a decision asks for; HOLD never orders."""

    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"


class DecisionKey(NamedTuple):
    """Identity of a decision: the name of its source and its id there."""

    source: str
    id: str


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision, checked.

    `strength` (above 0, up to 1) sizes the order unless `qty` (base) or `notional` (quote) does; a
    `price` makes it a limit order, where `order_type` does not say what it is. `stop_price` (quote
    per base) and `trailing_delta_bps` (hundredths of a percent) are as of `OrderRequest`. Times are
    aware UTC.
    """

    id: str
    symbol: str
    direction: Direction
    strength: Decimal | None = None
    qty: Decimal | None = None
    notional: Decimal | None = None
    price: Decimal | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    reason: str = ""
    order_type: OrderType | None = None
    stop_price: Decimal | None = None
    trailing_delta_bps: int | None = None
    source: str = "direct"

    @property
    def kind(self) -> OrderType:
        """The type of order it asks for."""
        if self.order_type is not None:
            return self.order_type
        return OrderType.MARKET if self.price is None else OrderType.LIMIT

    @property
    def key(self) -> DecisionKey:
        """By what the decision is recognised when it comes again."""
        return DecisionKey(self.source, self.id)

    def payload(self) -> dict[str, str]:
        """The decision as it is journaled and compared: field to text, absent fields left out."""
        texts: dict[str, str] = {}
        for name in FIELDS:
            value = getattr(self, name)
            if isinstance(value, Decimal):
                texts[name] = plain(value)
            elif isinstance(value, datetime):
                texts[name] = value.isoformat()
            elif value not in (None, ""):
                texts[name] = str(value)
        return texts


@dataclass(frozen=True, slots=True)
class Malformed:
    """Something a source gave that is no decision: recorded with its reason, never executed.

    `id` is the decision's own where it could be read, else one made from its place in the source.
    """

    id: str
    source: str
    reason: str
    raw: str

    @property
    def key(self) -> DecisionKey:
        """By what it is recognised when it comes again."""
        return DecisionKey(self.source, self.id)


FIELDS = tuple(field.name for field in fields(Decision) if field.name != "source")
"""The fields of a decision as it is written down. Source: contract.md, "Names"."""

ORDER_TERMS = ("order_type", "stop_price", "trailing_delta_bps")
"""The fields that a table made before there were any may lack."""

_MAX_ID, _MAX_SYMBOL, _MAX_REASON, _MAX_RAW = 200, 40, 2000, 4000
_MAX_BPS = 10_000  # all of the price
_NEAR = 0.7
_MAX_ID_BITS = 664  # about as many as 200 digits take


def parse_decision(raw: Mapping[str, object], source: str, place: str) -> Decision | Malformed:
    """Read a decision from field names and values, as JSON or a database row gives them.

    `place` says where in the source it stands (``line 7``) and identifies it when it has no id.
    Never raises for bad input: what is wrong comes back as `Malformed`.
    """
    id_ = _identifier(raw.get("id"))
    try:
        if id_ is None:
            raise ValueError(f"id must be 1 to {_MAX_ID} printable characters")
        return _read(raw, source, id_)
    except ValueError as wrong:
        return malformed(str(wrong), source, place, _shown(raw), id_)


def malformed(reason: str, source: str, place: str, raw: str, id_: str | None = None) -> Malformed:
    """Describe what could not be read, cut to a size that can be kept."""
    return Malformed(id_ or f"@{place}", source, reason, raw[:_MAX_RAW])


def _read(raw: Mapping[str, object], source: str, id_: str) -> Decision:
    for name in raw:
        if name not in FIELDS:
            near = difflib.get_close_matches(str(name)[:40], FIELDS, 1, _NEAR)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"unknown field {str(name)[:40]!r}{hint}")
    direction = _direction(raw.get("direction"))
    strength = _number(raw, "strength")
    if strength is not None and not 0 <= strength <= 1:
        raise ValueError(f"strength must be between 0 and 1, not {plain(strength)}")
    qty, notional = _number(raw, "qty"), _number(raw, "notional")
    if qty is not None and notional is not None:
        raise ValueError("qty and notional are both given; give one")
    if direction is not Direction.HOLD:
        if qty is None and notional is None and strength is None:
            raise ValueError("one of strength, qty and notional is needed")
        if strength is not None and qty is None and notional is None:
            positive(strength, "strength")
        for name, value in (("qty", qty), ("notional", notional)):
            if value is not None:
                positive(value, name)
    decision = Decision(
        id=id_,
        symbol=_text(raw, "symbol", _MAX_SYMBOL),
        direction=direction,
        strength=strength,
        qty=qty,
        notional=notional,
        price=_price(raw, "price"),
        created_at=_time(raw, "created_at"),
        expires_at=_time(raw, "expires_at"),
        reason=_text(raw, "reason", _MAX_REASON) if raw.get("reason") else "",
        order_type=_order_type(raw.get("order_type")),
        stop_price=_price(raw, "stop_price"),
        trailing_delta_bps=_basis_points(raw),
        source=source,
    )
    if direction is not Direction.HOLD:
        _check_terms(decision)
    return decision


def _check_terms(decision: Decision) -> None:
    """Raise ``ValueError`` where prices do not belong to the type of order that is asked for."""
    if decision.order_type is OrderType.MARKET and decision.price is not None:
        raise ValueError("price belongs to limit orders, not to a MARKET order")
    OrderRequest(
        decision.symbol,
        Side(decision.direction),
        decision.qty or 1,
        decision.price,
        decision.kind,
        stop_price=decision.stop_price,
        trailing_delta_bps=decision.trailing_delta_bps,
    )


def _identifier(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, int) and value.bit_length() > _MAX_ID_BITS:
        return None
    text = str(value)
    return text if 0 < len(text) <= _MAX_ID and text.isprintable() else None


def _text(raw: Mapping[str, object], name: str, longest: int) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be a text")
    if len(value) > longest:
        raise ValueError(f"{name} has {len(value)} characters; at most {longest} are taken")
    if "\0" in value:
        raise ValueError(f"{name} holds a NUL character")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"{name} holds half of a surrogate pair, which cannot be stored")
    return value


def _shown(raw: Mapping[str, object]) -> str:
    try:
        return repr(dict(raw))
    except (ValueError, RecursionError):  # a number of thousands of digits; nested too deeply
        return f"the fields {[str(name)[:40] for name in raw]}"


def _brief(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > _MAX_ID_BITS:
        return "a number of that size"  # Python refuses to print the longest
    if isinstance(value, str | int | float | Decimal):
        return repr(str(value)[:40])
    return type(value).__name__


def _direction(value: object) -> Direction:
    if isinstance(value, str) and value.upper() in Direction.__members__:
        return Direction[value.upper()]
    raise ValueError(f"direction must be BUY, SELL or HOLD, not {_brief(value)}")


def _order_type(value: object) -> OrderType | None:
    if value is None:
        return None
    if isinstance(value, str) and value.upper() in OrderType.__members__:
        return OrderType[value.upper()]
    raise ValueError(f"order_type must be one of {', '.join(OrderType)}, not {_brief(value)}")


def _price(raw: Mapping[str, object], name: str) -> Decimal | None:
    value = _number(raw, name)
    return None if value is None else positive(value, name)


def _basis_points(raw: Mapping[str, object]) -> int | None:
    value = _number(raw, "trailing_delta_bps")
    if value is None:
        return None
    if value != value.to_integral_value() or not 0 < value < _MAX_BPS:
        most = _MAX_BPS - 1
        text = f"trailing_delta_bps must be a whole number from 1 to {most}, not {plain(value)}"
        raise ValueError(text)
    return int(value)


def _number(raw: Mapping[str, object], name: str) -> Decimal | None:
    value = raw.get(name)
    if value is None:
        return None
    if not isinstance(value, int | str | float | Decimal):
        raise ValueError(f"{name} must be a number")
    return exact(value, name)


def _time(raw: Mapping[str, object], name: str) -> datetime | None:
    value = raw.get(name)
    if value is None:
        return None
    try:
        if not isinstance(value, str):
            raise ValueError
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{name} must be an ISO 8601 time with its zone, such as 2026-07-01T12:00:00Z, "
            f"not {_brief(value)}"
        ) from None

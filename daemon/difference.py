"""In what journal and venue differ: what is booked, and what a person must look at first."""

from dataclasses import asdict, dataclass
from typing import Self

from otonom_trader.domain.amount import plain
from otonom_trader.domain.execution import TradeExecutionLog
from otonom_trader.domain.intent import Intent
from otonom_trader.domain.order import OrderResult


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which journal and venue differ.

    The venue's word is booked, unless there is a `doubt`, which says how the two contradict each
    other: then trading must stop until a person has done what `remedy` says.
    """

    kind: str
    symbol: str
    client_order_id: str
    journal: str
    venue: str
    doubt: str = ""
    remedy: str = ""

    @classmethod
    def of_order(cls, before: TradeExecutionLog, order: OrderResult) -> Self:
        """An order of which the venue tells more than the row `before`."""
        told = order.status or order.code or order.state
        venue = f"{str(told).lower()}, filled {plain(order.filled_qty)}"
        return cls("order", before.symbol, before.client_order_id or "", _known(before), venue)

    @classmethod
    def of_fills(cls, intent: Intent, order: OrderResult) -> Self:
        """An order whose end was known, and not all of its fills."""
        venue = f"{str(order.status).lower()}, filled {plain(order.filled_qty)}"
        return cls("fills", intent.symbol.canonical, intent.client_order_id, "not all", venue)

    @classmethod
    def of_another(cls, order: OrderResult) -> Self:
        """A working order of somebody else on the account."""
        return cls("external", order.symbol, order.client_order_id or "", "none", _working(order))

    @classmethod
    def of_forgotten(cls, row: TradeExecutionLog) -> Self:
        """An order that the venue has accepted and does not know any more."""
        id_ = row.client_order_id or ""
        doubt = f"the venue does not know order {id_}, which it accepted"
        remedy = (
            "look at the venue for what became of it, then write it off: "
            f"otonom-trader write-off {id_} --reason TEXT"
        )
        return cls("forgotten", row.symbol, id_, _known(row), "not known", doubt, remedy)

    @classmethod
    def of_unrecorded(cls, order: OrderResult) -> Self:
        """A working order with our prefix that the journal does not know."""
        id_ = order.client_order_id or ""
        doubt = (
            f"order {id_} of {order.symbol} works at the venue and carries our prefix, but the "
            "journal does not know it: another daemon, or an older journal, placed it"
        )
        remedy = "find out who placed it, and cancel it at the venue"
        return cls("unrecorded", order.symbol, id_, "none", _working(order), doubt, remedy)

    @classmethod
    def of_reused(cls, row: TradeExecutionLog, order: OrderResult, doubt: str) -> Self:
        """An order that cannot be booked: its trade has the id of another one on record."""
        remedy = (
            "look at the venue for what became of it; if it was reset, stop the daemon and start "
            "it with a new state directory (--state-dir): this one keeps its record"
        )
        venue = f"{str(order.status).lower()}, filled {plain(order.filled_qty)}"
        id_ = row.client_order_id or ""
        return cls("reused", row.symbol, id_, _known(row), venue, doubt, remedy)

    def as_fields(self) -> dict[str, str]:
        """Its fields by name, as they are logged and printed."""
        return asdict(self)


def _known(row: TradeExecutionLog) -> str:
    return f"{row.outcome}, filled {plain(row.broker_qty)}"


def _working(order: OrderResult) -> str:
    return f"{order.side} {plain(order.qty)}, filled {plain(order.filled_qty)}"

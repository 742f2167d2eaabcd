"""What a command tells: its events, numbered and in the order they happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from otonom_trader.testnet.accounts import Account
from otonom_trader.testnet.events import (
    AccountPosition,
    Event,
    Execution,
    ExecutionType,
    ListStatus,
    Prevention,
    RejectReason,
)
from otonom_trader.testnet.orders import Fill, ListStatusType, Order, OrderList


@dataclass(slots=True)
class Ids:
    """The venue's counters: the last one given out, of lists the next."""

    order: int = 0
    execution: int = 0
    next_list: int = 0


class Reports:
    """The events of one command, as they come about."""

    __slots__ = ("_ids", "_now_ms", "events")

    def __init__(self, ids: Ids, now_ms: int) -> None:
        self.events: Final[list[Event]] = []
        self._ids: Final = ids
        self._now_ms: Final = now_ms

    def execution(
        self,
        order: Order,
        kind: ExecutionType,
        *,
        fill: Fill | None = None,
        prevention: Prevention | None = None,
        replaced_client_id: str = "",
        reject_reason: RejectReason = RejectReason.NONE,
    ) -> int:
        """Tell what just happened to an order: the execution's id."""
        self._ids.execution += 1
        is_on_book = order.is_resting or (
            kind is ExecutionType.NEW and order.working_ms is not None
        )
        self.events.append(
            Execution(
                order=order,
                type=kind,
                execution_id=self._ids.execution,
                time_ms=self._now_ms,
                status=order.status,
                client_id=order.client_id,
                replaced_client_id=replaced_client_id,
                qty=order.qty,
                executed=order.executed,
                cumulative_quote=order.cumulative_quote,
                prevented=order.prevented,
                is_on_book=is_on_book,
                working_ms=order.working_ms,
                trailing_ms=order.trailing_ms,
                reject_reason=reject_reason,
                expiry_reason=order.expiry_reason,
                fill=fill,
                prevention=prevention,
            )
        )
        return self._ids.execution

    def order_list(self, order_list: OrderList, status_type: ListStatusType) -> None:
        """Tell where a list stands; its orders are called what they were while they worked."""
        self.events.append(
            ListStatus(
                account=order_list.account,
                symbol=order_list.symbol,
                list_id=order_list.list_id,
                contingency=order_list.contingency,
                status_type=status_type,
                order_status=order_list.order_status,
                client_id=order_list.client_id,
                time_ms=self._now_ms,
                orders=tuple(
                    (order.order_id, order.original_client_id) for order in order_list.orders
                ),
            )
        )

    def balances(self, assets: Sequence[str]) -> None:
        """Tell these assets of each account that the command touched, once."""
        touched: dict[str, Account] = {}
        for event in self.events:
            if isinstance(event, Execution):
                account = event.order.account
                touched[account.name] = account
        for account in touched.values():
            # A request that was held up carries an older time than what was told meanwhile.
            account.update_ms = max(account.update_ms, self._now_ms)
            if account.is_participant:
                continue
            balances = tuple(
                (asset, account.balance(asset).free, account.balance(asset).locked)
                for asset in assets
            )
            self.events.append(AccountPosition(account, account.update_ms, balances))

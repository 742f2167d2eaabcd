"""The daemon with one safety taken out: ``python variants.py NAME run ...``.

Each variant makes a mistake that daemons like this one have been seen to make, in the few lines it
takes, and is otherwise the program as it ships.
"""

import sqlite3
import sys
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

from otonom_trader.brokers.account_book import AccountBook
from otonom_trader.brokers.binance.broker import BinanceBroker
from otonom_trader.brokers.binance.errors import Reply
from otonom_trader.brokers.binance.transport.governor import Lane, Toll
from otonom_trader.brokers.binance.transport.signed_rest import LiveTransport
from otonom_trader.brokers.binance.transport.signing import Params
from otonom_trader.brokers.binance.transport.weights import PLACE_OR_CANCEL
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.brokers.outcomes import Carried, Outcomes
from otonom_trader.brokers.plan import Plan
from otonom_trader.brokers.waiting import WaitingRoom
from otonom_trader.daemon import configuration_change, kill
from otonom_trader.daemon.entry import main
from otonom_trader.daemon.flatten import Flatten
from otonom_trader.daemon.floor import Floor
from otonom_trader.daemon.lifecycle import Lifecycle
from otonom_trader.daemon.preparation import Preparation
from otonom_trader.domain.approval import Parked, Ruling, RulingKind
from otonom_trader.domain.decision import DecisionKey
from otonom_trader.domain.intent import Entry, Intent
from otonom_trader.domain.order import OrderRequest, OrderResult, OrderState
from otonom_trader.domain.ports import KillGate
from otonom_trader.domain.verdict import Verdict
from otonom_trader.risk.limits import RiskGuardrails
from otonom_trader.storage import approvals


def put(owner: type | ModuleType, name: str, method: object) -> None:
    """Put `method` in the place of the one called `name`."""
    assert callable(getattr(owner, name))
    setattr(owner, name, method)


def gate_removed() -> None:
    """The kill switch is asked when an order is judged, and not again before its bytes leave."""

    def ungated(self: LiveTransport, orders: int, _gate: KillGate | None) -> Toll:
        return Toll(self.governor, PLACE_OR_CANCEL, Lane.ORDER, orders=orders)

    put(LiveTransport, "_order_toll", ungated)


def gate_before_the_pool() -> None:
    """The kill switch is asked once more as an order sets out, before it waits for a connection."""
    gate_removed()
    place = LiveTransport.place

    async def ask_and_place(
        self: LiveTransport, params: Params, gate: KillGate | None = None
    ) -> Reply:
        assert self._gate is not None
        self._gate.check()
        return await place(self, params, gate)

    put(LiveTransport, "place", ask_and_place)


def latch_in_memory_only() -> None:
    """The latch file is never written."""
    put(kill, "append_latch", lambda *_: None)


def switch_ignored() -> None:
    """The kill switch is not asked at all."""
    put(Lifecycle, "check", lambda _self: None)


def resend_on_timeout() -> None:
    """An order that was not answered is sent again."""
    place = BinanceBroker.place_order

    async def place_twice(self: BinanceBroker, req: OrderRequest) -> OrderResult:
        result = await place(self, req)
        return await place(self, req) if result.state is OrderState.UNKNOWN else result

    put(BinanceBroker, "place_order", place_twice)


def timeout_is_failure() -> None:
    """An order that was not answered counts as rejected."""
    place = BinanceBroker.place_order

    async def place_and_give_up(self: BinanceBroker, req: OrderRequest) -> OrderResult:
        result = await place(self, req)
        unknown = result.state is OrderState.UNKNOWN
        return replace(result, state=OrderState.REJECTED) if unknown else result

    put(BinanceBroker, "place_order", place_and_give_up)


def intent_after_send() -> None:
    """What is about to be sent is written down together with its outcome."""
    put_off(lambda _: True)


def put_off(is_put_off: Callable[[Entry], bool]) -> None:
    """Write an entry with an intent that `is_put_off` together with its outcome."""
    write, settle = GuardedBroker._write, Outcomes.settle
    unwritten: dict[str, tuple[GuardedBroker, Entry]] = {}

    async def wait_with(self: GuardedBroker, entry: Entry) -> None:
        if entry.intent is None or not is_put_off(entry):
            await write(self, entry)
        else:
            unwritten[entry.intent.client_order_id] = self, entry

    async def write_and_settle(self: Outcomes, intent: Intent, *given: Any) -> Carried:
        put_off_before = unwritten.pop(intent.client_order_id, None)
        if put_off_before is not None:
            await write(*put_off_before)
        return await settle(self, intent, *given)

    put(GuardedBroker, "_write", wait_with)
    put(Outcomes, "settle", write_and_settle)


def reservation_released_early() -> None:
    """What is sent and not yet settled counts nowhere."""
    put(AccountBook, "reserve", lambda *_: None)


def reload_that_loosens() -> None:
    """What is saved is applied, whatever it loosens."""

    def nothing(_old: RiskGuardrails, _new: RiskGuardrails) -> tuple[str, ...]:
        return ()

    put(configuration_change, "loosened", nothing)


def sells_while_unknown() -> None:
    """After a kill what was bought is sold again where no answer came to the first sale."""

    def may_sell(self: Flatten, floor: Floor) -> bool:
        return self._lifecycle.flattens and self._halt.withdrawal.verified

    put(Flatten, "_may_sell", may_sell)


def approval_is_the_last_word() -> None:
    """What a person has approved is not judged again."""
    admit = WaitingRoom.admit

    def trust(self: WaitingRoom, plan: Plan, *given: Any) -> Parked | Verdict | None:
        return admit(self, plan, *given) if plan.ruling is None else None

    put(WaitingRoom, "admit", trust)


def approval_recorded_after_the_send() -> None:
    """An approval is written with what came of its order, which nobody asks the venue for."""

    async def nothing_forgotten(*_: object) -> None:
        return None

    put_off(lambda entry: entry.ruling is not None)
    put(Preparation, "_find_forgotten", nothing_forgotten)


def approval_left_open() -> None:
    """An approved order's intent is written, and that it waits no more is not."""
    rule = approvals.rule

    def remember_alone(
        connection: sqlite3.Connection, key: DecisionKey, ruling: Ruling, *given: Any
    ) -> int:
        if ruling.kind is not RulingKind.APPROVED:
            return rule(connection, key, ruling, *given)
        found = connection.execute(
            "SELECT seq FROM decisions WHERE source = ? AND id = ?", (key.source, key.id)
        )
        return int(found.fetchone()[0])

    put(approvals, "rule", remember_alone)


def parked_in_memory_only() -> None:
    """That an order waits is kept in memory, while its decision counts as taken up."""
    put(approvals, "insert", lambda *_: None)


def parked_and_not_taken_up() -> None:
    """What waits is in the journal, and a start does not read it."""
    put(WaitingRoom, "take_up", lambda *_: None)


VARIANTS: dict[str, Callable[[], None]] = {
    variant.__name__: variant
    for variant in (
        gate_removed,
        gate_before_the_pool,
        latch_in_memory_only,
        switch_ignored,
        resend_on_timeout,
        timeout_is_failure,
        intent_after_send,
        reservation_released_early,
        reload_that_loosens,
        sells_while_unknown,
        approval_is_the_last_word,
        approval_recorded_after_the_send,
        approval_left_open,
        parked_in_memory_only,
        parked_and_not_taken_up,
    )
}


def program(name: str) -> tuple[str, ...]:
    """Return the command line's program for the variant `name`."""
    assert name in VARIANTS
    return (sys.executable, __file__, name)


if __name__ == "__main__":
    VARIANTS[sys.argv.pop(1)]()
    sys.exit(main())

"""What trades: broker, paper leg and executor, put together on a journal.

Used by the daemon and by `create_shadow_executor` alike.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog

from otonom_trader.brokers.base import OrderDoor, Venue
from otonom_trader.brokers.config import BrokerConfig, require_live_permitted
from otonom_trader.brokers.factory import build_exits, build_venue
from otonom_trader.brokers.guarded import GuardedBroker
from otonom_trader.brokers.paper import PaperBroker, open_account
from otonom_trader.brokers.waiting import WaitingRoom
from otonom_trader.daemon.alarm import Alarm, objection
from otonom_trader.daemon.executor import ShadowModeExecutor
from otonom_trader.daemon.locks import account_lock
from otonom_trader.daemon.settings import Paper
from otonom_trader.daemon.sizing import SizingRules
from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.errors import (
    NotPermitted,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    VenueError,
    VenueUnreachable,
)
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.ports import Clock, HealthWatch, KillGate
from otonom_trader.storage.journal import Journal

log = structlog.get_logger("desk")


@dataclass(frozen=True, slots=True)
class Desk:
    """An account, its guarded broker, and the executor of decisions on it."""

    account: AccountKey
    broker: GuardedBroker
    executor: ShadowModeExecutor


async def open_desk(
    stack: AsyncExitStack,
    config: BrokerConfig,
    paper: Paper,
    journal: Journal,
    gate: KillGate,
    clock: Clock,
    alarm: Alarm,
    health: HealthWatch | None = None,
    waiting: WaitingRoom | None = None,
    *,
    on_loss: Callable[[str], None],
    exit_gate: KillGate | None = None,
) -> Desk:
    """Reach the venue and build what trades on it; `stack` closes it.

    `health` hears of the venue, `on_loss` of a loss for which trading must halt. `waiting` is where
    orders wait for a person; without it they are denied for want of one. With an `exit_gate` orders
    that flatten after a kill pass that one, in live.
    Raises `NotPermitted` when the venue or the configuration refuses for good, `VenueUnreachable`
    when trying again may help, `AlreadyRunning` when another process trades on the account.
    """
    require_live_permitted(config)
    venue = build_venue(config, clock, gate)
    exits = None
    if exit_gate is not None and config.mode is Mode.LIVE:
        exits = build_exits(venue, exit_gate)
    if (banned_until := await journal.ban_until(config.base_url)) is not None:
        venue.keep_silent_until(banned_until)
    try:
        account = await venue.get_account_key()
        wrong = await key_objection(venue, config)
        broker = await _guarded(
            venue,
            account,
            config,
            paper,
            journal,
            gate,
            clock,
            alarm,
            health,
            waiting,
            on_loss,
            exits,
        )
    except (NotSent, OutcomeUnknown, RateLimited) as failure:
        await venue.aclose()
        raise VenueUnreachable(f"the venue cannot be reached: {failure}") from None
    except Rejected as refusal:
        await venue.aclose()
        raise NotPermitted(f"the venue refused the account: {refusal}") from None
    stack.push_async_callback(venue.aclose)
    if wrong is not None:
        raise NotPermitted(wrong)
    for gone in await _name_symbols(broker, config):
        log.warning("symbol.unlisted", reason=gone)
    if config.mode is not Mode.OFF and config.broker_type != "dummy":
        stack.enter_context(account_lock(f"{account.venue}:{account.uid}"))
    executor = ShadowModeExecutor(
        broker,
        journal,
        sizing_rules(config),
        clock,
        ask_before=await journal.last_row_at(),
        needs_created_at=config.mode is Mode.LIVE and not config.use_testnet,
    )
    return Desk(account, broker, executor)


def sizing_rules(config: BrokerConfig) -> SizingRules:
    """Return how decisions become orders."""
    return SizingRules(
        risk_per_trade_pct=config.risk_per_trade_pct,
        protected=config.market_orders == "protected",
        collar_pct=config.get_risk_guardrails().price_collar_pct,
    )


async def key_objection(venue: Venue, config: BrokerConfig) -> str | None:
    """Ask the venue what the key may do; return why it is not to be traded with, if it is not.

    Raises `VenueError` when the venue cannot be asked. Source: promises.md, P7.
    """
    rights = await venue.get_key_rights()
    if rights is not None and not rights.is_ip_restricted and not config.require_ip_restriction:
        log.warning("account.key_unrestricted", hint="the key works from any address")
    return objection(rights, require_ip_restriction=config.require_ip_restriction)


async def _name_symbols(broker: GuardedBroker, config: BrokerConfig) -> list[str]:
    """Count what the configuration names among what is traded; return why what cannot be is not."""
    refusals = []
    for name in config.symbols.values():
        try:
            broker.account.trade(await broker.venue.get_instrument(name))
        except VenueError as refusal:
            refusals.append(str(refusal))
    return refusals


async def _guarded(
    venue: Venue,
    account: AccountKey,
    config: BrokerConfig,
    paper: Paper,
    journal: Journal,
    gate: KillGate,
    clock: Clock,
    alarm: Alarm,
    health: HealthWatch | None,
    waiting: WaitingRoom | None,
    on_loss: Callable[[str], None],
    exits: OrderDoor | None,
) -> GuardedBroker:
    """Guard `venue`; its simulated accounts open with its balances, in off with paper's."""
    opening = dict(paper.balances)
    if config.mode is not Mode.OFF:
        balances = (await venue.get_account()).balances
        opening = {asset: balance.total for asset, balance in balances.items()}
    paper_account = await open_account(journal, f"paper:{account}", opening)
    shadow = None
    if config.mode is Mode.SHADOW:
        shadow = await open_account(journal, f"shadow:{account}", opening)
    broker = GuardedBroker(
        venue,
        config.get_risk_guardrails(),
        intents=journal,
        gate=gate,
        clock=clock,
        account_currency=config.account_currency,
        paper=PaperBroker(paper_account, paper.fee_pct),
        shadow=shadow,
        waiting=waiting,
        exits=exits,
        taker_fee_pct=paper.fee_pct,
        heed=alarm.heed,
        health=None if config.mode is Mode.OFF else health,
        on_loss=on_loss,
    )
    await broker.activity.take_up(account)
    for simulated in (paper_account, shadow):
        if simulated is not None:
            await broker.resting.take_up(journal, simulated)
    return broker

"""docs/emergency.md: its commands print what the page says, in the situations it tells of."""

import re
import shlex
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import pytest

from otonom_trader.testnet import LocalTestnet
from tests.docs.markdown import ROOT, Block, blocks
from tests.system.conftest import Install
from tests.system.decisions import numbered
from tests.system.disks import fill, make_room, on_a_small_disk, spoil
from tests.system.harness import Installation, until
from tests.system.markets import venue
from tests.system.production import at_production
from tests.system.scenarios import ORDER
from tests.system.test_contradictions import opened, port_of
from tests.system.test_contradictions import rests as rests_there
from tests.system.test_panic import by_hand, long_ago, rests

PAGE = (ROOT / "docs" / "emergency.md").read_text("utf-8")
SECTIONS = {
    part.splitlines()[0]: blocks(part, "bash")
    for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
}
ANYTHING = "…"


@asynccontextmanager
async def orders_work(install: Install) -> AsyncIterator[Installation]:
    async with venue() as market:
        trader = install(market.url)
        await rests(trader)
        yield trader


@asynccontextmanager
async def orders_are_left(install: Install) -> AsyncIterator[Installation]:
    async with venue() as market:
        trader = install(market.url)
        await (await rests(trader)).kill_9()
        long_ago(trader)
        await by_hand(market)
        yield trader


@asynccontextmanager
async def the_daemon_hangs(install: Install) -> AsyncIterator[Installation]:
    async with venue() as market:
        trader = install(market.url)
        daemon = await rests(trader)
        daemon.send(signal.SIGSTOP)
        yield trader
        daemon.send(signal.SIGCONT)


@asynccontextmanager
async def the_venue_has_forgotten(install: Install) -> AsyncIterator[Installation]:
    async with opened() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        await rests_there(trader)
    async with opened(port_of(market)):
        await daemon.in_state("HALTED")
        yield trader


@asynccontextmanager
async def the_key_is_revoked(install: Install) -> AsyncIterator[Installation]:
    async with venue() as market:
        trader = install(market.url)
        daemon = await (await trader.start()).in_state("RUNNING")
        await tell(market, "keys/trader-key", {"revoked": True})
        await daemon.in_state("HALTED")
        yield trader


@asynccontextmanager
async def the_disk_is_full(install: Install) -> AsyncIterator[Installation]:
    async with venue() as market:
        trader = install(market.url)
        with on_a_small_disk(trader):
            daemon = await rests(trader)
            fill(trader)
            trader.decide(*numbered(1, first=2))
            await daemon.in_state("HALTED")
            yield trader
            outcomes = [row["outcome"] for row in await trader.executions()]
            assert outcomes == ["cancelled", "cancelled", "denied"]


async def there_is_room(trader: Installation) -> None:
    make_room(trader)
    await trader.decided(3)


@asynccontextmanager
async def the_journal_is_damaged(install: Install) -> AsyncIterator[Installation]:
    async with venue() as market:
        trader = install(market.url)
        await (await rests(trader)).stop()
        spoil(trader.journal_path)
        long_ago(trader)
        yield trader


@asynccontextmanager
async def the_venue_has_banned_us(install: Install) -> AsyncIterator[Installation]:
    async with venue() as market:
        trader = install(market.url)
        daemon = await rests(trader)
        market.faults.add(
            {"path": "/api/v3/account", "fault": "ban_418", "retry_after_s": 12, "count": 1}
        )
        await daemon.logged("venue.banned")
        await daemon.in_state("RECONCILING")
        yield trader


@asynccontextmanager
async def it_is_production(install: Install) -> AsyncIterator[Installation]:
    async with venue() as market, at_production(install, market) as trader:
        await (await trader.start()).in_state("RUNNING")
        yield trader


@asynccontextmanager
async def orders_are_not_answered(install: Install) -> AsyncIterator[Installation]:
    limits = {"health_breaker": {"consecutive_unknowns": 1}}
    impatient = {"broker": {"binance": {"timeout_seconds": 0.3, "recv_window_ms": 1000}}}
    async with venue() as market:
        trader = install(market.url, broker=limits | impatient)
        daemon = await (await trader.start()).in_state("RUNNING")
        market.faults.add({**ORDER, "fault": "no_answer_after", "count": 1})
        trader.decide({"id": "d0", "symbol": "BTC-USDT", "direction": "BUY", "qty": "0.01"})
        await daemon.in_state("PAPER_ONLY")
        yield trader


Situation = Callable[[Install], AbstractAsyncContextManager[Installation]]
SITUATIONS: dict[str, tuple[Situation, Sequence[int]]] = {
    "Stop trading now": (orders_work, [0, 0, 0]),
    "Nothing runs, and orders may work": (orders_are_left, [0, 0]),
    "It does not answer": (the_daemon_hangs, [1]),
    "Journal and venue contradict each other": (the_venue_has_forgotten, [77, 0, 0]),
    "The venue refuses the key": (the_key_is_revoked, [0, 77]),
    "The disk is full": (the_disk_is_full, [0, 1, 0]),
    "The journal is damaged": (the_journal_is_damaged, [1, 0]),
    "The clock is off": (orders_work, [0]),
    "The venue has banned this address": (the_venue_has_banned_us, [0, 0, 0, 0]),
    "Only paper goes on": (orders_are_not_answered, [0, 0]),
    "Rehearse it": (orders_work, [0, 0]),
    "Rehearse it on production": (it_is_production, [0]),
}
MEANWHILE: Mapping[str, Callable[[Installation], Awaitable[None]]] = {
    'otonom-trader resume --reason "there is room again"': there_is_room,
}
"""What a person is told to do by hand before a command."""


def test_every_section_with_commands_has_its_situation() -> None:
    assert {title for title, found in SECTIONS.items() if found} == SITUATIONS.keys()


@pytest.mark.parametrize("title", SITUATIONS)
async def test_the_commands_print_what_the_page_says(install: Install, title: str) -> None:
    situation, statuses = SITUATIONS[title]
    left = list(statuses)
    async with situation(install) as trader:
        for block in SECTIONS[title]:
            printed = ""
            for line in block.text.splitlines():
                status, said = await carry_out(trader, line, block)
                assert status == left.pop(0), said
                printed += said
            assert says(block.output or "", printed), printed
    assert not left


async def carry_out(trader: Installation, line: str, block: Block) -> tuple[int, str]:
    """Run one line of the page; return its exit status, and what it printed and complained of."""
    if line in MEANWHILE:
        await MEANWHILE[line](trader)
    program, *words = shlex.split(line)
    assert program == "otonom-trader", f"line {block.line}: {line}"
    if "CLIENT_ORDER_ID" in words:
        id_ = str((await trader.orders())[0]["client_order_id"])
        words[words.index("CLIENT_ORDER_ID")] = id_
    if words == ["status"]:
        await until(lambda: is_verified(trader), "cancelled, where that is to be")
    done = await trader.command(*words)
    return done.status, done.out + done.err


async def is_verified(trader: Installation) -> bool:
    status = await trader.status()
    refused = "the venue refuses the key" in (status["kill_reason"] or "")
    return bool(status.get("kill_verified", True)) or refused


async def tell(market: LocalTestnet, path: str, body: object) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{market.url}/testnet/{path}", json=body) as reply,
    ):
        assert reply.status == 200, await reply.text()


def says(expected: str, printed: str) -> bool:
    """Whether `printed` is as `expected`; ``…`` is anything in it, on a line alone any lines."""
    pattern = "".join(
        "(?:.*\n)*" if line.strip() == ANYTHING else f"{in_pattern(line)} *\n"
        for line in expected.splitlines()
    )
    return re.fullmatch(pattern, printed) is not None


def in_pattern(line: str) -> str:
    words = (".*".join(re.escape(part) for part in word.split(ANYTHING)) for word in line.split())
    return " *" + " +".join(words)

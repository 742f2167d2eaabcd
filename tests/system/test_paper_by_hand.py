"""Twenty decisions on twenty books, and what they come to on paper, worked out by hand.

Mode off, 50000 USDT and 1 BTC at the start, a fee of 0.1 % of what is received. A decision without
a price reaches 1 % through the market; quantities are in steps of 0.00001 BTC. An order is worth at
least 5 USDT at the venue, and at most 25000 USDT by the guardrails, which deny nothing in mode off
but say what they would have said.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from otonom_trader.domain.ledger import Ledger
from otonom_trader.storage.journal import Journal
from tests.system.conftest import Install
from tests.system.harness import CLOCK, Installation, until
from tests.system.markets import Levels, account, venue, write_book


@dataclass(frozen=True)
class Case:
    """A book, a decision on it, and what follows; `usdt` and `btc` are the balances after it."""

    decision: Mapping[str, str]
    outcome: str
    usdt: str
    btc: str
    asks: Levels = ()
    bids: Levels = ()
    qty: str = "0"
    price: str | None = None
    fee: str = "0"
    code: str | None = None


CASES = (
    # All of it at the best ask: 0.1 * 20000 = 2000; fee 0.1 % of 0.1 = 0.0001.
    Case(
        {"direction": "BUY", "qty": "0.1"},
        "filled",
        asks=(("20000", "1"),),
        bids=(("19990", "1"),),
        qty="0.1",
        price="20000",
        fee="0.0001",
        usdt="48000",  # 50000 - 2000
        btc="1.0999",  # 1 + 0.1 - 0.0001
    ),
    # Three levels: 2000 + 2001 + 2002 = 6003 for 0.3, 20010 each; fee 0.0003.
    Case(
        {"direction": "BUY", "qty": "0.3"},
        "filled",
        asks=(("20000", "0.1"), ("20010", "0.1"), ("20020", "5")),
        bids=(("19990", "1"),),
        qty="0.3",
        price="20010",
        fee="0.0003",
        usdt="41997",  # 48000 - 6003
        btc="1.3996",  # 1.0999 + 0.3 - 0.0003
    ),
    # 0.05 * 21000 + 0.05 * 20990 + 0.1 * 20980 = 1050 + 1049.5 + 2098 = 4197.5 for 0.2, 20987.5
    # each; the fee is of what is received: 4.1975 USDT.
    Case(
        {"direction": "SELL", "qty": "0.2"},
        "filled",
        asks=(("21010", "1"),),
        bids=(("21000", "0.05"), ("20990", "0.05"), ("20980", "1")),
        qty="0.2",
        price="20987.5",
        fee="4.1975",
        usdt="46190.3025",  # 41997 + 4197.5 - 4.1975
        btc="1.1996",  # 1.3996 - 0.2
    ),
    # The book ends: 0.4 of 1 at 20000 = 8000; fee 0.0004.
    Case(
        {"direction": "BUY", "qty": "1"},
        "partly_filled",
        asks=(("20000", "0.4"),),
        bids=(("19990", "1"),),
        qty="0.4",
        price="20000",
        fee="0.0004",
        usdt="38190.3025",  # 46190.3025 - 8000
        btc="1.5992",  # 1.1996 + 0.4 - 0.0004
    ),
    # 1.5 * 20000 = 30000, above the guardrail's 25000: off fills it and keeps the verdict.
    Case(
        {"direction": "BUY", "qty": "1.5"},
        "filled",
        asks=(("20000", "2"),),
        bids=(("19990", "1"),),
        qty="1.5",
        price="20000",
        fee="0.0015",
        code="max_notional_per_order",
        usdt="8190.3025",  # 38190.3025 - 30000
        btc="3.0977",  # 1.5992 + 1.5 - 0.0015
    ),
    # 0.5 * 20000 = 10000 cannot be paid from 8190.3025: nothing fills, nothing turns negative.
    Case(
        {"direction": "BUY", "qty": "0.5"},
        "unfilled",
        asks=(("20000", "1"),),
        bids=(("19990", "1"),),
        usdt="8190.3025",
        btc="3.0977",
    ),
    # 1 % below the best bid of 20000 is 19800, so 19700 is out of reach: 0.3 * 20000 + 0.2 * 19900
    # = 6000 + 3980 = 9980 for 0.5, 19960 each; fee 9.98 USDT.
    Case(
        {"direction": "SELL", "qty": "1"},
        "partly_filled",
        asks=(("20010", "1"),),
        bids=(("20000", "0.3"), ("19900", "0.2"), ("19700", "5")),
        qty="0.5",
        price="19960",
        fee="9.98",
        usdt="18160.3225",  # 8190.3025 + 9980 - 9.98
        btc="2.5977",  # 3.0977 - 0.5
    ),
    # A limit takes what is no dearer: 0.05 * 20000 + 0.05 * 20005 = 1000 + 1000.25 = 2000.25 for
    # 0.1, 20002.5 each; fee 0.0001.
    Case(
        {"direction": "BUY", "qty": "0.1", "price": "20005"},
        "filled",
        asks=(("20000", "0.05"), ("20005", "0.05"), ("20006", "1")),
        bids=(("19990", "1"),),
        qty="0.1",
        price="20002.5",
        fee="0.0001",
        usdt="16160.0725",  # 18160.3225 - 2000.25
        btc="2.6976",  # 2.5977 + 0.1 - 0.0001
    ),
    # 1000 USDT at the best ask of 25000 are 0.04; fee 0.00004.
    Case(
        {"direction": "BUY", "notional": "1000"},
        "filled",
        asks=(("25000", "1"),),
        bids=(("24990", "1"),),
        qty="0.04",
        price="25000",
        fee="0.00004",
        usdt="15160.0725",  # 16160.0725 - 1000
        btc="2.73756",  # 2.6976 + 0.04 - 0.00004
    ),
    # 500 USDT at the best bid of 20000 are 0.025; fee 0.5 USDT.
    Case(
        {"direction": "SELL", "notional": "500"},
        "filled",
        asks=(("20010", "1"),),
        bids=(("20000", "1"),),
        qty="0.025",
        price="20000",
        fee="0.5",
        usdt="15659.5725",  # 15160.0725 + 500 - 0.5
        btc="2.71256",  # 2.73756 - 0.025
    ),
    # Half strength of 1 % of equity. The mark is half way, 20000: equity 15659.5725 + 2.71256 *
    # 20000 = 15659.5725 + 54251.2 = 69910.7725; 1 % * 0.5 of it is 349.5538625. At 20001 these are
    # 0.017476..., rounded down 0.01747, for 0.01747 * 20001 = 349.41747; fee 0.00001747.
    Case(
        {"direction": "BUY", "strength": "0.5"},
        "filled",
        asks=(("20001", "1"),),
        bids=(("19999", "1"),),
        qty="0.01747",
        price="20001",
        fee="0.00001747",
        usdt="15310.15503",  # 15659.5725 - 349.41747
        btc="2.73001253",  # 2.71256 + 0.01747 - 0.00001747
    ),
    # More than is held is cut to what is held, 2.73001253, rounded down 2.73001: at 5000 these are
    # 13650.05; fee 13.65005 USDT.
    Case(
        {"direction": "SELL", "qty": "5"},
        "filled",
        asks=(("5001", "1"),),
        bids=(("5000", "10"),),
        qty="2.73001",
        price="5000",
        fee="13.65005",
        usdt="28946.55498",  # 15310.15503 + 13650.05 - 13.65005
        btc="0.00000253",  # 2.73001253 - 2.73001
    ),
    # What is held is less than a step: there is nothing to sell.
    Case(
        {"direction": "SELL", "qty": "0.01"},
        "denied",
        asks=(("20010", "1"),),
        bids=(("20000", "1"),),
        code="min_qty",
        usdt="28946.55498",
        btc="0.00000253",
    ),
    # Nobody sells: there is no price.
    Case(
        {"direction": "BUY", "qty": "0.01"},
        "denied",
        bids=(("20000", "1"),),
        code="no_price",
        usdt="28946.55498",
        btc="0.00000253",
    ),
    # 0.00015 * 20000 = 3 USDT is below the venue's least of 5.
    Case(
        {"direction": "BUY", "qty": "0.00015"},
        "denied",
        asks=(("20000", "1"),),
        bids=(("19990", "1"),),
        code="min_notional",
        usdt="28946.55498",
        btc="0.00000253",
    ),
    # A quantity given by hand is not rounded: 0.000515 lies between two steps.
    Case(
        {"direction": "BUY", "qty": "0.000515"},
        "denied",
        asks=(("20000", "1"),),
        bids=(("19990", "1"),),
        code="qty_step",
        usdt="28946.55498",
        btc="0.00000253",
    ),
    # 0.00345 * 20000.01 + 0.02 * 20000.02 + 0.1 * 20000.03 = 69.0000345 + 400.0004 + 2000.003
    # = 2469.0034345 for 0.12345, as one price 20000.0278; fee 0.00012345.
    Case(
        {"direction": "BUY", "qty": "0.12345"},
        "filled",
        asks=(("20000.01", "0.00345"), ("20000.02", "0.02"), ("20000.03", "1")),
        bids=(("20000", "1"),),
        qty="0.12345",
        price="2469.0034345/0.12345",
        fee="0.00012345",
        usdt="26477.5515455",  # 28946.55498 - 2469.0034345
        btc="0.12332908",  # 0.00000253 + 0.12345 - 0.00012345
    ),
    # 0.1 * 20000.5 + 0.02332 * 19999.99 = 2000.05 + 466.3997668 = 2466.4497668 for 0.12332; fee
    # 2.4664497668 USDT.
    Case(
        {"direction": "SELL", "qty": "0.12332"},
        "filled",
        asks=(("20001", "1"),),
        bids=(("20000.5", "0.1"), ("19999.99", "1")),
        qty="0.12332",
        price="2466.4497668/0.12332",
        fee="2.4664497668",
        usdt="28941.5348625332",  # 26477.5515455 + 2466.4497668 - 2.4664497668
        btc="0.00000908",  # 0.12332908 - 0.12332
    ),
    # HOLD never orders.
    Case(
        {"direction": "HOLD"},
        "hold",
        asks=(("20001", "1"),),
        bids=(("20000", "1"),),
        code="hold",
        usdt="28941.5348625332",
        btc="0.00000908",
    ),
    # A limit below the best ask waits for the market to come to it.
    Case(
        {"direction": "BUY", "qty": "0.1", "price": "19995"},
        "resting",
        asks=(("20000", "1"),),
        bids=(("19990", "1"),),
        usdt="28941.5348625332",
        btc="0.00000908",
    ),
)


async def test_twenty_decisions_on_twenty_books_come_to_what_was_worked_out_by_hand(
    install: Install,
) -> None:
    maker = account("maker", USDT="10000000", BTC="1000")
    async with venue(maker, market="empty") as market:
        trader = install(
            market.url,
            mode="off",
            broker={
                "risk_guardrails": {
                    "max_notional_per_order": 25000,
                    "max_open_risk_pct": None,
                    "max_position_size_pct": None,
                }
            },
            daemon={"paper": {"balances": {"USDT": 50000, "BTC": 1}, "fee_pct": 0.1}},
        )
        daemon = await (await trader.start()).in_state("RUNNING")
        for number, case in enumerate(CASES):
            write_book(market, case.asks, case.bids)
            id_ = f"case-{number + 1}"
            trader.decide({"id": id_, "symbol": "BTC-USDT"} | dict(case.decision))
            compare(await execution_of(trader, id_), case)
        name = (await trader.status())["account"]
        await daemon.stop()

    async with Journal(trader.journal_path, clock=CLOCK) as journal:
        payments = await journal.ledger_entries(f"paper:{name}")
        after = await journal.load_ledger(f"paper:{name}")
    ledger = Ledger({"USDT": Decimal(50000), "BTC": Decimal(1)})
    filled = [case for case in CASES if Decimal(case.qty)]
    for case, payment in zip(filled, payments, strict=True):
        ledger = ledger.apply(payment)
        assert (ledger.amount("USDT"), ledger.amount("BTC")) == (
            Decimal(case.usdt),
            Decimal(case.btc),
        ), case
    assert ledger == after


async def execution_of(trader: Installation, id_: str) -> dict[str, Any]:
    async def found() -> list[dict[str, Any]]:
        rows = await trader.executions()
        return [row for row in rows if row["decision_id"] == id_]

    return (await until(found, f"the execution of {id_}"))[0]


def compare(row: Mapping[str, Any], case: Case) -> None:
    told = (row["outcome"], row["broker_code"], Decimal(row["paper_qty"] or 0))
    assert told == (case.outcome, case.code, Decimal(case.qty)), (row, case)
    assert Decimal(row["paper_fee"] or 0) == Decimal(case.fee), (row, case)
    if case.price is None:
        assert row["paper_fill_price"] is None
        return
    quote, _, base = case.price.partition("/")
    assert Decimal(row["paper_fill_price"]) == Decimal(quote) / Decimal(base or 1)
    assert row["paper_fee_asset"] == ("BTC" if row["side"] == "BUY" else "USDT")
    assert not row["broker_ok"]

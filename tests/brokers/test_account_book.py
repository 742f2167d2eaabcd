"""The account book: what is owned, what may still change it, and what it is worth."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.account_book import AccountBook
from otonom_trader.brokers.paper import SimulatedAccount
from otonom_trader.domain.account import AccountSnapshot, Balance
from otonom_trader.domain.intent import Reservation
from otonom_trader.domain.ledger import Ledger
from otonom_trader.domain.market import Instrument
from otonom_trader.domain.order import Fill, Side
from otonom_trader.domain.symbol import Symbol
from otonom_trader.risk.exposure import Exposure

D = Decimal
NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
SECOND_NS = 1_000_000_000
OLDEST = D(60)
BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")


def instrument(symbol: Symbol, min_notional: int = 5) -> Instrument:
    step = D("0.00001")
    return Instrument(symbol, symbol.joined, True, step, step, D(0), D("0.01"), D(min_notional))


def snapshot(at_seconds: int = 0, taken_ns: int = 0, **amounts: str) -> AccountSnapshot:
    """Balances as of NOON plus `at_seconds`; ``"1+2"`` is 1 free and 2 locked."""
    balances = {}
    for asset, text in amounts.items():
        free, _, locked = text.partition("+")
        balances[asset] = Balance(asset, D(free), D(locked or 0))
    return AccountSnapshot(balances, NOON + timedelta(seconds=at_seconds), taken_ns)


def fill(trade_id: str, qty: str, price: int = 50000, at_seconds: int = 1, **fee: str) -> Fill:
    (fee_asset, amount) = next(iter(fee.items()), ("BNB", "0"))
    at = NOON + timedelta(seconds=at_seconds)
    return Fill(trade_id, D(price), D(qty), D(qty) * price, D(amount), fee_asset, at)


def open_book(**marks: Any) -> AccountBook:
    """A live account in USDT that trades BTC, with marks by joined symbol."""
    book = AccountBook("USDT")
    book.trade(instrument(BTC))
    mark(book, **(marks or {"BTCUSDT": 50000}))
    return book


def mark(book: AccountBook, taken_ns: int = 0, **marks: int | str) -> None:
    book.update_marks({Symbol.parse(name): D(price) for name, price in marks.items()}, taken_ns)


def now(book: AccountBook, now_ns: int = 0) -> Exposure:
    return book.exposure(now_ns, OLDEST)


# What is owned.


def test_balances_are_those_of_the_venue_free_and_locked() -> None:
    book = open_book()
    book.update_account(snapshot(USDT="1000+500", BTC="0.1+0.2"))
    assert book.total("USDT") == 1500
    assert now(book).holdings == {"BTC": D("0.3")}
    assert now(book).equity == 1500 + D("0.3") * 50000


def test_own_fills_after_the_venues_reading_are_added_each_once() -> None:
    book = open_book()
    book.update_account(snapshot(USDT="10000", BTC="1"))
    for _ in range(2):
        book.book_fills(BTC, Side.BUY, [fill("t1", "0.1"), fill("t2", "0.05")])
    assert book.total("BTC") == D("1.15")
    assert book.total("USDT") == 10000 - D("0.15") * 50000
    book.book_fills(BTC, Side.SELL, [fill("t3", "0.05")])
    assert book.total("BTC") == D("1.10")
    assert book.total("USDT") == 10000 - D("0.10") * 50000


def test_the_same_trade_id_on_another_symbol_is_another_trade() -> None:
    book = open_book()
    book.update_account(snapshot(USDT="10000"))
    book.book_fills(BTC, Side.BUY, [fill("7", "0.1")])
    book.book_fills(ETH, Side.BUY, [fill("7", "1", price=2000)])
    assert book.total("BTC") == D("0.1")
    assert book.total("ETH") == 1
    assert book.total("USDT") == 10000 - 5000 - 2000


@pytest.mark.parametrize(
    ("fee", "totals"),
    [
        ({"BTC": "0.0001"}, {"BTC": "0.0999", "USDT": "5000", "BNB": "1"}),
        ({"USDT": "5"}, {"BTC": "0.1", "USDT": "4995", "BNB": "1"}),
        ({"BNB": "0.01"}, {"BTC": "0.1", "USDT": "5000", "BNB": "0.99"}),
    ],
)
def test_a_fee_is_taken_from_the_asset_it_was_paid_in(
    fee: dict[str, Any], totals: dict[str, str]
) -> None:
    book = open_book()
    book.update_account(snapshot(USDT="10000", BNB="1"))
    book.book_fills(BTC, Side.BUY, [fill("t1", "0.1", **fee)])
    assert {asset: book.total(asset) for asset in totals} == {
        asset: D(total) for asset, total in totals.items()
    }


def test_fills_that_a_later_reading_includes_are_not_counted_again() -> None:
    book = open_book()
    book.update_account(snapshot(USDT="10000"))
    book.book_fills(BTC, Side.BUY, [fill("t1", "0.1", at_seconds=1)])
    book.book_fills(BTC, Side.BUY, [fill("t2", "0.05", at_seconds=3)])
    book.update_account(snapshot(2, USDT="5000", BTC="0.1"))
    assert book.total("BTC") == D("0.15")
    assert book.total("USDT") == 2500
    # Told again, the first is known to be in the balances, the second to be counted.
    book.book_fills(BTC, Side.BUY, [fill("t1", "0.1", at_seconds=1)])
    book.book_fills(BTC, Side.BUY, [fill("t2", "0.05", at_seconds=3)])
    assert book.total("BTC") == D("0.15")
    book.update_account(snapshot(3, USDT="2500", BTC="0.15"))
    assert book.total("BTC") == D("0.15")


def test_a_reading_older_than_the_last_one_changes_nothing() -> None:
    book = open_book()
    book.update_account(snapshot(5, USDT="5000", BTC="0.1"))
    book.update_account(snapshot(2, USDT="10000"))
    assert book.total("USDT") == 5000


def test_readings_that_are_older_by_the_venue_s_time_count_as_readings() -> None:
    book = open_book()
    book.update_account(snapshot(5, USDT="5000", BTC="0.1"))
    book.update_account(snapshot(2, taken_ns=30 * SECOND_NS, USDT="10000"))
    assert now(book, 40 * SECOND_NS).age_seconds == 10
    assert book.total("USDT") == 5000


def test_a_reading_that_stays_older_for_seconds_is_what_the_venue_has() -> None:
    book = open_book()
    book.update_account(snapshot(5, USDT="5000", BTC="0.1"))
    for second in (30, 35):
        book.update_account(snapshot(2, taken_ns=second * SECOND_NS, USDT="10000"))
        assert book.total("USDT") == 5000
    book.update_account(snapshot(2, taken_ns=40 * SECOND_NS, USDT="10000"))
    assert book.total("USDT") == 10000


trades = st.lists(
    st.tuples(st.sampled_from(Side), st.integers(1, 5), st.integers(1, 3)), min_size=1, max_size=8
)


@given(trades, st.data())
def test_whenever_it_is_read_the_account_is_opening_plus_each_trade_once(
    done: list[tuple[Side, int, int]], data: st.DataObject
) -> None:
    """Trades reach the book in any order and more than once, between readings of any moment."""
    opening = {"USDT": D(1000000), "BTC": D(100)}
    truth = [dict(opening)]  # after each trade
    fills: list[tuple[Side, Fill]] = []
    for number, (side, qty, price) in enumerate(done, 1):
        fills.append((side, fill(f"t{number}", str(qty), price=price, at_seconds=number)))
        before = truth[-1]
        truth.append(
            {
                "BTC": before["BTC"] + side.sign * qty,
                "USDT": before["USDT"] - side.sign * qty * price,
            }
        )
    book = open_book()
    book.update_account(snapshot(0, USDT="1000000", BTC="100"))
    told = [(side, trade) for side, trade in fills for _ in range(data.draw(st.integers(1, 2)))]
    for side, trade in data.draw(st.permutations(told)):
        if data.draw(st.booleans()):
            moment = data.draw(st.integers(0, len(done)))
            usdt, btc = str(truth[moment]["USDT"]), str(truth[moment]["BTC"])
            book.update_account(snapshot(moment, USDT=usdt, BTC=btc))
        book.book_fills(BTC, side, [trade])
    assert {asset: book.total(asset) for asset in opening} == truth[-1]


def test_a_simulated_account_is_its_ledger_whatever_the_venue_says() -> None:
    account = SimulatedAccount("paper", Ledger({"USDT": D(100), "BTC": D(2)}))
    book = AccountBook("USDT", account)
    book.trade(instrument(BTC))
    mark(book, BTCUSDT=50)
    book.update_account(snapshot(USDT="999999"))
    assert now(book).equity == 200
    assert now(book).age_seconds == 0


def test_a_reading_that_found_no_change_still_makes_the_account_younger() -> None:
    book = open_book()
    book.update_account(snapshot(USDT="1000", taken_ns=0))
    book.update_account(snapshot(USDT="1000", taken_ns=50 * SECOND_NS))
    assert now(book, 60 * SECOND_NS).age_seconds == 10


# What may still change it.


def test_a_reservation_counts_until_it_is_released() -> None:
    book = open_book()
    book.update_account(snapshot(USDT="10000", BTC="1"))
    book.reserve("a", Reservation(BTC, Side.BUY, D("0.1"), D(50500)))
    book.reserve("b", Reservation(BTC, Side.SELL, D("0.3"), D(49500)))
    exposure = now(book)
    assert exposure.pending_buys == {"BTC": D("0.1")}
    assert exposure.pending_sells == {"BTC": D("0.3")}
    assert exposure.pending_buy_value == 5050
    assert book.selling("BTC") == D("0.3")
    book.reserve("a", Reservation(BTC, Side.BUY, D("0.04"), D(50500)))  # the rest of it
    assert now(book).pending_buys == {"BTC": D("0.04")}
    book.release("a")
    book.release("b")
    book.release("never there")
    assert now(book).pending_buys == {}
    assert book.selling("BTC") == 0


def test_working_orders_of_others_count_until_they_are_gone() -> None:
    book = open_book()
    book.update_account(snapshot(USDT="10000", BTC="1"))
    book.reserve("a", Reservation(BTC, Side.BUY, D("0.1"), D(50000)))
    foreign = Reservation(BTC, Side.BUY, D("0.2"), D(50000))
    book.update_foreign({"BTCUSDT:1": foreign})
    assert now(book).pending_buys == {"BTC": D("0.3")}
    assert now(book).pending_buy_value == 15000
    book.update_foreign({"BTCUSDT:2": replace(foreign, side=Side.SELL)})
    assert now(book).pending_buys == {"BTC": D("0.1")}
    assert book.selling("BTC") == D("0.2")
    book.update_foreign({})
    assert now(book).pending_sells == {}


# What it is worth.


def test_another_quote_is_converted_by_the_direct_pair() -> None:
    book = open_book(BTCUSDT=50000, EURUSDT="1.25")
    assert book.rate("USDT", 0, OLDEST) == 1
    assert book.rate("EUR", 0, OLDEST) == D("1.25")


def test_or_by_the_inverse_of_the_pair_the_other_way_round() -> None:
    book = open_book(BTCUSDT=50000)
    mark(book, USDTTRY=40)
    assert book.rate("TRY", 0, OLDEST) == D("0.025")


def test_but_never_by_a_detour_or_a_stale_pair() -> None:
    book = open_book(BTCUSDT=50000, ETHBTC="0.04")
    assert book.rate("ETH", 0, OLDEST) is None
    mark(book, taken_ns=0, EURUSDT="1.25")
    assert book.rate("EUR", 60 * SECOND_NS, OLDEST) == D("1.25")
    assert book.rate("EUR", 60 * SECOND_NS + 1, OLDEST) is None


def test_a_fresh_inverse_serves_where_the_direct_pair_is_stale() -> None:
    book = AccountBook("USDT")
    book.update_marks({Symbol("TRY", "USDT"): D("0.02")}, 0)
    book.update_marks({Symbol("USDT", "TRY"): D(40)}, 90 * SECOND_NS)
    assert book.rate("TRY", 100 * SECOND_NS, OLDEST) == D("0.025")


def test_a_holding_quoted_in_another_asset_is_valued_in_the_account_currency() -> None:
    book = AccountBook("USDT")
    book.trade(instrument(Symbol("ETH", "BTC"), min_notional=0))
    book.update_account(snapshot(USDT="100", ETH="10"))
    book.update_marks({Symbol("ETH", "BTC"): D("0.04"), BTC: D(50000)}, 0)
    assert now(book).positions_value == 10 * D("0.04") * 50000
    assert now(book).equity == 20100


def test_a_holding_is_worth_what_mark_and_conversion_last_say() -> None:
    book = AccountBook("USDT")
    book.trade(instrument(Symbol("ETH", "BTC"), min_notional=0))
    book.trade(instrument(Symbol("SOL", "TRY"), min_notional=0))
    book.update_account(snapshot(USDT="100", ETH="10", SOL="1"))
    mark(book, ETHBTC="0.04", BTCUSDT=50000, SOLTRY=4000, USDTTRY=40)
    assert now(book).positions_value == 20000 + 100
    mark(book, BTCUSDT=60000)
    assert now(book).positions_value == 24000 + 100
    mark(book, USDTTRY=50)
    assert now(book).positions_value == 24000 + 80
    mark(book, ETHBTC="0.05")
    assert now(book).positions_value == 30000 + 80


def test_equity_is_cash_and_positions_and_nothing_else() -> None:
    book = open_book(BTCUSDT=50000, DOGEUSDT=1)
    book.update_account(snapshot(USDT="1000", BTC="0.1", DOGE="5000"))
    assert now(book).equity == 6000
    assert now(book).positions == {"BTC"}


def test_the_account_currency_is_money_even_where_it_is_traded_as_a_base_asset() -> None:
    book = open_book(BTCUSDT=50000)
    book.trade(instrument(Symbol("USDT", "TRY")))
    mark(book, USDTTRY=40)
    book.update_account(snapshot(USDT="1000", BTC="0.1"))
    assert now(book).equity == 6000
    assert now(book).positions == {"BTC"}


def test_an_asset_traded_on_two_symbols_is_one_position() -> None:
    book = open_book(BTCUSDT=50000, BTCEUR=40000, EURUSDT="1.25")
    book.trade(instrument(Symbol("BTC", "EUR")))
    book.update_account(snapshot(USDT="1000", BTC="0.1"))
    assert now(book).equity == 6000
    assert now(book).positions_value == 5000


def test_dust_is_held_but_is_no_position() -> None:
    book = open_book(BTCUSDT=50000)
    book.update_account(snapshot(USDT="1000", BTC="0.00009"))  # 4.50, below the venue's 5
    exposure = now(book)
    assert exposure.holdings == {"BTC": D("0.00009")}
    assert exposure.positions == frozenset()
    assert exposure.equity == 1000
    book.update_account(snapshot(1, USDT="1000", BTC="0.0001"))
    assert now(book).positions == {"BTC"}


def test_equity_is_not_known_before_the_account_was_read() -> None:
    exposure = now(open_book())
    assert exposure.equity is None
    assert exposure.age_seconds is None


def test_equity_is_not_known_while_a_holding_has_no_fresh_mark() -> None:
    book = open_book(BTCUSDT=50000)
    book.update_account(snapshot(USDT="1000", BTC="0.1"))
    assert now(book, 60 * SECOND_NS).equity == 6000
    assert now(book, 60 * SECOND_NS + 1).equity is None
    book.trade(instrument(ETH))
    assert now(book).equity == 6000  # nothing is held of what has no mark
    book.update_account(snapshot(1, USDT="1000", BTC="0.1", ETH="0.00001"))
    assert now(book).equity is None
    mark(book, ETHUSDT=2000)
    assert now(book).equity == 6000


def test_equity_is_not_known_while_a_conversion_is_stale() -> None:
    book = AccountBook("USDT")
    book.trade(instrument(Symbol("BTC", "EUR")))
    book.update_account(snapshot(USDT="1000", BTC="0.1"))
    book.update_marks({Symbol("EUR", "USDT"): D("1.25")}, 0)
    book.update_marks({Symbol("BTC", "EUR"): D(40000)}, 90 * SECOND_NS)
    assert now(book, 100 * SECOND_NS).equity is None


@pytest.mark.parametrize("price", ["NaN", "Infinity", "0", "-1"])
def test_what_is_no_price_marks_nothing(price: str) -> None:
    book = open_book(BTCUSDT=50000)
    book.update_account(snapshot(USDT="1000", BTC="0.1"))
    book.update_marks({BTC: D(price)}, 50 * SECOND_NS)
    assert now(book, 50 * SECOND_NS).equity == 6000
    assert now(book, 61 * SECOND_NS).equity is None


def test_a_working_buy_that_cannot_be_converted_has_no_value() -> None:
    book = open_book()
    book.update_account(snapshot(USDT="1000"))
    book.reserve("a", Reservation(Symbol("ETH", "EUR"), Side.BUY, D(1), D(2000)))
    assert now(book).pending_buy_value is None
    assert Symbol("EUR", "USDT") in book.symbols_to_mark()
    mark(book, EURUSDT="1.25")
    assert now(book).pending_buy_value == 2500


def test_the_age_of_the_account_runs_from_its_reading() -> None:
    book = open_book()
    book.update_account(snapshot(USDT="1000", taken_ns=5 * SECOND_NS))
    assert now(book, 17 * SECOND_NS).age_seconds == 12


def test_marks_are_wanted_for_all_that_is_traded_and_its_way_to_the_currency() -> None:
    book = open_book()
    book.trade(instrument(Symbol("ETH", "EUR")))
    wanted = book.symbols_to_mark()
    assert {BTC, Symbol("ETH", "EUR"), Symbol("EUR", "USDT"), Symbol("USDT", "EUR")} <= wanted
    assert AccountBook("USDT").symbols_to_mark() == set()


marks = st.dictionaries(
    st.sampled_from([BTC, ETH, Symbol("ETH", "BTC")]), st.decimals("0.01", "100000", places=2)
)


@given(marks, st.decimals("0", "10", places=5), st.decimals("0", "10", places=5))
def test_whatever_is_marked_equity_is_exact_or_not_known(
    given_marks: Mapping[Symbol, Decimal], btc: Decimal, eth: Decimal
) -> None:
    book = AccountBook("USDT")
    for symbol in (BTC, ETH):
        book.trade(instrument(symbol, min_notional=0))
    book.update_account(snapshot(USDT="1000", BTC=str(btc), ETH=str(eth)))
    book.update_marks(given_marks, 0)
    missing = (btc and BTC not in given_marks) or (eth and ETH not in given_marks)
    worth = 1000 + btc * given_marks.get(BTC, D(0)) + eth * given_marks.get(ETH, D(0))
    assert now(book).equity == (None if missing else worth)

"""Holdings kept one asset at a time come to the same as holdings told all at once."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.holdings import Holdings
from otonom_trader.domain.market import Instrument
from otonom_trader.domain.symbol import Symbol

D = Decimal
OLDEST_SECONDS, SECOND_NS = D(60), 1_000_000_000
BTC_USDT, ETH_USDT, ETH_BTC, USDT_TRY = (
    Symbol(*name.split("-")) for name in ("BTC-USDT", "ETH-USDT", "ETH-BTC", "USDT-TRY")
)
BTC_TRY = Symbol("BTC", "TRY")

amounts = st.decimals("0", "1000", places=8)
prices = st.decimals("0.00000001", "100000", places=8)


def instrument(symbol: Symbol, min_notional: int = 5) -> Instrument:
    step = D("0.00001")
    return Instrument(symbol, symbol.joined, True, step, step, D(0), D("0.01"), D(min_notional))


trades = st.builds(
    lambda symbol, least: ("trade", instrument(symbol, least)),
    st.sampled_from([BTC_USDT, ETH_USDT, ETH_BTC, BTC_TRY]),
    st.sampled_from([0, 5]),
)
moves = st.tuples(
    st.just("update"), st.dictionaries(st.sampled_from(["BTC", "ETH", "USDT"]), amounts)
)
readings = st.tuples(
    st.just("replace"), st.dictionaries(st.sampled_from(["BTC", "ETH", "USDT"]), amounts)
)
markings = st.tuples(
    st.just("mark"),
    st.dictionaries(st.sampled_from([BTC_USDT, ETH_USDT, ETH_BTC, USDT_TRY, BTC_TRY]), prices),
    st.integers(0, 100),
)


@given(st.lists(st.one_of(trades, moves, readings, markings), max_size=20), st.integers(0, 200))
def test_however_it_came_about_a_state_is_valued_alike(
    steps: list[tuple[object, ...]], now_seconds: int
) -> None:
    step_by_step = Holdings("USDT")
    instruments: dict[Symbol, Instrument] = {}
    held: dict[str, Decimal] = {}
    marks: dict[Symbol, tuple[Decimal, int]] = {}
    for step in steps:
        match step:
            case "trade", Instrument() as traded:
                step_by_step.trade(traded)
                instruments[traded.symbol] = traded
            case "update", dict() as changed:
                step_by_step.update(changed)
                held |= changed
            case "replace", dict() as all_of_it:
                step_by_step.replace(all_of_it)
                held = dict(all_of_it)
            case "mark", dict() as told, int() as seconds:
                step_by_step.update_marks(told, seconds * SECOND_NS)
                marks |= {symbol: (price, seconds * SECOND_NS) for symbol, price in told.items()}

    at_once = Holdings("USDT")
    for symbol, (price, taken_ns) in marks.items():
        at_once.update_marks({symbol: price}, taken_ns)
    at_once.replace(held)
    for traded in instruments.values():
        at_once.trade(traded)

    assert step_by_step.positions == at_once.positions
    assert step_by_step.positions_value == at_once.positions_value
    assert dict(step_by_step.quantities) == dict(at_once.quantities)
    now_ns = now_seconds * SECOND_NS
    assert step_by_step.are_valued(now_ns, OLDEST_SECONDS) == at_once.are_valued(
        now_ns, OLDEST_SECONDS
    )


@given(st.lists(st.tuples(amounts, prices), min_size=1, max_size=50))
def test_what_is_bought_and_sold_again_leaves_no_dust_behind(
    visits: list[tuple[Decimal, Decimal]],
) -> None:
    holdings = Holdings("USDT")
    for symbol in (BTC_TRY, ETH_USDT):
        holdings.trade(instrument(symbol, 0))
    holdings.update_marks({ETH_USDT: D("3000.123456789"), USDT_TRY: D("3")}, 0)
    holdings.update({"ETH": D("0.123456789")})
    alone = holdings.positions_value
    for qty, price in visits:
        holdings.update({"BTC": qty})
        holdings.update_marks({BTC_TRY: price, USDT_TRY: price}, 0)
    holdings.update({"BTC": D(0)})
    assert holdings.positions_value == alone == D("3000.123456789") * D("0.123456789")


def test_a_mark_renewed_in_time_keeps_the_account_valued() -> None:
    holdings = Holdings("USDT")
    for symbol in (BTC_USDT, ETH_USDT):
        holdings.trade(instrument(symbol))
    holdings.replace({"BTC": D(1), "ETH": D(1)})
    holdings.update_marks({BTC_USDT: D(50000), ETH_USDT: D(3000)}, 0)
    holdings.update_marks({BTC_USDT: D(50000)}, 50 * SECOND_NS)
    assert not holdings.are_valued(61 * SECOND_NS, OLDEST_SECONDS)
    holdings.update_marks({ETH_USDT: D(3000)}, 50 * SECOND_NS)
    assert holdings.are_valued(61 * SECOND_NS, OLDEST_SECONDS)


def test_an_exposure_that_was_handed_out_does_not_change_with_what_follows() -> None:
    holdings = Holdings("USDT")
    holdings.trade(instrument(BTC_USDT))
    holdings.update({"BTC": D(1)})
    before = holdings.quantities
    holdings.update({"BTC": D(2)})
    assert before == {"BTC": D(1)}
    assert holdings.quantities == {"BTC": D(2)}

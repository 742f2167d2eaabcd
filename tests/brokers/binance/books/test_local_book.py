"""A book kept from updates is the venue's at some update id, or it is none."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.brokers.binance.books.followed_book import FollowedBook
from otonom_trader.brokers.binance.books.local_book import LocalBook
from otonom_trader.brokers.binance.books.stream_frames import DepthUpdate
from otonom_trader.brokers.binance.errors import Unreadable
from otonom_trader.brokers.binance.wire import Depth
from otonom_trader.domain.market import Book, Level

D = Decimal
SECOND = 1_000_000_000
FIRST_ID = 100
"""The venue's update id before the first change."""

Change = tuple[str, int, int]
"""Side, price in ticks and the new quantity in lots."""
Rows = list[tuple[str, str]]

# Bids and asks never meet: a venue's book is not crossed.
changes = st.lists(
    st.tuples(st.just("bids"), st.integers(1, 12), st.integers(0, 3))
    | st.tuples(st.just("asks"), st.integers(13, 24), st.integers(0, 3)),
    min_size=1,
    max_size=24,
)


@dataclass
class Venue:
    """What the venue's book was after each change."""

    changes: Sequence[Change]

    @property
    def last_id(self) -> int:
        return FIRST_ID + len(self.changes)

    def side(self, side: str, at_id: int) -> dict[int, int]:
        changed = self.changes[: at_id - FIRST_ID]
        levels = {price: qty for name, price, qty in changed if name == side}
        return {price: qty for price, qty in levels.items() if qty}

    def book(self, at_id: int, count: int) -> Book:
        bids, asks = self.side("bids", at_id), self.side("asks", at_id)
        return Book(
            tuple(Level(D(p), D(bids[p])) for p in sorted(bids, reverse=True)[:count]),
            tuple(Level(D(p), D(asks[p])) for p in sorted(asks)[:count]),
        )

    def snapshot(self, at_id: int, limit: int) -> Depth:
        book = self.book(at_id, limit)
        bids, asks = ([(str(p), str(q)) for p, q in side] for side in (book.bids, book.asks))
        return Depth(at_id, bids, asks)

    def update(self, first_id: int, last_id: int) -> DepthUpdate:
        """What changed in these updates, as it is after them."""
        told: dict[str, Rows] = {"bids": [], "asks": []}
        for side, rows in told.items():
            touched = self.changes[first_id - 1 - FIRST_ID : last_id - FIRST_ID]
            now = self.side(side, last_id)
            for price in sorted({price for name, price, _ in touched if name == side}):
                rows.append((f"{price}.00", f"{now.get(price, 0)}.000"))
        return DepthUpdate(0, "BTCUSDT", first_id, last_id, told["bids"], told["asks"])

    def stream(self, cuts: Iterable[int]) -> list[DepthUpdate]:
        """All changes, in updates that end at the `cuts`, counted from the first change."""
        ends = sorted({cut for cut in cuts if cut < len(self.changes)} | {len(self.changes)})
        begins = [0, *ends[:-1]]
        return [
            self.update(FIRST_ID + begin + 1, FIRST_ID + end)
            for begin, end in zip(begins, ends, strict=True)
            if end > begin
        ]


def assert_is_the_venues(local: LocalBook, venue: Venue, count: int) -> None:
    shown = local.best(count)
    if shown is not None:
        assert local.last_id is not None
        assert shown == venue.book(local.last_id, count)


cuts = st.sets(st.integers(1, 24), max_size=10)


@given(
    changed=changes,
    cuts=st.tuples(cuts, cuts),
    limit=st.integers(1, 14),
    count=st.integers(1, 14),
    data=st.data(),
)
def test_whatever_comes_in_whatever_order_the_book_is_one_the_venue_had(
    changed: list[Change],
    cuts: tuple[set[int], set[int]],
    limit: int,
    count: int,
    data: st.DataObject,
) -> None:
    """Updates of two connections, out of order, twice or never, and snapshots of any age."""
    venue, local = Venue(changed), LocalBook()
    updates = [*venue.stream(cuts[0]), *venue.stream(cuts[1])]
    ids = range(FIRST_ID, venue.last_id + 1)
    step = st.sampled_from(updates) | st.sampled_from(ids)
    for one in data.draw(st.lists(step, max_size=30)):
        if isinstance(one, int):
            if local.last_id is None:
                local.load(venue.snapshot(one, limit), limit)
        else:
            local.apply(one)
        assert_is_the_venues(local, venue, count)


@given(changed=changes, cuts=cuts, limit=st.integers(14, 20), data=st.data())
def test_a_stream_that_is_whole_ends_in_the_venues_book(
    changed: list[Change], cuts: set[int], limit: int, data: st.DataObject
) -> None:
    """Whenever the snapshot is read after the stream has begun, and however old it is by then."""
    venue, local = Venue(changed), LocalBook()
    updates = venue.stream(cuts)
    before = data.draw(st.integers(0, len(updates)))
    reached = updates[before - 1].last_id if before else FIRST_ID
    for update in updates[:before]:
        assert not local.apply(update)
    at_id = data.draw(st.integers(FIRST_ID, reached + 1))
    at_id = min(at_id, venue.last_id)
    assert local.load(venue.snapshot(at_id, limit), limit)
    assert local.last_id == max(at_id, reached)
    for update in updates[before:]:
        local.apply(update)
        assert local.last_id is not None
    assert local.last_id == venue.last_id
    assert local.best(limit) == venue.book(venue.last_id, limit)


@given(changed=changes, cuts=st.tuples(cuts, cuts), data=st.data())
def test_two_connections_that_overlap_leave_no_gap(
    changed: list[Change], cuts: tuple[set[int], set[int]], data: st.DataObject
) -> None:
    """The second begins at or before the end of the first, wherever each of them cuts."""
    venue, local = Venue(changed), LocalBook()
    assert local.load(venue.snapshot(FIRST_ID, 14), 14)
    first, second = venue.stream(cuts[0]), venue.stream(cuts[1])
    left_after = data.draw(st.integers(0, len(first)))
    reached = first[left_after - 1].last_id if left_after else FIRST_ID
    begins = data.draw(
        st.integers(0, sum(1 for update in second if update.first_id <= reached + 1) - 1)
    )
    merged = data.draw(st.permutations([True] * left_after + [False] * (len(second) - begins)))
    one, other = iter(first), iter(second[begins:])
    held_back: list[DepthUpdate] = []
    for is_first in merged:
        update = next(one if is_first else other)
        if is_first or update.first_id <= (local.last_id or 0) + 1:
            local.apply(update)
        else:
            held_back.append(update)  # the second is not so far ahead that it begins in the future
        assert local.last_id is not None
        while held_back and held_back[0].first_id <= local.last_id + 1:
            local.apply(held_back.pop(0))
    assert held_back == []
    assert local.last_id == venue.last_id
    assert local.best(14) == venue.book(venue.last_id, 14)


def update(first_id: int, last_id: int, bids: Rows = [], asks: Rows = []) -> DepthUpdate:  # noqa: B006
    return DepthUpdate(0, "BTCUSDT", first_id, last_id, bids, asks)


BIDS, ASKS = [("9", "1"), ("8", "2")], [("11", "1"), ("12", "2")]


@pytest.fixture
def made() -> LocalBook:
    local = LocalBook()
    assert local.load(Depth(10, BIDS, ASKS), 1000)
    return local


def test_an_update_sets_quantities_and_removes_levels(made: LocalBook) -> None:
    assert made.apply(update(11, 13, [("9", "0.000"), ("8.5", "3")], [("11.0", "4")]))
    assert made.best(10) == Book(
        (Level(D("8.5"), D(3)), Level(D(8), D(2))), (Level(D(11), D(4)), Level(D(12), D(2)))
    )


def test_a_price_is_the_same_however_it_is_written(made: LocalBook) -> None:
    made.apply(update(11, 11, [("9.00000000", "5.10000000")]))
    shown = made.best(1)
    assert shown is not None
    assert shown.bids == (Level(D(9), D("5.1")),)


def test_what_is_known_already_is_nothing(made: LocalBook) -> None:
    for known in (update(1, 10, [("9", "7")]), update(10, 10, [("9", "0")])):
        assert not made.apply(known)
    assert made.best(10) == Book(
        (Level(D(9), D(1)), Level(D(8), D(2))), (Level(D(11), D(1)), Level(D(12), D(2)))
    )


def test_a_missing_update_is_noticed_and_the_book_is_made_anew(made: LocalBook) -> None:
    assert not made.apply(update(12, 14, [("9", "5")]))
    assert made.best(1) is None
    assert not made.load(Depth(10, BIDS, ASKS), 1000), "a snapshot from before the gap"
    assert made.load(Depth(12, BIDS, ASKS), 1000)
    assert made.last_id == 14
    shown = made.best(1)
    assert shown is not None
    assert shown.bids == (Level(D(9), D(5)),)


def test_what_lies_beyond_a_snapshot_is_not_made_up() -> None:
    """The venue tells of changes out there, but what else lies between is not known."""
    local = LocalBook()
    assert local.load(Depth(10, BIDS, ASKS), 2)
    local.apply(update(11, 11, [("7", "5")], [("11", "0")]))
    assert local.best(1) == Book((Level(D(9), D(1)),), (Level(D(12), D(2)),))
    assert local.best(2) is None
    local = LocalBook()
    assert local.load(Depth(10, BIDS, ASKS), 3), "one that tells less than it could tells all"
    local.apply(update(11, 11, [("7", "5")]))
    shown = local.best(3)
    assert shown is not None
    assert [level.price for level in shown.bids] == [9, 8, 7]


def test_a_book_that_is_crossed_is_not_shown(made: LocalBook) -> None:
    made.apply(update(11, 11, [("11", "1")]))
    assert made.best(1) is None


def test_a_book_is_put_together_once_until_it_changes(made: LocalBook) -> None:
    first = made.best(2)
    assert made.best(2) is first
    made.apply(update(11, 11, [("9", "4")]))
    assert made.best(2) is not first


def test_only_half_a_minute_of_updates_is_kept_for_a_snapshot() -> None:
    local = LocalBook()
    for number in range(1, 1001):
        local.apply(update(number, number, [("9", str(number))]))
    assert not local.load(Depth(500, BIDS, ASKS), 1000)
    assert local.load(Depth(700, BIDS, ASKS), 1000)
    assert local.last_id == 1000


@pytest.mark.parametrize(
    "bids",
    [[("NaN", "1")], [("1", "-1")], [("0", "1")], [("-1", "1")], [("1", "1e3")], [("1", "")]],
    ids=str,
)
def test_a_level_that_cannot_be_is_not_taken(made: LocalBook, bids: Rows) -> None:
    before = made.best(10)
    with pytest.raises(Unreadable):
        made.apply(update(11, 11, bids, [("11", "9")]))
    assert (made.last_id, made.best(10)) == (10, before)
    with pytest.raises(Unreadable):
        LocalBook().load(Depth(10, bids, []), 1000)


@pytest.mark.parametrize(
    "depth",
    [
        Depth(10, [("1", "1"), ("2", "1")], []),
        Depth(10, [], [("2", "1"), ("1", "1")]),
        Depth(10, [("1", "1"), ("1.0", "1")], []),
        Depth(10, [("1", "0")], []),
    ],
    ids=str,
)
def test_a_snapshot_that_cannot_be_is_not_taken(depth: Depth) -> None:
    local = LocalBook()
    with pytest.raises(Unreadable):
        local.load(depth, 1000)
    assert local.last_id is None


@given(
    st.decimals(0, 10**20 - 1, places=18, allow_nan=False).filter(bool),
    st.decimals(0, 10**20 - 1, places=18, allow_nan=False).filter(bool),
)
def test_levels_are_exact_and_in_order_to_the_last_digit(one: Decimal, other: Decimal) -> None:
    local = LocalBook()
    local.load(Depth(1, [], []), 1000)
    local.apply(update(2, 2, [], [(f"{one:f}", f"{other:f}"), (f"{other:f}", f"{other:f}")]))
    shown = local.best(10)
    assert shown is not None
    assert shown.asks == tuple(Level(price, other) for price in sorted({one, other}))


# What is proven of a book, and when.


SNAPSHOT = Depth(10, BIDS, ASKS)
NOON = 1_000 * SECOND


@pytest.fixture
def followed() -> FollowedBook:
    followed = FollowedBook("BTCUSDT", NOON)
    followed.load(SNAPSHOT, 1000, NOON)
    return followed


def proven_ns(followed: FollowedBook) -> int:
    found = followed.find(2, 0)
    assert found is not None
    return found.proven_ns


def test_a_snapshot_proves_a_book_as_of_when_it_was_asked_for(followed: FollowedBook) -> None:
    assert proven_ns(followed) == NOON
    assert followed.find(2, NOON + 1) is None


def test_an_update_proves_a_book_as_of_the_venues_own_time(followed: FollowedBook) -> None:
    followed.apply(update(11, 11), NOON + 3 * SECOND, NOON + SECOND)
    assert proven_ns(followed) == NOON + SECOND, "it was two seconds on its way"
    followed.apply(update(12, 12), NOON + 4 * SECOND, None)
    assert proven_ns(followed) == NOON + SECOND, "without the venue's clock nothing is proven"
    followed.apply(update(13, 13), NOON + 5 * SECOND, NOON + 6 * SECOND)
    assert proven_ns(followed) == NOON + SECOND, "nor by a clock that is wrong"
    followed.apply(update(13, 13), NOON + 7 * SECOND, NOON + 7 * SECOND)
    assert proven_ns(followed) == NOON + SECOND, "nor by what is known already"
    followed.apply(update(14, 14), NOON + 8 * SECOND, NOON + 8 * SECOND + 1000)
    assert proven_ns(followed) == NOON + 8 * SECOND, "never by more than what has come"


def test_an_answer_that_says_the_same_proves_a_quiet_book(followed: FollowedBook) -> None:
    book = followed.find(2, 0)
    assert book is not None
    followed.compare(book.book, 2, 10, NOON + 9 * SECOND, NOON + 9 * SECOND)
    assert proven_ns(followed) == NOON + 9 * SECOND
    # Ids may go on while nothing comes of it.
    followed.compare(book.book, 2, 12, NOON + 10 * SECOND, NOON + 10 * SECOND)
    assert proven_ns(followed) == NOON + 10 * SECOND
    assert not followed.is_overdue(NOON + 100 * SECOND)


def test_a_book_that_comes_to_be_the_same_again_is_not_proven_by_that(
    followed: FollowedBook,
) -> None:
    book = followed.find(2, 0)
    assert book is not None
    followed.compare(book.book, 2, 12, NOON + 9 * SECOND, NOON + 9 * SECOND)
    late = NOON + 10 * SECOND
    followed.apply(update(11, 11, [("9", "5")]), late, NOON + SECOND)
    assert proven_ns(followed) == NOON + SECOND, "what lay between is seen only now"
    followed.apply(update(12, 12, [("9", "1")]), late, NOON + 2 * SECOND)
    assert proven_ns(followed) == NOON + 2 * SECOND


def test_what_another_answer_knows_must_come_in_time(followed: FollowedBook) -> None:
    other = Book((Level(D(9), D(7)),), ())
    for seconds in (1, 2):
        now_ns = NOON + seconds * SECOND
        followed.compare(other, 2, 11 + seconds, now_ns, now_ns)
    assert proven_ns(followed) == NOON
    assert not followed.is_overdue(NOON + 6 * SECOND)
    assert followed.is_overdue(NOON + 6 * SECOND + 1)
    followed.apply(update(11, 12), NOON + 6 * SECOND, None)
    assert not followed.is_overdue(NOON + 7 * SECOND)
    followed.compare(other, 2, 14, NOON, NOON)
    assert followed.is_overdue(NOON + 7 * SECOND)
    book = followed.find(2, 0)
    assert book is not None
    followed.compare(book.book, 2, 15, NOON, NOON)
    assert not followed.is_overdue(NOON + 7 * SECOND), "it came to be the same again"


def test_ids_that_begin_anew_are_noticed(followed: FollowedBook) -> None:
    other = Book((Level(D(9), D(7)),), ())
    followed.compare(other, 2, 3, NOON + SECOND, NOON + SECOND)
    assert followed.is_made, "an answer may be a little behind the stream"
    followed.compare(other, 2, 4, NOON + 6 * SECOND, NOON + 6 * SECOND)
    assert not followed.is_made


def test_a_book_that_ends_too_early_is_made_anew() -> None:
    followed = FollowedBook("BTCUSDT", NOON)
    followed.load(SNAPSHOT, 2, NOON)
    assert followed.find(2, 0) is not None
    assert followed.find(3, 0) is None
    assert not followed.is_made


def test_snapshots_are_read_at_once_and_then_ever_more_slowly() -> None:
    followed = FollowedBook("BTCUSDT", NOON)
    now_ns, waited = NOON, []
    for _ in range(8):
        began_ns = now_ns
        while not followed.needs_snapshot(now_ns):
            now_ns += SECOND
        followed.note_snapshot(now_ns)
        waited.append((now_ns - began_ns) // SECOND)
    assert waited == [0, 1, 2, 4, 8, 16, 30, 30]
    followed.note_snapshot(now_ns + 61 * SECOND)
    assert followed.needs_snapshot(now_ns + 62 * SECOND), "after a calm minute it begins anew"
    followed.load(SNAPSHOT, 1000, now_ns)
    assert not followed.needs_snapshot(now_ns + 1000 * SECOND)

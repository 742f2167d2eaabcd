"""Client order ids: the same decision has the same one, two decisions never do."""

import re

from hypothesis import given
from hypothesis import strategies as st

from otonom_trader.domain.account import AccountKey
from otonom_trader.domain.decision import DecisionKey
from otonom_trader.domain.ids import client_order_id, is_ours

ACCOUNT = AccountKey("live", "127.0.0.1:8080", "7")

texts = st.text(max_size=12)
inputs = st.tuples(texts, texts, texts, texts, texts, texts)


def id_of(fields: tuple[str, ...]) -> str:
    mode, venue, uid, source, id_, leg = fields
    return client_order_id(AccountKey(mode, venue, uid), DecisionKey(source, id_), leg)


def test_an_id_is_the_same_on_every_machine_and_in_every_version() -> None:
    # A changed value would make a new daemon resend what an old one had sent.
    id_ = client_order_id(ACCOUNT, DecisionKey("patron", "42"))
    assert id_ == "otn-lushojmgndhzqfbouuawrascmg"


@given(inputs)
def test_an_id_is_one_the_venue_takes_and_we_recognise(fields: tuple[str, ...]) -> None:
    id_ = id_of(fields)
    assert re.fullmatch(r"otn-[a-z2-7]{26}", id_)
    assert len(id_) <= 36
    assert is_ours(id_)
    assert id_ == id_of(fields)


@given(inputs, inputs)
def test_different_decisions_have_different_ids(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    assert (id_of(one) == id_of(other)) is (one == other)


@given(st.lists(texts, min_size=6, max_size=6), st.integers(0, 4), st.integers(0, 12))
def test_moving_characters_into_the_next_field_makes_another_id(
    fields: list[str], place: int, cut: int
) -> None:
    moved = fields.copy()
    moved[place] = fields[place][:cut]
    moved[place + 1] = fields[place][cut:] + fields[place + 1]
    assert (id_of(tuple(fields)) == id_of(tuple(moved))) is (fields == moved)


def test_ids_of_others_are_not_ours() -> None:
    assert not is_ours("")
    assert not is_ours("otn-")
    assert not is_ours("web_0123456789abcdef0123456789")
    assert not is_ours("x" + client_order_id(ACCOUNT, DecisionKey("patron", "42")))

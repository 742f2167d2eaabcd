"""Which answers of the venue's forbid to go on."""

import pytest

from otonom_trader.daemon.alarm import Alarm, objection
from otonom_trader.domain.account import KeyRights

PLAIN = KeyRights(may_withdraw=False, may_transfer=False, is_ip_restricted=True)


@pytest.fixture
def heard() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def alarm(heard: list[tuple[str, str]]) -> Alarm:
    return Alarm(lambda why: heard.append(("doubt", why)), lambda why: heard.append(("trip", why)))


@pytest.mark.parametrize(
    "code",
    [None, "rejected", "unknown", "paused", "unreachable", "rate_limited", "clock_unsure", "tls"],
)
def test_what_may_happen_to_anybody_halts_nobody(
    alarm: Alarm, heard: list[tuple[str, str]], code: str | None
) -> None:
    alarm.heed(code, "text")
    assert heard == []


@pytest.mark.parametrize(
    ("code", "kind", "begins"),
    [
        ("mismatched_reply", "doubt", "text"),
        ("auth", "trip", "the venue refuses the key: text"),
        ("clock", "trip", "the venue refuses our time although it was read anew: text"),
    ],
)
def test_what_cannot_be_trusted_or_mended_halts_at_once(
    alarm: Alarm, heard: list[tuple[str, str]], code: str, kind: str, begins: str
) -> None:
    alarm.heed(code, "text")
    assert heard == [(kind, begins)]


def test_the_third_failure_of_tls_in_a_row_halts(
    alarm: Alarm, heard: list[tuple[str, str]]
) -> None:
    for code in ("tls", "tls", None, "tls", "tls"):
        alarm.heed(code, "text")
    assert heard == []
    alarm.heed("tls", "text")
    assert heard == [("trip", "no secure connection, 3 times in a row: text")]


@pytest.mark.parametrize(
    ("rights", "reason"),
    [
        (None, None),
        (PLAIN, None),
        (KeyRights(may_withdraw=True, may_transfer=False, is_ip_restricted=True), "withdraw"),
        (KeyRights(may_withdraw=False, may_transfer=True, is_ip_restricted=True), "transfer"),
        (KeyRights(may_withdraw=False, may_transfer=False, is_ip_restricted=False), "any address"),
    ],
)
def test_a_key_that_may_do_too_much_is_objected_to(
    rights: KeyRights | None, reason: str | None
) -> None:
    told = objection(rights, require_ip_restriction=True)
    assert told is None if reason is None else reason in (told or "")


def test_a_key_from_any_address_may_be_permitted_and_one_that_withdraws_may_not() -> None:
    anywhere = KeyRights(may_withdraw=False, may_transfer=False, is_ip_restricted=False)
    assert objection(anywhere, require_ip_restriction=False) is None
    rich = KeyRights(may_withdraw=True, may_transfer=False, is_ip_restricted=False)
    assert objection(rich, require_ip_restriction=False) is not None

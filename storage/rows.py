"""Plain values as the journal's columns hold them, and back.

Decimals are text without exponent, times ISO 8601 text in UTC with microseconds (so that text order
is time order), mappings JSON; what does not exist is NULL, a price that is NaN as well.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from otonom_trader.domain.decision import Decision, Malformed
from otonom_trader.domain.verdict import Verdict

Value = str | int | float | None
"""What a column may hold."""

_encode = msgspec.json.Encoder().encode


class _Verdict(msgspec.Struct):
    """A verdict's columns in the journal's view."""

    code: str
    allowed: bool
    message: str
    limit: str
    value: str


_verdicts = msgspec.json.Decoder(list[_Verdict])


def digits(value: Decimal) -> str:
    """An amount as text: digits and point, every digit kept."""
    return f"{value:f}"


def optional_digits(value: Decimal | None) -> str | None:
    """An amount that may be missing, or NaN, as text."""
    return None if value is None or value.is_nan() else f"{value:f}"


def instant(moment: datetime) -> str:
    """A time as text; ``ValueError`` for one without a zone."""
    if moment.tzinfo is None:
        raise ValueError("times in the journal carry their zone")
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")


def optional_instant(moment: datetime | None) -> str | None:
    """A time that may be missing as text."""
    return None if moment is None else instant(moment)


def read_instant(text: str | None) -> datetime | None:
    """What `optional_instant` was given."""
    return None if text is None else datetime.fromisoformat(text)


def name_of(member: StrEnum | None) -> str | None:
    """The value of an enumeration; SQLite binds a plain text faster than one of a class."""
    return None if member is None else member.value


def storable(text: str) -> str:
    """`text` as UTF-8 can hold it: a lone surrogate becomes its escape."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def json_text(value: object) -> str:
    """JSON as it is kept, of mappings, sequences, text and whole numbers."""
    return _encode(value).decode()


def read_json(text: str) -> Any:
    """What `json_text` was given; mappings and lists."""
    return msgspec.json.decode(text)


def amounts_text(amounts: Mapping[str, Decimal]) -> str:
    """Amounts by asset as JSON."""
    return json_text({asset: digits(amount) for asset, amount in amounts.items()})


def read_amounts(text: str) -> dict[str, Decimal]:
    """Amounts by asset from JSON."""
    return {asset: Decimal(amount) for asset, amount in read_json(text).items()}


def verdicts_text(verdicts: Sequence[Verdict]) -> str:
    """What the guardrails said as JSON, a mapping each."""
    return _encode(
        [_Verdict(v.code, v.allowed, v.message, v.limit, v.value_text) for v in verdicts]
    ).decode()


def read_verdicts(text: str) -> tuple[Verdict, ...]:
    """What `verdicts_text` was given."""
    return tuple(Verdict(*msgspec.structs.astuple(row)) for row in _verdicts.decode(text))


def payload(item: Decision | Malformed) -> str:
    """A claim's content as it is kept: a decision's fields as JSON, else what came."""
    if isinstance(item, Malformed):
        return storable(item.raw)
    return json_text({name: storable(text) for name, text in item.payload().items()})


def payload_digest(item: Decision | Malformed) -> str:
    """By what a repeat of a claim is told from another content under the same id."""
    return digest(payload(item))


def digest(text: str) -> str:
    """The digest of a claim's `payload`."""
    return hashlib.sha256(text.encode()).hexdigest()

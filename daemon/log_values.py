"""What may stand in a log line: plain values of bounded size, on one line."""

import json
import math
import traceback
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum

from otonom_trader.domain.amount import plain
from otonom_trader.domain.secret import Secret

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]

MAX_TEXT = 2000
_MAX_TRACE = 8000
_MAX_FRAMES = 20
_MAX_ITEMS = 100
_MAX_DEPTH = 6
_MAX_INT_BITS = 1024  # longer ones are no figures, and Python refuses to print them


def plain_value(value: object, depth: int = 0) -> Plain:
    """Return `value` as JSON can hold it: money as digits, times as ISO 8601, a secret as ``***``.

    NaN, which stands where there is nothing to tell, is None. Long texts and collections are cut,
    and say how long they were. Never raises.
    """
    match value:
        case None | bool():
            return value
        case Secret():
            return "***"
        case Enum():
            return plain_value(value.value, depth)
        case str():
            return cut(value)
        case int():
            bits = value.bit_length()
            return int(value) if bits <= _MAX_INT_BITS else f"an integer of {bits} bits"
        case float():
            if math.isnan(value):
                return None
            return str(value) if math.isinf(value) else float(value)
        case Decimal():
            if value.is_nan():
                return None
            return plain(value) if _digits(value) <= MAX_TEXT else cut(str(value))
        case datetime() | date() | time():
            return value.isoformat()
        case BaseException():
            return cut(f"{type(value).__name__}: {_text(value)}")
    if depth >= _MAX_DEPTH:
        return cut(_text(value))
    if isinstance(value, Mapping):
        some = list(value.items())[:_MAX_ITEMS]
        shown = {cut(_text(key)): plain_value(item, depth + 1) for key, item in some}
        return _with_count(shown, len(value))
    if isinstance(value, list | tuple | AbstractSet):
        items = [plain_value(item, depth + 1) for item in list(value)[:_MAX_ITEMS]]
        left_out = len(value) - len(items)
        return [*items, f"… ({left_out} more)"] if left_out else items
    if is_dataclass(value) and type(value).__str__ is object.__str__:
        return {
            field.name: plain_value(getattr(value, field.name, None), depth + 1)
            for field in fields(value)
        }
    return cut(_text(value))


def cut(text: str) -> str:
    """Return `text`, cut to `MAX_TEXT` characters and its length when it is longer."""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text)} characters)"


def one_line(value: Plain) -> str:
    """Return `value` as it reads best on a terminal: bare where that is clear, else quoted."""
    if isinstance(value, str):
        if value and value.isprintable() and not any(mark in value for mark in " \"'=\\"):
            return value
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{printable(escaped)}"'
    return printable(json.dumps(value, ensure_ascii=False))


def printable(text: str) -> str:
    """Return `text` with every control, format and surrogate character escaped."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )


def described(error: BaseException) -> str:
    """Return the traceback of `error` without values of local variables, its middle cut if long."""
    text = "".join(traceback.format_exception(error, limit=-_MAX_FRAMES)).rstrip()
    if len(text) <= _MAX_TRACE:
        return text
    half = _MAX_TRACE // 2
    return f"{text[:half]}\n… ({len(text)} characters)\n{text[-half:]}"


def _digits(value: Decimal) -> int:
    _, digits, exponent = value.as_tuple()
    return len(digits) + (abs(exponent) if isinstance(exponent, int) else 0)


def _with_count(shown: dict[str, Plain], length: int) -> dict[str, Plain]:
    left_out = length - len(shown)
    return {**shown, "…": f"({left_out} more)"} if left_out else shown


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001  a line that cannot be told must not end what it tells of
        return f"<{type(value).__name__} that cannot be shown>"

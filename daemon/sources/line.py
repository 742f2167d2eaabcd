"""One line of a JSONL file."""

import json
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from otonom_trader.domain.decision import Decision, Malformed, malformed, parse_decision

_MAX_RAW = 4000
_MAX_INT_DIGITS = 18


def read_line(line: bytes, source: str, place: str) -> Decision | Malformed:
    """Read a decision from a line without its end. Never raises for bad content."""
    text = line.decode("utf-8", "backslashreplace").strip().replace("\0", "\\0")
    try:
        fields = json.loads(
            line.decode(),
            object_pairs_hook=_without_repeats,
            parse_float=_real,
            parse_int=_integer,
            parse_constant=Decimal,  # NaN and Infinity: refused under the name of their field
        )
        if not isinstance(fields, dict):
            raise ValueError(f"a decision is a JSON object, not {_JSON_NAMES[type(fields)]}")
        for value in (*fields, *fields.values()):
            if isinstance(value, str):
                value.encode()  # half of a surrogate pair can be escaped, but not stored
        item = parse_decision(fields, source, place)
    except RecursionError:
        return malformed("the JSON is nested too deeply", source, place, text)
    except UnicodeDecodeError as wrong:
        reason = f"byte {wrong.start + 1} is not UTF-8"
        return malformed(reason, source, place, text)
    except UnicodeEncodeError:
        return malformed("half of a surrogate pair is escaped", source, place, text)
    except json.JSONDecodeError as wrong:
        reason = f"not JSON: {wrong.msg} at character {wrong.pos + 1}"
        return malformed(reason, source, place, text)
    except ValueError as wrong:
        return malformed(str(wrong), source, place, text)
    if isinstance(item, Malformed):
        return replace(item, raw=text[:_MAX_RAW])
    return item


_JSON_NAMES = {
    list: "an array",
    str: "a text",
    int: "a number",
    Decimal: "a number",
    bool: "true or false",
    type(None): "null",
}


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in fields if names.count(name) > 1)
        raise ValueError(f"the key {repeated[:40]!r} is given twice")
    return fields


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _MAX_INT_DIGITS else Decimal(digits)


def _real(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond Decimal's own: as text its field refuses it
        return text

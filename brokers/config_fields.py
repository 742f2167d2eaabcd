"""The kinds of values a configuration may hold, and the sentences that refuse the others.

Each is a pydantic type that takes what `yaml_source` gives; a refusal completes "<key> …".
"""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    PlainValidator,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from otonom_trader.brokers.binance.transport.signing import is_private_key, load_signer
from otonom_trader.brokers.yaml_source import BLANK, shown
from otonom_trader.domain.amount import exact
from otonom_trader.domain.secret import Secret
from otonom_trader.domain.symbol import Symbol
from otonom_trader.risk.windows import parse_window

_MAX_KEY_LENGTH = 512
_MAX_SHOWN = 24
_SHORTEST_SECONDS = Decimal("0.01")


class Section(BaseModel):
    """Keys that belong together; an unknown one is refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True
    )


def described(value: object) -> str:
    """Return what `value` is, for the end of a sentence: ``the text 'yes'``.

    Cut short, since a key of a venue may stand where something else belongs.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"the number {shown(str(value), limit=_MAX_SHOWN)}"
    if isinstance(value, str):
        return f"the text '{shown(value, limit=_MAX_SHOWN)}'"
    return "a list" if isinstance(value, list) else "a section"


def number(
    *, above: int | None = None, least: int | None = None, most: int | None = None
) -> PlainValidator:
    """A Decimal inside the bounds."""
    return PlainValidator(lambda value: _number(value, above, least, most))


def number_or_null(*, above: int | None = None, most: int | None = None) -> PlainValidator:
    """A Decimal inside the bounds, or an explicit ``null``, which switches off."""
    return PlainValidator(
        lambda value: None if value is None else _number(value, above, None, most)
    )


def whole(*, least: int, most: int | None = None) -> PlainValidator:
    """An int inside the bounds."""
    return PlainValidator(lambda value: _whole(value, least, most))


def whole_or_null(*, least: int) -> PlainValidator:
    """An int inside the bounds, or an explicit ``null``, which switches off."""
    return PlainValidator(lambda value: None if value is None else _whole(value, least, None))


def seconds(*, most: int) -> PlainValidator:
    """A duration as float; shorter than a hundredth of a second would keep a loop busy."""
    return PlainValidator(lambda value: float(_number(value, None, _SHORTEST_SECONDS, most)))


def choice(*words: str) -> PlainValidator:
    """One of `words`."""

    def check(value: object) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise _refusal(f"must be one of {', '.join(words)}", value)

    return PlainValidator(check)


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _refusal("must be true or false", value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _refusal("must be text in quotes", value)
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def _line_of_text(value: object) -> str:
    text = _text(value)
    if not text.isprintable():
        raise ValueError("must be one line without control characters")
    return text


def _file_name(value: object) -> str:
    text = _line_of_text(value)
    if "/" in text or text in (".", ".."):
        raise _refusal("must be the name of a file, without a folder", value)
    return text


def key_text(value: object) -> Secret:
    """Return a key of a venue as it goes on the wire; the refusals never show it."""
    if value is BLANK:
        raise ValueError("is empty")
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")
    if not value:
        raise ValueError("is empty")
    if len(value) > _MAX_KEY_LENGTH or not value.isascii() or not value.isprintable():
        raise ValueError(f"must be one line of at most {_MAX_KEY_LENGTH} plain characters")
    if " " in value:
        raise ValueError("must not contain spaces")
    return Secret(value)


def secret_text(value: object) -> Secret:
    """Return the secret of a key: a line of text as `key_text` takes, or a private key in PEM."""
    if not isinstance(value, str) or not is_private_key(value):
        return key_text(value)
    secret = Secret(value)
    load_signer(secret)
    return secret


def _pair(value: object) -> str:
    return Symbol.parse(_text(value)).canonical


def _asset(value: object) -> str:
    text = _text(value)
    if not (text.isalnum() and text == text.upper() and len(text) <= 20):
        raise _refusal("must be an asset in capitals, such as USDT", value)
    return text


def _symbol_entry(value: object) -> str:
    text = _text(value)
    if not text.isalnum():
        Symbol.parse(text)
    return text


def _window_entry(value: object) -> str:
    text = _text(value)
    parse_window(text)
    return text


def _each_once(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    entries = handler(value)
    if len(entries) != len(value):
        raise ValueError("names the same pair twice, written differently")
    return entries


def _account(value: object) -> str:
    text = str(_whole(value, 1, None)) if isinstance(value, Decimal) else _text(value)
    if not text.isdecimal():
        raise _refusal("must be the account's uid, a number", value)
    return text


BOOLEAN = PlainValidator(_boolean)
TEXT = PlainValidator(_text)
LINE_OF_TEXT = PlainValidator(_line_of_text)
FILE_NAME = PlainValidator(_file_name)
KEY = PlainValidator(key_text)
SECRET = PlainValidator(secret_text)
ACCOUNT = PlainValidator(_account)
ASSET = PlainValidator(_asset)
EACH_PAIR_ONCE = WrapValidator(_each_once)

Pair = Annotated[str, PlainValidator(_pair)]
Asset = Annotated[str, ASSET]
SymbolEntry = Annotated[str, PlainValidator(_symbol_entry)]
WindowEntry = Annotated[str, PlainValidator(_window_entry)]


def _number(
    value: object, above: int | None, least: Decimal | int | None, most: int | None
) -> Decimal:
    if not isinstance(value, Decimal):
        raise _refusal("must be a number such as 10 or 0.5", value)
    try:
        result = exact(value, "")
    except ValueError:
        raise ValueError("must lie between 1e-18 and 1e18") from None
    if above is not None and result <= above:
        raise ValueError(f"must be above {above}, not {shown(str(value))}")
    if least is not None and result < least:
        raise ValueError(f"must be at least {least}, not {shown(str(value))}")
    if most is not None and result > most:
        raise ValueError(f"must be at most {most}, not {shown(str(value))}")
    return result


def _whole(value: object, least: int, most: int | None) -> int:
    result = _number(value, None, least, most)
    if result != result.to_integral_value():
        raise ValueError(f"must be a whole number, not {shown(str(value))}")
    return int(result)


def _refusal(wanted: str, value: object) -> ValueError:
    if value is BLANK:
        return ValueError(f"is empty; it {wanted}")
    return ValueError(f"{wanted}, not {described(value)}")

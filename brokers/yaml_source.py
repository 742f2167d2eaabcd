"""YAML read strictly: every value keeps its line, and nothing is guessed.

Stricter than YAML 1.1: only ``true`` and ``false`` are booleans, numbers become ``Decimal`` from
their text, keys are text and stand once; anchors, aliases, tags and second documents are refused.
Source: contract.md, "Configuration".
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from otonom_trader.brokers.regular_file import read_regular_file, reason_of
from otonom_trader.domain.errors import ConfigurationError

KeyPath = tuple[str | int, ...]
"""Where a value stands: ``("sources", 0, "path")``."""

MAX_FILE_BYTES: Final = 256 * 1024
_MAX_DEPTH: Final = 16
_MAX_SHOWN: Final = 60

_NUMBER = re.compile(r"[-+]?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d{1,3})?", re.ASCII)
_KEY = re.compile(r"[\w/-]{1,40}")
_CONSTANTS: Final[Mapping[str, bool | None]] = {
    "true": True, "false": False, "null": None, "~": None,
}  # fmt: skip
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# The parser's own sentences may quote a piece of the file, which may be a key.
_QUOTED_TEXT = re.compile(r"'[^'<>\s]{4,}'|\"[^\"<>\s]{4,}\"")


class Blank(Enum):
    """The value of a key with nothing behind it; an explicit ``null`` is None instead."""

    BLANK = "nothing"


BLANK: Final[Literal[Blank.BLANK]] = Blank.BLANK


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """What a file says: `values` as plain containers, `lines` by path, counted from 1.

    `name` is what messages call the file, `folder` what relative paths in it are relative to.
    """

    name: str
    folder: Path
    values: Mapping[str, Any]
    lines: Mapping[KeyPath, int]


def read_yaml(path: str | Path) -> YamlDocument:
    """Read the configuration file at `path`.

    Raises ``ConfigurationError`` naming file, line, key and remedy.
    """
    name = shown(str(path), limit=200)
    try:
        content, _ = read_regular_file(path, MAX_FILE_BYTES)
    except FileNotFoundError:
        folder = Path(path).parent
        where = "" if folder == Path("config") else f" --config {shlex.quote(str(folder))}"
        raise ConfigurationError(
            f"{name} does not exist; `otonom-trader config init{where}` writes a default one"
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{name} cannot be read: {reason_of(error)}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{name}:{line}: the text is not UTF-8; save it as UTF-8"
        ) from None
    return parse_yaml(text, name, Path(path).parent)


def parse_yaml(text: str, name: str, folder: Path = Path()) -> YamlDocument:
    """Read `text`; `name` is what refusals call the file. Raises ``ConfigurationError``."""
    reader = _Reader(name)
    return YamlDocument(name, folder, reader.read(text), reader.lines)


def parse_scalar(text: str) -> Any:
    """Read one value written as a YAML scalar, such as that of an environment variable.

    Returns a bool, Decimal, str, None or `BLANK`; raises ``ValueError`` with what is wrong.
    """
    if _UNPRINTABLE.search(text):
        raise ValueError("holds a character that cannot be printed")
    try:
        events = [event for event, _ in zip(parser_events(text), range(5), strict=False)]
    except yaml.YAMLError:
        raise ValueError("is no YAML value; put it in quotes") from None
    if len(events) == 2:  # start and end of the stream
        return BLANK
    scalar = events[2]
    ended = isinstance(events[-1], yaml.StreamEndEvent)
    if not isinstance(scalar, yaml.ScalarEvent) or not ended or scalar.tag or scalar.anchor:
        raise ValueError("must be a single value; put it in quotes if it is text")
    return _resolve(scalar)


def parser_events(text: str) -> Iterator[yaml.Event]:
    """Yield the events of `text` as they are parsed; raises ``yaml.YAMLError`` alone."""
    try:
        yield from yaml.parse(text, Loader=yaml.SafeLoader)
    except (ValueError, OverflowError) as error:
        # PyYAML lets the error of chr() escape for "\U00110000".
        raise yaml.YAMLError("an escape sequence names no character") from error


def dotted(path: KeyPath) -> str:
    """Return `path` as users write it: ``sources[0].path``.

    A key that looks like none is cut where it stops to, since a slip such as ``{api_key:VALUE}``
    makes a key of a secret.
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{_key_shown(part)}"
    return text.removeprefix(".")


def shown(text: str, *, limit: int = _MAX_SHOWN) -> str:
    """Return `text` fit for one line of a message: control characters escaped, cut at `limit`."""
    cut = text if len(text) <= limit else text[:limit] + "…"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in cut)


def _key_shown(key: str) -> str:
    plain = _KEY.match(key)
    cut = plain.group() if plain else ""
    return cut if cut == key else f"{cut}…"


class _Reader:
    """Builds values from the parser's events, refusing what is ambiguous."""

    def __init__(self, name: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._name = name

    def read(self, text: str) -> dict[str, Any]:
        if bad := _UNPRINTABLE.search(text):
            line = text.count("\n", 0, bad.start()) + 1
            raise self._refusal(line, f"the character {bad.group()!a} is not allowed in YAML")
        try:
            return self._document(parser_events(text))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self._syntax(text, mark, error.problem or error.context or "") from None
        except yaml.YAMLError:
            raise self._refusal(1, "the text is not valid YAML") from None

    def _document(self, events: Iterator[yaml.Event]) -> dict[str, Any]:
        next(events)  # the start of the stream
        if isinstance(next(events), yaml.StreamEndEvent):
            return {}
        start = next(events)
        values = self._value(start, events, ())
        next(events)  # the end of the document
        after = next(events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._refusal(_line(after), "a second document begins; a file holds one")
        if values is BLANK:
            return {}
        if not isinstance(values, dict):
            raise self._refusal(
                _line(start), "the file must hold keys with values, such as `key: 1`"
            )
        return values

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], path: KeyPath) -> Any:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self._refusal(_line(event), f"{self._at(path)} uses an anchor or alias (& or *)")
        if getattr(event, "tag", None):
            raise self._refusal(_line(event), f"{self._at(path)} uses a tag (!); remove it")
        if len(path) > _MAX_DEPTH:
            raise self._refusal(_line(event), f"the nesting is deeper than {_MAX_DEPTH} levels")
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(events, path)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, path)
        assert isinstance(event, yaml.ScalarEvent)  # noqa: S101  the parser has no fourth kind
        if _UNPRINTABLE.search(event.value):
            raise self._refusal(
                _line(event), f"{self._at(path)} holds a character that cannot be printed"
            )
        return _resolve(event)

    def _list(self, events: Iterator[yaml.Event], path: KeyPath) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            item_path = (*path, len(items))
            self.lines[item_path] = _line(event)
            items.append(self._value(event, events, item_path))
        return items

    def _mapping(self, events: Iterator[yaml.Event], path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._value(event, events, path) if isinstance(event, yaml.ScalarEvent) else None
            if not isinstance(key, str) or not key:
                where = f" under {dotted(path)}" if path else ""
                raise self._refusal(_line(event), f"a key{where} is not text; put it in quotes")
            key_path = (*path, key)
            if key_path in self.lines:
                first = self.lines[key_path]
                raise self._refusal(
                    _line(event),
                    f"{dotted(key_path)} is given twice, first in line {first}; keep one",
                )
            self.lines[key_path] = _line(event)
            values[key] = self._value(next(events), events, key_path)
        return values

    def _at(self, path: KeyPath) -> str:
        return dotted(path) or "the file"

    def _syntax(self, text: str, mark: yaml.Mark | None, problem: str) -> ConfigurationError:
        line = mark.line + 1 if mark else 1
        rows = text.splitlines()
        row = rows[line - 1] if line <= len(rows) else ""
        if "\t" in row[: len(row) - len(row.lstrip())]:
            return self._refusal(line, "the line is indented with a tab; use spaces")
        problem = _QUOTED_TEXT.sub("'…'", problem.partition("\n")[0])
        return self._refusal(line, f"the text is not valid YAML: {shown(problem, limit=120)}")

    def _refusal(self, line: int, sentence: str) -> ConfigurationError:
        return ConfigurationError(f"{self._name}:{line}: {sentence}")


def _resolve(event: yaml.ScalarEvent) -> Any:
    text: str = event.value
    if event.style:
        return text
    if not text:
        return BLANK
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    return Decimal(text) if _NUMBER.fullmatch(text) else text


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    assert mark is not None  # noqa: S101  the parser sets it
    return int(mark.line) + 1

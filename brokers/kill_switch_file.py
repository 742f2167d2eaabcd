"""The kill switch as a door in the configuration file, open even where the file is refused."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

import yaml

from otonom_trader.brokers.regular_file import read_regular_file
from otonom_trader.brokers.yaml_source import MAX_FILE_BYTES, parser_events

_WANTED: Final = ["risk_guardrails", "kill_switch"]
_MAX_DEPTH: Final = 64


def kill_switch_asked(path: str | Path) -> bool:
    """Return whether the file at `path` says ``risk_guardrails: {kill_switch: true}``.

    Only that is looked at: the file may be refused for any other reason. ``yes`` and ``on`` count
    too, since whoever writes them means to stop; a file that does not parse says nothing.
    Source: promises.md, P14.
    """
    try:
        content, _ = read_regular_file(path, MAX_FILE_BYTES)
    except (OSError, ValueError):
        return False
    return _asked_in(content)


@lru_cache(maxsize=1)  # the daemon looks twice a second, and reading is cheaper than parsing
def _asked_in(content: bytes) -> bool:
    try:
        texts = list(_texts(content.decode("utf-8-sig")))
    except (ValueError, yaml.YAMLError):
        return False
    return any(text.lower() in ("true", "yes", "on") for text in texts)


def _texts(text: str) -> Iterator[str]:
    """Yield each scalar at the wanted path, as often as it is given, from a text that parses."""
    found: list[str] = []
    open_keys: list[str | None] = []  # at each depth; None where a key comes next, "" in a list
    for event in parser_events(text):
        if isinstance(event, yaml.CollectionStartEvent):
            open_keys.append(None if isinstance(event, yaml.MappingStartEvent) else "")
            if len(open_keys) > _MAX_DEPTH:
                return
        elif isinstance(event, yaml.CollectionEndEvent):
            open_keys.pop()
            _node_ended(open_keys)
        elif isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
            value = event.value if isinstance(event, yaml.ScalarEvent) else "*"
            if open_keys == _WANTED:
                found.append(value)
            if open_keys and open_keys[-1] is None:
                open_keys[-1] = value or "?"
            else:
                _node_ended(open_keys)
    yield from found


def _node_ended(open_keys: list[str | None]) -> None:
    # In a mapping keys and values take turns, and a key may itself be a collection.
    if open_keys and open_keys[-1] != "":
        open_keys[-1] = "?" if open_keys[-1] is None else None

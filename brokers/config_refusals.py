"""Refusals of a configuration: one sentence with place, key, what is wrong and what is nearest.

Source: contract.md, "Configuration".
"""

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from otonom_trader.brokers.config_fields import described
from otonom_trader.brokers.yaml_source import BLANK, KeyPath, YamlDocument, dotted, shown
from otonom_trader.domain.errors import ConfigurationError

ENVIRONMENT_PREFIX: Final = "OTONOM_TRADER__"
_MAX_COMPARED: Final = 100
_NAME: Final = "<name>"


def refusal(
    document: YamlDocument, names: Mapping[KeyPath, str], path: KeyPath, sentence: str
) -> ConfigurationError:
    """Return the error that says `sentence` of the value at `path`, and where that stands.

    `names` are the variables behind the values that the environment gave.
    """
    if path in names:
        return ConfigurationError(f"environment variable {names[path]}: {sentence}")
    while path and path not in document.lines:
        path = path[:-1]
    place = f"{document.name}:{document.lines[path]}" if path else document.name
    return ConfigurationError(f"{place}: {sentence}")


def translated(
    error: ValidationError,
    schema: type[BaseModel],
    document: YamlDocument,
    names: Mapping[KeyPath, str],
) -> ConfigurationError:
    """Return pydantic's complaint that comes first in the file, in our words."""
    complaints = []
    for details in error.errors(include_url=False):
        path: KeyPath = tuple(part for part in details["loc"] if part != "[key]")
        sentence = _sentence(details["type"], details["msg"], details.get("ctx"), details["input"])
        if details["type"] == "extra_forbidden":
            sentence = f"is no valid key; the nearest is {_nearest_key(schema, path)}"
        complaints.append((document.lines.get(path, 0), path, sentence))
    _, path, sentence = min(complaints, key=lambda complaint: complaint[0])
    return refusal(document, names, path, f"{dotted(path)} {sentence}")


def unknown_variable(
    schema: type[BaseModel], name: str, elsewhere: Collection[str]
) -> ConfigurationError:
    """Return the error that refuses a variable which names no setting.

    `elsewhere` are first keys of another file, whose other keys are not known here.
    """
    wanted = name[:_MAX_COMPARED].upper()
    _, _, behind = wanted.removeprefix(ENVIRONMENT_PREFIX).partition("__")
    keys = [*_keys(schema), *((key, behind) if behind else (key,) for key in elsewhere)]
    variables = [ENVIRONMENT_PREFIX + "__".join(parts).upper() for parts in keys]
    close = difflib.get_close_matches(wanted, variables, n=1, cutoff=0)[0]
    return ConfigurationError(
        f"environment variable {shown(name)} names no setting; the nearest is {close}"
    )


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the section that a field holds, alone or in a list."""
    kind: Any = field.annotation
    if get_origin(kind) is tuple:
        kind = get_args(kind)[0]
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _keys(schema: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in schema.model_fields.items():
        section = section_of(field)
        if get_origin(field.annotation) is dict:
            yield (*path, name, _NAME)
        elif section is None or get_origin(field.annotation) is tuple:
            yield (*path, name)
        else:
            yield from _keys(section, (*path, name))


def _sentence(kind: str, message: str, context: Mapping[str, Any] | None, value: object) -> str:
    if kind == "value_error" and context:
        return str(context["error"])
    wanted = {
        "model_type": "must be a section of keys",
        "dict_type": "must be a section of keys",
        "tuple_type": "must be a list",
    }.get(kind)
    if wanted is None:
        return f"is refused: {message}"
    if value is BLANK:
        return f"is empty; it {wanted}, or remove it"
    return f"{wanted}, not {described(value)}"


def _nearest_key(schema: type[BaseModel], path: KeyPath) -> str:
    """Return the valid key that an unknown one means: of its section, else of another."""
    section = schema
    for part in path[:-1]:
        inner = section_of(section.model_fields[part]) if isinstance(part, str) else section
        section = inner or section
    key = str(path[-1])[:_MAX_COMPARED].lower()
    own = list(section.model_fields)
    others = [tuple(part for part in other if part != _NAME) for other in _keys(schema)]
    elsewhere = {other[-1]: other for other in others}
    if not difflib.get_close_matches(key, own, n=1):
        for match in difflib.get_close_matches(key, list(elsewhere), n=1):
            return dotted(elsewhere[match])
    return dotted((*path[:-1], *difflib.get_close_matches(key, own, n=1, cutoff=0)))

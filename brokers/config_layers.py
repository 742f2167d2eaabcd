"""Configuration in layers: the environment over the file over the defaults, each value traced.

Source: contract.md, "Configuration".
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from otonom_trader.brokers.config_refusals import (
    ENVIRONMENT_PREFIX,
    refusal,
    section_of,
    translated,
    unknown_variable,
)
from otonom_trader.brokers.yaml_source import (
    KeyPath,
    YamlDocument,
    dotted,
    parse_scalar,
    shown,
)
from otonom_trader.domain.amount import plain
from otonom_trader.domain.errors import ConfigurationError
from otonom_trader.domain.secret import Secret

DEFAULT: Final = "default"
# One underscore too few, or small letters: what is set so would be thought to be in force.
_MEANT_AS_OURS: Final = re.compile(r"otonom_?trader_.*__", re.IGNORECASE)


class Layers(BaseSettings):
    """The root of a file's schema; constructed by `load` alone."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=False
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the layers handed in and nothing else, the first one winning."""
        assert isinstance(init_settings, InitSettingsSource)  # noqa: S101  pydantic-settings' own
        layers = init_settings.init_kwargs["layers"]
        return tuple(_Layer(settings_cls, values) for values in layers)


class _Layer(PydanticBaseSettingsSource):
    def __init__(self, settings_cls: type[BaseSettings], values: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._values = values

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._values


L = TypeVar("L", bound=Layers)


@dataclass(frozen=True, slots=True)
class Setting:
    """One effective value, redacted and fit for JSON, and where it came from."""

    key: str
    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Loaded(Generic[L]):
    """A checked configuration, with what is needed to say where each value came from."""

    schema: L
    document: YamlDocument
    environment: Mapping[KeyPath, str]
    """The variable behind each value that an environment variable gave."""

    def origin(self, path: KeyPath) -> str:
        """Return ``file:line``, ``environment variable NAME`` or ``default``."""
        if path in self.environment:
            return f"environment variable {self.environment[path]}"
        if path in self.document.lines:
            return f"{self.document.name}:{self.document.lines[path]}"
        return DEFAULT

    def path_of(self, path: KeyPath, text: str) -> Path:
        """Return the file that the value `text` at `path` names.

        A relative one is relative to the configuration file where that names it, else to the
        working directory.
        """
        named_by_file = path in self.document.lines and path not in self.environment
        return self.document.folder / text if named_by_file else Path(text)

    def refusal(self, path: KeyPath, sentence: str) -> ConfigurationError:
        """Return the error that refuses the value at `path`: place, key, `sentence`."""
        return refusal(self.document, self.environment, path, f"{dotted(path)} {sentence}")

    def refusal_of_file(self, path: KeyPath, sentence: str) -> ConfigurationError:
        """Return the error that refuses what the file says, whatever overrides it."""
        return refusal(self.document, {}, path, f"{dotted(path)} {sentence}")

    def settings(self) -> Iterator[Setting]:
        """Yield every effective value, secrets redacted."""
        for path, value in _leaves(self.schema, ()):
            origin = self.origin(path)
            if origin == DEFAULT and isinstance(_at(self.schema, path[:-1]), dict):
                origin = self.origin(path[:-1])  # the file may write a pair in another way
            yield Setting(dotted(path), _plain(value), origin)


def load(
    schema: type[L], document: YamlDocument, environ: Mapping[str, str], elsewhere: Collection[str]
) -> Loaded[L]:
    """Check `document` and the environment's variables against `schema`.

    `elsewhere` are first keys that belong to another file: variables of theirs are left to it.
    Raises ``ConfigurationError``.
    """
    values: dict[str, Any] = {}
    names: dict[KeyPath, str] = {}
    for name in sorted(environ):
        if not name.startswith(ENVIRONMENT_PREFIX):
            if _MEANT_AS_OURS.match(name):
                raise unknown_variable(schema, name, elsewhere)
            continue
        segments = name.removeprefix(ENVIRONMENT_PREFIX).split("__")
        path = _path_of(schema, segments)
        if path is None:
            if segments[0].lower() in elsewhere and segments[0].isupper():
                continue
            raise unknown_variable(schema, name, elsewhere)
        try:
            value = parse_scalar(environ[name])
        except ValueError as error:
            raise ConfigurationError(
                f"environment variable {shown(name)}: {dotted(path)} {error}"
            ) from None
        names[path] = name
        _put(values, path, value)
    build: Callable[..., L] = schema  # what it takes are layers, not its fields
    try:
        checked = build(layers=[values, dict(document.values)])
    except ValidationError as error:
        raise translated(error, schema, document, names) from None
    return Loaded(checked, document, names)


def _path_of(schema: type[BaseModel], segments: list[str]) -> KeyPath | None:
    """Return the key that a variable's `segments` name, None where there is no such key."""
    section: type[BaseModel] | None = schema
    path: list[str] = []
    for index, segment in enumerate(segments):
        if section is None:
            return None
        key = segment.lower()
        field = section.model_fields.get(key)
        if field is None or segment != key.upper():
            return None
        path.append(key)
        if get_origin(field.annotation) is dict:
            return (*path, segments[-1]) if index == len(segments) - 2 else None
        section = None if get_origin(field.annotation) is tuple else section_of(field)
    return tuple(path) if section is None else None


def _put(values: dict[str, Any], path: KeyPath, value: object) -> None:
    for part in path[:-1]:
        values = values.setdefault(str(part), {})
    values[str(path[-1])] = value


def _at(value: Any, path: KeyPath) -> Any:
    for part in path:
        value = getattr(value, part) if isinstance(part, str) else value[part]
    return value


def _leaves(section: BaseModel, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    for name in type(section).model_fields:
        yield from _leaves_of(getattr(section, name), (*path, name))


def _leaves_of(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    if isinstance(value, BaseModel):
        yield from _leaves(value, path)
    elif isinstance(value, dict) and value:
        yield from (((*path, key), entry) for key, entry in value.items())
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path, value


def _plain(value: object) -> Any:
    """Return `value` as JSON holds it: money as text, secrets as stars."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Secret):
        return str(value)
    return list(value) if isinstance(value, tuple) else value

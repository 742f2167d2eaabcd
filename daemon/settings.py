"""What ``daemon.yaml`` means.

Source: contract.md, "Configuration"; issue "Interfaces": relative paths are relative to the file
that names them.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from otonom_trader.brokers.config import BrokerConfig
from otonom_trader.brokers.config_fields import (
    BOOLEAN,
    FILE_NAME,
    LINE_OF_TEXT,
    TEXT,
    Asset,
    Section,
    choice,
    number,
    seconds,
    whole,
)
from otonom_trader.brokers.config_layers import Layers, Loaded, Setting, load
from otonom_trader.brokers.config_schema import BrokerFile
from otonom_trader.brokers.yaml_source import KeyPath, read_yaml, shown
from otonom_trader.daemon.folders import find_config_dir, find_state_dir
from otonom_trader.domain.decision import FIELDS

OWN_SOURCE_FILE: Final = "decisions.jsonl"
OWN_SOURCE_NAME: Final = "decide"
"""The name of the file in the state directory that is always read: it must not depend on which
other sources there are, since a decision is known by its source's name and its id."""

FLATTEN_SOURCE_NAME: Final = "flatten"
"""The name that decisions bear which close positions after a kill: they come from no file."""

_PARAMETER = re.compile(r":(\w+)")

Column = Annotated[str, choice(*FIELDS, "position")]


class SourceSection(Section):
    """One entry of ``sources``."""

    type: Annotated[str | None, choice("jsonl", "sql")] = None
    name: Annotated[str | None, LINE_OF_TEXT] = None
    path: Annotated[str | None, LINE_OF_TEXT] = None
    query: Annotated[str | None, TEXT] = None
    columns: dict[Annotated[str, choice(*FIELDS, "position")], Annotated[str, LINE_OF_TEXT]] = (
        Field(default_factory=dict)
    )


class Schedule(Section):
    """``schedule``: how often the daemon's chores run."""

    account_refresh_seconds: Annotated[float, seconds(most=3600)] = 5.0
    clock_sync_seconds: Annotated[float, seconds(most=3600)] = 60.0
    heartbeat_seconds: Annotated[float, seconds(most=3600)] = 30.0
    equity_snapshot_seconds: Annotated[float, seconds(most=86_400)] = 60.0
    reconcile_seconds: Annotated[float, seconds(most=86_400)] = 300.0


class Storage(Section):
    """``storage``: names of files in the state directory."""

    journal: Annotated[str, FILE_NAME] = "journal.db"


class Logging(Section):
    """``logging``: what is logged, and how it looks."""

    level: Annotated[str, choice("debug", "info", "warning", "error")] = "info"
    format: Annotated[str, choice("auto", "json", "console")] = "auto"


class Kill(Section):
    """``kill``: what follows a halt."""

    cancel_deadline_seconds: Annotated[float, seconds(most=3600)] = 10.0
    flatten_positions: Annotated[bool, BOOLEAN] = False
    flatten_within_pct: Annotated[Decimal, number(least=0, most=100)] = Decimal(5)


class Paper(Section):
    """``paper``: the simulated account of mode off, and the fee of all simulated fills."""

    balances: dict[Asset, Annotated[Decimal, number(least=0)]] = Field(
        default_factory=lambda: {"USDT": Decimal(100_000)}
    )
    fee_pct: Annotated[Decimal, number(least=0, most=10)] = Decimal("0.1")


class ApprovalSettings(Section):
    """``approvals``: how orders wait that are above ``require_confirmation_above``."""

    timeout_seconds: Annotated[float, seconds(most=86_400)] = 900.0
    tolerance_pct: Annotated[Decimal, number(least=0, most=10)] = Decimal(1)


class DaemonFile(Layers):
    """The whole of ``daemon.yaml``."""

    poll_interval_seconds: Annotated[float, seconds(most=86_400)] = 1.0
    sources: tuple[SourceSection, ...] = ()
    decisions_db: Annotated[str, LINE_OF_TEXT] = "./var/decisions.db"
    schedule: Schedule = Schedule()
    storage: Storage = Storage()
    logging: Logging = Logging()
    kill: Kill = Kill()
    paper: Paper = Paper()
    approvals: ApprovalSettings = ApprovalSettings()
    max_concurrent_decisions: Annotated[int, whole(least=1, most=1000)] = 8
    inbox_size: Annotated[int, whole(least=1, most=1_000_000)] = 1000
    drain_timeout_seconds: Annotated[float, seconds(most=60)] = 5.0


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """A place decisions are read from; `query` None takes the one for the decision database."""

    type: Literal["jsonl", "sql"]
    name: str
    path: Path
    query: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """The daemon's checked settings; `sources` ends with the state directory's own file."""

    path: str
    state_dir: Path
    sources: tuple[SourceSettings, ...]
    decisions_db: Path
    poll_interval_seconds: float
    max_concurrent_decisions: int
    inbox_size: int
    drain_timeout_seconds: float
    schedule: Schedule
    storage: Storage
    logging: Logging
    kill: Kill
    paper: Paper
    approvals: ApprovalSettings
    settings: tuple[Setting, ...]
    """Every effective value and where it came from."""

    @property
    def journal_path(self) -> Path:
        """The journal's file."""
        return self.state_dir / self.storage.journal


def load_settings(
    config_dir: str | Path | None = None,
    state_dir: str | Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Read and check ``daemon.yaml`` in `config_dir`.

    `environ` may override values (``OTONOM_TRADER__LOGGING__LEVEL``). Raises
    ``ConfigurationError`` naming file, line, key and remedy.
    """
    path = find_config_dir(config_dir) / "daemon.yaml"
    loaded = load(DaemonFile, read_yaml(path), environ, set(BrokerFile.model_fields))
    file, state = loaded.schema, find_state_dir(state_dir, environ)
    decisions_db = loaded.path_of(("decisions_db",), file.decisions_db)
    sources = _sources(loaded, decisions_db, state)
    return Settings(
        path=loaded.document.name,
        state_dir=state,
        sources=sources,
        decisions_db=decisions_db,
        poll_interval_seconds=file.poll_interval_seconds,
        max_concurrent_decisions=file.max_concurrent_decisions,
        inbox_size=file.inbox_size,
        drain_timeout_seconds=file.drain_timeout_seconds,
        schedule=file.schedule,
        storage=file.storage,
        logging=file.logging,
        kill=file.kill,
        paper=file.paper,
        approvals=file.approvals,
        settings=_settings(loaded, sources),
    )


def effective_configuration(broker: BrokerConfig, settings: Settings) -> str:
    """Return all effective values as one line of JSON, secrets redacted: the journal's record."""
    values = {setting.key: setting.value for setting in (*broker.settings, *settings.settings)}
    return json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def configuration_hash(broker: BrokerConfig, settings: Settings) -> str:
    """Return the SHA-256 of `effective_configuration` in hexadecimal: equal for equal meaning."""
    return hashlib.sha256(effective_configuration(broker, settings).encode()).hexdigest()


def _sources(
    loaded: Loaded[DaemonFile], decisions_db: Path, state_dir: Path
) -> tuple[SourceSettings, ...]:
    own = SourceSettings("jsonl", OWN_SOURCE_NAME, state_dir / OWN_SOURCE_FILE)
    sources: list[SourceSettings] = []
    for index, section in enumerate(loaded.schema.sources):
        source = _source(loaded, ("sources", index), section, decisions_db, own)
        if source.name == FLATTEN_SOURCE_NAME:
            raise loaded.refusal(
                ("sources", index, "name"),
                f"is '{FLATTEN_SOURCE_NAME}', as the daemon's own decisions are called; "
                "choose another",
            )
        for other_index, other in enumerate(sources):
            if other.name == source.name:
                raise loaded.refusal(
                    ("sources", index, "name"),
                    f"is '{shown(source.name)}', the name of sources[{other_index}]; "
                    "give each a name of its own",
                )
            if source.type == "jsonl" and _same_file(source, other):
                raise loaded.refusal(
                    ("sources", index, "path"),
                    f"names the file of sources[{other_index}]; each decision would execute twice",
                )
        sources.append(source)
    if any(_same_file(source, own) for source in sources):
        return tuple(sources)
    for index, source in enumerate(sources):
        if source.name == own.name:
            raise loaded.refusal(
                ("sources", index, "name"),
                f"is '{own.name}', the name of {OWN_SOURCE_FILE} in the state directory; "
                "choose another",
            )
    return (*sources, own)


def _source(
    loaded: Loaded[DaemonFile],
    at: KeyPath,
    section: SourceSection,
    decisions_db: Path,
    own: SourceSettings,
) -> SourceSettings:
    if section.type is None:
        raise loaded.refusal((*at, "type"), "is missing; it must be one of jsonl, sql")
    if section.type == "jsonl":
        for key in ("query", "columns"):
            if (*at, key) in loaded.document.lines:
                raise loaded.refusal((*at, key), "belongs to a source of type sql; remove it")
        if section.path is None:
            raise loaded.refusal((*at, "path"), "is missing; name the file decisions are in")
        path = loaded.path_of((*at, "path"), section.path)
        source = SourceSettings("jsonl", section.name or path.stem, path)
        if section.name is None and _same_file(source, own):
            return replace(source, name=own.name)
        return source
    if section.query is not None and not {"after", "limit"} <= {*_PARAMETER.findall(section.query)}:
        raise loaded.refusal((*at, "query"), "must use :after and :limit")
    path = decisions_db
    if section.path is not None:
        path = loaded.path_of((*at, "path"), section.path)
    return SourceSettings("sql", section.name or path.stem, path, section.query, section.columns)


def _same_file(one: SourceSettings, other: SourceSettings) -> bool:
    return one.type == other.type and os.path.realpath(one.path) == os.path.realpath(other.path)


def _settings(
    loaded: Loaded[DaemonFile], sources: tuple[SourceSettings, ...]
) -> tuple[Setting, ...]:
    rows = []
    for setting in loaded.settings():
        match = re.fullmatch(r"sources\[(\d+)\]\.name", setting.key)
        if match and setting.value is None:
            rows.append(replace(setting, value=sources[int(match[1])].name))
        else:
            rows.append(setting)
    return tuple(rows)

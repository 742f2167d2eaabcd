"""Both files of the configuration as one value, and where they lie."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from otonom_trader.brokers.config import BrokerConfig, get_broker_config
from otonom_trader.brokers.config_layers import Setting
from otonom_trader.brokers.regular_file import read_regular_file
from otonom_trader.brokers.yaml_source import MAX_FILE_BYTES
from otonom_trader.daemon.settings import (
    Settings,
    configuration_hash,
    effective_configuration,
    load_settings,
)

Texts = tuple[bytes | None, bytes | None]
"""What the two files hold; None for one that cannot be read."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is in force: ``broker.yaml`` and ``daemon.yaml`` with all that overrides them."""

    broker: BrokerConfig
    settings: Settings

    @property
    def values(self) -> dict[str, Setting]:
        """Every effective value by its key, secrets redacted."""
        return {row.key: row for row in (*self.broker.settings, *self.settings.settings)}

    @property
    def text(self) -> str:
        """All of it as the journal keeps it."""
        return effective_configuration(self.broker, self.settings)

    @property
    def hash(self) -> str:
        """The SHA-256 of `text` in hexadecimal."""
        return configuration_hash(self.broker, self.settings)


@dataclass(frozen=True, slots=True)
class ConfigurationFiles:
    """The two files in `folder`, read with the environment that the process was started with."""

    folder: Path
    state_dir: Path
    environ: Mapping[str, str] = field(repr=False)

    def load(self) -> Configuration:
        """Read and check both; raises ``ConfigurationError`` naming file, line, key and remedy."""
        broker = get_broker_config(self.folder / "broker.yaml", environ=self.environ)
        return Configuration(broker, load_settings(self.folder, self.state_dir, self.environ))

    def texts(self) -> Texts:
        """Return what they hold now, unchecked: enough to see that one was saved."""
        return _text(self.folder / "broker.yaml"), _text(self.folder / "daemon.yaml")


def _text(path: Path) -> bytes | None:
    try:
        return read_regular_file(path, MAX_FILE_BYTES)[0]
    except (OSError, ValueError):
        return None

"""Where the configuration and the state of a daemon lie.

Source: contract.md, "Configuration".
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SYSTEM_CONFIG_DIR: Final = Path("/etc/otonom-trader")


def find_config_dir(given: str | Path | None) -> Path:
    """Return the folder of ``broker.yaml`` and ``daemon.yaml``: `given`, else the usual ones."""
    if given is not None:
        return Path(given)
    local = Path("config")
    return local if local.is_dir() or not SYSTEM_CONFIG_DIR.is_dir() else SYSTEM_CONFIG_DIR


def find_state_dir(given: str | Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the state directory: `given`, else ``$STATE_DIRECTORY``, else ``./var``."""
    return Path(given if given is not None else environ.get("STATE_DIRECTORY") or "var")

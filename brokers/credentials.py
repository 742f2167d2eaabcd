"""Where the keys of a venue come from.

In this order: the environment, the file that ``api_key_file`` names, a systemd credential, and for
the testnet alone the configuration file. Source: contract.md, "Configuration".
"""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from otonom_trader.brokers.config_fields import key_text, secret_text
from otonom_trader.brokers.config_layers import Loaded
from otonom_trader.brokers.config_schema import BrokerFile
from otonom_trader.brokers.regular_file import read_regular_file, reason_of
from otonom_trader.brokers.yaml_source import KeyPath, shown
from otonom_trader.domain.errors import ConfigurationError
from otonom_trader.domain.secret import Secret

SECTION: Final[KeyPath] = ("broker", "binance")
# A private RSA key of 4096 bits takes 3.3 kB.
_MAX_KEY_FILE_BYTES: Final = 8192
# What the default file, the guide and the examples write where a key is to be put.
_PLACEHOLDER: Final = re.compile(r"(your|testnet|live)_(\w+_)?(key|secret)|\.\.\.")


def is_placeholder(text: object) -> bool:
    """Return whether `text` stands for a key in an example, and is none."""
    return isinstance(text, str) and _PLACEHOLDER.fullmatch(text) is not None


def refuse_misplaced_keys(loaded: Loaded[BrokerFile]) -> None:
    """Refuse production keys in the configuration file, and a key that is given twice there.

    A placeholder is no key: it harms nobody where the key in force stands elsewhere.
    """
    for name in ("api_key", "api_secret"):
        path, file_path = (*SECTION, name), (*SECTION, f"{name}_file")
        if path not in loaded.document.lines:
            continue
        if not loaded.schema.broker.binance.use_testnet:
            if is_placeholder(loaded.document.values["broker"]["binance"][name]):
                continue
            raise loaded.refusal_of_file(
                path, f"may stand in the file for the testnet only; {other_places(name)}"
            )
        if file_path in loaded.document.lines:
            raise loaded.refusal_of_file(path, f"and {name}_file are both given; keep one")


def find_key(
    loaded: Loaded[BrokerFile], name: str, environ: Mapping[str, str]
) -> tuple[Secret, str] | None:
    """Return the key called `name` (``api_key``, ``api_secret``) and where it came from.

    None when it is nowhere. Raises ``ConfigurationError`` for a file that others could read or
    write, that belongs to another user, or that holds no key.
    """
    section = loaded.schema.broker.binance
    given: Secret | None = getattr(section, name)
    path, file_path = (*SECTION, name), (*SECTION, f"{name}_file")
    if given is not None and path in loaded.environment:
        return given, loaded.origin(path)
    named: str | None = getattr(section, f"{name}_file")
    if named is not None:
        file = loaded.path_of(file_path, named)
        try:
            return _read_key(name, file, private=True), f"file {shown(str(file), limit=200)}"
        except FileNotFoundError:
            reason = f"names {shown(str(file), limit=200)}, which does not exist"
            raise loaded.refusal(file_path, reason) from None
        except ValueError as error:
            raise loaded.refusal(file_path, f"is refused: {error}") from None
    if folder := environ.get("CREDENTIALS_DIRECTORY"):
        try:
            return _read_key(name, Path(folder) / name, private=False), f"systemd credential {name}"
        except FileNotFoundError:
            pass
        except ValueError as error:
            raise ConfigurationError(f"systemd credential {name} is refused: {error}") from None
    if given is None or not section.use_testnet:
        return None
    return given, loaded.origin(path)


def missing_key(loaded: Loaded[BrokerFile], name: str, mode: str) -> ConfigurationError:
    """Return the error that says where to put the key called `name`."""
    return loaded.refusal((*SECTION, name), f"is needed in mode {mode}; {other_places(name)}")


def other_places(name: str) -> str:
    """Return where the key called `name` may stand beside the configuration file, as a remedy."""
    return (
        f"set OTONOM_TRADER__BROKER__BINANCE__{name.upper()}, "
        f"or name a file of mode 0400 in {name}_file, or pass the systemd credential {name}"
    )


def _read_key(key: str, file: Path, *, private: bool) -> Secret:
    """Read the key called `key`.

    Raises ``FileNotFoundError``, and ``ValueError`` naming the file, never showing what is in it.
    """
    name = shown(str(file), limit=200)
    try:
        content, state = read_regular_file(file, _MAX_KEY_FILE_BYTES)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise ValueError(f"{name} cannot be read: {reason_of(error)}") from None
    mode = stat.S_IMODE(state.st_mode)
    if private and state.st_uid != os.geteuid():
        raise ValueError(
            f"{name} belongs to the user with uid {state.st_uid}, not to uid {os.geteuid()}"
        )
    if private and mode != 0o400:
        raise ValueError(f"{name} has mode {mode:04o}; run chmod 0400 on it")
    if not private and mode & stat.S_IRWXO:
        raise ValueError(f"{name} may be read by everyone (mode {mode:04o})")
    try:
        text = content.decode("ascii").removesuffix("\n").removesuffix("\r")
        return secret_text(text) if key == "api_secret" else key_text(text)
    except UnicodeDecodeError:
        raise ValueError(f"{name} does not hold plain text") from None
    except ValueError as error:
        raise ValueError(f"the key in {name} {error}") from None

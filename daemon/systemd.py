"""Telling systemd how the daemon does. Source: sd_notify(3), sd_watchdog_enabled(3)."""

import os
import socket
from collections.abc import Mapping


class Notifier:
    """Sends states to the socket that ``NOTIFY_SOCKET`` names; does nothing where there is none.

    Nothing here waits and nothing raises: a state that systemd cannot take is lost, and what it
    then does about a late one (restart, kill) is what it is there for.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ

    def ready(self) -> bool:
        """Say that the start is done; returns whether systemd was told, as do all of these."""
        return self._send("READY=1")

    def reloading(self, monotonic_ns: int) -> bool:
        """Say that the configuration is read anew, until `ready` says that it was."""
        return self._send(f"RELOADING=1\nMONOTONIC_USEC={monotonic_ns // 1000}")

    def status(self, text: str) -> bool:
        """Set the line that ``systemctl status`` shows."""
        return self._send(f"STATUS={' '.join(text.split())}")

    def watchdog(self) -> bool:
        """Say that the daemon is alive."""
        return self._send("WATCHDOG=1")

    def stopping(self) -> bool:
        """Say that the daemon is ending."""
        return self._send("STOPPING=1")

    @property
    def watchdog_interval_seconds(self) -> float | None:
        """How often to call `watchdog`: half of what systemd allows; None when it is not asked."""
        pid = self._environ.get("WATCHDOG_PID", str(os.getpid()))
        allowed_us = self._environ.get("WATCHDOG_USEC", "")
        if pid != str(os.getpid()) or not allowed_us.isdecimal() or int(allowed_us) == 0:
            return None
        return int(allowed_us) / 1e6 / 2

    def _send(self, state: str) -> bool:
        address = self._environ.get("NOTIFY_SOCKET", "")
        if address.startswith("@"):
            address = "\0" + address[1:]
        elif not address.startswith("/"):
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(state.encode(), address)
        except OSError:
            return False
        return True

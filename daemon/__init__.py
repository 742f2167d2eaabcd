"""The running thing: takes decisions in, has them executed, and keeps people informed.

This module imports nothing at import time: the kill switch's handler must stand before the rest.
"""

from pathlib import Path


async def set_kill_switch(
    on: bool,  # noqa: FBT001  the guide calls set_kill_switch(True)
    reason: str = "",
    state_dir: Path | str | None = None,
) -> None:
    """Trip the kill switch of this process, or of the daemon that holds `state_dir`.

    The latch is durable before this returns. Raises ``ValueError`` for ``False``: only
    ``otonom-trader resume --reason ...`` clears it. Raises `TraderError` when a running daemon did
    not confirm, or the latch cannot be written. Source: contract.md, "Names".
    """
    from otonom_trader.daemon.kill import set_kill_switch as trip  # noqa: PLC0415  see above

    await trip(on=on, reason=reason, state_dir=state_dir)

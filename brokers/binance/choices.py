"""What a configuration chooses between: who carries orders, and where books come from."""

from typing import Final

REST: Final = "rest"
AUTO: Final = "auto"
ORDER_TRANSPORTS: Final = (REST, "ws", AUTO)
"""What may carry orders."""

ASKED: Final = "rest"
FOLLOWED: Final = "streams"
MARKET_DATA: Final = (ASKED, FOLLOWED)
"""Where books come from: asked for each time, or followed while `run` runs."""

"""The order book a client keeps for itself.

Procedure: "How to manage a local order book correctly" of the page "WebSocket Streams".
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class LocalBook:
    """As a client keeps it."""

    update_id: int = 0
    sides: dict[str, dict[str, str]] = field(default_factory=lambda: {"b": {}, "a": {}})

    def load(self, snapshot: dict[str, Any]) -> None:
        self.update_id = snapshot["lastUpdateId"]
        self.sides = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}

    def apply(self, event: dict[str, Any]) -> None:
        if event["u"] <= self.update_id:
            return
        assert event["U"] <= self.update_id + 1, "a gap"
        for side, levels in self.sides.items():
            for price, qty in event[side]:
                if float(qty):
                    levels[price] = qty
                else:
                    levels.pop(price, None)
        self.update_id = event["u"]

"""What one guardrail says of one order."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Verdict(NamedTuple):
    """A guardrail's answer: `code` is stable; `limit` and `value` are empty where none apply.

    `message` is the sentence for the user; it is empty when the order is allowed. What an allowed
    order was measured at is kept as it is, with how to `show` it, and is written by who reads it. A
    tuple, since one is made by every guardrail for every order.
    """

    code: str
    allowed: bool
    message: str = ""
    limit: str = ""
    value: Any = ""
    show: Callable[[Any], str] = str

    @property
    def value_text(self) -> str:
        """The value as it is written."""
        try:
            return self.show(self.value)
        except ArithmeticError:  # too many digits to be rounded
            return str(self.value)

"""What one guardrail says of one order."""

from typing import NamedTuple


class Verdict(NamedTuple):
    """A guardrail's answer: `code` is stable; `limit` and `value` are empty where none apply.

    `message` is the sentence for the user; it is empty when the order is allowed. A tuple, since
    one is made by every guardrail for every order.
    """

    code: str
    allowed: bool
    message: str = ""
    limit: str = ""
    value: str = ""

"""What one guardrail says of one order."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """A guardrail's answer: `code` is stable; `limit` and `value` are empty where none apply.

    `message` is the sentence for the user; it is empty when the order is allowed.
    """

    code: str
    allowed: bool
    message: str = ""
    limit: str = ""
    value: str = ""

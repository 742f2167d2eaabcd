"""What happened: the journal, and the database in which decisions may lie."""

from otonom_trader.domain.decision import Decision
from otonom_trader.storage.decisions_db import get_session
from otonom_trader.storage.errors import DuplicateDecision
from otonom_trader.storage.journal import Journal, payload_digest

__all__ = ["Decision", "DuplicateDecision", "Journal", "get_session", "payload_digest"]

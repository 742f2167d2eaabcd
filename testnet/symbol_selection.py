"""Which symbols a public request asks for: by name, by names, by status, or all."""

import json
from typing import Final

from otonom_trader.testnet import errors
from otonom_trader.testnet.call import Call
from otonom_trader.testnet.errors import VenueError
from otonom_trader.testnet.exchange_info import SymbolRules
from otonom_trader.testnet.parameters import Parameters

_STATUSES: Final = ("TRADING", "HALT", "BREAK")


def wanted_status(parameters: Parameters) -> str | None:
    """The symbolStatus asked for; -1122 where it is none that can be."""
    status = parameters.text("symbolStatus")
    if status not in (None, *_STATUSES):
        raise VenueError(-1122, "Invalid symbolStatus.")
    return status


def selected(call: Call) -> list[SymbolRules]:
    """By ``symbol``, ``symbols`` or neither; -1220 where a single one has another status, of
    several those are left out.
    """
    status = wanted_status(call.parameters)
    if "symbol" in call.parameters:
        rules = call.symbol()
        if status not in (None, rules.status):
            raise VenueError(
                -1220, "The symbol's status does not match the requested symbolStatus."
            )
        return [rules]
    wanted = call.parameters.text("symbols")
    found = list(call.exchange.engine.rules.values()) if wanted is None else _named(call, wanted)
    return [rules for rules in found if status in (None, rules.status)]


def _named(call: Call, wanted: str) -> list[SymbolRules]:
    names = json.loads(wanted)
    if len(set(names)) != len(names):
        raise VenueError(-1151, "Symbol is present multiple times in the list.")
    return [call.find_symbol(name) for name in names]


def refuse_both(parameters: Parameters) -> None:
    """``symbol`` and ``symbols`` exclude each other."""
    if "symbol" in parameters and "symbols" in parameters:
        raise errors.bad_combination()


def symbol_count(parameters: Parameters) -> int | None:
    """How many symbols a request names; None for all."""
    if "symbol" in parameters:
        return 1
    wanted = parameters.text("symbols")
    return wanted.count(",") + 1 if wanted else None

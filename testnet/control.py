"""The control interface under /testnet: truth and faults. Loopback only, not part of Binance."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from otonom_trader.testnet.exchange import Exchange
from otonom_trader.testnet.faults import Faults, Reply
from otonom_trader.testnet.truth import RequestLog, truth

_FAULTS: Final = "/testnet/faults"


class Control:
    """Never struck by a fault and counted by no limit."""

    def __init__(self, exchange: Exchange, faults: Faults, requests: RequestLog) -> None:
        self._exchange: Final = exchange
        self._faults: Final = faults
        self._requests: Final = requests

    def answer(self, method: str, path: str, query: str, body: bytes) -> Reply:
        if (method, path) == ("GET", "/testnet/truth"):
            everyone = parse_qs(query).get("all", ["0"])[-1] == "1"
            return _reply(truth(self._exchange, self._requests, everyone=everyone))
        if (method, path) == ("POST", _FAULTS):
            return self._order_fault(body)
        if (method, path) == ("GET", _FAULTS):
            return _reply([ordered.as_json() for ordered in self._faults.in_force()])
        if (method, path) == ("DELETE", _FAULTS):
            self._faults.end_all()
            return _reply({})
        if method == "DELETE" and path.startswith(f"{_FAULTS}/"):
            return self._end_fault(path.removeprefix(f"{_FAULTS}/"))
        return _refusal(
            HTTPStatus.NOT_FOUND,
            f"there is no {method} {path}; there are GET /testnet/truth, and GET, POST and "
            "DELETE of /testnet/faults",
        )

    def _order_fault(self, body: bytes) -> Reply:
        try:
            wanted: Mapping[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
            return _reply({"id": self._faults.add(wanted)})
        except msgspec.MsgspecError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, f"the body is not a JSON object: {error}")
        except ValueError as error:
            return _refusal(HTTPStatus.BAD_REQUEST, str(error))

    def _end_fault(self, fault_id: str) -> Reply:
        if fault_id.isascii() and fault_id.isdigit() and self._faults.end(int(fault_id)):
            return _reply({})
        return _refusal(HTTPStatus.NOT_FOUND, f"there is no fault {fault_id} in force")


def _reply(content: Any) -> Reply:
    return Reply(HTTPStatus.OK, msgspec.json.encode(content), {})


def _refusal(status: HTTPStatus, message: str) -> Reply:
    return Reply(status, msgspec.json.encode({"error": message}), {})

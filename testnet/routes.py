"""Every endpoint the venue serves, by method and path."""

from collections.abc import Mapping
from typing import Final

from otonom_trader.testnet import (
    account_data,
    market_data,
    order_lists,
    reference_data,
    replacing,
    tickers,
    trading,
)
from otonom_trader.testnet.call import Route

ROUTES: Final[Mapping[tuple[str, str], Route]] = {
    **reference_data.ROUTES,
    **market_data.ROUTES,
    **tickers.ROUTES,
    **trading.ROUTES,
    **replacing.ROUTES,
    **order_lists.ROUTES,
    **account_data.ROUTES,
}

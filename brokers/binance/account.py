"""Reads of the account: balances, open orders, whose it is."""

from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import ClassVar, Final

import msgspec

from otonom_trader.brokers.base import PositionRow
from otonom_trader.brokers.binance.choices import ASKED
from otonom_trader.brokers.binance.errors import check
from otonom_trader.brokers.binance.hosts import is_testnet, tells_key_rights, venue_name
from otonom_trader.brokers.binance.market_data import MarketReader
from otonom_trader.brokers.binance.orders.lists import without_stops
from otonom_trader.brokers.binance.orders.replies import open_order
from otonom_trader.brokers.binance.transport.signed_rest import SignedTransport
from otonom_trader.brokers.binance.transport.weights import ACCOUNT, KEY_RIGHTS, OPEN_ORDERS
from otonom_trader.brokers.binance.wire import (
    Account,
    CommissionRates,
    KeyRestrictions,
    QueriedOrder,
    moment,
    number,
    read,
)
from otonom_trader.domain.account import AccountKey, AccountSnapshot, Balance, KeyRights
from otonom_trader.domain.mode import Mode
from otonom_trader.domain.order import OrderResult, Side
from otonom_trader.domain.symbol import QUOTE_ASSETS

# What is held to pay with, not as a position.
_CASH: Final = frozenset(QUOTE_ASSETS) - {"BTC", "ETH", "BNB"}

_account = msgspec.json.Decoder(Account)
_rights = msgspec.json.Decoder(KeyRestrictions)
_open_orders = msgspec.json.Decoder(list[QueriedOrder])


class AccountReader(MarketReader):
    """Reads one account and its markets; the part that live and shadow share."""

    mode: ClassVar[Mode]

    def __init__(
        self,
        transport: SignedTransport,
        renames: Mapping[str, str] | None,
        depth_limit: int,
        market_data: str = ASKED,
    ) -> None:
        super().__init__(transport, renames, depth_limit, market_data)
        self._account_reader = transport
        self._key: AccountKey | None = None
        self._rates: CommissionRates | None = None

    async def sync_clock(self) -> None:
        """Estimate the venue's clock anew; raises `NotSent` when it cannot be read.

        It is also done by itself once the last estimate is older than ten minutes.
        """
        await self._account_reader.venue_time.read()

    async def clock_offset_ms(self) -> float | None:
        """Return how far the venue's clock is ahead of ours; raises `NotSent` when unreadable."""
        return await self._account_reader.venue_time.offset_ms()

    async def get_account_key(self) -> AccountKey:
        """Return whose account the key belongs to; asked once.

        Reads the venue's clock where that is due: it is called before an order's intent is
        written, and between that and the order nothing should have to be awaited.
        """
        await self._account_reader.venue_time.freshen()
        if self._key is None:
            await self.get_account()
        assert self._key is not None  # noqa: S101  get_account sets it or raises
        return self._key

    async def get_account(self) -> AccountSnapshot:
        """Return all balances that are not zero, dated by the moment they were asked for."""
        reply = await self._account_reader.get_signed(ACCOUNT, (("omitZeroBalances", "true"),))
        check(reply)
        account = read(_account, reply)
        uid = str(account.uid)
        self._key = AccountKey(self.mode, venue_name(self._account_reader.base_url), uid)
        self._rates = account.commission_rates
        return AccountSnapshot(
            balances={
                row.asset: Balance(row.asset, number(row.free), number(row.locked))
                for row in account.balances
            },
            updated_at=moment(account.update_time),
            taken_ns=reply.sent_ns,
            uid=uid,
        )

    async def get_key_rights(self) -> KeyRights | None:
        """Return what the key may do; None on a testnet, which has nobody to ask.

        Source: promises.md, P7.
        """
        host = self._account_reader.base_url.host or ""
        if not tells_key_rights(host):
            return None
        reply = await self._account_reader.get_signed(KEY_RIGHTS)
        if reply.status == HTTPStatus.NOT_FOUND and is_testnet(host):
            return None
        check(reply)
        told = read(_rights, reply)
        return KeyRights(
            may_withdraw=told.enable_withdrawals,
            may_transfer=told.enable_internal_transfer or told.permits_universal_transfer,
            is_ip_restricted=told.ip_restrict,
        )

    async def get_account_balance(self) -> dict[str, Balance]:
        """Return all balances by asset, those of zero left out."""
        return dict((await self.get_account()).balances)

    async def get_positions(self) -> list[PositionRow]:
        """Return what is held besides cash, whatever it is worth."""
        snapshot = await self.get_account()
        return [
            PositionRow(
                asset=balance.asset, qty=balance.total, free=balance.free, locked=balance.locked
            )
            for balance in snapshot.balances.values()
            if balance.total and balance.asset not in _CASH
        ]

    async def get_open_orders(self) -> list[OrderResult]:
        """Return all working orders of the account, of whatever origin; fills are not listed.

        A pair of ours is one order, under its own id.
        """
        reply = await self._account_reader.get_signed(OPEN_ORDERS)
        check(reply)
        return without_stops([open_order(order) for order in read(_open_orders, reply)])

    async def _taker_rate(self, side: Side) -> Decimal:
        """The fee rate of a taker: by role plus by side, on what is received."""
        if self._rates is None:
            await self.get_account()
        rates = self._rates
        assert rates is not None  # noqa: S101  get_account sets it or raises
        return number(rates.taker) + number(rates.buyer if side is Side.BUY else rates.seller)

"""What a testnet is started with, and the texts of its command line turned into it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, Self

from otonom_trader.testnet.clock import Clock, WallClock

HOST: Final = "127.0.0.1"
DEFAULT_SYMBOL: Final = "BTCUSDT"


_ACCOUNT: Final = "NAME,KEY,SECRET[,ASSET=AMOUNT…][,permissions=SPOT+MARGIN]"
_KEY_AND_SECRET: Final = 2
_PERMISSIONS: Final = "permissions="
# Page "ENUM Definitions", "Account and Symbol Permissions".
_PERMISSION: Final = re.compile("SPOT|MARGIN|LEVERAGED|TRD_GRP_[0-9]{3}")
_MARKETS: Final = "synthetic, empty, bars:FILE[@SYMBOL] or book:REST,STREAM[,loop]"


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """``synthetic``: a seeded random walk in every symbol. ``bars``: one symbol plays the
    one-minute bars of a file. ``book``: the symbols of a recording replay it; ``path`` has its
    snapshots, ``stream_path`` what came after, and ``is_looped`` begins anew at its end. The other
    symbols are synthetic. ``empty``: only the accounts trade.
    """

    kind: str = "synthetic"
    path: Path | None = None
    symbol: str = DEFAULT_SYMBOL
    stream_path: Path | None = None
    is_looped: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """``synthetic``, ``empty``, ``bars:FILE[@SYMBOL]`` or ``book:REST,STREAM[,loop]``;
        anything else is a ValueError.
        """
        if text in ("synthetic", "empty"):
            return cls(kind=text)
        kind, _, rest = text.partition(":")
        if kind == "book":
            return cls._parse_book(text, rest.split(","))
        if kind != "bars":
            raise ValueError(f"unknown market {text!r}: expected {_MARKETS}")
        file, at, symbol = rest.rpartition("@")
        if not at:
            file, symbol = rest, DEFAULT_SYMBOL
        if not file or not symbol:
            raise ValueError(f"market {text!r} names no file: expected bars:FILE[@SYMBOL]")
        return cls(kind="bars", path=Path(file), symbol=symbol.upper())

    @classmethod
    def _parse_book(cls, text: str, parts: list[str]) -> Self:
        is_looped = parts[2:] == ["loop"]
        if len(parts) - is_looped != 2 or not all(parts):
            raise ValueError(f"market {text!r} is not book:REST,STREAM[,loop] with two files")
        rest, stream = Path(parts[0]), Path(parts[1])
        return cls(kind="book", path=rest, stream_path=stream, is_looped=is_looped)


def _check_key(api_key: str) -> None:
    if not api_key or not api_key.isascii() or not api_key.isprintable() or set(" ,") & {*api_key}:
        raise ValueError(f"API key {api_key!r} is not one word of plain characters without a comma")


@dataclass(frozen=True, slots=True)
class KeyConfig:
    """An API key. One with a ``secret`` signs by HMAC, one with a ``public_key`` (PEM) by RSA or
    Ed25519, whichever that key is.
    """

    api_key: str
    secret: str = ""
    public_key: str = ""
    can_read: bool = True
    can_trade: bool = True
    can_withdraw: bool = False
    ip_restricted: bool = True

    def __post_init__(self) -> None:
        _check_key(self.api_key)
        if bool(self.secret) is bool(self.public_key):
            raise ValueError(f"key {self.api_key!r} needs either a secret or a public key")


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """One account with its key: HMAC, may trade, may not withdraw, bound to an address."""

    api_key: str = "local-testnet-key"
    api_secret: str = "local-testnet-secret"  # noqa: S105  play money on loopback
    balances: Mapping[str, Decimal] = field(
        default_factory=lambda: {"USDT": Decimal(100_000), "BTC": Decimal("0.5")}
    )
    uid: int = 0
    """0 takes the next free one."""
    name: str = ""
    """Empty takes ``account-`` and the uid."""
    fee_pct: Decimal = Decimal("0.1")
    """Percent of what a fill receives, maker and taker alike."""
    keys: tuple[KeyConfig, ...] = ()
    """Further keys of the same account."""
    permissions: frozenset[str] = frozenset({"SPOT"})
    trade_group_id: int = -1
    """Accounts of one group do not trade with each other; -1 is none."""
    max_asset: Mapping[str, Decimal] = field(default_factory=dict)
    """The most of an asset in one order (filter MAX_ASSET)."""

    def __post_init__(self) -> None:
        _check_key(self.api_key)
        if not self.api_secret:
            raise ValueError(f"the secret of key {self.api_key!r} is empty")
        for permission in sorted(self.permissions):
            if _PERMISSION.fullmatch(permission) is None:
                raise ValueError(
                    f"permission {permission!r} is unknown: expected SPOT, MARGIN, LEVERAGED or "
                    "TRD_GRP_ and three digits"
                )

    @classmethod
    def parse(cls, text: str) -> Self:
        """``NAME,KEY,SECRET[,ASSET=AMOUNT…][,permissions=SPOT+MARGIN]``; anything else is a
        ValueError, which does not tell the secret.
        """
        name, *rest = (part.strip() for part in text.split(","))
        permissions = [
            permission
            for part in rest
            if part.startswith(_PERMISSIONS)
            for permission in part.removeprefix(_PERMISSIONS).split("+")
        ]
        is_whole = len(rest) >= _KEY_AND_SECRET and all((name, *rest, *permissions))
        if not is_whole or "=" in name:
            raise ValueError(f"account {name!r} is not {_ACCOUNT}")
        api_key, secret, *more = rest
        given = cls(api_key, secret, name=name)
        amounts = [part for part in more if not part.startswith(_PERMISSIONS)]
        if amounts:
            given = replace(given, balances=parse_balances(amounts))
        if permissions:
            given = replace(given, permissions=frozenset(permissions))
        return given


@dataclass(frozen=True, slots=True)
class RateLimits:
    """As exchangeInfo shows them; the defaults are the documented ones."""

    weight_per_minute: int = 6_000
    orders_per_10_seconds: int = 50
    orders_per_day: int = 160_000
    raw_requests_per_5_minutes: int = 300_000
    refusals_before_ban: int = 10
    """How many 429s an address gets in a minute before it is banned."""
    connections_per_5_minutes: int = 300
    """Attempts of one address, on the WebSocket API and on streams each."""

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """``["orders_per_10_seconds=1000"]``; ValueError names what is unknown or not a number."""
        names = [entry.name for entry in fields(cls)]
        given: dict[str, int] = {}
        for text in texts:
            name, _, number = text.partition("=")
            if name not in names:
                raise ValueError(f"unknown limit {name!r}: expected one of {', '.join(names)}")
            if not (number.isascii() and number.isdigit() and int(number) > 0):
                raise ValueError(f"limit {text!r} is not {name}=NUMBER with a number above 0")
            given[name] = int(number)
        return cls(**given)


@dataclass(frozen=True, slots=True)
class HistoryCaps:
    """How much is remembered, so that a run of days stays flat in memory."""

    orders_per_account: int = 50_000
    requests: int = 100_000
    trades_per_symbol: int = 2_000
    klines_per_interval: int = 10_000


@dataclass(frozen=True, slots=True)
class TestnetConfig:
    """A venue on loopback. ``port`` 0 takes a free one; ``speed`` X plays a bar in 60/X seconds and
    a recorded second in 1/X; ``warmup_bars`` are played as history before the start.
    """

    port: int = 0
    accounts: tuple[AccountConfig, ...] = (AccountConfig(),)
    market: MarketSpec = MarketSpec()
    speed: Decimal = Decimal(1)
    warmup_bars: int = 0
    seed: int = 0
    limits: RateLimits = RateLimits()
    history: HistoryCaps = HistoryCaps()
    exchange_info: Path | None = None
    """A saved reply of GET exchangeInfo: the symbols to list. None lists the built-in ones."""
    query_lag_ms: int = 0
    """How far what order and account queries show lags behind the engine."""
    tls: bool = False
    """Serve https and wss, with a certificate of the venue's own making."""
    certificate: Path | None = None
    """With ``tls``: where to write the certificate, for clients that are to trust it."""
    clock: Clock = field(default_factory=WallClock)

    # pytest would take the class for a test.
    __test__ = False

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"port {self.port} is not between 0 and 65535")
        if not (self.speed.is_finite() and 0 < self.speed <= 60_000):
            raise ValueError(f"speed {self.speed} is not above 0 and at most 60000")
        if self.warmup_bars < 0:
            raise ValueError(f"warmup {self.warmup_bars} is negative")
        if self.query_lag_ms < 0:
            raise ValueError(f"query lag {self.query_lag_ms} ms is negative")
        if self.certificate is not None and not self.tls:
            raise ValueError("a certificate is written only with TLS")
        keys = [account.api_key for account in self.accounts]
        keys += [key.api_key for account in self.accounts for key in account.keys]
        if len(set(keys)) != len(keys):
            raise ValueError("two accounts or keys have the same API key")


def parse_balances(texts: Iterable[str]) -> dict[str, Decimal]:
    """``["USDT=100000", "BTC=0.5"]`` as asset to amount; ValueError for a malformed or repeated
    one.
    """
    balances: dict[str, Decimal] = {}
    for text in texts:
        asset, equals, amount_text = text.partition("=")
        asset = asset.strip()
        try:
            amount = Decimal(amount_text.strip())
        except InvalidOperation:
            amount = Decimal(-1)
        if not (equals and asset.isalnum() and amount.is_finite() and amount >= 0):
            raise ValueError(f"balance {text!r} is not ASSET=AMOUNT, for example USDT=100000")
        if asset != asset.upper():
            raise ValueError(f"balance {text!r}: assets are in capitals, {asset.upper()}")
        if amount != amount.quantize(Decimal("1e-8")):
            raise ValueError(f"balance {text!r} has more than 8 decimals")
        if asset in balances:
            raise ValueError(f"balance of {asset} is given twice")
        balances[asset] = amount
    return balances

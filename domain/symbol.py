"""A traded pair under one canonical name, however it was written."""

from dataclasses import dataclass
from typing import Self

# Longest first, so that BTCFDUSD ends in FDUSD and not in USD.
QUOTE_ASSETS = (
    "FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "DAI", "EUR", "GBP", "TRY", "BRL", "JPY",
    "AUD", "USD", "BTC", "ETH", "BNB",
)  # fmt: skip
"""Quote assets by which a pair written without a separator is split."""

_SEPARATORS = "-/_: "
_MAX_LENGTH = 40


@dataclass(frozen=True, slots=True, order=True)
class Symbol:
    """A pair: amounts are in `base`, prices in `quote` per `base`."""

    base: str
    quote: str

    @property
    def canonical(self) -> str:
        """The one name by which symbols are compared, such as ``BTC-USDT``."""
        return f"{self.base}-{self.quote}"

    @property
    def joined(self) -> str:
        """The name without a separator, as most venues write it: ``BTCUSDT``."""
        return f"{self.base}{self.quote}"

    def __str__(self) -> str:
        return self.canonical

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``BTC-USDT``, ``btc/usdt`` or ``BTCUSDT``.

        Raises ``ValueError`` where no base and quote can be told apart.
        """
        parts = _parts(text)
        if len(parts) == 2:
            return cls(*parts)
        if len(parts) == 1:
            for quote in QUOTE_ASSETS:
                if parts[0].endswith(quote) and parts[0] != quote:
                    return cls(parts[0].removesuffix(quote), quote)
        raise ValueError(f"symbol {text[:_MAX_LENGTH]!r} is not a pair such as BTC-USDT")


def names_symbol(entry: str, symbol: Symbol) -> bool:
    """Return whether a list `entry` means `symbol`: the same pair, or the same base asset.

    ``LUNA-USD``, ``LUNAUSDT``, ``luna/usdt`` and ``LUNA`` all mean every pair of base LUNA.
    Source: contract.md, "Formulas" (blacklist).
    """
    parts = _parts(entry)
    if len(parts) != 1:
        return len(parts) == 2 and parts[0] == symbol.base
    # Without a separator every way to split counts: FTTUSD is FTT-USD as well as FT-TUSD.
    return parts[0] in (symbol.base, symbol.joined, *(symbol.base + q for q in QUOTE_ASSETS))


def is_symbol(entry: str, symbol: Symbol) -> bool:
    """Return whether a list `entry` means `symbol` and no other quote: a pair, or a base asset.

    ``BTC-USDT``, ``BTCUSDT`` and ``btc/usdt`` mean one pair, ``BTC`` every pair of base BTC.
    """
    parts = _parts(entry)
    if len(parts) == 1:
        return parts[0] in (symbol.base, symbol.joined)
    return parts == [symbol.base, symbol.quote]


def _parts(text: str) -> list[str]:
    if len(text) > _MAX_LENGTH:
        return []
    folded = text.strip().upper()
    for separator in _SEPARATORS:
        folded = folded.replace(separator, "-")
    parts = folded.split("-")
    return parts if all(part.isalnum() for part in parts) else []

"""Run the suites of all clients, or of those named, against one local testnet.

Each client has a virtual environment of its own under ``.venv-clients``, made on first use from
its list in ``pins/``; two of them own the same import name. They run side by side, each with an
account of its own, and mostly wait. Prints one line per check, a suite's once it is done, and ends
with 1 where one failed.

    .venv/bin/python tests/clients/run.py [CLIENT ...]
"""

import argparse
import asyncio
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from otonom_trader.testnet import (
    AccountConfig,
    KeyConfig,
    LocalTestnet,
    MarketSpec,
    RateLimits,
    TestnetConfig,
)

# As tests/clients/venue.py reads it.
ANNOUNCED_IN: Final = "OTONOM_CLIENT_VENUE"
HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
ENVIRONMENTS: Final = ROOT / ".venv-clients"
SUITES: Final = {
    "binance-connector": "binance_connector",
    "binance-sdk-spot": "binance_sdk_spot",
    "python-binance": "python_binance",
    "ccxt": "ccxt",
}
_RSA_BITS: Final = 2048
# The suites place more orders, and ask more, than one client may.
_LIMITS: Final = RateLimits(
    weight_per_minute=100_000, orders_per_10_seconds=2_000, connections_per_5_minutes=5_000
)


async def python_of(client: str) -> Path:
    """The interpreter of the client's environment, which is made anew where its pins changed."""
    home = ENVIRONMENTS / client
    pins = (HERE / "pins" / f"{client}.txt").read_text(encoding="utf-8")
    installed = home / "installed.txt"
    python = home / "bin" / "python"
    if installed.is_file() and installed.read_text(encoding="utf-8") == pins:
        return python
    sys.stdout.write(f"making {home.relative_to(ROOT)}\n")
    sys.stdout.flush()
    ENVIRONMENTS.mkdir(exist_ok=True)
    (ENVIRONMENTS / ".gitignore").write_text("*\n", encoding="utf-8")
    await succeed(sys.executable, "-m", "venv", "--clear", home)
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")
    await succeed(*pip, "-r", HERE / "pins" / f"{client}.txt")
    installed.write_text(pins, encoding="utf-8")
    return python


async def succeed(*command: str | Path) -> None:
    """Run a command to its end; raises ``CalledProcessError`` where it fails."""
    process = await asyncio.create_subprocess_exec(*command)
    if status := await process.wait():
        raise subprocess.CalledProcessError(status, command)


def account_of(client: str, folder: Path) -> tuple[AccountConfig, dict[str, dict[str, str]]]:
    """An account with a key of each kind, and what the suite is told of the keys."""
    told: dict[str, dict[str, str]] = {}
    further: list[KeyConfig] = []
    secret = _hex(f"{client} secret")
    told["HMAC"] = {"api_key": _hex(f"{client} HMAC"), "secret": secret}
    for kind, private in (
        ("RSA", rsa.generate_private_key(public_exponent=65_537, key_size=_RSA_BITS)),
        ("ED25519", ed25519.Ed25519PrivateKey.generate()),
    ):
        pem = folder / f"{client}-{kind}.pem"
        pem.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        told[kind] = {"api_key": _hex(f"{client} {kind}"), "pem": str(pem)}
        public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        further.append(KeyConfig(told[kind]["api_key"], public_key=public.decode()))
    account = AccountConfig(
        api_key=told["HMAC"]["api_key"],
        api_secret=secret,
        name=client,
        balances={"USDT": Decimal(1_000_000), "BTC": Decimal(20)},
        keys=tuple(further),
    )
    return account, told


async def run(clients: Sequence[str], pytest_options: list[str]) -> list[str]:
    """The clients whose suites failed."""
    pythons = dict(zip(clients, await asyncio.gather(*map(python_of, clients)), strict=True))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        accounts = {client: account_of(client, folder) for client in pythons}
        config = TestnetConfig(
            accounts=tuple(account for account, _ in accounts.values()),
            market=MarketSpec.parse("synthetic"),
            limits=_LIMITS,
            warmup_bars=60,
        )
        async with LocalTestnet(config) as venue:
            suites = []
            for client, (_, keys) in accounts.items():
                announced = folder / f"{client}.json"
                told = {"http": venue.url, "account": client, "keys": keys}
                announced.write_text(json.dumps(told), encoding="utf-8")
                suites.append(check(client, pythons[client], announced, pytest_options))
            statuses = await asyncio.gather(*suites)
    return [client for client, status in zip(clients, statuses, strict=True) if status]


async def check(client: str, python: Path, announced: Path, pytest_options: list[str]) -> int:
    """Run one suite and print what it says: the exit code of its pytest."""
    environment = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
    } | {"NO_PROXY": "127.0.0.1", ANNOUNCED_IN: str(announced), "PYTHONDONTWRITEBYTECODE": "1"}
    process = await asyncio.create_subprocess_exec(
        *(str(python), "-m", "pytest", "-v", f"--rootdir={ROOT}", "-c", str(HERE / "pytest.ini")),
        *(str(HERE / SUITES[client]), *pytest_options),
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    sys.stdout.write(said.decode())
    sys.stdout.flush()
    return process.returncode or 0


def _hex(text: str) -> str:
    """64 characters, as the venue's keys have."""
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description="other options are pytest's")
    parser.add_argument("client", nargs="*", choices=[[], *SUITES])
    named, pytest_options = parser.parse_known_args()
    failed = asyncio.run(run(named.client or list(SUITES), pytest_options))
    sys.stdout.write(f"failed: {', '.join(failed)}\n" if failed else "all clients passed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

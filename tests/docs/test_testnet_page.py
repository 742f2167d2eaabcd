"""docs/testnet.md: its commands do what the page says."""

import asyncio
import json
import shlex
import signal
import sys
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from otonom_trader.testnet import AccountConfig, LocalTestnet, RateLimits
from otonom_trader.testnet.faults import FAULTS
from tests.docs.markdown import ROOT, blocks

PAGE = (ROOT / "docs" / "testnet.md").read_text("utf-8")
LINES = [
    line for block in blocks(PAGE, "bash") for line in block.text.replace("\\\n", " ").splitlines()
]
STARTS = [line for line in LINES if line.startswith("otonom-trader testnet --")]
ORDERED = [
    line for line in LINES if line.startswith("otonom-trader testnet ") and "http://" in line
]
POSTED = [line for line in LINES if line.startswith("curl") and " -d " in line]

TABLE = {
    row.split("`")[1]: row.split("|")[2]
    for row in PAGE.split("| fault | what happens |")[1].split("\n\n")[0].splitlines()[2:]
}


def command(line: str) -> list[str]:
    return [sys.executable, "-m", "otonom_trader.daemon.entry", *shlex.split(line)[1:]]


def test_the_page_has_commands_to_try() -> None:
    assert len(STARTS) == 3
    assert len(ORDERED) > 5
    assert len(POSTED) == 3


@pytest.mark.parametrize("line", STARTS)
async def test_a_testnet_starts_as_shown(line: str, tmp_path: Path) -> None:
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    (tmp_path / "trader.pub.pem").write_bytes(
        public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    words = command(line)
    words[words.index("--port") + 1] = "0"
    process = await asyncio.create_subprocess_exec(
        *words, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    ready = (await process.stdout.readline()).decode()
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
    scheme = "https" if "--tls" in words else "http"
    assert ready.startswith(f"Local Binance Spot testnet ready at {scheme}://127.0.0.1:")
    assert (tmp_path / "venue.pem").exists() == ("--tls" in words)


# All lines in one process: starting one takes longer than carrying it out.
EACH_LINE = """
import json, sys
from otonom_trader.daemon.cli import run_command_line
for words in json.load(sys.stdin):
    print("status", run_command_line(words), flush=True)
"""


async def test_what_is_asked_of_a_running_testnet_is_understood() -> None:
    async with LocalTestnet() as venue:
        words = [shlex.split(line.replace("http://127.0.0.1:8080", venue.url)) for line in ORDERED]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", EACH_LINE),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await process.communicate(json.dumps([line[1:] for line in words]).encode())
        lines = told.decode().splitlines()
        assert [line for line in lines if line.startswith("status")] == ["status 0"] * len(ORDERED)
        ordered = [line for line in ORDERED if " fault " in line]
        assert [line for line in lines if line.isdigit()] == [
            str(number) for number in range(1, len(ordered) + 1)
        ]
        assert not venue.faults.in_force()


async def test_what_is_posted_is_understood() -> None:
    async with LocalTestnet() as venue, aiohttp.ClientSession() as session:
        for line in POSTED:
            words = shlex.split(line)
            url = next(word for word in words if word.startswith("http://"))
            target = url.replace("http://127.0.0.1:8080", venue.url)
            body = words[words.index("-d") + 1]
            async with session.post(target, data=body) as reply:
                assert reply.status == 200, await reply.text()
                if target.endswith("/faults"):
                    assert await reply.json() == json.loads(blocks(PAGE, "text")[-1].text)


def test_the_defaults_it_names_are_those_in_force() -> None:
    limits = PAGE.split("## Limits")[1].split("## ")[0].replace("\n", " ")
    defaults = RateLimits()
    for name in RateLimits.__dataclass_fields__:
        assert f"`{name}` {getattr(defaults, name)}" in limits
    assert f"byte each `ms`, {FAULTS['slow_drip'].ms} unless said" in PAGE
    assert f"`ms` later, {FAULTS['server_shutdown'].ms} unless said" in PAGE
    for name in ("rate_429", "ban_418"):
        assert f"`retry_after_s`, {FAULTS[name].retry_after_s} unless said" in PAGE
    for fault, happens in TABLE.items():
        says = "not executed" not in happens and "nothing is executed" not in happens
        assert FAULTS[fault].executes == says, fault
    assert AccountConfig().fee_pct == Decimal("0.1")
    assert "costs 0.1 % of what it receives" in PAGE

"""README.md: its decisions can be pasted, whenever that is, and are executed."""

import asyncio
import json
import os
import sys
from pathlib import Path

from otonom_trader.testnet import AccountConfig, LocalTestnet, TestnetConfig
from tests.docs.markdown import ROOT, blocks

PAGE = (ROOT / "README.md").read_text("utf-8")
ENTRY = (sys.executable, "-m", "otonom_trader.daemon.entry")


async def test_the_decisions_shown_are_executed_as_they_stand(tmp_path: Path) -> None:
    config = TestnetConfig(accounts=(AccountConfig("a-key", "a-secret"),), seed=7)
    (tmp_path / "state").mkdir(mode=0o700)
    shown = [block.text for block in blocks(PAGE, "json")]
    (tmp_path / "state" / "decisions.jsonl").write_text("".join(shown))
    folders = ("--config", str(ROOT / "config"), "--state-dir", str(tmp_path / "state"))
    async with LocalTestnet(config) as venue:
        named = {
            "BINANCE__BASE_URL": venue.url,
            "BINANCE__API_KEY": "a-key",
            "BINANCE__API_SECRET": "a-secret",
            "SHADOW_MODE": "false",
        }
        environ = os.environ | {f"OTONOM_TRADER__BROKER__{key}": v for key, v in named.items()}

        async def told(*arguments: str) -> str:
            process = await asyncio.create_subprocess_exec(
                *ENTRY, *arguments, *folders, env=environ, stdout=asyncio.subprocess.PIPE
            )
            out, _ = await process.communicate()
            assert process.returncode == 0, out
            return out.decode()

        await told("once")
        rows = json.loads(await told("executions", "--json"))
    wanted = {json.loads(text)["id"] for text in shown}
    assert {row["decision_id"]: row["outcome"] for row in rows} == dict(
        zip(sorted(wanted), ["filled", "resting"], strict=True)
    )

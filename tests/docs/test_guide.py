"""docs/guide.md: every program runs and prints what is shown, and says what the guide says."""

import asyncio
import inspect
import os
import re
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from otonom_trader.brokers import BinanceBroker, Broker, DummyBroker, GuardedBroker
from otonom_trader.brokers.config import get_broker_config, require_live_permitted
from otonom_trader.domain.decision import Decision, Direction
from otonom_trader.domain.errors import NotPermitted
from otonom_trader.storage.decisions_db import add_decision, create_decisions_db
from otonom_trader.testnet import AccountConfig, LocalTestnet, TestnetConfig
from tests.docs.adaptation import difference
from tests.docs.markdown import ROOT, Block, blocks

GUIDE = (ROOT / "docs" / "guide.md").read_text("utf-8")
PROGRAMS = blocks(GUIDE, "python")
SETTINGS = blocks(GUIDE, "yaml")
SHARED = Path(os.environ.get("OTONOM_SHARED_DATA", ROOT.parent / "shared" / "data")).parent
ORIGINAL = SHARED / "broker-integration-guide.md"
KEYS = [("your_key", "your_secret"), ("your_testnet_api_key", "your_testnet_api_secret")]

needs_the_original = pytest.mark.skipif(
    not ORIGINAL.exists(), reason=f"{ORIGINAL} is not here to compare with"
)


def line_of(block: Block) -> str:
    return f"line {block.line}"


@pytest_asyncio.fixture
async def venue() -> AsyncIterator[LocalTestnet]:
    accounts = tuple(
        AccountConfig(api_key=key, api_secret=secret, balances={"USDT": Decimal(100_000)})
        for key, secret in KEYS
    )
    async with LocalTestnet(TestnetConfig(accounts=accounts)) as venue:
        yield venue


@pytest.fixture
async def folder(venue: LocalTestnet, tmp_path: Path) -> Path:
    """A working folder: the guide's configuration pointed at the testnet, and two decisions."""
    text = SETTINGS[0].text.replace("https://testnet.binance.vision", venue.url)
    for path in (tmp_path / "config" / "broker.yaml", tmp_path / "custom_broker.yaml"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    # A broker that is told only to use the testnet finds the local one under that name.
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        f"from otonom_trader.brokers.binance import hosts\nhosts.TESTNET_URL = {venue.url!r}\n"
    )
    database = tmp_path / "var" / "decisions.db"
    await create_decisions_db(database)
    now = datetime.now(UTC)  # noqa: TID251  the programs read the clock as well
    for id_, strength in (("first", "0.1"), ("second", "1")):
        decision = Decision(
            id_, "BTC-USDT", Direction.BUY, strength=Decimal(strength), created_at=now
        )
        await add_decision(database, decision)
    return tmp_path


async def run(program: str, folder: Path) -> str:
    """Run a program as its reader would; return what it prints."""
    (folder / "program.py").write_text(program)
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("OTONOM_TRADER__") and name != "STATE_DIRECTORY"
    }
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-W", "error", "program.py"],
        cwd=folder,
        env=ours | {"PYTHONPATH": str(folder / "site")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await process.communicate()
    assert (process.returncode, stderr.decode()) == (0, "")
    return stdout.decode()


def shape(output: str) -> str:
    """The lines a program prints with its numbers and ids taken out, and without log lines."""
    lines = [line for line in output.splitlines() if not re.match(r"\d{4}-\d\d-\d\d ", line)]
    text = re.sub(r"otn-[a-z2-7]{26}", "otn-ID", "\n".join(lines))
    return re.sub(r"-?\d[\d,]*(\.\d+)?", "N", text)


@pytest.mark.parametrize("program", PROGRAMS, ids=line_of)
async def test_each_program_runs_and_prints_what_is_shown(
    program: Block, folder: Path, venue: LocalTestnet
) -> None:
    printed = await run(program.text, folder)
    assert shape(printed) == shape(program.output or "")
    orders = venue.truth()["orders"]
    assert len(orders) == (2 if "BinanceBroker(" in program.text else 0)
    halted = (folder / "var" / "kill.latch").exists() and (
        (folder / "var" / "kill.latch").read_bytes() != b""
    )
    assert halted == ("set_kill_switch(True)" in program.text)


def test_the_interface_that_is_shown_is_the_one_that_is_built() -> None:
    [program] = [block for block in PROGRAMS if "class Broker:" in block.text]
    names = re.findall(r"async def (\w+)", program.text)
    assert len(names) == 5
    for kind in (Broker, GuardedBroker, BinanceBroker, DummyBroker):
        for name in names:
            assert inspect.iscoroutinefunction(getattr(kind, name)), f"{kind.__name__}.{name}"


@pytest.mark.parametrize("settings", SETTINGS, ids=line_of)
def test_each_configuration_loads(settings: Block, tmp_path: Path) -> None:
    # A part of a file is read within the whole that the guide begins with.
    given = yaml.safe_load(settings.text)
    whole = given if "broker" in given else yaml.safe_load(SETTINGS[0].text) | given
    file = tmp_path / "broker.yaml"
    file.write_text(settings.text if whole is given else yaml.safe_dump(whole))
    keys = {f"OTONOM_TRADER__BROKER__BINANCE__API_{name}": "x" * 64 for name in ("KEY", "SECRET")}
    config = get_broker_config(file, environ={} if "api_key" in settings.text else keys)
    for name, value in given.get("risk_guardrails", {}).items():
        limit = getattr(config.get_risk_guardrails(), name)
        assert (list(limit) if isinstance(limit, tuple) else limit) == value


def test_live_on_production_is_refused_as_the_guide_says(tmp_path: Path) -> None:
    [settings] = [block for block in SETTINGS if "use_testnet: false" in block.text]
    (tmp_path / "broker.yaml").write_text(settings.text)
    keys = {f"OTONOM_TRADER__BROKER__BINANCE__API_{name}": "x" * 64 for name in ("KEY", "SECRET")}
    with pytest.raises(NotPermitted, match=r"proof of a shadow phase"):
        require_live_permitted(get_broker_config(tmp_path / "broker.yaml", environ=keys))


@needs_the_original
def test_no_example_is_left_out() -> None:
    original = blocks(ORIGINAL.read_text("utf-8"), "python")
    assert len(PROGRAMS) == len(original) > 10


@needs_the_original
@pytest.mark.parametrize("number", range(len(PROGRAMS)), ids=[line_of(p) for p in PROGRAMS])
def test_each_program_only_adapts_its_example(number: int) -> None:
    original = blocks(ORIGINAL.read_text("utf-8"), "python")
    assert difference(original[number].text, PROGRAMS[number].text) is None


@needs_the_original
def test_the_configuration_is_the_original_word_for_word() -> None:
    original = blocks(ORIGINAL.read_text("utf-8"), "yaml")
    assert SETTINGS[0].text == original[0].text

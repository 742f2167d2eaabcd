"""The house: what ships is what is in git, and every name is where it was promised."""

import importlib
import inspect
import shutil
import subprocess
import zipfile
from dataclasses import fields
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("domain", "risk", "brokers", "storage", "daemon", "testnet")
MOST_LINES = 450

# Where the guide's names live, and how they are called.
# Source: contract.md, "Names"; a parameter followed by "=" has a default.
NAMES: dict[str, dict[str, str | None]] = {
    "otonom_trader.brokers": {
        "Broker": None,
        "OrderRequest": "symbol side qty price= order_type=",
        "OrderResult": None,
        "BinanceBroker": "api_key api_secret base_url= use_testnet=",
        "DummyBroker": "",
        "GuardedBroker": "underlying_broker guardrails",
        "RiskGuardrails": None,
        "create_broker": "config_path=",
    },
    "otonom_trader.brokers.config": {"get_broker_config": "path="},
    "otonom_trader.daemon": {"set_kill_switch": "on reason= state_dir="},
    "otonom_trader.daemon.broker_integration": {
        "ShadowModeExecutor": None,
        "TradeExecutionLog": None,
        "create_shadow_executor": "broker_config_path= enable_broker_orders=",
    },
    "otonom_trader.storage": {"Decision": None, "get_session": "path="},
}


def tracked() -> dict[str, bytes]:
    """The files of the rooms that are in git, with what they hold here."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not in a git checkout")
    listed = subprocess.run(
        [git, "ls-files", "-z", "--", *ROOMS], cwd=ROOT, capture_output=True, check=True, text=True
    )
    return {name: (ROOT / name).read_bytes() for name in listed.stdout.split("\0") if name}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Everything in the wheel that is built from this checkout."""
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")))
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_holds_the_rooms_as_they_are_in_git_and_nothing_else(
    wheel: dict[str, bytes],
) -> None:
    shipped = {name: data for name, data in wheel.items() if ".dist-info/" not in name}
    in_git = {f"otonom_trader/{name}": data for name, data in tracked().items()}
    assert sorted(shipped) == sorted(in_git)
    assert [name for name in shipped if shipped[name] != in_git[name]] == []


def test_the_wheel_brings_the_licence_and_the_command(wheel: dict[str, bytes]) -> None:
    texts = {name.partition(".dist-info/")[2]: data.decode() for name, data in wheel.items()
             if ".dist-info/" in name}  # fmt: skip
    assert "otonom-trader = otonom_trader.daemon.entry:main" in texts["entry_points.txt"]
    assert "MIT" in texts["licenses/LICENSE"]


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_installed_and_typed(room: str, wheel: dict[str, bytes]) -> None:
    assert f"otonom_trader/{room}/py.typed" in wheel
    installed = importlib.import_module(f"otonom_trader.{room}").__file__
    assert installed is not None
    assert (Path(installed).parent / "py.typed").is_file()


def test_what_is_tested_is_what_is_in_the_checkout() -> None:
    stale = [
        name
        for name, data in tracked().items()
        if name.endswith(".py") and _installed(name).read_bytes() != data
    ]
    assert stale == []


def _installed(name: str) -> Path:
    room, _, rest = name.partition("/")
    file = importlib.import_module(f"otonom_trader.{room}").__file__
    assert file is not None
    return Path(file).parent / rest


@pytest.mark.parametrize(
    ("module", "name", "signature"),
    [(module, name, said) for module, names in NAMES.items() for name, said in names.items()],
)
def test_a_name_of_the_guide_is_where_it_was_promised(
    module: str, name: str, signature: str | None
) -> None:
    found = getattr(importlib.import_module(module), name)
    if signature is not None:
        assert _positional(found)[: len(signature.split())] == signature.split()


def _positional(called: object) -> list[str]:
    assert callable(called)
    return [
        f"{parameter.name}{'=' if parameter.default is not inspect.Parameter.empty else ''}"
        for parameter in inspect.signature(called).parameters.values()
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]


def test_create_broker_takes_journal_and_gate_by_name() -> None:
    from otonom_trader.brokers import create_broker  # noqa: PLC0415

    parameters = inspect.signature(create_broker).parameters
    for name in ("intents", "gate"):
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].default is None


def test_an_execution_has_the_fields_of_the_guide() -> None:
    from otonom_trader.daemon.broker_integration import TradeExecutionLog  # noqa: PLC0415

    promised = (
        "decision_id symbol side qty paper_fill_price broker_ok broker_order_id broker_message "
        "broker_ack_time latency_ms slippage_estimate"
    )
    assert set(promised.split()) <= {field.name for field in fields(TradeExecutionLog)}


def test_a_decision_is_executed_with_session_decision_price_and_equity() -> None:
    from otonom_trader.daemon.broker_integration import (  # noqa: PLC0415
        ShadowModeExecutor,
        create_shadow_executor,
    )

    wanted = ["session", "decision", "current_price=", "current_equity="]
    executor = create_shadow_executor("nowhere/broker.yaml")  # opens nothing
    assert _positional(executor.execute_decision) == wanted
    assert _positional(ShadowModeExecutor.execute_decision)[1:] == wanted


def test_every_broker_cancels_by_order_id_with_or_without_its_symbol() -> None:
    from otonom_trader.brokers import BinanceBroker, DummyBroker, GuardedBroker  # noqa: PLC0415

    for broker in (BinanceBroker, DummyBroker, GuardedBroker):
        assert _positional(broker.cancel_order) == ["self", "order_id", "symbol="]


def test_no_module_grows_beyond_what_can_be_read_in_one_sitting() -> None:
    lengths = {name: data.count(b"\n") for name, data in tracked().items() if name.endswith(".py")}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}

"""Saved files: read alike twice before they count, taken over as a whole or not at all."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import yaml
from structlog.testing import capture_logs

from otonom_trader.daemon.configuration import Configuration, ConfigurationFiles
from otonom_trader.daemon.configuration_change import Change, changes_of, objections
from otonom_trader.daemon.reload import Reload
from otonom_trader.domain.errors import NotPermitted
from otonom_trader.storage.journal import Journal
from tests.daemon.conftest import StandingClock

DUMMY = {"broker": {"type": "dummy", "mode": "shadow"}, "sizing": {"risk_per_trade_pct": 2}}


class Desk:
    """What trades by a configuration; `halted` is the latch."""

    def __init__(self, files: ConfigurationFiles, journal: Journal, clock: StandingClock) -> None:
        self.halted = False
        self.limits: list[object] = []
        self.reload = Reload(
            files, files.load(), journal, clock, lambda: self.halted, self.put_in_force
        )

    async def put_in_force(
        self, saved: Configuration, record: Callable[[], Awaitable[None]]
    ) -> None:
        await record()
        self.limits.append(saved.broker.risk_guardrails.max_notional_per_order)


@pytest.fixture
def files(tmp_path: Path) -> ConfigurationFiles:
    save(tmp_path)
    (tmp_path / "daemon.yaml").write_text("logging: {level: info}\n")
    return ConfigurationFiles(tmp_path, tmp_path, {})


@pytest.fixture
def desk(files: ConfigurationFiles, journal: Journal, clock: StandingClock) -> Desk:
    return Desk(files, journal, clock)


def save(folder: Path, **guardrails: object) -> None:
    content = DUMMY | {"risk_guardrails": {"max_notional_per_order": 1000} | guardrails}
    (folder / "broker.yaml").write_text(yaml.safe_dump(content))


async def test_what_is_half_written_when_it_is_read_first_is_not_applied(
    desk: Desk, tmp_path: Path
) -> None:
    whole = (tmp_path / "broker.yaml").read_text().replace("1000", "900")
    (tmp_path / "broker.yaml").write_text(whole.replace("900", "9"))
    await desk.reload.watch()
    (tmp_path / "broker.yaml").write_text(whole)
    await desk.reload.watch()
    assert desk.limits == []
    await desk.reload.watch()
    assert desk.limits == [900]
    await desk.reload.watch()
    assert desk.limits == [900]


async def test_what_was_saved_between_the_start_and_the_first_look_is_taken_over(
    desk: Desk, tmp_path: Path
) -> None:
    save(tmp_path, max_notional_per_order=500)
    await desk.reload.watch()
    await desk.reload.watch()
    assert desk.limits == [500]


async def test_a_refused_file_is_told_once_and_again_when_it_is_asked_for(
    desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "broker.yaml").write_text("broker: [")
    with capture_logs() as lines:
        for _ in range(5):
            await desk.reload.watch()
        await desk.reload.read_now()
    assert [line["event"] for line in lines] == ["config.refused", "config.refused"]
    assert desk.reload.refused is not None
    assert "broker.yaml:1: the text is not valid YAML" in desk.reload.refused
    (tmp_path / "broker.yaml").unlink()
    await desk.reload.read_now()
    assert "does not exist" in desk.reload.refused
    assert desk.limits == []


async def test_files_that_never_keep_still_are_refused(
    desk: Desk, tmp_path: Path, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def meanwhile(_seconds: float) -> None:
        clock.advance(1)
        save(tmp_path, max_notional_per_order=clock.elapsed_ns % 997 + 1)

    monkeypatch.setattr(clock, "sleep", meanwhile)
    await desk.reload.read_now()
    assert desk.limits == []
    assert desk.reload.refused is not None
    assert desk.reload.refused.startswith("the files of the configuration change all the time")


async def test_the_switch_in_the_file_is_off_again_only_under_the_latch(
    desk: Desk, tmp_path: Path
) -> None:
    save(tmp_path, kill_switch=True)
    with pytest.raises(NotPermitted, match=r"kill_switch is true in .*broker.yaml:\d+: set it"):
        await desk.reload.require_trading()
    save(tmp_path)
    with pytest.raises(NotPermitted, match=r"what lies on disk is refused: .* loosens a limit"):
        await desk.reload.require_trading()
    desk.halted = True
    await desk.reload.require_trading()
    assert not desk.reload.in_force.broker.risk_guardrails.kill_switch


async def test_each_start_is_on_record_with_what_changed_since_the_last(
    files: ConfigurationFiles, journal: Journal, clock: StandingClock, tmp_path: Path
) -> None:
    await Desk(files, journal, clock).reload.begin()
    save(tmp_path, max_notional_per_order=2000)
    restarted = Desk(files, journal, clock)
    await restarted.reload.begin()
    assert restarted.reload.since == clock.now()
    text = await journal.last_configuration()
    assert text == restarted.reload.in_force.text
    assert json.loads(text)["risk_guardrails.max_notional_per_order"] == "2000"


def configuration(folder: Path, text: str, daemon: str = "") -> Configuration:
    folder.mkdir(exist_ok=True)
    (folder / "broker.yaml").write_text(text)
    (folder / "daemon.yaml").write_text(daemon)
    return ConfigurationFiles(folder, folder, {}).load()


PLAIN = "broker: {type: dummy, mode: shadow, market_orders: plain}\n"


@pytest.mark.parametrize(
    ("saved", "daemon", "refused"),
    [
        (PLAIN.replace("plain", "protected"), "", []),
        (PLAIN + "sizing: {risk_per_trade_pct: 0.5}\n", "", []),
        (PLAIN + "sizing: {risk_per_trade_pct: 1.5}\n", "", ["sizing.risk_per_trade_pct"]),
        (PLAIN + "symbols: {BTC-USD: BTC-USDT}\n", "", ["symbols.BTC-USD"]),
        (PLAIN.replace("shadow", "off"), "", ["broker.mode"]),
        (PLAIN + "risk_guardrails: {symbol_blacklist: [LUNA-USD]}\n", "", []),
        (PLAIN, "poll_interval_seconds: 5", ["poll_interval_seconds"]),
        (PLAIN, "paper: {fee_pct: 0}", ["paper.fee_pct"]),
    ],
)
def test_what_may_change_while_the_daemon_runs(
    tmp_path: Path, saved: str, daemon: str, refused: list[str]
) -> None:
    old = configuration(tmp_path / "old", PLAIN)
    new = configuration(tmp_path / "new", saved, daemon)
    told = objections(old, new, halted=False)
    assert len(told) == len(refused)
    for sentence, key in zip(told, refused, strict=True):
        assert f"{key}: " in sentence
        assert sentence.endswith((": that loosens a limit", ": that is not changed while trading"))
    assert objections(old, old, halted=False) == ()


def test_protection_of_market_orders_is_not_taken_away(tmp_path: Path) -> None:
    protected = configuration(tmp_path / "old", PLAIN.replace("plain", "protected"))
    (told,) = objections(protected, configuration(tmp_path / "new", PLAIN), halted=False)
    assert "broker.market_orders: protected to plain" in told


def test_changes_name_what_came_and_what_went() -> None:
    assert changes_of({"a": 1, "b": True, "c": None}, {"b": False, "c": None, "d": ["x"]}) == (
        Change("a", 1, None),
        Change("b", old=True, new=False),
        Change("d", None, ["x"]),
    )
    told = [str(Change("a", 1, None)), str(Change("b", old=True, new=["x", "y"]))]
    assert told == ["a: 1 to none", "b: true to [x, y]"]

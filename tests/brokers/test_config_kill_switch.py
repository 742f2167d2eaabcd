"""``kill_switch: true`` is heard from any file that parses, refused or not."""

from pathlib import Path

import pytest

from otonom_trader.brokers.config import get_broker_config
from otonom_trader.brokers.kill_switch_file import kill_switch_asked
from otonom_trader.domain.errors import ConfigurationError


@pytest.mark.parametrize(
    "text",
    [
        "risk_guardrails: {kill_switch: true}",
        "risk_guardrails:\n  kill_switch: yes\n",
        "risk_guardrails:\n  kill_switch: On\n",
        "risk_guardrails:\n  kill_switch: 'TRUE'\n",
        "nonsense: 1\nbroker: 5\nrisk_guardrails:\n  max: x\n  kill_switch: true\n",
        "risk_guardrails:\n  kill_switch: true\n  kill_switch: false\n",
        "risk_guardrails: {kill_switch: false}\nrisk_guardrails: {kill_switch: true}\n",
        "a: &x [1, {b: c}]\n? [k, {l: m}]\n: v\nrisk_guardrails: {z: *x, kill_switch: true}\n",
    ],
)
def test_a_refused_file_still_trips(tmp_path: Path, text: str) -> None:
    file = tmp_path / "broker.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError):
        get_broker_config(file, environ={})
    assert kill_switch_asked(file)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "risk_guardrails: {kill_switch: false}",
        "risk_guardrails: {kill_switch: }",
        "risk_guardrails: {kill_switch: tru",
        "kill_switch: true",
        "x: {risk_guardrails: {kill_switch: true}}",
        "- risk_guardrails: {kill_switch: true}",
        "risk_guardrails: [kill_switch, true]",
        "risk_guardrails: {kill_switch: {kill_switch: true}}",
        "risk_guardrails: {kill_switch: true}\n\tx: [",
        "a: " + "[" * 50_000,
        "\0",
    ],
)
def test_other_files_do_not(tmp_path: Path, text: str) -> None:
    file = tmp_path / "broker.yaml"
    file.write_text(text)
    assert not kill_switch_asked(file)


def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    assert not kill_switch_asked(tmp_path / "missing")
    assert not kill_switch_asked(tmp_path)
    (tmp_path / "latin").write_bytes(b"risk_guardrails: {kill_switch: true} # \xe9")
    assert not kill_switch_asked(tmp_path / "latin")

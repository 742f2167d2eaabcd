"""Every page of the project: its links lead somewhere, its commands and events exist."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from otonom_trader.daemon.cli import app
from otonom_trader.testnet.faults import FAULTS
from otonom_trader.testnet.routes import ROUTES
from tests.docs.markdown import ROOT, anchors, links

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")
CALL = re.compile(r"(?:^ *|`|/bin/)otonom-trader ([a-z][^`'\n]*)", re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    for target in links(page.read_text("utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), f"{target} leads nowhere"
        assert there.is_relative_to(ROOT), f"{target} leads out of the project"
        if anchor:
            assert anchor in anchors(there.read_text("utf-8")), f"{target} names no heading"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_their_options_exist(page: Path) -> None:
    text = page.read_text("utf-8").replace("\\\n", " ")
    for call in CALL.findall(text):
        command, options = resolve(call)
        known = {name for parameter in command.params for name in parameter.opts}
        assert options <= known | {"--help"}, f"otonom-trader {call}"


def resolve(call: str) -> tuple[Any, set[str]]:
    """The command a line calls, and the options it gives; fails for a command there is not."""
    command: Any = typer.main.get_command(app)
    words = call.split()
    while hasattr(command, "commands") and words:
        if command.invoke_without_command and words[0].startswith("--"):
            break  # the group's own options, as of `testnet --port`
        if words[0] not in command.commands:
            raise AssertionError(f"there is no command: otonom-trader {call}")
        command = command.commands[words.pop(0)]
    return command, {word.partition("=")[0] for word in words if word.startswith("--")}


def test_a_command_that_does_not_exist_is_found_out() -> None:
    with pytest.raises(AssertionError, match="there is no command"):
        resolve("explode --now")
    command, options = resolve("config check --online")
    assert (command.name, options) == ("check", {"--online"})


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_exist(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"(?:`|^)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"


def test_operations_list_every_event_that_is_logged_and_no_other() -> None:
    logged = set()
    for room in ("brokers", "daemon", "domain", "risk", "storage"):
        for module in (ROOT / room).rglob("*.py"):
            logged |= events_of(ast.parse(module.read_text("utf-8")))
    table = OPERATIONS.split("| event | when |")[1].split("\n## ")[0]
    cells = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    listed = {name for cell in cells for name in re.findall(r"`([a-z._]+)`", cell)}
    assert listed == logged


def events_of(module: ast.Module) -> set[str]:
    """The event names a module logs: texts such as ``kill.tripped`` in calls and in tables."""
    texts = {
        node.value
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    heads = "account|approval|clock|config|control|daemon|decision|drain|health|journal|kill"
    more = "library|market|order|position|reconcile|slippage|source|state|status|stream"
    pattern = rf"(?:{heads}|{more}|symbol|venue)\.[a-z_]+|heartbeat"
    files = {"kill.latch", "journal.db", "control.sock", "daemon.lock", "daemon.yaml"}
    methods = {"order.place", "order.cancel"}
    return {text for text in texts if re.fullmatch(pattern, text)} - files - methods


def test_the_testnet_page_lists_its_faults_and_its_routes() -> None:
    page = (ROOT / "docs" / "testnet.md").read_text("utf-8")
    faults = page.split("| fault | what happens |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", faults, re.MULTILINE)) == set(FAULTS)
    served = page.split("## What is served")[1].split("## ")[0]
    for _method, path in ROUTES:
        assert re.search(rf"(^|[\s/`]){re.escape(path.removeprefix('/api/v3/'))}\b", served), path


def test_no_page_names_a_folder_of_a_machine() -> None:
    for page in PAGES:
        found = re.findall(r"(?:/home|/root|/tmp|/work)/\S+", page.read_text("utf-8"))
        assert found == [], page

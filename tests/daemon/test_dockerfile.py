"""The Dockerfile keeps its rules: small, unprivileged, pinned, and signals reach the daemon."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, continued lines joined."""
    text = DOCKERFILE.read_text()
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = code.replace("\\\n", " ")
    lines = [" ".join(line.split()) for line in joined.splitlines() if line.strip()]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines]


def arguments(name: str) -> list[str]:
    return [given for instruction, given in instructions() if instruction == name]


def runtime() -> list[tuple[str, str]]:
    """The instructions of the last stage."""
    every = instructions()
    last = max(index for index, (name, _) in enumerate(every) if name == "FROM")
    return every[last:]


def copied() -> list[str]:
    """What is copied from the checkout."""
    return [
        source
        for given in arguments("COPY")
        if not given.startswith("--from=")
        for source in given.split()[:-1]
    ]


def test_every_instruction_is_one_docker_knows() -> None:
    build = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME"}
    run = {"STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in instructions()} <= build | run


def test_it_builds_in_one_stage_and_runs_in_another() -> None:
    build, run = arguments("FROM")
    assert build.endswith(" AS build")
    assert build.removesuffix(" AS build") == run
    assert "-slim" in run
    assert f"python:{project()['requires-python'].removeprefix('>=')}" in run
    assert [given for name, given in runtime() if given.startswith("--from=")] == [
        "--from=build /opt/otonom-trader /opt/otonom-trader"
    ]


def test_there_are_no_heredocs_and_no_syntax_line() -> None:
    text = DOCKERFILE.read_text()
    assert "<<" not in text
    assert not re.search(r"^#\s*(syntax|escape|check)\s*=", text, re.MULTILINE | re.IGNORECASE)


def test_it_runs_unprivileged_by_number() -> None:
    users = [given for name, given in runtime() if name == "USER"]
    assert len(users) == 1
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[0])
    after_user = [name for name, _ in runtime()][[name for name, _ in runtime()].index("USER") :]
    assert not {"RUN", "COPY"} & set(after_user)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("ENTRYPOINT", ["otonom-trader"]), ("CMD", ["run"])],
)
def test_it_starts_the_daemon_itself_so_that_signals_reach_it(
    name: str, expected: list[str]
) -> None:
    assert [json.loads(given) for key, given in runtime() if key == name] == [expected]
    (script,) = project()["scripts"]
    assert script == "otonom-trader"


def test_its_health_is_asked_of_the_daemon_in_exec_form() -> None:
    (given,) = arguments("HEALTHCHECK")
    assert json.loads(given.partition("CMD ")[2]) == ["otonom-trader", "status", "--check"]


def test_stopping_is_a_drain_and_state_outlives_the_container() -> None:
    assert arguments("STOPSIGNAL") == ["SIGTERM"]
    (volume,) = [json.loads(given) for given in arguments("VOLUME")]
    (environment,) = arguments("ENV")
    assert volume == ["/var/lib/otonom-trader"]
    assert f"STATE_DIRECTORY={volume[0]}" in environment.split()


def test_what_is_copied_exists() -> None:
    assert [source for source in copied() if not (ROOT / source).exists()] == []


def test_every_room_of_the_wheel_is_copied() -> None:
    wheel = pyproject()["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {source.rstrip("/") for source in copied()} >= {*wheel["only-include"]}


def test_every_dependency_is_pinned() -> None:
    installs = re.findall(r"pip install [^&]*", " ".join(arguments("RUN")))
    assert len(installs) == 2
    assert all("--constraint constraints.txt" in install for install in installs)
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    needed = {re.split(r"[<>=\[]", name)[0].lower() for name in project()["dependencies"]}
    assert needed | {"hatchling"} <= pinned


def test_only_what_is_copied_is_sent_to_the_builder() -> None:
    lines = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    sent = {line[1:] for line in lines if line.startswith("!")}
    assert lines[0] == "*"
    assert {path.split("/")[0] for path in sent} == {source.rstrip("/") for source in copied()}
    assert all((ROOT / path).exists() for path in sent)
    assert not any(path.endswith((".db", ".sock", ".pem", ".key")) for path in sent)
    assert "config" not in sent  # a key file kept beside the configuration stays out


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def project() -> dict[str, Any]:
    section: dict[str, Any] = pyproject()["project"]
    return section

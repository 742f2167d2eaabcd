"""docs/reliability.md: its table of faults is that of the tests."""

import re

from tests.docs.markdown import ROOT

PAGE = (ROOT / "docs" / "reliability.md").read_text("utf-8")
CATALOGUE = (ROOT / "tests" / "system" / "test_fault_catalogue.py").read_text("utf-8")


def test_every_fault_of_the_table_has_its_test_and_every_test_its_row() -> None:
    rows = re.findall(r"^\| (\d+) \|.*\|([^|]*)\|$", PAGE, re.MULTILINE)
    assert sorted(int(number) for number, _ in rows) == [*range(1, 28), 30, 33, 34, 43, 44]
    listed = {number for _, tests in rows for number in re.findall(r"test_fault_(\d+)_", tests)}
    assert listed == set(re.findall(r"^async def test_fault_(\d+)_", CATALOGUE, re.MULTILINE))
    for number, tests in rows:
        assert f"test_fault_{number}_" in tests or "](../tests/" in tests

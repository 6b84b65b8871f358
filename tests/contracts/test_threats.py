"""docs/en/explanation/threats.md promises a test for each threat: each of them is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/en/explanation/threats.md").read_text(encoding="utf-8")
THREATS = [
    line.strip("|").split(" | ")
    for line in GUIDE.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| threat "))
]


@pytest.mark.parametrize("threat", THREATS, ids=lambda threat: threat[0].strip())
def test_threat_has_a_control_and_a_test_that_is_there(threat: list[str]) -> None:
    _, control, default, tests = threat
    assert control
    assert default
    named = re.findall(r"`([\w/.]+)::(\w+)`", tests)
    assert named
    for file, test in named:
        written = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {test}\(", written, re.MULTILINE), f"{file}::{test}"


def test_the_list_is_not_empty() -> None:
    assert len(THREATS) > 30


def test_no_threat_is_listed_twice() -> None:
    begins = [re.split("[,;]", threat[0].strip())[0] for threat in THREATS]
    assert sorted(begins) == sorted(set(begins))

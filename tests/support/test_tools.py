"""Missing tools are named once, before anything runs, with the command that brings them."""

from dataclasses import dataclass, field
from typing import cast

import pytest

from tests.conftest import pytest_report_header, pytest_terminal_summary
from tests.faults import __main__ as faults
from tests.faults.catalogue import FAULTS
from tests.faults.fault import Kind
from tests.support import tools
from tests.support.tools import OF_FAULTS, OF_TESTS, describe_missing


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_: None)
    monkeypatch.setattr(tools, "LIBFAKETIME", "no/such/library")


@pytest.mark.usefixtures("bare_machine")
def test_header_of_a_test_run_names_each_missing_tool_once_with_its_command() -> None:
    header = pytest_report_header()
    assert len(header) == len(OF_TESTS)
    for tool, line in zip(OF_TESTS, header, strict=True):
        assert tool.name in line
        assert line.endswith(tool.command)


def test_nothing_is_said_where_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, *_: f"/usr/bin/{name}")
    assert pytest_report_header() == []


@dataclass
class Report:
    longrepr: tuple[str, int, str]


@dataclass
class Terminal:
    stats: dict[str, list[Report]]
    said: list[str] = field(default_factory=list)

    def section(self, title: str) -> None:
        self.said.append(title)

    def write_line(self, line: str) -> None:
        self.said.append(line)


def test_end_of_a_test_run_counts_those_left_out_by_what_they_lack() -> None:
    reasons = ["Skipped: needs promtool: apt-get install prometheus"] * 3 + ["Skipped: no Linux"]
    terminal = Terminal({"skipped": [Report(("test_watch.py", 7, why)) for why in reasons]})
    pytest_terminal_summary(cast("pytest.TerminalReporter", terminal))
    assert terminal.said == [
        "left out",
        "3 of the tests left out: needs promtool: apt-get install prometheus",
        "1 of the tests left out: no Linux",
    ]


def test_end_of_a_test_run_that_left_nothing_out_says_nothing() -> None:
    terminal = Terminal({})
    pytest_terminal_summary(cast("pytest.TerminalReporter", terminal))
    assert terminal.said == []


@pytest.mark.usefixtures("bare_machine")
def test_run_of_faults_says_first_how_many_are_left_out_and_for_want_of_what(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("FAULTS_ISOLATED", raising=False)
    said = faults._left_out()
    assert list(said[: len(OF_FAULTS)]) == list(describe_missing(OF_FAULTS))
    counts = [int(line.partition(" of ")[0]) for line in said[len(OF_FAULTS) :]]
    lacking = [fault for fault in FAULTS if fault.lacks() or fault.on is Kind.APART]
    assert sum(counts) == len(lacking) > 0
    told = f" of {len(FAULTS)} faults left out: needs "
    assert all(told in line for line in said[len(OF_FAULTS) :])

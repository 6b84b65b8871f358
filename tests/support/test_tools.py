"""Missing tools are named once, before anything runs, with the command that brings them."""

import pytest

from tests.conftest import pytest_report_header
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

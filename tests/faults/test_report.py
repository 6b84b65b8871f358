"""The document takes the last whole run and the last soak, each in place of the one before."""

from pathlib import Path

import pytest

from tests.faults.catalogue import FAULTS, SOAK
from tests.faults.fault import Suffered
from tests.faults.report import DOCUMENT, HEADING, SOAK_HEADING, write_report, write_soak


@pytest.fixture
def document(tmp_path: Path) -> Path:
    copy = tmp_path / "faults.md"
    copy.write_text(DOCUMENT.read_text())
    return copy


def test_run_is_written_with_a_line_for_each_fault_and_leaves_the_soak(document: Path) -> None:
    write_soak(Suffered(SOAK, lasted=1_800.0, recovered=0.0), "5", 40, document)
    for seed in ("6", "7"):
        came_to = [Suffered(fault, recovered=1.0) for fault in FAULTS]
        came_to[0].wrong = ["a dossier is lost"]
        write_report(came_to, seed, 40, 800.0, document)
    text = document.read_text()
    assert all(f"| {fault.about} |" in text for fault in FAULTS)
    assert text.count("| held |") == len(FAULTS)  # one was not, but the soak
    assert "NOT HELD (1)" in text
    assert "seed 7, 40 operations a second, 13.3 minutes." in text
    assert "seed 6" not in text
    assert "seed 5, 40 operations a second, for 30 minutes." in text


def test_soak_is_written_and_leaves_the_run(document: Path) -> None:
    write_report([Suffered(FAULTS[0], recovered=1.0)], "7", 40, 800.0, document)
    for seed in ("5", "6"):
        soak = Suffered(SOAK, lasted=1_800.0, recovered=0.0, notes=["memory: flat"])
        write_soak(soak, seed, 40, document)
    text = document.read_text()
    assert text.index(SOAK_HEADING) < text.index("memory: flat.") < text.index(HEADING)
    assert "seed 6" in text
    assert "seed 5" not in text
    assert "seed 7" in text

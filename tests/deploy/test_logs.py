"""The logs of the last runs stay, numbered and bounded."""

import stat
from pathlib import Path

import pytest

from deploy.dev_stack import logs
from deploy.dev_stack.logs import EARLIER_RUNS, begin_logs, name_earlier


def test_logs_of_the_last_runs_stay_and_older_ones_go(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    for number in range(EARLIER_RUNS + 3):
        begin_logs(folder)
        assert list(folder.iterdir()) == []
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "gateway-serve.log").write_text(str(number))
    kept = [
        (name_earlier(folder, number) / "gateway-serve.log").read_text()
        for number in range(1, EARLIER_RUNS + 1)
    ]
    newest = EARLIER_RUNS + 2
    assert kept == [str(newest - number) for number in range(1, EARLIER_RUNS + 1)]
    assert len(list(tmp_path.iterdir())) == EARLIER_RUNS + 1


def test_gap_between_the_kept_runs_is_no_fault(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    name_earlier(folder, 3).mkdir()
    begin_logs(folder)
    assert {path.name for path in tmp_path.iterdir()} == {"logs", "logs.1", "logs.4"}


def test_long_log_of_an_earlier_run_keeps_the_whole_lines_of_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MAX_KEPT_BYTES", 20)
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "long.log").write_text("first line\nsecond line\nthird line\n")
    (folder / "short.log").write_text("one line\n")
    begin_logs(folder)
    earlier = name_earlier(folder, 1)
    assert (earlier / "long.log").read_text() == "third line\n"
    assert (earlier / "short.log").read_text() == "one line\n"

"""The logs of the last runs stay, numbered and bounded."""

import stat
from pathlib import Path

import pytest

from deploy.dev_stack import logs
from deploy.dev_stack.logs import EARLIER_RUNS, begin_logs, find_entries, name_earlier


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


TRACE, OTHER = "4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c"
GATEWAY = f"""2026-11-30T08:00:01.000000Z [info     ] started
2026-11-30T08:00:02.000002Z [info     ] request_refused request_id=request-17 trace_id={TRACE}
2026-11-30T08:00:03.000000Z [info     ] request_refused request_id=request-18 trace_id={OTHER}
"""
DOSSIER = f"""2026-11-30T08:00:02.000001Z [error    ] unexpected_error trace_id={TRACE}
Traceback (most recent call last):
  File "routes.py", line 7, in move_dossier
Exception: KeyError
2026-11-30T08:00:04.000000Z [info     ] another
"""
EARLIER = (
    f'{{"event": "request_refused", "trace_id": "{TRACE}", '
    '"timestamp": "2026-11-29T08:00:00.000000Z"}\n'
)


@pytest.mark.parametrize("given", [TRACE, "request-17"])
def test_lines_of_a_trace_are_found_over_all_kept_logs(given: str, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    for name, text in (("gateway-serve", GATEWAY), ("dossier-serve", DOSSIER)):
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.log").write_text(text)
    name_earlier(folder, 1).mkdir()
    (name_earlier(folder, 1) / "sync-work.log").write_text(EARLIER)

    oldest, failure, refusal = find_entries(folder, given)
    assert oldest == f"sync-work        {EARLIER}".strip()
    process, _, rest = failure.partition(" ")
    assert process == "dossier-serve"
    assert rest.endswith("Exception: KeyError")
    assert refusal.startswith("gateway-serve    2026-11-30T08:00:02.000002Z")


def test_id_that_no_log_has_leads_to_no_line(tmp_path: Path) -> None:
    assert find_entries(tmp_path / "logs", TRACE) == []


@pytest.mark.parametrize("given", ["request-1", "equest-17", "request", TRACE[:31], "", "."])
def test_part_of_an_id_leads_to_no_line(given: str, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "gateway-serve.log").write_text(GATEWAY + EARLIER)
    assert find_entries(folder, given) == []


def test_signs_that_a_terminal_obeys_are_escaped(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    line = (
        '2026-11-30T08:00:01Z [info] request_refused request_id="request-17" a=\x1b[2J\r\u202e\tb'
    )
    (folder / "gateway-serve.log").write_text(line, newline="")
    (entry,) = find_entries(folder, "request-17")
    assert entry.endswith("a=\\x1b[2J\\r\\u202e\tb")

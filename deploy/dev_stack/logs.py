"""Keep the logs of the last runs: `logs` is that of the newest one, `logs.1` of the one before."""

from pathlib import Path
from shutil import rmtree

EARLIER_RUNS = 5
# Of each file of an earlier run the end is kept.
MAX_KEPT_BYTES = 16 * 2**20


def begin_logs(folder: Path) -> None:
    """Make an empty `folder` for the logs of a run, and number those before it anew."""
    if folder.exists():
        runs = [folder, *(name_earlier(folder, number) for number in range(1, EARLIER_RUNS + 1))]
        rmtree(runs[-1], ignore_errors=True)
        for older, newer in zip(reversed(runs), reversed(runs[:-1]), strict=False):
            if newer.exists():
                newer.rename(older)
        for file in runs[1].iterdir():
            _keep_end(file)
    folder.mkdir(mode=0o700)


def name_earlier(folder: Path, number: int) -> Path:
    return folder.with_name(f"{folder.name}.{number}")


def _keep_end(file: Path) -> None:
    excess = file.stat().st_size - MAX_KEPT_BYTES
    if excess > 0:
        with file.open("rb") as content:
            content.seek(excess)
            end = content.read()
        file.write_bytes(end[end.find(b"\n") + 1 :])

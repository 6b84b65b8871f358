"""Install locked packages, and say how far it is: `python3 deploy/install.py .venv some.lock`.

It needs the standard library alone, because nothing is installed yet.
"""

import re
import subprocess
import sys
import time
import venv
from pathlib import Path
from threading import Thread
from typing import IO

OLDEST = (3, 11)
REPORT_S = 5


class Progress:
    """Follow the lines that pip prints, one for each package and one before it writes them."""

    def __init__(self, total: int) -> None:
        self._total, self._fetched, self._writes = total, 0, False
        self._began_at = time.monotonic()

    def follow(self, lines: IO[str]) -> None:
        for line in lines:
            self._fetched += line.startswith("Collecting ")
            self._writes |= line.startswith("Installing collected packages")

    def report(self) -> None:
        seconds = time.monotonic() - self._began_at
        step = "are written" if self._writes else f"of about {self._total} are fetched"
        print(f"{seconds:6.0f} s  {self._fetched} packages {step}", flush=True)


def install(folder: Path, lock: Path) -> int:
    """Return the exit code of pip."""
    print(f"         the packages of {lock} are installed in {folder}", flush=True)
    venv.create(folder, with_pip=True, symlinks=True)
    progress = Progress(len(re.findall(r"^[\w.-]+==", lock.read_text(), re.MULTILINE)))
    options = ["--disable-pip-version-check", "--progress-bar=off", "--require-hashes"]
    command = [str(folder / "bin" / "pip"), "install", *options, "--requirement", str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as pip:
        assert pip.stdout
        reader = Thread(target=progress.follow, args=[pip.stdout], daemon=True)
        reader.start()
        while reader.is_alive():
            reader.join(REPORT_S)
            progress.report()
    return pip.returncode


if __name__ == "__main__":
    if sys.version_info < OLDEST:
        sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11")
    sys.exit(install(Path(sys.argv[1]), Path(sys.argv[2])))

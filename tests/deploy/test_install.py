"""The installation says how far it is, and ends as pip does."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.install import Progress

ROOT = Path(__file__).parents[2]
LINES = """Collecting fastapi==0.1 (from -r some.lock (line 1))
  Downloading fastapi-0.1-py3-none-any.whl (1.0 MB)
Collecting pydantic==3.0 (from -r some.lock (line 3))
  Using cached pydantic-3.0-py3-none-any.whl (0.1 MB)
"""
END = "Installing collected packages: fastapi, pydantic\n"


def test_progress_counts_the_packages_and_says_when_they_are_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = Progress(total=3)
    progress.follow(io.StringIO(LINES))
    progress.report()
    progress.follow(io.StringIO(END))
    progress.report()
    fetched, written = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r" +\d+ s  2 packages of about 3 are fetched", fetched)
    assert re.fullmatch(r" +\d+ s  2 packages are written", written)


def test_installation_that_pip_refuses_ends_as_pip_does(tmp_path: Path) -> None:
    lock = tmp_path / "some.lock"
    lock.write_text("a-package-without-a-hash==1.0\n")
    script, folder = ROOT / "deploy" / "install.py", tmp_path / "venv"
    ended = subprocess.run(
        [sys.executable, str(script), str(folder), str(lock)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout.startswith(f"         the packages of {lock} are installed in {folder}\n")
    assert "hash" in ended.stderr
    assert "Traceback" not in ended.stderr

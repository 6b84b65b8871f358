"""Runs a reader of the API description, each of which has an environment of its own."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.tools import Tool


def run_tool(tool: Tool, *words: str | Path, folder: Path) -> None:
    """Run the tool in the folder; it must succeed. Skip the test where the tool is missing."""
    binary, lack = tool.is_there(), tool.lack()
    if lack and os.environ.get("TEST_CLIENTS") != "required":
        pytest.skip(lack)
    assert binary, lack
    done = subprocess.run(
        [str(binary), *words], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr

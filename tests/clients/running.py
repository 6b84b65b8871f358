"""Run the readers of the API description, each of which has an environment of its own."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest

from tests.contracts.test_openapi_names import MERGED
from tests.support.tools import Tool

TOOL_S = 300


def run_tool(
    tool: Tool, *words: str | Path, folder: Path, settings: Mapping[str, str] | None = None
) -> str:
    """Return the output of the tool in the folder; it must succeed.

    Skip the test where the tool is missing. `settings` are added to the environment.
    """
    done = subprocess.run(
        [require_tool(tool), *words],
        cwd=folder,
        env={**os.environ, **(settings or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=TOOL_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def require_tool(tool: Tool) -> str:
    """Return the path of the tool; skip the test where it is missing."""
    path, lack = tool.is_there(), tool.lack()
    if lack and os.environ.get("TEST_CLIENTS") != "required":
        pytest.skip(lack)
    assert path, lack
    return str(path)


def write_description(folder: Path) -> Path:
    """Write the published description to the folder, and return its file."""
    path = folder / "openapi.json"
    path.write_bytes(orjson.dumps(MERGED))
    return path

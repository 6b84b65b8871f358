"""The blocks of code in the documents, as a reader copies and runs them."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

RUN_S = 120

_PART = re.compile(
    r"^#+ (?:<a id=\"[\w-]+\"></a>)?(?P<heading>[^\n]+)$|^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """`heading` is the nearest one above the block."""

    heading: str
    language: str
    text: str


def list_blocks(document: Path) -> Iterator[Block]:
    heading = ""
    for part in _PART.finditer(document.read_text(encoding="utf-8")):
        if part["heading"]:
            heading = part["heading"]
        else:
            yield Block(heading, part["language"], part["text"])


def run_shell(script: str, folder: Path, settings: Mapping[str, str] | None = None) -> str:
    """Return the output of the script, which must succeed with any POSIX shell."""
    done = subprocess.run(
        ["sh", "-eu"],
        input=script,
        cwd=folder,
        env={**os.environ, **(settings or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

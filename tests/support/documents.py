"""The examples of documents: taken from their Markdown, and run as a reader runs them.

Blocks marked `sh` run one after the other in one shell, in the root of a clone beside a mesh. A
block marked `text` below one is its output, in which `…` stands for any text. Blocks marked
`console` are only shown: they need Docker, a terminal of their own or the whole tree.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
# The address that the examples name, where the gateway of `make run` answers.
ADDRESS = "http://127.0.0.1:8000"
# A test of its own runs these, because their examples need more than a mesh.
RUN_ELSEWHERE = {
    "docs/backup.md": "tests/deploy/test_backup_guide.py stops and restores an installation",
    "docs/en/how-to/oauth.md": "tests/clients/test_oauth_recipes.py registers the keys",
    "docs/vi/how-to/oauth.md": "tests/clients/test_oauth_recipes.py registers the keys",
}
_PARSER = MarkdownIt("commonmark")
_END = "<<<end of a block>>>"
_TIMEOUT_S = 500
# The exit code of curl for an answer with an error status.
_REFUSED = "22"
# Refuse an option that curl of January 2018 lacks, and note how each call ended, except where the
# example looks at the status itself, by `-f`, `-i` or `-w`. A refusal is no failure of plain curl.
_CURL = """#!/bin/sh
for word; do
  case $word in
    -f | -fsS | -sSf | -i | -w) looks=yes ;;
    -d | -D | -G | -H | -o | -s | -sS | -u | -X | --data-binary | --data-urlencode) ;;
    -*) echo "curl 7.58 may not know $word" >&2; exit 2 ;;
  esac
done
[ "${looks-}" ] && exec %(curl)s "$@"
%(curl)s --fail-with-body "$@"
code=$?
printf '%%s %%s %%s\036' "$code" "$EXAMPLE_BLOCK" "$*" >> "%(calls)s"
[ $code = 22 ] || exit $code
"""
# Python is that of a bare machine, without packages; `make` leaves the installed packages alone.
_PYTHON = """#!/bin/sh
exec %(python)s -IS "$@"
"""
_MAKE = """#!/bin/sh
exec %(make)s --no-print-directory --assume-old=.venv/.installed "$@"
"""


class Block(NamedTuple):
    """A fenced block; `language` is its info string, `line` counts from 1."""

    language: str
    text: str
    line: int


class RefusedCall(NamedTuple):
    """The index of the block, and the arguments of curl."""

    block: int
    arguments: str


@dataclass(frozen=True)
class ExampleRun:
    """The output of each block that ran to its end, and the calls by curl that were refused.

    A call that is repeated unchanged until it succeeds is a wait, and not refused.
    """

    returncode: int
    printed: Sequence[str]
    errors: str
    refused: Sequence[RefusedCall]


def list_documents(*patterns: str) -> list[Path]:
    """Return the documents of the project that fit a pattern; without one, all of them."""
    chosen = patterns or ("*.md", "docs/**/*.md")
    return sorted({path for pattern in chosen for path in ROOT.glob(pattern)})


def read_blocks(document: Path) -> list[Block]:
    tokens = _PARSER.parse(document.read_text(encoding="utf-8"))
    return [
        Block(token.info.strip(), token.content, token.map[0] + 1 if token.map else 0)
        for token in tokens
        if token.type == "fence"
    ]


def pair_blocks(blocks: Iterable[Block]) -> list[tuple[Block, str | None]]:
    """Return each block for the shell with the output shown below it, None where none is."""
    return [
        (block, below.text if below.language == "text" else None)
        for block, below in pairwise([*blocks, Block("", "", 0)])
        if block.language == "sh"
    ]


def matches_output(shown: str, printed: str) -> bool:
    """Compare all of it; `…` stands for any text, and alone in a line for any lines or none."""
    end = re.escape("\n")
    lines = re.escape(shown.strip()).replace(f"{end}…{end}", f"{end}(?:.*{end})?")
    return re.fullmatch(lines.replace("…", ".*"), printed.strip(), re.DOTALL) is not None


def lay_out_clone(folder: Path, sandbox_file: Path) -> None:
    """Copy the project to the folder; its `.run` holds the file of the sandbox alone."""
    ignored = shutil.ignore_patterns(".*", "__pycache__")
    shutil.copytree(ROOT, folder, ignore=ignored, dirs_exist_ok=True)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    (folder / ".run").mkdir()
    shutil.copy(sandbox_file, folder / ".run" / "sandbox.json")


def run_examples(
    texts: Iterable[str], folder: Path, gateway: str, environment: Mapping[str, str]
) -> ExampleRun:
    """Run the texts one after the other in one plain shell in the folder, up to the first failure.

    `gateway` is the address of the mesh, `environment` that of its commands.
    """
    tools, calls = folder / ".tools-of-examples", folder / ".calls"
    _write_tools(tools, calls)
    script = folder / ".examples.sh"
    script.write_text("".join(_write_script(texts, gateway)), "utf-8")
    ran = subprocess.run(
        ["sh", "-eu", str(script)],
        cwd=folder,
        env={**environment, "PATH": f"{tools}:{environment['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
    *printed, rest = ran.stdout.split(f"{_END}\n")
    errors = f"block {len(printed) + 1}:\n{rest}{ran.stderr}" if ran.returncode else ""
    return ExampleRun(ran.returncode, printed, errors, _list_refused_calls(calls))


def _write_script(texts: Iterable[str], gateway: str) -> Iterator[str]:
    for block, text in enumerate(texts):
        yield f"export EXAMPLE_BLOCK={block}\n{text.replace(ADDRESS, gateway)}\n"
        yield f"printf '%s\\n' '{_END}'\n"


def _list_refused_calls(calls: Path) -> Sequence[RefusedCall]:
    """Return the calls whose last repetition was refused."""
    ends: dict[RefusedCall, str] = {}
    for call in calls.read_text("utf-8").split("\036")[:-1] if calls.exists() else ():
        code, block, arguments = call.split(" ", 2)
        ends[RefusedCall(int(block), arguments)] = code
    return [call for call, code in ends.items() if code == _REFUSED]


def _write_tools(folder: Path, calls: Path) -> None:
    places = {
        "curl": shutil.which("curl"),
        "make": shutil.which("make"),
        "python": Path(sys.base_prefix) / "bin" / "python3",
        "calls": calls,
    }
    folder.mkdir()
    for name, text in {"curl": _CURL, "python3": _PYTHON, "make": _MAKE}.items():
        tool = folder / name
        tool.write_text(text % places, encoding="utf-8")
        tool.chmod(0o755)

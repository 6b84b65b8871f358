"""The blocks of the guides run as they stand, one after the other, and print what is shown.

The blocks of both languages are equal, so those of one are run.
"""

import re
import shlex
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from tests.guides.pages import DOCS, ROOT, Fence, Page, list_pages, read_page
from tests.support.mesh import Mesh

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

README = ROOT / "README.md"
PAGES = [
    path
    for path in list_pages("en")
    if "sh" in {fence.language for fence in read_page(path).fences}
]
END = "<<<end of a block>>>"
# The stack of the tests is installed already, and `make` would install it again. On a busy machine
# the mesh asks for a repeat, and gets it with the same key.
PRELUDE = f"""set -eu
cd {shlex.quote(str(ROOT))}
make() {{ command make --no-print-directory --assume-old=.venv/.installed "$@"; }}
curl() {{
  answer=$(mktemp)
  command curl "$@" > "$answer"
  while grep -qE '"type": ?"/problems/(unavailable|ledger-away|upstream-[a-z-]+)"' "$answer"; do
    sleep 1
    command curl "$@" > "$answer"
  done
  if grep -q '"/problems/' "$answer"; then cat "$answer" >&2; fi
  cat "$answer"
}}
"""
# Those that curl 7.58 of January 2018 knows.
CURL_OPTIONS = {
    "-D",
    "-d",
    "-f",
    "-G",
    "-H",
    "-i",
    "-o",
    "-sS",
    "-u",
    "-w",
    "-X",
    "--data-urlencode",
}


def adapt_text(text: str, mesh: Mesh) -> str:
    """Return the text with the address and the folder that the stack of the tests has."""
    local = text.replace("http://127.0.0.1:8000", mesh.gateway)
    return re.sub(r"(?<![\w/])\.run/", f"{mesh.directory}/", local)


def pair_blocks(page: Page) -> list[tuple[str, str | None]]:
    """Return each block for the shell with the output shown below it, None where none is."""
    fences = [*page.fences, Fence("", "")]
    return [
        (block.text, shown.text if shown.language == "text" else None)
        for block, shown in pairwise(fences)
        if block.language == "sh"
    ]


def run_script(script: Path, mesh: Mesh) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", str(script)],
        env={**mesh.environment, "TMPDIR": str(script.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


def matches_output(shown: str, printed: str) -> bool:
    """Compare line by line; `…` stands for any text, and alone on a line for any lines."""
    lines = [f"{'.*'.join(map(re.escape, line.split('…')))}\n" for line in shown.splitlines()]
    pattern = "".join("(?:.*\n)*" if line == ".*\n" else line for line in lines)
    return re.fullmatch(pattern, f"{printed.strip()}\n") is not None


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_blocks_run_and_print_what_is_shown(path: Path, mesh: Mesh, tmp_path: Path) -> None:
    blocks = pair_blocks(read_page(path))
    script = tmp_path / "blocks.sh"
    texts = [f"{adapt_text(block, mesh)}\nprintf '%s\\n' '{END}'\n" for block, _ in blocks]
    script.write_text(PRELUDE + "".join(texts), encoding="utf-8")
    ran = run_script(script, mesh)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    printed = ran.stdout.split(f"{END}\n")[:-1]
    for (_, shown), output in zip(blocks, printed, strict=True):
        if shown is not None:
            assert matches_output(adapt_text(shown, mesh), output), f"{shown}\n---\n{output}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_curl_of_2018_knows_each_option(path: Path) -> None:
    text = "".join(fence.text for fence in read_page(path).fences if fence.language == "sh")
    calls = re.findall(r"(?:\bcurl|\bcall|\bask) ((?:\\\n|[^|\n;)])*)", text)
    options = {option for call in calls for option in re.findall(r"(?<!\S)--?[A-Za-z-]+", call)}
    assert options <= CURL_OPTIONS


def test_calls_of_the_readme_run_as_they_stand(mesh: Mesh, tmp_path: Path) -> None:
    [calls] = [fence.text for fence in read_page(README).fences if fence.text.startswith("API=")]
    script = tmp_path / "calls.sh"
    script.write_text(PRELUDE + adapt_text(calls, mesh), encoding="utf-8")
    ran = run_script(script, mesh)
    assert '"result":"MATCH"' in ran.stdout, ran.stdout + ran.stderr

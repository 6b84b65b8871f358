"""The runner of examples is as strict as the machine of a reader, and stricter about refusals."""

import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from tests.support.documents import (
    ADDRESS,
    Block,
    ExampleRun,
    RefusedCall,
    lay_out_clone,
    matches_output,
    pair_blocks,
    run_examples,
)


class ReluctantHandler(BaseHTTPRequestHandler):
    """Refuse the first call of each path, and answer its repetitions."""

    seen: ClassVar[set[str]] = set()

    def do_GET(self) -> None:
        is_repeated = self.path in self.seen
        self.send_response(200 if is_repeated else 409)
        self.end_headers()
        self.wfile.write(b"answered" if is_repeated else b"refused")
        self.seen.add(self.path)

    def log_message(self, *_: object) -> None:
        """Leave the output of the tests clean."""


@pytest.fixture
def refusing() -> Iterator[str]:
    ReluctantHandler.seen.clear()
    with HTTPServer(("127.0.0.1", 0), ReluctantHandler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    sandbox_file = tmp_path / "sandbox.json"
    sandbox_file.write_text("{}")
    folder = tmp_path / "clone"
    folder.mkdir()
    lay_out_clone(folder, sandbox_file)
    return folder


def run_texts(clone: Path, *texts: str, gateway: str = ADDRESS) -> ExampleRun:
    return run_examples(texts, clone, gateway, os.environ)


def test_variables_and_files_last_from_block_to_block(clone: Path) -> None:
    ran = run_texts(clone, "A=1; cp .run/sandbox.json .run/copy", "echo $A; cat .run/copy")
    assert (ran.returncode, ran.printed) == (0, ["", "1\n{}"])


def test_first_command_that_fails_ends_the_run(clone: Path) -> None:
    ran = run_texts(clone, "echo one", "false\necho two", "echo three")
    assert (ran.returncode, ran.printed) == (1, ["one\n"])
    assert ran.errors.startswith("block 2:")


def test_variable_that_no_block_sets_is_a_failure(clone: Path) -> None:
    assert run_texts(clone, "echo $NEVER_SET").returncode != 0


def test_option_of_a_newer_curl_is_refused(clone: Path, refusing: str) -> None:
    ran = run_texts(clone, f"curl -s {ADDRESS} --json '{{}}'", gateway=refusing)
    assert ran.returncode == 2
    assert "may not know --json" in ran.errors


def test_package_of_the_project_is_not_there(clone: Path) -> None:
    assert run_texts(clone, "python3 -c 'import httpx'").returncode == 1


def test_refused_call_goes_on_as_with_plain_curl_and_is_noted(clone: Path, refusing: str) -> None:
    ran = run_texts(clone, f"curl -s {ADDRESS}/path", gateway=refusing)
    assert (ran.returncode, ran.printed) == (0, ["refused"])
    assert ran.refused == [RefusedCall(0, f"-s {refusing}/path")]


def test_call_that_is_repeated_until_it_succeeds_is_a_wait(clone: Path, refusing: str) -> None:
    ran = run_texts(
        clone, f"until curl -s {ADDRESS}/path | grep -q answered; do :; done", gateway=refusing
    )
    assert (ran.returncode, ran.refused) == (0, [])


def test_example_may_look_at_the_status_itself(clone: Path, refusing: str) -> None:
    text = f"curl -s -o answer -w '%{{http_code}}' {ADDRESS}"
    ran = run_texts(clone, text, gateway=refusing)
    assert (ran.returncode, ran.printed, ran.refused) == (0, ["409"], [])


def test_output_below_a_block_belongs_to_it() -> None:
    blocks = [Block("sh", "a", 1), Block("sh", "b", 2), Block("text", "shown", 3)]
    assert pair_blocks(blocks) == [(blocks[0], None), (blocks[1], "shown")]


def test_ellipsis_stands_for_any_text() -> None:
    assert matches_output("a … d\n", "a b\nc d")
    assert not matches_output("a … d", "a b c")


@pytest.mark.parametrize("between", ["", "b\n", "b\nc\n"])
def test_ellipsis_alone_in_a_line_stands_for_any_lines(between: str) -> None:
    assert matches_output("a\n…\nd\n", f"a\n{between}d\n")
    assert not matches_output("a\n…\nd\n", f"a\n{between}e\n")

"""The examples of documents that run take a bare machine; the others are few, each for a reason."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.documents import ROOT, RUN_ELSEWHERE, list_documents, read_blocks

DOCUMENTS = [document for document in list_documents() if read_blocks(document)]
LANGUAGES = {"sh", "console", "text", "json", "http", "mermaid", "properties"}
# The recipes of the guide to sign on.
LANGUAGES |= {"python", "java", "js", "csharp", "php"}
# An integrator has no environment of the project; an operator runs its commands there.
USE_OF_PACKAGES = re.compile(r"\.venv/bin/(?!python -m )")
# The commands that no test runs as a document has them, with the reason.
NOT_RUN = {
    "docker compose": "needs Docker",
    "make up": "needs Docker",
    "make down": "needs Docker",
    "make demo-docker": "needs Docker",
    "python -m identity_service operators register": "done once, where there is no operator yet",
    "python -m identity_service clients register-key": "done where no operator can sign on",
    "make run": "runs until Ctrl-C; the mesh of the tests starts as it does",
    "make demo": "tests/e2e/test_one_dossier.py runs it",
    ".venv/bin/python -m deploy.conformance": "tests/deploy/conformance runs it, with less pause",
    "sha256sum .run/conformance.json": "tests/deploy/conformance runs it, where the report is",
    "python -m deploy.topics": "needs a broker that asks for a password",
    "make stop": "ends the mesh that the other examples need",
    "make install": "fetches packages",
    "make format": "writes the whole tree",
    "make lint": "reads the whole tree: a check of its own",
    "make types": "reads the whole tree: a check of its own",
    "make test": "runs the tests themselves",
    "make schemas": "writes files of the tree, which tests compare",
    "make texts": "writes files of the tree, which tests compare",
}


def name_document(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def list_commands(text: str) -> list[str]:
    """Return the first line of each command, without the settings before it."""
    joined = text.replace("\\\n", " ")
    commands = [line.strip() for line in joined.splitlines() if line.strip()]
    return [" ".join(word for word in line.split() if "=" not in word) for line in commands]


def is_not_run(command: str) -> bool:
    return any(f"{command} ".startswith(f"{start} ") for start in NOT_RUN)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_document)
def test_block_names_a_known_language(document: Path) -> None:
    assert {block.language for block in read_blocks(document)} <= LANGUAGES


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_document)
def test_examples_are_plain_shell_and_use_packages_only_by_commands_of_the_project(
    document: Path,
) -> None:
    for block in read_blocks(document):
        if block.language in {"sh", "console"}:
            checked = subprocess.run(
                ["sh", "-n"], input=block.text, capture_output=True, text=True, check=False
            )
            assert checked.returncode == 0, f"line {block.line}: {checked.stderr}"
            assert not USE_OF_PACKAGES.search(block.text), f"line {block.line}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_document)
def test_example_that_does_not_run_has_a_known_reason(document: Path) -> None:
    blocks = read_blocks(document)
    shown = [line for b in blocks if b.language == "console" for line in list_commands(b.text)]
    run = [line for b in blocks if b.language == "sh" for line in list_commands(b.text)]
    assert [command for command in shown if not is_not_run(command)] == []
    if name_document(document) not in RUN_ELSEWHERE:
        assert [command for command in run if is_not_run(command)] == []

"""The commands that README and docs give exist, take their options, and fit the installation."""

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from identity_service.sandbox.clients import read_sandbox_clients

ROOT = Path(__file__).parents[2]
TEXTS = [*ROOT.glob("*.md"), ROOT / ".env.example", *ROOT.glob("docs/**/*.md")]
# To the end of the line or of the code; a backslash goes on in the next line.
_COMMAND = re.compile(
    r"-m (?P<module>(?:gateway|deploy|identity_service|dossier_service|sync_service)[\w.]*)"
    r"(?P<rest>(?:\\\n|[^`\n;|&)])*)"
)


def _list_commands() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for path in TEXTS:
        for found in _COMMAND.finditer(path.read_text(encoding="utf-8")):
            words = tuple(shlex.split(found["rest"].replace("\\\n", " "), comments=True))
            yield path.name, found["module"], words


COMMANDS = list(_list_commands())


def _find_cli(module: str) -> typer.Typer | None:
    spec = find_spec(module)
    assert spec
    program = f"{module}.__main__" if spec.submodule_search_locations else module
    cli: typer.Typer | None = getattr(import_module(program), "cli", None)
    return cli


def test_commands_are_found_in_the_texts() -> None:
    assert {name for name, _, _ in COMMANDS} >= {"README.md", "sign-in.md", ".env.example"}
    assert {module for _, module, _ in COMMANDS} >= {
        "identity_service",
        "gateway",
    }


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
def test_command_of_a_text_exists_and_takes_its_words(
    command: tuple[str, str, tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, module, words = command
    monkeypatch.chdir(tmp_path)
    for word in words:
        if word.endswith(".pem") and "/" not in word:
            (tmp_path / word).touch()
    cli = _find_cli(module)
    if cli is None or not words:
        return
    current, rest = get_command(cli), list(words)
    while rest and (subcommands := getattr(current, "commands", None)):
        assert rest[0] in subcommands
        current = subcommands[rest.pop(0)]
    if rest:
        current.make_context(current.name, rest).close()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
def test_command_on_the_machine_names_no_client_of_a_sandbox(
    command: tuple[str, str, tuple[str, ...]],
) -> None:
    """Outside a sandbox there is none of them, and within it nobody needs the command."""
    assert not read_sandbox_clients().keys() & set(command[2])

"""Commands and settings of the guides that no test can run are those of the program."""

import re

import pytest
import yaml

from deploy.reference.settings import read_settings
from tests.guides.pages import ROOT, Fence, list_pages, read_page

FENCES = [fence for path in list_pages("en") for fence in read_page(path).fences]
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
SERVICES = yaml.safe_load(COMPOSE)["services"]
# Of `docker compose run`, which take a value.
VALUED = {"-v", "--entrypoint"}


def list_fences(language: str) -> list[Fence]:
    return [fence for fence in FENCES if fence.language == language]


def find_services(command: str) -> list[str]:
    """Return the services that a command of compose names: the words before its own command."""
    verb, *words = command.split()[2:]
    found = []
    while words:
        word = words.pop(0)
        if word in VALUED:
            words.pop(0)
        elif not word.startswith("-"):
            found.append(word)
            if verb in {"exec", "run"}:
                break
    return found


COMMANDS = [line for fence in list_fences("console") for line in fence.text.splitlines()]


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("docker compose ")])
def test_compose_has_the_services_that_a_command_names(command: str) -> None:
    assert set(find_services(command)) <= SERVICES.keys()


@pytest.mark.parametrize("fence", list_fences("properties"), ids=lambda fence: fence.text[:20])
def test_setting_of_a_block_is_one_of_the_program(fence: Fence) -> None:
    named = {line.partition("=")[0] for line in fence.text.splitlines()}
    assert named <= {setting.name for setting in read_settings()}


def test_variable_before_a_command_is_one_of_compose() -> None:
    named = {name for command in COMMANDS for name in re.findall(r"(?<!\S)([A-Z_]+)=", command)}
    assert {name for name in named if name not in COMPOSE} <= {"COMPOSE_PROFILES"}

"""TypeScript types are generated from the published description, and a client works by them."""

import asyncio
import shutil
from pathlib import Path

import orjson
import pytest

from tests.access.country import Country
from tests.clients.running import run_tool, write_description
from tests.clients.story import FACTS, list_settings
from tests.support.tools import CLIENT_TOOLS, NODE, TYPESCRIPT_COMPILER, TYPESCRIPT_GENERATOR

PROGRAM = Path(__file__).with_name("typescript")
# A value of an enum, a field of a request and one of an answer.
MISTAKES = {"RECEIVED": "RECIEVED", "applicant": "aplicant", "outcome": "outcom"}


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the story beside the types that it imports."""
    folder = tmp_path_factory.mktemp("typescript")
    shutil.copytree(PROGRAM, folder, dirs_exist_ok=True)
    (folder / "node_modules").symlink_to(CLIENT_TOOLS / "node_modules")
    description = write_description(folder)
    run_tool(
        TYPESCRIPT_GENERATOR,
        *(description, "--enum", "--default-non-nullable=false", "--output", "mesh.mts"),
        folder=folder,
    )
    return folder


@pytest.fixture(scope="module")
def compiled(generated: Path) -> Path:
    run_tool(TYPESCRIPT_COMPILER, "--project", "tsconfig.json", folder=generated)
    return generated / "built"


async def test_story_is_told_through_the_generated_types(compiled: Path, sandbox: Country) -> None:
    output = await asyncio.to_thread(
        run_tool, NODE, "story.mjs", folder=compiled, settings=list_settings(sandbox)
    )
    assert orjson.loads(output) == FACTS


def test_compiler_finds_wrong_names_of_values_and_fields(generated: Path, tmp_path: Path) -> None:
    shutil.copytree(generated, tmp_path, symlinks=True, dirs_exist_ok=True)
    story = tmp_path / "story.mts"
    text = story.read_text(encoding="utf-8")
    for right, wrong in MISTAKES.items():
        text = text.replace(right, wrong)
    story.write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError) as refused:
        run_tool(TYPESCRIPT_COMPILER, "--project", "tsconfig.json", folder=tmp_path)
    complaints = str(refused.value)
    assert complaints.count("error TS") == len(MISTAKES)
    assert [wrong for wrong in MISTAKES.values() if wrong not in complaints] == []

"""A Java client is generated from the published description, is compiled, and works."""

import asyncio
from pathlib import Path

import orjson
import pytest

from tests.access.country import Country
from tests.clients.running import require_tool, run_tool, write_description
from tests.clients.story import FACTS, list_settings
from tests.support.tools import JAVA, JAVA_GENERATOR, JAVAC

FOLDER = Path(__file__).with_name("java")
# Programs of a few seconds: the first compiler of the machine is enough for them.
QUICK = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dfile.encoding=UTF-8")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("java")
    run_tool(
        JAVA,
        *(*QUICK, "-jar", require_tool(JAVA_GENERATOR), "generate"),
        *("--config", FOLDER / "generator.yaml", "--output", "client"),
        *("--input-spec", write_description(folder)),
        folder=folder,
    )
    return folder


@pytest.fixture(scope="module")
def class_path(generated: Path) -> str:
    """Compile the client and the story, and return where both and their libraries are."""
    generator = Path(require_tool(JAVA_GENERATOR))
    libraries = [jar for jar in sorted(generator.parent.glob("*.jar")) if jar != generator]
    path = ":".join(map(str, [generated / "classes", *libraries]))
    sources = sorted((generated / "client/src/main/java").rglob("*.java"))
    run_tool(
        JAVAC,
        *("-encoding", "UTF-8", "-cp", path, "-d", "classes"),
        *(*sources, FOLDER / "Story.java"),
        folder=generated,
    )
    return path


async def test_story_is_told_through_the_generated_client(
    generated: Path, class_path: str, sandbox: Country
) -> None:
    output = await asyncio.to_thread(
        run_tool,
        JAVA,
        *(*QUICK, "-cp", class_path, "Story"),
        folder=generated,
        settings=list_settings(sandbox),
    )
    assert orjson.loads(output) == FACTS

"""A Python client is generated from the published description, and reads what it describes."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tests.clients.running import run_tool
from tests.contracts.comparing import operations
from tests.contracts.test_openapi_names import MERGED
from tests.support.tools import PYTHON_GENERATOR

PACKAGE = "generated_client"
OPERATIONS = {operation["operationId"]: operation for operation in operations(MERGED).values()}
Example = tuple[str, str, Any]


def list_examples() -> Iterator[Example]:
    """Yield operation, status and body of each answer that the description shows."""
    for name, operation in OPERATIONS.items():
        for status, answer in operation["responses"].items():
            for content in answer.get("content", {}).values():
                if "example" in content:
                    yield name, status, content["example"]


EXAMPLES = list(list_examples())


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Generate the client; any complaint of the generator fails."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_bytes(orjson.dumps(MERGED))
    (folder / "config.yaml").write_text("post_hooks: []\n")
    run_tool(
        PYTHON_GENERATOR,
        *("generate", "--path", "openapi.json", "--config", "config.yaml", "--meta", "none"),
        *("--output-path", PACKAGE, "--fail-on-warning"),
        folder=folder,
    )
    sys.path.insert(0, str(folder))
    yield folder / PACKAGE
    sys.path.remove(str(folder))


def find_module(package: Path, name: str) -> Any:
    """Return the module of an operation; it stands in the folder of its tag."""
    (path,) = package.glob(f"api/*/{name}.py")
    return import_module(f"{PACKAGE}.api.{path.parent.name}.{name}")


def test_each_operation_becomes_a_function(generated: Path) -> None:
    functions = {path.stem for path in generated.glob("api/*/*.py")} - {"__init__"}
    assert functions == OPERATIONS.keys()


def test_generated_code_is_compiled(generated: Path) -> None:
    compiled = subprocess.run(
        [sys.executable, "-m", "compileall", "-q", "-f", generated],
        capture_output=True,
        text=True,
        check=False,
    )
    assert compiled.returncode == 0, compiled.stdout


@pytest.mark.parametrize(
    ("name", "status", "body"), EXAMPLES, ids=[f"{name} {status}" for name, status, _ in EXAMPLES]
)
def test_client_reads_an_answer_and_loses_nothing(
    generated: Path, name: str, status: str, body: Any
) -> None:
    module = find_module(generated, name)
    client = import_module(PACKAGE).Client(base_url="http://mesh", raise_on_unexpected_status=True)
    answer = module._build_response(
        client=client, response=httpx.Response(HTTPStatus(int(status)), json=body)
    )
    assert write(answer.parsed) == normalise(body)


def write(parsed: Any) -> Any:
    parts = parsed if isinstance(parsed, list) else [parsed]
    written = [normalise(part.to_dict()) for part in parts]
    return written if isinstance(parsed, list) else written[0]


def normalise(part: Any) -> Any:
    """Return the body with all instants written with an offset: Z and +00:00 are the same."""
    if isinstance(part, Mapping):
        return {name: normalise(inner) for name, inner in part.items()}
    if isinstance(part, list):
        return [normalise(inner) for inner in part]
    return part.replace("Z", "+00:00") if isinstance(part, str) and part[10:11] == "T" else part


def test_numbers_that_stand_for_something_have_names(generated: Path) -> None:
    models = import_module(f"{generated.name}.models")
    assert models.DossierStatus.SUPPLEMENT_REQUESTED.value == 5
    assert models.ApplicantInKind.STATE_AGENCY.value == 3
    assert models.Channel["ONLINE"] == 2

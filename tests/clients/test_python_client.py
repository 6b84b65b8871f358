"""A Python client is generated from the published description, and works by it."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.access.country import Country
from tests.clients.running import run_tool, write_description
from tests.clients.story import DESK, FACTS, PUSHING, list_settings
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
    description = write_description(folder)
    (folder / "config.yaml").write_text("post_hooks: []\n")
    run_tool(
        PYTHON_GENERATOR,
        *("generate", "--path", description, "--config", "config.yaml", "--meta", "none"),
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


async def test_story_is_told_through_the_generated_client(
    generated: Path, sandbox: Country
) -> None:
    assert await asyncio.to_thread(tell_story, generated, list_settings(sandbox)) == FACTS


def tell_story(package: Path, settings: Mapping[str, str]) -> Mapping[str, object]:
    purpose = {"x_purpose": "2.000815", "x_officer": "officer-17"}
    with (
        sign_in(package, settings, DESK, settings["DESK_SECRET"]) as desk,
        sign_in(package, settings, PUSHING, settings["PUSHING_SECRET"]) as pushing,
    ):
        verified = call(package, desk, "verify_person", **purpose)
        filed = call(package, desk, "file_dossier", **purpose)
        code = filed.parsed.code
        version = {"code": code, "if_match": filed.headers["ETag"]}
        moved = call(package, desk, "move_dossier", **purpose, **version)
        pushed = call(package, pushing, "push_dossiers", **purpose)
        page = find_module(package, "list_dossiers").sync(client=desk, **purpose)
        refused = call(package, desk, "move_dossier", **purpose, **version)
    return {
        "verified": verified.parsed.result,
        "filed": filed.parsed.status.name,
        "located": filed.headers["Location"] == f"/dossier/v1/dossiers/{code}",
        "moved": moved.parsed.status.name,
        "pushed": pushed.parsed.results[0].outcome,
        "listed": code in {line.code for line in page.items},
        "refused": refused.parsed.type_,
    }


def sign_in(package: Path, settings: Mapping[str, str], client_id: str, secret: str) -> Any:
    """Return a client that sends the token of the client system."""
    client, models = import_module(package.name), import_module(f"{package.name}.models")
    form = models.IssueOauthTokenClientSecretPost(
        grant_type="client_credentials", client_id=client_id, client_secret=secret
    )
    address = settings["GATEWAY_URL"]
    with client.Client(base_url=address) as anonymous:
        answer = find_module(package, "issue_oauth_token").sync(client=anonymous, body=form)
    return client.AuthenticatedClient(base_url=address, token=answer.access_token)


def call(package: Path, client: Any, name: str, **arguments: str) -> Any:
    """Return the answer to the example of the operation, with its parsed body."""
    content = OPERATIONS[name]["requestBody"]["content"]["application/json"]
    kind = content["schema"]["$ref"].rpartition("/")[2]
    body = getattr(import_module(f"{package.name}.models"), kind).from_dict(content["example"])
    return find_module(package, name).sync_detailed(client=client, body=body, **arguments)

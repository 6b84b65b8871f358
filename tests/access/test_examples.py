"""The examples of the published description, sent to a sandbox, get the answers that it shows."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types

from identity_service.sandbox.clients import derive_grant_id, read_sandbox_clients, read_secrets
from tests.access.country import Country, open_country
from tests.conftest import Databases
from tests.contracts.comparing import operations
from tests.contracts.test_openapi_names import MERGED

NAMED = {operation["operationId"]: name for name, operation in operations(MERGED).items()}
DESCRIBED = {operation["operationId"]: operation for operation in operations(MERGED).values()}
WITH_BODY = sorted(name for name, operation in DESCRIBED.items() if "requestBody" in operation)
OPERATOR, DESK = "operator-vpcp", "onestop-h26"
# The client of the sandbox that may make the request.
SENDERS = {
    "register_agency": OPERATOR,
    "register_client": OPERATOR,
    "register_key": OPERATOR,
    "create_grant": "police-g01",
    "push_dossiers": "external-h41",
    "push_progress": "external-h41",
}
# The requests that bring a new dossier to where the request fits.
BEFORE: Mapping[str, Sequence[str]] = {
    "move_dossier": ["file_dossier"],
    "note_progress": ["file_dossier", "move_dossier"],
    "issue_result": ["file_dossier", "move_dossier"],
    "pay_fee": ["file_dossier"],
    "push_progress": ["push_dossiers"],
}


@pytest.fixture(scope="module")
async def sandbox(
    postgres: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    """A new installation, whose gateway has heard of the clients of the sandbox."""
    file = tmp_path_factory.mktemp("examples") / "sandbox.json"
    async with open_country(postgres, file) as opened:
        for name, client in read_sandbox_clients().items():
            grants = [
                {**grant.model_dump(), "grant_id": derive_grant_id(name, number)}
                for number, grant in enumerate(client.grants)
            ]
            await opened.allow(name, *grants, agency=client.agency)
        yield opened


@pytest.mark.parametrize("name", WITH_BODY)
async def test_example_gets_the_answer_that_the_description_shows(
    sandbox: Country, name: str
) -> None:
    answer = None
    for step in (*BEFORE.get(name, ()), name):
        answer = await send_example(sandbox, step, answer)
    assert answer is not None
    require_described_answer(name, answer)


async def send_example(
    sandbox: Country, name: str, before: httpx.Response | None
) -> httpx.Response:
    """Send the example about the resource that the answer before it names, if there is one."""
    method, template = NAMED[name].split(" ")
    ((media_type, content),) = DESCRIBED[name]["requestBody"]["content"].items()
    named = {} if before is None else {"code": before.json().get("code")}
    path = template.format(client_id="newcomer-h14", **named)
    if media_type != "application/json":
        assert sandbox.identity.sandbox_file
        secret = read_secrets(sandbox.identity.sandbox_file)[DESK]
        return await sandbox.ask(
            method, path, [], data={**content["example"], "client_secret": secret}
        )
    client = SENDERS.get(name, DESK)
    token = sandbox.token(client, read_sandbox_clients()[client].agency)
    headers = [("Authorization", f"Bearer {token}")]
    for parameter in DESCRIBED[name]["parameters"]:
        if "example" in parameter:
            headers.append((parameter["name"], parameter["example"]))
        elif parameter["name"].lower() == "if-match" and before is not None:
            headers.append(("If-Match", before.headers["ETag"]))
    return await sandbox.ask(method, path, headers, json=content["example"])


def require_described_answer(name: str, answer: httpx.Response) -> None:
    described = DESCRIBED[name]["responses"][str(answer.status_code)]
    content = described["content"].get("application/json", {})
    assert "example" in content, answer.text
    schema = {**content["schema"], "components": MERGED["components"]}
    Draft202012Validator(schema).validate(answer.json())
    assert outline(answer.json()) == outline(content["example"])
    absent = {header for header in described["headers"] if header not in answer.headers}
    assert absent <= {"Idempotent-Replayed"}


def outline(part: Any) -> Any:
    """Return the names of all members, without the values."""
    if isinstance(part, Mapping):
        return {name: outline(inner) for name, inner in part.items()}
    return [outline(inner) for inner in part] if isinstance(part, list) else None

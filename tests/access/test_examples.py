"""The examples of the published description, sent to a sandbox, get the answers that it shows."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types

from identity_service.sandbox.clients import read_sandbox_clients
from shared.web.dependencies import read_now
from tests.access.country import Country, open_sandbox
from tests.conftest import Databases
from tests.contracts.comparing import operations
from tests.contracts.test_openapi_names import MERGED

# The examples are of this day, whose term ends in a year with announced holidays.
FILED_AT = datetime(2026, 11, 2, 2, tzinfo=UTC)
ROUTES = {operation["operationId"]: name for name, operation in operations(MERGED).items()}
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
# The texts that differ from one sandbox to the next.
VARYING = {
    "an instant": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
    "an id": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "a dossier": r"H26\.101-\d{6}-\d{4}",
    "a token": r"eyJ[\w-]+(\.[\w-]+){2}",
}


@pytest.fixture(scope="module")
async def sandbox(
    postgres: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    async with open_sandbox(postgres, tmp_path_factory.mktemp("examples") / "sandbox.json") as made:
        made.apps["dossier"].dependency_overrides[read_now] = lambda: FILED_AT
        yield made


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
    sandbox: Country, name: str, previous: httpx.Response | None
) -> httpx.Response:
    """Send the example about the resource that the previous answer names, if there is one."""
    method, template = ROUTES[name].split(" ")
    ((media_type, content),) = DESCRIBED[name]["requestBody"]["content"].items()
    code = None if previous is None else previous.json().get("code")
    path = template.format(client_id="newcomer-h14", code=code)
    if media_type != "application/json":
        form = {**content["example"], "client_secret": sandbox.secrets[DESK]}
        return await sandbox.ask(method, path, [], data=form)
    client = SENDERS.get(name, DESK)
    token = sandbox.token(client, read_sandbox_clients()[client].agency)
    headers = [("Authorization", f"Bearer {token}")]
    for parameter in DESCRIBED[name]["parameters"]:
        if parameter["in"] == "header" and "example" in parameter:
            headers.append((parameter["name"], parameter["example"]))
        elif parameter["name"].lower() == "if-match" and previous is not None:
            headers.append(("If-Match", previous.headers["ETag"]))
    return await sandbox.ask(method, path, headers, json=content["example"])


def require_described_answer(name: str, answer: httpx.Response) -> None:
    described = DESCRIBED[name]["responses"][str(answer.status_code)]
    content = described["content"].get("application/json", {})
    assert "example" in content, answer.text
    schema = {**content["schema"], "components": MERGED["components"]}
    Draft202012Validator(schema).validate(answer.json())
    assert mask_varying(answer.json()) == mask_varying(content["example"])
    absent = {header for header in described["headers"] if header not in answer.headers}
    assert absent <= {"Idempotent-Replayed"}


def mask_varying(part: Any) -> Any:
    """Return the body with the kind of each text that differs from one sandbox to the next."""
    if isinstance(part, Mapping):
        return {name: mask_varying(inner) for name, inner in part.items()}
    if isinstance(part, list):
        return [mask_varying(inner) for inner in part]
    if not isinstance(part, str):
        return part
    kinds = (kind for kind, pattern in VARYING.items() if re.fullmatch(pattern, part))
    return next(kinds, part)

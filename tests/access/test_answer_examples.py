"""A real answer to each GET has the members that its example in the published description shows."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types

from tests.access.country import COPY, OPERATORS, Country, open_sandbox
from tests.access.samples import Asked, Things, make_things, samples
from tests.access.test_examples import DESCRIBED, ROUTES, send_example
from tests.conftest import Databases
from tests.contracts.test_openapi_names import MERGED

READS = sorted(name for name, route in ROUTES.items() if route.startswith("GET "))
# The well-known documents take no parameters, and have no sample.
PUBLIC = {name for name in READS if not DESCRIBED[name]["security"]}


@pytest.fixture(scope="module")
async def sandbox(
    postgres: Databases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Country]:
    async with open_sandbox(postgres, tmp_path_factory.mktemp("answers") / "sandbox.json") as made:
        yield made


@pytest.fixture(scope="module")
async def asked(sandbox: Country) -> Mapping[str, Asked]:
    """The requests by operation, of which one is about the dossier of the examples."""
    answer = None
    for name in ("file_dossier", "move_dossier", "issue_result"):
        answer = await send_example(sandbox, name, answer)
        assert answer.is_success, answer.text
    assert answer is not None
    for name in ("push_dossiers", "push_progress"):
        assert (await send_example(sandbox, name, None)).is_success
    things: Things = await make_things(sandbox)
    things.dossiers["ours"] = answer.json()["code"]
    things.told["ours"] = DESCRIBED["read_national_dossier"]["parameters"][0]["example"]
    return samples(things)


@pytest.mark.parametrize("name", READS)
async def test_answer_has_the_members_of_its_example(
    sandbox: Country, asked: Mapping[str, Asked], name: str
) -> None:
    method, template = ROUTES[name].split(" ")
    sample = asked[ROUTES[name]]("ours") if name not in PUBLIC else None
    path = template.format(**sample.path) if sample else template
    headers = {
        "Authorization": f"Bearer {sandbox.token(OPERATORS[0], 'G22')}",
        "X-Purpose": COPY,
        "X-Officer": "officer-17",
    }
    sent = sample.sent if sample else {}
    answer = await sandbox.ask(method, path, list(headers.items()), **sent)
    assert answer.is_success, answer.text
    content = DESCRIBED[name]["responses"]["200"]["content"]["application/json"]
    schema = {**content["schema"], "components": MERGED["components"]}
    Draft202012Validator(schema).validate(answer.json())
    require_members(content["example"], answer.json(), name)


def require_members(shown: Any, real: Any, place: str) -> None:
    """Require the same members in both; each shown item of a list is like one real item."""
    if isinstance(shown, Mapping) and isinstance(real, Mapping):
        assert shown.keys() == real.keys(), place
        for name, part in shown.items():
            require_members(part, real[name], f"{place}.{name}")
    elif isinstance(shown, list) and isinstance(real, list) and real:
        for part in shown:
            assert any(has_members(part, each) for each in real), f"{place}: {part}"


def has_members(shown: Any, real: Any) -> bool:
    try:
        require_members(shown, real, "")
    except AssertionError:
        return False
    return True

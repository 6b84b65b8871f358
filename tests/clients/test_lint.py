"""The published descriptions of the API and of the events keep the rules of a linter."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from deploy.schemas import ASYNCAPI, FOLDER
from tests.clients.running import run_tool, write_description
from tests.contracts.test_openapi_names import MERGED
from tests.support.tools import REDOCLY

RULES = Path(__file__).with_name("redocly.yaml")


def test_linter_finds_no_error(tmp_path: Path) -> None:
    lint(write_description(tmp_path))


def test_linter_finds_no_error_in_the_description_of_events() -> None:
    lint(FOLDER / ASYNCAPI)


def lint(document: Path) -> None:
    run_tool(REDOCLY, "lint", document, "--config", RULES, folder=document.parent)


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ({"operationId": "read_agency"}, "operation-operationId-unique"),
        ({"operationId": "read{agency}"}, "operation-operationId-url-safe"),
        ({"responses": {}}, "operation-2xx-response"),
    ],
    ids=["an id twice", "an id with braces", "no answer"],
)
def test_linter_finds_an_error_where_there_is_one(
    tmp_path: Path, fault: Mapping[str, Any], rule: str
) -> None:
    wrong = {**MERGED, "paths": dict(MERGED["paths"])}
    path = wrong["paths"]["/sync/v1/indicators"]
    wrong["paths"]["/sync/v1/indicators"] = {"get": {**path["get"], **fault}}
    document = tmp_path / "openapi.json"
    document.write_bytes(orjson.dumps(wrong))
    with pytest.raises(AssertionError, match=rule):
        lint(document)


def test_linter_finds_an_event_without_a_schema(tmp_path: Path) -> None:
    document = tmp_path / ASYNCAPI
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    (tmp_path / "events/dossier.filed.v1.json").unlink()
    with pytest.raises(AssertionError, match="no-unresolved-refs"):
        lint(document)

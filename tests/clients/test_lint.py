"""The published description keeps the rules of a linter, and so do the documents of services."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.clients.running import run_tool
from tests.contracts.test_openapi_names import MERGED
from tests.support.tools import REDOCLY

RULES = Path(__file__).with_name("redocly.yaml")


def test_linter_finds_no_error(tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_bytes(orjson.dumps(MERGED))
    run_tool(REDOCLY, "lint", "openapi.json", "--config", RULES, folder=tmp_path)


@pytest.mark.parametrize(
    "fault",
    [{"operationId": "read_agency"}, {"operationId": "read{agency}"}, {"responses": {}}],
    ids=["an id twice", "an id with braces", "no answer"],
)
def test_linter_finds_an_error_where_there_is_one(tmp_path: Path, fault: Mapping[str, Any]) -> None:
    wrong = {**MERGED, "paths": dict(MERGED["paths"])}
    path = wrong["paths"]["/sync/v1/indicators"]
    wrong["paths"]["/sync/v1/indicators"] = {"get": {**path["get"], **fault}}
    (tmp_path / "openapi.json").write_bytes(orjson.dumps(wrong))
    with pytest.raises(AssertionError):
        run_tool(REDOCLY, "lint", "openapi.json", "--config", RULES, folder=tmp_path)

"""The collections in deploy/api_collections are those that `make schemas` writes."""

import json

from deploy.api_collections.__main__ import POSTMAN, build_files, list_written_files
from deploy.api_collections.requests import SECRET, VARIABLES, read_requests
from gateway.operations.table import OPERATIONS


def test_collections_are_newest() -> None:
    assert list_written_files() == build_files(), "stale: make schemas"


def test_collection_has_a_request_for_each_operation() -> None:
    requests = read_requests()
    assert len(requests) == len(OPERATIONS)
    assert len({request.name for request in requests}) == len(requests)


def test_collections_hold_no_secret() -> None:
    assert VARIABLES[SECRET] == ""
    values = {each["key"]: each["value"] for each in json.loads(build_files()[POSTMAN])["variable"]}
    assert values == VARIABLES

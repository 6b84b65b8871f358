import re
from typing import Any

import pytest

from gateway.api_docs.openapi import merge_api_documents
from gateway.api_docs.routes import PAGES
from gateway.operations.model import Service
from gateway.operations.table import OPERATIONS
from tests.support.gateway_harness import LIST, READ, VERIFY, Gate


def described(operation: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """As FastAPI describes a service with one operation."""
    method, _, path = operation.partition(" ")
    reference = {"schema": {"$ref": "#/components/schemas/Page"}}
    return {
        "paths": {
            path: {
                method.lower(): {
                    "operationId": "read_page",
                    "summary": operation,
                    "parameters": [
                        {"name": "X-Right", "in": "header"},
                        {"name": "If-Match", "in": "header"},
                    ],
                    "responses": {"200": {"content": {"application/json": reference}}},
                }
            }
        },
        "components": {"schemas": {"Page": schema or {"type": "object"}}},
    }


def headers(document: dict[str, Any], operation: str) -> dict[str, bool]:
    """Of an operation, by name: is it required?"""
    method, _, path = operation.partition(" ")
    parameters = document["paths"][path][method.lower()]["parameters"]
    return {each["name"]: each.get("required", False) for each in parameters}


def test_schema_that_two_services_share_is_one() -> None:
    document = merge_api_documents(
        {
            Service.IDENTITY: described(VERIFY, {"title": "Page"}),
            Service.DOSSIER: described(LIST, {"title": "Page"}),
        }
    )
    assert document["components"]["schemas"].keys() == {"Page", "Problem"}
    assert referred_schemas(document) == {"Page", "Problem"}


def test_schemas_of_one_name_in_two_services_stay_apart() -> None:
    document = merge_api_documents(
        {
            Service.IDENTITY: described(VERIFY, {"title": "Page", "type": "object"}),
            Service.DOSSIER: described(LIST, {"title": "Page", "type": "array"}),
        }
    )
    schemas = document["components"]["schemas"]
    assert schemas["Page"] == {"title": "Page", "type": "object"}
    assert schemas["DossierPage"] == {"title": "DossierPage", "type": "array"}
    assert referred_schemas(document) == {"Page", "DossierPage", "Problem"}


def referred_schemas(document: dict[str, Any]) -> set[str]:
    return set(re.findall(r"'#/components/schemas/([\w.]+)'", str(document)))


def test_personal_operation_requires_purpose_and_officer_and_hides_inner_headers() -> None:
    document = merge_api_documents(
        {Service.IDENTITY: described(VERIFY), Service.DOSSIER: described(LIST)}
    )
    required = {"If-Match": False, "X-Purpose": True, "X-Officer": True, "X-Dossier": False}
    assert headers(document, VERIFY) == required
    assert headers(document, LIST) == dict.fromkeys(required, False)
    schemes = document["components"]["securitySchemes"]
    security = document["paths"][LIST.split()[1]]["get"]["security"]
    assert security == [{name: []} for name in schemes]
    assert schemes["client_credentials"]["flows"]["clientCredentials"]["tokenUrl"] == "/oauth/token"


def test_operation_outside_the_table_is_not_shown() -> None:
    document = merge_api_documents({Service.DOSSIER: described("GET /dossier/v1/inner")})
    assert document["paths"] == {}


def test_service_that_is_away_is_named() -> None:
    document = merge_api_documents({Service.IDENTITY: described(VERIFY), Service.DOSSIER: None})
    assert "Unreachable now and omitted: dossier" in document["info"]["description"]
    assert list(document["paths"]) == [VERIFY.split()[1]]


async def test_document_shows_the_gateways_own_operations(gate: Gate) -> None:
    document = (await gate.http.get("/openapi.json")).json()
    own = {o.template for o in OPERATIONS.values() if o.service is Service.GATEWAY}
    assert own <= set(document["paths"])
    assert "GET /ledger/v1/records" in OPERATIONS
    assert headers(document, "GET /ledger/v1/records")["X-Purpose"]
    named = {each["name"] for each in document["paths"]["/ledger/v1/records"]["get"]["parameters"]}
    assert {"subject", "dossier", "from", "to", "after", "limit"} <= named


async def test_start_leads_to_the_api_pages(gate: Gate) -> None:
    answer = await gate.http.get("/", follow_redirects=True)
    assert answer.url.path == "/docs"
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    for file in re.findall(r'(?:src|href)="(/[^"]+)"', answer.text):
        assert (await gate.http.get(file)).is_success


def test_pages_take_nothing_from_elsewhere() -> None:
    for page in ("docs.html", "docs.js"):
        assert "//" not in (PAGES / page).read_text().replace("<!--", "")


@pytest.mark.parametrize("path", ["/docs/files/../../settings.py", "/docs/files/none.js"])
async def test_only_the_pages_are_served(gate: Gate, path: str) -> None:
    assert (await gate.http.get(path)).status_code == 404


def test_operation_keeps_its_name_and_gets_the_headers_of_the_gateway() -> None:
    document = merge_api_documents({Service.DOSSIER: described(READ)})
    operation = document["paths"]["/dossier/v1/dossiers/{code}"]["get"]
    assert operation["operationId"] == "read_page"
    for answer in operation["responses"].values():
        assert answer["headers"].keys() >= {"X-Request-Id", "X-Trace-Id"}
    assert {"X-Request-Id", "X-Trace-Id"} <= document["components"]["headers"].keys()

"""The operations that take a JSON body, each with one that is good in itself."""

from collections.abc import Mapping
from typing import Any

from deploy.schemas import openapi
from deploy.services import SERVICES
from gateway.operations.model import Operation
from gateway.operations.table import OPERATIONS
from shared.web.bodies.schema_navigator import SchemaNavigator
from tests.access import bodies
from tests.access.country import verification
from tests.access.samples import JWK

DOSSIER = "H26-261102-0001"
DOCUMENTS = {service.short: openapi(name) for name, service in SERVICES.items()}
GOOD: Mapping[str, dict[str, Any]] = {
    "POST /identity/v1/verifications": verification(),
    "POST /identity/v1/agencies": bodies.new_agency("H77"),
    "POST /identity/v1/clients": bodies.new_client("H26"),
    "POST /identity/v1/clients/{client_id}/keys": JWK,
    "POST /identity/v1/grants": bodies.new_grant(),
    "POST /dossier/v1/dossiers": bodies.wish("H26"),
    "POST /dossier/v1/dossiers/{code}/transitions": {"to": 4},
    "POST /dossier/v1/dossiers/{code}/progress": {"step": "desk"},
    "POST /dossier/v1/dossiers/{code}/payments": bodies.payment(),
    "POST /dossier/v1/dossiers/{code}/results": bodies.result(),
    "POST /sync/v1/dossiers": {"rows": [bodies.row("H26")]},
    "POST /sync/v1/progress": bodies.progress_of(DOSSIER),
}


def body_shape(operation: Operation) -> SchemaNavigator | None:
    document = DOCUMENTS[operation.service.value]
    described = document["paths"][operation.template][operation.method.lower()]
    content = described.get("requestBody", {}).get("content", {}).get("application/json")
    return SchemaNavigator(content["schema"], document) if content else None


WITH_BODY = [each for each in OPERATIONS.values() if body_shape(each)]

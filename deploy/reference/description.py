"""The description of the API as the gateway publishes it."""

from functools import cache
from typing import Any

from deploy.schemas import openapi
from deploy.services import SERVICES
from gateway.api_docs.openapi import merge_api_documents
from gateway.operations.model import Service


@cache
def read_description() -> dict[str, Any]:
    """Return the OpenAPI document of all services, as `GET /openapi.json` answers it."""
    documents = {service.short: dict(openapi(name)) for name, service in SERVICES.items()}
    return dict(merge_api_documents({service: documents[service.value] for service in Service}))

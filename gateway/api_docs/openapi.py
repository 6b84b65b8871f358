"""Merge the OpenAPI documents of all services into one document of the mesh."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any

import orjson
from httpx import AsyncClient, HTTPError
from pydantic import TypeAdapter

from gateway.access.grant_rules import GRANT_RULES, Granter
from gateway.api_docs.problem_types import list_types_by_operation
from gateway.api_docs.translation import translate_document
from gateway.operations.model import Operation, Service
from gateway.operations.table import OPERATIONS
from gateway.purposes.explanation import DOSSIER_PATH, MAX_PURPOSE_LENGTH
from gateway.purposes.legal_bases import LEGAL_BASIS_PATTERN
from shared.codes.dossier import DossierCode
from shared.codes.officer import OfficerCode
from shared.codes.procedure import PROCEDURE_PATTERN
from shared.texts.languages import Language
from shared.texts.translatable import Translatable
from shared.web.calls.internal_headers import (
    DOSSIER_HEADER,
    FIELDS_HEADER,
    OFFICER_HEADER,
    PURPOSE_HEADER,
    REQUEST_ID_HEADER,
    RIGHT_HEADER,
    SUBJECT_HEADER,
)
from shared.web.openapi.headers import GATEWAY_HEADERS, HEADERS, refer_to_headers
from shared.web.openapi.names import rename_schemas
from shared.web.openapi.problems import PROBLEM
from shared.web.published import PublishedPage
from shared.web.single_flight import SingleFlight

Document = dict[str, Any]

_JSON = "application/json"
_VARY = "Accept-Encoding, Accept-Language"
MAX_AGE_S = 60.0
INCOMPLETE_S = 5.0
# The gateway sets these headers itself, or the security scheme describes them.
_INTERNAL = frozenset(
    name.lower()
    for name in ("Authorization", RIGHT_HEADER, SUBJECT_HEADER, FIELDS_HEADER, REQUEST_ID_HEADER)
)
TITLE = "Liên Thông"
DESCRIPTION = Translatable(
    "Send all requests through this gateway, with an access token from `POST /oauth/token` and a "
    "right to the operation. Errors are problem details (RFC 9457), distinguished by their `type`; "
    "title and advice are in Vietnamese with `Accept-Language: vi`."
)
_EXPLAINING = {
    PURPOSE_HEADER: "the purpose of the call: the code of an active procedure, or of a registered"
    " legal basis (`GET /.well-known/legal-bases.json`)",
    OFFICER_HEADER: "the code of the acting officer, never a name",
    DOSSIER_HEADER: "the code of the dossier that the call serves, if there is one",
}
# A program signs on by the second scheme; a person may paste a token, whose client signed a JWT.
_SECURITY_SCHEMES: Mapping[str, Document] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token from `POST /oauth/token`, which is valid for ten minutes.",
    },
    "client_credentials": {
        "type": "oauth2",
        "description": "Rights come from the grants of the client: there are no scopes.",
        "flows": {"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": {}}},
    },
}
# The API pages fill these in; the examples of bodies are dossiers of the same procedure.
_EXAMPLES = {PURPOSE_HEADER: "2.000815", OFFICER_HEADER: "officer-17"}
_SHAPES: Mapping[str, Document] = {
    PURPOSE_HEADER: {
        "type": "string",
        "pattern": f"^(?:{PROCEDURE_PATTERN}|{LEGAL_BASIS_PATTERN})$",
        "maxLength": MAX_PURPOSE_LENGTH,
        "examples": ["1.001193", "2.002621.H56", "91/2025/QH15"],
    },
    OFFICER_HEADER: TypeAdapter(OfficerCode).json_schema(),
    DOSSIER_HEADER: TypeAdapter(DossierCode).json_schema(),
}


class ApiDescription:
    """Fetch the documents of the services on demand. An unreachable service is left out."""

    def __init__(
        self, http: AsyncClient, addresses: Mapping[Service, str], local_document: Document
    ) -> None:
        self._http, self._addresses, self._local_document = http, addresses, local_document
        self._document: Document = {}
        self._pages: dict[Language, PublishedPage] = {}
        self._until = 0.0
        self._renew = SingleFlight(self._merge_service_documents)

    async def read_merged_page(self, language: Language) -> PublishedPage:
        """Return the merged document; concurrent requests share one fetch from the services."""
        if time.monotonic() > self._until:
            await self._renew()
        if language not in self._pages:
            self._pages[language] = _publish_document(self._document, language)
        return self._pages[language]

    async def _merge_service_documents(self) -> None:
        parts = await asyncio.gather(*map(self._fetch_service_document, self._addresses))
        described = dict(zip(self._addresses, parts, strict=True))
        described[Service.GATEWAY] = self._local_document
        self._document, self._pages = merge_api_documents(described), {}
        max_age_s = MAX_AGE_S if all(parts) else INCOMPLETE_S
        self._until = time.monotonic() + max_age_s

    async def _fetch_service_document(self, service: Service) -> Document | None:
        try:
            address = f"{self._addresses[service]}/{service}/v1/openapi.json"
            response = await self._http.get(address)
            response.raise_for_status()
            described: Document = response.json()
        except (HTTPError, ValueError):
            return None
        return described if "paths" in described else None


def _publish_document(document: Document, language: Language) -> PublishedPage:
    content = orjson.dumps(translate_document(document, language))
    return PublishedPage.of(content, _JSON, {"Content-Language": language, "Vary": _VARY})


def merge_api_documents(parts: Mapping[Service, Document | None]) -> Document:
    """Merge the operations that the table names, with the schemas that they refer to."""
    paths: dict[str, Document] = {}
    schemas: Document = {"Problem": dict(PROBLEM)}
    for service, part in parts.items():
        if part is None:
            continue
        renamed = _keep_schemas_apart(part, service, schemas)
        schemas |= _read_schemas(renamed)
        for operation in OPERATIONS.values():
            described = renamed["paths"].get(operation.template, {}).get(operation.method.lower())
            if operation.service is service and described is not None:
                entry = paths.setdefault(operation.template, {})
                public = _describe_public_operation(described, operation)
                named = _name_problem_types(public, operation)
                entry[operation.method.lower()] = _mark_deprecation(named, operation)
    missing = [service for service, part in parts.items() if part is None]
    notes = [DESCRIPTION]
    if missing:
        services = ", ".join(missing)
        notes.append(
            Translatable("**Unreachable now and omitted: {services}.**", services=services)
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": "1",
            "description": Translatable.join_texts(notes, "\n\n"),
        },
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas,
            "headers": dict(HEADERS),
            "securitySchemes": dict(_SECURITY_SCHEMES),
        },
    }


def _read_schemas(part: Document) -> Document:
    schemas: Document = part.get("components", {}).get("schemas", {})
    return schemas


def _keep_schemas_apart(part: Document, service: Service, published: Document) -> Document:
    """Return the part with schema names that name no other schema among `published`.

    One name means one schema in all services. While one of them is being replaced two versions
    may meet: then the names of this part begin with its service, as in `IdentityPage`.
    """
    schemas = _read_schemas(part)
    if all(published.get(name, schema) == schema for name, schema in schemas.items()):
        return part
    return rename_schemas(part, {name: f"{service.capitalize()}{name}" for name in schemas})


def _describe_public_operation(described: Document, operation: Operation) -> Document:
    documented = described.get("parameters", [])
    parameters = [
        parameter for parameter in documented if parameter["name"].lower() not in _INTERNAL
    ]
    parameter_names = {parameter["name"].lower() for parameter in parameters}
    names_dossier = DOSSIER_PATH in operation.template
    if not operation.public:
        parameters += [
            _describe_header(name, required=operation.personal and name != DOSSIER_HEADER)
            for name in _EXPLAINING
            if name.lower() not in parameter_names
            and not (name == DOSSIER_HEADER and names_dossier)
        ]
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses = described.get("responses", {}) | {
        "default": {"description": "A problem", "content": problem}
    }
    ids = refer_to_headers(GATEWAY_HEADERS)
    return described | {
        "description": _add_text(described, _describe_right(operation)),
        "parameters": parameters,
        "responses": {
            status: answer | {"headers": answer.get("headers", {}) | ids}
            for status, answer in responses.items()
        },
        "security": [] if operation.public else [{name: []} for name in _SECURITY_SCHEMES],
    }


def _add_text(described: Document, text: Translatable) -> Translatable:
    present = described.get("description")
    texts = [Translatable.of_library(present), text] if present else [text]
    return Translatable.join_texts(texts, "\n\n")


def _describe_right(operation: Operation) -> Translatable:
    if operation.public:
        return Translatable("No token is needed.")
    rule = GRANT_RULES[operation.name]
    givers = [Translatable("an operator")]
    if rule.granted_by is Granter.OWNER:
        givers.append(Translatable("the owner of the data"))
    if rule.granted_on:
        givers.append(Translatable("a client that has it"))
    return Translatable(
        "The client needs a right to `{operation}`, given by {givers}.",
        operation=operation.name,
        givers=reduce(_name_choice, givers),
    )


def _name_choice(first: Translatable, second: Translatable) -> Translatable:
    return Translatable("{first} or {second}", first=first, second=second)


def _name_problem_types(described: Document, operation: Operation) -> Document:
    """Add the types of problems of each answer; `default` has those without one of their own."""
    responses = described["responses"]
    types: dict[str, list[str]] = {}
    for problem_type in list_types_by_operation()[operation.name]:
        status = str(problem_type.status)
        types.setdefault(status if status in responses else "default", []).append(problem_type.type)
    named = {
        status: responses[status]
        | {
            "description": _name_types(responses[status]["description"], names),
            "x-problem-types": names,
        }
        for status, names in types.items()
    }
    return described | {"responses": responses | named}


def _name_types(description: str, types: Iterable[str]) -> Translatable:
    listed = ", ".join(f"`{name}`" for name in types)
    return Translatable.join_texts([Translatable.of_library(description), listed], ": ")


def _mark_deprecation(described: Document, operation: Operation) -> Document:
    if operation.deprecation is None:
        return described
    texts = [operation.deprecation.describe_term(), described["description"]]
    return described | {"deprecated": True, "description": Translatable.join_texts(texts, "\n\n")}


def _describe_header(name: str, *, required: bool) -> Document:
    described = {
        "name": name,
        "in": "header",
        "required": required,
        "description": _EXPLAINING[name],
        "schema": _SHAPES[name],
    }
    return described | {"example": _EXAMPLES[name]} if required else described

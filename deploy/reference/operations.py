"""The page of all operations, with the filters of lists and the fields that a grant may name."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from deploy.reference.description import read_description
from deploy.reference.markdown import Page, Part, quote_codes
from deploy.reference.texts import Texts
from gateway.access.grant_rules import serialise_grant_rules
from gateway.operations.model import KIB, MIB, Operation, Service
from gateway.operations.table import OPERATIONS

_DEAD_LETTERS = "/{service}/v1/dead-letters"
_SERVICES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "identity": ("Identity", "People, agencies, clients, keys and grants."),
        "dossier": ("Dossiers", "The catalogue of procedures, and dossiers."),
        "sync": ("National view", "Pushed dossiers, the view of the country, indicators."),
        "gateway": ("Access ledger and keys", "Records of accesses, their proofs, public keys."),
    }
)


def build_operations_page(texts: Texts) -> Page:
    parts = [_describe_service(service, texts) for service in Service]
    return Page(
        texts.say("All operations"),
        texts.say(
            "Every operation that the gateway answers, and what it takes to call it. `right` means"
            " a grant of the operation; `personal` calls also state purpose and officer, and are on"
            " the access ledger. The last column says who may give the right."
        ),
        [*parts, _describe_dead_letters(texts), _describe_filters(texts), _list_fields(texts)],
    )


def _head(texts: Texts) -> list[str]:
    names = ("operation", "it does", "needs", "quota class", "largest body", "given by")
    return list(map(texts.say, names))


def _describe_service(service: Service, texts: Texts) -> Part:
    title, text = _SERVICES[service.value]
    rows = [
        _describe_operation(operation, texts)
        for operation in OPERATIONS.values()
        if operation.service is service and "/dead-letters" not in operation.template
    ]
    return Part(service.value, texts.say(title), texts.say(text), _head(texts), rows)


def _describe_dead_letters(texts: Texts) -> Part:
    """Describe those of one service: each has the same ones."""
    rows = [
        [cell.replace("/gateway/", "/{service}/") for cell in _describe_operation(each, texts)]
        for each in OPERATIONS.values()
        if each.template.startswith(_DEAD_LETTERS.format(service="gateway"))
    ]
    text = texts.say("Messages that a service could not handle; each service has these.")
    return Part("dead-letters", texts.say("Dead letters"), text, _head(texts), rows)


def _describe_operation(operation: Operation, texts: Texts) -> list[str]:
    rule = serialise_grant_rules().get(operation.name)
    needs = "right" if rule else "nothing"
    name = read_description()["paths"][operation.template][operation.method.lower()]["operationId"]
    return [
        f"`{operation.name}`",
        texts.explain("operations", name.replace("_gateway_", "_")),
        texts.say("right, personal" if operation.personal else needs),
        operation.quota_class.value,
        _format_size(operation.body_limit),
        texts.say(str(rule["granted_by"])) if rule else "",
    ]


def _format_size(size: int) -> str:
    if size >= MIB:
        return f"{size // MIB} MiB"
    return f"{size // KIB} KiB" if size else ""


def _describe_filters(texts: Texts) -> Part:
    rows = [
        [f"`{operation.name}`", f"`{each['name']}`", texts.explain("filters", each["name"])]
        for operation in OPERATIONS.values()
        if "/dead-letters" not in operation.template
        for each in _list_parameters(operation)
    ]
    text = texts.say(
        "Each list also takes `limit` (50, at most 500) and `after`, the `next` of the page before."
    )
    head = [texts.say(name) for name in ("operation", "filter", "it means")]
    return Part("filters", texts.say("Filters of the lists"), text, head, rows)


def _list_parameters(operation: Operation) -> Iterable[Mapping[str, Any]]:
    described = read_description()["paths"][operation.template][operation.method.lower()]
    return [
        each
        for each in described.get("parameters", [])
        if each["in"] == "query" and each["name"] not in {"limit", "after"}
    ]


def _list_fields(texts: Texts) -> Part:
    rows = [
        [f"`{name}`", quote_codes(list(rule["fields"]))]  # type: ignore[call-overload]
        for name, rule in serialise_grant_rules().items()
        if rule["fields"] and name != "*"
    ]
    text = texts.say("A grant may name these `fields` of an operation; without them it has all.")
    head = [texts.say(name) for name in ("operation", "fields")]
    return Part("fields", texts.say("Fields of grants"), text, head, rows)

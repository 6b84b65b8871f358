"""Write the published schemas to deploy/schemas/: `python -m deploy.schemas`.

One JSON Schema (2020-12) for each event and for the report of the conformance kit, one AsyncAPI
3.0 document of all topics, and the OpenAPI 3.1 document of each service; beside the folder,
topics.yaml. The rules of the gateway for the granting of operations go to identity_service, which
reads them.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from deploy import topics
from deploy.conformance.report import build_report_schema
from deploy.services import SERVICES
from gateway.access.grant_rules import serialise_grant_rules
from shared.codes.deprecation import Deprecation
from shared.events import EVENTS, OWNERS, TOPICS, Event
from shared.settings import MIN_CALL_KEY_BYTES, MIN_DIGEST_KEY_CHARACTERS

FOLDER = Path(__file__).with_name("schemas")
GRANT_RULES = Path(__file__).parents[1] / "identity_service/grants/data/grant_rules.json"
ASYNCAPI = "asyncapi.json"
CONFORMANCE = "conformance-report.json"
Document = Mapping[str, Any]


def documents() -> dict[str, Document]:
    """Return the documents by file name, below deploy/schemas/."""
    schemas = {f"events/{name}.json": event_schema(event) for name, event in EVENTS.items()}
    apis = {f"openapi-{service.short}.json": openapi(name) for name, service in SERVICES.items()}
    return schemas | {ASYNCAPI: asyncapi(), CONFORMANCE: build_report_schema()} | apis


def event_schema(event: type[Event]) -> Document:
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": event.event_type}
    marks = {"deprecated": True} if event.deprecation else {}
    return dialect | event.model_json_schema(mode="serialization") | marks


@cache  # each call would make the application anew
def openapi(service: str) -> Document:
    """Return the OpenAPI document of a service, without opening its resources."""
    return build_application(service).openapi()


def build_application(service: str) -> FastAPI:
    settings = import_module(f"{service}.settings").Settings.model_validate(_NOWHERE)
    app = import_module(f"{service}.main").create_app(settings)
    described: FastAPI = app.local_app if service == "gateway" else app
    return described


CALL_KEYS = ("call_key", "identity_call_key", "dossier_call_key", "sync_call_key")
_NOWHERE: Document = {
    "database_url": "postgresql+asyncpg://nowhere",
    "kafka_servers": "nowhere:1",
    "tracing_endpoint": "",
    **dict.fromkeys(
        ("event_key", "person_hash_key", "key_encryption_key", "rights_key", "ledger_key"), "-"
    ),
    **dict.fromkeys(CALL_KEYS, "-" * MIN_CALL_KEY_BYTES),
    "digest_key": "-" * MIN_DIGEST_KEY_CHARACTERS,
}


def asyncapi() -> Document:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Liên Thông: events",
            "version": "1",
            "description": _DESCRIPTION,
        },
        "defaultContentType": "application/json",
        "channels": {_name(topic): _channel(topic) for topic in sorted(TOPICS)},
        "operations": {
            f"hear_{_name(topic)}": {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{_name(topic)}"},
            }
            for topic in sorted(TOPICS)
        },
        "components": {
            "messages": {_name(name): _message(EVENTS[name]) for name in sorted(EVENTS)},
            "schemas": {"cloudevent": _CLOUDEVENT},
        },
    }


_DESCRIPTION = (
    "CloudEvents 1.0 in binary Kafka mode; the events of one key keep their order. The service "
    "that owns a topic proves each message by its header `proof`. In base64 it holds the id of the "
    "key (32 bytes, the RFC 7638 thumbprint), an Ed25519 signature (64), the place of the message "
    "in its batch and the size of the batch (4 each, big-endian), and the siblings from the leaf "
    "to the root (32 each; RFC 9162, 2.1.3.2). The parts of a message are topic, key and value, "
    "and then name and content of every other header in the order of the names. The leaf is the "
    "SHA-256 of a byte 0x00, the number of parts, the length of each (4 bytes each, big-endian) "
    "and the parts. The signature is over `lien-thong event batch 1`, a byte 0x00, the size and "
    "the root, under a key that the owner publishes at `/.well-known/event-keys.json`. Refuse a "
    "message without a valid proof, or whose `ce_source` is not the owner."
)


def _channel(topic: str) -> Document:
    sent = sorted(name for name, event in EVENTS.items() if event.topic == topic)
    return {
        "address": topic,
        "description": f"Published by {OWNERS[topic]} alone.",
        "messages": {_name(n): {"$ref": f"#/components/messages/{_name(n)}"} for n in sent},
        "bindings": {"kafka": {"topic": topic, "bindingVersion": "0.5.0"}},
    }


def _message(event: type[Event]) -> Document:
    key = event.model_json_schema(mode="serialization")["properties"][event.key]
    marks = _describe_deprecation(event.deprecation) if event.deprecation else {}
    return {
        "name": event.event_type,
        "summary": (event.__doc__ or event.__name__).strip().splitlines()[0],
        "headers": {"$ref": "#/components/schemas/cloudevent"},
        "payload": {"$ref": f"events/{event.event_type}.json"},
        "bindings": {
            "kafka": {
                "key": {"type": key["type"], "description": f"`{event.key}` of the payload"},
                "bindingVersion": "0.5.0",
            }
        },
        **marks,
    }


def _describe_deprecation(deprecation: Deprecation) -> Document:
    """Return the members of a message object: AsyncAPI 3.0 has `deprecated` in schemas alone."""
    return {
        "description": deprecation.describe_term(),
        "x-deprecation": {
            "since": deprecation.since.isoformat(),
            "sunset": deprecation.sunset.isoformat(),
            "successor": deprecation.successor,
        },
    }


_CLOUDEVENT: Document = {
    "type": "object",
    "required": [
        *("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type", "proof"),
    ],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid"},
        "ce_source": {"type": "string", "format": "uri-reference"},
        "ce_type": {"type": "string"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_traceparent": {"type": "string"},
        "content-type": {"const": "application/json"},
        "proof": {"type": "string", "contentEncoding": "base64"},
    },
}


def _name(dotted: str) -> str:
    return dotted.replace(".", "_")


def text_of(document: Document) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def write_schemas(folder: Path = FOLDER) -> None:
    """Delete the files of events that are no longer sent."""
    (folder / "events").mkdir(parents=True, exist_ok=True)
    wanted = documents()
    for old in (folder / "events").glob("*.json"):
        if f"events/{old.name}" not in wanted:
            old.unlink()
    for name, document in wanted.items():
        (folder / name).write_text(text_of(document))


if __name__ == "__main__":
    # Before identity_service is imported, whose own description names the operations.
    GRANT_RULES.write_text(text_of(serialise_grant_rules()))
    write_schemas()
    topics.FILE.write_text(topics.topics_text())
    print(f"{len(documents())} documents in {FOLDER}")

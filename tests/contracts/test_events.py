"""What others built on stays: the shapes of the events, their wire form and their topics."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from jsonschema import (  # type: ignore[import-untyped]  # has no types of its own
    Draft202012Validator,
    FormatChecker,
)

from deploy.schemas import (
    ASYNCAPI,
    FOLDER,
    Document,
    documents,
    event_schema,
    text_of,
    write_schemas,
)
from deploy.topics import FILE, topics_text
from shared.events import ALL_TOPICS, EVENTS, Event
from shared.messaging.event_proofs import Message
from shared.messaging.outbox import _build_row
from shared.messaging.topics import TOPIC_TABLE
from tests.contracts.written import REGENERATE, committed
from tests.support.event_keys import SIGNERS

DOCUMENTS = documents()
INCOMPATIBLE = (
    "others read this event as it was: add a new type (….v2) beside it and send both."
    f" If nobody reads it yet, {REGENERATE}"
)


def breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Why a reader of `old` could fail on what a writer of `new` sends, or the other way round."""
    was, is_ = old["properties"], new["properties"]
    found = [f"`{name}` was removed or renamed" for name in was if name not in is_]
    found += [
        f"`{name}` has another type"
        for name in was
        if name in is_ and _type(was[name], old) != _type(is_[name], new)
    ]
    # A new reader still meets old messages: in replays, and while the writer is not yet renewed.
    newly = _required(new) - _required(old)
    return found + [f"`{name}` is newly required" for name in sorted(newly)]


def _type(shape: Any, whole: Mapping[str, Any]) -> Any:
    """Without the titles and texts, with what `$ref` points to."""
    if isinstance(shape, list):
        return [_type(part, whole) for part in shape]
    if not isinstance(shape, Mapping):
        return shape
    if "$ref" in shape:
        return _type(whole["$defs"][shape["$ref"].rpartition("/")[2]], whole)
    told = ("title", "description", "default")
    return {name: _type(part, whole) for name, part in shape.items() if name not in told}


def _required(schema: Mapping[str, Any]) -> set[str]:
    """Fields that a reader insists on: those without a default."""
    return {name for name, shape in schema["properties"].items() if "default" not in shape}


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_event_is_still_what_others_read(event: type[Event]) -> None:
    found = breaks(committed(f"events/{event.event_type}.json"), event_schema(event))
    assert not found, f"{event.event_type}: {', '.join(found)}; {INCOMPATIBLE}"


def test_no_event_was_given_up() -> None:
    names = {path.stem for path in (FOLDER / "events").glob("*.json")}
    assert names - set(EVENTS) == set(), INCOMPATIBLE


@pytest.mark.parametrize(("name", "document"), DOCUMENTS.items(), ids=DOCUMENTS)
def test_written_document_is_current(name: str, document: Document) -> None:
    assert committed(name) == json.loads(text_of(document)), REGENERATE


def test_writing_twice_changes_nothing_and_what_is_gone_goes(tmp_path: Path) -> None:
    write_schemas(tmp_path)
    first = {path.name: path.read_text() for path in tmp_path.rglob("*.json")}
    (tmp_path / "events" / "dossier.burnt.v1.json").write_text("{}")
    write_schemas(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.rglob("*.json")} == first


OLD = {
    "properties": {
        "code": {"type": "string", "title": "Code"},
        "fee": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
    }
}
CHANGES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "none": ({}, []),
    "another title": ({"code": {"type": "string", "title": "Mã"}}, []),
    "new optional field": ({"note": {"type": "string", "default": ""}}, []),
    "new required field": ({"note": {"type": "string"}}, ["`note` is newly required"]),
    "default taken away": (
        {"fee": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
        ["`fee` is newly required"],
    ),
    "other type": ({"code": {"type": "integer"}}, ["`code` has another type"]),
    "may now be null": (
        {"code": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
        ["`code` has another type"],
    ),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_comparison_finds_what_breaks_a_reader(change: dict[str, Any], expected: list[str]) -> None:
    assert breaks(OLD, {"properties": OLD["properties"] | change}) == expected


def test_comparison_finds_what_was_removed_or_renamed() -> None:
    without = {"properties": {"code": OLD["properties"]["code"]}}
    assert breaks(OLD, without) == ["`fee` was removed or renamed"]


def sample(event: type[Event]) -> Event:
    """Any event of that type: each field by the first of its types."""
    values: dict[str, object] = {
        "string": "H26",
        "integer": 3,
        "boolean": True,
        "array": ["H26"],
        "date": date(2026, 11, 2),
        "date-time": datetime(2026, 11, 2, 8, 30, tzinfo=UTC),
        "uuid": UUID("0193a5c8-0000-4000-8000-000000000001"),
    }
    shapes = event.model_json_schema()["properties"]
    first = {name: shape.get("anyOf", [shape])[0] for name, shape in shapes.items()}
    return event.model_validate(
        {
            name: shape["enum"][0]
            if "enum" in shape
            else values[shape.get("format", shape["type"])]
            for name, shape in first.items()
        }
    )


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_message_is_a_cloud_event_of_the_written_shape(event: type[Event]) -> None:
    sent = _build_row(sample(event), source="/dossier_service", trace={})
    headers = {name: content.encode() for name, content in sent.headers.items()}
    received = from_binary(KafkaMessage(headers, sent.key.encode(), sent.value), JSONFormat())
    assert received.get_type() == event.event_type
    assert received.get_id() == str(sent.id)
    assert received.get_datacontenttype() == "application/json"
    schema = committed(f"events/{event.event_type}.json")
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(received.get_data())
    cloudevent = committed(ASYNCAPI)["components"]["schemas"]["cloudevent"]
    [proof] = SIGNERS[event.publisher].prove([Message(event.topic, b"key", sent.value, ())])
    told = sent.headers | {"proof": proof.decode()}
    Draft202012Validator(cloudevent).validate(told)
    assert told.keys() <= cloudevent["properties"].keys()


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_event_has_its_key_a_version_and_a_versioned_name(event: type[Event]) -> None:
    assert event.key in event.model_fields
    assert "version" in event.model_fields
    assert event.event_type.rpartition(".")[2] == "v1"


def test_asyncapi_names_every_event_on_its_topic() -> None:
    document = committed(ASYNCAPI)
    named = {
        channel["address"]: set(channel["messages"]) for channel in document["channels"].values()
    }
    expected: dict[str, set[str]] = {}
    for name, event in EVENTS.items():
        expected.setdefault(event.topic, set()).add(name.replace(".", "_"))
    assert named == expected
    for message in document["components"]["messages"].values():
        assert (FOLDER / message["payload"]["$ref"]).exists()


def test_topics_are_those_of_the_events() -> None:
    assert set(TOPIC_TABLE) == ALL_TOPICS


def test_written_topics_are_those_in_use() -> None:
    assert topics_text() == FILE.read_text(), REGENERATE

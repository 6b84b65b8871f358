"""Deprecated events are marked in the published documents, and docs list all that is deprecated."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import ClassVar

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # has no types

from deploy.schemas import asyncapi, event_schema
from gateway.operations.table import OPERATIONS
from shared.codes.deprecation import MIN_DAYS_TO_SUNSET, Deprecation
from shared.events import EVENTS, FeePaid, ResultIssued
from tests.contracts.test_events import breaks

TEXT = (Path(__file__).parents[2] / "docs/en/explanation/versions.md").read_text(encoding="utf-8")
MARK = Deprecation(date(2026, 11, 2), date(2027, 11, 2), ResultIssued.event_type)


class LeavingFeePaid(FeePaid):
    """The event with a mark; without a type of its own it is not registered."""

    deprecation: ClassVar[Deprecation | None] = MARK


def test_deprecated_event_is_marked_in_its_schema_and_breaks_no_reader() -> None:
    schema = event_schema(LeavingFeePaid)
    Draft202012Validator.check_schema(schema)
    assert schema["deprecated"] is True
    assert "deprecated" not in event_schema(FeePaid)
    assert breaks(event_schema(FeePaid), schema) == []


def test_deprecated_event_is_marked_in_the_asyncapi_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FeePaid, "deprecation", MARK)
    messages = asyncapi()["components"]["messages"]
    marked = {
        message["name"]: message for message in messages.values() if "x-deprecation" in message
    }
    assert set(marked) == {FeePaid.event_type}
    message = marked[FeePaid.event_type]
    assert message["x-deprecation"] == {
        "since": "2026-11-02",
        "sunset": "2027-11-02",
        "successor": ResultIssued.event_type,
    }
    assert message["description"] == MARK.describe_term()


def list_deprecations() -> Iterator[tuple[str, Deprecation | None]]:
    yield from ((name, operation.deprecation) for name, operation in OPERATIONS.items())
    yield from ((name, event.deprecation) for name, event in EVENTS.items())


def read_table(text: str) -> set[tuple[str, ...]]:
    """Return the rows of the section on present deprecations."""
    section = text.partition("</a>Deprecated now")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.+) \|$", section, re.MULTILINE)
    return {tuple(cell.strip(" `") for cell in row.split("|")) for row in rows}


def test_guide_lists_what_is_deprecated_and_nothing_else() -> None:
    marked = {
        (name, mark.since.isoformat(), mark.sunset.isoformat(), mark.successor)
        for name, mark in list_deprecations()
        if mark
    }
    assert read_table(TEXT) == marked
    assert ("Nothing is." in TEXT) is (not marked)
    assert {row[3] for row in marked} <= {*OPERATIONS, *EVENTS}


def test_rows_of_the_guide_are_read() -> None:
    row = "| `dossier.moved.v1` | 2026-11-02 | 2027-11-02 | `dossier.moved.v2` |"
    text = TEXT.replace("|---|---|---|---|\n\nNothing", f"|---|---|---|---|\n{row}\n\nNothing")
    assert read_table(text) == {
        ("dossier.moved.v1", "2026-11-02", "2027-11-02", "dossier.moved.v2")
    }


def test_guide_states_the_term_that_the_code_demands() -> None:
    rows = re.findall(r"^\| (operation|event) \| (\d+) days", TEXT, re.MULTILINE)
    assert dict(rows) == dict.fromkeys(("operation", "event"), str(MIN_DAYS_TO_SUNSET))

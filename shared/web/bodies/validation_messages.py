"""Describe the faults of a refused request by their correction, without repeating a value."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from shared.web.bodies.schema_navigator import Schema, SchemaNavigator

MAX_FAULTS: Final = 20

ErrorDetails = Mapping[str, Any]


@dataclass(frozen=True)
class RefusedBody:
    """A large body that was refused outside the event loop.

    `errors` are the first `MAX_FAULTS` of its `count` faults, as pydantic reports them.
    """

    errors: Sequence[ErrorDetails]
    count: int


def list_faults(
    errors: Iterable[ErrorDetails], count: int, shape: SchemaNavigator
) -> dict[str, Any]:
    """Return the members `errors`, the first faults, and `more`, the number of all others."""
    named = [describe_fault(error, shape) for error in islice(errors, MAX_FAULTS)]
    more = {"more": count - len(named)} if count > len(named) else {}
    return {"errors": named} | more


def describe_fault(error: ErrorDetails, shape: SchemaNavigator) -> dict[str, str]:
    """Return place and correction of one fault, from the schema of the request.

    Neither the value, which may be personal, nor the name of an unknown field is repeated.
    """
    place, what = [str(part) for part in error["loc"]], error["msg"].removeprefix("Value error, ")
    match error["type"]:
        case "extra_forbidden":
            place[-1] = "(unknown field)"
            if known := shape.at(error["loc"][:-1]).get("properties"):
                what = f"Leave it out; the fields here are: {', '.join(known)}"
        case "string_pattern_mismatch":
            what = _describe_form(shape.at(error["loc"])) or what
        case "int_type" | "enum" | "literal_error" | "value_error" if options := shape.at(
            error["loc"]
        ).get("enum"):
            what = f"Send one of {', '.join(map(str, options))}, of type {_name_type(options)}"
        case "model_type" | "model_attributes_type" | "dict_type":
            what = "Send a JSON object, {…}"
        case "list_type":
            what = "Send a JSON array, […]"
        case "uuid_parsing":
            what = what.partition(",")[0]  # the rest repeats a character of the value
        case "union_tag_invalid":
            what = f"Input should be one of {error['ctx']['expected_tags']}"
        case "json_invalid":
            place, what = place[:1], f"Not JSON that can be read: {error['ctx']['error']}"
    return {"at": ".".join(place), "is": what}


def _describe_form(text: Schema) -> str | None:
    """Describe the expected form by description and example; add the pattern without the former."""
    hints = [text["description"]] if "description" in text else []
    hints += [f"for instance {example}" for example in text.get("examples", ())[:1]]
    if hints and "description" not in text and "pattern" in text:
        hints.append(f"pattern {text['pattern']}")
    return f"Not of the expected form: {'; '.join(hints)}" if hints else None


def _name_type(options: Sequence[object]) -> str:
    return "integer" if all(isinstance(option, int) for option in options) else "string"

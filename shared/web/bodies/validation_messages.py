"""Describe the faults of a refused request by their correction, without repeating a value."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from pydantic_core import PydanticKnownError

from shared.texts.translatable import Translatable
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
    place, correction = [str(part) for part in error["loc"]], _read_message(error)
    match error["type"]:
        case "extra_forbidden":
            place[-1] = "(unknown field)"
            if known := shape.at(error["loc"][:-1]).get("properties"):
                correction = Translatable(
                    "Leave it out; the fields here are: {fields}", fields=", ".join(known)
                )
        case "string_pattern_mismatch":
            correction = _describe_form(shape.at(error["loc"])) or correction
        case "int_type" | "enum" | "literal_error" | "value_error" if options := shape.at(
            error["loc"]
        ).get("enum"):
            correction = _describe_choice(options)
        case "model_type" | "model_attributes_type" | "dict_type":
            correction = Translatable("Send a JSON object, {…}")
        case "list_type":
            correction = Translatable("Send a JSON array, […]")
        case "union_tag_invalid":
            tags = error["ctx"]["expected_tags"]
            correction = Translatable("Input should be one of {tags}", tags=tags)
        case "json_invalid":
            reason = error["ctx"]["error"]
            place = place[:1]
            if not isinstance(reason, Translatable):
                reason = Translatable.of_library(reason)
            correction = Translatable("Not JSON that can be read: {reason}", reason=reason)
    return {"at": ".".join(place), "is": correction}


def _read_message(error: ErrorDetails) -> Translatable:
    """Return the text of a ValueError of ours, or of pydantic with its template."""
    context = error.get("ctx", {})
    match error["type"], context:
        case "value_error", {"error": ValueError(args=(Translatable() as text,))}:
            return text
        case "uuid_parsing", _:
            # The rest repeats a character of the value.
            return Translatable("Input should be a valid UUID")
    text = error["msg"].removeprefix("Value error, ")
    return Translatable.of_library(text, _find_template(error["type"], context), context)


def _find_template(name: Any, context: dict[str, Any]) -> str | None:
    """Return the template of a text of pydantic, None where the rule is ours."""
    try:
        return PydanticKnownError(name, context or None).message_template
    except KeyError:
        return None


def _describe_form(text: Schema) -> Translatable | None:
    """Describe the expected form by description and example; add the pattern without the former."""
    hints = [Translatable.of_library(text["description"])] if "description" in text else []
    hints += [
        Translatable("for instance {example}", example=example)
        for example in text.get("examples", ())[:1]
    ]
    if hints and "description" not in text and "pattern" in text:
        hints.append(Translatable("pattern {pattern}", pattern=text["pattern"]))
    if not hints:
        return None
    return Translatable(
        "Not of the expected form: {hints}", hints=Translatable.join_texts(hints, "; ")
    )


def _describe_choice(options: Sequence[object]) -> Translatable:
    listed = ", ".join(map(str, options))
    if all(isinstance(option, int) for option in options):
        return Translatable("Send one of {options}, of type integer", options=listed)
    return Translatable("Send one of {options}, of type string", options=listed)

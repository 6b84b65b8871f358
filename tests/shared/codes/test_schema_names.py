"""An enum keeps its published name, under whichever name the code uses it."""

from enum import StrEnum

from pydantic import BaseModel

from shared.codes.schema_names import publish_as


@publish_as("Colour")
class _PaintColour(StrEnum):
    RED = "red"


class _Paint(BaseModel):
    colour: _PaintColour


def test_enum_is_published_under_the_name_that_clients_know() -> None:
    schema = _Paint.model_json_schema()
    assert schema["$defs"] == {"Colour": {"enum": ["red"], "title": "Colour", "type": "string"}}
    assert schema["properties"]["colour"] == {"$ref": "#/$defs/Colour"}


def test_values_are_read_as_members_of_the_class() -> None:
    assert _Paint.model_validate_json('{"colour":"red"}').colour is _PaintColour.RED

"""Numbered values are published with their names."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from shared.codes.enum_names import NamedIntEnum, name_values


class _Size(NamedIntEnum):
    """The size of a form."""

    SMALL = 1
    LARGE = 2


class _Form(BaseModel):
    size: _Size
    side: Annotated[Literal[1, 2], Field(json_schema_extra=name_values(("FRONT", "BACK")))]


def test_schema_of_an_enum_holds_the_names_of_its_members() -> None:
    schema = _Form.model_json_schema()
    assert schema["properties"]["size"] == {"$ref": "#/$defs/_Size"}
    assert schema["$defs"]["_Size"] == {
        "enum": [1, 2],
        "title": "_Size",
        "type": "integer",
        "description": "The size of a form.",
        "x-enum-varnames": ["SMALL", "LARGE"],
        "x-enumNames": ["SMALL", "LARGE"],
    }


def test_schema_of_a_choice_holds_the_names_that_it_was_given() -> None:
    side = _Form.model_json_schema()["properties"]["side"]
    assert side["x-enum-varnames"] == side["x-enumNames"] == ["FRONT", "BACK"]


def test_values_are_read_and_written_as_numbers() -> None:
    form = _Form.model_validate_json('{"size":2,"side":1}')
    assert form.size is _Size.LARGE
    assert form.model_dump_json() == '{"size":2,"side":1}'

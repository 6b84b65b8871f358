"""List the texts of libraries that a problem may show."""

from collections.abc import Iterator
from http import HTTPStatus

from pydantic_core._pydantic_core import list_all_errors

# Titles of answers without a type of their own.
_STATUSES = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.INTERNAL_SERVER_ERROR,
)
# The reasons that `json` gives for a text that is not JSON.
_OF_JSON = (
    "Expecting value",
    "Expecting property name enclosed in double quotes",
    "Expecting ':' delimiter",
    "Expecting ',' delimiter",
    "Extra data",
    "Illegal trailing comma before end of array",
    "Illegal trailing comma before end of object",
    "Invalid control character at",
    "Invalid \\escape",
    "Invalid \\escape: ",
    "Invalid \\uXXXX escape",
    "Unterminated string starting at",
    "Unexpected UTF-8 BOM (decode using utf-8-sig)",
)
_OF_FASTAPI = ("There was an error parsing the body",)
# These concern values of Python, which no JSON becomes.
_OF_PYTHON = frozenset(
    {
        "arguments_type",
        "callable_type",
        "complex_str_parsing",
        "complex_type",
        "counter_type",
        "dataclass_exact_type",
        "dataclass_type",
        "default_factory_not_called",
        "deque_type",
        "ellipsis_error",
        "fraction_parsing",
        "fraction_type",
        "frozen_dict_type",
        "frozen_field",
        "frozen_instance",
        "frozen_set_type",
        "get_attribute_error",
        "is_instance_of",
        "is_subclass_of",
        "iterable_type",
        "iteration_error",
        "json_type",
        "mapping_type",
        "missing_argument",
        "missing_keyword_only_argument",
        "missing_positional_only_argument",
        "missing_sentinel_error",
        "multiple_argument_values",
        "named_tuple_type",
        "needs_python_object",
        "no_such_attribute",
        "ordered_dict_type",
        "recursion_loop",
        "set_item_not_hashable",
        "set_type",
        "tuple_type",
        "unexpected_keyword_argument",
        "unexpected_positional_argument",
        # `describe_fault` has a text of its own for these.
        "assertion_error",
        "json_invalid",
        "union_tag_invalid",
        "uuid_parsing",
        "value_error",
    }
)


def list_library_texts() -> Iterator[tuple[str, str]]:
    """Yield each text with the library that it comes from."""
    yield from ((status.phrase, "http") for status in _STATUSES)
    yield from ((text, "json") for text in _OF_JSON)
    yield from ((text, "fastapi") for text in _OF_FASTAPI)
    for error in list_all_errors():
        if error["type"] not in _OF_PYTHON:
            yield error["message_template_python"], "pydantic"

"""Find the path of the resource that an act of administration changes, for its record."""

import re
from collections.abc import Mapping

from gateway.operations.model import Operation
from shared.codes.persons.personal_numbers import holds_personal_number

_PATH = re.compile(rb"(?:/[A-Za-z0-9][A-Za-z0-9._~:-]{0,127}){1,8}")


def find_target_path(operation: Operation, parameters: Mapping[str, str]) -> str | None:
    """Return the path of the client, grant or other resource that the request names, or None."""
    template = operation.target_template
    return None if template is None else _drop_personal_path(template.format(**parameters))


def find_created_path(location: bytes | None) -> str | None:
    """Return the path of a created resource, from the header Location of the answer, or None."""
    if location is None or not _PATH.fullmatch(location):
        return None
    return _drop_personal_path(location.decode("ascii"))


def _drop_personal_path(path: str) -> str | None:
    """Return None for a path with a personal number: a mistaken path may name a person."""
    return None if holds_personal_number(path) else path

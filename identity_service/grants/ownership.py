from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from shared.codes.agency import AgencyCode

_OWNERS: TypeAdapter[dict[str, AgencyCode]] = TypeAdapter(dict[str, AgencyCode])


@cache
def _read_owners() -> Mapping[str, str]:
    text = (Path(__file__).with_name("data") / "owners.yaml").read_text(encoding="utf-8")
    return _OWNERS.validate_python(yaml.safe_load(text))


def find_owner(operation: str) -> str | None:
    """Return the agency that owns the data of `POST /identity/v1/…`; None for `*`."""
    _, _, path = operation.partition(" ")
    fitting = [beginning for beginning in _read_owners() if path.startswith(beginning)]
    return _read_owners()[max(fitting, key=len)] if fitting else None

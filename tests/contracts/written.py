"""The documents of deploy/schemas/ as they were last written."""

import json
from typing import Any

from deploy.schemas import FOLDER

REGENERATE = "`make schemas` writes deploy/schemas/ anew; commit what it changes"


def committed(name: str) -> dict[str, Any]:
    path = FOLDER / name
    assert path.exists(), f"{name} is new: {REGENERATE}"
    found: dict[str, Any] = json.loads(path.read_text())
    return found

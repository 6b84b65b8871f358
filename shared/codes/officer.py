"""The code of an officer, an id that the system of its agency gives it."""

from typing import Annotated, Final

from pydantic import Field

# There is no room for a name as people write it.
OFFICER_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"

OfficerCode = Annotated[
    str, Field(pattern=f"^{OFFICER_PATTERN}$", max_length=64, examples=["officer-17"])
]

"""The code of an officer, an id that the system of its agency gives it."""

from typing import Annotated, Final

from pydantic import Field

# The characters exclude blanks and accents, so that a person's name does not match.
OFFICER_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"

OfficerCode = Annotated[
    str, Field(pattern=f"^{OFFICER_PATTERN}$", max_length=64, examples=["officer-17"])
]

"""The code of a step, such as a desk or a phase, which the processing agency chooses itself."""

from typing import Annotated, Final

from pydantic import Field

from shared.codes.persons.personal_numbers import NoPersonalNumber

# The characters exclude blanks and accents, so that a written name of a person does not match.
STEP_PATTERN: Final = r"[A-Za-z][A-Za-z0-9._-]{0,39}"

StepCode = Annotated[str, Field(pattern=f"^{STEP_PATTERN}$", examples=["stamp"]), NoPersonalNumber]

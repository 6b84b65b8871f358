"""The code of a step, a desk or a phase in the words of the agency that handles the dossier."""

from typing import Annotated, Final

from pydantic import Field

from shared.codes.persons.personal_numbers import NoPersonalNumber

# There is no room for a name as people write it, but for one that is written as a code.
STEP_PATTERN: Final = r"[A-Za-z][A-Za-z0-9._-]{0,39}"

StepCode = Annotated[str, Field(pattern=f"^{STEP_PATTERN}$", examples=["stamp"]), NoPersonalNumber]

"""Define the base models and field types that the schemas of several features share."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.codes.persons.personal_numbers import NoPersonalNumber
from shared.codes.persons.texts import ONE_LINE, single_line
from shared.web.bodies.response_model import ResponseModel
from shared.web.bodies.strict_parsing import StrictModel

MAX_NAMED_GRANTS = 20
Name = Annotated[str, single_line(300), ONE_LINE, NoPersonalNumber]
ClientId = Annotated[
    str,
    Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{1,62})[a-z0-9]$", examples=["onestop-h26"]),
    NoPersonalNumber,
]

PROPOSED_DESCRIPTION = "The act waits until a second operator sends the same request"


class RequestModel(StrictModel):
    model_config = ConfigDict(frozen=True)


class PendingActOut(ResponseModel):
    """State an act that waits until `expires_at` for the same request of a second operator."""

    proposed_by: str
    proposed_at: datetime
    expires_at: datetime


class EndedGrantsOut(BaseModel):
    """List the grants that one act ended in one transaction; all have the same `revoked_at`."""

    ended_grants: list[UUID] = Field(
        max_length=MAX_NAMED_GRANTS,
        description=f"ids of the first {MAX_NAMED_GRANTS} grants that this act ended",
    )
    ended_count: int = Field(ge=0, description="number of all grants that this act ended")

    @staticmethod
    def build_ended_members(ended: Sequence[UUID]) -> dict[str, Any]:
        """Return the two members of this model."""
        return {"ended_grants": ended[:MAX_NAMED_GRANTS], "ended_count": len(ended)}

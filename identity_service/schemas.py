"""The models and texts that the schemas of several features share."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.codes.persons.personal_numbers import NoPersonalNumber
from shared.codes.persons.texts import ONE_LINE, single_line
from shared.web.bodies.strict_parsing import StrictModel
from shared.web.pagination import MAX_PAGE_ITEMS, Cursor, PageQuery, name_filtered_list

MAX_NAMED_GRANTS = 20
Name = Annotated[str, single_line(300), ONE_LINE, NoPersonalNumber]
ClientId = Annotated[
    str,
    Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{1,62})[a-z0-9]$", examples=["onestop-h26"]),
    NoPersonalNumber,
]


class RequestModel(StrictModel):
    model_config = ConfigDict(frozen=True)


class FilterModel(BaseModel):
    """Of a list, with the words of paging: beside a `Paging` it would have to let any word pass."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(50, ge=1, le=MAX_PAGE_ITEMS, description="how many at most")
    after: Cursor | None = Field(None, description="`next` of the page before")

    @property
    def paging(self) -> PageQuery:
        of_list = name_filtered_list(type(self).__name__, self)
        return PageQuery.of(self.limit, self.after, of_list=of_list)


class ResponseModel(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class PendingActOut(ResponseModel):
    """An act that waits, until `expires_at`, for a second operator to send the same request."""

    proposed_by: str
    proposed_at: datetime
    expires_at: datetime


class EndedGrantsOut(BaseModel):
    """The grants that ended by one act, in one transaction: `revoked_at` is the same in each."""

    ended_grants: list[UUID] = Field(
        max_length=MAX_NAMED_GRANTS,
        description=f"the grants that ended by this act, the first {MAX_NAMED_GRANTS} of them",
    )
    ended_count: int = Field(ge=0, description="of all grants that ended by this act")

    @staticmethod
    def name_ended(ended: Sequence[UUID]) -> dict[str, Any]:
        """Return the two members of this model."""
        return {"ended_grants": ended[:MAX_NAMED_GRANTS], "ended_count": len(ended)}

"""Define the request bodies, filters and responses of clients and their keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field

from identity_service.clients.jwk import KEY_ID
from identity_service.clients.models import Client
from identity_service.schemas import (
    ClientId,
    EndedGrantsOut,
    Name,
    PendingActOut,
    RequestModel,
)
from shared.codes.agency import AgencyCode
from shared.web.bodies.response_model import ResponseModel
from shared.web.pagination import ListFilter

ClientKind = Literal["sandbox", "production"]
KeyId = Annotated[str, Field(pattern=KEY_ID, examples=["signing-2026"])]


class ClientFilter(ListFilter):
    agency: AgencyCode | None = None
    kind: ClientKind | None = None
    operator: bool | None = None
    active: bool | None = None


class ClientIn(RequestModel):
    """Only sandbox clients have secrets; an operator runs the mesh and may be of either kind."""

    client_id: ClientId
    agency: AgencyCode
    name: Name
    kind: ClientKind
    operator: bool = False


class KeyOut(ResponseModel):
    kid: str
    jwk: dict[str, str]
    added_at: datetime


class ProposalOut(PendingActOut):
    """State an act on a client or grant that waits for the same request of a second operator."""

    client_id: str = Field(validation_alias="target")
    act: Literal["add-key", "remove-key", "deactivate", "revoke-grant"]


class ClientOut(ResponseModel):
    client_id: str
    version: int
    agency: str
    name: str
    kind: ClientKind
    operator: bool
    active: bool
    keys: list[KeyOut]


class DeactivationOut(EndedGrantsOut, ClientOut):
    """Show the deactivated client and the ended grants that it had given to others."""

    @classmethod
    def from_client(cls, client: Client, ended: Sequence[UUID]) -> Self:
        return cls(
            **ClientOut.model_validate(client).model_dump(), **cls.build_ended_members(ended)
        )

"""The answers of the acts that end several grants together."""

from collections.abc import Sequence
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from identity_service.clients.models import Client
from identity_service.clients.schemas import ClientOut
from identity_service.grants.models import Grant
from identity_service.grants.schemas import GrantOut

MAX_NAMED = 20


class _EndOut(BaseModel):
    """The grants that ended by one act, in one transaction: `revoked_at` is the same in each."""

    ended_grants: list[UUID] = Field(
        max_length=MAX_NAMED,
        description=f"the grants that ended by this act, the first {MAX_NAMED} of them",
    )
    ended_count: int = Field(ge=0, description="of all grants that ended by this act")


class RevocationOut(_EndOut, GrantOut):
    """The revoked grant; those that rested on it ended too."""

    @classmethod
    def from_grants(cls, ended: Sequence[Grant]) -> Self:
        """Take the revoked grant from the first place."""
        return cls(**GrantOut.model_validate(ended[0]).model_dump(), **_name_ended(ended))


class DeactivationOut(_EndOut, ClientOut):
    """The client; the grants that it gave to others ended."""

    @classmethod
    def from_client(cls, client: Client, ended: Sequence[Grant]) -> Self:
        return cls(**ClientOut.model_validate(client).model_dump(), **_name_ended(ended))


def _name_ended(ended: Sequence[Grant]) -> dict[str, Any]:
    named = [grant.id for grant in ended[:MAX_NAMED]]
    return {"ended_grants": named, "ended_count": len(ended)}

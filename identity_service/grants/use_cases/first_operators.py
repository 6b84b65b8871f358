"""Register the operators with which an installation begins, before any caller can do it."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, model_validator
from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.agencies.use_cases import require_open_agencies
from identity_service.clients.jwk import PublicJwk
from identity_service.clients.use_cases.installation import register_operator
from identity_service.clients.use_cases.operators import has_operators, lock_client_acts
from identity_service.grants import repository
from identity_service.grants.grant_rules import ANY_OPERATION
from identity_service.grants.legal_bases import LegalBasisCitation
from identity_service.grants.models import Grant
from identity_service.schemas import ClientId, Name
from shared.codes.agency import AgencyCode
from shared.codes.officer import OfficerCode
from shared.codes.persons.personal_numbers import NoPersonalNumber
from shared.crypto.thumbprint import compute_thumbprint
from shared.messaging.outbox import publish_events

MIN_OPERATORS = 2
# The giver of their grants, as it is stored and published; no client can have this id.
REGISTERED_BY = "identity_service.operators"


class OperatorsExistError(ValueError):
    """Refuse the registration, because the installation has operators that register others."""


class FirstOperators(BaseModel):
    """Name the operators to register, their keys by client id, and the responsible officer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agency: AgencyCode
    name: Name
    officer: Annotated[OfficerCode, NoPersonalNumber]
    legal_basis: LegalBasisCitation
    keys: dict[ClientId, PublicJwk]

    @model_validator(mode="after")
    def require_two_persons(self) -> "FirstOperators":
        if len(self.keys) < MIN_OPERATORS:
            raise ValueError("name two operators or more, since acts on clients need two")
        if len({compute_thumbprint(key.root) for key in self.keys.values()}) < len(self.keys):
            raise ValueError("give each operator a key of its own, held by another person")
        return self


async def register_first_operators(
    session: AsyncSession, first: FirstOperators, *, now: datetime, today: date
) -> Sequence[str]:
    """Add the clients with their keys and an unlimited grant each; return their ids.

    Raise OperatorsExistError where there are operators.
    """
    await lock_client_acts(session)
    if await has_operators(session):
        raise OperatorsExistError(
            "this installation has operators, which register others by the API; where they have"
            " lost their keys, run python -m identity_service clients register-key"
        )
    await require_open_agencies(session, [first.agency], None, today)
    for client_id, key in first.keys.items():
        await register_operator(
            session, client_id, key.root, agency=first.agency, name=first.name, now=now
        )
        _add_unlimited_grant(session, first, client_id, now=now)
    return list(first.keys)


def _add_unlimited_grant(
    session: AsyncSession, first: FirstOperators, client_id: str, *, now: datetime
) -> None:
    grant = Grant(
        id=uuid4(),
        version=1,
        client_id=client_id,
        operations=[ANY_OPERATION],
        valid_from=now,
        legal_basis=first.legal_basis,
        given_by=REGISTERED_BY,
        given_by_officer=first.officer,
        given_at=now,
    )
    session.add(grant)
    publish_events(session, grant.build_event(now))


async def has_first_operators(session: AsyncSession) -> bool:
    """Return whether the installation has operators that the command registered."""
    return await repository.has_given_grants(session, REGISTERED_BY)

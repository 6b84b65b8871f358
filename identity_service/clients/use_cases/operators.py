from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.clients import repository
from identity_service.clients.models import Client, ClientKey
from identity_service.clients.problems import LastOperator, OperatorsOnly
from identity_service.clients.use_cases.client_grants import GivenGrants
from shared.texts.translatable import Translatable
from shared.web.calls.auth import CallContext


async def lock_client_acts(session: AsyncSession) -> None:
    """Serialize acts on keys, clients and the rights of operators until the transaction ends."""
    await repository.lock_client_acts(session)


async def has_operators(session: AsyncSession) -> bool:
    """Return whether any client is an operator, active or not."""
    return await repository.has_operators(session)


async def is_active_operator(session: AsyncSession, client_id: str) -> bool:
    return await repository.is_active_operator(session, client_id)


async def is_operator(session: AsyncSession, caller: CallContext) -> bool:
    """Return whether the caller is an active operator now.

    The registry decides, because the token may be ten minutes old.
    """
    return await repository.is_active_operator(session, caller.client)


async def require_operator(session: AsyncSession, caller: CallContext) -> None:
    if not await is_operator(session, caller):
        raise OperatorsOnly(Translatable("Ask the operator of the mesh to do it."))


async def require_operator_left(
    session: AsyncSession, grants: GivenGrants, *, without: Client | ClientKey | UUID
) -> None:
    """Raise LastOperator where the act would leave no operator with a key and an unlimited grant.

    The act ends the client, the key or the grant with the id `without`. Where there is no such
    operator before the act either, the act is allowed. The caller holds `lock_client_acts`.
    """
    operators = await repository.list_operators(session)
    unlimited = await grants.list_unlimited_grants(
        session, [operator.client_id for operator in operators]
    )
    before = {
        operator.client_id
        for operator in operators
        if _can_sign_on(operator, None) and _has_unlimited_grant(operator, unlimited, None)
    }
    after = {
        operator.client_id
        for operator in operators
        if operator is not without
        and _can_sign_on(operator, without)
        and _has_unlimited_grant(operator, unlimited, without)
    }
    if before and not after:
        raise LastOperator


def _can_sign_on(operator: Client, without: object) -> bool:
    return operator.secret_digest is not None or any(key is not without for key in operator.keys)


def _has_unlimited_grant(operator: Client, unlimited: Mapping[UUID, str], without: object) -> bool:
    return any(
        client_id == operator.client_id and grant_id != without
        for grant_id, client_id in unlimited.items()
    )

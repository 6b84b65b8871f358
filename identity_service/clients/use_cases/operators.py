from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from identity_service.clients import repository as client_store
from identity_service.clients.models import Client, ClientKey
from identity_service.clients.problems import LastOperator, OperatorsOnly
from identity_service.grants import repository as grant_store
from identity_service.grants.models import Grant
from shared.web.calls.auth import CallContext


async def is_operator(session: AsyncSession, caller: CallContext) -> bool:
    """By the registry as it is now, not by the token, which may be ten minutes old."""
    return await client_store.is_active_operator(session, caller.client)


async def require_operator(session: AsyncSession, caller: CallContext) -> None:
    if not await is_operator(session, caller):
        raise OperatorsOnly("Ask the operator of the mesh to do it.")


async def require_operator_left(
    session: AsyncSession, *, without: Client | ClientKey | Grant
) -> None:
    """Raise LastOperator where the act would leave no operator that can sign on and may do all.

    Where none is left before the act either, it takes nothing away and may happen. The caller
    holds `lock_client_acts`.
    """
    operators = await client_store.list_operators(session)
    powers = await grant_store.list_powers(session, [each.client_id for each in operators])
    before = {
        operator.client_id
        for operator in operators
        if _can_sign_on(operator, None) and _has_power(operator, powers, None)
    }
    after = {
        operator.client_id
        for operator in operators
        if operator is not without
        and _can_sign_on(operator, without)
        and _has_power(operator, powers, without)
    }
    if before and not after:
        raise LastOperator


def _can_sign_on(operator: Client, without: object) -> bool:
    return operator.secret_digest is not None or any(key is not without for key in operator.keys)


def _has_power(operator: Client, powers: Sequence[Grant], without: object) -> bool:
    return any(grant.client_id == operator.client_id and grant is not without for grant in powers)

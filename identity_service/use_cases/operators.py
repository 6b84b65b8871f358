from sqlalchemy.ext.asyncio import AsyncSession

from identity_service import store
from identity_service.problems import OperatorsOnly
from shared.auth import CallContext


async def is_operator(session: AsyncSession, caller: CallContext) -> bool:
    """By the registry as it is now, not by the token, which may be ten minutes old."""
    client = await store.get_client(session, caller.client)
    return client is not None and client.active and client.operator


async def require_operator(session: AsyncSession, caller: CallContext) -> None:
    if not await is_operator(session, caller):
        raise OperatorsOnly("Ask the operator of the mesh to do it.")

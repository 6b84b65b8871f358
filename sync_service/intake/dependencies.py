from collections.abc import AsyncIterator

from fastapi import Depends, Request

from shared.web.calls.auth import Caller
from sync_service.intake.push_limiter import PushLimiter


async def _hold_push_slot(request: Request, caller: Caller) -> AsyncIterator[None]:
    limiter: PushLimiter = request.app.state.push_limiter
    async with limiter.acquire_slot(caller.client):
        yield


# A dependency of the route is entered before the session opens, and left after the commit.
PushSlotDep = Depends(_hold_push_slot, scope="function")

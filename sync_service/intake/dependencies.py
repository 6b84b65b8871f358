from collections.abc import AsyncIterator

from fastapi import Depends, Request

from shared.web.calls.auth import Caller
from sync_service.intake.push_limiter import PushLanes


async def _in_lane(request: Request, caller: Caller) -> AsyncIterator[None]:
    lanes: PushLanes = request.app.state.push_lanes
    async with lanes.enter(caller.client):
        yield


# A dependency of the route is entered before the session opens, and left after the commit.
InLane = Depends(_in_lane, scope="function")

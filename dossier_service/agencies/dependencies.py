"""The dependency of routes on the agencies in memory.

It is `async`, because FastAPI gives a thread to each dependency that is not.
"""

from typing import Annotated

from fastapi import Depends, Request

from dossier_service.agencies.cache import AgencyRegister


async def _register(request: Request) -> AgencyRegister:
    register: AgencyRegister = request.app.state.register
    return register


Register = Annotated[AgencyRegister, Depends(_register)]

"""The dependency of routes on the cache of agencies.

It is `async`, because FastAPI gives a thread to each dependency that is not.
"""

from typing import Annotated

from fastapi import Depends, Request

from dossier_service.agencies.cache import AgencyCache


async def _get_agency_cache(request: Request) -> AgencyCache:
    agencies: AgencyCache = request.app.state.agency_cache
    return agencies


AgencyCacheDep = Annotated[AgencyCache, Depends(_get_agency_cache)]

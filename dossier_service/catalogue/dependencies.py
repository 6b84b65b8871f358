"""The dependency of routes on the cache of procedures.

It is `async`, because FastAPI gives a thread to each dependency that is not.
"""

from typing import Annotated

from fastapi import Depends, Request

from dossier_service.catalogue.cache import ProcedureCache


async def _get_procedure_cache(request: Request) -> ProcedureCache:
    cache: ProcedureCache = request.app.state.procedure_cache
    return cache


ProcedureCacheDep = Annotated[ProcedureCache, Depends(_get_procedure_cache)]

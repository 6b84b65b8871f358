"""The dependency of routes on the procedures in memory.

It is `async`, because FastAPI gives a thread to each dependency that is not.
"""

from typing import Annotated

from fastapi import Depends, Request

from dossier_service.catalogue.cache import ProcedureShelf


async def _shelf(request: Request) -> ProcedureShelf:
    shelf: ProcedureShelf = request.app.state.shelf
    return shelf


Shelf = Annotated[ProcedureShelf, Depends(_shelf)]

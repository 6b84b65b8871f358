"""What the routes of this service ask for beside what every service's routes do.

All are `async`: FastAPI would give a thread to each of them that is not, for each request.
"""

from typing import Annotated

from fastapi import Depends, Request

from dossier_service.agencies.cache import AgencyRegister
from dossier_service.catalogue.cache import ProcedureShelf
from dossier_service.dossiers.use_cases.filing import FilingRules
from shared.codes.dossier import DOSSIER_CODE_LAYOUTS


async def _shelf(request: Request) -> ProcedureShelf:
    shelf: ProcedureShelf = request.app.state.shelf
    return shelf


async def _register(request: Request) -> AgencyRegister:
    register: AgencyRegister = request.app.state.register
    return register


async def _rules(request: Request) -> FilingRules:
    settings = request.app.state.settings
    return FilingRules(
        layout=DOSSIER_CODE_LAYOUTS[settings.dossier_code_layout],
        person_key=settings.person_hash_key.get_secret_value().encode(),
    )


Shelf = Annotated[ProcedureShelf, Depends(_shelf)]
Register = Annotated[AgencyRegister, Depends(_register)]
Rules = Annotated[FilingRules, Depends(_rules)]

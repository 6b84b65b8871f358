"""The tables of this service."""

from dossier_service.catalogue.models import (
    Agency,
    CatalogueImport,
    CurrentProcedure,
    ProcedureVersion,
)
from dossier_service.database import Base
from dossier_service.dossiers.models import (
    PROVISIONAL_OPEN,
    Dossier,
    DossierApplicant,
    DossierDocument,
    DossierFee,
    DossierParty,
    DossierResult,
    DossierSerial,
    DossierStep,
)

__all__ = [
    "PROVISIONAL_OPEN",
    "Agency",
    "Base",
    "CatalogueImport",
    "CurrentProcedure",
    "Dossier",
    "DossierApplicant",
    "DossierDocument",
    "DossierFee",
    "DossierParty",
    "DossierResult",
    "DossierSerial",
    "DossierStep",
    "ProcedureVersion",
]

"""List the operations of dossier_service."""

from gateway.operations.model import MIB, Service, read, write

DOSSIER_OPERATIONS = (
    read("/dossier/v1/procedures", Service.DOSSIER),
    read("/dossier/v1/procedures/{code}", Service.DOSSIER),
    write("/dossier/v1/dossiers", Service.DOSSIER, personal=True, body_limit=MIB),
    read("/dossier/v1/dossiers", Service.DOSSIER),
    read("/dossier/v1/dossiers/{code}", Service.DOSSIER, personal=True),
    read("/dossier/v1/dossiers/{code}/history", Service.DOSSIER),
    write("/dossier/v1/dossiers/{code}/transitions", Service.DOSSIER, personal=True),
    write("/dossier/v1/dossiers/{code}/progress", Service.DOSSIER, personal=True),
    write("/dossier/v1/dossiers/{code}/payments", Service.DOSSIER, personal=True),
    write("/dossier/v1/dossiers/{code}/results", Service.DOSSIER, personal=True),
)

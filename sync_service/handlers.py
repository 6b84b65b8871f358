from shared.events import (
    AgencyChanged,
    DossierFiled,
    DossierMoved,
    DossierProgressed,
    FeePaid,
    ProcedurePublished,
    ResultIssued,
)
from shared.messaging.consumer import Handlers
from sync_service.agencies.repository import project_procedures
from sync_service.national_view.projections import project_agencies, project_dossiers

HANDLERS: Handlers = {
    AgencyChanged: [project_agencies],
    DossierFiled: [project_dossiers],
    DossierMoved: [project_dossiers],
    DossierProgressed: [project_dossiers],
    FeePaid: [project_dossiers],
    ResultIssued: [project_dossiers],
    ProcedurePublished: [project_procedures],
}

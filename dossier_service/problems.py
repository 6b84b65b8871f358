"""What can be wrong with a request about dossiers; none of it repeats what an applicant gave."""

from http import HTTPStatus

from shared.problems import Problem


class ProcedureUnknown(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The catalogue holds no such procedure"
    type = "/problems/procedure-unknown"


class ProcedureNotFound(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "The catalogue holds no such procedure or version"
    type = "/problems/procedure-not-found"


class ChannelNotOffered(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The procedure is not offered through this channel"
    type = "/problems/channel-not-offered"


class AgencyUnknown(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The registry holds no such agency"
    type = "/problems/agency-unknown"


class AgencyClosed(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The agency does not act on this day"
    type = "/problems/agency-closed"


class FeeUnknown(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "No such fee is due here"
    type = "/problems/fee-unknown"


class AmountWrong(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "A fee is paid by its exact amount"
    type = "/problems/amount-wrong"


class FeePaidBefore(Problem):
    status = HTTPStatus.CONFLICT
    title = "The fee was paid before"
    type = "/problems/fee-paid-before"


class ReferenceUsed(Problem):
    status = HTTPStatus.CONFLICT
    title = "Another payment of this dossier has this reference"
    type = "/problems/payment-reference-used"


class PaymentRefused(Problem):
    status = HTTPStatus.CONFLICT
    title = "Nothing is paid for a dossier that was refused or returned"
    type = "/problems/payment-refused"


class FeeOpen(Problem):
    status = HTTPStatus.CONFLICT
    title = "A fee that must be paid first is open"
    type = "/problems/fee-open"


class ResultCodeUnknown(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The procedure has no such result"
    type = "/problems/result-code-unknown"


class ResultRefused(Problem):
    status = HTTPStatus.CONFLICT
    title = "No result can be given at this status"
    type = "/problems/result-refused"


class ResultMissing(Problem):
    status = HTTPStatus.CONFLICT
    title = "The procedure ends with a result, and none was given"
    type = "/problems/result-missing"


class DossierNotFound(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "There is no such dossier for this caller"
    type = "/problems/dossier-not-found"


class NotResponsible(Problem):
    status = HTTPStatus.FORBIDDEN
    title = "Another agency is responsible for the dossier now"
    type = "/problems/not-responsible"


class TransitionRefused(Problem):
    status = HTTPStatus.CONFLICT
    title = "The dossier cannot take this status now"
    type = "/problems/transition-refused"


class ReasonMissing(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "This change needs a reason"
    type = "/problems/reason-missing"


class TimeUnlikely(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "A dossier is filed within the past year, and not in the future"
    type = "/problems/time-unlikely"

"""The expected errors of requests for dossiers; none of them repeats data of an applicant."""

from http import HTTPStatus

from shared.web.problems import Problem


class ProcedureUnknown(Problem):
    """The code is not in the catalogue, or the procedure takes no dossiers on this day."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The catalogue holds no such procedure"
    type = "/problems/procedure-unknown"
    advice = "GET /dossier/v1/procedures finds the codes of procedures by their names."


class ChannelNotOffered(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The procedure is not offered through this channel"
    type = "/problems/channel-not-offered"
    advice = "Use a channel of `offered`."


class TermCaseUnknown(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The channel has no such case"
    type = "/problems/term-case-unknown"
    advice = "Use a code of `known`, or leave term_case out: the longest term then counts."


class TermCaseRefused(Problem):
    status = HTTPStatus.CONFLICT
    title = "Only filing and reception name the case of the term"
    type = "/problems/term-case-refused"
    advice = "Leave term_case out; the due date is set when the dossier is received."


class AgencyUnknown(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The registry holds no such agency"
    type = "/problems/agency-unknown"
    advice = "Look the codes up at GET /identity/v1/agencies."


class AgencyClosed(Problem):
    """The agency has ended, or begins later than this day."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The agency does not act at that time"
    type = "/problems/agency-closed"
    advice = "Name an agency that acts on this day, such as its `successor`."


class FeeUnknown(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "No such fee is due here"
    type = "/problems/fee-unknown"
    advice = "Use a code of `known`, the fees of this dossier."


class AmountWrong(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "A fee is paid by its exact amount"
    type = "/problems/amount-wrong"
    advice = "Pay exactly amount_vnd."


class FeePaidBefore(Problem):
    status = HTTPStatus.CONFLICT
    title = "The fee was paid before"
    type = "/problems/fee-paid-before"
    advice = "Nothing is left to pay of it."


class ReferenceUsed(Problem):
    status = HTTPStatus.CONFLICT
    title = "Another payment of this dossier has this reference"
    type = "/problems/payment-reference-used"
    advice = "Give each payment a reference of its own."


class PaymentRefused(Problem):
    status = HTTPStatus.CONFLICT
    title = "Nothing is paid for a dossier that was refused or returned"
    type = "/problems/payment-refused"
    advice = "Take payments while the dossier is under way."


class FeeOpen(Problem):
    status = HTTPStatus.CONFLICT
    title = "A fee that must be paid first is open"
    type = "/problems/fee-open"
    advice = "Take the payment of `fees` first."


class ResultCodeUnknown(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The procedure has no such result"
    type = "/problems/result-code-unknown"
    advice = "Use a code of `known`, the results of its procedure."


class ResultRefused(Problem):
    status = HTTPStatus.CONFLICT
    title = "No result can be given at this status"
    type = "/problems/result-refused"
    advice = "Move the dossier to a status that 9 may follow, such as 4, first."


class ResultMissing(Problem):
    status = HTTPStatus.CONFLICT
    title = "The procedure ends with a result, and none was given"
    type = "/problems/result-missing"
    advice = "Issue a result of `known` first."


class TooManyResults(Problem):
    status = HTTPStatus.CONFLICT
    title = "The dossier has as many results as one may have"
    type = "/problems/too-many-results"
    advice = "Return the dossier, or stop it, and file a new one for further results."


class TooManyChanges(Problem):
    status = HTTPStatus.CONFLICT
    title = "The dossier has as many changes as one may have"
    type = "/problems/too-many-changes"
    advice = "Only payments, results and moves that end it are left: end it, and file a new one."


class DossierNotFound(Problem):
    """No dossier has this code, or it lies outside the right."""

    status = HTTPStatus.NOT_FOUND
    title = "There is no such dossier for this caller"
    type = "/problems/dossier-not-found"
    advice = "Check the code; a dossier outside your right is treated as if it did not exist."


class PurposeOfAnotherProcedure(Problem):
    status = HTTPStatus.FORBIDDEN
    title = "The purpose is another procedure than the dossier's"
    type = "/problems/purpose-of-another-procedure"
    advice = "Send `procedure`, that of the dossier, or the code of a legal basis as X-Purpose."


class NotResponsible(Problem):
    status = HTTPStatus.FORBIDDEN
    title = "Another agency is responsible for the dossier now"
    type = "/problems/not-responsible"
    advice = "Ask responsible_agency to do it, or to hand the dossier over."


class TransitionRefused(Problem):
    status = HTTPStatus.CONFLICT
    title = "This status cannot follow the present one"
    type = "/problems/transition-refused"
    advice = "Move it to a status of `permitted`."


class ReasonMissing(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "This change needs a reason"
    type = "/problems/reason-missing"
    advice = "Give a code of `known`."


class TimeUnlikely(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The time of filing lies in the future, or more than a year ago"
    type = "/problems/time-unlikely"
    advice = "Leave out submitted_at where the dossier is filed now."

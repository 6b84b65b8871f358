from http import HTTPStatus

from shared.web.problems import Problem


class AgencyNotFound(Problem):
    """An unknown agency, or one outside the right: the caller cannot tell the two apart."""

    status = HTTPStatus.NOT_FOUND
    title = "No such agency"
    type = "/problems/agency-not-found"
    advice = "Look at the code; what lies outside the right does not exist for it."


class ProcedureNotFound(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "No such procedure"
    type = "/problems/procedure-not-found"
    advice = "Look at the code; what lies outside the right does not exist for it."

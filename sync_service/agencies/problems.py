from http import HTTPStatus

from shared.web.problems import Problem


class AgencyNotFound(Problem):
    """An unknown agency, or one outside the right: the caller cannot tell the two apart."""

    status = HTTPStatus.NOT_FOUND
    title = "No such agency"
    type = "/problems/agency-not-found"
    advice = "Check the code; an agency outside your right is treated as if it did not exist."


class ProcedureNotFound(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "There is no such procedure"
    type = "/problems/procedure-not-found"
    advice = "Check the code; a procedure outside your right is treated as if it did not exist."

"""The expected errors of requests for procedures."""

from http import HTTPStatus

from shared.web.problems import Problem


class ProcedureNotFound(Problem):
    """No procedure or version has this code."""

    status = HTTPStatus.NOT_FOUND
    title = "There is no such procedure"
    type = "/problems/procedure-not-found"
    advice = "GET /dossier/v1/procedures finds the codes of procedures by their names."

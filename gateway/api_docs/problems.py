"""Define the expected errors of the API pages."""

from http import HTTPStatus

from shared.web.problems import Problem


class ProblemTypeUnknown(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "No problem has this type"
    type = "/problems/problem-type-unknown"
    advice = "GET /problems lists the types."

"""Define the expected errors of every call; each states how to correct the request."""

from http import HTTPStatus

from shared.web.problems import Problem


def format_seconds(count: float) -> str:
    return "1 second" if count == 1 else f"{count:g} seconds"


class RequestMalformed(Problem):
    status = HTTPStatus.BAD_REQUEST
    title = "The request is malformed"
    type = "/problems/request-malformed"

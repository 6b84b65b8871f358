"""The expected errors of every call of an operation; each says how to mend it."""

from http import HTTPStatus

from shared.web.problems import Problem


def format_seconds(count: float) -> str:
    return "1 second" if count == 1 else f"{count:g} seconds"


class RequestMalformed(Problem):
    status = HTTPStatus.BAD_REQUEST
    title = "The request cannot be passed on as it stands"
    type = "/problems/request-malformed"

"""Define the expected errors of every call; each states how to correct the request."""

from http import HTTPStatus

from shared.texts.translatable import Translatable
from shared.web.problems import Problem


def format_seconds(count: float) -> Translatable:
    if count == 1:
        return Translatable("1 second")
    return Translatable("{count:g} seconds", count=count)


class RequestMalformed(Problem):
    """A header, the query or the framing cannot be read, or could be read in two ways."""

    status = HTTPStatus.BAD_REQUEST
    title = "The request is malformed"
    type = "/problems/request-malformed"
    advice = (
        "Send the named header once, in UTF-8 and in its form; percent-encode the query; send the "
        "whole body."
    )

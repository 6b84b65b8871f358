"""The expected errors of agencies; each says how to mend it."""

from collections.abc import Collection, Iterable
from http import HTTPStatus

from shared.web.calls.auth import NotAllowed
from shared.web.problems import Problem

MAX_NAMED = 20


def named(names: Iterable[str]) -> list[str]:
    """Return the first names in order, as many as one answer holds."""
    return sorted(names)[:MAX_NAMED]


def refuse_beyond(name: str, own: Collection[str] | None) -> NotAllowed:
    """Return the refusal of a limit that lies beyond the caller's own."""
    return NotAllowed(
        f"Limit `{name}` to those that your own right covers. It lists the first of them.",
        **{name: named(own or ())},
    )


class AgencyNotFound(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "No such agency"
    type = "/problems/agency-not-found"
    advice = "GET /identity/v1/agencies lists those that this right reaches."


class AgenciesUnknown(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The registry does not know an agency that the request names"
    type = "/problems/agency-unknown"

    def __init__(self, codes: Iterable[str]) -> None:
        super().__init__(
            "Look the code up at GET /identity/v1/agencies, or register the agency first.",
            agencies=named(codes),
        )


class AgencyClosed(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The agency is closed at that time"
    type = "/problems/agency-closed"

    def __init__(self, code: str, successor: str | None) -> None:
        advice = "Name its successor instead." if successor else "Name another agency."
        super().__init__(advice, agency=code, successor=successor)


class AgencyExists(Problem):
    status = HTTPStatus.CONFLICT
    title = "An agency with this code is registered already"
    type = "/problems/agency-exists"
    advice = "Read it under this code, or register under another."

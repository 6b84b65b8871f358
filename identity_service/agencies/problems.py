"""Define the expected errors of agencies; each says how to correct the request."""

from collections.abc import Collection, Iterable
from http import HTTPStatus

from shared.texts.translatable import Translatable
from shared.web.calls.auth import NotAllowed
from shared.web.problems import Problem

MAX_NAMED = 20


def list_first_names(names: Iterable[str]) -> list[str]:
    """Return the first `MAX_NAMED` names in order."""
    return sorted(names)[:MAX_NAMED]


def refuse_beyond(name: str, covered: Collection[str] | None) -> NotAllowed:
    """Return the refusal of a limit that lies beyond the caller's own."""
    return NotAllowed(
        Translatable(
            "Limit `{name}` to values that your own right covers; this problem lists the "
            "first ones.",
            name=name,
        ),
        **{name: list_first_names(covered or ())},
    )


class AgencyNotFound(Problem):
    """No agency has this code, or it lies outside the right."""

    status = HTTPStatus.NOT_FOUND
    title = "No such agency"
    type = "/problems/agency-not-found"
    advice = "GET /identity/v1/agencies lists the agencies that your right covers."


class AgenciesUnknown(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The registry holds no such agency"
    type = "/problems/agency-unknown"
    advice = "Look the code up at GET /identity/v1/agencies, or register the agency first."

    def __init__(self, codes: Iterable[str]) -> None:
        super().__init__(agencies=list_first_names(codes))


class AgencyClosed(Problem):
    """The agency had ended at the time of the request or of the begin of the grant."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The agency does not act at that time"
    type = "/problems/agency-closed"
    advice = "Name its `successor` instead, or another agency."

    def __init__(self, code: str, successor: str | None) -> None:
        advice = (
            Translatable("Name its successor instead.")
            if successor
            else Translatable("Name another agency.")
        )
        super().__init__(advice, agency=code, successor=successor)


class AgencyExists(Problem):
    status = HTTPStatus.CONFLICT
    title = "An agency with this code is registered already"
    type = "/problems/agency-exists"
    advice = "Read it by this code, or register the agency under another code."

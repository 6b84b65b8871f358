from collections.abc import Iterable
from http import HTTPStatus

from shared.texts.translatable import Translatable
from shared.web.problems import Problem


class IndicatorNotFound(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "No such indicator"
    type = "/problems/indicator-not-found"
    advice = "GET /sync/v1/indicators lists the indicators."


class RightTooNarrow(Problem):
    """The right names localised forms of a procedure; figures exist for the whole procedure."""

    status = HTTPStatus.FORBIDDEN
    title = "The right does not cover a whole national procedure"
    type = "/problems/right-too-narrow"
    advice = "Name with `procedure` a national procedure of your right, or ask for a right to one."

    def __init__(self, codes: Iterable[str], *, national: str | None = None) -> None:
        """`codes` are the localised forms of the right, `national` the requested procedure."""
        super().__init__(
            Translatable("It reaches only localised forms of {national}.", national=national)
            if national
            else Translatable(
                "It is limited to {codes}: name another procedure.", codes=", ".join(codes)
            )
        )


class AgencyMissing(Problem):
    """The right covers several agencies, and the request names none."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The request must name an agency"
    type = "/problems/agency-missing"
    advice = "Your right reaches several agencies: name one of them in `agency`."


class PeriodUnreadable(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The period cannot be read"
    type = "/problems/period-unreadable"
    advice = "Write a month (2026-11), a quarter (2026-Q4), a year (2026) or two days."


class NoRuleInForce(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "No rule for this indicator was in force in the period"
    type = "/problems/no-rule-in-force"
    advice = "GET /sync/v1/indicators lists the rules with the day from which each is in force."

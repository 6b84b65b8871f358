from http import HTTPStatus

from shared.web.problems import Problem


class IndicatorNotFound(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "No such indicator"
    type = "/problems/indicator-not-found"
    advice = "GET /sync/v1/indicators lists the indicators."


class RightTooNarrow(Problem):
    """A right to a part of a procedure: counters exist for national procedures as a whole."""

    status = HTTPStatus.FORBIDDEN
    title = "Indicators count national procedures, with all their localised forms"
    type = "/problems/right-too-narrow"
    advice = "Ask for a right to the national procedure, and name it with `procedure`."


class AgencyMissing(Problem):
    """The right covers several agencies, and the request names none."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "Say which agency"
    type = "/problems/agency-missing"
    advice = "Add `agency` to the query."


class PeriodUnreadable(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "The period cannot be read"
    type = "/problems/period-unreadable"
    advice = "Write a month (2026-11), a quarter (2026-Q4), a year (2026) or two days."


class NoRuleInForce(Problem):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    title = "No rule for this indicator was in force in the period"
    type = "/problems/no-rule-in-force"
    advice = "GET /sync/v1/indicators says since when each rule is in force."

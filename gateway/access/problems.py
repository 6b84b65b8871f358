"""Define the expected errors of rights and quotas; each states how to correct the request."""

from http import HTTPStatus

from gateway.operations.problems import format_seconds
from shared.texts.translatable import Translatable
from shared.web.calls.auth import NotAllowed
from shared.web.problems import Problem


class NoRight(NotAllowed):
    """`lacking` names the missing part: client, operation or purpose; services add agency."""

    def __init__(self, operation: str, *, lacking: str, detail: Translatable) -> None:
        super().__init__(detail, operation=operation, lacking=lacking)


class QuotaSpent(Problem):
    """A client or address has made as many calls of this class as its quota allows."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "The quota is exhausted"
    type = "/problems/quota-spent"
    advice = (
        "Wait the seconds of Retry-After; ask the owner of the data for a larger quota where one "
        "is needed."
    )

    def __init__(
        self, quota_class: str, *, amount: int, window_s: int, reset_s: int, repeated: bool = False
    ) -> None:
        # The same refusal was recorded within this minute.
        self.repeated = repeated
        super().__init__(
            Translatable(
                "The quota of class {quota_class} is {amount} in {window}; try again in {wait}.",
                quota_class=quota_class,
                amount=amount,
                window=format_seconds(window_s),
                wait=format_seconds(reset_s),
            )
        )
        self.headers = {
            "Retry-After": str(reset_s),
            "RateLimit-Limit": str(amount),
            "RateLimit-Remaining": "0",
            "RateLimit-Reset": str(reset_s),
            "RateLimit-Policy": f"{amount};w={window_s}",
        }

"""Define the expected errors of forwarding; each states how to correct the request."""

from http import HTTPStatus
from types import MappingProxyType

from gateway.operations.problems import format_seconds
from shared.texts.translatable import Translatable
from shared.web.problems import RETRY_AFTER, Problem


class MethodRefused(Problem):
    """The path has operations, and none of this method."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    title = "This path does not support the method"
    type = "/problems/method-not-allowed"
    advice = "Use a method of the header Allow."

    def __init__(self, allowed: tuple[str, ...]) -> None:
        methods = ", ".join(allowed)
        super().__init__(Translatable("Use one of: {methods}.", methods=methods))
        self.headers = {"Allow": methods}


class NotPublic(Problem):
    status = HTTPStatus.NOT_FOUND
    title = "Not Found"
    advice = "Nothing is at this path; the API pages at /docs list all that is."


class CodingNotUnderstood(Problem):
    """The body has a Content-Encoding, or a Transfer-Encoding other than chunked."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    title = "The content coding of the body is not supported"
    type = "/problems/coding-not-understood"
    headers = MappingProxyType({"Accept-Encoding": "identity"})
    advice = "Send the body as it is, without Content-Encoding."


class ExpectationFailed(Problem):
    status = HTTPStatus.EXPECTATION_FAILED
    title = "The expectation is not supported"
    type = "/problems/expectation-failed"
    advice = "Send Expect only as 100-continue, or omit it."


class BodyTooLarge(Problem):
    """The body, or its announced length, exceeds the limit of the operation; 0 allows none."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    title = "The body is larger than this operation accepts"
    type = "/problems/body-too-large"
    advice = "Send at most `limit` bytes, or several requests; where `limit` is 0, send no body."

    def __init__(self, limit: int) -> None:
        super().__init__(
            Translatable(
                "Send at most {limit} bytes; split a push to /sync/v1 into several.", limit=limit
            )
            if limit
            else Translatable("Send this request without a body."),
            limit=limit,
        )


class BodyTooSlow(Problem):
    """The gateway waits for a body as long as the operation may take, and for no long pause."""

    status = HTTPStatus.REQUEST_TIMEOUT
    title = "The body did not arrive in time"
    type = "/problems/body-too-slow"
    advice = "Send the whole body at once, and a long one without a pause."

    def __init__(self, seconds: float) -> None:
        super().__init__(
            Translatable(
                "Send the whole body within {time}, and a long one without a pause.",
                time=format_seconds(seconds),
            )
        )


class _UpstreamProblem(Problem):
    def __init__(
        self, service: str, detail: Translatable, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(detail, service=service)
        if retry_after_s is not None:
            self.headers = {"Retry-After": str(retry_after_s)}


class UpstreamAway(_UpstreamProblem):
    """The service takes no connection, or the gateway leaves it alone after several failures."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "The upstream service is unavailable"
    type = "/problems/upstream-away"
    advice = "Nothing was done. Try again after the seconds of Retry-After."

    def __init__(self, service: str, *, retry_after_s: int) -> None:
        detail = Translatable(
            "The {service} service cannot be reached; nothing was done. Try again in {wait}.",
            service=service,
            wait=format_seconds(retry_after_s),
        )
        super().__init__(service, detail, retry_after_s=retry_after_s)


class UpstreamBusy(_UpstreamProblem):
    """The service has as many calls under way as it takes from this gateway."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "The upstream service is busy"
    type = "/problems/upstream-busy"
    advice = "Nothing was done. Try again after the seconds of Retry-After."

    def __init__(self, service: str, *, retry_after_s: int) -> None:
        detail = Translatable(
            "The {service} service is at its limit; nothing was done. Try again in {wait}.",
            service=service,
            wait=format_seconds(retry_after_s),
        )
        super().__init__(service, detail, retry_after_s=retry_after_s)


class SlotsTaken(_UpstreamProblem):
    """One client has its share of the calls under way; others are still served."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many calls of one client are under way"
    type = "/problems/slots-taken"
    advice = "Nothing was done. Wait for the answers of your calls under way, then try again."

    def __init__(self, service: str, *, retry_after_s: int) -> None:
        detail = Translatable(
            "The {service} service works on as many of your calls as one client may have at once; "
            "nothing was done. Wait for their answers, then try again in {wait}.",
            service=service,
            wait=format_seconds(retry_after_s),
        )
        super().__init__(service, detail, retry_after_s=retry_after_s)


class MemoryTaken(Problem):
    """The bodies of all callers together fill the memory for bodies."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "Too many bodies are under way"
    type = "/problems/memory-taken"
    headers = RETRY_AFTER
    advice = "Nothing was done. Try again after the seconds in Retry-After."


class MemoryShareTaken(Problem):
    """The bodies of one client fill its share of the memory; others are still served."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    title = "Too many bodies of one client are under way"
    type = "/problems/memory-share-taken"
    headers = RETRY_AFTER
    advice = "Nothing was done. Send fewer bodies at once, and each without a pause."


class UpstreamRefusesCalls(_UpstreamProblem):
    """The two share no key, or the service changed its epoch at this moment."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    title = "The upstream service refuses the calls of this gateway"
    type = "/problems/upstream-refuses-calls"
    advice = "Nothing was done. Try again after the seconds of Retry-After."

    def __init__(self, service: str, *, retry_after_s: int) -> None:
        detail = Translatable(
            "The {service} service refused this call; nothing was done. Try again in {wait}.",
            service=service,
            wait=format_seconds(retry_after_s),
        )
        super().__init__(service, detail, retry_after_s=retry_after_s)


class UpstreamTimedOut(_UpstreamProblem):
    """The service got the call and did not answer in the time of the operation."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    title = "The upstream service did not answer in time"
    type = "/problems/upstream-timed-out"
    advice = "A change may have been made: repeat it with the same Idempotency-Key."

    def __init__(self, service: str, *, seconds: float) -> None:
        detail = Translatable(
            "The {service} service did not answer within {time}. A change may have been made: "
            "repeat it with the same Idempotency-Key.",
            service=service,
            time=format_seconds(seconds),
        )
        super().__init__(service, detail)


class UpstreamBroke(_UpstreamProblem):
    """The connection to the service ended before its answer was whole."""

    status = HTTPStatus.BAD_GATEWAY
    title = "The upstream service broke off"
    type = "/problems/upstream-broke"
    advice = "A change may have been made: repeat it with the same Idempotency-Key."

    def __init__(self, service: str) -> None:
        detail = Translatable(
            "The {service} service broke off before its answer was whole. A change may have been "
            "made: repeat it with the same Idempotency-Key.",
            service=service,
        )
        super().__init__(service, detail)


class SubjectNotNamed(_UpstreamProblem):
    """A service sent personal data without naming the persons."""

    status = HTTPStatus.BAD_GATEWAY
    title = "The upstream service did not name the persons of its answer"
    type = "/problems/subject-not-named"
    advice = "Do not repeat the call; send the trace_id to the operator of the mesh."

    def __init__(self, service: str) -> None:
        detail = Translatable(
            "The {service} service sent an answer that cannot be recorded, so it was withheld. "
            "Send the trace_id of this problem to the operator of the mesh.",
            service=service,
        )
        super().__init__(service, detail)
